"""Traces newest first, drawn by rows and grown page by page; new ones arrive without moving the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ledger_tui.domain import clock, measure, money
from ledger_tui.domain.text import one_line
from ledger_tui.domain.trace_tree import SKEW_US
from ledger_tui.domain.values import TraceRow
from ledger_tui.ui.widgets.row_view import RowView, Runs, fit
from ledger_tui.ui.widgets.span_bar import STATUS_LOOKS, glyph

_AGE_S = 5.0
NEAR_END = 30
"""So many rows before the last, more are asked for."""


_WANTED = (
    ("started", 4, 30),
    ("cost", 11, 38),
    ("duration", 7, 46),
    ("errors", 4, 52),
    ("tokens", 6, 60),
    ("spans", 6, 70),
    ("environment", 8, 84),
)
"""Column, its width, and the width of a list that has room for it."""


class TraceColumns(NamedTuple):
    """Widths in cells, 0 for a column that is left out."""

    name: int
    started: int
    duration: int
    spans: int
    errors: int
    tokens: int
    cost: int
    environment: int


@lru_cache(maxsize=64)
def trace_columns(width: int) -> TraceColumns:
    """Columns of a list ``width`` cells wide: age and cost first, then duration, errors, tokens, spans, environment."""
    sizes = {name: size for name, size, least in _WANTED if width >= least}
    name = width - 2 - sum(size + 1 for size in sizes.values())
    return TraceColumns(max(0, name), **{field: sizes.get(field, 0) for field in TraceColumns._fields[1:]})


class TraceList(RowView):
    """Shows traces; posts ``Moved`` and ``Chosen`` with the row, and ``NearEnd`` when more should be loaded."""

    HELP = """
# Traces

Newest first: how each one ended (✓ ✗ ⊘, ◌ while it runs), its name, how long ago it started, how long it took, its
steps, failures, tokens and cost. `+?` after a cost: part of it has no known price. `⚠` before a name: it lies in the future,
the clock of its program was wrong. New traces appear by themselves and the cursor stays where it is.

- **enter** or a double click goes to the tree of the trace
- **/** filters
"""

    class NearEnd(RowView.RowMessage):
        """The cursor or the window comes near the last row that is loaded."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.traces: list[TraceRow] = []
        """The rows, newest first."""
        self._asked_at = -1

    @property
    def row_count(self) -> int:
        """How many traces are loaded."""
        return len(self.traces)

    @property
    def trace(self) -> TraceRow | None:
        """The trace under the cursor."""
        return self.traces[self.cursor] if self.traces else None

    def show(self, traces: Sequence[TraceRow]) -> None:
        """Show these from the top."""
        self.traces = list(traces)
        self._asked_at = -1
        self.rows_changed(0)
        self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def add(self, traces: Sequence[TraceRow]) -> None:
        """Put older ones below."""
        known = {trace.key for trace in self.traces}
        self.traces.extend(trace for trace in traces if trace.key not in known)
        self.rows_changed()

    def renew(self, newest: Sequence[TraceRow], complete: bool) -> None:
        """Take ``newest`` for the top of the list; ``complete`` says that nothing is below them.

        Cursor and window stay on the traces they are on; only a window at the very top shows what is new.
        """
        here, top = self.trace, self.scroll_offset.y
        anchor = self.traces[top] if top and top < len(self.traces) else None
        rows = list(newest)
        if rows and not complete:
            oldest = (rows[-1].started_us, rows[-1].key)
            rows += [trace for trace in self.traces if (trace.started_us, trace.key) < oldest]
        places = {trace.key: row for row, trace in enumerate(rows)}
        self.traces = rows
        self._asked_at = -1
        self.rows_changed(places.get(here.key, self.cursor) if here is not None else 0)
        if anchor is not None:
            self.scroll_to(y=places.get(anchor.key, top), animate=False, force=True, immediate=True)

    def go_to(self, trace_id: str) -> bool:
        """Put the cursor on a trace without a message; False when it is not loaded."""
        for row, trace in enumerate(self.traces):
            if trace.trace_id == trace_id:
                self.move_cursor(row, tell=False)
                return True
        return False

    def on_mount(self) -> None:
        """Ages pass."""
        self.set_interval(_AGE_S, self.redraw)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more when the window comes near the end."""
        super().watch_scroll_y(old_value, new_value)
        self._ask(round(new_value) + self.size.height)

    def move_cursor(self, row: int, *, tell: bool = True) -> None:
        """Move; ask for more near the end."""
        super().move_cursor(row, tell=tell)
        self._ask(self.cursor)

    def _ask(self, row: int) -> None:
        count = len(self.traces)
        if count and row >= count - NEAR_END and self._asked_at != count:
            self._asked_at = count
            self.post_message(self.NearEnd(self, row))

    def heading(self, width: int) -> str:
        """Names of the columns that there is room for."""
        titles = ("Age", "Time", "Spans", "Err", "Tokens", "Cost", "Env")
        columns = trace_columns(width - 1)
        parts = [fit("Trace", columns.name)]
        parts += [
            fit(title, size, right=title != "Env") for title, size in zip(titles, columns[1:], strict=True) if size
        ]
        return "   " + " ".join(parts)

    def draw(self, row: int, width: int) -> Runs:
        """One trace."""
        trace = self.traces[row]
        columns = trace_columns(width)
        badge = "⚠ " if trace.ended_us > clock.seen_from_us() + SKEW_US else ""
        runs: Runs = [
            (glyph(trace.status) + " ", STATUS_LOOKS.get(trace.status, "warn")),
            (badge, "warn"),
            (fit(one_line(trace.name or trace.trace_id, 120), columns.name - len(badge)), ""),
        ]
        running = trace.status in ("running", "queued")
        unpriced = trace.unpriced_count
        cost = money.show(trace.known_cost_nusd, unpriced) if trace.priced_count or unpriced else ""
        cells = (
            (measure.age(trace.started_us, clock.seen_from_us()), "muted"),
            ("…" if running else measure.duration(trace.duration_us), "muted" if running else ""),
            (measure.count(trace.span_count), "muted"),
            (f"✗{measure.count(trace.error_count)}" if trace.error_count else "", "bad"),
            (measure.count(trace.total_tokens) if trace.total_tokens else "", "muted"),
            (cost, ""),
        )
        for (text, look), size in zip(cells, columns[1:7], strict=True):
            if size:
                runs.append((" " + fit(text, size, right=True), look))
        if columns.environment:
            runs.append((" " + fit(one_line(trace.environment, 40), columns.environment), "muted"))
        return runs
