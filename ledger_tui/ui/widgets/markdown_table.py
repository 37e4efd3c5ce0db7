"""The table of a Markdown text: columns as wide as their cells where there is room, wrapped where there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger_tui.ui.widgets import lines
from ledger_tui.ui.widgets.lines import BLANK, Line, Run, line_width, plain_line, wrap

_BETWEEN = Run(" │ ", lines.RULE)


@dataclass(slots=True)
class Table:
    """Rows of cells; the first row is the heading."""

    aligns: list[str] = field(default_factory=list)
    """``left``, ``center``, ``right`` or empty, a column each."""
    rows: list[list[Line]] = field(default_factory=list)

    def layout(self, room: int) -> list[Line]:
        """The table as rows of at most ``room`` cells where that is possible at all (eight cells a column)."""
        count = len(self.aligns)
        widths = [max([3, *(line_width(row[n]) for row in self.rows if n < len(row))]) for n in range(count)]
        _shrink(widths, room - 3 * (count - 1))
        result: list[Line] = []
        for number, cells in enumerate(self.rows):
            result.extend(self._row(cells, widths, heading=number == 0))
            if number == 0:
                rule = "─┼─".join("─" * width for width in widths)
                result.append(plain_line(rule, lines.RULE))
        return result

    def _row(self, cells: list[Line], widths: list[int], *, heading: bool) -> list[Line]:
        columns = []
        for n, width in enumerate(widths):
            cell = cells[n] if n < len(cells) else BLANK
            if heading:
                cell = tuple(Run(text, look | lines.STRONG) for text, look in cell)
            columns.append(wrap(cell, width))
        result: list[Line] = []
        for y in range(max(len(column) for column in columns)):
            row: list[Run] = []
            for n, width in enumerate(widths):
                if n:
                    row.append(_BETWEEN)
                row.extend(_aligned(columns[n][y] if y < len(columns[n]) else BLANK, width, self.aligns[n]))
            result.append(tuple(row))
        return result


def _shrink(widths: list[int], room: int) -> None:
    """Take cells from the widest columns until all fit, but leave eight to each."""
    while sum(widths) > room:
        widest = max(range(len(widths)), key=widths.__getitem__)
        second = max([8, *(width for n, width in enumerate(widths) if n != widest and width < widths[widest])])
        if widths[widest] <= 8:
            return
        widths[widest] = max(second, widths[widest] - (sum(widths) - room))
        if widths[widest] == second and sum(widths) > room and second > 8:
            widths[widest] -= 1


def _aligned(cell: Line, width: int, align: str) -> Line:
    blank = max(0, width - line_width(cell))
    before = blank if align == "right" else blank // 2 if align == "center" else 0
    parts = (Run(" " * before), *cell, Run(" " * (blank - before)))
    return tuple(run for run in parts if run.text)
