"""JSON as styled lines that fold, exactly as it was written: numbers keep their digits, doubled keys stay doubled.

Strings of several lines are shown as their text. No recursion of ours: depth is limited only by what ``json`` reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger_tui.domain.text import printable
from ledger_tui.ui.widgets import lines
from ledger_tui.ui.widgets.lines import Line, Run, plain_line, wrap

MAX_JSON = 4_000_000
"""Characters; a longer text is shown plain."""
INDENT = 2


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line of the document; ``end`` is the index after the last line of the node that starts here."""

    depth: int
    runs: Line
    end: int = 0
    summary: Line = ()
    """What stands for the node when it is folded; empty for a line that cannot fold."""
    string: bool = False
    """A line of a text of several lines."""


class _Pairs(list[tuple[str, Any]]):
    """An object's members in their order, doubled keys included."""


class _Number(str):
    """A number as it was written."""


def json_lines(text: str) -> list[JsonLine] | None:
    """``text`` as lines of JSON, or None when it is no JSON object or array (or too large, or too deep)."""
    head = text[:200].lstrip()
    if not head or head[0] not in "{[" or len(text) > MAX_JSON:
        return None
    try:
        value = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except (ValueError, RecursionError):
        return None
    return _Writer().write(value)


class _Open(NamedTuple):
    """A container being written."""

    start: int
    close: str
    items: Iterator[tuple[str | None, Any]]
    left: list[int]


class _Writer:
    def __init__(self) -> None:
        self.out: list[JsonLine] = []
        self.stack: list[_Open] = []

    def write(self, value: Any) -> list[JsonLine]:
        """Write the whole document."""
        self._value((), value, "")
        while self.stack:
            top = self.stack[-1]
            item = next(top.items, None)
            if item is None:
                self.stack.pop()
                self._close(top)
                continue
            top.left[0] -= 1
            key, inner = item
            label = () if key is None else (Run(_quoted(key), lines.KEY), Run(": ", lines.MUTED))
            self._value(label, inner, "," if top.left[0] else "")
        return self.out

    def _value(self, label: Line, value: Any, comma: str) -> None:
        depth = len(self.stack)
        if isinstance(value, list) and value:
            pairs = isinstance(value, _Pairs)
            items = iter(value) if pairs else ((None, item) for item in value)
            count = f"{len(value)} {'key' if pairs else 'item'}{'s' if len(value) != 1 else ''}"
            opening, close = ("{", "}") if pairs else ("[", "]")
            summary = (*label, Run(f"{opening} {count} {close}{comma}", lines.MUTED))
            self.stack.append(_Open(len(self.out), close + comma, items, [len(value)]))
            self.out.append(JsonLine(depth, (*label, Run(opening, lines.MUTED)), 0, summary))
        elif isinstance(value, str) and not isinstance(value, _Number) and "\n" in value.rstrip("\n"):
            self._text(label, value, comma, depth)
        else:
            self.out.append(JsonLine(depth, (*label, _scalar(value), Run(comma, lines.MUTED))))

    def _text(self, label: Line, value: str, comma: str, depth: int) -> None:
        texts = printable(value.replace("\r\n", "\n")).replace("\t", lines.TAB).split("\n")
        summary = (*label, Run(f'"{texts[0][:60]} …', lines.STRING), Run(f" {len(texts)} lines{comma}", lines.MUTED))
        end = len(self.out) + 1 + len(texts)
        self.out.append(JsonLine(depth, (*label, Run(f"{len(texts)} lines of text", lines.MUTED)), end, summary))
        self.out.extend(JsonLine(depth + 1, plain_line(text, lines.STRING), string=True) for text in texts)

    def _close(self, top: _Open) -> None:
        self.out.append(JsonLine(len(self.stack), plain_line(top.close, lines.MUTED)))
        start = self.out[top.start]
        self.out[top.start] = JsonLine(start.depth, start.runs, len(self.out), start.summary)


def _quoted(text: str) -> str:
    return printable(json.dumps(text, ensure_ascii=False), keep="")


def _scalar(value: Any) -> Run:
    if isinstance(value, _Number):
        return Run(value, lines.NUMBER)
    if isinstance(value, str):
        return Run(_quoted(value), lines.STRING)
    if isinstance(value, list):
        return Run("{}" if isinstance(value, _Pairs) else "[]", lines.MUTED)
    return Run("null" if value is None else str(value).lower(), lines.WORD)


def json_rows(document: list[JsonLine], folded: set[int], width: int) -> tuple[list[Line], list[int]]:
    """The lines that are not folded away as rows of ``width`` cells, and for each row the index of its line."""
    rows: list[Line] = []
    owners: list[int] = []
    index = 0
    while index < len(document):
        line = document[index]
        blank = " " * min(line.depth * INDENT, max(0, width // 2))
        shut = index in folded
        mark = ("▸ " if shut else "▾ ") if line.summary else "│ " if line.string else "  "
        first = (Run(blank + mark, lines.RULE),)
        rest = (Run(blank + ("│ " if line.string else "    "), lines.RULE),)
        made = wrap(line.summary if shut else line.runs, width, first, rest)
        rows.extend(made)
        owners.extend([index] * len(made))
        index = line.end if shut else index + 1
    return rows, owners
