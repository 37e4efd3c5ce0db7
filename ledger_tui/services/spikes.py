"""Days that stand out from their own history, with the numbers behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from ledger_tui.domain.call_stats import CallStats, Spike
from ledger_tui.domain.percentiles import percentile
from ledger_tui.store import breakdowns, latencies
from ledger_tui.store.day_sums import CALL_SUMS

if TYPE_CHECKING:
    from ledger_tui.domain.selection import Grouping
    from ledger_tui.store.breakdowns import Key, Sums, Wanted
    from ledger_tui.store.lean import Lean, Row

ENOUGH_CALLS = 20
"""A day of a group with fewer says nothing."""
ENOUGH_DAYS = 5
FACTOR = 4.0
"""A value stands out so many spreads above the median (a spread is the median absolute deviation as of a normal one),"""
LEAST = 1.5
"""and so many times the median at least,"""
LEAST_ERROR_RATE, LEAST_COST_NUSD = 0.05, 10_000_000
"""and is worth looking at: a twentieth of the calls, a cent."""
_NORMAL = 1.4826
_HISTORY = ("calls", "errors", "cost_nusd")


def limit_of(history: list[float]) -> tuple[float, float, float]:
    """Median, median distance from it, and the value from which a day stands out."""
    middle = median(history)
    spread = median(abs(value - middle) for value in history)
    return middle, spread, max(middle + FACTOR * _NORMAL * spread, LEAST * middle)


def find(lean: Lean, wanted: Wanted, history_days: int) -> list[Spike]:
    """What stands out on the last day, the farthest above its limit first."""
    day = wanted.selection.until
    wanted = wanted._replace(selection=replace(wanted.selection, since=day - timedelta(max(1, history_days))))
    sums = _sums(lean, wanted, _HISTORY)
    days: dict[Key, list[Key]] = {}
    for key in sorted(sums):
        if sums[key][0] >= ENOUGH_CALLS:
            days.setdefault(key[1:], []).append(key)
    groups = {group: of for group, of in days.items() if len(of) > ENOUGH_DAYS and of[-1][0] == day.isoformat()}
    sought = latencies.Sought(lambda key: [one for one in _keys(key) if one in groups], by_day=True)
    (measures,) = latencies.read(lean, wanted, [sought], with_first=False)
    today = _sums(lean, wanted._replace(selection=replace(wanted.selection, since=day)), CALL_SUMS)
    prompts, _ = breakdowns.names(lean)
    found: list[Spike] = []
    for *past, key in groups.values():
        p95s = {one: percentile(measures[one][0], 0.95) for one in (*past, key) if one in measures}
        stats = _stats(wanted, key, today[key], p95s.get(key), prompts)
        for measure in ("error_rate", "p95", "cost"):
            values = [_value(measure, sums[one], p95s.get(one)) for one in past]
            history = [value for value in values if value is not None]
            value = _value(measure, sums[key], p95s.get(key))
            if value is None or len(history) < ENOUGH_DAYS:
                continue
            middle, spread, limit = limit_of(history)
            limit = max(limit, {"error_rate": LEAST_ERROR_RATE, "cost": LEAST_COST_NUSD}.get(measure, 0))
            if value > limit:
                found.append(Spike(measure, key[1], stats, value, middle, spread, limit, tuple(history)))
    return sorted(found, key=lambda spike: (-spike.value / spike.limit if spike.limit else 0, spike.measure, spike.by))


def _value(measure: str, sums: Sums, p95_us: int | None) -> float | None:
    if measure == "p95":
        return p95_us
    calls, errors, cost_nusd = sums
    return cost_nusd if measure == "cost" else errors / calls


def _keys(key: Row) -> list[Key]:
    """What a call key belongs to: all calls, its model and its prompt."""
    provider, model, prompt_id = key[:3]
    return [("all",), ("model", provider, model), ("prompt", prompt_id)]


def _sums(lean: Lean, wanted: Wanted, names: Sequence[str]) -> dict[Key, Sums]:
    """The named sums of each day and group."""
    found: dict[Key, Sums] = {}
    groups: tuple[tuple[str, tuple[Grouping, ...]], ...] = (("all", ()), ("model", ("model",)), ("prompt", ("prompt",)))
    for what, by in groups:
        for (day, *key), sums in breakdowns.costs(lean, wanted, ("day", *by), names).items():
            found[(day, what, *key)] = sums
    return found


def _stats(wanted: Wanted, key: Key, sums: Sums, p95_us: int | None, prompts: dict[str, str]) -> CallStats:
    day, by, *rest = key
    selection = wanted.selection.narrowed("day", (day,))
    names: tuple[str, ...] = tuple(rest)
    if by == "model":
        selection = selection.narrowed("model", names)
    elif by == "prompt":
        names = (prompts.get(rest[0], ""),)
        selection = selection.narrowed("prompt", names)
    label = "/".join(name for name in names if name) if rest else "all"
    return replace(CallStats(names, label, selection, *sums), p95_us=p95_us)
