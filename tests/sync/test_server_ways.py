"""Two ways of taking a push in PostgreSQL, a short one for rows as nearly all are and a long one: nobody can tell which it was."""

from __future__ import annotations

from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync.chain import START, Position, extend
from ledger_tui.domain.sync.digest import digest_of
from ledger_tui.domain.sync.records import Record
from ledger_tui.sync.door import PushAnswer
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres import PostgresRemote

from tests.sync.shared import InPostgres
from tests.sync.test_remote import record, statuses

COLUMNS = """rv, kind, body, hash, at_us, duration_us, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,
reasoning_tokens, cost_nusd, trace_id, prompt_id, version_id, provider, model, environment, status"""
PLAIN = {
    "started_us": 1_700_000_000_000_000, "duration_us": 5, "input_tokens": 1, "cache_read_tokens": 2, "cache_write_tokens": 3,
    "output_tokens": 4, "reasoning_tokens": 5, "cost_nusd": 2**53, "trace_id": "t" * 200, "prompt_id": "p", "version_id": "v",
    "provider": "öpenai", "model": "gpt \\u0041 \" \n", "environment": "", "status": "succeeded", "name": "nüll\u2028",
}  # fmt: skip


def span(**content: object) -> Record:
    """A span with a new id."""
    return record("span", "telemetry", **{**PLAIN, **content})


def rows_of(shared: InPostgres, rids: list[str]) -> list[tuple[object, ...]]:
    """The typed columns of records, in their order."""
    return [shared.run(f"SELECT {COLUMNS} FROM sync.rec WHERE rid = %s", rid)[0] for rid in rids]


def test_both_ways_write_the_same_columns(postgres_shared: InPostgres) -> None:
    """A row alone, and the same content beside one that needs the long way, end in the same columns and the same digest."""
    remote = postgres_shared.remote("ada")
    contents: list[dict[str, object]] = [{}, {"cost_nusd": None}, {"created_us": 7, "started_us": None}, {"rv": 2}]
    short = [span(**content) for content in contents]
    long = [Record("telemetry", ids.new_id(), "span", one.body) for one in short]
    first = remote.push("telemetry", short, START)
    second = remote.push("telemetry", [*long, record("span", "telemetry", rid="odd")], first.position)
    assert statuses(first) == ["NEW"] * 4 and statuses(second) == ["NEW"] * 5
    assert [row.seq for row in (*first.rows, *second.rows)] == list(range(1, 10))
    mine, theirs = (rows_of(postgres_shared, [one.rid for one in records]) for records in (short, long))
    assert [(*row[:3], *row[4:]) for row in mine] == [(*row[:3], *row[4:]) for row in theirs]
    assert first.position == Position(4, extend("", [one.hash for one in short]))
    assert remote.digest("telemetry") == digest_of([*short, *long, record("span", "telemetry", rid="odd")])


STRANGE: list[dict[str, object]] = [
    {"cost_nusd": "12"}, {"cost_nusd": 1.5}, {"cost_nusd": []}, {"input_tokens": []}, {"input_tokens": "soon"},
    {"started_us": {}}, {"duration_us": 0.5}, {"trace_id": 7}, {"model": ["m"]},
]  # fmt: skip


def test_a_strange_value_is_no_reason_to_refuse_its_neighbours(postgres_shared: InPostgres) -> None:
    """A value of another type than its column's is kept in the body and is NULL or text in the column; all rows are taken."""
    remote, end, sent = postgres_shared.remote("ada"), START, []
    for strange in STRANGE:
        rows = [span(), span(**strange), span()]
        answer = remote.push("telemetry", rows, end)
        assert statuses(answer) == ["NEW"] * 3, strange
        page = remote.pull("telemetry", end, 9)
        assert [row.record for row in page.rows] == rows, strange
        costs = [postgres_shared.run("SELECT cost_nusd FROM sync.rec WHERE rid = %s", row.rid)[0][0] for row in rows]
        assert costs == [2**53, None if "cost_nusd" in strange else 2**53, 2**53], strange
        end, sent = answer.position, [*sent, *rows]
    assert remote.digest("telemetry") == digest_of(sent)


