"""The showing half of Costs: puts what was read into the widgets."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Button, Static

from ledger_tui.domain import money
from ledger_tui.domain.call_stats import CallStats
from ledger_tui.errors import InputError, LedgerError, NotFound
from ledger_tui.ui.places.costs import periods, showing
from ledger_tui.ui.places.costs.columns import NAME, in_order
from ledger_tui.ui.places.costs.cost_table import CostTable
from ledger_tui.ui.places.costs.deeds import CostDeeds
from ledger_tui.ui.places.costs.detail import CostDetail, title, words
from ledger_tui.ui.places.costs.filter_line import FilterLine
from ledger_tui.ui.places.costs.plot_drawing import METRICS
from ledger_tui.ui.places.costs.reading import merged
from ledger_tui.ui.places.costs.spend_plot import SpendPlot
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.tab_row import TabRow

_PANE_CELLS = 5
"""Border, padding and scroll bar of a pane."""
DAYS_WIDTH, DETAIL_WIDTH = 62, 58
"""Of their panes where they stand beside something, as the style sheet has it."""
_WIDE = 110
SHOWN, MOST_DAYS = 100, 400
"""So many groups stand in the table; those past them are found by sorting, words and terms."""


class CostPainting(CostDeeds):
    """Shows plot, tables, sums and detail."""

    def __init__(self) -> None:
        super().__init__()
        self.metric = 0
        self.sorted_by: dict[str, tuple[str, bool]] = {"#day-table": (NAME, True), "#group-table": ("cost", False)}
        """Column and whether it is turned round, by table."""
        self.at_day = False
        """Whether the cursor that counts is on a day."""

    def show_wish(self) -> None:
        """The chosen period, grouping and environment."""
        self.query_one("#period", TabRow).chosen = self.wish.period
        self.query_one("#group", TabRow).chosen = self.wish.by.title()
        environment = self.wish.environment
        label = "all" if environment is None else environment or "none"
        button = self.query_one("#environment", Button)
        button.label = title(f"env {label}", 24)
        button.refresh(layout=True)
        self.query_one(FilterLine).say("")

    def show_mistake(self, error: InputError | NotFound) -> None:
        """Under the filter, which is where such a choice is made."""
        line = self.query_one(FilterLine)
        line.add_class("-asked")
        line.say(f"✗ {error}. {error.remedy or ''}")

    def show_problem(self, error: Exception) -> None:
        """Instead of the tables."""
        told = (
            f"{error.title}\n\n{error.explained}"
            if isinstance(error, LedgerError)
            else f"{type(error).__name__}: {error}"
        )
        self.query_one("#costs-problem", Static).update(
            Content.assemble(content(f"✗ {told}\n\n"), ("r", "bold $primary"), "  try again")
        )
        self.add_class("-problem")

    def show_look(self) -> None:
        """Plot, tables and sums."""
        look = self.look
        if look is None:
            return
        self.remove_class("-problem")
        self.set_class(look.is_empty, "-empty")
        self.query_one("#span", Static).update(
            periods.words(periods.Days(look.question.selection.since, look.question.selection.until), look.today)
        )
        spent = self.query_one("#totals", Static)
        spent.update(
            showing.totals_line(
                showing.totals_of(look, self.more), self.app.size.width - (50 if self.app.size.width >= _WIDE else 4)
            )
        )
        self.show_plot()
        self.show_days()
        self.show_groups()
        self.show_detail()

    def show_more(self) -> None:
        """What stands beside it."""
        self.show_look()
        self.query_one("#costs-empty", Static).update(nothing(self.more.ever))

    def show_plot(self) -> None:
        assert self.look is not None
        plot, metric, pane = self.query_one(SpendPlot), METRICS[self.metric], self.query_one("#plot-pane")
        budget = self.more.day_budget_nusd
        plot.show(self.look.days, self.look.today, metric, budget, showing.spike_days(self.more.spikes))
        is_limited = budget is not None and metric.key == "cost"
        pane.border_title = f"{metric.title} by day (UTC)" + (
            f" · ── budget {money.show(budget)}" if is_limited else ""
        )
        told = plot.words()
        if plot.plot is not None and plot.plot.budget_is_above:
            told += " · the day's budget is far above"
        pane.border_subtitle = told

    def show_days(self) -> None:
        assert self.look is not None
        table = self.query_one("#day-table", CostTable)
        width = (self.app.size.width if self.has_class("-narrow") else DAYS_WIDTH) - _PANE_CELLS
        columns = showing.day_columns(self.look, width)
        by, turned = self.sorted_by["#day-table"]
        total = showing.beside(self.look, self.more)
        days = in_order(showing.days_shown(self.look), by, reverse=turned, beside=total)[:MOST_DAYS]
        table.show(
            "day", columns, showing.day_rows(self.look, days, columns, showing.spike_days(self.more.spikes)), by, turned
        )

    def show_groups(self) -> None:
        assert self.look is not None
        fitting = self.groups_shown()
        rows = fitting[:SHOWN]
        is_beside = self.query_one("#detail-pane").display and not self.has_class("-narrow")
        width = self.app.size.width - _PANE_CELLS - DETAIL_WIDTH * is_beside
        columns = showing.shown_columns(self.look, self.more, rows, width)
        by, turned = self.sorted_by["#group-table"]
        cells = showing.group_rows(self.look, rows, columns, self.more, 200)
        room = showing.name_room(width, columns, [found[1:] for _, found in cells])
        cells = showing.group_rows(self.look, rows, columns, self.more, room)
        self.query_one("#group-table", CostTable).show(self.wish.by, columns, cells, by, turned)
        pane = self.query_one("#group-pane")
        pane.border_title = f"By {self.wish.by}"
        pane.border_subtitle = showing.count_words(self.look, len(rows), len(fitting), by)

    def groups_shown(self) -> list[CallStats]:
        """The groups that the filter leaves, in order."""
        if self.look is None:
            return []
        fits = self.wish.filter.fits
        rows = [row for row in self.look.groups.rows if fits(showing.name_of(self.wish.by, row))]
        key, turned = self.sorted_by["#group-table"]
        return in_order(rows, key, reverse=turned, beside=showing.beside(self.look, self.more))

    def current(self) -> CallStats | None:
        """The group or the day under the cursor of what has, or last had, focus."""
        if self.look is None:
            return None
        if not self.at_day:
            key = self.query_one("#group-table", CostTable).selected_key
            return next((row for row in self.look.groups.rows if showing.row_key(row) == key), None)
        bar = self.query_one(SpendPlot).current
        if self.query_one("#day-table").has_focus or bar is None:
            key = self.query_one("#day-table", CostTable).selected_key
            return next((row for row in self.look.days if showing.row_key(row) == key), None)
        return bar.days[0] if len(bar.days) == 1 else merged(bar.days)

    def show_detail(self) -> None:
        row, look, pane = self.current(), self.look, self.query_one("#detail-pane")
        if row is None or look is None:
            return
        by = "day" if self.at_day else self.wish.by
        found = showing.day_comparison(look, row) if self.at_day else showing.group_comparison(row, self.more)
        pane.border_title = title(row.label if self.at_day else showing.name_of(by, row))
        self.query_one(CostDetail).show(words(found, showing.spikes_of(self.more, by, row)))


def nothing(ever: bool = True) -> Content:
    told = (
        "No call to a model in this period." if ever else "No call to a model yet: what each one costs will stand here."
    )
    further = "  look further back" if ever else "  the prices that calls are charged by"
    return Content.assemble(
        told + "\n\n",
        ("f3", "bold $primary"),
        "  run a prompt in the playground      ",
        ("]" if ever else "b", "bold $primary"),
        further,
    )
