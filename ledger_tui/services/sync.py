"""Sharing a ledger with a team: making and joining a shared ledger, exchanging, proving, and what may leave.

Offline is the normal state: an exchange that fails has lost nothing, and the next one goes on where it ended. One exchange of a
ledger runs at a time, in whatever program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.errors import Conflict, DatabaseLocked, InputError, LedgerError
from ledger_tui.paths import Paths
from ledger_tui.services import sync_server
from ledger_tui.services.sync_values import Joined, SyncReceiptRow, SyncStatus
from ledger_tui.store import files, sync_receipts, sync_sharing, sync_standing

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_tui.domain.sync.sharing import Sharing
    from ledger_tui.store.database import Database
    from ledger_tui.store.sync_standing import Aside
    from ledger_tui.sync.door import Device, Listener, Remote
    from ledger_tui.sync.engine import Difference, Engine, Outlook, Progress, Receipt
    from ledger_tui.sync.people import Member

OpenRemote = Callable[["Database"], "Remote"]


def _nobody(_: Progress) -> None:
    """Nobody watches."""


class SyncService:
    """One ledger and its shared server. Thread-safe. Every call but ``status`` and the rules may wait for the server."""

    def __init__(
        self,
        database: Database,
        paths: Paths,
        *,
        device: Callable[[], str],
        open_remote: OpenRemote = sync_server.open_remote,
        before_read: Callable[[], None] = lambda: None,
    ) -> None:
        """device: the name that others see for this machine. open_remote: the door to the server of a ledger."""
        self._database = database
        self._paths = paths
        self._device = device
        self._open_remote = open_remote
        self._before_read = before_read

    # Making and joining

    def init(self, url: str, *, name: str = "", password: str | None = None) -> Joined:
        """Make a shared ledger in an empty Postgres database, or bring one to this release, and share this ledger through it.

        password: the account's, when the address has none. Raises ``SchemaRights`` (its ``script`` is the SQL for the one who
        may), SyncError, AddressRefused, InputError.
        """
        from ledger_tui.sync.server.install import install

        self._check_file()
        target, source = sync_server.with_password(url, password)
        with self._database.lean() as lean:
            mine = sync_standing.state(lean).workspace
        done = install(target, workspace=mine, name=name)
        return self._joined(target, source, done.workspace, made=done.made_workspace)

    def join(self, url: str, *, workspace: str | None = None, password: str | None = None) -> Joined:
        """Share this ledger through a server that has a shared ledger already. Raises as ``init``."""
        from ledger_tui.sync.door import Client
        from ledger_tui.sync.postgres import PostgresRemote

        self._check_file()
        target, source = sync_server.with_password(url, password)
        remote = PostgresRemote(target, workspace)
        try:
            welcome = remote.hello(Client(self._device(), _release()), {})
        finally:
            remote.close()
        with self._database.lean() as lean:
            mine = sync_standing.state(lean).workspace
        if mine not in (None, welcome.workspace):
            from ledger_tui.sync.door import OtherLedger

            raise OtherLedger(f"this ledger belongs to {mine}, the address leads to {welcome.workspace}")
        return self._joined(target, source, welcome.workspace, made=False)

    def script(self, *, name: str = "") -> str:
        """The SQL for psql that makes a shared ledger, for the one who may run it."""
        import uuid

        from ledger_tui.sync.server.install import script

        with self._database.lean() as lean:
            mine = sync_standing.state(lean).workspace
        return script(mine or str(uuid.uuid4()), name)

    def leave(self) -> None:
        """Forget the server and its password; everything that was exchanged stays, and joining again goes on from there."""
        target = sync_server.stored_target(self._database)
        sync_server.forget_password(target)
        with self._database.lean_write() as lean:
            sync_receipts.set_remote(lean, None)

    def _joined(self, target: Any, source: str, workspace: str, *, made: bool) -> Joined:
        kept = source or sync_server.keep_password(target)
        place = {"address": target.stored, "label": target.label, "keyring_item": target.keyring_item}
        with self._database.lean_write() as lean:
            sync_receipts.set_remote(lean, place)
        return Joined(workspace, target.label, made, kept)

    # Exchanging

    def sync(self, on_progress: Callable[[Progress], None] = _nobody) -> Receipt:
        """Send what waits and bring what is new, through the ledger's server. Raises as ``sync_once``, InputError without one."""
        try:
            remote = self._open_remote(self._database)
        except LedgerError as error:
            self._note_failure(error)
            raise
        try:
            return self.sync_once(remote, on_progress)
        finally:
            remote.close()

    def sync_once(self, remote: Remote, on_progress: Callable[[Progress], None] = _nobody) -> Receipt:
        """Send what waits and bring what is new; what was done, refused and kept back.

        Raises SyncError (sync/door.py), Conflict while another program syncs this ledger, InputError for a ledger that lives on a
        server itself. What on_progress raises ends the exchange at once; the next one goes on.
        """
        engine = self._engine(remote, on_progress)
        self._before_read()
        with self._alone():
            try:
                receipt = engine.sync()
            except LedgerError as error:
                self._note_failure(error)
                raise
            self._note(receipt)
            return receipt

    def outlook(self, remote: Remote | None = None) -> Outlook:
        """What a sync would send and bring now; changes nothing. Raises as ``sync_once``."""
        self._before_read()
        with self._remote(remote) as door:
            return self._engine(door, _nobody).outlook()

    def verify(
        self, remote: Remote | None = None, on_progress: Callable[[Progress], None] = _nobody
    ) -> list[Difference]:
        """Where this ledger and the server differ, by digests; empty when they hold the same. Raises as ``sync_once``."""
        with self._remote(remote) as door:
            return self._engine(door, on_progress).verify()

    def listener(self, remote: Remote) -> Listener | None:
        """Hears when colleagues change the registry; None where nobody can hear it."""
        return remote.listener()

    @contextmanager
    def open(self) -> Iterator[Remote]:
        """The door to the server, for several exchanges. Raises InputError for a ledger without one."""
        with self._remote() as remote:
            yield remote

    @contextmanager
    def _remote(self, given: Remote | None = None) -> Iterator[Remote]:
        if given is not None:
            yield given
            return
        remote = self._open_remote(self._database)
        try:
            yield remote
        finally:
            remote.close()

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

    def _note(self, receipt: Receipt) -> None:
        now_us = clock.now_us()
        with self._database.lean_write() as lean:
            changes: dict[str, Any] = {
                "at_us": now_us,
                "error": None,
                "failing_since_us": None,
                "agreed": receipt.agreed,
            }
            if receipt.agreed is not None:
                changes["agreed_us"] = now_us
            sync_receipts.set_last(lean, **changes)
            if receipt.did_something:
                sync_receipts.keep(lean, receipt.as_json())

    def _note_failure(self, error: LedgerError) -> None:
        with self._database.lean_write() as lean:
            since = sync_receipts.last(lean).get("failing_since_us") or clock.now_us()
            told = {"title": error.title, "cause": error.cause, "remedy": error.remedy}
            sync_receipts.set_last(lean, error=told, failing_since_us=since)

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
            aside = sync_standing.count_asides(lean)
        error = last.get("error") or {}
        status = SyncStatus(
            str(place["label"]), known.workspace, rules, waiting, aside, last.get("at_us"), last.get("agreed"),
            last.get("agreed_us"), ": ".join(part for part in (error.get("title"), error.get("cause")) if part),
            error.get("remedy", "") or "", last.get("failing_since_us"), known.resyncing is not None,
            {stream: known.cursor(stream).seq for stream in rules.streams},
        )  # fmt: skip
        return replace(status, agreed=None) if status.pending else status

    def receipts(self, limit: int = 50) -> list[SyncReceiptRow]:
        """What exchanges did, newest first; those that found nothing to do are not kept."""
        with self._database.lean() as lean:
            return [SyncReceiptRow.of(at_us, detail) for at_us, detail in sync_receipts.newest(lean, limit)]

    def asides(self, limit: int = 1_000) -> list[Aside]:
        """What was set aside by the server, or put in quarantine here."""
        with self._database.lean() as lean:
            return sync_standing.asides(lean, limit)

    def drop_asides(self, keys: Sequence[str]) -> None:
        """Forget what is in quarantine under these keys; records of one's own stay until the server takes them."""
        with self._database.lean_write() as lean:
            sync_standing.drop_asides(lean, keys)

    # Rules

    def sharing(self) -> Sharing:
        """What may leave this machine."""
        with self._database.lean() as lean:
            return sync_sharing.sharing(lean)

    def set_sharing(self, rules: Sharing) -> None:
        """Other rules from now on; what they newly allow goes with the next sync."""
        with self._database.lean_write() as lean:
            sync_sharing.set_sharing(lean, rules)

    def withheld(self) -> int:
        """How many records the rules keep at home; reads every row."""
        with self._database.lean() as lean:
            return sync_sharing.withheld(lean)

    # People

    def devices(self) -> list[Device]:
        """Who brought something to the shared ledger, and when last."""
        with self._remote() as remote:
            return remote.devices()

    def members(self) -> list[Member]:
        """The accounts of the shared ledger, for its owners and admins."""
        with self._people() as remote:
            found: list[Member] = remote.members()
            return found

    def enrol(self, login: str, role: str) -> None:
        """Give a login of the server a role in the shared ledger."""
        with self._people() as remote:
            remote.enrol(login, role)

    def dismiss(self, login: str) -> None:
        """Take a login's role away."""
        with self._people() as remote:
            remote.dismiss(login)

    @contextmanager
    def _people(self) -> Iterator[Any]:
        with self._remote() as remote:
            yield remote

    def _engine(self, remote: Remote, on_progress: Callable[[Progress], None]) -> Engine:
        from ledger_tui.store.sync_log import LedgerLog
        from ledger_tui.sync.door import Client
        from ledger_tui.sync.engine import Engine

        self._check_file()
        log, client = LedgerLog(self._database), Client(self._device(), _release())
        return Engine(log, remote, client, streams=self.sharing().streams, on_progress=on_progress)

    def _check_file(self) -> None:
        if self._database.dialect != "sqlite":
            raise InputError(
                "it lives on a server",
                title="This ledger is shared already",
                remedy="Sync is for ledgers in files; open this one from everywhere.",
            )


def _release() -> str:
    from importlib.metadata import version

    return version("ledger-tui")


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".sync.lock")
