"""What every dialog shares: a titled box, escape to leave, keys that still work while it is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

from ledger_tui.ui.safe import line

if TYPE_CHECKING:
    from ledger_tui.ui.app import LedgerApp

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A box in the middle of the screen; subclasses give ``compose_dialog``. ``escape`` leaves with None.

    | Key(s) | Description |
    | :- | :- |
    | escape | Leave without doing anything. |
    | ctrl+q | Leave the workstation. |
    """

    BINDINGS = [
        Binding("escape", "cancel", "Close", id="dialog.cancel", tooltip="Close the dialog without doing anything"),
        Binding("ctrl+q", "app.quit", "Quit", show=False, id="dialog.quit", tooltip="Leave the workstation"),
    ]

    HELP: ClassVar[str] = ""
    WIDE = False
    """Whether the box takes up to 110 columns instead of 64."""

    CLICK_OUT = False
    """Whether a click beside the box, or on the hint in its lower border, leaves it: where nothing typed can be lost."""

    app: LedgerApp

    def __init__(self, title: str, hint: str = "") -> None:
        """``title`` and ``hint`` stand in the upper and lower border; they may hold foreign text."""
        super().__init__()
        self._title = title
        self._hint = hint

    def compose(self) -> ComposeResult:
        """The box around what the dialog says."""
        with Vertical(classes="dialog dialog-wide" if self.WIDE else "dialog") as box:
            box.border_title = _in_border(self._title)
            box.border_subtitle = _in_border(self._hint)
            yield from self.compose_dialog()

    def compose_dialog(self) -> Iterable[Widget]:
        """The widgets inside the box."""
        return ()

    async def on_click(self, event: events.Click) -> None:
        """The mouse's way out."""
        box = self.query_one(".dialog")
        hint = event.widget is box and event.screen_y == box.region.bottom - 1
        if self.CLICK_OUT and (hint or event.widget is self):
            await self.run_action("cancel")

    def action_cancel(self) -> None:
        """Leave with nothing."""
        self.dismiss(None)


def _in_border(text: str) -> Content:
    return line(text, 100)
