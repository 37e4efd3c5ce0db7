"""Percentiles from counts in buckets stay within their stated error, however the counts were put together."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.percentiles import (
    ERROR,
    WIDTH,
    bucket_of,
    count,
    merge,
    pack,
    percentile,
    spread,
    unpack,
    value_of,
)

DURATIONS = st.integers(0, 10**17)
SHARES = st.sampled_from((0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0))


def exact(durations: list[int], share: float) -> int:
    """The duration at the nearest rank."""
    return sorted(durations)[max(1, ceil(share * len(durations))) - 1]


@given(st.lists(DURATIONS, min_size=1), SHARES)
def test_percentiles_are_within_the_stated_error(durations: list[int], share: float) -> None:
    """The percentile of counts differs from the exact one by at most the stated share of it (and by rounding)."""
    found, true = percentile(count(durations), share), exact(durations, share)
    assert found is not None
    assert abs(found - max(1, true)) <= ERROR * true + 0.5


@given(st.integers(0, 19))
def test_tiny_durations_are_exact(duration_us: int) -> None:
    """Below twenty microseconds nothing is rounded, but that nothing takes no time."""
    assert value_of(bucket_of(duration_us)) == max(1, duration_us)


@given(DURATIONS, DURATIONS)
def test_longer_is_never_in_a_lower_bucket(one: int, other: int) -> None:
    """The order of durations is the order of their buckets."""
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)


@given(st.lists(st.lists(DURATIONS)))
def test_merged_counts_are_the_counts_of_all(parts: list[list[int]]) -> None:
    """Counting parts and merging is counting everything at once."""
    assert merge(map(count, parts)) == count([duration for part in parts for duration in part])


COUNTS = st.dictionaries(st.integers(0, 800), st.integers(1, 2**40), max_size=30)


@given(COUNTS)
def test_packed_counts_come_back(counts: dict[int, int]) -> None:
    """What is packed is unpacked as it was."""
    lowest, packed = pack(counts)
    assert unpack(lowest, packed) == counts
    if lowest is not None and packed is not None:
        assert spread(lowest, int.from_bytes(packed, "little")) == counts


@given(st.lists(COUNTS.filter(bool), min_size=1))
def test_packed_counts_add_up_as_large_numbers(parts: list[dict[int, int]]) -> None:
    """Adding packed counts as one number each, moved to a common place, is merging them."""
    total = 0
    for lowest, packed in map(pack, parts):
        assert lowest is not None and packed is not None
        total += int.from_bytes(packed, "little") << (8 * WIDTH * lowest)
    assert spread(0, total) == merge(parts)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_nothing_has_no_percentile(share: float) -> None:
    """Where nothing was counted, a percentile is unknown and not zero."""
    assert percentile({}, share) is None and percentile({3: 0}, share) is None
    assert pack({}) == pack({3: 0}) == (None, None)
