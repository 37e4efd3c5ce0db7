"""Draws a figure of each day as bars: characters with roles, so that a theme, 16 colours or none decide the looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import ceil, floor, log10
from typing import Any, NamedTuple

from ledger_tui.domain import measure, money
from ledger_tui.domain.call_stats import CallStats
from ledger_tui.domain.measure import percent
from ledger_tui.ui.places.costs.periods import short_day

Line = list[tuple[str, str]]
"""Texts with roles: axis, bar, partial, over, budget."""
_ROLES = {"4": "bar", "6": "partial", "1": "over", "3": "budget"}
_COLORS = {role: int(code) for code, role in _ROLES.items()}
_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
_MOST_BAR = 16
_PARTIAL = "▒"


def _money_tick(value: float) -> str:
    nusd = round(value)
    text = f"{money.to_usd(nusd):,.6f}".rstrip("0").rstrip(".")
    whole, dot, parts = text.partition(".")
    return f"${whole}.{parts.ljust(2, '0')}" if dot else f"${whole}"


@dataclass(frozen=True, slots=True)
class Metric:
    """What the plot shows of a day."""

    key: str
    title: str
    value: Callable[[CallStats], float | None]
    """None where a day has no such figure."""
    tick: Callable[[float], str]
    show: Callable[[CallStats], str]
    together: str = "sum"
    """What a bar of several days shows: their sum, or the worst day."""
    least_step: float = 1.0
    """The smallest step of the axis."""


METRICS: tuple[Metric, ...] = (
    Metric(
        "cost", "Cost", lambda row: row.known_cost_nusd if row.calls else None, _money_tick,
        lambda row: money.show(row.known_cost_nusd, row.unpriced if row.known_cost_nusd is not None else 0),
    ),
    Metric(
        "calls", "Calls", lambda row: row.calls or None, lambda value: measure.count(round(value)),
        lambda row: f"{row.calls:,}",
    ),
    Metric(
        "tokens", "Tokens", lambda row: row.total_tokens or None, lambda value: measure.count(round(value)),
        lambda row: f"{row.total_tokens:,}",
    ),
    Metric(
        "p95", "p95 latency", lambda row: row.p95_us, lambda value: measure.duration(round(value)) if value else "0",
        lambda row: measure.duration(row.p95_us), "worst",
    ),
    Metric(
        "errors", "Error rate", lambda row: row.error_rate, lambda value: f"{value:.1%}".replace(".0%", "%"),
        lambda row: percent(row.error_rate), "worst", 0.001,
    ),
)  # fmt: skip


class Bar(NamedTuple):
    """One bar: the days that it stands for, and its value; None has no bar."""

    days: tuple[CallStats, ...]
    value: float | None

    @property
    def first(self) -> date:
        """The first of its days."""
        return self.days[0].selection.since

    @property
    def unpriced(self) -> int:
        """Calls without a price."""
        return sum(day.unpriced for day in self.days)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn plot. Bar ``n`` takes ``bar_width`` cells from column ``left + start(n)`` on."""

    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    left: int
    step: int
    bar_width: int
    budget_is_above: bool = False
    """The budget's line would be above the highest tick by so much that it is left out."""

    def start(self, bar: int) -> int:
        """The first cell of a bar, from the axis on."""
        return bar * self.step

    def bar_at(self, column: int) -> int | None:
        """The bar at a column of the drawing."""
        at = (column - self.left) // self.step
        return at if column >= self.left and at < len(self.bars) else None


def warm_up() -> None:
    """Load the plotting library; meant for a thread, since that takes a while."""
    from textual_plotext.plot import Plot as _  # noqa: F401


def bars_of(days: Sequence[CallStats], metric: Metric, columns: int) -> list[Bar]:
    """A bar a day; where there are more days than columns, a bar for as many days as it takes."""
    each = max(1, ceil(len(days) / max(1, columns)))
    found = []
    for first in range(0, len(days), each):
        some = tuple(days[first : first + each])
        values = [value for day in some if (value := metric.value(day)) is not None]
        value = None if not values else sum(values) if metric.together == "sum" else max(values)
        found.append(Bar(some, value))
    return found


def ticks_up_to(top: float, count: int, least_step: float = 0.0) -> list[float]:
    """Round values from 0 on, two at least, the last of them not below ``top``."""
    top = max(top, least_step) or 1.0
    rough = max(top / max(1, count), least_step)
    size = 10.0 ** floor(log10(rough))
    step = next(part * size for part in (1, 2, 5, 10) if part * size >= rough * 0.999999)
    return [step * number for number in range(ceil(top / step - 1e-9) + 1)]


