"""What one look at Costs reads, in a thread: values for the plot, the tables and the detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ledger_tui.domain.call_stats import Breakdown, CallStats, Comparison, Spike
from ledger_tui.domain.selection import Selection
from ledger_tui.errors import LedgerError
from ledger_tui.ui.places.costs import plot_drawing
from ledger_tui.ui.places.costs.narrowing import Narrowing
from ledger_tui.ui.places.costs.periods import USUAL, Days, days_of

if TYPE_CHECKING:
    from ledger_tui.domain.selection import Grouping
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.call_groups import Order

ROWS = 500
"""So many groups are read; the totals count the others too."""
PARTIES = ("user", "session")
_SUMS = (
    "calls", "errors", "canceled", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost_nusd", "unpriced", "duration_us",
)  # fmt: skip
_PARTY_ORDERS = ("cost", "calls", "errors", "error_rate", "tokens", "unpriced", "key")


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked at."""

    selection: Selection
    by: Grouping = "model"
    order: Order = "cost"
    """Which groups are read when there are more than ``ROWS``."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person chose."""

    period: str = USUAL
    custom: Days | None = None
    environment: str | None = None
    filter: Narrowing = Narrowing()
    by: Grouping = "model"
    order: Order = "cost"

    def question(self, today: date) -> Question:
        """What that means today; raises InputError."""
        days = days_of(self.period, today, self.custom)
        return Question(self.filter.select(Selection(*days, environment=self.environment)), self.by, self.order)


@dataclass(frozen=True, slots=True)
class Look:
    """The answer: days in order, those without a call too; groups; the period beside the one before."""

    question: Question
    stamp: object
    today: date
    days: tuple[CallStats, ...]
    groups: Breakdown
    total: CallStats
    """All of the period, without percentiles."""

    @property
    def is_empty(self) -> bool:
        """Whether no call was made in the period."""
        return not self.total.calls


@dataclass(frozen=True, slots=True)
class More:
    """What is read after the tables stand and have their percentiles."""

    totals: Comparison | None = None
    """All of the period, with percentiles, beside the period before."""
    before: Mapping[tuple[str, ...], CallStats] = field(default_factory=dict)
    """The groups of the period before, by key."""
    before_is_whole: bool = False
    """Whether a key that is not in ``before`` had no call."""
    spikes: tuple[Spike, ...] = ()
    environments: tuple[str, ...] = ()
    day_budget_nusd: int | None = None
    """What the selected calls may cost in a day, by the budget that covers just them."""
    ever: bool = True
    """Whether any call was ever recorded."""


def read_look(ledger: PromptLedger, wish: Wish, before: Look | None = None) -> Look:
    """Read the tables; the stamp first, so that what is written in between shows as a change.

    Percentiles come with ``read_measures``, which takes longer; until then those of ``before`` stand, a look at the same.
    """
    plot_drawing.warm_up()
    stamp, stats = ledger.traces.stamp(), ledger.analytics
    today = stats.today()
    question = wish.question(today)
    days, groups = _tables(ledger, question, measured=False)
    every = every_day(days, question.selection)
    look = Look(question, stamp, today, every, groups, merged(every))
    return (
        look if before is None or before.question != question else _measured_as(look, before.days, before.groups.rows)
    )


def _tables(ledger: PromptLedger, question: Question, *, measured: bool) -> tuple[Breakdown, Breakdown]:
    order: Order = question.order
    if question.by in PARTIES and order not in _PARTY_ORDERS:
        order = "cost"
    return ledger.analytics.days_and_groups(question.by, question.selection, order=order, limit=ROWS, measured=measured)


def _measured_as(look: Look, days: Sequence[CallStats], groups: Sequence[CallStats]) -> Look:
    """The look with the percentiles of these days and groups where it has none."""
    rows = _with_measures(look.groups.rows, groups)
    return replace(look, days=_with_measures(look.days, days), groups=replace(look.groups, rows=rows))


def _with_measures(rows: Sequence[CallStats], measured: Sequence[CallStats]) -> tuple[CallStats, ...]:
    known = {row.key: row for row in measured}
    return tuple(_as(row, known.get(row.key)) if row.p95_us is None else row for row in rows)


