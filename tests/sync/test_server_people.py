"""What goes and who comes, as only the server in PostgreSQL shows it: partitions, audit, accounts and logins."""

from __future__ import annotations

import threading
import uuid

import psycopg
import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.sync.chain import START
from ledger_tui.errors import InputError
from ledger_tui.sync.door import Client, RemoteRefused, RemoteUnavailable
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.listening import PostgresListener
from ledger_tui.sync.people import login_script
from ledger_tui.sync.postgres import PostgresRemote
from ledger_tui.sync.server.install import install

from tests.sync.shared import InPostgres
from tests.sync.test_keeping import everything, of_month, purge_of
from tests.sync.test_remote import record, statuses


def owner(shared: InPostgres, workspace: str = "") -> PostgresRemote:
    """The door of the account that made the ledger."""
    remote = PostgresRemote(Target(shared.url), workspace or shared.workspace)
    shared.remotes.append(remote)
    return remote


def partition(shared: InPostgres, month: int) -> None:
    """Make the partition of an old month, as it was made when that month was to come."""
    shared.run(
        f"CREATE TABLE sync.rec_telemetry_{month} PARTITION OF sync.rec_telemetry FOR VALUES FROM ({month}) TO ({month + 1})"
    )
    shared.run(f"ALTER TABLE sync.rec_telemetry_{month} OWNER TO ledger_owner")


def test_f23_a_month_of_one_ledger_goes_as_a_partition(postgres_shared: InPostgres) -> None:
    """Whole partitions are dropped, and what stood in the default one is deleted; pushes remember what they still hold."""
    partition(postgres_shared, 202001)
    keeper = postgres_shared.remote("grace", "maintainer")
    rows = [of_month(2020, 1), of_month(2020, 2), of_month(2020, 1), record("usage", "telemetry")]
    end = keeper.push("telemetry", rows[:2], START).position
    keeper.push("telemetry", rows[2:], end)
    assert keeper.retire("telemetry", "2020-03") == 3
    assert postgres_shared.run("SELECT to_regclass('sync.rec_telemetry_202001')") == [(None,)]
    assert postgres_shared.run("SELECT rows, kept FROM sync.commit ORDER BY last_seq") == [(2, 0), (2, 1)]
    assert everything(keeper) == [(4, rows[3])]
    reader = postgres_shared.login("ada")
    postgres_shared.enrol("ada", "member")
    who = postgres_shared.login("grace")
    assert postgres_shared.run("SELECT stream, before, records, login FROM sync.retirements", login=reader) == [
        ("telemetry", 202003, 3, who)
    ]


def test_f23_another_ledgers_month_stays(postgres_shared: InPostgres) -> None:
    """Two ledgers share a database: retention of one touches no row of the other, which keeps its own horizon."""
    partition(postgres_shared, 202001)
    other = str(uuid.uuid4())
    install(Target(postgres_shared.url), workspace=other)
    mine, theirs = owner(postgres_shared), owner(postgres_shared, other)
    for remote in (mine, theirs):
        remote.push("telemetry", [of_month(2020, 1), of_month(2019, 1)], START)
    assert mine.retire("telemetry", "2020-02") == 2
    assert len(everything(theirs)) == 2 and everything(mine) == []
    assert not theirs.hello(Client("d", "1"), {}).horizons
    assert theirs.retire("telemetry", "2020-02") == 2
    assert postgres_shared.run("SELECT to_regclass('sync.rec_telemetry_202001')") == [(None,)]


