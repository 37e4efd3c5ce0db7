"""Faults around the local end of a sync: full disks, files that are locked, damaged or read-only, other clocks, old copies,
programs that are ended or stopped in the middle. Each time nothing is lost, and the next sync goes on."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.errors import DatabaseDamaged, DatabaseFull, DatabaseLocked, StoreError
from ledger_tui.services.sync import SyncService
from ledger_tui.store import backup, sqlite, telemetry
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client, OtherLedger, Remote
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.engine import Engine, Receipt
from ledger_tui.sync.memory import MemoryServer
from ledger_tui.sync.postgres import PostgresRemote

from tests.sync.real_lives import ADDED_UP, SHOWN, Desk
from tests.sync.test_sync_telemetry import call

BEGIN = """
import os, signal, sys, time
from pathlib import Path
from ledger_tui import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.services.sync import SyncService
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres import PostgresRemote
folder = Path(sys.argv[1])
ledger = PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"))
remote = PostgresRemote(Target(sys.argv[2]), vouched=True)
"""


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Callable[[], Desk]]:
    """Makes ledgers that share numbers."""
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk(tmp_path / str(len(made)), len(made)))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def sync(desk: Desk, remote: Remote, at: Callable[[str], object] = lambda _: None) -> Receipt:
    """One sync, as the service makes one."""
    return Engine(LedgerLog(desk.database), remote, Client("here", "1"), streams=desk.sharing().streams, at=at).sync()


def record(desk: Desk, *spans: object) -> None:
    """Calls happen."""
    with desk.database.lean_write() as lean:
        telemetry.write_spans(lean, spans)


def filled(desk: Desk, count: int = 1) -> None:
    """A prompt and calls."""
    desk.door.registry.save(f"p{desk.number}", PromptContent.of_text("text"), labels=["production"])
    record(desk, *(call("t", f"{desk.number}-{n}") for n in range(count)))


def sound(*desks: Desk) -> None:
    """The files are whole and show the same."""
    for desk in desks:
        assert desk.rows("PRAGMA integrity_check") == [("ok",)] and desk.rows("PRAGMA foreign_key_check") == [], "I13"
        for tables in (SHOWN, ADDED_UP):
            assert desk.shown(tables) == desks[0].shown(tables), "I14 I17"


def test_f8_another_workspace_behind_the_address_mixes_nothing(desks: Callable[[], Desk]) -> None:
    """Where another shared ledger answers at the same address, nothing is sent, nothing is taken and nothing is forgotten."""
    first, other, mine = MemoryServer(), MemoryServer(), desks()
    filled(mine)
    agreed = sync(mine, first.remote("ada", "maintainer")).agreed
    record(mine, call("t", "new"))
    before = LedgerLog(mine.database).state()
    with pytest.raises(OtherLedger):
        sync(mine, other.remote("ada", "maintainer"))
    assert other.commits == [] and LedgerLog(mine.database).state() == before
    assert agreed and sync(mine, first.remote("ada", "maintainer")).sent == {"telemetry": 1}


@pytest.mark.parametrize("point", ["resync.begun", "resync.asked", "resync.offered", "push.before_send", "between"])
def test_f7_a_server_that_goes_back_while_it_is_compared_with_is_compared_with_again(
    desks: Callable[[], Desk], point: str
) -> None:
    """The server is restored once more, silently, while a ledger heals it: what it was said to have a moment ago is offered too,
    and nobody sees a label before its version."""
    server, mine, late = MemoryServer(), desks(), desks()
    remote = server.remote("ada", "maintainer")
    filled(mine)
    sync(mine, remote)
    server.restore(len(server.commits), announced=True)
    mine.door.registry.set_label("p0", "staging", 1)
    left = [point]

    def lose(passed: str) -> None:
        if left and passed == left[0]:
            left.clear()
            server.restore(0, announced=False)

    sync(mine, remote, lose)
    sync(mine, remote)
    receipt = sync(late, server.remote("bob", "maintainer"))
    assert not left and receipt.quarantined == 0 and receipt.agreed
    sound(mine, late)


@pytest.mark.parametrize("moments", [(0, 4_291_747_200_000_000), (4_291_747_200_000_000, 0)], ids=["1970", "2106"])
def test_f9_b33_clocks_of_1970_and_2106_decide_nothing(desks: Callable[[], Desk], moments: tuple[int, int]) -> None:
    """Ledgers whose clocks stand in 1970 and in 2106 end up equal, and what the server took first is first on both."""
    server, two = MemoryServer(), (desks(), desks())
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    for desk, moment in zip(two, moments, strict=True):
        with clock.moved(clock.from_us(moment)):
            desk.door.registry.save("p", PromptContent.of_text(f"of {moment}"))
            sync(desk, remotes[desk.number])
    receipts = [sync(desk, remotes[desk.number]) for desk in (*two, *two)]
    assert len({receipt.agreed for receipt in receipts[-2:]}) == 1 and receipts[-1].agreed
    sound(*two)


def test_f11_last_weeks_backup_catches_up(desks: Callable[[], Desk]) -> None:
    """A ledger that is put back to an older copy of its file brings what it had sent since then, once, and sends what is new."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    filled(mine)
    sync(mine, remotes[0])
    old = backup.copy(mine.paths.database, mine.paths.data / "old.db")
    record(mine, call("t", "since"))
    mine.door.registry.set_field("p0", "description", "since")
    sync(mine, remotes[0])
    mine.close()
    for path in mine.paths.data.glob("ledger.db*"):
        path.unlink()
    old.rename(mine.paths.database)
    mine.open()
    record(mine, call("t", "afterwards"))
    assert sync(mine, remotes[0]).came == {"meta": 1, "telemetry": 1}
    sync(theirs, remotes[1])
    assert sorted(row[0] for row in theirs.rows("SELECT span_id FROM spans")) == ["0-0", "afterwards", "since"]
    sound(mine, theirs)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="POSIX limits")
