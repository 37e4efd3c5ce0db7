"""How often prompts were rendered and run, what it cost and how it went: typed dictionaries for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from ledger_tui.domain import money
from ledger_tui.domain.percentiles import ERROR
from ledger_tui.domain.selection import Selection, last_days
from ledger_tui.errors import InputError
from ledger_tui.store import breakdowns
from ledger_tui.store import uses as reads
from ledger_tui.store.day_sums import CALL_SUMS

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats
    from ledger_tui.domain.selection import Grouping
    from ledger_tui.store.breakdowns import Key, Sums, Wanted
    from ledger_tui.store.lean import Lean

Moment: TypeAlias = date | datetime | str | None
DateRange: TypeAlias = tuple[Moment, Moment] | int | None
"""From and until (None is open; a datetime means its UTC day, a text is an ISO date or time), or so many last days."""
_FIRST, _LAST = date(1970, 1, 1), date(2069, 12, 31)
_CALLS, _COST = CALL_SUMS.index("calls"), CALL_SUMS.index("cost_nusd")


class UsageStats(TypedDict):
    """Renders and calls of a prompt, or of all. Days are UTC; costs are USD of the priced calls.

    ``by_environment`` counts renders, ``by_model`` calls; ``usage_by_version`` counts renders by ``name v3``.
    """

    since: str
    until: str
    total_uses: int
    total_executions: int
    success_rate: float | None
    error_rate: float | None
    total_cost: Decimal
    unpriced_count: int
    total_tokens: int
    average_tokens: float | None
    by_environment: dict[str, int]
    by_model: dict[str, int]
    cost_by_day: dict[str, Decimal]
    usage_by_version: dict[str, int]


class PromptPerformance(TypedDict):
    """How a prompt did. Percentiles are of succeeded calls and off by at most ``percentile_error`` of themselves.

    Versions are numbers; 0 stands for text that was no saved version.
    """

    prompt: str
    since: str
    until: str
    total_uses: int
    total_executions: int
    average_latency_ms: float | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None
    p50_first_token_ms: float | None
    p95_first_token_ms: float | None
    percentile_error: float
    success_rate: float | None
    error_rate: float | None
    total_cost: Decimal
    unpriced_count: int
    average_tokens: float | None
    cost_by_day: dict[str, Decimal]
    usage_by_version: dict[int, int]
    executions_by_version: dict[int, int]


def selection_of(date_range: DateRange, prompt: str | None, today: date, *, default_days: int | None) -> Selection:
    """The calls of a range of days; raises InputError for one that is none."""
    if date_range is None and default_days is not None:
        date_range = default_days
    if isinstance(date_range, int):
        return replace(last_days(date_range, today), prompt=prompt)
    since, until = date_range if date_range is not None else (None, None)
    return Selection(_day(since, _FIRST), _day(until, _LAST), prompt=prompt)


def _day(moment: Moment, otherwise: date) -> date:
    if moment is None:
        return otherwise
    if isinstance(moment, str):
        try:
            moment = date.fromisoformat(moment) if len(moment) == 10 else datetime.fromisoformat(moment)
        except ValueError as error:
            raise InputError(f"{moment!r} is no date", remedy="Write it as 2026-01-31.") from error
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    return moment


def usage_stats(lean: Lean, wanted: Wanted, total: CallStats) -> UsageStats:
    """What the days know of the selection."""
    uses = reads.by_version(lean, wanted)
    prompts, numbers = breakdowns.names(lean)
    return {
        "since": total.selection.since.isoformat(),
        "until": total.selection.until.isoformat(),
        "total_uses": sum(uses.values()),
        "total_executions": total.calls,
        "success_rate": total.success_rate,
        "error_rate": total.error_rate,
        "total_cost": money.to_usd(total.cost_nusd),
        "unpriced_count": total.unpriced,
        "total_tokens": total.total_tokens,
        "average_tokens": total.total_tokens / total.calls if total.calls else None,
        "by_environment": _added((environment, count) for (environment, *_), count in uses.items()),
        "by_model": _added((key[1], sums[_CALLS]) for key, sums in _sums(lean, wanted, "model").items()),
        "cost_by_day": _costs(_sums(lean, wanted, "day")),
        "usage_by_version": _added(
            (_named(prompts.get(prompt_id, ""), numbers.get(version_id, 0)), count)
            for (_, prompt_id, version_id), count in uses.items()
        ),
    }


def prompt_performance(lean: Lean, wanted: Wanted, total: CallStats) -> PromptPerformance:
    """How the selection's prompt did."""
    uses = reads.by_version(lean, wanted)
    _, numbers = breakdowns.names(lean)
    versions = _sums(lean, wanted, "version").items()
    return {
        "prompt": total.selection.prompt or "",
        "since": total.selection.since.isoformat(),
        "until": total.selection.until.isoformat(),
        "total_uses": sum(uses.values()),
        "total_executions": total.calls,
        "average_latency_ms": _ms(total.average_us),
        "p50_latency_ms": _ms(total.p50_us),
        "p95_latency_ms": _ms(total.p95_us),
        "p50_first_token_ms": _ms(total.first_p50_us),
        "p95_first_token_ms": _ms(total.first_p95_us),
        "percentile_error": ERROR,
        "success_rate": total.success_rate,
        "error_rate": total.error_rate,
        "total_cost": money.to_usd(total.cost_nusd),
        "unpriced_count": total.unpriced,
        "average_tokens": total.total_tokens / total.calls if total.calls else None,
        "cost_by_day": _costs(_sums(lean, wanted, "day")),
        "usage_by_version": _by_number((numbers.get(key[2], 0), count) for key, count in uses.items()),
        "executions_by_version": _by_number((numbers.get(key[1], 0), sums[_CALLS]) for key, sums in versions),
    }


def _sums(lean: Lean, wanted: Wanted, by: Grouping) -> Mapping[Key, Sums]:
    return breakdowns.costs(lean, wanted, (by,))


def _costs(sums: Mapping[Key, Sums]) -> dict[str, Decimal]:
    return {day: money.to_usd(sums[day,][_COST]) for (day,) in sorted(sums)}


def _added(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The counts of each name together, the largest first."""
    found: dict[str, int] = {}
    for name, count in counts:
        found[name] = found.get(name, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _by_number(counts: Iterable[tuple[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, count in counts:
        found[number] = found.get(number, 0) + count
    return dict(sorted(found.items()))


def _named(prompt: str, number: int) -> str:
    if not prompt:
        return ""
    return f"{prompt} v{number}" if number else f"{prompt} (unsaved)"


def _ms(value_us: float | None) -> float | None:
    return None if value_us is None else value_us / 1000
