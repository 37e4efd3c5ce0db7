"""Days that stand out from their own history, with the numbers behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from ledger_tui.domain.call_stats import CallStats, Spike
from ledger_tui.domain.percentiles import percentile
from ledger_tui.store import breakdowns
from ledger_tui.store.day_sums import CALL_SUMS

if TYPE_CHECKING:
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


def limit_of(history: list[float]) -> tuple[float, float, float]:
    """Median, median distance from it, and the value from which a day stands out."""
    middle = median(history)
    spread = median(abs(value - middle) for value in history)
    return middle, spread, max(middle + FACTOR * _NORMAL * spread, LEAST * middle)


def find(lean: Lean, wanted: Wanted, history_days: int) -> list[Spike]:
    """What stands out on the last day, the farthest above its limit first."""
    day = wanted.selection.until
    wanted = wanted._replace(selection=replace(wanted.selection, since=day - timedelta(max(1, history_days))))
    sums = _sums(lean, wanted)
    measures = breakdowns.latencies(lean, wanted, _keys)
    prompts, _ = breakdowns.names(lean)
    found: list[Spike] = []
    for key in [key for key in sums if key[0] == day.isoformat() and sums[key][0] >= ENOUGH_CALLS]:
        p95s = {one: percentile(counts[0], 0.95) for one, counts in measures.items() if one[1:] == key[1:]}
        past = [one for one in sorted(sums) if one[1:] == key[1:] and one != key and sums[one][0] >= ENOUGH_CALLS]
        if len(past) < ENOUGH_DAYS:
            continue
        stats = _stats(wanted, key, sums[key], p95s.get(key), prompts)
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
    if measure == "cost":
        return sums[CALL_SUMS.index("cost_nusd")]
    return sums[CALL_SUMS.index("errors")] / sums[0]


def _keys(day: str, key: Row) -> list[Key]:
    """(day, what, ...) of all calls, of the model and of the prompt."""
    provider, model, prompt_id = key[:3]
    return [(day, "all"), (day, "model", provider, model), (day, "prompt", prompt_id)]


def _sums(lean: Lean, wanted: Wanted) -> dict[Key, Sums]:
    found: dict[Key, Sums] = {}
    for (day, *key), sums in breakdowns.costs(lean, wanted, ("day", "model", "prompt")).items():
        for one in _keys(day, tuple(key)):
            known = found.get(one)
            found[one] = sums if known is None else tuple(a + b for a, b in zip(known, sums, strict=True))
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
