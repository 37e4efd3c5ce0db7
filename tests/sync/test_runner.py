"""Exchanging by itself: when something waits, when a colleague is heard, by the clock; stopped within a second, whatever hangs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.sync.timetable import Pace, Timetable
from ledger_tui.errors import Conflict
from ledger_tui.paths import Paths
from ledger_tui.services.sync import SyncService
from ledger_tui.services.sync_runner import SyncRunner, exchanging
from ledger_tui.services.sync_values import SyncStatus
from ledger_tui.store import files, sync_receipts
from ledger_tui.store.database import Database
from ledger_tui.sync.door import Remote, RemoteUnavailable
from ledger_tui.sync.memory import MemoryServer

from tests.sync.proxy import Proxy
from tests.sync.shared import InPostgres

LONG_S = 30.0
"""How long a test waits for what has to come."""
BY_CLOCK = Pace(front_s=0.05, behind_s=0.05, gather_front_s=0.0, gather_behind_s=0.0, elsewhere_s=0.05, soonest_s=0.02)
SELDOM = Pace(front_s=3600, behind_s=3600, gather_front_s=0.0, gather_behind_s=0.0, elsewhere_s=0.05, soonest_s=0.02)


def middle() -> float:
    """No chance."""
    return 0.5


class Flaky:
    """A door that can be shut, and counts who came."""

    def __init__(self, inner: Remote) -> None:
        self._inner = inner
        self.shut = False
        self.hellos = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def hello(self, *args: Any) -> Any:
        """As ``Remote.hello``."""
        self.hellos += 1
        if self.shut:
            raise RemoteUnavailable("nobody is there")
        return self._inner.hello(*args)


class Desk:
    """A ledger whose server is in memory, and everything its runner said."""

    def __init__(self, folder: Path, open_remote: Callable[[Database], Any]) -> None:
        self.paths = Paths(data=folder / "data", config=folder / "config")
        self.ledger = PromptLedger(paths=self.paths)
        self.ledger.prepare()
        self.database = Database(self.paths.database, self.paths)
        self.sync = SyncService(self.database, self.paths, device=lambda: folder.name, open_remote=open_remote)
        self.statuses: list[SyncStatus] = []
        self.told = threading.Condition()

    def share(self) -> None:
        """Know a server."""
        with self.database.lean_write() as lean:
            sync_receipts.set_remote(lean, {"address": "x", "label": "memory", "keyring_item": "x"})

    def write(self, text: str) -> None:
        """Save a version, as another program does."""
        self.ledger.registry.save("mail/welcome", PromptContent.of_text(text))

    def changed(self, status: SyncStatus) -> None:
        """What ``on_change`` is."""
        with self.told:
            self.statuses.append(status)
            self.told.notify_all()

    def until(self, wanted: Callable[[SyncStatus], bool]) -> SyncStatus:
        """Wait for a status; the first such one that was told from now on, or the last one told."""
        with self.told:
            assert self.told.wait_for(lambda: bool(self.statuses) and wanted(self.statuses[-1]), LONG_S), self.statuses[
                -3:
            ]
            return self.statuses[-1]

    @contextmanager
    def running(self, pace: Pace, **options: Any) -> Iterator[SyncRunner]:
        """A runner in a thread of its own for the time of the block."""
        options = {"on_change": self.changed, "look_s": 0.01, "chance": middle} | options
        began: list[float] = []
        try:
            with exchanging(self.sync, pace=pace, **options) as runner:
                try:
                    yield runner
                finally:
                    began.append(time.monotonic())
        finally:
            assert time.monotonic() - began[0] < LONG_S

    def close(self) -> None:
        """Let go of the files."""
        self.database.close()
        self.ledger.close()


@pytest.fixture
def server() -> MemoryServer:
    """A shared ledger in memory."""
    return MemoryServer()


@pytest.fixture
def desks(tmp_path: Path, server: MemoryServer) -> Iterator[tuple[Desk, Desk]]:
    """Two ledgers that share it."""
    pair = tuple(Desk(tmp_path / name, lambda _, name=name: server.remote(name)) for name in ("ada", "grace"))  # type: ignore[misc]
    for desk in pair:
        desk.share()
    yield pair[0], pair[1]
    for desk in pair:
        desk.close()


def equal(status: SyncStatus) -> bool:
    """Both ends hold the same."""
    return status.agreed is not None and not status.pending


def test_l1_what_waits_goes_by_itself(desks: tuple[Desk, Desk]) -> None:
    """What another program writes is noticed in the file and goes, though the clock would not call for hours."""
    ada, _ = desks
    with ada.running(SELDOM):
        first = ada.until(equal)
        ada.write("one")
        assert ada.until(lambda status: equal(status) and status.agreed != first.agreed)


def test_a_colleague_is_heard(desks: tuple[Desk, Desk]) -> None:
    """What a colleague sends comes without a write here and long before the clock calls."""
    ada, grace = desks
    with ada.running(SELDOM):
        first = ada.until(equal)
        grace.write("from grace")
        grace.sync.sync()
        ada.until(lambda status: equal(status) and status.agreed != first.agreed)
    assert ada.ledger.registry.prompt("mail/welcome").name == "mail/welcome"


def test_the_clock_brings_what_was_not_heard(desks: tuple[Desk, Desk], server: MemoryServer) -> None:
    """Behind other windows nobody listens; the next exchange by the clock brings what came."""
    ada, grace = desks
    with ada.running(BY_CLOCK, in_front=False):
        first = ada.until(equal)
        grace.write("from grace")
        grace.sync.sync()
        ada.until(lambda status: equal(status) and status.agreed != first.agreed)


def test_f6_l1_a_server_that_is_away_is_tried_again(tmp_path: Path, server: MemoryServer) -> None:
    """While the server is away the status says why and since when; when it is back, what waits goes without another write."""
    door = Flaky(server.remote("ada"))
    ada = Desk(tmp_path / "ada", lambda _: door)
    ada.share()
    door.shut = True
    with ada.running(BY_CLOCK):
        failing = ada.until(lambda status: bool(status.error))
        assert "nobody is there" in failing.error and failing.failing_since_us is not None
        ada.write("offline")
        ada.until(lambda status: status.pending > 0)
        door.shut = False
        assert ada.until(equal).error == ""
    ada.close()


def test_f10_another_program_is_waited_for(desks: tuple[Desk, Desk]) -> None:
    """While another program syncs the ledger nothing is said and nothing fails; afterwards it goes on."""
    ada, _ = desks
    with files.exclusive_lock(ada.paths.data / "ledger.db.sync.lock"), ada.running(SELDOM) as runner:
        ada.until(lambda status: status.is_shared)
        ada.write("meanwhile")
        ada.until(lambda status: status.pending > 0)
        runner.poke()
    assert not any(status.error for status in ada.statuses)
    with ada.running(SELDOM):
        ada.until(equal)


def test_a_ledger_that_is_joined_meanwhile_begins(tmp_path: Path, server: MemoryServer) -> None:
    """A ledger shared with nobody costs nothing; once it has a server the runner begins by itself."""
    ada = Desk(tmp_path / "ada", lambda _: server.remote("ada"))
    with ada.running(SELDOM):
        assert not ada.until(lambda status: True).is_shared
        ada.share()
        ada.until(equal)
    ada.close()


def test_one_runs_and_callbacks_that_raise_harm_nobody(desks: tuple[Desk, Desk]) -> None:
    """A second run of one runner is refused while the first goes on, and a watcher that breaks does not end the exchanges."""
    ada, _ = desks

    def broken(_: object) -> None:
        raise ValueError("a mistake")

    ada.write("one")
    with ada.running(SELDOM, on_receipt=broken) as runner:
        ada.until(equal)
        with pytest.raises(Conflict):
            runner.run(threading.Event())
        before = ada.statuses[-1]
        ada.write("two")
        ada.until(lambda status: equal(status) and status.agreed != before.agreed)


def test_l3_stopping_ends_a_call_that_hangs(tmp_path: Path, server: MemoryServer) -> None:
    """A call that never comes back does not keep ``run`` longer than a second, and being stopped is no failure."""

    class Hanging:
        def __init__(self) -> None:
            self.inside, self.ended = threading.Event(), threading.Event()

        def hello(self, *_: Any) -> Any:
            self.inside.set()
            assert self.ended.wait(LONG_S)
            raise RemoteUnavailable("the line was cut")

        def abandon(self) -> None:
            self.ended.set()

        def close(self) -> None:
            pass

    door = Hanging()
    ada = Desk(tmp_path / "ada", lambda _: door)
    ada.share()
    with ada.running(SELDOM):
        assert door.inside.wait(LONG_S)
    assert ada.sync.status().error == ""
    ada.close()


def test_a_fork_takes_nothing_along(desks: tuple[Desk, Desk]) -> None:
    """A child forked in mid-exchange has no runner and no lock: it ends at once, and the parent's next exchange goes on."""
    ada, _ = desks
    inside, go = threading.Event(), threading.Event()

    def slow(_: object) -> None:
        inside.set()
        assert go.wait(LONG_S)

    ada.write("one")
    end, keep = os.pipe()
    with ada.running(SELDOM, on_progress=slow) as runner:
        assert inside.wait(LONG_S)
        child = os.fork()
        if child == 0:
            try:
                runner.poke()
                os.close(keep)
                os.read(end, 1)
            finally:
                os._exit(0)
        go.set()
        ada.until(equal)
        assert ada.sync.sync().agreed
    os.close(keep)
    assert os.waitpid(child, 0)[1] == 0
    os.close(end)