@pytest.mark.parametrize("way", ["in", "out"])
def test_f12_a_full_disk_in_a_sync_is_said_and_loses_nothing(desks: Callable[[], Desk], way: str) -> None:
    """When the ledger's file cannot grow while records come or answers are written down, the sync says so; the file is whole, and
    with room again the next one goes on."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    filled(theirs, 3_000)
    sync(theirs, remotes[1])
    if way == "out":
        filled(mine, 3_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The journal of SQLite is at its end in this file; what is written next has to make it grow.
    mine.close()
    mine.open()
    limit = mine.paths.database.stat().st_size if way == "in" else 60_000
    had = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(StoreError) as caught:
            sync(mine, remotes[0])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, had)
    assert isinstance(caught.value, DatabaseFull | StoreError)
    for _ in range(2):
        receipts = [sync(desk, remotes[desk.number]) for desk in (mine, theirs)]
    assert receipts[0].agreed == receipts[1].agreed is not None
    sound(mine, theirs)


def test_f14_a_file_that_others_hold_is_for_later(desks: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """While a foreign program holds the file, a sync ends with words after the usual patience; afterwards it does everything."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    server, mine = MemoryServer(), desks()
    filled(mine)
    remote = server.remote("ada", "maintainer")
    mine.close()
    mine.open()
    foreign = sqlite.library().connect(str(mine.paths.database), isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseLocked):
        sync(mine, remote)
    foreign.execute("ROLLBACK")
    foreign.close()
    assert sync(mine, remote).agreed


def test_f14_f3_a_lock_that_comes_in_the_middle_of_a_resync_leaves_it_to_be_done(
    desks: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign program takes the file after a resync began: the sync ends with words, and the next one compares again."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    server, mine = MemoryServer(), desks()
    filled(mine)
    remote = server.remote("ada", "maintainer")
    sync(mine, remote)
    server.wipe()
    mine.close()
    mine.open()
    foreign = sqlite.library().connect(str(mine.paths.database), isolation_level=None)

    def hold(point: str) -> None:
        if point == "resync.asked" and not foreign.in_transaction:
            foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseLocked):
        sync(mine, remote, hold)
    foreign.close()
    assert sync(mine, remote).resyncs == 1 and len(server.histories["telemetry"].rows) == 1


def test_f15_a_damaged_page_stops_the_sync_and_sends_nothing_made_up(desks: Callable[[], Desk]) -> None:
    """A ledger whose file is damaged is named as such by a sync; the server gets no half record, and the file is left as it is."""
    server, mine = MemoryServer(), desks()
    filled(mine, 400)
    mine.close()
    raw = bytearray(mine.paths.database.read_bytes())
    for page in range(4096 * 8, len(raw) - 4096, 4096):
        raw[page : page + 4096] = b"\xff" * 4096
    mine.paths.database.write_bytes(raw)
    database = type(mine.database)(mine.paths.database, mine.paths)
    with pytest.raises((DatabaseDamaged, StoreError)):
        Engine(LedgerLog(database), server.remote("ada", "maintainer"), Client("here", "1")).sync()
    database.close()
    assert mine.paths.database.read_bytes()[4096 * 8 :] == bytes(raw)[4096 * 8 :]
    mine.paths.database.unlink()
    mine.open()


