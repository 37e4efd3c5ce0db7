"""Exchanging by itself, for programs that run for long: when something waits, when a colleague is heard, and by the clock.

One thread exchanges, one listens; whoever calls ``run`` only waits for them. Nothing they meet is an error for the program:
a server that is away is tried again, ever more seldom, and what happened stands in the status of the ledger.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.sync.timetable import Pace, Timetable
from ledger_tui.errors import Conflict, InputError, LedgerError, ProviderError
from ledger_tui.services.sync_ear import Ear

if TYPE_CHECKING:
    from ledger_tui.services.sync import SyncService
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.sync.door import Remote
    from ledger_tui.sync.engine import Progress, Receipt

LOOK_S = 1.0
"""Between looks at the ledger for what waits."""
SETTLE_S = 5.0
"""How long a change of the file is looked after: it grows before what was written in it can be read."""
LET_GO_S = 0.8
"""How long ``run`` waits for an exchange that hangs before it leaves it behind."""
ASLEEP_S = 10.0
"""A look that comes later than this by the wall's clock than by ours: the machine slept, and its lines are dead."""
log = logging.getLogger("ledger_tui")


class _Stopped(Exception):
    """Ends an exchange between two of its steps."""


def _ignore(_: Any) -> None:
    """Nobody wants to know."""


