"""Text that comes in pieces, made printable and wrapped as it comes, each character once."""

from __future__ import annotations

import unicodedata

from ledger_tui.domain.text import printable, repaired
from ledger_tui.ui.widgets import lines
from ledger_tui.ui.widgets.lines import Line, plain_line, row_ends

_CONTEXT = 40
_UNDECIDED = "\u200d\ufe0e\ufe0f"


class StreamText:
    """``printable`` for pieces: cutting a text anywhere gives the same characters in the end.

    A piece may end between the halves of a surrogate pair, inside an emoji sequence or between ``\\r`` and ``\\n``.
    """

    def __init__(self) -> None:
        self._held = ""
        self._context = ""

    def feed(self, piece: str) -> str:
        """The printable characters that this piece adds."""
        text = self._held + piece
        size = len(text)
        if size and (text[-1] == "\r" or "\ud800" <= text[-1] <= "\udbff"):
            size -= 1
        while size and text[size - 1] in _UNDECIDED:
            size -= 1
        text, self._held = text[:size], text[size:]
        text = repaired(text)[0].replace("\r\n", "\n")
        before = printable(self._context)
        shown = printable(self._context + text)[len(before) :]
        self._context = _tail(self._context + text)
        return shown

    def end(self) -> str:
        """What was held back, once nothing more comes."""
        held, self._held = repaired(self._held)[0], ""
        return printable(self._context + held)[len(printable(self._context)) :]


def _tail(text: str) -> str:
    """The last character with the marks and joiners that follow it: what the next piece may still change."""
    start = len(text) - 1
    while start > 0 and len(text) - start < _CONTEXT and _continues(text[start]):
        start -= 1
    return text[max(0, start) :]


def _continues(char: str) -> bool:
    return char in _UNDECIDED or unicodedata.category(char) in ("Mn", "Me")


class GrowingRows:
    """Rows of a growing printable text in ``width`` cells; only the last row is ever wrapped again."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._last = ""

    def add(self, text: str) -> list[Line]:
        """The rows that take the place of the last row once ``text`` is appended, at least one."""
        rows: list[Line] = []
        last = self._last
        for paragraph in (self._last + text.replace("\t", lines.TAB)).split("\n"):
            start = 0
            for end in row_ends(paragraph, self.width):
                last = paragraph[start:end]
                rows.append(plain_line(last))
                start = end
        self._last = last
        return rows