def draw(
    days: Sequence[CallStats], metric: Metric, width: int, height: int, today: date, budget: float | None = None
) -> Plot:
    """Draw into ``width`` x ``height`` cells (at least 20 x 5): bars, axis, days; ``budget`` is a line across."""
    values = [value for day in days if (value := metric.value(day)) is not None]
    rows = max(3, height - 2)
    highest = max(values, default=0.0)
    above = budget is not None and highest > 0 and budget > 4 * highest
    top = max(highest, budget) if budget is not None and not above else highest
    ticks = ticks_up_to(top, max(1, min(5, (rows - 1) // 2)), metric.least_step)
    labels = [metric.tick(tick) for tick in ticks]
    label_width = max(map(len, labels))
    room = max(8, width - label_width - 2)
    bars = bars_of(days, metric, room)
    if len(bars) != len(days) and metric.together == "sum":
        return _draw_sums(bars, metric, width, rows, today)
    return _drawn(bars, ticks, labels, room, rows, today, None if above else budget, above)


def _draw_sums(bars: list[Bar], metric: Metric, width: int, rows: int, today: date) -> Plot:
    """Bars of several days each have an axis of their own, and no budget of a day."""
    ticks = ticks_up_to(max((bar.value or 0.0 for bar in bars), default=0.0), max(1, min(5, (rows - 1) // 2)), 1.0)
    labels = [metric.tick(tick) for tick in ticks]
    return _drawn(bars, ticks, labels, max(8, width - max(map(len, labels)) - 2), rows, today, None, False)


def _drawn(
    bars: list[Bar],
    ticks: list[float],
    labels: list[str],
    room: int,
    rows: int,
    today: date,
    budget: float | None,
    above: bool,
) -> Plot:
    step = max(1, min(_MOST_BAR + 1, room // max(1, len(bars))))
    columns = max(1, step * len(bars))
    label_width = max(map(len, labels))
    figure = _figure(columns + label_width + 1, rows + 1)
    figure.xlim(0, 2 * columns - 1)
    figure.ylim(0, ticks[-1])
    figure.yticks(ticks, [label.rjust(label_width) for label in labels])
    figure.xticks([], [])
    if budget is not None:
        figure.plot([0, 2 * columns - 1], [budget, budget], marker="─", color=_COLORS["budget"])
    plot = Plot((), tuple(bars), label_width + 1, step, max(1, step - 1), above)
    for role, marks in _marks(plot, today, budget, columns).items():
        marker = _PARTIAL if role == "partial" else "hd"
        xs, ys = [x for x, _ in marks], [y for _, y in marks]
        figure.scatter(xs, ys, marker=marker, color=_COLORS[role], fillx=True)
    lines = [_roles(text) for text in figure.build().split("\n")][: rows + 1]
    lines.append([(_day_labels(plot, columns), "axis")])
    return replace(plot, lines=tuple(lines))


def _marks(plot: Plot, today: date, budget: float | None, columns: int) -> dict[str, list[tuple[float, float]]]:
    """By role, the tops of the bars in halves of cells; the bar that is not over has whole cells."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number, bar in enumerate(plot.bars):
        if bar.value is None:
            continue
        value = bar.value
        if bar.first <= today <= bar.days[-1].selection.until:
            across = (2 * columns - 1) / max(1, columns - 1)
            cells = range(plot.start(number), min(columns, plot.start(number) + plot.bar_width))
            found.setdefault("partial", []).extend((cell * across, value) for cell in cells)
            continue
        role = "over" if budget is not None and value > budget else "bar"
        first = 2 * plot.start(number)
        found.setdefault(role, []).extend((first + half, value) for half in range(2 * plot.bar_width))
    return found


def _figure(width: int, height: int) -> Any:
    from textual_plotext.plot import Plot as Figure

    figure = Figure()
    figure.theme("clear")
    figure.plotsize(width, height)
    figure._set_size(width, height)
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    return figure


def _roles(text: str) -> Line:
    """A line with escape sequences as texts with roles."""
    found: Line = []
    role = "axis"
    for number, part in enumerate(_ESCAPE.split(text)):
        if number % 2:
            role = _ROLES.get(part.rpartition(";")[2], "axis")
        elif part:
            found.append((part, role))
    return found


def _day_labels(plot: Plot, columns: int) -> str:
    """Days under the axis, as many as fit without touching, the month where it is new."""
    bars, width = plot.bars, plot.left + columns
    cells = [" "] * width
    free, month = 0, 0
    every = max(1, ceil(10 / plot.step))
    for number in range((len(bars) - 1) % every, len(bars), every):
        day = bars[number].first
        words = short_day(day) if day.month != month or plot.step * every >= 8 else str(day.day)
        middle = plot.left + plot.start(number) + (plot.bar_width - 1) // 2
        start = max(free, min(middle - (len(words) - 1) // 2, width - len(words)))
        if start > middle or start + len(words) > width:
            continue
        cells[start : start + len(words)] = words
        free, month = start + len(words) + 1, day.month
    return "".join(cells).rstrip()
