"""The sync of a whole ledger: a receipt of what it did, one at a time, and only for ledgers in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.content import PromptContent
from ledger_tui.errors import Conflict, InputError
from ledger_tui.paths import Paths
from ledger_tui.services.sync import SyncService
from ledger_tui.store import files, sync_receipts
from ledger_tui.store.database import Database
from ledger_tui.sync.engine import Progress
from ledger_tui.sync.memory import MemoryServer


class Desk:
    """A ledger and its sync."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(data=folder / "data", config=folder / "config")
        self.ledger = PromptLedger(paths=self.paths)
        self.ledger.prepare()
        self.database = Database(self.paths.database, self.paths)
        self.sync = SyncService(self.database, self.paths, device=lambda: folder.name)


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[tuple[Desk, Desk]]:
    """Two ledgers on two machines."""
    pair = Desk(tmp_path / "ada"), Desk(tmp_path / "grace")
    yield pair
    for desk in pair:
        desk.database.close()
        desk.ledger.close()


def test_a_receipt_says_what_went_and_came(desks: tuple[Desk, Desk]) -> None:
    """What one saves the other has after both synced; the receipts count it and end in the same four digits."""
    server = MemoryServer()
    ada, grace = desks
    told: list[Progress] = []
    ada.ledger.registry.save("support/triage", PromptContent.of_text("Hello"), description="Sorts mail")
    waiting = ada.sync.outlook(server.remote("ada")).sending["meta"]
    sent = ada.sync.sync_once(server.remote("ada"), told.append)
    came = grace.sync.sync_once(server.remote("grace"))
    assert sent.sent == came.came == {"meta": waiting} and waiting > 0
    assert sent.agreed == came.agreed is not None and [progress.doing for progress in told] == ["send", "receive"]
    assert grace.ledger.registry.prompt("support/triage").description == "Sorts mail"
    assert ada.sync.verify(server.remote("ada")) == grace.sync.verify(server.remote("grace")) == []


def test_f10_one_sync_at_a_time(desks: tuple[Desk, Desk]) -> None:
    """While another program syncs the ledger a second sync says so at once and does nothing; afterwards it works."""
    server, (ada, _) = MemoryServer(), desks
    with files.exclusive_lock(ada.paths.data / "ledger.db.sync.lock"), pytest.raises(Conflict):
        ada.sync.sync_once(server.remote("ada"))
    assert ada.sync.sync_once(server.remote("ada")).agreed


def test_a_ledger_on_a_server_is_shared_already(tmp_path: Path) -> None:
    """A ledger that lives in PostgreSQL is told that it needs no sync, before anything is connected."""
    paths = Paths(data=tmp_path / "data", config=tmp_path / "config")
    service = SyncService(Database("postgresql://nobody@127.0.0.1:1/x", paths), paths, device=lambda: "d")
    with pytest.raises(InputError):
        service.sync_once(MemoryServer().remote("ada"))


def test_a_difference_is_remembered_until_everything_was_exchanged_anew(desks: tuple[Desk, Desk]) -> None:
    """While the last comparison found a difference, no exchange says that both ends are equal; one that compares everything
    brings what was missing, and then they are."""
    server, (ada, grace) = MemoryServer(), desks
    ada.ledger.registry.save("support/triage", PromptContent.of_text("Hello"), description="Sorts mail")
    ada.sync.sync_once(server.remote("ada"))
    grace.sync.sync_once(server.remote("grace"))
    with grace.database.lean_write() as lean:
        lean.execute("DELETE FROM journal WHERE kind = 'field'")
    assert grace.sync.sync_once(server.remote("grace")).agreed, "nobody has looked yet"
    assert grace.sync.verify(server.remote("grace"))
    assert grace.sync.sync_once(server.remote("grace")).agreed is None
    assert grace.sync.sync_once(server.remote("grace"), anew=True).agreed
    assert grace.sync.verify(server.remote("grace")) == []
    assert grace.ledger.registry.prompt("support/triage").description == "Sorts mail"


def told(desk: Desk) -> object:
    """What is kept of a failed exchange."""
    with desk.database.lean() as lean:
        return sync_receipts.last(lean).get("error")


def test_an_exchange_that_breaks_off_counts_as_failed(
    desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends an exchange is in the status, also a mistake of ours; what a caller ends by its progress is not."""
    server, (ada, _) = MemoryServer(), desks
    ada.ledger.registry.save("support/triage", PromptContent.of_text("Hello"))
    remote = server.remote("ada")
    monkeypatch.setattr(remote, "pull", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ada.sync.sync_once(remote)
    assert "ZeroDivisionError" in str(told(ada))
    ada.sync.sync_once(server.remote("ada"))

    def leaves(progress: Progress) -> None:
        raise TimeoutError

    ada.ledger.registry.save("support/triage", PromptContent.of_text("Hello again"))
    with pytest.raises(TimeoutError):
        ada.sync.sync_once(server.remote("ada"), leaves)
    assert told(ada) is None
