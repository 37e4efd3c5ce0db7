"""Time and ids that are the same in every run of a test, so that what a ledger holds can be compared as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

from ledger_tui.domain import clock, ids
from ledger_tui.errors import InputError

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""Where a stopped clock stands when a test does not say."""


class StoppedClock:
    """The ledger's clock, which only a test moves. It is one for the whole process."""

    @property
    def now(self) -> datetime:
        """The moment that the clock shows, in UTC."""
        return clock.now()

    def advance(self, seconds: float | timedelta) -> datetime:
        """Let time go on, also for everything that is being timed now, and return the new moment.

        Raises InputError for a negative time, RuntimeError after the block of ``stopped_clock``.
        """
        passed = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if passed < timedelta(0):
            raise InputError("time goes forward only", remedy="Stop a clock at an earlier moment instead.")
        clock.advance(passed // timedelta(microseconds=1))
        return clock.now()


@contextmanager
def stopped_clock(at: datetime = START) -> Iterator[StoppedClock]:
    """Stop the clock of every ledger of this process inside the block, at an aware moment.

    Times and durations that are recorded follow it; so do waits between tries of a call, which then take no time.
    Raises ValueError for a moment without a zone.
    """
    with clock.stopped(at):
        yield StoppedClock()


def counted_ids() -> AbstractContextManager[None]:
    """Count the ids that ledgers of this process make inside the block: ``00000000-0000-7000-8000-000000000001`` ...

    For one ledger a block, since every block counts from one; and for code that makes ids in one order.
    """
    return ids.counted()
