"""Costs: what was spent, by day and by whatever calls have in common. Every sum says how many calls have no price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Button, Static

from ledger_tui.domain.selection import Grouping
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.cost_subject import CostSubject
from ledger_tui.ui.export_subject import ExportSubject
from ledger_tui.ui.places.costs import narrowing, periods, showing
from ledger_tui.ui.places.costs.code import code_of, table_text
from ledger_tui.ui.places.costs.cost_table import CostTable
from ledger_tui.ui.places.costs.detail import CostDetail
from ledger_tui.ui.places.costs.exporting import cost_subjects
from ledger_tui.ui.places.costs.filter_line import FilterLine
from ledger_tui.ui.places.costs.painting import CostPainting, nothing
from ledger_tui.ui.places.costs.plot_drawing import METRICS
from ledger_tui.ui.places.costs.spend_plot import SpendPlot
from ledger_tui.ui.widgets.tab_row import TabRow

Pane = Literal["plot", "days", "detail"]
GROUPS: tuple[Grouping, ...] = ("model", "provider", "prompt", "version", "environment", "user", "session")
_PANE_CELLS = 5
"""Border, padding and scroll bar of a pane."""


class CostsPlace(CostPainting):
    """A plot and a table of days, a table of groups, and the numbers of what the cursor is on.

    | Key(s) | Description |
    | :- | :- |
    | enter, double click | The traces behind a row or a day. |
    | [, ], d | A period before or after in the line; choose one, or write days. |
    | g, G | Group by the next, the previous. |
    | m, M | The next, the previous figure of the plot. |
    | s, S | Sort by the next column; turn the order round. |
    | t | Plot, days or detail, where they share room. |
    | /, n, v | Filter; only the row under the cursor; choose an environment. |
    | p, b, w | Price what has no price; the price book; the same calls at other prices. |
    | $, r | The receipt of the cost under the cursor; read again. |
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (150, "-very-wide")]
    BINDINGS = [
        Binding("left_square_bracket", "period(-1)", "Shorter", show=False, id="costs.shorter", tooltip="The shorter period"),
        Binding("right_square_bracket", "period(1)", "Longer", show=False, id="costs.longer", tooltip="The longer period"),
        Binding("s", "sort(1)", "Sort", id="costs.sort", tooltip="Sort the table by the next column"),
        Binding("S", "turn", "Turn", show=False, id="costs.turn", tooltip="Turn the order of the table round"),
        Binding("t", "pane", "View", id="costs.pane", tooltip="Plot, table of days or detail"),
        Binding("m", "metric(1)", "Figure", id="costs.metric", tooltip="Show another figure of the days in the plot"),
        Binding("M", "metric(-1)", "Figure before", show=False, id="costs.metric_before", tooltip="The figure before it"),
    ]  # fmt: skip

    def compose_place(self) -> ComposeResult:
        """Period and sums, plot, days and detail, then the groups."""
        with Horizontal(id="period-line"):
            yield TabRow(*periods.NAMES, id="period")
            for name, label, key in (
                ("price_book", "Prices", "b"),
                ("what_if", "What if", "w"),
                ("budgets", "Budgets", "B"),
            ):
                yield Button(label, name=name, classes="lead", compact=True, tooltip=f"{label} ({key})")
            yield Button("env all", id="environment", compact=True, tooltip="Choose an environment (v)")
        with Horizontal(id="totals-line"):
            yield Static("", id="totals", markup=False)
            yield Static("", id="span", markup=False)
        yield FilterLine(id="filter")
        with Vertical(id="costs-body"):
            with Horizontal(id="costs-top"):
                with Vertical(classes="pane", id="plot-pane"):
                    yield SpendPlot(id="plot")
                with Vertical(classes="pane", id="days-pane") as pane:
                    pane.border_title = "Days"
                    yield CostTable(id="day-table")
            with Container(id="costs-bottom"):
                with Vertical(classes="pane", id="group-pane"):
                    yield TabRow(*(name.title() for name in GROUPS), id="group")
                    yield CostTable(id="group-table")
                with Vertical(classes="pane", id="detail-pane"):
                    yield CostDetail(id="detail")
        yield Static(nothing(), id="costs-empty", classes="empty")
        yield Static("", id="costs-problem", classes="empty", markup=False)

    def on_mount(self) -> None:
        """Read the usual period."""
        self.begin()
        self.query_one("#group-table").focus()

    @on(events.Resize)
    def _resized(self) -> None:
        """Names and columns are cut for a width."""
        self.call_after_refresh(self.show_look)

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, SpendPlot | CostTable):
            self.at_day = event.widget.id != "group-table"
            self.show_detail()

    @on(CostTable.RowHighlighted)
    def _moved(self, event: CostTable.RowHighlighted) -> None:
        table = event.data_table
        if table.id == "day-table" and table.has_focus and event.row_key.value:
            self.query_one(SpendPlot).go_to(showing.day_of(event.row_key.value))
            self.show_plot()
        self.show_detail()

    @on(SpendPlot.Moved)
    def _bar_moved(self) -> None:
        self.show_plot()
        self.show_detail()

    # Looking at it another way

    def action_pane(self) -> None:
        """The next of plot, days and detail, as far as they do not all have room."""
        names: tuple[str, ...] = ("detail", "days")
        if not self.has_class("-very-wide"):
            names = ("plot", "days", "detail") if self.has_class("-narrow") else ("days", "detail")
        now = next((name for name in names if self.has_class(f"-at-{name}")), names[0])
        then = names[(names.index(now) + 1) % len(names)]
        for name in ("plot", "days", "detail"):
            self.set_class(name == then, f"-at-{name}")
        self.call_after_refresh(self._pane_shown)

    def _pane_shown(self) -> None:
        self.show_look()
        if self.focused is None or self.focused.region.area == 0:
            self.query_one("#group-table").focus()

    def action_metric(self, step: int) -> None:
        """The next figure of the plot."""
        self.metric = (self.metric + step) % len(METRICS)
        if self.look is not None:
            self.show_plot()

    def action_sort(self, step: int) -> None:
        """Sort the focused table by the next column."""
        table = self._table()
        if table.keys:
            key, _ = self.sorted_by[f"#{table.id}"]
            at = table.keys.index(key) if key in table.keys else 0
            self._sort(table, table.keys[(at + step) % len(table.keys)], False)

    def action_turn(self) -> None:
        """Turn the order round."""
        table = self._table()
        key, turned = self.sorted_by[f"#{table.id}"]
        self._sort(table, key, not turned)

    @on(CostTable.Sorted)
    def _heading_clicked(self, event: CostTable.Sorted) -> None:
        key, turned = self.sorted_by[f"#{event.table.id}"]
        self._sort(event.table, event.key, not turned if key == event.key else False)

    def _sort(self, table: CostTable, key: str, turned: bool) -> None:
        self.sorted_by[f"#{table.id}"] = key, turned
        if table.id == "group-table":
            self.sort_key_chosen(key)
            self.show_groups()
        else:
            self.show_days()

    def _table(self) -> CostTable:
        return self.query_one("#day-table" if self.query_one("#day-table").has_focus else "#group-table", CostTable)

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Groupings, periods and figures by name."""
        for by in GROUPS:
            yield f"Costs by {by}", f"Group what was spent by {by}", partial(self.choose, by=by)
        for name in periods.NAMES[:-1]:
            yield f"Costs: {name}", "Look at this period", partial(self.choose, period=name)

    def code_subject(self) -> CodeSubject | None:
        """The table from a program and from a shell."""
        return None if self.look is None else code_of(self.look.question)

    def copy_source(self) -> str | None:
        """The table under the cursor as tab-separated text."""
        if self.look is None:
            return None
        return table_text("day", self.look.days) if self.at_day else table_text(self.wish.by, self.groups_shown())

    def export_subjects(self) -> Sequence[ExportSubject]:
        """The tables, and the days in full detail."""
        return () if self.look is None else cost_subjects(self.look, self.groups_shown(), self.at_day)

    def cost_subject(self) -> CostSubject | None:
        """The group or the day under the cursor."""
        return self.subject_of(self.current())

    def narrowed_by(self) -> str:
        """The terms of the row under the cursor."""
        row = self.current()
        return "" if row is None or self.at_day else narrowing.term(self.wish.by, row.key)
