"""Percentiles of durations from counts in buckets that widen by five percent, so that sums of any days can be merged.

A percentile is the value at its rank (nearest rank). What is said of it differs from the exact one by at most ``ERROR`` of
it, and by rounding to whole microseconds; durations below 20 microseconds are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, log
from struct import pack as _pack_numbers
from struct import unpack as _unpack_numbers

ERROR = 0.025
"""The largest relative error of a percentile."""
WIDTH = 8
"""Bytes of one count, packed."""
_GROWTH = 1.05
_SCALE = 1 / log(_GROWTH)

Counts = dict[int, int]
"""How many fell into a bucket."""


def bucket_of(duration_us: int) -> int:
    """The bucket of a duration in microseconds; nothing is shorter than one."""
    return int(log(duration_us) * _SCALE) if duration_us > 1 else 0


def value_of(bucket: int) -> int:
    """The microseconds that stand for a bucket: as far from its lower end as from its upper, in proportion."""
    low = _GROWTH**bucket
    return round(2 * low * _GROWTH / (1 + _GROWTH)) if bucket else 1


def count(durations_us: Iterable[int]) -> Counts:
    """The counts of durations in microseconds."""
    counts: Counts = {}
    for duration_us in durations_us:
        bucket = bucket_of(duration_us)
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """Microseconds that ``share`` (0 to 1) of the counted durations do not exceed; None when nothing was counted."""
    rank = ceil(share * sum(counts.values()))
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0 and counts[bucket]:
            return value_of(bucket)
    return None


def merge(parts: Iterable[Mapping[int, int]]) -> Counts:
    """The counts of all parts together."""
    merged: Counts = {}
    for part in parts:
        for bucket, calls in part.items():
            merged[bucket] = merged.get(bucket, 0) + calls
    return merged


def pack(counts: Mapping[int, int]) -> tuple[int | None, bytes | None]:
    """The lowest bucket that has a count, and the counts from there on; (None, None) when there is none."""
    used = [bucket for bucket, calls in counts.items() if calls > 0]
    if not used:
        return None, None
    lowest, highest = min(used), max(used)
    numbers = [max(0, counts.get(bucket, 0)) for bucket in range(lowest, highest + 1)]
    return lowest, _pack_numbers(f"<{len(numbers)}Q", *numbers)


def unpack(lowest: int | None, packed: bytes | None) -> Counts:
    """The counts that were packed."""
    if lowest is None or packed is None:
        return {}
    numbers = _unpack_numbers(f"<{len(packed) // WIDTH}Q", packed)
    return {lowest + place: calls for place, calls in enumerate(numbers) if calls}


def spread(lowest: int, total: int) -> Counts:
    """The counts of packed ones that were added up as one large number each (no count may pass 64 bits)."""
    if not total:
        return {}
    skipped = ((total & -total).bit_length() - 1) // (8 * WIDTH)
    total >>= skipped * 8 * WIDTH
    size = -(-total.bit_length() // (8 * WIDTH)) * WIDTH
    return unpack(lowest + skipped, total.to_bytes(size, "little"))