def test_f23_three_months_offline_and_a_horizon(desks: Callable[[], Desk]) -> None:
    """A ledger that was away for 100 days, in which the server let the old months go, sends what the server still keeps, is done
    with what it does not, and brings everything else."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    long_ago = clock.now_us() - 100 * 86_400_000_000
    with clock.moved(clock.from_us(long_ago)):
        filled(mine, 2)
        sync(mine, remotes[0])
        record(mine, call("old", "unsent", started_us=long_ago))
    record(theirs, call("new", "a"))
    sync(theirs, remotes[1])
    horizon = clock.now().strftime("%Y-%m")
    remotes[1].retire("telemetry", horizon)
    record(mine, call("new", "b"))
    receipt = sync(mine, remotes[0])
    assert receipt.refused == () and receipt.agreed and receipt.came["telemetry"] >= 1
    assert sync(mine, remotes[0]).did_something is False, "what is done with is not sent again"
    sync(theirs, remotes[1])
    there = {row.record.content().get("span_id") for row in server.histories["telemetry"].rows}
    assert {"a", "b"} <= there and "unsent" not in there
    assert sorted(r[0] for r in mine.rows("SELECT span_id FROM spans")) == ["0-0", "0-1", "a", "b", "unsent"]


PROGRAM = """
from ledger_tui.sync.engine import Engine
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client
def at(point):
    if point == sys.argv[3]:
        print("there", flush=True)
        time.sleep(float(sys.argv[4]))
print(Engine(LedgerLog(ledger.database), remote, Client("here", "1"), at=at).sync().agreed)
"""


def program(desk: Desk, url: str, point: str, seconds: float) -> subprocess.Popen[str]:
    """A program that syncs and stands still at a failpoint; it has come there. Its terminal is its own."""
    command = [sys.executable, "-c", BEGIN + PROGRAM, str(desk.paths.data.parent), url, point, str(seconds)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert started.stdout is not None and started.stdout.readline() == "there\n"
    return started


@pytest.fixture
def url(postgres_url: str) -> str:
    """A shared ledger in PostgreSQL; its owner's address."""
    from ledger_tui.sync.server.install import install

    install(Target(postgres_url))
    return postgres_url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("point", ["push.after_send", "resync.offered", "apply.cursor"])
def test_f26_f3_a_sync_that_is_ended_goes_on(
    desks: Callable[[], Desk], url: str, number: signal.Signals, point: str
) -> None:
    """A sync in a program of its own that gets SIGTERM, loses its terminal or is killed after a push, in a resync or within a page
    ends at once, and the next sync of the ledger does the rest."""
    mine, theirs, remote = desks(), desks(), PostgresRemote(Target(url))
    filled(theirs, 3)
    sync(theirs, remote)
    if point == "resync.offered":
        filled(mine)
        sync(mine, remote)
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE sync.server SET epoch = gen_random_uuid()")
    record(mine, call("t", "mine"))
    running = program(mine, url, point, 60)
    running.send_signal(number)
    assert running.wait(20) == -number
    receipts = [sync(desk, remote) for desk in (mine, theirs, mine)]
    remote.close()
    assert receipts[1].agreed == receipts[2].agreed is not None
    sound(mine, theirs)


def test_f26_a_sync_that_is_stopped_and_continued_ends_well(desks: Callable[[], Desk], url: str) -> None:
    """Ctrl-Z in the middle of a sync, and fg later: others sync meanwhile, and the stopped one comes to its end."""
    mine, theirs, remote = desks(), desks(), PostgresRemote(Target(url))
    filled(mine, 3)
    filled(theirs, 3)
    running = program(mine, url, "between", 0.05)
    os.kill(running.pid, signal.SIGSTOP)
    sync(theirs, remote)
    os.kill(running.pid, signal.SIGCONT)
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 0 and len(out.strip()) == 4
    receipts = [sync(desk, remote) for desk in (mine, theirs)]
    remote.close()
    assert receipts[0].agreed == receipts[1].agreed is not None
    sound(mine, theirs)


def test_f10_two_services_on_one_file_take_turns(desks: Callable[[], Desk], url: str) -> None:
    """While a program syncs a ledger another one is told so and loses nothing; the first one's end is enough for both."""
    mine = desks()
    filled(mine)
    held = """
from ledger_tui.store import files
with files.exclusive_lock(folder / "data" / "ledger.db.sync.lock"):
    print("there", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", BEGIN + held, str(mine.paths.data.parent), url]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "there\n"
    from ledger_tui.errors import Conflict

    service = SyncService(mine.database, mine.paths, device=lambda: "here")
    server = MemoryServer()
    with pytest.raises(Conflict):
        service.sync_once(server.remote("ada", "maintainer"))
    other.kill()
    other.communicate()
    assert service.sync_once(server.remote("ada", "maintainer")).agreed, "the lock of a killed program holds nobody up"


def test_f13_a_read_only_file_is_refused_in_words(desks: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger whose file takes no writes is named as such by a sync, and the server hears of nothing that is not kept here."""
    server, mine = MemoryServer(), desks()
    filled(mine)
    right = sqlite.open_for

    def read_only(path: Path, purpose: str) -> object:
        connection = right(path, purpose)
        connection.execute("PRAGMA query_only = ON")
        return connection

    mine.close()
    mine.open()
    monkeypatch.setattr(sqlite, "open_for", read_only)
    with pytest.raises(StoreError):
        sync(mine, server.remote("ada", "maintainer"))
    assert server.commits == []
    mine.close()
    monkeypatch.setattr(sqlite, "open_for", right)
    assert sync(mine, server.remote("ada", "maintainer")).agreed
