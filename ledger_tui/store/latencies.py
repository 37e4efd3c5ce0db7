"""How long calls took under any keys, added up from the packed counts of days: one reading for all keys that are sought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.domain.percentiles import WIDTH, Counts, spread
from ledger_tui.store.day_sums import CALL_KEYS

if TYPE_CHECKING:
    from ledger_tui.store.breakdowns import Key, Wanted
    from ledger_tui.store.lean import Lean, Row

Latencies = dict["Key", tuple[Counts, Counts]]
"""Latency and time to first token of succeeded calls."""
_Sums = dict[int, int]
"""Packed counts added up as one large number each, by their lowest bucket."""
_BLOCK = 16
"""So many buckets are moved to one place before they are moved far: that keeps the numbers small."""


class Sought(NamedTuple):
    """The keys under which latencies are counted."""

    labels: Callable[[Row], Iterable[Key]]
    """Gives a call key those it counts under."""
    by_day: bool = False
    """Whether the day comes first in every key."""
    keep: Collection[Key] | None = None
    """The only keys wanted."""


def read(lean: Lean, wanted: Wanted, sought: Sequence[Sought], *, with_first: bool = True) -> list[Latencies]:
    """The latencies of each that is sought; with_first: the times to first token too.

    A month of a thousand call keys takes some hundredths of a second.
    """
    matches = " AND ".join(f"{name} = :{name}" for name in wanted.limits)
    keys = lean.fetch(
        f"SELECT id, {', '.join(CALL_KEYS)} FROM call_keys" + (f" WHERE {matches}" if matches else ""), wanted.limits
    )
    only = f" AND key_id IN (SELECT id FROM call_keys WHERE {matches})" if matches else ""
    first_columns = "first_lowest, first_counts" if with_first else "NULL, NULL"
    rows = lean.fetch(
        f"SELECT day, key_id, latency_lowest, latency_counts, {first_columns} FROM daily_latencies "
        f"WHERE day BETWEEN :since AND :until{only}",
        {"since": wanted.selection.since.isoformat(), "until": wanted.selection.until.isoformat(), **wanted.limits},
    )
    return _added(rows, [(one, _labels(one, keys)) for one in sought])


def _labels(sought: Sought, call_keys: Iterable[Row]) -> dict[int, list[Key]]:
    """The keys that a call key's id counts under."""
    keep = None if sought.by_day else sought.keep
    found: dict[int, list[Key]] = {}
    for key_id, *key in call_keys:
        if labels := [one for one in sought.labels(tuple(key)) if keep is None or one in keep]:
            found[key_id] = labels
    return found


def _added(rows: Iterable[Row], sought: Sequence[tuple[Sought, Mapping[int, list[Key]]]]) -> list[Latencies]:
    every: list[dict[str, dict[Key, tuple[_Sums, _Sums]]]] = [
        defaultdict(lambda: defaultdict(lambda: ({}, {}))) for _ in sought
    ]
    adding = [(one.by_day, labels, days) for (one, labels), days in zip(sought, every, strict=True)]
    number = int.from_bytes
    for day, key_id, lowest, counts, first_lowest, first_counts in rows:
        lasted = None if counts is None else number(counts, "little")
        first = None if first_counts is None else number(first_counts, "little")
        for by_day, labels, days in adding:
            for label in labels.get(key_id, ()):
                sums, first_sums = days[day if by_day else ""][label]
                if lasted is not None:
                    sums[lowest] = sums.get(lowest, 0) + lasted
                if first is not None:
                    first_sums[first_lowest] = first_sums.get(first_lowest, 0) + first
    return [_counts(one, days) for (one, _), days in zip(sought, every, strict=True)]


def _counts(sought: Sought, days: Mapping[str, Mapping[Key, tuple[_Sums, _Sums]]]) -> Latencies:
    found = {}
    for day, labels in days.items():
        for label, (lasted, first) in labels.items():
            key = (day, *label) if sought.by_day else label
            if sought.keep is None or key in sought.keep:
                found[key] = _spread(lasted), _spread(first)
    return found


def _spread(sums: _Sums) -> Counts:
    blocks: _Sums = {}
    for lowest, number in sums.items():
        # A negative bucket is that of counts to be taken away.
        block, above = divmod(lowest if lowest >= 0 else -1 - lowest, _BLOCK)
        moved = (number if lowest >= 0 else -number) << (8 * WIDTH * above)
        blocks[block] = blocks.get(block, 0) + moved
    base = min(blocks, default=0)
    total = sum(number << (8 * WIDTH * _BLOCK * (block - base)) for block, number in blocks.items())
    return spread(base * _BLOCK, total)
