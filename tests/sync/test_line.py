"""Lines that are cut, swallowed or slow before the server in PostgreSQL: nothing is lost or doubled, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from ledger_tui.domain.sync.chain import START
from ledger_tui.sync import dsn, postgres_line
from ledger_tui.sync.door import Client, RemoteUnavailable
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.postgres import PostgresRemote

from tests.sync.file_log import FileLog
from tests.sync.proxy import Proxy
from tests.sync.shared import InPostgres
from tests.sync.test_remote import record, statuses

CLIENT = Client("laptop", "1")


@pytest.fixture
def proxy(postgres_shared: InPostgres) -> Iterator[Proxy]:
    """A line to the server that can go wrong."""
    made = Proxy.before(postgres_shared.url)
    yield made
    made.close()


@pytest.fixture
def remote(postgres_shared: InPostgres, proxy: Proxy) -> Iterator[PostgresRemote]:
    """A member's door over that line."""
    address = proxy.address(postgres_shared.address(postgres_shared.enrol("ada", "member")))
    made = PostgresRemote(Target(address), postgres_shared.workspace)
    yield made
    made.close()


def test_f4_an_answer_cut_at_any_byte_loses_and_doubles_nothing(
    postgres_shared: InPostgres, proxy: Proxy, remote: PostgresRemote
) -> None:
    """A push whose answer is cut anywhere raises RemoteUnavailable; sent again it is NEW or DUP, and is there once."""
    end = remote.hello(CLIENT, {}).ends["telemetry"]
    before = proxy.passed
    end = remote.push("telemetry", [record("usage", "telemetry")], end).position
    length = proxy.passed - before
    assert length > 100
    sent = []
    for cut in (0, 1, 5, length // 3, length // 2, length - 7, length - 1):
        remote.hello(CLIENT, {})
        rows = [record("usage", "telemetry"), record("usage", "telemetry")]
        proxy.budget = cut
        with pytest.raises(RemoteUnavailable):
            remote.push("telemetry", rows, end)
        proxy.heal()
        answer = remote.push("telemetry", rows, end)
        assert set(statuses(answer)) in ({"NEW"}, {"DUP"})
        sent, end = [*sent, *rows], answer.position
    there = [row.record for row in remote.pull("telemetry", START, 100).rows]
    assert there[1:] == sent and end.seq == len(there)


def test_f4_a_request_cut_at_any_byte_is_not_half_taken(
    postgres_shared: InPostgres, proxy: Proxy, remote: PostgresRemote
) -> None:
    """A push of which a part arrives changes nothing; the whole of it is NEW afterwards."""
    rows = [record("usage", "telemetry", name="x" * 2_000) for _ in range(20)]
    for cut in (0, 1, 40, 5_000, 41_000):
        remote.hello(CLIENT, {})
        proxy.sent_budget = cut
        with pytest.raises(RemoteUnavailable):
            remote.push("telemetry", rows, START)
        proxy.heal()
        assert remote.pull("telemetry", START, 100).rows == ()
    assert statuses(remote.push("telemetry", rows, START)) == ["NEW"] * 20


def test_f4_a_page_cut_in_the_middle_is_no_page(proxy: Proxy, remote: PostgresRemote) -> None:
    """Half a page raises; the same page whole comes with the next call."""
    rows = [record("usage", "telemetry", name="x" * 5_000) for _ in range(50)]
    remote.push("telemetry", rows, START)
    proxy.budget = 100_000
    with pytest.raises(RemoteUnavailable):
        remote.pull("telemetry", START, 100)
    proxy.heal()
    assert [row.record for row in remote.pull("telemetry", START, 100).rows] == rows


def test_f5_a_line_that_swallows_everything_ends_by_itself(
    proxy: Proxy, remote: PostgresRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is not heard of while meeting is given up after the time to connect, as RemoteUnavailable."""
    monkeypatch.setitem(dsn._CONNECTION, "connect_timeout", "2")
    proxy.hole = True
    begun = time.monotonic()
    with pytest.raises(RemoteUnavailable):
        remote.hello(CLIENT, {})
    assert time.monotonic() - begun < 8
    proxy.heal()
    assert remote.hello(CLIENT, {}).pulls


def test_f5_a_slow_line_is_only_slow(proxy: Proxy, remote: PostgresRemote) -> None:
    """Latency on every piece changes no answer."""
    remote.hello(CLIENT, {})
    proxy.delay_s = 0.05
    assert statuses(remote.push("meta", [record()], START)) == ["NEW"] and len(remote.pull("meta", START, 9).rows) == 1


def test_f5_a_connection_can_be_given_up_from_another_thread(proxy: Proxy, remote: PostgresRemote) -> None:
    """While a call waits for a server that fell silent, ``abandon`` from another thread ends it as RemoteUnavailable."""
    remote.hello(CLIENT, {})
    proxy.hole = True
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(remote.pull, "meta", START, 9)
        while proxy.connections < 1 or not waiting.running():
            threading.Event().wait(0.01)
        remote.abandon()
        with pytest.raises(RemoteUnavailable):
            waiting.result(10)
    proxy.heal()
    assert remote.pull("meta", START, 9).upto == START


def test_f5_a_server_that_falls_silent_in_a_call_is_given_up(
    proxy: Proxy, remote: PostgresRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes what is sent and never answers does not hold a sync for ever."""
    monkeypatch.setattr(postgres_line, "SILENCE_S", 0.2)
    remote.hello(CLIENT, {})
    proxy.hole = True
    with pytest.raises(RemoteUnavailable):
        remote.pull("meta", START, 9)
    proxy.heal()
    assert remote.pull("meta", START, 9).upto == START


def test_f4_i15_a_sync_over_a_line_that_breaks_again_and_again_comes_to_its_end(
    postgres_shared: InPostgres, proxy: Proxy, remote: PostgresRemote, tmp_path: Path
) -> None:
    """Each try gets a little farther or nowhere; in the end everything is there once, and both ends agree."""
    log = FileLog(tmp_path / "ada.db")
    written = {log.write(record("field", value="x" * 1_000, n=number)) for number in range(60)}
    for budget in (0, 700, 1_500, 3_000, 6_000, 12_000, 24_000, 48_000):
        proxy.budget = budget
        try:
            Engine(log, remote, CLIENT).sync()
        except RemoteUnavailable:
            continue
    proxy.heal()
    receipt = Engine(log, remote, CLIENT).sync()
    assert receipt.agreed and log.waiting("meta") == 0 and log.set_aside() == 0
    rids = [row.record.rid for row in remote.pull("meta", START, 100).rows]
    assert sorted(rids) == sorted(written) and log.rids() == written
    log.close()


def test_f24_who_waits_for_a_slow_transaction_is_served_after_it(postgres_shared: InPostgres) -> None:
    """Pushes queue behind a transaction that holds the counter, and go through in turn when it ends, each once."""
    remotes = [postgres_shared.remote(f"w{number}") for number in range(3)]
    with psycopg.connect(postgres_shared.url) as slow, ThreadPoolExecutor(3) as pool:
        slow.execute("SELECT 1 FROM sync.counter WHERE stream = 'telemetry' FOR UPDATE")
        waiting = [pool.submit(one.push, "telemetry", [record("usage", "telemetry")], START) for one in remotes]
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%push_v1%'"
        while postgres_shared.run(sql) != [(3,)]:
            assert not any(one.done() for one in waiting)
        slow.rollback()
        assert sorted(one.result(10).rows[0].seq or 0 for one in waiting) == [1, 2, 3]


def test_f25_many_clients_at_once_are_all_served(postgres_shared: InPostgres) -> None:
    """Two dozen devices that come back in the same moment: every record is there once, in one dense history with a whole chain."""
    login = postgres_shared.enrol("ada", "member")
    start = threading.Barrier(24)

    def come_back(number: int) -> list[str]:
        remote = PostgresRemote(Target(postgres_shared.address(login)), postgres_shared.workspace)
        start.wait(30)
        rows = [record("usage", "telemetry", n=number) for _ in range(20)]
        end = remote.hello(Client(f"d{number}", "1"), {}).ends["telemetry"]
        for first in (0, 10):
            end = remote.push("telemetry", rows[first : first + 10], end).position
        remote.close()
        return [row.rid for row in rows]

    with ThreadPoolExecutor(24) as pool:
        sent = [rid for rids in pool.map(come_back, range(24)) for rid in rids]
    reader = postgres_shared.remote("grace")
    page = reader.pull("telemetry", START, 1_000)
    assert [row.seq for row in page.rows] == list(range(1, 481)) and {row.record.rid for row in page.rows} == set(sent)
    assert len(reader.devices()) == 24


def test_f6_no_room_for_one_more_connection_is_for_later(postgres_shared: InPostgres) -> None:
    """A server that takes no more connections of an account is RemoteUnavailable, and lets it in when there is room again."""
    login = postgres_shared.enrol("ada", "member")
    postgres_shared.run(f"ALTER ROLE {login} CONNECTION LIMIT 1")
    first, second = postgres_shared.open(login), postgres_shared.open(login)
    first.hello(CLIENT, {})
    with pytest.raises(RemoteUnavailable):
        second.hello(CLIENT, {})
    first.close()
    while postgres_shared.run("SELECT 1 FROM pg_stat_activity WHERE usename = %s", login):
        pass  # The server notices a moment later.
    assert second.hello(CLIENT, {}).workspace == postgres_shared.workspace
