"""The text under the template editor: kept exactly, shown safely, wrapped fast.

Textual's own document splits at every Unicode line break and joins with one; a prompt has to come back as it was, so
lines end at line feeds only. Beside each line stands the one that is shown: of the same length, with a stand-in of one
cell for every character that a terminal could obey or not show. Wrapping works on the shown lines and handles one line
of a megabyte in milliseconds.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from itertools import pairwise

from rich.cells import cell_len, get_character_cell_size
from textual._cells import cell_width_to_column_index
from textual.document._document import Document, EditResult, Location
from textual.document._wrapped_document import WrappedDocument
from textual.expand_tabs import expand_tabs_inline, get_tab_widths
from textual.geometry import Offset, Size, clamp

from ledger_tui.domain.text import MAX_COMBINING

STAND_IN = "\ufffd"
"""Shown for a character that has no picture of its own here."""
JOINER_STAND_IN = "·"
"""Shown for emoji joiners and variation selectors, whose width terminals disagree about."""
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Printable ASCII, tab, Latin, Greek, Cyrillic, common signs, CJK, kana and hangul: shown as they are.
_HARMLESS = re.compile(
    "[\t\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0400-\u0481\u048a-\u052f\u2010-\u2027\u2030-\u205e"
    "\u20a0-\u20bf\u2190-\u23ff\u2500-\u27bf\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]*\\Z"
)


def shown_line(line: str) -> str:
    """``line`` as it may reach the terminal: as many characters, tabs kept, each stand-in one cell wide."""
    if _HARMLESS.match(line):
        return line
    out: list[str] = []
    marks = 0
    for char in line:
        point = ord(char)
        category = unicodedata.category(char)
        if char == "\t" or 0x20 <= point < 0x7F:
            marks = 0
        elif point < 0x20 or point == 0x7F:
            char, marks = chr(0x2421 if point == 0x7F else 0x2400 + point), 0
        elif char == "\u200d" or 0xFE00 <= point <= 0xFE0F:
            char, marks = JOINER_STAND_IN, 0
        elif category in _HIDDEN:
            char, marks = STAND_IN, 0
        elif category in ("Mn", "Me"):
            marks += 1
            char = char if marks <= MAX_COMBINING else STAND_IN
        else:
            marks = 0
        out.append(char)
    return "".join(out)


class TemplateDocument(Document):
    """A text as lines that end at ``\\n``, or at ``\\r\\n`` when all of them do; nothing else ends a line."""

    def __init__(self, text: str) -> None:
        super().__init__("")
        windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
        self._newline = "\r\n" if windows else "\n"
        self._lines = text.split(self._newline)
        self.shown: list[str] = [shown_line(line) for line in self._lines]
        """The lines as they are shown, each as long as its original."""

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        """Replace the text between two locations, as Textual's document does, at our own line ends."""
        (top_row, top_column), (bottom_row, bottom_column) = sorted((start, end))
        replaced = self.get_text_range((top_row, top_column), (bottom_row, bottom_column))
        lines = self._lines
        before = lines[top_row][:top_column] if top_row < len(lines) else ""
        after = lines[bottom_row][bottom_column:] if bottom_row < len(lines) else ""
        inserted = text.replace("\r\n", "\n").split("\n") if self._newline == "\r\n" else text.split("\n")
        inserted[0] = before + inserted[0]
        end_column = len(inserted[-1])
        inserted[-1] += after
        lines[top_row : bottom_row + 1] = inserted
        self.shown[top_row : bottom_row + 1] = [shown_line(line) for line in inserted]
        return EditResult((top_row + len(inserted) - 1, end_column), replaced)

    def get_text_range(self, start: Location, end: Location) -> str:
        """The text between two locations."""
        (top_row, top_column), (bottom_row, bottom_column) = sorted((start, end))
        lines = self._lines[top_row : bottom_row + 1]
        if not lines:
            return ""
        if top_row == bottom_row:
            return lines[0][top_column:bottom_column]
        if bottom_row < len(self._lines):
            lines[-1] = lines[-1][:bottom_column]
        lines[0] = lines[0][top_column:]
        return self._newline.join(lines)

    def get_size(self, tab_width: int) -> Size:
        """Cells of the widest shown line, and the number of lines."""
        widest = max((_width(line, tab_width) for line in self.shown), default=0)
        return Size(widest, len(self.shown))


def _width(line: str, tab_width: int) -> int:
    if line.isascii():
        return len(line.expandtabs(tab_width)) if "\t" in line else len(line)
    return cell_len(expand_tabs_inline(line, tab_width))


def wrap_offsets(line: str, width: int, tab_width: int) -> list[int]:
    """The columns at which a shown line breaks so that each part fits ``width`` cells; blanks may hang over by one."""
    if width <= 0 or (len(line) * 2 <= width and "\t" not in line):
        return []
    simple = line.isascii() and "\t" not in line
    offsets: list[int] = []
    at, end = 0, len(line)
    while True:
        fits = at + width if simple else _fitting(line, at, width, tab_width)
        if fits >= end:
            return offsets
        space = line.rfind(" ", at, fits + 1)
        at = space + 1 if space > at else max(fits, at + 1)
        if at >= end:
            return offsets
        offsets.append(at)


def _fitting(line: str, at: int, width: int, tab_width: int) -> int:
    """The column up to which the part that begins at ``at`` fits ``width`` cells."""
    part = line[at : at + width]
    if "\t" not in part and cell_len(part) == len(part):
        return at + width
    used = 0
    for column in range(at, len(line)):
        char = line[column]
        used += tab_width - used % tab_width if char == "\t" else get_character_cell_size(char)
        if used > width:
            return column
    return len(line)


