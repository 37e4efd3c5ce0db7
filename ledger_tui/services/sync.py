"""Sharing a ledger with a team: making and joining a shared ledger, exchanging, proving, and what may leave.

Offline is the normal state: an exchange that fails has lost nothing, and the next one goes on where it ended. One exchange of a
ledger runs at a time, in whatever program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger_tui.errors import Conflict, DatabaseLocked, InputError, LedgerError
from ledger_tui.paths import Paths
from ledger_tui.services import sync_outcome, sync_server
from ledger_tui.services.sync_joining import SyncJoining, release
from ledger_tui.services.sync_keeping import SyncKeeping
from ledger_tui.services.sync_people import SyncPeople
from ledger_tui.services.sync_values import Proof, SyncReceiptRow, SyncStatus
from ledger_tui.store import files, sync_asides, sync_receipts, sync_sharing, sync_standing

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from ledger_tui.domain.sync.sharing import Sharing
    from ledger_tui.store.database import Database
    from ledger_tui.store.sync_asides import Aside
    from ledger_tui.store.sync_preview import Going
    from ledger_tui.sync.door import Listener, Remote
    from ledger_tui.sync.engine import Difference, Engine, Outlook, Progress, Receipt

OpenRemote = Callable[["Database"], "Remote"]


def _nobody(_: Progress) -> None:
    """Nobody watches."""


class SyncService(SyncJoining, SyncPeople, SyncKeeping):
    """One ledger and its shared server. Thread-safe. Every call but ``status`` and the rules may wait for the server."""

    def __init__(
        self,
        database: Database,
        paths: Paths,
        *,
        device: Callable[[], str],
        author: Callable[[], str] = lambda: "",
        open_remote: OpenRemote = sync_server.open_remote,
        before_read: Callable[[], None] = lambda: None,
    ) -> None:
        """device: the name that others see for this machine. author: who asks for a purge. open_remote: the door to the
        server of a ledger."""
        self._database = database
        self._paths = paths
        self._device = device
        self._author = author
        self._open_remote = open_remote
        self._before_read = before_read

    # Exchanging

    def sync(self, on_progress: Callable[[Progress], None] = _nobody, *, anew: bool = False) -> Receipt:
        """Send what waits and bring what is new, through the ledger's server. Raises as ``sync_once``, InputError without one.

        anew: compare everything, and send and bring all that one end lacks: what to do when ``verify`` found a difference.
        """
        self._read_again()
        try:
            remote = self._open_remote(self._database)
        except LedgerError as error:
            sync_outcome.note_failure(self._database, error)
            raise
        try:
            return self.sync_once(remote, on_progress, anew=anew)
        finally:
            remote.close()

    def sync_once(
        self,
        remote: Remote,
        on_progress: Callable[[Progress], None] = _nobody,
        *,
        stop: Event | None = None,
        anew: bool = False,
    ) -> Receipt:
        """Send what waits and bring what is new; what was done, refused and kept back. anew: as ``sync``.

        Raises SyncError (sync/door.py), Conflict while another program syncs this ledger, InputError for a ledger that lives on a
        server itself. What on_progress raises ends the exchange at once; the next one goes on. stop: when it is set, an exchange
        that fails was ended by its caller, and does not count as failed.
        """
        self._check_file()
        self._before_read()
        with self._alone():
            return self._exchange(remote, sync_outcome.Listener(on_progress, stop), anew=anew)

    def _exchange(
        self, remote: Remote, listener: sync_outcome.Listener | None = None, *, anew: bool = False
    ) -> Receipt:
        """As ``sync_once``, while nobody else syncs this ledger."""
        from ledger_tui.store import sync_purge

        listener = listener or sync_outcome.Listener(_nobody)
        try:
            receipt = self._engine(remote, listener).sync(anew=anew)
        except Exception as error:
            if not listener.ended:
                sync_outcome.note_failure(self._database, error)
            raise
        receipt = sync_outcome.note(self._database, receipt)
        sync_purge.wipe_words(self._database)
        return receipt

    def outlook(self, remote: Remote | None = None) -> Outlook:
        """What a sync would send and bring now; changes nothing. Raises as ``sync_once``."""
        self._before_read()
        with self._remote(remote) as door:
            return self._engine(door, _nobody).outlook()

    def going(self) -> Going:
        """What would go with the next sync, by kind and prompt, as far as the ledger itself can tell; asks nobody."""
        from ledger_tui.store import sync_preview

        self._before_read()
        with self._database.lean() as lean:
            return sync_preview.going(lean, sync_sharing.sharing(lean))

    def verify(
        self, remote: Remote | None = None, on_progress: Callable[[Progress], None] = _nobody
    ) -> list[Difference]:
        """Exchange, then compare both ends by digests of every record: where they differ; empty when they hold the same.

        Raises as ``sync_once``.
        """
        return list(self.prove(remote, on_progress).differences)

    def prove(self, remote: Remote | None = None, on_progress: Callable[[Progress], None] = _nobody) -> Proof:
        """As ``verify``, with what was compared: both ends read every record. Raises as ``sync_once``."""
        from ledger_tui.domain.sync.digest import agreement

        with self._remote(remote) as door:
            self.sync_once(door, on_progress)
            engine = self._engine(door, on_progress)
            differences = tuple(engine.verify())
        with self._database.lean_write() as lean:
            known = sync_standing.state(lean)
            sync_receipts.set_last(lean, differ=bool(differences), **({"agreed": None} if differences else {}))
        counts = {stream: sum(cell.records for cell in digest.values()) for stream, digest in engine.compared.items()}
        return Proof(differences, counts, agreement({stream: known.cursor(stream) for stream in engine.compared}))

    def listener(self, remote: Remote) -> Listener | None:
        """Hears when colleagues change the registry; None where nobody can hear it."""
        return remote.listener()

    def opened(self) -> Remote:
        """The door to the server; its caller closes it. Raises InputError for a ledger without one.

        Whatever else is in the way, such as a password file that cannot be read, is noted as a failed exchange.
        """
        self._read_again()
        try:
            return self._open_remote(self._database)
        except LedgerError as error:
            if self.status().is_shared:
                sync_outcome.note_failure(self._database, error)
            raise

    @contextmanager
    def open(self) -> Iterator[Remote]:
        """The door to the server, for several exchanges. Raises as ``opened``."""
        remote = self.opened()
        try:
            yield remote
        finally:
            remote.close()

    def _read_again(self) -> None:
        """After an upgrade: read what an older release could only keep. Whether it is due costs one look at the ledger."""
        from ledger_tui.store import sync_renewal

        if self._database.dialect != "sqlite":
            return
        with self._database.lean() as lean:
            due = sync_renewal.is_due(lean)
        if due:
            with self._database.lean_write() as lean:
                sync_renewal.read_again(lean)

    @contextmanager
    def _remote(self, given: Remote | None) -> Iterator[Remote]:
        if given is not None:
            yield given
            return
        with self.open() as remote:
            yield remote

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = _lock_of(self._database.path or self._paths.database)
        try:
            held = files.exclusive_lock(lock, timeout_s=0)
            held.__enter__()
        except DatabaseLocked as error:
            raise Conflict("another program does it", title="A sync of this ledger is under way") from error
        try:
            yield
        finally:
            held.__exit__(None, None, None)

    # Looking

    def status(self) -> SyncStatus:
        """Where the ledger stands, from the ledger alone: cheap enough for every few seconds."""
        from ledger_tui.domain.sync.sharing import Sharing

        if self._database.dialect != "sqlite":
            return SyncStatus("", None, Sharing())
        with self._database.lean() as lean:
            place = sync_receipts.remote(lean)
            rules = sync_sharing.sharing(lean)
            if place is None:
                return SyncStatus("", None, rules)
            from ledger_tui.store import sync_log

            known, last = sync_standing.state(lean), sync_receipts.last(lean)
            waiting = {stream: sync_log.waiting(lean, stream) for stream in rules.streams}
            aside = sync_asides.count_asides(lean)
        error = last.get("error") or {}
        status = SyncStatus(
            str(place["label"]), known.workspace, rules, waiting, aside, last.get("at_us"), last.get("agreed"),
            last.get("agreed_us"), ": ".join(part for part in (error.get("title"), error.get("cause")) if part),
            error.get("remedy", "") or "", last.get("failing_since_us"), known.resyncing is not None,
            {stream: known.cursor(stream).seq for stream in rules.streams},
        )  # fmt: skip
        return replace(status, agreed=None) if status.pending else status

    def file_mark(self) -> object:
        """Something that is another after whatever program wrote to the ledger; None where that cannot be told."""
        path = self._database.path
        return None if path is None else files.change_mark(path)

    def receipts(self, limit: int = 50) -> list[SyncReceiptRow]:
        """What exchanges did, newest first; those that found nothing to do are not kept."""
        with self._database.lean() as lean:
            return [SyncReceiptRow.of(at_us, detail) for at_us, detail in sync_receipts.newest(lean, limit)]

    def asides(self, limit: int = 1_000) -> list[Aside]:
        """What was set aside by the server, or put in quarantine here."""
        with self._database.lean() as lean:
            return sync_asides.asides(lean, limit)

    def drop_asides(self, keys: Sequence[str]) -> None:
        """Forget what is set aside under these keys; what came is gone here, records of one's own stay here without effect."""
        with self._database.lean_write() as lean:
            sync_asides.remove(lean, keys)

    # Rules

    def sharing(self) -> Sharing:
        """What may leave this machine."""
        with self._database.lean() as lean:
            return sync_sharing.sharing(lean)

    def set_sharing(self, rules: Sharing) -> None:
        """Other rules from now on; what they newly allow goes with the next sync."""
        with self._database.lean_write() as lean:
            sync_sharing.set_sharing(lean, rules)

    def _engine(self, remote: Remote, on_progress: Callable[[Progress], None]) -> Engine:
        from ledger_tui.store.sync_log import LedgerLog
        from ledger_tui.sync.door import Client
        from ledger_tui.sync.engine import Engine

        self._check_file()
        log, client = LedgerLog(self._database), Client(self._device(), release())
        return Engine(log, remote, client, streams=self.sharing().streams, on_progress=on_progress)

    def _check_file(self) -> None:
        if self._database.dialect != "sqlite":
            raise InputError(
                "it lives on a server",
                title="This ledger is shared already",
                remedy="Sync is for ledgers in files; open this one from everywhere.",
            )


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".sync.lock")
