"""Whatever somebody sends who calls the functions of the server by hand: everybody else can go on reading."""

from __future__ import annotations

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
ROWS = 10_000
"""As many as one push may have."""


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
