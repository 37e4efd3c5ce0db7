"""What the tabs of Settings share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual.containers import Vertical

from ledger_tui.ui.place import Place

if TYPE_CHECKING:
    from ledger_tui.ui.app import LedgerApp

Result = TypeVar("Result")


class Section(Vertical):
    """One tab; ``read`` is called when it is shown and when the settings changed."""

    app: LedgerApp

    def read(self) -> None:
        """Show what counts now."""

    def focus_first(self) -> None:
        """Give the focus to the section's list."""
        for widget in self.query("RowTable, OptionList, VerticalScroll"):
            widget.focus()
            return

    @property
    def place(self) -> Place:
        """The screen, which starts the slow work."""
        place = self.screen
        assert isinstance(place, Place)
        return place

    def load(self, work: Callable[[], Result], then: Callable[[Result], Any] | None = None, *, deed: str = "") -> None:
        """Slow work of this section, through the place.

        deed: what a person asked for, by a name of its own, so that reading the section again does not take its place.
        """
        self.place.load(work, then, group=f"settings-{self.id} {deed}")
