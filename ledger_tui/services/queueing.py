"""Submitting calls, waiting for them and cancelling them; a thread of the process runs what it submitted.

The thread starts with the first submit. It ends with ``close`` or with the program and leaves what waits in the database,
where the next program that submits, or ``ledger-tui worker``, finds it.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ledger_tui.domain.ids import prompt_id
from ledger_tui.domain.text import nul_position
from ledger_tui.domain.values import TERMINAL
from ledger_tui.errors import BudgetExceeded, Conflict, InputError, KeyTaken, NotFound, StoreError
from ledger_tui.services import forking
from ledger_tui.services.queue import DatabaseQueue, Ticket
from ledger_tui.services.queue_worker import LET_GO_S, LONG_LOOK_S, SHORT_LOOK_S, Ended, Listener, Worker
from ledger_tui.services.recovery import recover_queued
from ledger_tui.store import queue as rows

if TYPE_CHECKING:
    from ledger_tui.services.run_values import RunRequest
    from ledger_tui.services.runs import RunService
    from ledger_tui.store.database import Database
    from ledger_tui.store.queue import Standing

MAX_KEY = 255
log = logging.getLogger("ledger_tui")


class QueueService:
    """Queued calls of one workspace. Thread-safe; works again after ``fork``, where the parent keeps what it submitted."""

    def __init__(
        self,
        database: Database,
        runs: Callable[[], RunService],
        *,
        device: Callable[[], str],
        concurrency: Callable[[], int],
    ) -> None:
        self._database = database
        self._runs = runs
        self._device = device
        self._concurrency = concurrency
        self._begin()
        _live.add(self)
        forking.watch(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._own: DatabaseQueue | None = None
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        self._workers: set[Worker] = set()
        self._listeners: set[Callable[[], None]] = set()

    def submit(self, request: RunRequest, *, for_anybody: bool = False) -> Ticket:
        """Render a call, store it as queued and return at once; the thread of this process makes it.

        for_anybody: start no thread; a worker makes it. A repeated idempotency key returns the first call as it stands.
        Raises what a run raises before anything is sent.
        """
        check_key(request.idempotency_key)
        plan = self._runs().plan(request)
        try:
            ticket = self._queue().put(plan, for_anybody=for_anybody)
        except BudgetExceeded as error:
            self._runs().refused(error)
            raise
        except KeyTaken as taken:
            ticket = self._first(taken)
        if ticket.status not in TERMINAL and not for_anybody:
            self.start()
        return ticket

    def _first(self, taken: KeyTaken) -> Ticket:
        if not taken.execution_id:
            raise taken
        return ticket_of(self.standing(taken.execution_id))

    def earlier(self, key: str | None, prompt_name: str) -> str | None:
        """The id of the call that has this idempotency key; raises KeyTaken when it is another prompt's."""
        check_key(key)
        if key is None:
            return None
        try:
            with self._database.lean() as lean:
                rows.refuse_taken_key(lean, key, prompt_id(prompt_name))
        except KeyTaken as taken:
            if not taken.execution_id:
                raise
            return taken.execution_id
        return None

    def standing(self, execution_id: str) -> Standing:
        """How a call stands now; raises NotFound."""
        with self._database.lean() as lean:
            found = rows.standing(lean, execution_id)
        if found is None:
            raise NotFound(f"there is no execution {execution_id}"[:200], title="No such execution")
        return found

    def waited(self, execution_id: str, seconds: float) -> Standing:
        """How a call stands when it has ended, or after ``seconds``."""
        rung = threading.Event()
        until = time.monotonic() + seconds
        look_s = SHORT_LOOK_S
        with self._listening(rung.set):
            while True:
                found = self._looked(execution_id)
                left = until - time.monotonic()
                if found["status"] in TERMINAL or left <= 0:
                    return found
                rung.wait(min(look_s, left))
                rung.clear()
                look_s = min(LONG_LOOK_S, look_s * 1.5)

    async def awaited(self, execution_id: str, seconds: float) -> Standing:
        """``waited`` for code that runs in an event loop; holds no thread while it waits."""
        rung, loop = asyncio.Event(), asyncio.get_running_loop()

        def ring() -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(rung.set)

        until = time.monotonic() + seconds
        look_s = SHORT_LOOK_S
        with self._listening(ring):
            while True:
                found = await asyncio.to_thread(self._looked, execution_id)
                left = until - time.monotonic()
                if found["status"] in TERMINAL or left <= 0:
                    return found
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(look_s, left)):
                        await rung.wait()
                rung.clear()
                look_s = min(LONG_LOOK_S, look_s * 1.5)

    def _looked(self, execution_id: str) -> Standing:
        """How a call stands, after what its program left behind was taken back if it has ended."""
        found = self.standing(execution_id)
        if found["status"] in TERMINAL or not found["claimed_by"] or self._is_ours(found["claimed_by"]):
            return found
        return self.standing(execution_id) if recover_queued(self._database, self._device()) else found

    def _is_ours(self, claimed_by: str) -> bool:
        return self._own is not None and claimed_by == self._own.name

    def cancel(self, execution_id: str) -> Standing:
        """Cancel a call and return how it stands: one that runs here stores what came, another ends at once.

        One that has ended stays as it is. Raises NotFound, and Conflict for a running call that nobody submitted.
        """
        found = self.standing(execution_id)
        if found["status"] in TERMINAL:
            return found
        if found["mode"] != "async":
            raise Conflict(
                "it was not submitted", title="This call cannot be cancelled from here", remedy="Cancel its own task."
            )
        worker = self._worker if self._pid == os.getpid() else None
        if worker is not None and worker.cancel(execution_id):
            found = self.waited(execution_id, LET_GO_S)
            if found["status"] in TERMINAL:
                return found
        self._queue().cancel(execution_id)
        self._ring()
        if worker is not None:
            worker.wake()
        return self.standing(execution_id)

    def start(self) -> None:
        """Start the thread that makes queued calls, or tell it to look at once."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._worker = Worker(self._queue_unlocked(), self._runs, self._concurrency, self._ended)
                self._thread = threading.Thread(
                    target=self._work, args=(self._worker,), name="ledger-queue", daemon=True
                )
                self._thread.start()
            worker = self._worker
        if worker is not None:
            worker.wake()

    async def work(self, *, once: bool = False, tell: Listener = lambda ended: None) -> None:
        """Make queued calls in the running event loop, also those that wait for other programs, until ``stop_working``.

        once: end when nothing is due any more. tell: called after each attempt.
        """
        queue = DatabaseQueue(self._database, self._device(), takes_all=True)
        worker = Worker(queue, self._runs, self._concurrency, tell)
        self._workers.add(worker)
        try:
            await worker.run(once=once)
        finally:
            self._workers.discard(worker)
            queue.close()

    def stop_working(self, patience_s: float = LET_GO_S) -> None:
        """Let every ``work`` end: no more calls, and those that run get ``patience_s``."""
        for worker in list(self._workers):
            worker.stop(patience_s)

    def close(self, patience_s: float = LET_GO_S) -> None:
        """Take no more calls; what runs gets ``patience_s`` to end, else it and what waits is left to other programs."""
        if self._pid != os.getpid():
            return
        with self._lock:
            thread, worker, own = self._thread, self._worker, self._own
            self._thread = self._worker = self._own = None
        if worker is not None:
            worker.stop(patience_s)
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience_s + 2.0)
        if own is None:
            return
        try:
            own.close()
        except StoreError as error:
            log.warning("queued calls wait for this program until it has ended: %s", error)
        self._ring()

    def before_fork(self) -> None:
        """Nothing of a queue has to end first: what its thread does belongs to this process."""

    def after_fork(self) -> None:
        """In a child: the thread and what it holds are the parent's."""
        self._begin()

    def _queue(self) -> DatabaseQueue:
        with self._lock:
            return self._queue_unlocked()

    def _queue_unlocked(self) -> DatabaseQueue:
        if self._own is None:
            self._own = DatabaseQueue(self._database, self._device())
        return self._own

    def _work(self, worker: Worker) -> None:
        try:
            asyncio.run(worker.run())
        except Exception:
            log.exception("the queue of this program stopped; the next submit starts it again")

    def _ended(self, ended: Ended) -> None:
        self._ring()

    def _ring(self) -> None:
        for listener in list(self._listeners):
            listener()

    @contextmanager
    def _listening(self, listener: Callable[[], None]) -> Iterator[None]:
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)


def ticket_of(standing: Standing) -> Ticket:
    """The ticket of a call as it stands."""
    names = ("execution_id", "status", "trace_id", "span_id", "provider", "model")
    return Ticket(*(standing[name] for name in names))


def check_key(key: str | None) -> None:
    """Raise InputError for an idempotency key that cannot be kept."""
    if key is None:
        return
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY or nul_position(key) >= 0 or not _is_utf8(key):
        raise InputError(f"an idempotency key is any text of 1 to {MAX_KEY} characters without NUL")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_live: weakref.WeakSet[QueueService] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for one in list(_live):
        one.close()
