"""What is done in Costs: choosing what is looked at, and going on to traces, receipts and prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding
from textual.widgets import Button

from ledger_tui.domain.call_stats import CallStats
from ledger_tui.domain.selection import Selection
from ledger_tui.errors import LedgerError
from ledger_tui.ui.cost_subject import CostSubject
from ledger_tui.ui.dialogs.ask import Ask, Choose
from ledger_tui.ui.places.costs import narrowing, periods
from ledger_tui.ui.places.costs.browsing import CostBrowser
from ledger_tui.ui.places.costs.cost_table import CostTable
from ledger_tui.ui.places.costs.filter_line import FilterLine
from ledger_tui.ui.places.costs.spend_plot import SpendPlot
from ledger_tui.ui.widgets.tab_row import TabRow

if TYPE_CHECKING:
    from ledger_tui.domain.selection import Grouping
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.receipts import CostLine

_ALL = "\0all"


class CostDeeds(CostBrowser):
    """The keys that choose and lead on. A subclass says what the cursor is on."""

    PLACE = "costs"
    CSS_PATH = "costs.tcss"
    HELP = """
# Costs
What finished calls to models cost and how they went, in US dollars; days are UTC. Above: the days of the period, as a plot and as
a table. Below: the same calls by model, provider, prompt, version, environment, user or session (`g`). Each number opens the traces
behind it (`enter` or a double click), and `$` shows what a cost is made of.

