"""A server that lies, and rows that were put into an honest one by hand: nothing of it gets in, and nothing else is held up."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.records import Record
from ledger_tui.errors import SyncError
from ledger_tui.sync.door import BadAnswer, Client
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.postgres import PostgresRemote

from tests.sync.file_log import FileLog
from tests.sync.shared import InPostgres
from tests.sync.test_remote import record, statuses

CLIENT = Client("laptop", "1")
HASH = "0" * 64
ARGUMENTS = {
    "hello_v1": "p_ws uuid, p_fences json",
    "push_v1": "p_ws uuid, p_stream text, p_device text, p_rids text[], p_kinds text[], p_bodies text[], p_fence bigint, "
    "p_fence_chain text",
    "pull_v1": "p_ws uuid, p_stream text, p_after bigint, p_after_chain text, p_limit int",
    "missing_v1": "p_ws uuid, p_stream text, p_rids text[]",
    "digest_v1": "p_ws uuid, p_stream text, p_month int, p_since int",
    "devices_v1": "p_ws uuid",
    "members_v1": "p_ws uuid",
    "retire_v1": "p_ws uuid, p_stream text, p_before int",
}
HELLO = {
    "workspace": "gen_random_uuid()", "role": "'member'", "epoch": "gen_random_uuid()", "server_us": "1", "schema": "99",
    "min_client": "1", "features": "'{}'::text[]", "pushes": "'{meta,telemetry,bodies}'::text[]", "pulls": "'{meta}'::text[]",
    "months_ahead": "3", "writable": "true", "ends": "'{\"meta\":[0,\"\"]}'::json", "horizons": "NULL::json",
    "lost": "'{}'::text[]",
}  # fmt: skip
HOSTILE_HELLO = (
    {"ends": "'{\"meta\":[1]}'::json"}, {"ends": "'{\"meta\":[\"1\",\"\"]}'::json"}, {"ends": "'{\"meta\":[-1,\"\"]}'::json"},
    {"ends": "'[1]'::json"}, {"ends": "'{\"meta\":5}'::json"}, {"horizons": "'{\"meta\":\"soon\"}'::json"},
    {"server_us": "NULL::int"},
    {"horizons": "'{\"meta\":0}'::json"}, {"schema": "'x'::text"}, {"min_client": "NULL::int"}, {"features": "'{NULL}'::text[]"},
    {"pushes": "NULL::text[]"}, {"pulls": "5"}, {"lost": "NULL::text[]"}, {"months_ahead": "'x'::text"}, {"server_us": "'x'::text"},
)  # fmt: skip
HOSTILE: dict[str, tuple[str, ...]] = {
    "push_v1": tuple(
        "SELECT false AS fence_lost, {}::bigint AS upto, {} AS upto_chain, {} AS statuses, {} AS seqs {}".format(*parts)
        for parts in (
            ("1", "'x'", "ARRAY['NEW']", "ARRAY[NULL]::bigint[]", ""),
            ("1", "'x'", "ARRAY['WHAT']", "ARRAY[1]", ""),
            ("1", "'x'", "ARRAY['NEW','NEW']", "ARRAY[1,2]", ""),
            ("1", "'x'", "5", "5", ""),
            ("0", "'x'", "NULL::text[]", "NULL::int[]", ""),
            ("-5", "'x'", "NULL::text[]", "NULL::int[]", ""),
            ("1", "NULL::text", "NULL::text[]", "NULL::int[]", ""),
            ("1", "'x'", "NULL::text[]", "NULL::int[]", "WHERE false"),
        )
    ),
    "digest_v1": (
        "SELECT 1 AS bucket, NULL::int AS records, 1 AS xored, 1 AS cost_nusd",
        "SELECT 1 AS bucket, 1 AS records, 'x'::text AS xored, 1 AS cost_nusd",
        "SELECT 1 AS bucket, 1 AS records, 1 AS xored, 'NaN'::numeric AS cost_nusd",
        "SELECT i AS bucket, 1 AS records, 1 AS xored, 1 AS cost_nusd FROM generate_series(1, 257) i",
    ),
    "devices_v1": (
        "SELECT 5 AS device, 'x' AS login, 'x' AS role, 1 AS last_us, 1 AS records",
        "SELECT 'x' AS device, 'x' AS login, 'x' AS role, 'x'::text AS last_us, 1 AS records",
        "SELECT 'x' AS device, 'x' AS login, NULL::text AS role, 1 AS last_us, 1 AS records FROM generate_series(0, 1000)",
    ),
    "members_v1": ("SELECT NULL::text AS login, 'x' AS role, 1 AS since_us",),
    "retire_v1": ("SELECT NULL::int", "SELECT 'x'::text"),
}


def pretend(shared: InPostgres, name: str, answer: str) -> None:
    """Put a view's rows in the place of a function's."""
    shared.run(
        f"DROP FUNCTION IF EXISTS sync.{name}; DROP VIEW IF EXISTS sync.lie_{name} CASCADE; CREATE VIEW sync.lie_{name} AS {answer}"
    )
    shared.run(
        f"CREATE FUNCTION sync.{name}({ARGUMENTS[name]}) RETURNS SETOF sync.lie_{name} LANGUAGE sql SECURITY DEFINER "
        f"AS $$ SELECT * FROM sync.lie_{name} $$"
    )


def test_b38_every_call_refuses_answers_of_another_shape(postgres_shared: InPostgres) -> None:
    """Whatever types, counts or absences a server answers with, a call gives what it promises or raises BadAnswer."""
    remote = postgres_shared.remote("ada")
    assert isinstance(remote, PostgresRemote)
    calls = {
        "push_v1": lambda: remote.push("meta", [record()], START), "digest_v1": lambda: remote.digest("meta"),
        "devices_v1": remote.devices, "members_v1": remote.members, "retire_v1": lambda: remote.retire("bodies", "2020-01"),
    }  # fmt: skip
    for name, answers in HOSTILE.items():
        for answer in answers:
            pretend(postgres_shared, name, answer)
            with pytest.raises(BadAnswer):
                pytest.fail(f"{answer} was taken: {calls[name]()}")


def test_b38_a_meeting_refuses_answers_of_another_shape(postgres_shared: InPostgres) -> None:
    """A server that says strange things of itself is not met."""
    remote = postgres_shared.remote("ada")
    for lie in ({}, *HOSTILE_HELLO):
        pretend(postgres_shared, "hello_v1", "SELECT " + ", ".join(f"{v} AS {k}" for k, v in {**HELLO, **lie}.items()))
        if not lie:
            assert remote.hello(CLIENT, {}).pulls == ("meta",)
            continue
        with pytest.raises(BadAnswer):
            pytest.fail(f"{lie} was taken: {remote.hello(CLIENT, {})}")


def test_b38_only_what_was_asked_for_is_missing(postgres_shared: InPostgres) -> None:
    """Ids that a server makes up are not offered to it."""
    remote = postgres_shared.remote("ada")
    pretend(postgres_shared, "missing_v1", "SELECT unnest(ARRAY['b', 'x']) AS rid")
    assert remote.missing("meta", ["a", "b"]) == ["b"]


def a_page(*rows: tuple[int, Record, str]) -> str:
    """SQL of a page that ends at number 2."""
    lines = [
        "SELECT 2::bigint AS seq, NULL::text AS rid, 'END' AS kind, NULL::text AS body, 'cc' AS hash, 'p' AS pusher"
    ]
    lines += [f"SELECT {seq}, '{row.rid}', '{row.kind}', '{row.body}', '{found}', 'p'" for seq, row, found in rows]
    return " UNION ALL ".join(lines)


def test_b38_pages_that_cannot_be_move_no_cursor(postgres_shared: InPostgres, tmp_path: Path) -> None:
    """Rows out of order, twice, below the cursor or beyond the end of a page: BadAnswer, and the ledger is as it was."""
    log, remote = FileLog(tmp_path / "ada.db"), postgres_shared.remote("ada")
    one, two = record(rid="one"), record(rid="two")
    lies = (
        ((2, one, one.hash), (1, two, two.hash)), ((1, one, one.hash), (1, two, two.hash)),
        ((1, one, one.hash), (2, one, one.hash)),
        ((0, one, one.hash), (1, two, two.hash)), ((-1, one, one.hash),), ((1, one, one.hash), (3, two, two.hash)),
    )  # fmt: skip
    postgres_shared.run("UPDATE sync.counter SET n = 2, chain = '\\xcc' WHERE stream = 'meta'")
    for rows in lies:
        pretend(postgres_shared, "pull_v1", a_page(*rows))
        with pytest.raises(BadAnswer):
            Engine(log, remote, CLIENT).sync()
        assert log.rids() == set() and log.state().cursor("meta") == START
    pretend(postgres_shared, "pull_v1", a_page((1, one, one.hash), (2, two, HASH)))
    assert Engine(log, remote, CLIENT).sync().quarantined == 1
    assert log.rids() == {"one"} and log.state().cursor("meta").seq == 2
    log.close()


def test_f16_f17_rows_put_in_by_hand_go_to_quarantine(postgres_shared: InPostgres, tmp_path: Path) -> None:
    """Damaged, deep, huge and nonsensical rows of a server are set aside on arrival, and what stands behind them arrives."""
    remote, log = postgres_shared.remote("ada"), FileLog(tmp_path / "ada.db")
    bodies = [
        "{", "", "[]", '{"rv":1,"rv":2}', '{"rv": 1}', '{"rv":0}', '{"rv":NaN}', '{"rv":1,"x":1e400}', "[" * 100_000,
        '{"rv":1,"x":' + "[" * 100_000 + "]" * 100_000 + "}", '{"rv":1,"x":"' + "x" * (5 * 1024 * 1024) + '"}',
    ]  # fmt: skip
    rows = [record(value=f"\x1b]0;x\x07[@click=app.quit]x[/] {number}") for number in range(len(bodies) + 1)]
    assert set(statuses(remote.push("meta", rows, START))) == {"NEW"}
    for seq, body in enumerate(bodies, 1):
        postgres_shared.run(
            "UPDATE sync.rec SET body = %s, hash = sha256(convert_to(kind || E'\\n' || rid || E'\\n' || %s, 'UTF8')) "
            "WHERE stream = 'meta' AND commit_seq = %s", body, body, seq,
        )  # fmt: skip
    receipt = Engine(log, remote, CLIENT).sync()
    assert receipt.quarantined == len(bodies) and log.rids() == {rows[-1].rid}
    assert log.state().cursor("meta").seq == len(rows) and receipt.agreed is None
    log.close()


def test_b8_b9_f18_what_is_too_large_is_refused_before_it_is_copied(postgres_shared: InPostgres) -> None:
    """Bodies of 10 and 200 MB are TOO_BIG without being copied, beside one that is taken; one of nearly 4 MB arrives whole."""
    remote = postgres_shared.remote("ada")
    remote.hello(CLIENT, {})
    mega = 1024 * 1024
    rows = [Record("bodies", ids.new_id(), "text", '{"rv":1,"x":"' + "x" * (size * mega) + '"}') for size in (10, 200)]
    large = record("text", "bodies", text="ü" * (2 * mega - 100))
    tracemalloc.start()
    answer = remote.push("bodies", [*rows, record("text", "bodies")], START)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert statuses(answer) == ["TOO_BIG", "TOO_BIG", "NEW"] and most < 5 * mega
    assert statuses(remote.push("bodies", [large], answer.position)) == ["NEW"]
    assert remote.pull("bodies", answer.position, 1).rows[0].record == large


def test_b37_what_a_server_says_of_a_meeting_is_shown_as_text(postgres_shared: InPostgres) -> None:
    """Errors, notices and the role's name lose their control characters, are short, and never hold the password."""
    remote = postgres_shared.remote("ada")
    nasty = r"E'\x1b]52;c;AAAA\x07\x1b[2J\u202e\npassword: secret'"
    pretend(
        postgres_shared,
        "hello_v1",
        "SELECT " + ", ".join(f"{v} AS {k}" for k, v in {**HELLO, "role": nasty, "pushes": "'{}'::text[]"}.items()),
    )
    why = remote.hello(CLIENT, {}).why_not
    assert "\x1b" not in why and "\u202e" not in why and "\n" not in why
    for level in ("NOTICE", "EXCEPTION"):
        postgres_shared.run("DROP FUNCTION IF EXISTS sync.members_v1")
        postgres_shared.run(
            "CREATE FUNCTION sync.members_v1(p_ws uuid) RETURNS TABLE (login text, role text, since_us bigint) LANGUAGE plpgsql "
            f"SECURITY DEFINER AS $x$ BEGIN RAISE {level} USING MESSAGE = {nasty} || repeat('x', 100000); END $x$"
        )
        assert isinstance(remote, PostgresRemote)
        if level == "NOTICE":
            assert remote.members() == []
            continue
        with pytest.raises(SyncError) as refused:
            remote.members()
        shown = str(refused.value) + repr(refused.value) + refused.value.cause
        assert "\x1b" not in shown and "secret" not in shown and len(refused.value.cause) < 1_000
