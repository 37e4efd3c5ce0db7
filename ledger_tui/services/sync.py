"""Syncing a ledger with a shared server, one sync at a time.

Offline is the normal state: a sync that fails has lost nothing, and the next one goes on where it ended. So far the registry
is exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ledger_tui.errors import Conflict, DatabaseLocked, InputError
from ledger_tui.paths import Paths
from ledger_tui.store import files
from ledger_tui.store.database import Database

if TYPE_CHECKING:
    from ledger_tui.domain.sync.records import Stream
    from ledger_tui.sync.door import Remote
    from ledger_tui.sync.engine import Difference, Engine, Outlook, Progress, Receipt

STREAMS: tuple[Stream, ...] = ("meta",)
"""What is exchanged."""


def _nobody(_: Progress) -> None:
    """Nobody watches."""


class SyncService:
    """Exchanges one ledger's facts with a shared server."""

    def __init__(self, database: Database, paths: Paths, *, device: Callable[[], str]) -> None:
        """device: the name that others see for this machine."""
        self._database = database
        self._paths = paths
        self._device = device

    def sync_once(self, remote: Remote, on_progress: Callable[[Progress], None] = _nobody) -> Receipt:
        """Send what waits and bring what is new; what was done, refused and kept back.

        Raises SyncError (sync/door.py), Conflict while another program syncs this ledger, InputError for a ledger that lives on a
        server itself.
        """
        engine = self._engine(remote, on_progress)
        with ExitStack() as held:
            try:
                held.enter_context(files.exclusive_lock(self._paths.data / "sync.lock", timeout_s=0))
            except DatabaseLocked as error:
                raise Conflict("another program does it", title="A sync of this ledger is under way") from error
            return engine.sync()

    def outlook(self, remote: Remote) -> Outlook:
        """What a sync would send and bring now; changes nothing. Raises as ``sync_once``."""
        return self._engine(remote, _nobody).outlook()

    def verify(self, remote: Remote) -> list[Difference]:
        """Where this ledger and the server differ, by digests; empty when they hold the same. Raises as ``sync_once``."""
        return self._engine(remote, _nobody).verify()

    def _engine(self, remote: Remote, on_progress: Callable[[Progress], None]) -> Engine:
        from importlib.metadata import version

        from ledger_tui.store.sync_log import LedgerLog
        from ledger_tui.sync.door import Client
        from ledger_tui.sync.engine import Engine

        if self._database.dialect != "sqlite":
            raise InputError(
                "it lives on a server",
                title="This ledger is shared already",
                remedy="Sync is for ledgers in files; open this one from everywhere.",
            )
        log, client = LedgerLog(self._database), Client(self._device(), version("ledger-tui"))
        return Engine(log, remote, client, streams=STREAMS, on_progress=on_progress)
