"""Choosing a theme by looking at it: the workstation behind the list shows each one as the cursor reaches it."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ledger_tui.ui.dialogs.base import Dialog


class ThemePicker(Dialog[None]):
    """The themes; ``enter`` keeps the one that is shown, ``escape`` brings the old one back."""

    CLICK_OUT = True
    CSS = """
    ThemePicker { background: transparent; align: right middle; }
    ThemePicker .dialog { width: 34; margin: 0 2; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__("Theme", "enter keep · esc back")
        self._before = ""

    def compose_dialog(self) -> Iterable[Widget]:
        """The list."""
        yield OptionList(id="theme-list", compact=True, classes="dialog-list")

    def on_mount(self) -> None:
        """Fill the list and stand on the theme that counts now."""
        self._before = self.app.theme
        names = list(self.app.shown_themes)
        rows = self.query_one(OptionList)
        for name in names:
            theme = self.app.shown_themes[name]
            kind = "terminal" if theme.ansi else "dark" if theme.dark else "light"
            mark = "● " if name == self._before else "  "
            rows.add_option(Option(Content(f"{mark}{name:<20} {kind}"), id=name))
        rows.highlighted = names.index(self._before) if self._before in names else 0
        rows.focus()

    @on(OptionList.OptionHighlighted)
    def _preview(self, event: OptionList.OptionHighlighted) -> None:
        self.app.choose_theme(event.option.id or "")

    @on(OptionList.OptionSelected)
    def _keep(self, event: OptionList.OptionSelected) -> None:
        self.app.choose_theme(event.option.id or "")
        self.app.save_setting("theme", event.option.id or "")
        self.dismiss(None)

    def action_cancel(self) -> None:
        """Bring the old theme back."""
        self.app.choose_theme(self._before)
        self.dismiss(None)
