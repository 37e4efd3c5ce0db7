"""Who shares a ledger: devices, members and their roles, as far as the account may see and change them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ledger_tui.errors import NotFound
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
        """Give a login of the server a role in the shared ledger. Raises NoSuchLogin (sync/door.py) where the server has none."""
        from ledger_tui.sync.door import NoSuchLogin

        with self.open() as remote:
            try:
                _keeper(remote).enrol(login, role)
            except NoSuchLogin as error:
                near = _near(login, _keeper(remote).members())
                meant = f"Did you mean {near[0]}, who is a member? " if near else ""
                raise NoSuchLogin(error.cause, remedy=meant + error.remedy) from error

    def dismiss(self, login: str) -> None:
        """Take a login's role away. Raises NotFound for a login that has none."""
        from ledger_tui.sync.people import MAX_MEMBERS

        with self.open() as remote:
            found: list[Member] = _keeper(remote).members()
            if len(found) < MAX_MEMBERS and login not in {one.login for one in found}:
                raise _no_member(login, found)
            _keeper(remote).dismiss(login)

    def login_script(self, login: str, role: str) -> str:
        """The SQL for psql that makes a login and gives it a role here; it holds no password. Raises InputError."""
        from ledger_tui.sync.people import login_script

        with self._database.lean() as lean:
            workspace = sync_standing.state(lean).workspace
        if workspace is None:
            raise sync_server.not_shared()
        return login_script(workspace, login, role)


def _no_member(login: str, members: Sequence[Member]) -> NotFound:
    near = _near(login, members)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return NotFound(
        f"there is no member {login}", title="No such member", remedy=f"{meant}List them: ledger-tui sync members"
    )


def _near(login: str, members: Sequence[Member]) -> list[str]:
    """Members whose names are like this one."""
    from difflib import get_close_matches

    return get_close_matches(login, [one.login for one in members], n=3)


def _keeper(remote: Remote) -> Any:
    """The server's calls for its keepers, which are no part of the door."""
    return remote
