"""The server end in PostgreSQL: made once and whole, its walls hold, and what does not fit is said before anything is written."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.sync.chain import START, extend
from ledger_tui.errors import SyncError
from ledger_tui.sync.door import BadAnswer, BatchRefused, Client, RemoteRefused, RemoteUnavailable
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres import PostgresRemote
from ledger_tui.sync.server import schema, steps
from ledger_tui.sync.server.install import SchemaRights, install, script

from tests.sync.shared import InPostgres
from tests.sync.test_remote import record, statuses

CLIENT = Client("laptop", "1")


def test_making_it_again_changes_nothing(postgres_shared: InPostgres) -> None:
    """A second installation finds the ledger that is there and keeps its epoch and id."""
    epoch = postgres_shared.run("SELECT epoch FROM sync.server")
    again = install(Target(postgres_shared.url))
    assert (again.workspace, again.before, again.after, again.made_workspace) == (
        postgres_shared.workspace, schema(), schema(), False,
    )  # fmt: skip
    assert postgres_shared.run("SELECT epoch FROM sync.server") == epoch


def test_two_installations_at_once_make_one_ledger(postgres_url: str) -> None:
    """Installers take turns: one makes the ledger, the other finds it."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: install(Target(postgres_url)), range(2)))
    assert done[0].workspace == done[1].workspace
    assert sorted(one.made_workspace for one in done) == [False, True]


def test_a_second_ledger_in_one_database_is_named(postgres_shared: InPostgres) -> None:
    """A ledger asked for by its id is made beside the first; then an address alone does not say which is meant."""
    other = str(uuid.uuid4())
    assert install(Target(postgres_shared.url), workspace=other).made_workspace
    assert not install(Target(postgres_shared.url), workspace=other).made_workspace
    with pytest.raises(SyncError, match="several"):
        install(Target(postgres_shared.url))
    remote = PostgresRemote(Target(postgres_shared.url))
    with pytest.raises(RemoteRefused, match="several"):
        remote.hello(CLIENT, {})
    remote.close()


def test_b20_an_id_of_another_ledger_is_nobodys_business(postgres_shared: InPostgres) -> None:
    """The same record id in another ledger of the same database is taken, and each ledger shows its own rows only."""
    row = record("usage", "telemetry")
    member = postgres_shared.remote("ada")
    assert statuses(member.push("telemetry", [row], START)) == ["NEW"]
    other = str(uuid.uuid4())
    install(Target(postgres_shared.url), workspace=other)
    owner = PostgresRemote(Target(postgres_shared.url), other)
    assert owner.missing("telemetry", [row.rid]) == [row.rid]
    assert statuses(owner.push("telemetry", [record("usage", "telemetry", rid=row.rid, x=1)], START)) == ["NEW"]
    owner.close()
    assert len(member.pull("telemetry", START, 9).rows) == 1
    assert postgres_shared.run("SELECT count(*) FROM sync.usages", login=postgres_shared.login("ada")) == [(1,)]


