"""Where calls wait until a worker takes them, and the queue that needs nothing but the database.

A call is stored rendered and checked; a worker of any process claims it in one transaction, which counts the attempt, so
that one worker has it at a time. A call that may have been sent and whose end nobody stored (its process died) is made
again, within the same limit of attempts: at least once, never endlessly. A worker whose claim was given to another stores
nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ledger_tui.domain import clock
from ledger_tui.errors import StoreError
from ledger_tui.services import processes, queued_calls
from ledger_tui.services.queued_calls import Job
from ledger_tui.services.recovery import (
    INTERRUPTED,
    MAX_ATTEMPTS,
    PATIENCE_S,
    WAITS_S,
    WITHHELD,
    recover_queued,
    take_back,
)
from ledger_tui.store import queue as rows
from ledger_tui.store import unfinished
from ledger_tui.store.queue import Taker
from ledger_tui.store.unfinished import Ending

if TYPE_CHECKING:
    from ledger_tui.errors import ProviderError
    from ledger_tui.services.run_record import RunPlan
    from ledger_tui.store.database import Database

LONGEST_WAIT_S = 300.0
"""The longest wait that a provider may ask for."""
CANCELED = Ending("canceled", "canceled", "")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that was put into the queue; ``status`` is its own, or that of the earlier call with the same key."""

    execution_id: str
    status: str
    trace_id: str
    span_id: str
    provider: str
    model: str


class Queue(Protocol):
    """What submitters and workers ask of a queue. Synchronous, thread-safe; raises StoreError."""

    def put(self, plan: RunPlan, *, for_anybody: bool = False) -> Ticket:
        """Store a planned call and let it wait; raises KeyTaken."""

    def claim(self, limit: int) -> list[Job]:
        """Take up to ``limit`` calls whose time has come; the caller is the only one who has them."""

    def retry(self, job: Job, failure: ProviderError) -> float | None:
        """Let a call that failed wait for its next attempt: how many seconds, or None when it must not be made again."""

    def give_back(self, job: Job) -> None:
        """Let others make a call that was not ended; it fails as interrupted when it had its last attempt."""

    def lost(self, jobs: Mapping[str, Job]) -> list[str]:
        """Which of these claims somebody else ended or took over."""

    def end(self, job: Job, ending: Ending) -> bool:
        """End a call without an answer; False when it is not this worker's any more."""

    def renew(self) -> None:
        """Say that this worker is alive."""

    def recover(self) -> int:
        """Take back what ended programs left; how many calls."""

    def forget(self, execution_id: str) -> None:
        """A call has ended: nothing of it is kept in memory."""

    def close(self) -> None:
        """Leave: what waits for this program alone ends as withheld, the rest is anybody's."""