class SyncRunner:
    """Syncs one ledger until it is stopped. ``poke`` and ``come_to_front`` may be called from any thread.

    The callbacks are called in a thread of the runner's, not after ``run`` was told to stop; what they raise is logged.
    """

    def __init__(
        self,
        service: SyncService,
        *,
        on_change: Callable[[SyncStatus], None] = _ignore,
        on_progress: Callable[[Progress], None] = _ignore,
        on_receipt: Callable[[Receipt], None] = _ignore,
        in_front: bool = True,
        pace: Pace | None = None,
        look_s: float = LOOK_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """on_change: where the ledger stands, after each step that changed it. on_receipt: what an exchange did, when it did
        something. in_front: whether somebody looks at the program. chance: numbers from 0 to 1.
        """
        self._service = service
        self._on_change = on_change
        self._on_progress = on_progress
        self._on_receipt = on_receipt
        self._look_s = look_s
        self._table = Timetable(pace or Pace(), chance)
        self._table.in_front = in_front
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._running: int | None = None
        """The process that runs it: after a fork the child does not."""
        self._stop = threading.Event()
        self._remote: Remote | None = None
        self._address = ""
        self._told: SyncStatus | None = None
        self._seen: object = None
        """The state of the file when the ledger was last asked, and until when it is asked again."""
        self._settled_s = 0.0
        self._last_us: int | None = None
        """When the last exchange that is known of ended, of whatever program."""
        self._ear: Ear | None = None

    def run(self, stop: threading.Event) -> None:
        """Sync until ``stop`` is set; returns within a second of that, even when a call hangs. Raises Conflict when it runs."""
        with self._guard:
            if self._running == os.getpid():
                raise Conflict("it runs in another thread", title="This ledger is being synced already")
            self._running = os.getpid()
            self._table.begin_anew(time.monotonic())
        self._stop, self._wake, self._remote, self._ear = stop, threading.Event(), None, Ear(self._hear)
        self._seen = self._told = self._last_us = None
        worker = threading.Thread(target=self._work, name="sync", daemon=True)
        worker.start()
        try:
            while worker.is_alive() and not stop.wait(1.0):
                pass
        finally:
            self._end(worker)
            with self._guard:
                self._running = None

    def poke(self) -> None:
        """Exchange now."""
        with self._guard:
            self._table.begin_anew(time.monotonic())
        self._wake.set()

    def come_to_front(self, in_front: bool) -> None:
        """Say whether somebody looks at the program now."""
        with self._guard:
            self._table.come_to_front(time.monotonic(), in_front)
        self._wake.set()

    def _hear(self) -> None:
        with self._guard:
            self._table.hear(time.monotonic())
        self._wake.set()

    def _end(self, worker: threading.Thread) -> None:
        """Stop the threads; one that hangs in the network is left behind and ends by itself."""
        self._stop.set()
        self._wake.set()
        if self._ear is not None:
            self._ear.close()
        until = time.monotonic() + LET_GO_S
        while worker.is_alive() and time.monotonic() < until:
            abandon = getattr(self._remote, "abandon", None)
            if abandon is not None:
                abandon()
            worker.join(0.1)

    def _work(self) -> None:
        stop = self._stop
        apart = _apart()
        try:
            while not stop.is_set():
                if abs(_apart() - apart) > ASLEEP_S:
                    apart = _apart()
                    self._woke_up()
                self._look()
                if time.monotonic() >= self._table.due_s:
                    self._turn()
                    continue
                self._wake.wait(max(0.0, min(self._look_s, self._table.due_s - time.monotonic())))
                self._wake.clear()
        finally:
            self._drop_line()

    def _woke_up(self) -> None:
        self._drop_line()
        with self._guard:
            self._table.begin_anew(time.monotonic())

    def _look(self) -> None:
        """Ask the ledger what waits, when its file changed."""
        now_s, mark = time.monotonic(), self._service.file_mark()
        if mark != self._seen:
            self._seen, self._settled_s = mark, now_s + SETTLE_S
        elif mark is not None and now_s > self._settled_s:
            return
        try:
            status = self._service.status()
        except LedgerError as error:
            log.debug("the ledger cannot be read: %s", error)
            self._seen = None
            return
        self._plan(status)
        self._tell(status)

    def _plan(self, status: SyncStatus) -> None:
        now_s = time.monotonic()
        joined = status.is_shared and self._told is not None and not self._told.is_shared
        others = self._told is not None and status.last_us != self._last_us
        self._last_us = status.last_us
        with self._guard:
            if joined:
                self._table.begin_anew(now_s)
            elif others and self._table.due_s > now_s:
                # Another program synced this ledger just now: that counts as ours.
                self._table.ended(now_s, status.waiting)
            elif status.is_shared:
                self._table.waits(now_s, status.waiting)

    def _turn(self) -> None:
        """One exchange, if there is a server."""
        try:
            if self._told is None or not self._told.is_shared:
                self._rest()
                return
            receipt = self._exchange(self._told.address)
        except _Stopped:
            return
        except Conflict:
            with self._guard:
                self._table.elsewhere(time.monotonic())
            return
        except LedgerError as error:
            self._failed(error)
        except Exception:
            log.exception("a sync broke")
            self._failed(LedgerError())
        else:
            self._ended(receipt)

    def _rest(self) -> None:
        with self._guard:
            self._table.ended(time.monotonic(), {})

    def _exchange(self, address: str) -> Receipt:
        if self._remote is None or address != self._address:
            self._drop_line()
            self._remote, self._address = self._service.opened(), address
        return self._service.sync_once(self._remote, self._progress, stop=self._stop)

    def _progress(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._call(self._on_progress, progress)

    def _failed(self, error: LedgerError) -> None:
        from ledger_tui.sync.door import OtherLedger, RemoteRefused

        self._drop_line()
        hopeless = isinstance(error, RemoteRefused | OtherLedger | InputError | ProviderError)
        with self._guard:
            self._table.failed(time.monotonic(), hopeless=hopeless)
        if not self._stop.is_set():
            log.info("a sync did not succeed: %s", error.title)
            self._tell_now()

    def _ended(self, receipt: Receipt) -> None:
        status = self._service.status()
        self._last_us = status.last_us
        with self._guard:
            self._table.ended(time.monotonic(), status.waiting)
            in_front = self._table.in_front
        if receipt.did_something:
            self._call(self._on_receipt, receipt)
        self._tell(status)
        if self._remote is None or self._ear is None:
            return
        if in_front:
            self._ear.listen(self._remote.listener)
        else:
            self._ear.close()
            self._remote.close()

    def _drop_line(self) -> None:
        remote, self._remote = self._remote, None
        if self._ear is not None:
            self._ear.close()
        if remote is not None:
            remote.close()

    def _tell_now(self) -> None:
        try:
            self._tell(self._service.status())
        except LedgerError as error:
            log.debug("the ledger cannot be read: %s", error)

    def _tell(self, status: SyncStatus) -> None:
        if status != self._told:
            self._told = status
            self._call(self._on_change, status)

    def _call(self, callback: Callable[[Any], None], value: Any) -> None:
        if self._stop.is_set():
            return
        try:
            callback(value)
        except Exception:
            log.exception("what watches a sync broke")


@contextmanager
def exchanging(service: SyncService, **options: Any) -> Iterator[SyncRunner]:
    """Sync in a thread of its own for the time of the block; the options are ``SyncRunner``'s."""
    runner, stop = SyncRunner(service, **options), threading.Event()
    thread = threading.Thread(target=runner.run, args=(stop,), name="sync runner", daemon=True)
    thread.start()
    try:
        yield runner
    finally:
        stop.set()
        thread.join()


def _apart() -> float:
    """How far the wall's clock and the one that stands still while the machine sleeps are apart, in seconds."""
    return time.time() - time.monotonic()