def test_a_purge_leaves_nothing_in_any_column_and_is_audited(postgres_shared: InPostgres) -> None:
    """No column and no view says what was purged; who asked for it, when and by which record can be read."""
    keeper = postgres_shared.remote("grace", "maintainer")
    canary = "sk-canary"
    row = record(
        "span",
        "telemetry",
        **dict.fromkeys(("trace_id", "model", "provider", "environment", "status", "prompt_id"), canary),
    )
    fact = record("field", field=canary, prompt=canary, value=canary)
    keeper.push("telemetry", [row], START)
    purges = [purge_of("telemetry", [row.rid]), purge_of("meta", [fact.rid])]
    keeper.push("meta", [fact, *purges], START)
    login = postgres_shared.enrol("ada", "member")
    for source in ("sync.spans", "sync.facts", "sync.versions"):
        assert canary not in str(postgres_shared.run(f"SELECT * FROM {source}", login=login))
    assert canary not in str(postgres_shared.run("SELECT * FROM sync.rec"))
    assert postgres_shared.run("SELECT stream, rid, fact, login FROM sync.purges ORDER BY stream", login=login) == [
        ("meta", fact.rid, purges[1].rid, postgres_shared.login("grace")),
        ("telemetry", row.rid, purges[0].rid, postgres_shared.login("grace")),
    ]


def test_f21_what_keepers_may_is_denied_to_others(postgres_shared: InPostgres) -> None:
    """Members reach neither the function nor its parts nor the tables behind it; even the owner of all sees no foreign audit."""
    member = postgres_shared.enrol("ada", "member")
    for sql in (
        "SELECT sync.retire_v1(gen_random_uuid(), 'telemetry', 202001)",
        "SELECT sync.uncount(gen_random_uuid(), 'telemetry', 'pg_class', 202001)",
        "SELECT sync.blank(gen_random_uuid(), 'meta', '{}')", "SELECT sync.purge_records(gen_random_uuid(), 'x', '{}')",
        "SELECT * FROM sync.purge", "DELETE FROM sync.retirement",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres_shared.run(sql, login=member)
    keeper = postgres_shared.remote("grace", "maintainer")
    keeper.push("meta", [purge_of("meta", ["x"])], START)
    keeper.retire("bodies", "2020-01")
    outsider = postgres_shared.login("mallory")
    postgres_shared.run(f"GRANT ledger_owner TO {outsider}")
    with psycopg.connect(postgres_shared.address(outsider), autocommit=True) as connection:
        connection.execute("SET ROLE ledger_owner")
        for table in ("purge", "retirement"):
            assert connection.execute(f"SELECT count(*) FROM sync.{table}").fetchone() == (0,)


def test_f21_who_sent_and_removed_what_is_for_members_of_that_ledger(postgres_shared: InPostgres) -> None:
    """Pushes, purges and retirements of a ledger are for its members, not for its readers, whatever they are or were elsewhere."""
    install(Target(postgres_shared.url), workspace=(other := str(uuid.uuid4())))
    for ledger in (postgres_shared.workspace, other):
        keeper = owner(postgres_shared, ledger)
        keeper.push("meta", [purge_of("meta", ["x"])], START)
        keeper.retire("bodies", "2020-01")
    login = postgres_shared.enrol("eve", "member")

    def seen(role: str) -> set[tuple[str, ...]]:
        postgres_shared.run("SELECT sync.enrol_v1(%s, %s, %s)", other, login, role)
        return {
            tuple(
                str(ws)
                for (ws,) in postgres_shared.run(f"SELECT ws FROM sync.{view} ORDER BY ws = %s", other, login=login)
            )
            for view in ("pushes", "purges", "retirements")
        }

    for role in ("owner", "admin", "maintainer", "member"):
        assert seen(role) == {(postgres_shared.workspace, other)}, role
    for role in ("reader", "ingest"):
        assert seen(role) == {(postgres_shared.workspace,)}, role
    postgres_shared.enrol("eve", "reader")
    assert seen("reader") == {()}
    assert postgres_shared.run("SELECT ws::text FROM sync.facts ORDER BY ws = %s", other, login=login) == [
        (postgres_shared.workspace,), (other,),
    ]  # fmt: skip


def test_accounts_come_and_go_by_the_door(postgres_shared: InPostgres) -> None:
    """An owner enrols a login, gives it another role and dismisses it; who is there can be read by members."""
    boss, login = owner(postgres_shared), postgres_shared.login("ada")
    ada = postgres_shared.open(login)
    assert isinstance(ada, PostgresRemote)
    boss.enrol(login, "ingest")
    assert ada.hello(Client("d", "1"), {}).pushes == ("telemetry", "bodies")
    with pytest.raises(RemoteRefused):
        ada.members()
    boss.enrol(login, "member")
    found = {member.login: member for member in ada.members()}
    assert found[login].role == "member" and abs(found[login].since_us - clock.now_us()) < 60_000_000
    assert [member.role for member in found.values() if member.login != login] == ["owner"]
    with pytest.raises(RemoteRefused):
        ada.enrol(login, "owner")
    boss.dismiss(login)
    with pytest.raises(RemoteRefused, match="no such shared ledger"):
        ada.members()
    with pytest.raises(ValueError, match="roles are"):
        boss.enrol(login, "king")
    with pytest.raises(RemoteRefused) as refused:
        boss.enrol("no_such_login", "member")
    assert "login" in refused.value.title and len(boss.members()) == 1


def test_b36_the_sql_for_a_login_holds_no_password(postgres_shared: InPostgres) -> None:
    """One who may make logins runs it as it stands; psql asks for the password. Names that could break out of it do not."""
    login = f"ada'\"; drop schema sync; -- {postgres_shared.mark}"
    text = login_script(postgres_shared.workspace, login, "member")
    assert "PASSWORD '" not in text.upper() and "\\password" in text
    postgres_shared.run(text.replace(text.splitlines()[1], ""))
    assert ("member",) in postgres_shared.run("SELECT role FROM sync.member WHERE login = %s", login)
    postgres_shared.run(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(login)).as_string())
    for wrong in ("", "a\nb", "x" * 64, "a\x1b[2J"):
        with pytest.raises(InputError):
            login_script(postgres_shared.workspace, wrong, "member")