def test_after_sleep_lines_are_made_anew(desks: tuple[Desk, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """When the wall's clock jumped ahead the machine slept: the old line is dropped and an exchange follows at once."""
    ada, grace = desks
    opened: list[Remote] = []
    make = ada.sync._open_remote
    monkeypatch.setattr(ada.sync, "_open_remote", lambda database: opened.append(make(database)) or opened[-1])  # type: ignore[func-returns-value]
    with ada.running(SELDOM, in_front=False):
        first = ada.until(equal)
        grace.write("while it slept")
        grace.sync.sync()
        now = time.time
        monkeypatch.setattr("ledger_tui.services.sync_runner.time.time", lambda: now() + 3600)
        ada.until(lambda status: equal(status) and status.agreed != first.agreed)
    assert len(opened) == 2


def test_f6_a_restarted_postgres_is_found_again(tmp_path: Path, postgres_shared: InPostgres) -> None:
    """After a real server crashed and restarted, what waits goes by itself; a call that nobody answers ends with the program."""
    proxy = Proxy.before(postgres_shared.url)
    login = postgres_shared.enrol("ada", "member")

    def door(_: Database) -> Remote:
        from ledger_tui.sync.dsn import Target
        from ledger_tui.sync.postgres import PostgresRemote

        return PostgresRemote(Target(proxy.address(postgres_shared.address(login))), postgres_shared.workspace)

    ada = Desk(tmp_path / "ada", door)
    ada.share()
    with ada.running(BY_CLOCK):
        first = ada.until(equal)
        # When one of its processes is killed, PostgreSQL ends all others and recovers as after a crash. The tests' server does not
        # wait for its disk: what was committed so far is made safe first.
        postgres_shared.run("CHECKPOINT")
        pids = postgres_shared.run("SELECT pid FROM pg_stat_activity WHERE usename = %s", login)
        os.kill(pids[0][0], signal.SIGKILL)
        ada.write("after the restart")
        ada.until(lambda status: equal(status) and status.agreed != first.agreed)
    proxy.hole = True
    began = time.monotonic()
    with ada.running(SELDOM):
        ada.until(lambda status: status.is_shared)
        ada.write("into the hole")
    assert time.monotonic() - began < LONG_S
    ada.close()
    proxy.close()


def test_the_timetable() -> None:
    """Decisions go at once, numbers are gathered, what cannot go calls nobody, failures wait longer and longer."""
    table = Timetable(Pace(), lambda: 1.0)
    assert table.due_s == 0
    table.ended(100, {"telemetry": 7})
    assert table.due_s == 100 + 15 * 1.2
    table.waits(101, {"telemetry": 7})
    assert table.due_s == 118
    table.waits(101, {"telemetry": 8})
    assert table.due_s == 106
    table.waits(102, {"telemetry": 8, "meta": 1})
    assert table.due_s == 102
    waits = []
    for _ in range(12):
        table.failed(0, hopeless=False)
        waits.append(table.due_s)
    assert waits[:4] == [1, 2, 4, 8] and waits[-1] == 300
    table.waits(1, {"meta": 9})
    table.hear(1)
    assert table.due_s == 300, "while it fails only the clock and people bring it nearer"
    table.begin_anew(2)
    assert (table.due_s, table.failures) == (2, 0)
    table.failed(0, hopeless=True)
    assert table.due_s > 240
    table.ended(0, {})
    table.come_to_front(0, False)
    table.ended(0, {})
    assert round(table.due_s) == 360
    table.come_to_front(10, True)
    assert round(table.due_s) == 28
    table.hear(11)
    assert round(table.due_s) == 12