def push_twice(shared: InPostgres, first: list[Record], second: list[Record]) -> PushAnswer:
    """What becomes of the second push."""
    remote = shared.remote("ada")
    return remote.push("telemetry", second, remote.push("telemetry", first, START).position)


def test_i4_i9_ids_that_are_known_are_found_on_the_short_way_too(postgres_shared: InPostgres) -> None:
    """A row that is there, one twice in a push, other content under a known id and an id of another stream get their answers."""
    row, other, fresh = span(), record(), span()
    remote = postgres_shared.remote("ada")
    remote.push("meta", [other], START)
    changed, taken = (
        Record("telemetry", row.rid, "span", span(x=1).body),
        Record("telemetry", other.rid, "span", row.body),
    )
    answer = push_twice(postgres_shared, [row], [row, fresh, fresh, changed, taken])
    assert statuses(answer) == ["DUP", "NEW", "DUP", "HASH_CONFLICT", "HASH_CONFLICT"]
    assert [one.seq for one in answer.rows] == [1, 2, 2, None, None] and answer.position.seq == 2
    assert statuses(remote.push("telemetry", [taken], answer.position)) == ["HASH_CONFLICT"]
    assert statuses(remote.push("telemetry", [row, fresh], answer.position)) == ["DUP", "DUP"]


def test_i9_a_whole_push_that_comes_again_changes_nothing(postgres_shared: InPostgres) -> None:
    """The answer to a push was lost: the same push again is DUP row by row, with the same numbers and no further commit."""
    rows = [span() for _ in range(50)]
    again = push_twice(postgres_shared, rows, rows)
    assert [(row.status, row.seq) for row in again.rows] == [("DUP", seq) for seq in range(1, 51)]
    assert postgres_shared.run("SELECT count(*) FROM sync.commit") == [(1,)]


def test_the_server_itself_finds_what_is_malformed(postgres_shared: InPostgres) -> None:
    """Whoever calls the function without our checks: ids, kinds and formats that cannot be are CORRUPT, neighbours are taken."""
    login, fine = postgres_shared.enrol("ada", "member"), ids.new_id()
    rids = [fine, ids.new_id(), ids.new_id(), "-x", "x" * 129, None, ids.new_id(), ids.new_id()]
    kinds = ["span", "span", "Span", "span", "span", "span", "span", None]
    bodies = ['{"rv":1}', '{"rv":0}', '{"rv":1}', '{"rv":1}', '{"rv":1}', '{"rv":1}', "[]", '{"rv":1}']
    sql = (
        "SELECT statuses, upto FROM sync.push_v1(%s::uuid, 'telemetry', 'd', %s::text[], %s::text[], %s::text[], 0, '')"
    )
    found = postgres_shared.run(sql, postgres_shared.workspace, rids, kinds, bodies, login=login)
    assert found == [(["NEW", *["CORRUPT"] * 7], 1)]
    for rid, kind, body in zip(rids[1:], kinds[1:], bodies[1:], strict=True):
        alone = postgres_shared.run(sql, postgres_shared.workspace, [rid], [kind], [body], login=login)
        assert alone == [(["CORRUPT"], 1)], (rid, kind, body)
    assert postgres_shared.run(sql, postgres_shared.workspace, [], [], [], login=login) == [([], 1)]


def test_a_vouched_row_that_could_not_be_framed_is_looked_at(postgres_shared: InPostgres) -> None:
    """Who vouches for its records and is wrong harms no other row: a line feed or a size that cannot be is found all the same."""
    remote = PostgresRemote(Target(postgres_shared.address(postgres_shared.enrol("ada", "member"))), vouched=True)
    huge = Record("telemetry", ids.new_id(), "span", canonical_json({"rv": 1, "x": "ü" * 2_200_000}))
    broken = Record("telemetry", ids.new_id(), "span", '{"rv":1,\n"x":1}')
    rows = [span(), broken, huge, record(), span()]
    assert statuses(remote.push("telemetry", rows, START)) == ["NEW", "CORRUPT", "TOO_BIG", "CORRUPT", "NEW"]
    assert [row.record for row in remote.pull("telemetry", START, 9).rows] == [rows[0], rows[4]]
    assert statuses(remote.push("telemetry", [span(), span()], START)) == ["NEW", "NEW"]
    remote.close()
