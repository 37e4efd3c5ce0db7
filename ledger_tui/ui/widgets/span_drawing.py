"""One span as a row: guides, sign, kind, name, time bar, and the sums of its subtree."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from ledger_tui.domain import measure, money
from ledger_tui.domain.text import one_line
from ledger_tui.domain.trace_tree import SpanTree
from ledger_tui.domain.values import SpanRow
from ledger_tui.ui.widgets.row_view import Runs, fit
from ledger_tui.ui.widgets.span_bar import STATUS_LOOKS, bar, glyph, kind_look
from ledger_tui.ui.widgets.span_columns import Columns, columns_for
from ledger_tui.ui.widgets.span_lines import SpanLines

MAX_GUIDES = 12
"""Levels that are drawn as guides; a deeper span says its depth in front."""
DEEP_GUIDES = 4
"""Levels that a deeper span still shows."""


@dataclass(frozen=True, slots=True)
class SpanDrawing:
    """Draws the lines of one tree at one moment."""

    lines: SpanLines
    now_us: int

    @property
    def tree(self) -> SpanTree:
        """The tree whose lines are drawn."""
        return self.lines.tree

    @property
    def axis_us(self) -> int:
        """Length of the time axis."""
        return max(1, self.tree.end_us(self.now_us) - self.tree.start_us)

    def columns(self, width: int) -> Columns:
        """The columns in ``width`` cells: costs take more room when parts of them are unknown."""
        return columns_for(width, 11 if self.tree.total_unpriced else 8)

    def heading(self, columns: Columns) -> str:
        """Names of the columns."""
        axis = measure.duration(self.axis_us) if len(self.tree) else ""
        scale = "0" + axis.rjust(columns.bar - 1) if columns.bar > 8 and axis else ""
        return columns.join("Span", scale, "Time", "Tokens", "Cost")

    def row(self, line: int, columns: Columns) -> Runs:
        """The span on a line."""
        span = self.tree.row(line)
        runs = self._name(line, span, columns.name)
        if columns.bar:
            runs += self._bar(span, columns.bar)
        if columns.time:
            runs.append((" " + fit(self._duration(span), columns.time, right=True), ""))
        if columns.tokens:
            tokens = self.tree.tokens(line)
            runs.append((" " + fit(measure.count(tokens) if tokens else "", columns.tokens, right=True), "muted"))
        if columns.cost:
            runs.append((" " + fit(self._cost(line), columns.cost, right=True), ""))
        return runs

    def guides(self, line: int, width: int) -> str:
        """What leads from the parents to a span; a deep one starts with its depth."""
        tree = self.tree
        depth = tree.depths[line]
        levels = min(depth, MAX_GUIDES, max(1, width // 5))
        if depth > levels:
            levels = min(levels, DEEP_GUIDES)
        parts: list[str] = []
        here = line
        for level in range(levels):
            end = tree.ends[here]
            more = end < len(tree) and tree.depths[end] == tree.depths[here]
            branch = ("├─" if more else "└─") if level == 0 else ("│ " if more else "  ")
            parts.append(branch)
            here = tree.parents[here]
        deep = f"{depth}⋯" if depth > levels else ""
        return deep + "".join(reversed(parts))

    def _name(self, line: int, span: SpanRow, width: int) -> Runs:
        below, folded = self.tree.children(line), self.lines.is_folded(line)
        branch = "─ " if self.tree.depths[line] else "  "
        sign = ("▸ " if folded else "▾ ") if below else branch
        runs: Runs = [
            (self.guides(line, width) + sign, "muted"),
            (glyph(span.status) + " ", STATUS_LOOKS.get(span.status, "warn")),
            ((one_line(span.kind, 12) or "span") + " ", kind_look(span.kind)),
            (one_line(span.name or span.span_id, 120), "found" if self.lines.matches_search(line) else ""),
        ]
        extra: Runs = [(" ⚠", "warn")] if self.tree.mark(line) else []
        failed = self.tree.errors(line) - (span.status == "failed")
        if failed:
            extra.append((f" ✗{failed}", "bad"))
        if folded:
            extra.append((f" +{below}", "muted"))
        runs = cut(runs, width - _cells(extra)) + extra
        left = width - _cells(runs)
        if span.model and span.model != span.name and left > 4:
            runs.append((" " + fit(one_line(span.model, 60), left - 1), "muted"))
        elif left > 0:
            runs.append((" " * left, ""))
        return runs

    def _bar(self, span: SpanRow, width: int) -> Runs:
        start = span.started_us - self.tree.start_us
        lasted = self.now_us - span.started_us if span.duration_us is None else span.duration_us
        status = "running" if span.duration_us is None else span.status
        end = start + max(0, lasted)
        gap, drawn = bar(status, start / self.axis_us, end / self.axis_us, width)
        look = "bad" if status == "failed" else "warn" if status == "running" else kind_look(span.kind)
        return [(" " * (gap + 1), ""), (drawn, look), (" " * (width - gap - len(drawn)), "")]

    def _duration(self, span: SpanRow) -> str:
        if span.duration_us is None:
            return measure.duration(max(0, self.now_us - span.started_us)) + "…"
        return measure.duration(span.duration_us)

    def _cost(self, line: int) -> str:
        cost, unpriced = self.tree.cost(line), self.tree.unpriced(line)
        return money.show(cost, unpriced) if cost is not None or unpriced else ""


def cut(runs: Runs, width: int) -> Runs:
    """The first ``width`` cells of a row, with an ellipsis where it was cut."""
    kept: Runs = []
    for text, look in runs:
        cells = cell_len(text)
        if cells > width:
            if width > 0:
                kept.append((fit(text, width), look))
            break
        kept.append((text, look))
        width -= cells
    return kept


def _cells(runs: Runs) -> int:
    return sum(cell_len(text) for text, _ in runs)
