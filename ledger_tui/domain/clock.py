"""The one clock: aware UTC, kept in the database as whole microseconds since 1970, and stoppable by tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_frozen_us: int | None = None
_frozen_ticks_us = 0
_moved_us = 0
_seen_from_us: int | None = None


def now_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return _frozen_us if _frozen_us is not None else time.time_ns() // 1_000 + _moved_us


def ticks_us() -> int:
    """Microseconds of a clock that never goes back, for durations; stands still while the clock is stopped."""
    return _frozen_ticks_us if _frozen_us is not None else time.perf_counter_ns() // 1_000


def now() -> datetime:
    """The present moment as an aware UTC datetime."""
    return from_us(now_us())


def seen_from_us() -> int:
    """The moment that a person looks from, in microseconds since 1970: ages are told from it. Now, unless ``look_from``."""
    return now_us() if _seen_from_us is None else _seen_from_us


def look_from(at_us: int | None) -> None:
    """Tell ages from an earlier moment, None: from now. For front ends, which show one moment at a time."""
    global _seen_from_us
    _seen_from_us = at_us


def from_us(value: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970; raises OverflowError outside the years 1 to 9999."""
    from datetime import UTC, datetime, timedelta

    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone: give an aware datetime")
    from datetime import timedelta

    return (moment - from_us(0)) // timedelta(microseconds=1)


@contextmanager
def stopped(at: datetime) -> Iterator[None]:
    """Stop the clock at ``at`` inside the block (for tests and demonstrations)."""
    global _frozen_us, _frozen_ticks_us
    before = _frozen_us, _frozen_ticks_us
    _frozen_us, _frozen_ticks_us = to_us(at), ticks_us()
    try:
        yield
    finally:
        _frozen_us, _frozen_ticks_us = before


def is_stopped() -> bool:
    """Whether the clock is stopped."""
    return _frozen_us is not None


def advance(microseconds: int) -> None:
    """Let time go on by so much while the clock is stopped; raises RuntimeError when it runs."""
    global _frozen_us, _frozen_ticks_us
    if _frozen_us is None:
        raise RuntimeError("the clock runs by itself: stop it first")
    _frozen_us += microseconds
    _frozen_ticks_us += max(0, microseconds)


async def pause(seconds: float) -> None:
    """Wait; while the clock is stopped, nobody waits and the clock goes on by so much."""
    import asyncio

    if _frozen_us is not None:
        advance(round(seconds * 1_000_000))
    await asyncio.sleep(seconds if _frozen_us is None else 0)


@contextmanager
def moved(to: datetime) -> Iterator[None]:
    """Let the clock run on from ``to`` inside the block (for demonstrations); durations stay true."""
    global _moved_us
    before, _moved_us = _moved_us, to_us(to) - time.time_ns() // 1_000
    try:
        yield
    finally:
        _moved_us = before