def _as(row: CallStats, measured: CallStats | None) -> CallStats:
    """The row with the percentiles of another one; with none of None."""
    lasted = (None, None) if measured is None else (measured.p50_us, measured.p95_us)
    first = (None, None) if measured is None else (measured.first_p50_us, measured.first_p95_us)
    return replace(row, p50_us=lasted[0], p95_us=lasted[1], first_p50_us=first[0], first_p95_us=first[1])


def every_day(found: Breakdown, selection: Selection) -> tuple[CallStats, ...]:
    """The days of a selection in order, also those without a call."""
    known = {row.key[0]: row for row in found.rows}
    days = []
    for number in range(selection.days):
        day = (selection.since + timedelta(number)).isoformat()
        days.append(known.get(day) or CallStats((day,), day, selection.narrowed("day", (day,))))
    return tuple(days)


def merged(days: Sequence[CallStats]) -> CallStats:
    """Several days as one row, without percentiles: those cannot be added up."""
    first, last = days[0], days[-1]
    sums = {name: sum(getattr(day, name) for day in days) for name in _SUMS}
    selection = replace(first.selection, until=last.selection.until)
    return CallStats((first.key[0],), f"{first.key[0]}..{last.key[0]}", selection, **sums)


def read_more(ledger: PromptLedger, look: Look) -> More:
    """Read what stands beside the tables."""
    stats, selection, by = ledger.analytics, look.question.selection, look.question.by
    before: Breakdown | None = None
    try:
        before = stats.breakdown(by, selection.previous, limit=2 * ROWS)
    except LedgerError:
        pass
    everywhere = stats.breakdown("environment", replace(selection, environment=None), limit=50)
    rows = before.rows if before is not None else ()
    try:
        totals = stats.compare(selection)
    except LedgerError:
        now = stats.totals(selection)
        totals = Comparison(now, replace(now, calls=0))
    return More(
        totals,
        {row.key: row for row in rows},
        before is not None and before.group_count <= len(rows),
        tuple(stats.spikes(selection)),
        tuple(row.key[0] for row in everywhere.rows),
        day_budget(ledger, selection),
        bool(look.total.calls) or bool(stats.totals(Selection(date(1970, 1, 1), date(2069, 12, 31))).calls),
    )


def read_measures(ledger: PromptLedger, look: Look) -> Look:
    """The same look with percentiles, of days and of groups that have sums of them."""
    days, groups = _tables(ledger, look.question, measured=True)
    return _measured_as(_bare(look), days.rows, groups.rows)


def _bare(look: Look) -> Look:
    """The look without the percentiles of an earlier one."""
    if look.question.by in PARTIES:
        return replace(look, days=_without_measures(look.days))
    rows = _without_measures(look.groups.rows)
    return replace(look, days=_without_measures(look.days), groups=replace(look.groups, rows=rows))


def _without_measures(rows: Sequence[CallStats]) -> tuple[CallStats, ...]:
    return tuple(_as(row, None) for row in rows)


def read_party_measures(ledger: PromptLedger, look: Look) -> Look:
    """The same look, its users or sessions with percentiles: those are worked out call by call, so they come last."""
    question, limit = look.question, max(1, len(look.groups.rows))
    order: Order = question.order if question.order in _PARTY_ORDERS else "cost"
    found = ledger.analytics.breakdown(question.by, question.selection, order=order, limit=limit, measured=True)
    known = {row.key: row for row in found.rows}
    rows = tuple(known.get(row.key, row) for row in look.groups.rows)
    return replace(look, groups=replace(look.groups, rows=rows))


def day_budget(ledger: PromptLedger, selection: Selection) -> int | None:
    """The limit of the day's budget that covers exactly the selected calls, in nano-dollars."""
    limited = (selection.provider, selection.model, selection.version, selection.user, selection.session)
    if any(value is not None for value in limited):
        return None
    for row in ledger.budgets.entries():
        spec = row.spec
        if (spec.period, spec.prompt, spec.environment) == ("day", selection.prompt, selection.environment):
            return spec.limit_nusd
    return None
