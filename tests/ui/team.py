"""Two ledgers that are shared through a server in memory: the one that the workstation shows, and a colleague's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ledger_tui.domain.content import PromptContent
from ledger_tui.errors import LedgerError
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.services.sync import SyncService
from ledger_tui.store import sync_receipts
from ledger_tui.store.database import Database
from ledger_tui.sync.door import Remote, RemoteUnavailable
from ledger_tui.sync.memory import MemoryServer

ADDRESS = "postgresql://ada@localhost/team"


class Team:
    """A server, and who is shared through it. While ``is_down`` it does not answer, with a ``refusal`` it lets nobody in."""

    def __init__(self, folder: Path) -> None:
        self.server = MemoryServer()
        self.is_down = False
        self.refusal: LedgerError | None = None
        self.grace = PromptLedger(paths=Paths(data=folder / "grace", config=folder / "grace-config"))
        self.grace.prepare()
        self.share(self.grace, "grace")

    def share(self, ledger: PromptLedger, account: str, label: str = "") -> None:
        """Share a prepared ledger through the server."""

        def let_in() -> None:
            if self.is_down:
                raise RemoteUnavailable("connection refused")
            if self.refusal is not None:
                raise self.refusal

        def open_remote(_: Database) -> Remote:
            let_in()
            remote = self.server.remote(account)
            hello = remote.hello

            def meet(*told: Any) -> Any:
                # A line that is open already is no way around it.
                let_in()
                return hello(*told)

            remote.hello = meet  # type: ignore[method-assign]
            return remote

        service = SyncService(ledger.database, ledger.paths, device=ledger.device, open_remote=open_remote)
        ledger.__dict__["sync"] = service
        place = {"address": ADDRESS, "label": label or f"{account}@localhost/team", "keyring_item": "none"}
        with ledger.database.lean_write() as lean:
            sync_receipts.set_remote(lean, place)

    def save(self, name: str, text: str) -> None:
        """The colleague writes a version and sends it."""
        self.grace.registry.save(name, PromptContent.of_text(text), author="grace")
        self.grace.sync.sync()
