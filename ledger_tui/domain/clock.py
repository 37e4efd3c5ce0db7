"""The one clock: aware UTC, kept in the database as whole microseconds since 1970, and stoppable by tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_frozen_us: int | None = None
_moved_us = 0


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return _frozen_us if _frozen_us is not None else time.time_ns() // 1_000 + _moved_us


def ticks_us() -> int:
    """Microseconds of a clock that never goes back, for durations; stands still while the clock is stopped."""
    return 0 if _frozen_us is not None else time.perf_counter_ns() // 1_000


def now() -> datetime:
    """The present moment as an aware UTC datetime."""
    return from_us(now_us())


def from_us(value: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970; raises OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=value)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone: give an aware datetime")
    return (moment - _EPOCH) // timedelta(microseconds=1)


@contextmanager
def stopped(at: datetime) -> Iterator[None]:
    """Stop the clock at ``at`` inside the block (for tests and demonstrations)."""
    global _frozen_us
    before, _frozen_us = _frozen_us, to_us(at)
    try:
        yield
    finally:
        _frozen_us = before


@contextmanager
def moved(to: datetime) -> Iterator[None]:
    """Let the clock run on from ``to`` inside the block (for demonstrations); durations stay true."""
    global _moved_us
    before, _moved_us = _moved_us, to_us(to) - time.time_ns() // 1_000
    try:
        yield
    finally:
        _moved_us = before
