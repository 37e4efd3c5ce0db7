"""Two at once at the server in PostgreSQL: what one has not committed yet counts for the other all the same."""

from __future__ import annotations

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from ledger_tui.domain.sync.chain import START
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres import PostgresRemote
from ledger_tui.sync.server.install import install

from tests.sync.shared import InPostgres
from tests.sync.test_keeping import everything, of_month
from tests.sync.test_server_people import owner, partition

PUSH = (
    "SELECT statuses, upto FROM sync.push_v1(%s::uuid, 'telemetry', 'd', ARRAY[%s], ARRAY['usage'], ARRAY[%s], 0, '')"
)
RETIRE = "SELECT sync.retire_v1(%s, 'telemetry', 202002)"
ENROL = "SELECT sync.enrol_v1(%s, %s, 'member')"
DISMISS = "SELECT sync.dismiss_v1(%s, %s)"
Connection = psycopg.Connection[tuple[Any, ...]]


def wait_until_it_waits(shared: InPostgres, connection: Connection, call: Future[Any]) -> None:
    """Return when a connection's call waits for a lock; a call that ends without waiting fails the test."""
    asked = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(shared.url, autocommit=True) as watcher:
        while watcher.execute(asked, [connection.info.backend_pid]).fetchone() != ("Lock",):
            assert not call.done(), f"it did not wait: {call.exception() or call.result()}"


def another_ledger(shared: InPostgres) -> PostgresRemote:
    """The door to a second ledger of the same database."""
    other = str(uuid.uuid4())
    install(Target(shared.url), workspace=other)
    return owner(shared, other)


def test_f23_what_another_ledger_is_writing_outlives_a_retirement(postgres_shared: InPostgres) -> None:
    """A ledger that retires a month waits for a push of another one into it; the pushed row stays, its own go."""
    partition(postgres_shared, 202001)
    mine, theirs = owner(postgres_shared), another_ledger(postgres_shared)
    mine.push("telemetry", [of_month(2020, 1)], START)
    row = of_month(2020, 1)
    with psycopg.connect(postgres_shared.url) as writer, psycopg.connect(postgres_shared.url) as keeper:
        assert writer.execute(PUSH, [theirs.workspace, row.rid, row.body]).fetchone() == (None, 1)
        with ThreadPoolExecutor(1) as pool:
            retired = pool.submit(keeper.execute, RETIRE, [postgres_shared.workspace])
            wait_until_it_waits(postgres_shared, keeper, retired)
            writer.commit()
            assert retired.result().fetchone() == (1,)
        keeper.commit()
    assert everything(theirs) == [(1, row)] and everything(mine) == []
    assert theirs.missing("telemetry", [row.rid]) == []


def test_f23_a_retirement_that_could_not_see_the_others_is_refused(postgres_shared: InPostgres) -> None:
    """In a transaction that looks at one moment, what others wrote since would go unseen: nothing is retired."""
    partition(postgres_shared, 202001)
    mine, theirs = owner(postgres_shared), another_ledger(postgres_shared)
    row = of_month(2020, 1)
    with psycopg.connect(postgres_shared.url) as keeper:
        keeper.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        keeper.execute("SELECT count(*) FROM sync.usages")
        theirs.push("telemetry", [row], START)
        with pytest.raises(psycopg.Error) as refused:
            keeper.execute(RETIRE, [mine.workspace])
    assert refused.value.sqlstate == "LG003"
    assert everything(theirs) == [(1, row)]


@pytest.mark.parametrize("isolation", ["READ_COMMITTED", "REPEATABLE_READ"])
@pytest.mark.parametrize("first", [ENROL, DISMISS], ids=("demoted", "dismissed"))
@pytest.mark.parametrize("second", [ENROL, DISMISS], ids=("demotes", "dismisses"))
def test_two_owners_who_put_each_other_down_leave_one(
    postgres_shared: InPostgres, first: str, second: str, isolation: str
) -> None:
    """Of two owners who demote or dismiss each other at once the first one stays, and the other is told that it may not."""
    ledger, grace = postgres_shared.workspace, postgres_shared.enrol("grace", "owner")
    maker = postgres_shared.run("SELECT session_user")[0][0]
    with psycopg.connect(postgres_shared.url) as one, psycopg.connect(postgres_shared.address(grace)) as other:
        other.isolation_level = psycopg.IsolationLevel[isolation]
        other.execute("SELECT 1")
        one.execute(first, [ledger, grace])
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(other.execute, second, [ledger, maker])
            wait_until_it_waits(postgres_shared, other, call)
            one.commit()
            with pytest.raises(psycopg.Error) as refused:
                call.result()
    assert refused.value.sqlstate == ("LG001" if isolation == "READ_COMMITTED" else "40001")
    assert postgres_shared.run("SELECT login FROM sync.member WHERE role = 'owner'") == [(maker,)]


@pytest.mark.parametrize("sql", [ENROL, DISMISS], ids=("demoted", "dismissed"))
def test_two_owners_who_leave_at_once_do_not_both(postgres_shared: InPostgres, sql: str) -> None:
    """Of two owners who give up their own role at once one is told that a shared ledger keeps an owner."""
    ledger, grace = postgres_shared.workspace, postgres_shared.enrol("grace", "owner")
    maker = postgres_shared.run("SELECT session_user")[0][0]
    with psycopg.connect(postgres_shared.url) as one, psycopg.connect(postgres_shared.address(grace)) as other:
        one.execute(sql, [ledger, maker])
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(other.execute, sql, [ledger, grace])
            wait_until_it_waits(postgres_shared, other, call)
            one.commit()
            with pytest.raises(psycopg.Error, match="at least one owner"):
                call.result()
    assert postgres_shared.run("SELECT login FROM sync.member WHERE role = 'owner'") == [(grace,)]


def test_an_admin_with_an_open_transaction_is_dismissed_at_once(postgres_shared: InPostgres) -> None:
    """An admin who enrols and never commits keeps no owner waiting."""
    ledger, admin, member = (
        postgres_shared.workspace,
        postgres_shared.enrol("mia", "admin"),
        postgres_shared.login("ada"),
    )
    with psycopg.connect(postgres_shared.address(admin)) as one, psycopg.connect(postgres_shared.url) as other:
        one.execute(ENROL, [ledger, member])
        other.execute("SET lock_timeout = '1s'")
        other.execute(DISMISS, [ledger, admin])
    assert postgres_shared.run("SELECT login FROM sync.member WHERE login = %s", admin) == []
