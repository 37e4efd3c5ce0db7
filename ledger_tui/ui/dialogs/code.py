"""The current action as code, so that what was tried here can be written into a program."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import Tab, Tabs

from ledger_tui.ui.clipboard import copy
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.widgets.text_pane import TextPane

TITLES = {"python": "Python", "cli": "Command line", "curl": "curl"}


class CodeDialog(Dialog[None]):
    """Three tabs of code.

    | Key(s) | Description |
    | :- | :- |
    | y | Copy what is shown. |
    | f8, escape | Close. |
    """

    CLICK_OUT = True
    WIDE = True
    BINDINGS = [
        Binding("y,ctrl+y", "copy", "Copy", id="code.copy", tooltip="Copy the code that is shown"),
        Binding("f8", "cancel", "Close", show=False, id="code.close", tooltip="Close the dialog"),
    ]

    def __init__(self, subject: CodeSubject) -> None:
        """Tabs without code are left out."""
        super().__init__("As code", "← → language · y copy · esc close")
        self._codes = {name: code for name in TITLES if (code := getattr(subject, name))}

    def compose_dialog(self) -> Iterable[Widget]:
        """Tabs and the code."""
        yield Tabs(*(Tab(TITLES[name], id=name) for name in self._codes))
        yield TextPane(id="code-text")

    @on(Tabs.TabActivated)
    def _show(self, event: Tabs.TabActivated) -> None:
        self.query_one(TextPane).show(self._codes[event.tab.id or ""], "plain")

    def action_copy(self) -> None:
        """Copy what is shown."""
        name = self.query_one(Tabs).active
        copy(self.app, self._codes.get(name, ""), TITLES.get(name, ""))
