"""Where records stand between a ledger and its shared server, and what the ledger remembers of that server.

A record's standing is its row's ``commit_seq``: none, it is pending; above 0, the number that the server gave it;
0, a server had it and the number was forgotten (a resync is under way); -1, it was set aside; -2, the person's rules keep
it at home. Whatever is remembered is a row of `workspace` whose key begins with ``sync.``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain import clock
from ledger_tui.domain.sync import plan
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


class Aside(NamedTuple):
    """A record that an exchange could not take."""

    key: str
    way: str
    """``out``: the server refused ours; ``in``: it came and cannot be right (quarantine)."""
    stream: str
    rid: str
    why: str
    at_us: int
    raw: str | None
    """JSON of what came: kind, body, hash, seq, pusher."""


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


def refuse(lean: Lean, stream: Stream, whys: Mapping[str, str]) -> None:
    """Write down why the server will not take records of ours."""
    at_us = clock.now_us()
    rows = [("out." + rid, "out", stream, rid, why, at_us, None) for rid, why in whys.items()]
    _keep_asides(lean, rows)


def quarantine(lean: Lean, stream: Stream, refused: Sequence[tuple[Delivered, str]]) -> None:
    """Keep records that came and cannot be taken, each once; their ids may be anything, so the key is a hash."""
    rows = []
    for row, why in refused:
        record = row.record
        raw = {"kind": record.kind, "body": record.body, "hash": row.hash, "seq": row.seq, "pusher": row.pusher}
        name = hashlib.sha256(json.dumps([stream, record.rid, record.body, row.hash]).encode()).hexdigest()
        text = json.dumps(raw, sort_keys=True)
        rows.append(("in." + name[:32], "in", stream, storable(record.rid), why, clock.now_us(), text))
    _keep_asides(lean, rows)


def storable(text: str) -> str:
    """``text`` without what no database takes."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\u2400")


def _keep_asides(lean: Lean, rows: Sequence[tuple[Any, ...]]) -> None:
    lean.executemany("DELETE FROM sync_asides WHERE key = :key", [{"key": row[0]} for row in rows])
    if rows:
        lean.insert_rows("sync_asides", Aside._fields, rows)


def forget_refusals(lean: Lean, rids: Sequence[str]) -> None:
    """Records of ours that a server has after all are no longer set aside."""
    lean.executemany("DELETE FROM sync_asides WHERE key = :key", [{"key": "out." + rid} for rid in rids])


def forget_quarantined(lean: Lean, stream: Stream, rids: Collection[str]) -> None:
    """Records that came whole after all are no longer in quarantine as they came before."""
    rows = lean.fetch("SELECT key, rid FROM sync_asides WHERE way = 'in' AND stream = :stream", {"stream": stream})
    drop_asides(lean, [str(key) for key, rid in rows if rid in rids])


def orphans(lean: Lean) -> list[str]:
    """The rids of records of ours that were refused because nobody had what they were written on; they are taken off the list."""
    reason = {"why": plan.REASONS["MISSING_PARENT"]}
    found = lean.fetch("SELECT rid FROM sync_asides WHERE way = 'out' AND why = :why", reason)
    lean.execute("DELETE FROM sync_asides WHERE way = 'out' AND why = :why", reason)
    return [str(row[0]) for row in found]


def asides(lean: Lean, limit: int = 1_000) -> list[Aside]:
    """What was set aside or put in quarantine, newest first."""
    sql = f"SELECT {', '.join(Aside._fields)} FROM sync_asides ORDER BY at_us DESC, key LIMIT :limit"
    return [Aside(*row) for row in lean.fetch(sql, {"limit": limit})]


def count_asides(lean: Lean) -> int:
    """How many records are set aside or in quarantine."""
    row = lean.one("SELECT COUNT(*) FROM sync_asides")
    return 0 if row is None else int(row[0])


def drop_asides(lean: Lean, keys: Sequence[str]) -> None:
    """Forget what was put in quarantine, and that the server refused records of ours: those stay where they stand (``ASIDE``)."""
    lean.executemany("DELETE FROM sync_asides WHERE key = :key", [{"key": key} for key in keys])


def quarantined(lean: Lean, stream: Stream, why: str) -> dict[str, Delivered]:
    """What of a stream was put in quarantine for one reason, by key, in the server's order."""
    rows = lean.fetch(
        "SELECT key, rid, raw FROM sync_asides WHERE way = 'in' AND stream = :stream AND why = :why",
        {"stream": stream, "why": why},
    )
    found = {}
    for key, rid, text in rows:
        raw = json.loads(text)
        record = Record(stream, rid, raw["kind"], raw["body"])
        found[str(key)] = Delivered(record, raw["seq"], raw["hash"], raw["pusher"])
    return dict(sorted(found.items(), key=lambda item: item[1].seq))


def forget_quarantined_numbers(lean: Lean) -> None:
    """A history was lost: what is in quarantine keeps no number of it."""
    rows = lean.fetch("SELECT key, raw FROM sync_asides WHERE way = 'in'")
    changed = [
        {"key": key, "raw": json.dumps({**json.loads(raw), "seq": FORGOTTEN}, sort_keys=True)} for key, raw in rows
    ]
    lean.executemany("UPDATE sync_asides SET raw = :raw WHERE key = :key", changed)


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
    sql = "INSERT INTO sync_pruned (rid_key) VALUES (:rid_key) ON CONFLICT DO NOTHING"
    lean.executemany(sql, [{"rid_key": rid_key(rid)} for rid, _, _ in removed])
    for month, pairs in by_month.items():
        lean.executemany(
            _ADD_CELL,
            [
                {"stream": stream, "month": month, "bucket": bucket, "records": cell.records,
                 "xored": signed(cell.xor), "cost_nusd": cell.cost_nusd}
                for bucket, cell in digest_of_hashes(pairs).items()
            ],
        )  # fmt: skip


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
