"""Making, joining and leaving a shared ledger: where its server is, and the password for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_tui.errors import Conflict, LedgerError
from ledger_tui.services import sync_server
from ledger_tui.services.sync_values import Joined
from ledger_tui.store import sync_receipts, sync_standing
from ledger_tui.store.check import Check

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.sync.door import Remote
    from ledger_tui.sync.dsn import Target


class SyncJoining:
    """The part of ``SyncService`` that decides through which server a ledger is shared."""

    if TYPE_CHECKING:
        _database: Database
        _device: Callable[[], str]

        def opened(self) -> Remote: ...
        def _check_file(self) -> None: ...

    def init(self, url: str, *, name: str = "", password: str | None = None) -> Joined:
        """Make a shared ledger in an empty Postgres database, or bring one to this release, and share this ledger through it.

        password: one that a person typed; else the address's, the environment's or the keyring's. Raises ``SchemaRights`` (its
        ``script`` is the SQL for the one who may), Conflict where there is a shared ledger already, PasswordWanted and other
        kinds of SyncError, AddressRefused, InputError.
        """
        from ledger_tui.sync.server.install import SchemaRights, install

        self._check_file()
        target, source = sync_server.with_password(url, password)
        with _nothing_set_up():
            try:
                done = install(target, workspace=self._workspace(), name=name)
            except SchemaRights as error:
                self._check_none_there(target, error)
                raise
        return self._joined(target, source, done.workspace, made=done.made_workspace)

    def join(self, url: str, *, workspace: str | None = None, password: str | None = None) -> Joined:
        """Share this ledger through a server that has a shared ledger already. Raises as ``init``."""
        from ledger_tui.sync.postgres import PostgresRemote

        self._check_file()
        target, source = sync_server.with_password(url, password)
        with _nothing_set_up():
            found = self._met(PostgresRemote(target, workspace))
        mine = self._workspace()
        if mine not in (None, found):
            from ledger_tui.sync.door import OtherLedger

            raise OtherLedger(f"this ledger belongs to {mine}, the address leads to {found}")
        return self._joined(target, source, found, made=False)

    def give_password(self, password: str) -> str:
        """Try a password that a person typed at the ledger's server, and keep it when it is right: in ``keyring`` or ``memory``.

        Raises PasswordWanted for a wrong one, and as ``sync``.
        """
        from ledger_tui.sync.postgres import PostgresRemote

        with self._database.lean() as lean:
            place = sync_receipts.remote(lean)
        if place is None:
            raise sync_server.not_shared()
        target, source = sync_server.with_password(str(place["address"]), password)
        self._met(PostgresRemote(target, self._workspace()))
        return sync_server.keep_password(target, source)

    def password_source(self, url: str | None = None) -> str:
        """Where the password of an address, or of the ledger's server, comes from (sync_server.with_password)."""
        if url is not None:
            return sync_server.with_password(url)[1]
        return sync_server.stored_target(self._database)[1]

    def meet(self) -> None:
        """Ask the server whether it lets this ledger in. Raises as ``sync``."""
        self._check_file()
        self._met(self.opened())

    def check(self) -> Check:
        """Whether the server answers and lets this ledger in."""
        try:
            self.meet()
        except LedgerError as error:
            return Check("shared server", "bad", str(error), error.remedy)
        return Check("shared server", "ok", "it answers and lets this ledger in")

    def script(self, *, name: str = "", owner: str = "") -> str:
        """The SQL for psql that makes a shared ledger, for the one who may run it. owner: a login that becomes an owner too."""
        import uuid

        from ledger_tui.sync.server.install import script

        return script(self._workspace() or str(uuid.uuid4()), name, owner)

    def leave(self) -> None:
        """Forget the server and its password; everything that was exchanged stays, and joining again goes on from there."""
        with self._database.lean() as lean:
            place = sync_receipts.remote(lean)
        if place is None:
            raise sync_server.not_shared()
        sync_server.forget_password(str(place["keyring_item"]))
        with self._database.lean_write() as lean:
            sync_receipts.set_remote(lean, None)

    def _workspace(self) -> str | None:
        """The shared ledger that this one belongs to, since its first exchange."""
        with self._database.lean() as lean:
            return sync_standing.state(lean).workspace

    def _met(self, remote: Remote) -> str:
        """The shared ledger that a server holds for its account."""
        from ledger_tui.sync.door import Client

        try:
            return remote.hello(Client(self._device(), release()), {}).workspace
        finally:
            remote.close()

    def _check_none_there(self, target: Target, rights: LedgerError) -> None:
        """Raise what is to do for an account that may make nothing where a shared ledger is already."""
        from ledger_tui.sync.door import NoLedger, RemoteRefused
        from ledger_tui.sync.postgres import PostgresRemote
        from ledger_tui.sync.postgres_errors import STRANGER

        try:
            self._met(PostgresRemote(target))
        except NoLedger:
            return
        except RemoteRefused as error:
            if error.cause != STRANGER:
                raise
            cause = f"this account has no role in it ({target.label})"
            raise Conflict(
                cause,
                title=_THERE,
                remedy="Ask its owner for one ('ledger-tui sync enrol LOGIN member'), then run 'ledger-tui sync join'.",
            ) from rights
        raise Conflict(
            f"this account belongs to it ({target.label})", title=_THERE, remedy="Run: ledger-tui sync join"
        ) from rights

    def _joined(self, target: Target, source: str, workspace: str, *, made: bool) -> Joined:
        kept = sync_server.keep_password(target, source)
        place = {"address": target.stored, "label": target.label, "keyring_item": target.keyring_item}
        with self._database.lean_write() as lean:
            sync_receipts.set_remote(lean, place)
            sync_receipts.set_last(lean, error=None, failing_since_us=None)
        return Joined(workspace, target.label, made, kept)


_THERE = "There is a shared ledger here already"


@contextmanager
def _nothing_set_up() -> Iterator[None]:
    """A server that is not reached while it is first named: an address to check, and nothing waits yet."""
    from ledger_tui.sync.door import RemoteUnavailable

    try:
        yield
    except RemoteUnavailable as error:
        if error.remedy != RemoteUnavailable.default_remedy:
            raise
        remedy = "Nothing was set up. Check host and port of the address, and try again once the server answers."
        raise RemoteUnavailable(error.cause, remedy=remedy) from error


def release() -> str:
    """The version of this program, as servers are told."""
    from importlib.metadata import version

    return version("ledger-tui")
