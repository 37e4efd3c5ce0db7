"""The spool of one program: appends at once, and a thread that moves what was appended into the database.

Nothing that an append does waits for the database. The thread starts with the first record, ends with the program, and
also takes over what programs that are gone have left.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

from ledger_tui.errors import DatabaseLocked, LedgerError, StoreError
from ledger_tui.services import forking
from ledger_tui.store import spool
from ledger_tui.store.failures import LASTING
from ledger_tui.store.spool import SpoolFile, SpoolWriter

if TYPE_CHECKING:
    from logging import Logger

    from ledger_tui.paths import Paths
    from ledger_tui.services.spool_drain import Drain, Price
    from ledger_tui.store.database import Database

GATHER_S = 0.05
"""How long records gather before they are moved together."""
LOOK_S = 2.0
"""Seconds between looks for what other programs have left."""
FLUSH_S = 30.0
STALLED_S = 2.0
"""How long closing waits for a database that takes nothing; while it takes something, up to ``FLUSH_S``."""
_BREATH_S, _LONG_BREATH_S = 0.0005, 0.004
_PER_RECORD_S = 0.00004
_FORK_WAIT_S, _LOADING_WAIT_S = 2.0, 30.0
"""How long fork() waits for a batch in the database, and for one that is being read (then modules may be loading)."""


class SpoolState(TypedDict):
    """How the recording of this process stands; counts are of this process."""

    written: int
    drained: int
    pending_bytes: int
    waits: int
    """Calls that waited because the spool was full."""
    refused: int
    """Calls that raised because a span could not be recorded."""
    torn: int
    put_aside: int
    adopted: int
    last_error: str | None
    """Why moving records does not get on, None when it does."""


class Spooler:
    """Records in, rows out. Thread-safe; a child process after fork() starts with a spool and a thread of its own."""

    def __init__(
        self, database: Database, paths: Paths, *, device: str, limit_bytes: int, prices: Callable[[], Price]
    ) -> None:
        """limit_bytes: of all spool files for this database together; at it ``append`` waits. prices: made by the thread."""
        self._database = database
        self.folder = spool.folder_of(database.path, database.label, paths)
        self._device, self._prices = device, prices
        self._writer = SpoolWriter(self.folder, limit_bytes, self._wait_for_room)
        self.by_itself = True
        """Drain in a thread; else only when somebody reads, flushes or closes, in the caller's thread."""
        self._begin()
        forking.watch(self)
        _live.add(self)

    def _begin(self) -> None:
        self._adopted: list[SpoolFile] = []
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._asleep = False
        self._stop = False
        self._went_round = threading.Event()
        self._prepared = False
        self._last_error: LedgerError | None = None
        self._seen = 0
        self._waits = 0
        self._swept = False
        self._took_over = False

    @cached_property
    def _drain(self) -> Drain:
        """Loaded by the thread: the first record does not wait for what it needs."""
        from ledger_tui.services.spool_drain import Drain

        return Drain(self._database, self._device, self._prices(), self._breathe)

    def append(self, body: bytes) -> None:
        """Record ``body``: when this returns, it outlives the process. Raises StoreError when the disk takes nothing."""
        self._writer.append(spool.frame(body))
        if self._asleep:
            self._asleep = False
            self._wake.set()
        elif self._thread is None:
            self.start()

    def start(self) -> None:
        """Start the thread if it does not run."""
        if not self.by_itself:
            return
        with self._starting:
            if self._thread is not None:
                return
            self._stop = False
            thread = threading.Thread(target=self._run, name="ledger-spool", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # The interpreter is ending; the next program drains the file.
            self._thread = thread

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until everything recorded before is in the database, also what ended programs left.

        False when that took longer than ``timeout_s`` (None: 30 seconds) because others hold the database; raises
        StoreError when the database cannot be written for another reason.
        """
        return self._flush(FLUSH_S if timeout_s is None else timeout_s, with_orphans=True)

    def _flush(self, timeout_s: float, *, with_orphans: bool) -> bool:
        until = time.monotonic() + timeout_s
        while True:
            error: LedgerError | None = None
            try:
                if self._work(until, with_orphans):
                    return True
            except LASTING:
                raise
            except StoreError as found:
                error = found
            if time.monotonic() >= until:
                if error is None or isinstance(error, DatabaseLocked):
                    return False
                raise error
            time.sleep(0.02)

    def behind(self) -> bool:
        """Whether something that this process recorded, or took over, is not in the database yet."""
        if self._thread is not None and not self._went_round.is_set():
            return True
        return bool(self._adopted) or self._recorded()

    def _recorded(self) -> bool:
        return any(file.done < file.end for file in self._writer.files)

    def adopt(self, patience_s: float) -> None:
        """Let the thread take over what ended programs left; wait for its next round, but not longer than that."""
        if not self.by_itself:
            self._flush(patience_s, with_orphans=True)
            return
        self._went_round.clear()
        self.start()
        self._wake.set()
        self._went_round.wait(patience_s)

    def state(self) -> SpoolState:
        """Counts, and what is wrong if anything is."""
        counts, writer = self._drain.counts, self._writer
        return {
            "written": writer.count,
            "drained": counts.drained,
            "pending_bytes": sum(file.end - file.done for file in writer.files),
            "waits": self._waits,
            "refused": writer.refused,
            "torn": counts.torn,
            "put_aside": counts.put_aside,
            "adopted": counts.adopted,
            "last_error": None if self._last_error is None else str(self._last_error),
        }

    def close(self) -> None:
        """Drain, remove the emptied files and end the thread; what does not get through waits for the next program."""
        self._writer.finish()
        patience_s = STALLED_S if self._drained_own() else 0.1
        self._end_thread(patience_s)
        left = sum(file.end - file.done for file in self._writer.files)
        if left:
            _log().warning("%s bytes of recorded spans wait in %s for the next program", left, self.folder)
        self._let_files_go()

    def _drained_own(self) -> bool:
        until = time.monotonic() + FLUSH_S
        while time.monotonic() < until:
            before = self._drain.counts.drained
            try:
                if self._flush(STALLED_S, with_orphans=False):
                    return True
            except StoreError as error:
                self._last_error = error
                return False
            if self._drain.counts.drained == before:
                return False
        return False

    def let_go(self) -> None:
        """Ask the thread to drain what is there and to end; does not wait."""
        self._stop = True
        self._wake.set()

    def _end_thread(self, patience_s: float) -> None:
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        self.let_go()
        thread.join(patience_s)

    def _let_files_go(self) -> None:
        if self._turn.acquire(timeout=0.1):
            try:
                self._writer.abandon()
                for file in self._adopted:
                    file.close()
                self._adopted.clear()
            finally:
                self._turn.release()

    def _run(self) -> None:
        """The thread: sleep until something is recorded, let a little gather, move all of it."""
        patience = 0.0
        try:
            while True:
                if self._recorded() and not self._stop:
                    time.sleep(GATHER_S)
                patience = 0.0 if self._try_work() else min(1.0, patience * 2 + 0.05)
                self._went_round.set()
                if self._stop:
                    break
                self._asleep = True
                if patience or not self._recorded():
                    self._wake.wait(patience or LOOK_S)
                self._asleep = False
                self._wake.clear()
        finally:
            self._asleep = False
            self._thread = None

    def _try_work(self) -> bool:
        try:
            self._work(float("inf"))
        except StoreError as error:
            if type(error) is not type(self._last_error):
                _log().warning("recorded spans wait on disk: %s", error)
            self._last_error = error
            return False
        except Exception:
            _log().exception("recorded spans wait on disk")
            return False
        self._last_error = None
        return True

    def _work(self, until: float, with_orphans: bool = True) -> bool:
        """Move what is recorded by now; False when ``until`` came first. Raises StoreError."""
        with self._my_turn(until) as mine:
            if not mine:
                return False
            if with_orphans:
                self._look_for_orphans()
            files = [*self._adopted, *self._writer.files] if with_orphans else self._writer.files
        moved = all(self._move_all(file, until) for file in files)
        if moved and self._took_over and not self._adopted:
            from ledger_tui.services.abandoned import end_abandoned

            self._took_over = False
            end_abandoned(self._database, self._device, has_all=True)
        return moved

    def _move_all(self, file: SpoolFile, until: float) -> bool:
        final, upto = file.final, file.end
        while time.monotonic() < until:
            with self._my_turn(until) as mine:
                if not mine:
                    return False
                if file.descriptor < 0:
                    return True
                if file.done < upto:
                    self._prepare()
                    self._drain.move(file, upto)
                upto = min(upto, file.end)
                if file.done >= upto:
                    if final:
                        self._remove(file)
                    return True
            time.sleep(_BREATH_S)  # Somebody else's turn, here and in the database.
        return False

    @contextlib.contextmanager
    def _my_turn(self, until: float) -> Iterator[bool]:
        left = until - time.monotonic()
        mine = self._turn.acquire(timeout=max(0.0, min(left, 3600.0)))
        try:
            yield mine
        finally:
            if mine:
                self._turn.release()

    def _prepare(self) -> None:
        if self._prepared:
            return
        self._database.prepare()
        self._prepared = True

    def _look_for_orphans(self) -> None:
        found = spool.orphans(self.folder)
        if found:
            self._prepare()
            for file in found:
                self._drain.begin(file)
            self._drain.counts.adopted += len(found)
            self._adopted += found
            self._took_over = True
        if self._prepared and not self._swept:
            self._swept = True
            self._drain.sweep(lambda: spool.names(self.folder))

    def _remove(self, file: SpoolFile) -> None:
        if file in self._adopted:
            self._adopted.remove(file)
        else:
            self._writer.forget(file)
        self._drain.remove(file)

    def _breathe(self) -> bool:
        """Leave the interpreter to the program's threads, the longer the more they record; whether they do."""
        recorded, self._seen = self._writer.count - self._seen, self._writer.count
        if not recorded:
            return False
        time.sleep(min(_LONG_BREATH_S, _BREATH_S + recorded * _PER_RECORD_S))
        return True

    def _wait_for_room(self, looks: int) -> None:
        error = self._last_error
        if isinstance(error, LASTING):
            raise error
        if not self.by_itself:
            self._flush(FLUSH_S, with_orphans=False)
            return
        if looks == 0:
            self._waits += 1
            self.start()
            self._wake.set()
        if looks % 100 == 0:
            why = f" ({error})" if error else ""
            _log().warning("the spool %s is full, recording waits for the database%s", self.folder, why)

    def before_fork(self) -> threading.Lock | None:
        """Wait for the batch to end and hold the next one back; the lock that does, None when it took too long.

        A child has no use for half a batch, and could never use a module that is half loaded.
        """
        begun = time.monotonic()
        while not self._turn.acquire(timeout=0.1):
            drain: Drain | None = self.__dict__.get("_drain")
            patience_s = _FORK_WAIT_S if drain is not None and drain.in_database else _LOADING_WAIT_S
            if time.monotonic() - begun > patience_s:
                return None
        return self._turn

    def after_fork(self) -> None:
        """In a child: the parent's files, thread and locks are not ours."""
        self._writer.abandon()
        for file in self._adopted:
            file.close()
        self._writer.count = self._writer.refused = 0
        self.__dict__.pop("_drain", None)
        self._begin()


_live: weakref.WeakSet[Spooler] = weakref.WeakSet()


def close_all() -> None:
    """Close every spooler of this process."""
    for one in list(_live):
        one.close()


def _log() -> Logger:
    import logging

    return logging.getLogger("ledger_tui.spool")
