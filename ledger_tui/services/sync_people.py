"""Who shares a ledger: devices, members and their roles, as far as the account may see and change them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ledger_tui.services import sync_server
from ledger_tui.store import sync_standing

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.sync.door import Device, Remote
    from ledger_tui.sync.people import Member


class SyncPeople:
    """The part of ``SyncService`` that is about people. Every call but ``login_script`` asks the server."""

    if TYPE_CHECKING:
        _database: Database

        def open(self) -> AbstractContextManager[Remote]: ...

    def devices(self) -> list[Device]:
        """Who brought something to the shared ledger, and when last."""
        with self.open() as remote:
            return remote.devices()

    def members(self) -> list[Member]:
        """The accounts of the shared ledger, for its owners and admins."""
        with self.open() as remote:
            found: list[Member] = _keeper(remote).members()
            return found

    def enrol(self, login: str, role: str) -> None:
        """Give a login of the server a role in the shared ledger."""
        with self.open() as remote:
            _keeper(remote).enrol(login, role)

    def dismiss(self, login: str) -> None:
        """Take a login's role away."""
        with self.open() as remote:
            _keeper(remote).dismiss(login)

    def login_script(self, login: str, role: str) -> str:
        """The SQL for psql that makes a login and gives it a role here; it holds no password. Raises InputError."""
        from ledger_tui.sync.people import login_script

        with self._database.lean() as lean:
            workspace = sync_standing.state(lean).workspace
        if workspace is None:
            raise sync_server.not_shared()
        return login_script(workspace, login, role)


def _keeper(remote: Remote) -> Any:
    """The server's calls for its keepers, which are no part of the door."""
    return remote
