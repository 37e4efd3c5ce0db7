"""Upgrades around a sync: ledgers of an older release, upgrades that are killed, programs that are older than the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger_tui.domain.sync.records import STREAMS
from ledger_tui.errors import DatabaseNewer
from ledger_tui.paths import Paths
from ledger_tui.store import recount, telemetry
from ledger_tui.store.database import Database
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client, Remote
from ledger_tui.sync.engine import Engine, Receipt
from ledger_tui.sync.memory import MemoryServer

from tests.store.helpers import in_child
from tests.store.releases import die_at, next_release, statements
from tests.store.test_former_release import DAY_US, FACTS, START_US
from tests.store.test_former_release import former as former
from tests.sync.test_sync_telemetry import call

pytestmark = pytest.mark.usefixtures("real_migrations")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """``opened("ada")``: a ledger's database of that name, closed in the end."""
    made: list[Database] = []

    def of(name: str) -> Database:
        paths = Paths(data=tmp_path / name, config=tmp_path / name / "config")
        made.append(Database(paths.database, paths))
        return made[-1]

    yield of
    for database in made:
        database.close()


def sync(database: Database, remote: Remote) -> Receipt:
    """One exchange of everything."""
    return Engine(LedgerLog(database), remote, Client("here", "1"), streams=STREAMS).sync()


def test_f19_a_ledger_of_the_former_release_is_shared_after_its_upgrade(
    former: pytest.MonkeyPatch, opened: Callable[[str], Database]
) -> None:
    """Facts and calls from before ledgers could be shared go like all others, and every sum is the same on the other machine."""
    old = opened("old")
    old.prepare()
    with old.lean_write() as lean:
        for statement in FACTS.format(start=START_US, day=DAY_US).split(";\n")[:-1]:
            lean.execute(statement)
    old.close()
    former.undo()
    server, mine, theirs = MemoryServer(), opened("old"), opened("new")
    for database in (mine, theirs):
        database.prepare()
    assert sync(mine, server.remote("ada", "maintainer")).agreed
    assert sync(theirs, server.remote("bob", "maintainer")).agreed
    columns = (
        "provider, model, prompt_id, day, calls, errors, canceled, input_tokens, output_tokens, cost_nusd, unpriced"
    )
    shown = []
    for database in (mine, theirs):
        with database.lean() as lean:
            assert recount.differences(lean) == dict.fromkeys(recount.TABLES, 0)
            shown.append(sorted(lean.fetch(f"SELECT {columns} FROM daily_costs")))
    assert shown[0] == shown[1] and len(shown[0]) == 2


def test_f3_an_upgrade_of_a_shared_ledger_that_is_killed_loses_nothing(
    opened: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in its upgrade with records waiting, a ledger sends each of them once after the upgrade that runs through, and stands
    where it stood with its server."""
    server, mine = MemoryServer(), opened("mine")
    mine.prepare()
    remote = server.remote("ada", "maintainer")
    with mine.lean_write() as lean:
        telemetry.write_spans(lean, [call("t", "sent")])
    sync(mine, remote)
    with mine.lean_write() as lean:
        telemetry.write_spans(lean, [call("t", f"waits {n}") for n in range(3)])
    mine.close()
    path = mine.path
    assert path is not None
    original = path.read_bytes()
    next_release(monkeypatch, tmp_path)
    count = statements(opened("mine"))
    for number in (1, count // 2, count):
        path.write_bytes(original)

        def work(number: int = number) -> None:
            die_at(number)
            opened("mine").prepare()

        assert in_child(work) == -9
    upgraded = opened("mine")
    assert upgraded.state() == "outdated"
    upgraded.prepare()
    receipt = sync(upgraded, remote)
    assert receipt.sent == {"telemetry": 3} and receipt.resyncs == 0 and receipt.agreed
    assert len(server.histories["telemetry"].rows) == 4


def test_f19_a_program_older_than_the_file_exchanges_nothing(
    opened: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of an older release refuses the file before it asks the server anything, and leaves the file as it is."""
    server = MemoryServer()
    with monkeypatch.context() as newer:
        next_release(newer, tmp_path)
        mine = opened("mine")
        mine.prepare()
        mine.close()
    older = opened("mine")
    assert older.path is not None
    before = older.path.read_bytes()
    with pytest.raises(DatabaseNewer):
        sync(older, server.remote("ada", "maintainer"))
    assert older.path.read_bytes() == before and server.commits == []