class DatabaseQueue:
    """The queue that needs nothing but the workspace's database: several programs on one file or server share it."""

    def __init__(self, database: Database, device: str, *, takes_all: bool = False) -> None:
        """takes_all: also run what waits for other programs that are alive (a worker of its own)."""
        self._database = database
        self._device = device
        name = f"{processes.this_process(device)}:{next(_numbers)}"
        self.taker = Taker(name, device, takes_all, int(PATIENCE_S * 1_000_000))
        self._private: dict[str, RunPlan] = {}
        """Planned calls that must not be stored as they are sent, by execution id."""
        self._taken: list[str] = []
        """Claimed and not begun yet."""

    @property
    def name(self) -> str:
        """The worker that rows name."""
        return self.taker.name

    def put(self, plan: RunPlan, *, for_anybody: bool = False) -> Ticket:
        """Store a planned call and let it wait for this program, or for any; raises KeyTaken, StoreError."""
        keep_here = plan.is_private
        if keep_here:
            self._private[plan.execution_id] = plan
        try:
            queued_calls.enqueue(self._database, plan, None if for_anybody and not keep_here else self.name)
        except BaseException:
            self._private.pop(plan.execution_id, None)
            raise
        return Ticket(plan.execution_id, "queued", plan.trace_id, plan.span_id, plan.model.provider, plan.model.model)

    def claim(self, limit: int) -> list[Job]:
        """Take what is due, and begin or go on with its spans; what cannot be read ends as failed."""
        now_us = clock.now_us()
        with self._database.lean() as lean:
            is_due = rows.due(lean, self.taker, now_us)
        if is_due and limit > len(self._taken):
            with self._database.lean_write() as lean:
                self._taken += rows.take(lean, self.taker, now_us, limit - len(self._taken))
        return self._begin()

    def _begin(self) -> list[Job]:
        """Begin what is taken; what the database refuses now is tried again with the next claim."""
        jobs: list[Job] = []
        refused: list[str] = []
        trouble: StoreError | None = None
        for execution_id in self._taken:
            try:
                job = queued_calls.begin(self._database, execution_id, self.name, self._private.get(execution_id))
            except StoreError as error:
                refused.append(execution_id)
                trouble = error
                continue
            jobs += [job] if job is not None else []
        self._taken = refused
        if trouble is not None and not jobs:
            raise trouble
        return jobs

    def retry(self, job: Job, failure: ProviderError) -> float | None:
        """Let a call wait 5 s, 30 s or 2 min, or as long as the provider asks; None when there is no further attempt."""
        if not failure.retryable or job.attempt > len(WAITS_S):
            return None
        wait_s = max(WAITS_S[job.attempt - 1], min(failure.retry_after_s or 0.0, LONGEST_WAIT_S))
        again_us = clock.now_us() + int(wait_s * 1_000_000)
        if job.plan.is_private:
            failure = type(failure)(provider=failure.provider)  # Its words may repeat what redaction rules keep out.
        queued_calls.put_back(self._database, job, self.name, again_us, queued_calls.Try(job.attempt, failure, wait_s))
        return wait_s

    def give_back(self, job: Job) -> None:
        """Let any worker make the call again, at once."""
        if job.attempt >= MAX_ATTEMPTS or job.plan.is_private:
            self.end(job, _left(job.plan.is_private))
        else:
            queued_calls.put_back(self._database, job, None, clock.now_us(), None)

    def end(self, job: Job, ending: Ending) -> bool:
        """End a claimed call without an answer; False when it is not this worker's any more."""
        with self._database.lean_write() as lean:
            if not rows.is_claimed(lean, job.plan.execution_id, self.name, job.attempt):
                return False
            return unfinished.end(lean, job.plan.execution_id, clock.now_us(), ending)

    def lost(self, jobs: Mapping[str, Job]) -> list[str]:
        """Which claims are no longer ours."""
        with self._database.lean() as lean:
            return rows.lost(lean, {id_: (self.name, job.attempt) for id_, job in jobs.items()})

    def renew(self) -> None:
        """Say that this worker is alive."""
        with self._database.lean_write() as lean:
            rows.renew(lean, self.name, clock.now_us())

    def recover(self) -> int:
        """Take back what ended programs left; how many calls."""
        return recover_queued(self._database, self._device)

    def cancel(self, execution_id: str) -> bool:
        """End a waiting call, or one that another program runs, as canceled; False when it has ended."""
        with self._database.lean_write() as lean:
            done = unfinished.end(lean, execution_id, clock.now_us(), CANCELED)
        self._private.pop(execution_id, None)
        return done

    def forget(self, execution_id: str) -> None:
        """A call has ended: nothing of it is kept in memory."""
        self._private.pop(execution_id, None)

    def close(self) -> None:
        """Let others have what waits for us and what we could not end; what only we could send ends as failed."""
        with self._database.lean() as lean:
            kept = rows.waiting_for(lean, self.name, sendable=False)
            shared = rows.waiting_for(lean, self.name, sendable=True)
            running = [one for one in rows.held(lean, "running") if one.claimed_by == self.name]
        if kept or shared or running:
            with self._database.lean_write() as lean:
                rows.release(lean, self.name)
                for execution_id in kept:
                    unfinished.end(lean, execution_id, clock.now_us(), WITHHELD)
                for one in running:
                    take_back(lean, one)
        self._taken.clear()
        self._private.clear()


def _left(is_private: bool) -> Ending:
    return WITHHELD if is_private else INTERRUPTED
