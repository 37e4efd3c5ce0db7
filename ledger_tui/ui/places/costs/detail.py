"""What one row or day came to, beside the period before, with what stands out and what can be pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ledger_tui.domain import measure, money
from ledger_tui.domain.call_stats import CallStats, Comparison, Spike
from ledger_tui.domain.measure import percent
from ledger_tui.ui.places.costs.columns import arrow, change, cost
from ledger_tui.ui.places.costs.periods import Days, short_day
from ledger_tui.ui.safe import line

_KEY = "bold $primary"
_LABEL, _FIGURE, _BEFORE = 11, 14, 15
Figure = tuple[str, Callable[[CallStats], str], Callable[[CallStats], "float | None"]]
FIGURES: tuple[Figure, ...] = (
    ("cost", cost, lambda row: row.known_cost_nusd if row.calls else None),
    ("calls", lambda row: f"{row.calls:,}", lambda row: row.calls),
    ("ok", lambda row: percent(row.success_rate), lambda row: row.success_rate),
    ("failed", lambda row: percent(row.error_rate), lambda row: row.error_rate),
    ("p50", lambda row: measure.duration(row.p50_us), lambda row: row.p50_us),
    ("p95", lambda row: measure.duration(row.p95_us), lambda row: row.p95_us),
    ("first p50", lambda row: measure.duration(row.first_p50_us), lambda row: row.first_p50_us),
    ("first p95", lambda row: measure.duration(row.first_p95_us), lambda row: row.first_p95_us),
    ("tokens in", lambda row: measure.count(row.input_tokens), lambda row: row.input_tokens),
    ("tokens out", lambda row: measure.count(row.output_tokens), lambda row: row.output_tokens),
)
_SHARES = ("ok", "failed")
_MEASURES = {"error_rate": "Error rate", "p95": "p95 latency", "cost": "Cost"}


class CostDetail(VerticalScroll):
    """The numbers of what the cursor is on."""

    HELP = """
# The detail
Every figure of the row or day under the cursor, beside as many days before. `⚠` lines say what stands out from the two weeks
before, with the numbers behind: the day's value, the usual one (the median of those days), and from where on a day is marked.
"""
    DEFAULT_CSS = """
    CostDetail { scrollbar-size-vertical: 1; }
    CostDetail Static { height: auto; }
    """
    can_focus: ClassVar[bool] = True  # type: ignore[misc]

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static("", markup=False)

    def show(self, words: Content) -> None:
        """Replace the text."""
        self.query_one(Static).update(words)


def words(found: Comparison, spikes: Sequence[Spike]) -> Content:
    """All of a row in lines."""
    now, before = found.now, found.before
    parts = [_heading(now, before)]
    parts += [_figure(figure, now, before) for figure in FIGURES]
    if now.canceled:
        parts.append(Content.assemble(("canceled".ljust(_LABEL), "$text-muted"), f"{now.canceled:,}".rjust(_FIGURE)))
    for spike in spikes:
        parts.append(Content.assemble("\n", (f"⚠ {spike_words(spike)}", "$warning")))
    if now.unpriced:
        told = f"\n⚠ {now.unpriced:,} call{'' if now.unpriced == 1 else 's'} without a price: the cost is the least it was.  "
        parts.append(Content.assemble((told, "$warning"), ("p", _KEY), " gives them one"))
    keys = (("enter", "traces"), ("$", "receipt"), ("w", "what if"), ("n", "only these"))
    hints: list[str | tuple[str, str]] = ["\n"]
    for key, deed in keys:
        hints += [(key, _KEY), f" {deed}  "]
    return Content("\n").join([*parts, Content.assemble(*hints)])


def _heading(now: CallStats, before: CallStats) -> Content:
    label = _days(now).rjust(_LABEL + _FIGURE)
    return Content.assemble(
        (label, "$text-muted"), (_days(before).rjust(_BEFORE) if before.calls else "", "$text-muted")
    )


def _days(row: CallStats) -> str:
    days = Days(row.selection.since, row.selection.until)
    if days.since == days.until:
        return short_day(days.since)
    return f"{short_day(days.since)}–{short_day(days.until)}"


def _figure(figure: Figure, now: CallStats, before: CallStats) -> Content:
    name, show, value = figure
    parts: list[str | tuple[str, str]] = [(name.ljust(_LABEL), "$text-muted"), (show(now) or "—").rjust(_FIGURE)]
    if before.calls:
        parts += [(show(before) or "—").rjust(_BEFORE), "  "]
        one, other = value(now), value(before)
        told = points(one, other) if name in _SHARES else more_or_less(change(one, other))
        parts.append((told, "$text-muted"))
    elif name == "cost" and now.calls:
        parts.append(("   no calls before", "$text-muted"))
    return Content.assemble(*parts)


def more_or_less(value: float | None) -> str:
    """A change in words: ``▲ 12 % more``, ``▼ 8 % less``, ``= the same``."""
    if value is None:
        return ""
    if abs(value) < 0.005:
        return "= the same"
    if value >= 9.995:
        return f"{arrow(value)} as much"
    return f"{arrow(value)} {'more' if value > 0 else 'less'}"


def points(now: float | None, before: float | None) -> str:
    """A change of a share in words: ``▲ 1.5 points``."""
    if now is None or before is None:
        return ""
    difference = round(100 * (now - before), 1)
    return f"{'▲' if difference > 0 else '▼'} {abs(difference):g} points" if difference else "= the same"


def spike_words(spike: Spike) -> str:
    """What stands out, with the numbers behind."""
    show = _shower(spike.measure)
    day = short_day(spike.stats.selection.until)
    lowest, highest = show(min(spike.history)), show(max(spike.history))
    return (
        f"{_MEASURES.get(spike.measure, spike.measure)} {show(spike.value)} on {day}: usually {show(spike.median)} "
        f"({lowest} to {highest} on {len(spike.history)} days before), marked from {show(spike.limit)}, "
        f"{spike.stats.calls:,} calls"
    )


def _shower(name: str) -> Callable[[float], str]:
    if name == "cost":
        return lambda value: money.show(round(value))
    if name == "p95":
        return lambda value: measure.duration(round(value))
    return percent


def title(label: str, limit: int = 60) -> Content:
    """The name of a row; it may hold foreign text."""
    return line(label or "(none)", limit)