def test_b36_a_superuser_who_belongs_to_no_ledger_enrols_by_that_sql(postgres_shared: InPostgres) -> None:
    """The SQL for a login works for whoever runs the server, and for an admin of the ledger who may make logins; the session is
    its own again afterwards. One who only may make logins enrols nobody."""
    keeper, admin, other = (postgres_shared.login(name) for name in ("keeper", "grace", "mallory"))
    postgres_shared.run(f"ALTER ROLE {keeper} SUPERUSER; ALTER ROLE {admin} CREATEROLE; ALTER ROLE {other} CREATEROLE")
    postgres_shared.enrol("grace", "admin")
    for who, works in ((keeper, True), (admin, True), (other, False)):
        name = postgres_shared.login(f"new_{who}")
        postgres_shared.run(f"DROP ROLE {name}")
        text = login_script(postgres_shared.workspace, name, "member")
        with psycopg.connect(postgres_shared.address(who), autocommit=True) as connection:
            script = text.replace(text.splitlines()[1], "")
            if works:
                connection.execute(script)
                assert connection.execute("SELECT session_user").fetchone() == (who,)
            else:
                with pytest.raises(psycopg.Error):
                    connection.execute(script)
                postgres_shared.run(f"CREATE ROLE {name}")
        found = postgres_shared.run("SELECT role FROM sync.member WHERE login = %s", name)
        assert found == ([("member",)] if works else [])


def test_b34_a_listener_whose_line_is_cut_says_so_and_begins_anew(postgres_shared: InPostgres) -> None:
    """An ended connection is RemoteUnavailable once; the next wait listens again, and a stranger's ledger is not heard."""
    login, stop = postgres_shared.enrol("ada", "member"), threading.Event()
    remote = postgres_shared.open(login)
    listener = remote.listener()
    foreign = PostgresListener(Target(postgres_shared.address(login)), str(uuid.uuid4()))
    assert listener is not None and listener.wait(5, stop) and foreign.wait(5, stop)
    assert statuses(remote.push("meta", [record()], START)) == ["NEW"]
    assert listener.wait(5, stop) and not foreign.wait(0, stop)
    postgres_shared.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND usename = %s", login
    )
    with pytest.raises(RemoteUnavailable):
        listener.wait(5, stop)
    assert listener.wait(5, stop)
    listener.close()
    foreign.close()
