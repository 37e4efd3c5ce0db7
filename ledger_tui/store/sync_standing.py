"""Where records stand between a ledger and its shared server, and what the ledger remembers of that server.

A record's standing is its row's ``commit_seq``: none, it is pending; above 0, the number that the server gave it;
0, a server had it and the number was forgotten (a resync is under way); -1, it was set aside; -2, the person's rules keep
it at home. Whatever is remembered is a row of `workspace` whose key begins with ``sync.``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.digest import Cell, digest_of_hashes
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream, cost_of, month_of
from ledger_tui.domain.sync.standing import SyncState

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

FORGOTTEN, ASIDE, WITHHELD = 0, -1, -2
STATE = "sync.state"
CHUNK = 400
_SET = "INSERT INTO workspace (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


@dataclass
class Taken:
    """What became of records from elsewhere."""

    new: int = 0
    known: int = 0
    unread: int = 0
    """Of the new ones those of a newer release."""
    refused: list[tuple[Delivered, str]] = field(default_factory=list)
    """Records that cannot be taken, and why; they are in no table of the ledger's own."""


def get(lean: Lean, key: str) -> Any:
    """What is remembered under a key; None for nothing."""
    row = lean.one("SELECT value FROM workspace WHERE key = :key", {"key": key})
    return None if row is None else json.loads(row[0])


def put(lean: Lean, key: str, value: Any) -> None:
    """Remember ``value``; None forgets."""
    if value is None:
        lean.execute("DELETE FROM workspace WHERE key = :key", {"key": key})
    else:
        lean.execute(_SET, {"key": key, "value": json.dumps(value, sort_keys=True)})


def is_shared(lean: Lean) -> bool:
    """Whether the ledger has met a server."""
    return lean.one("SELECT 1 FROM workspace WHERE key = :key", {"key": STATE}) is not None


def state(lean: Lean) -> SyncState:
    """What is remembered of the server."""
    kept = get(lean, STATE)
    if kept is None:
        return SyncState()
    cursors, told = (
        {stream: Position(*kept[what][stream]) for stream in STREAMS if stream in kept[what]}
        for what in ("cursors", "told")
    )
    return SyncState(kept["workspace"], kept["epoch"], kept["resyncing"], cursors, told)


def remember(lean: Lean, known: SyncState, **changes: Any) -> None:
    """Keep what is known of the server, changed so."""
    kept = {name: getattr(known, name) for name in ("workspace", "epoch", "resyncing", "cursors", "told")}
    put(lean, STATE, {**kept, **changes})


def rid_key(rid: str) -> bytes:
    """16 bytes that stand for a rid."""
    return hashlib.sha256(rid.encode()).digest()[:16]


_ADD_CELL = """
INSERT INTO sync_pruned_cells (stream, month, bucket, records, xored, cost_nusd)
VALUES (:stream, :month, :bucket, :records, :xored, :cost_nusd)
ON CONFLICT (stream, month, bucket) DO UPDATE SET records = sync_pruned_cells.records + excluded.records,
  xored = (sync_pruned_cells.xored | excluded.xored) - (sync_pruned_cells.xored & excluded.xored),
  cost_nusd = sync_pruned_cells.cost_nusd + excluded.cost_nusd
"""


def note_pruned(lean: Lean, removed: Sequence[Record]) -> None:
    """Remember records that a server has and that go from here: they are not new when they come again, and stay in the digests."""
    for stream in STREAMS:
        mine = [(record.rid, record.hash, cost_of(record)) for record in removed if record.stream == stream]
        note_pruned_hashes(lean, stream, mine)


def note_pruned_hashes(lean: Lean, stream: Stream, removed: Sequence[tuple[str, str, int]]) -> None:
    """As ``note_pruned``, by rid, hash and cost."""
    by_month: dict[str, list[tuple[str, int]]] = {}
    for rid, found, cost in removed:
        by_month.setdefault(month_of(rid), []).append((found, cost))
    note_removed(lean, [rid for rid, _, _ in removed])
    for month, pairs in by_month.items():
        lean.executemany(
            _ADD_CELL,
            [
                {"stream": stream, "month": month, "bucket": bucket, "records": cell.records,
                 "xored": signed(cell.xor), "cost_nusd": cell.cost_nusd}
                for bucket, cell in digest_of_hashes(pairs).items()
            ],
        )  # fmt: skip


def note_removed(lean: Lean, names: Sequence[str]) -> None:
    """Remember rids, or what else stands for records, as removed; in no digest."""
    sql = "INSERT INTO sync_pruned (rid_key) VALUES (:rid_key) ON CONFLICT DO NOTHING"
    lean.executemany(sql, [{"rid_key": rid_key(name)} for name in names])


def pruned(lean: Lean, rids: Sequence[str]) -> set[str]:
    """Those of the rids that retention removed here."""
    found: set[str] = set()
    if lean.one("SELECT 1 FROM sync_pruned LIMIT 1") is None:
        return found
    for start in range(0, len(rids), CHUNK):
        names = {f"k{n}": rid_key(rid) for n, rid in enumerate(rids[start : start + CHUNK])}
        marks = ", ".join(":" + name for name in names)
        gone = {
            bytes(row[0]) for row in lean.fetch(f"SELECT rid_key FROM sync_pruned WHERE rid_key IN ({marks})", names)
        }
        found.update(rid for rid in rids[start : start + CHUNK] if rid_key(rid) in gone)
    return found


def pruned_digests(lean: Lean, stream: Stream) -> dict[str, dict[int, Cell]]:
    """What removed records contribute to the digests, by month."""
    sql = "SELECT month, bucket, records, xored, cost_nusd FROM sync_pruned_cells WHERE stream = :stream"
    found: dict[str, dict[int, Cell]] = {}
    for month, bucket, count, xored, cost in lean.fetch(sql, {"stream": stream}):
        found.setdefault(month, {})[int(bucket)] = Cell(int(count), int(xored) % 2**64, int(cost))
    return found


def signed(number: int) -> int:
    """An unsigned 64-bit number as a signed one with the same bits."""
    return number - 2**64 if number >= 2**63 else number