A call whose model has no known price is **unpriced**: counted as such and never as $0, so a cost with `+?` is the least that was
spent. `p` gives such calls a price. Failed calls that were charged count too. `▲` and `▼` set a figure beside as many days before;
`⚠` marks what stands out from the two weeks before, with the numbers in the detail (`t`).
"""
    BINDINGS = [
        Binding("d", "choose_period", "Period", id="costs.period", tooltip="Choose a period, or write its days"),
        Binding("g", "group(1)", "Group", id="costs.group", tooltip="Group by the next: model, provider, prompt, ..."),
        Binding("G", "group(-1)", "Group before", show=False, id="costs.group_before", tooltip="Group by the one before"),
        Binding("slash", "filter", "Filter", id="costs.filter", tooltip="Limit what is counted, or look for rows"),
        Binding("n", "narrow", "Only these", show=False, id="costs.narrow", tooltip="Count only the calls of this row"),
        Binding("v", "choose_environment", "Environment", show=False, id="costs.environment", tooltip="Choose an environment"),
        Binding("r", "reload", "Reload", show=False, id="costs.reload", tooltip="Read the sums again"),
        Binding("p", "price", "Price", id="costs.price", tooltip="Give calls without a price one"),
        Binding("b", "price_book", "Price book", show=False, id="costs.price_book", tooltip="The prices that calls are charged by"),
        Binding("B", "budgets", "Budgets", show=False, id="costs.budgets", tooltip="What may be spent, and alerts"),
        Binding("w", "what_if", "What if", show=False, id="costs.what_if", tooltip="The same calls at other prices"),
    ]  # fmt: skip

    def current(self) -> CallStats | None:
        """What the cursor is on."""
        raise NotImplementedError

    def narrowed_by(self) -> str:
        """The terms of the row under the cursor."""
        raise NotImplementedError

    # Choosing

    def action_reload(self) -> None:
        """Read the sums again."""
        if self._live is not None:
            self._live.resume()
        self.choose()

    def action_period(self, step: int) -> None:
        """The neighbour in the line of periods."""
        at = periods.NAMES.index(self.wish.period) + step
        if 0 <= at < len(periods.NAMES):
            self._choose_period(periods.NAMES[at])

    def action_choose_period(self) -> None:
        """Choose a period from a list."""
        names = [(name, name if name != periods.CUSTOM else "Days of your own") for name in periods.NAMES]
        self.app.push_screen(Choose("Period", names, self.wish.period), self._choose_period)

    @on(TabRow.Chosen, "#period")
    def _period_chosen(self, event: TabRow.Chosen) -> None:
        self._choose_period(event.name)

    def _choose_period(self, name: str | None) -> None:
        if name is None:
            return
        if name != periods.CUSTOM:
            self.choose(period=name)
            return
        today = self.ledger.analytics.today()
        days = periods.days_of(self.wish.period, today, self.wish.custom)

        def check(text: str) -> str | None:
            periods.parse_days(text, today)
            return None

        def given(text: str | None) -> None:
            if text is None:
                self.show_wish()
            else:
                self.choose(period=periods.CUSTOM, custom=periods.parse_days(text, today))

        label = "Days (UTC): first..last, first.. for up to today, one day, or so many last days"
        self.app.push_screen(Ask("Period", label, f"{days.since}..{days.until}", check=check, ok="Look"), given)

    def action_group(self, step: int) -> None:
        """Group by the neighbour."""
        self.query_one("#group", TabRow).action_step(step)

    @on(TabRow.Chosen, "#group")
    def _group_chosen(self, event: TabRow.Chosen) -> None:
        by: Grouping = event.name.lower()  # type: ignore[assignment]
        self.choose(by=by)

    @on(Button.Pressed, "#environment")
    def action_choose_environment(self) -> None:
        """Choose an environment from those that had calls."""
        choices = [(_ALL, "All environments")]
        choices += [(name, name or "Calls without one") for name in self.more.environments]
        current = _ALL if self.wish.environment is None else self.wish.environment

        def chosen(value: str | None) -> None:
            if value is not None:
                self.choose(environment=None if value == _ALL else value)

        self.app.push_screen(Choose("Environment", choices, current), chosen)

    def action_filter(self) -> None:
        """Write a filter."""
        self.query_one(FilterLine).ask()

    def action_focus_groups(self) -> None:
        """Go to the table of groups."""
        self.query_one("#group-table").focus()

    def action_narrow(self) -> None:
        """Count only the calls of the row under the cursor."""
        terms = self.narrowed_by()
        if terms:
            line = self.query_one(FilterLine)
            text = narrowing.added(line.field.value, terms)
            line.set_text(text)
            self._filter(text)

    @on(FilterLine.Changed)
    def _filter_changed(self, event: FilterLine.Changed) -> None:
        self._filter(event.text, done=event.done)
        if event.done:
            self.action_focus_groups()

    def _filter(self, text: str, *, done: bool = True) -> None:
        """Words count as they are written, terms when the person is done."""
        line = self.query_one(FilterLine)
        try:
            found = narrowing.parse(text)
            found.select(Selection(date.min, date.min))
        except LedgerError as error:
            if done:
                line.say(f"✗ {error}. {error.remedy}")
            return
        line.say("")
        if found.limits == self.wish.filter.limits:
            self.wish = replace(self.wish, filter=found)
            self.show_look()
        elif done:
            self.choose(filter=found)

    # Going on

    @on(CostTable.RowSelected)
    @on(SpendPlot.Chosen)
    def _open_traces(self) -> None:
        """The traces behind the row or the day."""
        row = self.current()
        if row is not None and row.calls:
            self.app.open_traces(row.filter_text)
        elif row is not None:
            self.app.notify("No calls there.", markup=False)

    def subject_of(self, row: CallStats | None) -> CostSubject | None:
        """The receipt of a row: its calls by model."""
        if row is None:
            return None
        return CostSubject(row.label or "(none)", partial(_lines, selection=row.selection), row.filter_text)

    def action_budgets(self) -> None:
        """What may be spent, and alerts."""
        self.app.action_alerts()

    def action_price_book(self) -> None:
        """The prices that calls are charged by."""
        from ledger_tui.ui.places.costs.prices import PriceBookPage

        self.app.push_screen(PriceBookPage())

    def action_what_if(self) -> None:
        """The calls under the cursor, or all of the period, at other prices."""
        from ledger_tui.ui.places.costs.what_if import WhatIfPage

        row = self.current()
        selection = (
            row.selection if row is not None else self.look.question.selection if self.look is not None else None
        )
        self.app.push_screen(WhatIfPage(selection.filter_text() if selection is not None else ""))

    @on(Button.Pressed, ".lead")
    async def _lead(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "reload")

    def action_price(self) -> None:
        """Give the unpriced calls under the cursor, else of the period, a price."""
        if self.look is None:
            return
        row, total = self.current(), self.look.total
        chosen = row if row is not None and row.unpriced else total
        if not chosen.unpriced:
            self.app.notify("Every call of this period has a price.", markup=False)
            return
        self.load(partial(_unpriced_model, self.ledger, chosen.selection), self._price_model, group="price")

    def _price_model(self, model: str) -> None:
        from ledger_tui.ui.places.costs.prices import PriceBookPage

        self.app.push_screen(PriceBookPage(model), lambda _: self.action_reload())


def _lines(ledger: PromptLedger, selection: Selection) -> list[CostLine]:
    """The calls of a selection by model, as the receipt of a sum shows them."""
    from ledger_tui.services.receipts import CostLine

    rows = ledger.analytics.breakdown("model", selection, limit=500).rows
    found = []
    for row in rows:
        provider, model = row.key
        sums = (row.calls, row.unpriced, row.input_tokens, row.output_tokens, row.cost_nusd)
        found.append(CostLine(provider, model, None, *sums, any_rates=True))
    return found


def _unpriced_model(ledger: PromptLedger, selection: Selection) -> str:
    """The model with the most unpriced calls."""
    rows = ledger.analytics.breakdown("model", selection, order="unpriced", limit=1).rows
    return rows[0].label if rows else ""
