"""Decisions of a sync, as data and pure functions: what goes in one push, what an answer means, when to try again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.records import Delivered, Record, Stream

PUSH_ROWS = 1_000
PUSH_BYTES = 4 * 1024 * 1024
PULL_ROWS = 5_000
ASK_ROWS = 10_000
"""How many ids are asked for at once."""
MAX_ROUNDS = 100_000
"""How many pushes or pages of one stream one sync handles: it ends whatever the server says."""
MAX_RESYNCS = 3
"""How often one sync begins anew before it waits for the next."""

BACKOFF_FIRST_S = 1.0
BACKOFF_LONGEST_S = 300.0

Status = Literal["NEW", "DUP", "CORRUPT", "HASH_CONFLICT", "MISSING_PARENT", "DENIED", "TOO_BIG"]
"""What the server says of one pushed record."""
ACCEPTED: frozenset[str] = frozenset({"NEW", "DUP"})
"""The server has it."""
REFUSED: frozenset[str] = frozenset({"CORRUPT", "HASH_CONFLICT", "DENIED", "TOO_BIG"})
"""It will never take it as it is: it is set aside, people are told, and everything else goes on."""
REASONS: dict[str, str] = {
    "CORRUPT": "the server found it damaged",
    "HASH_CONFLICT": "the server has another record of this id",
    "DENIED": "this account may not write it",
    "TOO_BIG": "it is larger than the server takes",
    "MISSING_PARENT": "neither end has the version it was written on",
    "REFUSED": "the server cannot store it",
}
LOST = "the server lost it, and only a maintainer's exchange can bring it back"
"""Why a fact that a server had, and that this account may not write, is told: it counts here all the same."""


def batches(
    records: Iterable[Record], max_rows: int = PUSH_ROWS, max_bytes: int = PUSH_BYTES
) -> Iterator[tuple[Record, ...]]:
    """Cut records into pushes, in their order; one that is larger than a push goes alone."""
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and (len(batch) >= max_rows or size + record.size > max_bytes):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(record)
        size += record.size
    if batch:
        yield tuple(batch)


def backoff_s(failures: int, chance: float) -> float:
    """Seconds to wait after so many failed syncs in a row: up to 1, 2, 4 … seconds, 5 minutes at most.

    chance: a number from 0 to 1 that spreads many clients out.
    """
    if failures < 1:
        return 0.0
    return chance * float(min(BACKOFF_LONGEST_S, BACKOFF_FIRST_S * 2 ** min(failures - 1, 16)))


def page_fault(stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, more: bool) -> str | None:
    """Why a page cannot follow ``cursor``, as a short phrase; None for one that can."""
    if upto.seq < cursor.seq or (upto.seq == cursor.seq and upto != cursor):
        return "it ends before it begins"
    if more and upto.seq == cursor.seq:
        return "it leads nowhere"
    last = cursor.seq
    for row in rows:
        if row.record.stream != stream:
            return "it holds records of another stream"
        if row.seq <= last:
            return "its records are not in order"
        last = row.seq
    if last > upto.seq:
        return "it holds records beyond its end"
    return "it holds one record twice" if len({row.record.rid for row in rows}) < len(rows) else None
