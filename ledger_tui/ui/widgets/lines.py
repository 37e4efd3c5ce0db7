"""Lines of styled text that know no theme, so that a thread can lay them out and any widget can draw them.

A line is a tuple of runs; a run is printable text and the sum of looks. Wrapping is greedy and prefix-stable: text that
is appended can only change the last row, which is what lets an answer grow without being laid out anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

STRONG, EMPHASIS, STRIKE, CODE, LINK, HEADING, QUOTE = (1 << n for n in range(7))
MUTED, KEY, STRING, NUMBER, WORD, RULE = (1 << n for n in range(7, 13))
LOOKS: dict[int, str] = {
    STRONG: "strong",
    EMPHASIS: "emphasis",
    STRIKE: "strike",
    CODE: "code",
    LINK: "link",
    HEADING: "heading",
    QUOTE: "quote",
    MUTED: "muted",
    KEY: "key",
    STRING: "string",
    NUMBER: "number",
    WORD: "word",
    RULE: "rule",
}
"""Every look and the end of its component class (``line-view--strong`` ...)."""

TAB = "    "
# Characters that are one cell wide for certain, so that cells can be counted as characters.
_SINGLE = re.compile(
    "[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0400-\u0482\u2010-\u2027\u2190-\u21ff\u2500-\u25fc]*\\Z"
)


class Run(NamedTuple):
    """Printable text without line breaks, and how it looks."""

    text: str
    look: int = 0


Line = tuple[Run, ...]
BLANK: Line = ()


def plain_line(text: str, look: int = 0) -> Line:
    """A line of one run."""
    return (Run(text, look),) if text else BLANK


def line_text(line: Iterable[Run]) -> str:
    """The characters of a line."""
    return "".join(run.text for run in line)


def line_width(line: Iterable[Run]) -> int:
    """How many cells a line takes."""
    return sum(cell_len(run.text) for run in line)


def row_ends(text: str, width: int) -> list[int]:
    """Where each row of ``text`` ends (character offsets, the last is ``len(text)``) when a row has ``width`` cells.

    Rows break after spaces, which hang over the edge; a word longer than a row breaks anywhere, wide characters too.
    """
    width = max(1, width)
    if len(text) <= width and _SINGLE.match(text):
        return [len(text)]
    ends = _single_ends(text, width) if _SINGLE.match(text) else _grapheme_ends(text, width)
    if not ends or ends[-1] != len(text):
        ends.append(len(text))
    return ends


def _single_ends(text: str, width: int) -> list[int]:
    ends: list[int] = []
    start, size = 0, len(text)
    while size - start > width:
        cut = text.rfind(" ", start, start + width + 1)
        end = start + width if cut <= start or text[start:cut].isspace() else cut + 1
        while end < size and text[end] == " ":
            end += 1
        ends.append(end)
        start = end
    return ends


def _grapheme_ends(text: str, width: int) -> list[int]:
    ends: list[int] = []
    start = cells = 0
    chance = chance_cells = -1
    for begin, end, size in split_graphemes(text)[0]:
        char = text[begin]
        if size == 2 and cells and cells + size <= width:
            chance, chance_cells = begin, cells
        if cells + size > width and char != " " and begin > start:
            cut, used = (chance, chance_cells) if chance > start else (begin, cells)
            ends.append(cut)
            start, cells = cut, cells - used
            chance = chance_cells = -1
        cells += size
        if (char == " " and text[start:end].strip()) or size == 2:
            chance, chance_cells = end, cells
    return ends


def wrap(line: Line, width: int, first: Line = BLANK, rest: Line | None = None) -> list[Line]:
    """``line`` as rows of at most ``width`` cells, the first behind ``first``, the others behind ``rest``."""
    rest = first if rest is None else rest
    room = max(8, width - max(line_width(first), line_width(rest)))
    text = line_text(line)
    ends = row_ends(text, room)
    if len(ends) == 1:
        return [(*first, *line)]
    rows = list(_cut(line, ends))
    return [(*(rest if number else first), *trimmed(row)) for number, row in enumerate(rows)]


def trimmed(row: Line) -> Line:
    """``row`` without the spaces that hang over its end."""
    while row and not (text := row[-1].text.rstrip(" ")):
        row = row[:-1]
    return (*row[:-1], Run(text, row[-1].look)) if row else row


def _cut(line: Line, ends: list[int]) -> Iterator[Line]:
    runs = iter(line)
    text, look = "", 0
    position = 0
    for end in ends:
        row: list[Run] = []
        while position < end:
            if not text:
                text, look = next(runs)
                continue
            part = text[: end - position]
            row.append(Run(part, look))
            text = text[len(part) :]
            position += len(part)
        yield tuple(row)


def wrap_text(text: str, width: int, look: int = 0) -> list[Line]:
    """Printable text of any number of lines as rows of at most ``width`` cells."""
    rows: list[Line] = []
    for paragraph in text.replace("\t", TAB).split("\n"):
        start = 0
        for end in row_ends(paragraph, width):
            rows.append(plain_line(paragraph[start:end].rstrip(" "), look))
            start = end
    return rows