class TemplateWrap(WrappedDocument):
    """The shown lines of a TemplateDocument, wrapped; an edit wraps its own lines only."""

    document: TemplateDocument

    def wrap(self, width: int, tab_width: int | None = None) -> None:
        """Wrap all lines at ``width`` cells, 0 for not at all."""
        self._width = width
        self._tab_width = tab_width or self._tab_width
        offsets, rows, places, tabs = self._wrapped(0, self.document.shown, 0)
        self._wrap_offsets, self._offset_to_line_info = offsets, rows
        self._line_index_to_offsets, self._tab_width_cache = places, tabs

    def _wrapped(
        self, first: int, lines: list[str], y: int
    ) -> tuple[list[list[int]], list[tuple[int, int]], list[list[int]], list[list[int]]]:
        """Break columns, (line, part) of each row, rows of each line, tab widths: of ``lines`` from row ``y`` on."""
        all_offsets: list[list[int]] = []
        rows: list[tuple[int, int]] = []
        places: list[list[int]] = []
        tabs: list[list[int]] = []
        width, tab_width = self._width, self._tab_width
        for index, line in enumerate(lines, first):
            offsets = wrap_offsets(line, width, tab_width) if width else []
            count = len(offsets) + 1
            all_offsets.append(offsets)
            rows.extend((index, part) for part in range(count))
            places.append(list(range(y, y + count)))
            tabs.append([size for _, size in get_tab_widths(line, tab_width)] if "\t" in line else [])
            y += count
        return all_offsets, rows, places, tabs

    def wrap_range(self, start: Location, old_end: Location, new_end: Location) -> None:
        """Take in an edit that has been made: rows ``start`` to ``old_end`` became ``start`` to ``new_end``."""
        last = len(self._line_index_to_offsets) - 1
        newest = self.document.line_count - 1
        top = clamp(start[0], 0, min(last, newest))
        old_bottom = max(top, clamp(old_end[0], 0, last))
        new_bottom = max(top, clamp(new_end[0], 0, newest))
        first_y = self._line_index_to_offsets[top][0]
        last_y = self._line_index_to_offsets[old_bottom][-1]
        made = self._wrapped(top, self.document.shown[top : new_bottom + 1], first_y)
        offsets, rows, places, tabs = made
        y_shift = len(rows) - (last_y - first_y + 1)
        line_shift = new_bottom - old_bottom
        self._offset_to_line_info[first_y : last_y + 1] = rows
        self._line_index_to_offsets[top : old_bottom + 1] = places
        self._tab_width_cache[top : old_bottom + 1] = tabs
        self._wrap_offsets[top : old_bottom + 1] = offsets
        if line_shift:
            below = first_y + len(rows)
            self._offset_to_line_info[below:] = [
                (line + line_shift, part) for line, part in self._offset_to_line_info[below:]
            ]
        if y_shift:
            below = new_bottom + 1
            self._line_index_to_offsets[below:] = [
                [y + y_shift for y in ys] for ys in self._line_index_to_offsets[below:]
            ]

    @property
    def width(self) -> int:
        """Cells at which lines were wrapped, 0 for not at all."""
        return self._width

    @property
    def height(self) -> int:
        """Rows in all."""
        return len(self._offset_to_line_info)

    def row(self, y: int) -> tuple[int, int, int, int | None] | None:
        """(line, part, first column, end column or None at the line's end) of row ``y``; None below the text."""
        if not 0 <= y < len(self._offset_to_line_info):
            return None
        line, part = self._offset_to_line_info[y]
        offsets = self._wrap_offsets[line]
        return line, part, offsets[part - 1] if part else 0, offsets[part] if part < len(offsets) else None

    def rows_of(self, line: int) -> tuple[int, int]:
        """First and last row of a line."""
        ys = self._line_index_to_offsets[line]
        return ys[0], ys[-1]

    def get_sections(self, line_index: int) -> list[str]:
        """The parts of a line as shown, from top to bottom."""
        line = self.document.shown[line_index]
        cuts = [0, *self._wrap_offsets[line_index], len(line)]
        return [line[a:b] for a, b in pairwise(cuts)]

    def location_to_offset(self, location: Location) -> Offset:
        """The cell, counted from the top left of the wrapped text, of a location."""
        row = clamp(location[0], 0, len(self._line_index_to_offsets) - 1)
        offsets = self._wrap_offsets[row]
        part = bisect_right(offsets, location[1])
        before = self.document.shown[row][offsets[part - 1] if part else 0 : location[1]]
        return Offset(_width(before, self._tab_width), self._line_index_to_offsets[row][part])

    def offset_to_location(self, offset: Offset) -> Location:
        """The location of a cell; below the text it is on the last row."""
        y = clamp(offset[1], 0, len(self._offset_to_line_info) - 1)
        line, part = self._offset_to_line_info[y]
        return line, self.get_target_document_column(line, max(0, offset[0]), part)

    def get_target_document_column(self, line_index: int, x_offset: int, y_offset: int) -> int:
        """The column of a cell of one part of a line; the end of a part that goes on is its last character."""
        offsets = self._wrap_offsets[line_index]
        part = y_offset if y_offset >= 0 else len(offsets) + 1 + y_offset
        start = offsets[part - 1] if part else 0
        line = self.document.shown[line_index]
        end = offsets[part] if part < len(offsets) else len(line)
        column = start + cell_width_to_column_index(line[start:end], x_offset, self._tab_width)
        return min(column, end - 1) if part < len(offsets) else column
