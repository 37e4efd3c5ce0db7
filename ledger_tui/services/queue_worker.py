"""Runs what a queue gives, a few calls at a time, in one event loop, through the one path of runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ledger_tui.errors import LedgerError, StoreError
from ledger_tui.services.runs import offload, unbroken
from ledger_tui.store.unfinished import Ending

if TYPE_CHECKING:
    from ledger_tui.services.queue import Queue
    from ledger_tui.services.queued_calls import Job
    from ledger_tui.services.runs import Outcome, RunService

T = TypeVar("T")
SHORT_LOOK_S, LONG_LOOK_S = 0.2, 1.0
"""Between looks at the database for what other programs queued; the longer the longer nothing came."""
RENEW_S, RECOVER_S = 20.0, 5.0
LET_GO_S = 3.0
"""How long calls that run may still take when the worker is asked to stop."""
TROUBLE_S = 10.0
log = logging.getLogger("ledger_tui")


@dataclass(frozen=True, slots=True)
class Ended:
    """What one attempt came to: a final status, or ``queued`` when the call waits again."""

    execution_id: str
    status: str
    prompt: str | None
    attempt: int
    wait_s: float | None = None
    """Until its next attempt."""
    error: str = ""


Listener = Callable[[Ended], None]


class Worker:
    """One loop. ``wake``, ``stop`` and ``cancel`` may be called from any thread."""

    def __init__(
        self,
        queue: Queue,
        runs: Callable[[], RunService],
        concurrency: Callable[[], int],
        tell: Listener = lambda ended: None,
    ) -> None:
        """tell: called in the loop's thread after each attempt was stored."""
        self._queue = queue
        self._runs = runs
        self._concurrency = concurrency
        self._tell = tell
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signal: asyncio.Event | None = None
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._fates: dict[str, str] = {}
        """Why a task is being cancelled: canceled, lost, or (when missing) because we stop."""
        self._stopping = False
        self._let_go_s = LET_GO_S
        self._looked_s = self._renewed_s = 0.0

    async def run(self, *, once: bool = False) -> None:
        """Work until ``stop``; with ``once`` until nothing is due and nothing runs. Cancelling it hands calls back."""
        self._loop, self._signal = asyncio.get_running_loop(), asyncio.Event()
        self._renewed_s = time.monotonic()
        look_s = SHORT_LOOK_S
        try:
            while not self._stopping:
                self._signal.clear()
                came, trouble = await self._round()
                if once and not came and not self._tasks and not trouble:
                    return
                woken = await self._rest(TROUBLE_S if trouble and not self._tasks else look_s)
                look_s = SHORT_LOOK_S if came or woken else min(LONG_LOOK_S, look_s * 1.5)
            await self._rest_of_calls()
        finally:
            await unbroken(self._hand_back())

    def wake(self) -> None:
        """Look at once."""
        loop, signal = self._loop, self._signal
        if loop is not None and signal is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(signal.set)
            except RuntimeError:
                return

    def stop(self, patience_s: float = LET_GO_S) -> None:
        """Take no more, give what runs ``patience_s`` to end, hand the rest back."""
        self._let_go_s = patience_s
        self._stopping = True
        self.wake()

    def cancel(self, execution_id: str) -> bool:
        """Cancel a call that runs here, which stores what came; False when it does not run here."""
        loop, task = self._loop, self._tasks.get(execution_id)
        if loop is None or task is None or loop.is_closed():
            return False
        self._fates[execution_id] = "canceled"
        loop.call_soon_threadsafe(task.cancel)
        return True

    async def _round(self) -> tuple[bool, bool]:
        """Look after what runs and take what is due; whether something came, and whether the database refuses."""
        try:
            await self._look_after()
            room = self._concurrency() - len(self._tasks)
            jobs = await offload(self._queue.claim, room) if room > 0 else []
        except StoreError as error:
            log.warning("queued calls wait: %s", error)
            return False, True
        except Exception:
            log.exception("queued calls wait")
            return False, True
        for job in jobs:
            self._jobs[job.plan.execution_id] = job
            self._tasks[job.plan.execution_id] = asyncio.create_task(self._carry(job))
        return bool(jobs), False

    async def _look_after(self) -> None:
        now_s = time.monotonic()
        if self._jobs:
            for execution_id in await offload(self._queue.lost, dict(self._jobs)):
                task = self._tasks.get(execution_id)
                if task is not None and execution_id not in self._fates:
                    self._fates[execution_id] = "lost"
                    task.cancel()
            if now_s - self._renewed_s > RENEW_S:
                await offload(self._queue.renew)
                self._renewed_s = now_s
        if now_s - self._looked_s > RECOVER_S or not self._looked_s:
            self._looked_s = now_s
            await offload(self._queue.recover)

    async def _rest(self, seconds: float) -> bool:
        assert self._signal is not None
        try:
            async with asyncio.timeout(seconds):
                await self._signal.wait()
        except TimeoutError:
            return False
        return True

    async def _rest_of_calls(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._let_go_s)

    async def _hand_back(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._runs().aclose()
        self._loop = None

    async def _carry(self, job: Job) -> None:
        """One attempt, from sending to storing."""
        execution_id = job.plan.execution_id
        try:
            ended = await self._ended(job)
        except Exception:
            log.exception("a queued call was left to others")
            ended = None
        finally:
            for kept in (self._jobs, self._tasks, self._fates):
                kept.pop(execution_id, None)
        if ended is not None:
            if ended.status != "queued":
                self._queue.forget(execution_id)
            self._tell(ended)
        self.wake()

    async def _ended(self, job: Job) -> Ended | None:
        runs = self._runs()
        try:
            outcome = await runs.attempt(job.plan)
        except LedgerError as error:
            return await self._broken(job, Ending("failed", "refused", str(error)))
        except Exception as error:
            log.exception("a queued call broke")
            return await self._broken(job, Ending("failed", "internal", type(error).__name__))
        fate = self._fates.get(job.plan.execution_id)
        if fate == "lost":
            return None
        if outcome.cancelled and fate is None:
            await self._stored(self._queue.give_back, job)
            return self._told(job, "queued")
        if outcome.failure is not None and not outcome.cancelled:
            wait_s = await self._stored(self._queue.retry, job, outcome.failure)
            if wait_s is not None:
                return self._told(job, "queued", wait_s=wait_s, error=outcome.failure.title)
        return await self._finished(job, runs, outcome)

    async def _finished(self, job: Job, runs: RunService, outcome: Outcome) -> Ended | None:
        outcome.attempts = job.attempt
        result, _ = await unbroken(offload(runs.result_of, job.plan, outcome))
        if not await self._stored(runs.finish, job.plan, job.span_key, result, outcome.metadata, job.turn):
            return None
        return self._told(job, result.status, error=result.error_title)

    async def _broken(self, job: Job, ending: Ending) -> Ended | None:
        await self._stored(self._queue.end, job, ending)
        return self._told(job, "failed", error=ending.words)

    def _told(self, job: Job, status: str, **more: Any) -> Ended:
        return Ended(job.plan.execution_id, status, job.plan.request.prompt_name, job.attempt, **more)

    async def _stored(self, work: Callable[..., T], *args: Any) -> T:
        """Store an end; while others hold the database, again and again: an answer that was paid for is not dropped."""
        pause_s = 0.0
        while True:
            try:
                done, _ = await unbroken(offload(work, *args))
                return done
            except StoreError as error:
                if self._stopping:
                    raise
                if not pause_s:
                    log.warning("the end of a queued call waits to be stored: %s", error)
            pause_s = min(TROUBLE_S, pause_s * 2 + 0.2)
            await unbroken(asyncio.sleep(pause_s))
