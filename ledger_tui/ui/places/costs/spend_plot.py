"""The plot of a period: a bar a day, a cursor that leads to the traces of a day, marks for what is not plain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from ledger_tui.domain.call_stats import CallStats
from ledger_tui.ui.places.costs.periods import short_day
from ledger_tui.ui.places.costs.plot_drawing import METRICS, Bar, Metric, Plot, draw


class SpendPlot(Widget, can_focus=True):
    """Bars by day. ``▲`` is the cursor, ``?`` a day with unpriced calls, ``⚠`` one that stands out, ``▒`` is not over.

    | Key(s) | Description |
    | :- | :- |
    | left, right | A day earlier, a day later. |
    | home, end | The first day, the last. |
    | enter | The traces of the day. |
    """

    HELP = """
# The plot
One bar a day (of several days where the period is long). The line across is the day's budget, where one covers just these calls.
`▒` is today, which is not over; `?` under a bar says that calls of that day have no price, so the bar is the least that was spent;
`⚠` that the day stands out from the two weeks before. `m` shows another figure. The same numbers stand in the table of days.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "Earlier", show=False, id="plot.left", tooltip="A day earlier"),
        Binding("right,l", "step(1)", "Later", show=False, id="plot.right", tooltip="A day later"),
        Binding("home", "step(-100000)", "First", show=False, id="plot.first", tooltip="The first day"),
        Binding("end", "step(100000)", "Last", show=False, id="plot.last", tooltip="The last day"),
        Binding("enter", "choose", "Traces", show=False, id="plot.choose", tooltip="The traces of the day"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "plot--axis", "plot--bar", "plot--partial", "plot--over", "plot--budget", "plot--cursor", "plot--mark",
    }  # fmt: skip
    DEFAULT_CSS = """
    SpendPlot {
        height: 1fr;
        width: 1fr;
        .plot--axis { color: $text-muted; }
        .plot--bar { color: $primary; }
        .plot--partial { color: $accent; }
        .plot--over { color: $error; }
        .plot--budget { color: $warning; }
        .plot--cursor { color: $foreground; text-style: bold; }
        .plot--mark { color: $warning; }
        &:focus .plot--cursor { color: $primary; text-style: bold; }
    }
    """

    @dataclass
    class PlotMessage(Message):
        """Something about a bar."""

        plot: SpendPlot
        bar: Bar

        @property
        def control(self) -> SpendPlot:
            """The plot."""
            return self.plot

    class Moved(PlotMessage):
        """The cursor stands on another bar."""

    class Chosen(PlotMessage):
        """Enter, or a double click, on a bar."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._days: Sequence[CallStats] = ()
        self._today = date(1970, 1, 1)
        self._metric = METRICS[0]
        self._budget: float | None = None
        self._spikes: frozenset[str] = frozenset()
        self._drawn: Plot | None = None
        self._cursor: date | None = None

    def show(
        self,
        days: Sequence[CallStats],
        today: date,
        metric: Metric,
        budget: float | None,
        spikes: frozenset[str] = frozenset(),
    ) -> None:
        """Show days in order; ``spikes`` are those that stand out. The cursor stays on its day."""
        shown = (self._days, self._today, self._metric, self._budget, self._spikes)
        if shown == (days, today, metric, budget, spikes):
            return
        self._days, self._today, self._metric, self._budget, self._spikes = days, today, metric, budget, spikes
        self._drawn = None
        self.refresh()

    @property
    def plot(self) -> Plot | None:
        """What is drawn, None before there is room and a day."""
        if self._drawn is None and self._days and self.size.width >= 20 and self.size.height >= 5:
            budget = self._budget if self._metric.key == "cost" else None
            size = self.size.width, self.size.height - 1
            self._drawn = draw(self._days, self._metric, *size, self._today, budget)
        return self._drawn

    @property
    def at(self) -> int:
        """The number of the bar under the cursor."""
        plot = self.plot
        if plot is None:
            return 0
        day = self._cursor
        found = [n for n, bar in enumerate(plot.bars) if day and bar.first <= day <= bar.days[-1].selection.until]
        return found[0] if found else len(plot.bars) - 1

    @property
    def current(self) -> Bar | None:
        """The bar under the cursor."""
        return self.plot.bars[self.at] if self.plot is not None and self.plot.bars else None

    def render(self) -> Content:
        """The drawing, with the marks between the axis and the days."""
        plot = self.plot
        if plot is None:
            return Content("")
        looks = {name: self.get_visual_style(f"plot--{name}") for name in ("axis", "bar", "partial", "over", "budget")}
        lines = [
            Content.assemble(*(Content.styled(text, looks[role]) for text, role in line)) for line in plot.lines[:-1]
        ]
        labels = Content.assemble(*(Content.styled(text, looks[role]) for text, role in plot.lines[-1]))
        return Content("\n").join([*lines, self._marks(plot), labels])

    def _marks(self, plot: Plot) -> Content:
        cursor, mark = self.get_visual_style("plot--cursor"), self.get_visual_style("plot--mark")
        parts, column, at = [], 0, self.at
        for number, bar in enumerate(plot.bars):
            told = "?" if bar.unpriced else ""
            told += "⚠" if any(day.key[0] in self._spikes for day in bar.days) else ""
            here = number == at
            told = told[-(max(1, plot.step - 1) if here else plot.bar_width) :]
            if here and plot.step == 1:
                told = ""
            if not here and not told:
                continue
            start = plot.left + plot.start(number) + max(0, (plot.bar_width - here - len(told)) // 2)
            parts.append(Content(" " * (start - column)))
            if here:
                parts.append(Content.styled("▲", cursor))
            parts.append(Content.styled(told, mark))
            column = start + here + len(told)
        return Content.assemble(*parts)

    def words(self) -> str:
        """The day under the cursor in one line."""
        bar = self.current
        if bar is None:
            return ""
        day = short_day(bar.first, weekday=len(bar.days) == 1)
        if len(bar.days) > 1:
            day += f" to {short_day(bar.days[-1].selection.until)}"
            value = "—" if bar.value is None else self._metric.tick(bar.value)
        else:
            value = self._metric.show(bar.days[0])
        calls = sum(one.calls for one in bar.days)
        if not calls:
            return f"{day} · no calls"
        told = f"{day} · {value}" + ("" if self._metric.key == "calls" else f" · {calls:,} call{'s' * (calls != 1)}")
        if bar.unpriced:
            told += f" · ? {bar.unpriced:,} unpriced"
        return told + (" · so far" if bar.first <= self._today <= bar.days[-1].selection.until else "")

    def on_resize(self) -> None:
        """Bars are drawn for a size."""
        self._drawn = None
        self.refresh()

    def action_step(self, step: int) -> None:
        """Move the cursor by bars."""
        plot = self.plot
        if plot is not None and plot.bars:
            self._go(max(0, min(len(plot.bars) - 1, self.at + step)))

    def go_to(self, day: date) -> None:
        """Put the cursor on a day without a message."""
        self._cursor = day
        self.refresh()

    def action_choose(self) -> None:
        """Open the bar under the cursor."""
        if (bar := self.current) is not None:
            self.post_message(self.Chosen(self, bar))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a double click opens the day."""
        offset, plot = event.get_content_offset(self), self.plot
        at = plot.bar_at(offset.x) if offset is not None and plot is not None else None
        if at is None:
            return
        self._go(at)
        if event.chain == 2:
            self.action_choose()

    def _go(self, at: int) -> None:
        assert self.plot is not None
        bar = self.plot.bars[at]
        self._cursor = bar.first
        self.refresh()
        self.post_message(self.Moved(self, bar))