def test_b22_f21_a_member_reaches_no_table_and_no_other_ledger(postgres_shared: InPostgres) -> None:
    """Tables, helper functions, other ledgers and forged settings are all denied to a member; a stranger sees no view."""
    member, stranger = postgres_shared.enrol("ada", "member"), postgres_shared.login("mallory")
    for sql in (
        "SELECT * FROM sync.rec", "INSERT INTO sync.member VALUES (gen_random_uuid(), 'x', 'owner')",
        "SELECT * FROM sync.rec_meta", "UPDATE sync.counter SET n = 0", "SELECT sync.make_workspace(gen_random_uuid(), '')",
        "SELECT sync.add_meta(gen_random_uuid(), 'owner', 1, 'a', 'field', '{}', '', 0)", "SET ROLE ledger_owner",
        "SELECT sync.enrol_v1(gen_random_uuid(), 'x', 'owner')", "CREATE TABLE sync.mine (x int)",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres_shared.run(sql, login=member)
    for sql in ("SELECT * FROM sync.spans", "SELECT * FROM sync.hello_v1(NULL, NULL)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres_shared.run(sql, login=stranger)
    unknown = postgres_shared.open(member)
    assert isinstance(unknown, PostgresRemote)
    unknown.workspace = str(uuid.uuid4())
    words = []
    for remote in (unknown, postgres_shared.stranger()):
        with pytest.raises(RemoteRefused) as refused:
            remote.hello(CLIENT, {})
        words.append(str(refused.value))
    assert words[0] == words[1]


def test_f21_even_the_functions_owner_sees_no_foreign_rows(postgres_shared: InPostgres) -> None:
    """Row security holds for the owner of the tables too: as that role, an account sees its own ledgers only."""
    postgres_shared.remote("ada").push("meta", [record()], START)
    outsider = postgres_shared.login("mallory")
    postgres_shared.run(f"GRANT ledger_owner TO {outsider}")
    with psycopg.connect(postgres_shared.address(outsider), autocommit=True) as connection:
        connection.execute("SET ROLE ledger_owner")
        for table in ("rec", "commit", "counter", "workspace"):
            assert connection.execute(f"SELECT count(*) FROM sync.{table}").fetchone() == (0,)


def test_an_admin_enrols_but_makes_no_owners(postgres_shared: InPostgres) -> None:
    """Admins enrol and dismiss members; only owners make admins, and the last owner stays."""
    ledger, admin = postgres_shared.workspace, postgres_shared.enrol("grace", "admin")
    member = postgres_shared.login("ada")
    postgres_shared.run("SELECT sync.enrol_v1(%s, %s, 'member')", ledger, member, login=admin)
    assert postgres_shared.open(member).hello(CLIENT, {}).workspace == ledger
    postgres_shared.run("SELECT sync.dismiss_v1(%s, %s)", ledger, member, login=admin)
    with pytest.raises(RemoteRefused):
        postgres_shared.open(member).hello(CLIENT, {})
    owner = postgres_shared.run("SELECT session_user")[0][0]
    for sql, parameters, login in (
        ("SELECT sync.enrol_v1(%s, %s, 'owner')", (ledger, member), admin),
        ("SELECT sync.dismiss_v1(%s, %s)", (ledger, owner), admin),
        ("SELECT sync.enrol_v1(%s, %s, 'member')", (ledger, owner), ""),
    ):
        with pytest.raises(psycopg.Error) as refused:
            postgres_shared.run(sql, *parameters, login=login)
        assert refused.value.sqlstate == "LG001"


def test_f20_an_account_dismissed_in_mid_sync_is_told(postgres_shared: InPostgres) -> None:
    """Membership is looked up by every call, on open connections too."""
    remote = postgres_shared.remote("ada")
    end = remote.push("meta", [record()], START).position
    postgres_shared.run("SELECT sync.dismiss_v1(%s, %s)", postgres_shared.workspace, postgres_shared.login("ada"))
    for call in (lambda: remote.push("meta", [record()], end), lambda: remote.pull("meta", START, 1)):
        with pytest.raises(RemoteRefused, match="no such shared ledger"):
            call()


def test_without_the_rights_there_is_sql_for_the_one_who_may(postgres_shared: InPostgres, postgres_url: str) -> None:
    """An account that may not make schemas gets a script; run by one who may, it makes the ledger that was to be made."""
    plain = postgres_shared.login("plain")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA sync CASCADE")
        with pytest.raises(SchemaRights) as refused:
            install(Target(postgres_shared.address(plain)), workspace=postgres_shared.workspace)
        assert connection.execute("SELECT to_regnamespace('sync')").fetchone() == (None,)
        connection.execute(refused.value.script)
    again = install(Target(postgres_url))
    assert (again.workspace, again.before, again.made_workspace) == (postgres_shared.workspace, schema(), False)


def test_an_account_that_makes_roles_and_schemas_needs_no_superuser(postgres_url: str) -> None:
    """CREATEROLE and CREATE on the database are enough, also where the roles are another ledger's already."""
    keeper, database = f"keeper_{uuid.uuid4().hex[:8]}", postgres_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {keeper} LOGIN CREATEROLE PASSWORD 'secret'")
        connection.execute(f"GRANT CREATE ON DATABASE {database} TO {keeper}")
        there = connection.execute("SELECT to_regrole('ledger_owner')").fetchone()
        if there != (None,):
            connection.execute(f"GRANT ledger_owner TO {keeper}")
    target = Target(psycopg.conninfo.make_conninfo(postgres_url, user=keeper, password="secret"))
    made = install(target)
    remote = PostgresRemote(target)
    assert statuses(remote.push("meta", [record("label", field="production")], START)) == ["NEW"]
    assert remote.hello(CLIENT, {}).workspace == made.workspace
    remote.close()


def test_b35_a_database_without_a_ledger_says_so(postgres_url: str) -> None:
    """No schema, or one of somebody else, is named in words, and nothing is made by meeting."""
    remote = PostgresRemote(Target(postgres_url))
    with pytest.raises(RemoteRefused, match="no shared ledger"):
        remote.hello(CLIENT, {})
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA sync")
        with pytest.raises(RemoteRefused, match="no shared ledger"):
            remote.hello(CLIENT, {})
        with pytest.raises(SyncError, match="half made"):
            install(Target(postgres_url))


def test_b35_an_older_schema_is_named_and_upgraded_in_place(postgres_url: str) -> None:
    """A server that lacks the last step is refused with the command that helps; the installer runs what is missing."""
    with psycopg.connect(postgres_url, autocommit=True) as connection, connection.transaction():
        for number, (_, text) in enumerate(steps()[:-1], 1):
            connection.execute(text)
            if number == 1:
                connection.execute("SET LOCAL ROLE ledger_owner")
        connection.execute("INSERT INTO sync.server (schema) VALUES (%s)", (schema() - 1,))
        connection.execute("SELECT sync.make_workspace(gen_random_uuid(), '')")
    remote = PostgresRemote(Target(postgres_url))
    with pytest.raises(RemoteRefused, match="older release") as refused:
        remote.hello(CLIENT, {})
    assert "sync init" in refused.value.remedy
    done = install(Target(postgres_url))
    assert (done.before, done.after, done.made_workspace) == (schema() - 1, schema(), False)
    assert remote.hello(CLIENT, {}).workspace == done.workspace
    remote.close()


def test_b35_f19_a_newer_server_lets_read_and_says_what_it_needs(postgres_shared: InPostgres) -> None:
    """A newer schema is no hindrance by itself; where a newer protocol is needed, reading goes on and sending is refused."""
    remote = postgres_shared.remote("ada")
    postgres_shared.run("UPDATE sync.server SET schema = 99")
    assert remote.hello(CLIENT, {}).pushes == ("meta", "telemetry", "bodies")
    postgres_shared.run("UPDATE sync.server SET min_client = 2")
    welcome = remote.hello(CLIENT, {})
    assert welcome.pushes == () and welcome.pulls and "upgrade" in welcome.why_not


def test_b35_a_database_that_takes_no_writes_lets_read(postgres_shared: InPostgres) -> None:
    """A read-only server says so when met; a push that comes all the same is for later, not for never."""
    remote = postgres_shared.remote("ada")
    postgres_shared.run(f"ALTER ROLE {postgres_shared.login('ada')} SET default_transaction_read_only = on")
    welcome = remote.hello(CLIENT, {})
    assert welcome.pushes == () and "no writes" in welcome.why_not
    with pytest.raises(RemoteUnavailable, match="no writes"):
        remote.push("meta", [record()], START)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_b35_a_database_in_another_encoding_is_refused(postgres_server: str, encoding: str) -> None:
    """What cannot hold every text is refused by name, by the installer and by a meeting."""
    name = f"e{uuid.uuid4().hex[:12]}"
    address = psycopg.conninfo.make_conninfo(postgres_server, dbname=name)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        for call in (lambda: install(Target(address)), lambda: PostgresRemote(Target(address)).hello(CLIENT, {})):
            with pytest.raises(RemoteRefused, match=encoding):
                call()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_i3_f16_the_history_can_be_proven_from_its_rows(postgres_shared: InPostgres) -> None:
    """Extending the chain by the stored hashes, push by push, gives the counter's chain, in every stream."""
    remote = postgres_shared.remote("ada")
    for stream, kind in (("meta", "field"), ("telemetry", "usage"), ("bodies", "text")):
        for count in (1, 3, 2):
            remote.push(stream, [record(kind, stream, value="Grüße\u2028") for _ in range(count)], START)  # type: ignore[arg-type]
        chain = ""
        done = 0
        for last, proven in postgres_shared.run(
            "SELECT last_seq, encode(chain, 'hex') FROM sync.commit WHERE stream = %s ORDER BY last_seq", stream
        ):
            hashes = postgres_shared.run(
                "SELECT encode(hash, 'hex') FROM sync.rec WHERE stream = %s AND commit_seq > %s AND commit_seq <= %s "
                "ORDER BY commit_seq", stream, done, last,
            )  # fmt: skip
            chain, done = extend(chain, [one[0] for one in hashes]), last
            assert chain == proven
        assert postgres_shared.run("SELECT n, encode(chain, 'hex') FROM sync.counter WHERE stream = %s", stream) == [
            (6, chain)
        ]


def test_rows_go_to_the_partition_of_their_month(postgres_shared: InPostgres) -> None:
    """Records of this month have a partition made ahead, old ones the default one; both are found again by their ids."""
    remote = postgres_shared.remote("ada")
    rows = [
        record("span", "telemetry"),
        record("span", "telemetry", rid=ids.new_id(0)),
        record("span", "telemetry", rid="x"),
    ]
    assert statuses(remote.push("telemetry", rows, START)) == ["NEW"] * 3
    assert statuses(remote.push("telemetry", rows, START)) == ["DUP"] * 3
    where = dict(postgres_shared.run("SELECT rid, tableoid::regclass::text FROM sync.rec"))
    assert where[rows[1].rid] == where["x"] == "sync.rec_telemetry_default"
    assert where[rows[0].rid].startswith("sync.rec_telemetry_20")
    assert postgres_shared.run("SELECT sync.months_ahead()") == [(3,)]


def test_partitions_are_made_by_whoever_comes(postgres_shared: InPostgres) -> None:
    """When the months ahead run out, the next member that meets the server has them made."""
    for (name,) in postgres_shared.run(
        "SELECT relname FROM pg_class WHERE relname ~ '^rec_(telemetry|bodies)_[0-9]+$' AND relkind = 'r'"
    ):
        postgres_shared.run(f"DROP TABLE sync.{name}")
    postgres_shared.remote("eve", "reader").hello(CLIENT, {})
    assert postgres_shared.run("SELECT sync.months_ahead()") == [(0,)]
    postgres_shared.remote("ada").hello(CLIENT, {})
    assert postgres_shared.run("SELECT sync.months_ahead()") == [(3,)]


def test_the_views_say_what_the_records_say(postgres_shared: InPostgres) -> None:
    """Readers with plain SQL see versions, facts and numbers; strange values in a body are NULL there, not an error."""
    remote = postgres_shared.remote("ada")
    remote.push(
        "meta",
        [record("version", field="v1", parents=[], prompt="a/b", version={"content": "{}", "author": "Ada"})],
        START,
    )
    spans = [
        record("span", "telemetry", model="m", cost_nusd=12, input_tokens=3, started_us=1_700_000_000_000_000),
        record("span", "telemetry", cost_nusd="twelve", input_tokens=[], started_us="soon", session_id="s"),
    ]
    assert statuses(remote.push("telemetry", spans, START)) == ["NEW", "NEW"]
    reader = postgres_shared.enrol("eve", "reader")
    assert postgres_shared.run("SELECT prompt, version_id, author FROM sync.versions", login=reader) == [
        ("a/b", "v1", "Ada")
    ]
    assert postgres_shared.run("SELECT kind, prompt FROM sync.facts", login=reader) == [("version", "a/b")]
    assert postgres_shared.run("SELECT model, cost_nusd, input_tokens FROM sync.spans ORDER BY commit_seq", login=reader) == [
        ("m", 12, 3), (None, None, None),
    ]  # fmt: skip
    assert remote.digest("telemetry")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres_shared.run("SELECT * FROM sync.pushes", login=reader)


def test_a_value_the_database_cannot_take_refuses_the_batch(postgres_shared: InPostgres) -> None:
    """What only the database can tell, such as an id too large to index, is a refused batch, and nothing of it is written."""
    remote = postgres_shared.remote("ada")
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    with pytest.raises(BatchRefused):
        remote.push("meta", [record(), record("version", field=long, parents=[])], START)
    assert remote.pull("meta", START, 9).rows == ()


def test_f24_a_locked_counter_is_for_later(postgres_shared: InPostgres) -> None:
    """While somebody holds a stream's lock, a push gives up after a while, and other streams go on."""
    remote = postgres_shared.remote("ada")
    remote.hello(CLIENT, {})
    postgres_shared.run("ALTER FUNCTION sync.push_v1 SET lock_timeout = '50ms'")
    with psycopg.connect(postgres_shared.url) as other:
        other.execute("SELECT 1 FROM sync.counter WHERE stream = 'telemetry' FOR UPDATE")
        with pytest.raises(RemoteUnavailable):
            remote.push("telemetry", [record("usage", "telemetry")], START)
        assert statuses(remote.push("meta", [record()], START)) == ["NEW"]
    assert statuses(remote.push("telemetry", [record("usage", "telemetry")], START)) == ["NEW"]


def test_f6_a_cut_connection_is_for_later_and_comes_back(postgres_shared: InPostgres) -> None:
    """A connection that the server ends raises RemoteUnavailable once; the next call connects anew."""
    remote = postgres_shared.remote("ada")
    remote.hello(CLIENT, {})
    postgres_shared.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", postgres_shared.login("ada")
    )
    with pytest.raises(RemoteUnavailable):
        remote.push("meta", [record()], START)
    assert statuses(remote.push("meta", [record()], START)) == ["NEW"]


def test_b38_answers_that_break_the_promise_are_not_taken(postgres_shared: InPostgres) -> None:
    """Pages without an end, endless ones and records without parts are refused before they are ours."""
    remote = postgres_shared.remote("ada")
    answers = (
        "SELECT 1::bigint, 'x', 'field', '{}', 'h', 'p'",
        "SELECT 1::bigint, NULL, 'WHAT', NULL, 'h', NULL",
        "SELECT 1::bigint, NULL, 'END', NULL, 'h', NULL UNION ALL SELECT NULL, 'x', 'field', '{}', 'h', 'p'",
        "SELECT 9::bigint, CASE WHEN i > 0 THEN 'x' END, 'END', '{}', 'h', 'p' FROM generate_series(0, 1000000) i",
        "SELECT 9::bigint, CASE WHEN i > 0 THEN 'x' END, 'END', repeat('x', 10000000), 'h', 'p' FROM generate_series(0, 9) i",
    )
    for answer in answers:
        postgres_shared.run(
            "CREATE OR REPLACE FUNCTION sync.pull_v1(p_ws uuid, p_stream text, p_after bigint, p_after_chain text, p_limit int) "
            "RETURNS TABLE (seq bigint, rid text, kind text, body text, hash text, pusher text) LANGUAGE plpgsql "
            f"SECURITY DEFINER AS $$ BEGIN RETURN QUERY {answer}; END $$"
        )
        with pytest.raises(BadAnswer):
            remote.pull("meta", START, 100)


def test_b37_what_a_server_says_is_shown_as_text(postgres_shared: InPostgres) -> None:
    """Errors of the server lose their control characters and never show the password."""
    remote = postgres_shared.remote("ada")
    postgres_shared.run(
        "CREATE OR REPLACE FUNCTION sync.missing_v1(p_ws uuid, p_stream text, p_rids text[]) RETURNS SETOF text "
        "LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RAISE EXCEPTION E'\\x1b[2J\\x1b]0;x\\x07 secret password: '; END $$"
    )
    with pytest.raises(SyncError) as refused:
        remote.missing("meta", ["x"])
    assert "\x1b" not in str(refused.value) and "secret" not in str(refused.value) and "***" in str(refused.value)


def test_the_script_is_one_transaction() -> None:
    """The SQL to hand on begins, locks and commits: nobody gets half of it."""
    text = script(str(uuid.uuid4()), "it's ours")
    assert text.startswith("BEGIN;") and text.rstrip().endswith("COMMIT;") and "'it''s ours'" in text
