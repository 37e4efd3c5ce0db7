"""How far long work is, as one line on standard error that is written over; nothing where nobody watches."""

from __future__ import annotations

import sys
import time
from typing import Self

from ledger_tui.cli import output
from ledger_tui.domain.text import printable

_EVERY_S = 0.1
_BAR = 24


class ProgressLine:
    """``told(done, total)`` shows a bar and counts; leave the ``with`` block to clear the line."""

    def __init__(self, noun: str) -> None:
        """noun: what is counted, such as ``spans``."""
        self.noun = noun
        self._shown = False
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._write("\r\x1b[2K")

    def note(self, words: str) -> None:
        """Show words until there is something to count."""
        if output.is_terminal(sys.stderr):
            self._shown = True
            self._write(f"\r\x1b[2K{printable(words, keep='')}")

    def told(self, done: int, total: int | None) -> None:
        """Show where the work stands, ten times a second at most."""
        if not output.is_terminal(sys.stderr) or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        self._shown = True
        if total:
            part = min(1.0, done / total)
            full = round(part * _BAR)
            words = f"[{'#' * full}{'.' * (_BAR - full)}] {part:4.0%}  {done:,} of {total:,} {self.noun}"
        else:
            words = f"{done:,} {self.noun}"
        self._write(f"\r\x1b[2K{words}")

    def _write(self, words: str) -> None:
        try:
            sys.stderr.write(words)
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
