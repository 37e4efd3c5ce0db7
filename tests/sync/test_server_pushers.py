"""Whatever somebody sends who calls the functions of the server by hand: everybody else can go on reading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.plan import PULL_ROWS, PUSH_BYTES
from ledger_tui.domain.sync.records import MAX_BODY_BYTES
from ledger_tui.sync.door import Remote

from tests.sync.shared import InPostgres

PUSH = "SELECT statuses, upto FROM sync.push_v1(%s::uuid, %s, 'd', %s::text[], %s::text[], %s::text[], 0, '')"
VIEWS = ("facts", "versions", "spans", "executions", "usages", "late_prices", "pushes", "purges", "retirements")
ROWS = 10_000
"""As many as one push may have."""
FIRST_US, LAST_US = -62_135_510_400_000_000, 253_402_214_400_000_000
"""The second day of the year 1 and the last one of 9999: within the years that the driver knows, in every time zone."""
IN_RANGE = (FIRST_US, LAST_US, 0, 10**16)
STRANGE = (FIRST_US - 1, LAST_US + 1, -(3 * 10**17), 3 * 10**17, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 10**30, "soon", 1.5,
           [], {}, True)  # fmt: skip
MOMENTS = {"span": "started_us", "usage": "created_us", "execution": "created_us", "late_price": "at_us"}
NUMBERS = ("duration_us", "latency_us", "ended_us", "input_tokens", "cache_read_tokens", "output_tokens", "cost_nusd")
COLUMNS = "at_us, duration_us, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nusd"


def push(shared: InPostgres, login: str, stream: str, rows: Sequence[tuple[str, str, str]]) -> tuple[Any, int]:
    """What the server answers to (rid, kind, body) rows that none of our checks has seen: statuses and where its history ends."""
    ((found, upto),) = shared.run(PUSH, shared.workspace, stream, *map(list, zip(*rows, strict=True)), login=login)
    return found, upto


def of_bytes(size: int) -> str:
    """A body of so many bytes."""
    return '{"rv":1,"x":"' + "x" * (size - 15) + '"}'


def texts(*sizes: int) -> list[tuple[str, str, str]]:
    """New rows with bodies of these sizes."""
    return [(ids.new_id(), "text", of_bytes(size)) for size in sizes]


def pulled(remote: Remote, stream: Any) -> list[str]:
    """The ids of a history read from its beginning."""
    found: list[str] = []
    after, more = START, True
    while more:
        page = remote.pull(stream, after, PULL_ROWS)
        found += [row.record.rid for row in page.rows]
        after, more = page.upto, page.more
    return found


def test_b8_a_push_larger_than_any_page_is_refused(postgres_shared: InPostgres) -> None:
    """Rows that are fine one by one, and together more than a ledger would read as one page, are not taken."""
    ingest, remote = postgres_shared.enrol("ci", "ingest"), postgres_shared.remote("ada")
    for rows in (texts(*[3_900_000] * 3), texts(PUSH_BYTES, MAX_BODY_BYTES, 15)):
        with pytest.raises(psycopg.Error) as refused:
            push(postgres_shared, ingest, "bodies", rows)
        assert refused.value.sqlstate == "LG004"
    assert remote.pull("bodies", START, 1).upto == START
    assert push(postgres_shared, ingest, "bodies", texts(15)) == (None, 1)


def test_b8_the_largest_pushes_there_can_be_are_read_by_everybody(postgres_shared: InPostgres) -> None:
    """A full batch with the largest record, and as many rows as may be with the longest ids: each goes, and all come again."""
    ingest, remote = postgres_shared.enrol("ci", "ingest"), postgres_shared.remote("ada")
    most = PUSH_BYTES + MAX_BODY_BYTES
    long = [(f"{place:05d}" + "x" * 123, "k" * 32, of_bytes(most // ROWS)) for place in range(ROWS)]
    pushes = [texts(PUSH_BYTES, MAX_BODY_BYTES), long, *(texts(PUSH_BYTES, MAX_BODY_BYTES) for _ in range(3))]
    for rows in pushes:
        push(postgres_shared, ingest, "bodies", rows)
    sent = [rid for rows in pushes for rid, _, _ in rows]
    assert pulled(remote, "bodies") == sent


def test_ids_and_kinds_of_several_lines_are_no_records(postgres_shared: InPostgres) -> None:
    """An id or a kind with a line feed is CORRUPT, however well each of its lines is formed, and its neighbours are taken."""
    login = postgres_shared.enrol("ci", "ingest")
    one, two, fine = ids.new_id(), ids.new_id(), ids.new_id()
    wrong = [(f"{one}\n{two}", "span\nspan"), (f"{one}\n{two}", "span"), (one, "span\nspan"), (one + "\n", "span")]
    for rid, kind in wrong:
        assert push(postgres_shared, login, "telemetry", [(rid, kind, '{"rv":1}')]) == (["CORRUPT"], 0), (rid, kind)
    rows = [(rid, kind, '{"rv":1}') for rid, kind in [*wrong, (fine, "span")]]
    assert push(postgres_shared, login, "telemetry", rows) == (["CORRUPT"] * 4 + ["NEW"], 1)


def strange_bodies() -> list[tuple[str, str]]:
    """Kinds and bodies of telemetry with times and numbers of all sizes."""
    bodies = [(kind, {"rv": 1, MOMENTS[kind]: value}) for kind in MOMENTS for value in (*IN_RANGE, *STRANGE)]
    bodies += [
        (kind, {"rv": 1, **dict.fromkeys(NUMBERS, value)}) for kind in MOMENTS for value in (*IN_RANGE, *STRANGE)
    ]
    return [(kind, json.dumps(body)) for kind, body in bodies]


def read_everything(shared: InPostgres, login: str) -> None:
    """Read every view whole, as the driver gives it and as text, at both ends of the day; add up what there is to add up."""
    for zone in ("Etc/GMT+12", "UTC", "Pacific/Kiritimati"):
        with psycopg.connect(shared.address(login), options=f"-c timezone={zone}") as connection:
            for view in VIEWS:
                connection.execute(f"SELECT * FROM sync.{view}").fetchall()
                connection.execute(f"SELECT v::text FROM sync.{view} v").fetchall()
            connection.execute("SELECT max(started_at), sum(cost_nusd), avg(duration_us) FROM sync.spans").fetchall()


def test_times_and_numbers_that_cannot_be_harm_no_reader(postgres_shared: InPostgres) -> None:
    """Times outside the years 1 to 9999 and numbers of any size stay in bodies and are NULL in columns, whichever way they went."""
    ingest, member = postgres_shared.enrol("ci", "ingest"), postgres_shared.enrol("ada", "member")
    bodies = strange_bodies()
    alone = [(ids.new_id(), *body) for body in bodies]
    for row in alone:
        assert push(postgres_shared, ingest, "telemetry", [row])[0] in (None, ["NEW"]), row
    together = [(ids.new_id(), *body) for body in bodies]
    found = push(postgres_shared, ingest, "telemetry", [*together, ("odd", "span", '{"rv":1}')])
    assert found == (["NEW"] * (len(bodies) + 1), 2 * len(bodies) + 1)
    facts = [(ids.new_id(), "field", json.dumps({"rv": 1, "at_us": value})) for value in (*IN_RANGE, *STRANGE)]
    assert push(postgres_shared, member, "meta", facts)[0] == ["NEW"] * len(facts)
    read_everything(postgres_shared, member)
    for stream, rows in (("meta", facts), ("telemetry", alone), ("telemetry", together)):
        sql = f"SELECT at_us, body FROM sync.rec WHERE stream = '{stream}' AND rid = ANY(%s) ORDER BY commit_seq"
        kept = postgres_shared.run(sql, [rid for rid, _, _ in rows])
        assert [body for _, body in kept] == [body for _, _, body in rows]
        assert [at for at, _ in kept[: len(IN_RANGE)]] == list(IN_RANGE)
        assert [at for at, _ in kept[len(IN_RANGE) :][: len(STRANGE)]] == [None] * len(STRANGE)
    columns = f"SELECT {COLUMNS} FROM sync.rec WHERE rid = ANY(%s) ORDER BY commit_seq"
    short, long = (postgres_shared.run(columns, [rid for rid, _, _ in rows]) for rows in (alone, together))
    assert short == long
