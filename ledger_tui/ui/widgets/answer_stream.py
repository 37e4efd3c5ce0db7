"""An answer while it comes and when it rests.

While it comes, pieces are collected and drawn about thirty times a second, plain, following the end unless somebody
scrolled up. When it rests it is laid out as Markdown or JSON like any text of a ``TextPane``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import monotonic

from textual.message import Message
from textual.worker import get_current_worker

from ledger_tui.ui.widgets.frames import turns
from ledger_tui.ui.widgets.lines import Line
from ledger_tui.ui.widgets.stream_text import GrowingRows, StreamText
from ledger_tui.ui.widgets.text_pane import Kind, Layout, TextPane

_AT_ONCE = 20_000
_SCROLLBAR_S = 0.5


class AnswerStream(TextPane):
    """``begin()``, any number of ``append(piece)``, ``rest()``; ``show(text)`` for an answer that already rests."""

    @dataclass
    class Rested(Message):
        """The answer is laid out for reading."""

        answer: AnswerStream

        @property
        def control(self) -> AnswerStream:
            """The widget it happened in."""
            return self.answer

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.streaming = False
        """Whether more may come."""
        self.frames = 0
        """How often pieces were put on the screen, for those who measure."""
        self._pieces: list[str] = []
        self._waiting: list[str] = []
        self._text = StreamText()
        self._growing = GrowingRows(1)
        self._asked = False
        self._relaying = False
        self._passing = False
        self._scrollbar_drawn = 0.0

    @property
    def answer(self) -> str:
        """Everything that has come so far."""
        return "".join(self._pieces) if self.streaming else self.source

    def begin(self) -> None:
        """Forget the former answer and wait for a new one."""
        self.show("", "plain")
        self.workers.cancel_group(self, "layout")
        self.streaming, self._relaying, self.frames = True, False, 0
        self._pieces, self._waiting = [], []
        self._text, self._growing = StreamText(), GrowingRows(max(1, self.room))
        self.cursor_row = None
        self._layout_now = Layout([], "plain")
        self.set_rows([])

    def append(self, piece: str) -> None:
        """Take a piece; it is drawn with the next frame."""
        if not self.streaming:
            self.begin()
        self._pieces.append(piece)
        self._waiting.append(piece)
        if not self._asked:
            self._asked = True
            turns().ask(self)

    def rest(self, kind: Kind = "auto") -> None:
        """Nothing more comes: lay the answer out."""
        if not self.streaming:
            return
        self.draw_frame()
        self.streaming = False
        self.source, self.kind = "".join(self._pieces), kind
        self._pieces, self._waiting = [], []
        self.room_changed()

    def show(self, text: str, kind: Kind = "auto") -> None:
        """Show an answer that rests, from its beginning."""
        self.streaming = False
        super().show(text, kind)

    def room_changed(self) -> None:
        """Another width: wrap again what has come, in a thread when it is long."""
        if not self.streaming:
            super().room_changed()
        elif self.room > 0:
            self._waiting.clear()
            work = partial(_grow, "".join(self._pieces), self.room)
            if sum(map(len, self._pieces)) <= _AT_ONCE:
                self._grown_again(*work())
            else:
                self._relaying = True
                self.run_worker(partial(self._grow_again, work), group="layout", exclusive=True, thread=True)

    def _grow_again(self, work: partial[tuple[StreamText, GrowingRows, list[Line]]]) -> None:
        worker = get_current_worker()
        result = work()
        if not worker.is_cancelled and self.is_attached:
            self.app.call_from_thread(self._grown_again, *result)

    def _grown_again(self, text: StreamText, growing: GrowingRows, rows: list[Line]) -> None:
        if not self.streaming:
            return
        follows = self.follows
        self._relaying = False
        self._text, self._growing = text, growing
        self.set_rows(rows)
        self._keep_end(follows)
        self.draw_frame()

    @property
    def follows(self) -> bool:
        """Whether the end is in view and shall stay so."""
        return min(self.scroll_y, self.scroll_target_y) >= self.max_scroll_y

    def scrollbar_due(self) -> bool:
        """Twice a second while the end is followed."""
        return not self._passing

    def draw_frame(self) -> None:
        """Put what has come on the screen: this widget's turn."""
        self._asked = False
        if self._relaying or not self._waiting or self.room <= 0 or not self.is_attached:
            return
        shown = self._text.feed("".join(self._waiting))
        self._waiting.clear()
        if not shown:
            return
        follows = self.follows
        self.frames += 1
        now = monotonic()
        self._passing = follows and now - self._scrollbar_drawn < _SCROLLBAR_S
        self.add_rows(self._growing.add(shown), keep=max(0, self.row_count - 1))
        self._keep_end(follows)
        if not self._passing:
            self._scrollbar_drawn = now
        self._passing = False

    def _keep_end(self, follows: bool) -> None:
        if follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def _laid_out(self, result: Layout) -> None:
        if self.streaming:
            return
        follows = self.follows and self.scroll_y > 0
        super()._laid_out(result)
        self._keep_end(follows)
        self.post_message(self.Rested(self))


def _grow(text: str, width: int) -> tuple[StreamText, GrowingRows, list[Line]]:
    stream, growing = StreamText(), GrowingRows(width)
    return stream, growing, growing.add(stream.feed(text))
