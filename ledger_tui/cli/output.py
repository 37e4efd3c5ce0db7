"""What the command line says: data on standard output, words on standard error, nothing a terminal could obey.

To a terminal every text goes through ``printable``; into a pipe or file it goes as the exact bytes it has.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from typing import Any, TextIO

from ledger_tui.domain.text import one_line, printable
from ledger_tui.errors import LedgerError

_CELL, _WHOLE = 120, 100_000
"""How many characters of a cell are shown."""
_NARROW = 30
"""A column that goes on below has so many characters at least."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a person reads ``stream`` directly; False for a stream that is closed."""
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


class ReaderGone(Exception):
    """Whoever read standard output has seen enough."""


def piece(text: str) -> None:
    """Write a part of a text to standard output at once, without a line end; raises ReaderGone."""
    try:
        _write(text)
    except BrokenPipeError:
        raise ReaderGone from None


def _write(text: str) -> None:
    if is_terminal(sys.stdout):
        sys.stdout.write(_encodable(printable(text), sys.stdout))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
    sys.stdout.flush()


def raw(data: bytes) -> None:
    """Write a part of a document as it is; on a terminal printable. Raises ReaderGone."""
    if is_terminal(sys.stdout):
        piece(data.decode("utf-8", "replace"))
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def text(value: str) -> None:
    """Write a whole text: exact into a pipe; on a terminal printable and with a line end."""
    piece(value + "\n" if is_terminal(sys.stdout) and not value.endswith("\n") else value)


def line(value: str) -> None:
    """Write one line of a listing."""
    piece(value + "\n")


def document(value: Any) -> None:
    """Write one JSON document on standard output, ASCII only."""
    piece(json.dumps(value, ensure_ascii=True, indent=2, default=_plain) + "\n")


def json_line(value: Any) -> None:
    """Write one JSON document on one line, for those that come one after the other."""
    piece(json.dumps(value, ensure_ascii=True, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def say(words: str) -> None:
    """Write a line of words to standard error; when nobody can read it, that is no error."""
    try:
        sys.stderr.write(_encodable(printable(words), sys.stderr) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def complain(error: LedgerError) -> None:
    """Say an error in three parts: what happened, why, what to do."""
    say(f"✗ {error.title}")
    for lead, words in (("  ", error.cause), ("  → ", error.remedy)):
        if words:
            say(lead + words)


def _encodable(words: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return words.encode(encoding, "replace").decode(encoding, "replace")


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    *,
    named: bool = False,
    whole: bool = False,
) -> None:
    """Write aligned columns; the headers only on a terminal, or always where the cells say nothing without them (``named``).

    right: positions of columns that align right. whole: the last column is never cut, on a terminal it goes on below. The last
    column is never padded. Cells are made one line each.
    """
    on_terminal = is_terminal(sys.stdout)
    cells = [
        [one_line(cell, _WHOLE if whole and n == len(row) - 1 else _CELL) for n, cell in enumerate(row)] for row in rows
    ]
    if whole and on_terminal:
        cells = _wrapped(headers, cells)
    shown = [list(headers), *cells] if named or on_terminal else cells
    widths = [max((len(row[column]) for row in shown), default=0) for column in range(len(headers))]
    last = len(headers) - 1
    for row in shown:
        padded = [
            cell.rjust(widths[n]) if n in right else cell if n == last else cell.ljust(widths[n])
            for n, cell in enumerate(row)
        ]
        line("  ".join(padded).rstrip())


def _wrapped(headers: Sequence[str], cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """Rows whose last cell is too wide for the terminal, as several rows with nothing in the other columns."""
    import shutil
    import textwrap

    before = sum(max(len(row[n]) for row in (headers, *cells)) + 2 for n in range(len(headers) - 1))
    room = max(_NARROW, shutil.get_terminal_size().columns - before)
    found = []
    for row in cells:
        first, *more = textwrap.wrap(row[-1], room) or [""]
        found += [[*row[:-1], first], *([*[""] * (len(row) - 1), line] for line in more)]
    return found


def close_quietly() -> None:
    """After the reader of standard output went away: let the interpreter end without a second complaint."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass
