"""The line under the top line while an earlier moment is shown: which one, that it is to read only, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ledger_tui.ui.actions import show_key

if TYPE_CHECKING:
    from ledger_tui.ui.app import LedgerApp


def moment_words(moment: datetime) -> str:
    """``2026-11-01 08:00 UTC``; with seconds where there are any."""
    return f"{moment:{'%Y-%m-%d %H:%M:%S' if moment.second or moment.microsecond else '%Y-%m-%d %H:%M'}} UTC"


class MomentLine(Widget):
    """Says AS OF in words and reversed; a click at its right end goes to the present, elsewhere asks for another moment."""

    DEFAULT_CSS = """
    MomentLine {
        height: 1;
        color: $warning;
        background: $background;
        text-style: bold reverse;
    }
    """

    app: LedgerApp

    @dataclass
    class Wanted(Message):
        """Another moment is wanted, or the present."""

        present: bool

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self._moment = moment
        self._present_from = 0

    def render(self) -> Content:
        """The moment at the left, the ways out at the right as far as there is room."""
        said = f" ◷ AS OF {moment_words(self._moment)} · read only "
        key = self.app.keymap.get("app.as_of", "T").partition(",")[0]
        present = f" {show_key(key)}: the present "
        for ways in (f" click: another moment ·{present}", present, ""):
            gap = self.size.width - len(said) - len(ways)
            if gap >= 0:
                break
        self._present_from = self.size.width - len(present) if ways else self.size.width
        return Content(said + " " * max(0, gap) + ways)

    def on_click(self, event: events.Click) -> None:
        """The mouse's way out."""
        self.post_message(self.Wanted(event.x >= self._present_from))
