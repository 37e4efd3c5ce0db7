"""The answers of a column on one row, each to click on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ledger_tui.ui.places.playground.answers import GLYPHS, Answer


class HistoryLine(Widget):
    """``answers  ✓1  ✗2  ✓3``: glyph and number of each, the shown one reversed. Hidden while there is only one."""

    DEFAULT_CSS = "HistoryLine { height: 1; width: 1fr; display: none; }"

    @dataclass
    class Chosen(Message):
        """A person clicked on an answer."""

        index: int

    def __init__(self) -> None:
        super().__init__()
        self._marks: list[tuple[int, str]] = []
        self._shown = -1

    def show(self, answers: Sequence[Answer], shown: int) -> None:
        """Show these answers, ``shown`` marked; where they do not fit, those around it."""
        fitting = max(3, (self.parent_width - 8) // 5)
        first = max(0, min(shown - fitting // 2, len(answers) - fitting))
        numbered = list(enumerate(answers))[first : first + fitting]
        self._marks = [(n, f" {GLYPHS.get(answer.status, '?')}{n + 1} ") for n, answer in numbered]
        self._shown = shown
        self.display = len(answers) > 1
        self.refresh()

    @property
    def parent_width(self) -> int:
        """Cells that the column has; the line itself may still be hidden."""
        return self.parent.size.width if isinstance(self.parent, Widget) else 0

    def render(self) -> Content:
        """The marks."""
        parts = [Content.styled(mark, "bold reverse" if n == self._shown else "") for n, mark in self._marks]
        return Content.assemble("answers ", *parts)

    def on_click(self, event: events.Click) -> None:
        """Choose the answer under the mouse."""
        event.stop()
        right = len("answers ")
        for index, mark in self._marks:
            right += len(mark)
            if event.x < right and event.x >= right - len(mark):
                self.post_message(self.Chosen(index))
