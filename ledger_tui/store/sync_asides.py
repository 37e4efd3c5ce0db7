"""What an exchange could not take: records of ours that the server refused, and what came and cannot be right (quarantine)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain import clock
from ledger_tui.domain.span_words import MAX_COST_NUSD
from ledger_tui.domain.sync import plan
from ledger_tui.domain.sync.records import Delivered, Record, Stream, cost_of, is_hash
from ledger_tui.store.sync_standing import FORGOTTEN, note_pruned_hashes, pruned

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_COLUMNS = ("key", "way", "stream", "rid", "why", "at_us", "raw")


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
    what: str = ""
    """What it says, as far as that can be told: ``label production of mail/welcome``."""


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
        lean.insert_rows("sync_asides", _COLUMNS, rows)


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


_KINDS = {"field": "", "inputs": "input set", "late_price": "late price"}


def asides(lean: Lean, limit: int = 1_000) -> list[Aside]:
    """What was set aside or put in quarantine, newest first."""
    rows = lean.fetch(
        f"SELECT {', '.join('a.' + name for name in _COLUMNS)}, j.kind, j.field, p.name FROM sync_asides a "
        "LEFT JOIN journal j ON a.way = 'out' AND a.stream = 'meta' AND j.rid = a.rid "
        "LEFT JOIN prompts p ON p.id = j.prompt_id ORDER BY a.at_us DESC, a.key LIMIT :limit",
        {"limit": limit},
    )
    return [Aside(*row[:7])._replace(what=_of_ours(*row[7:]) if row[6] is None else _of_theirs(row[6])) for row in rows]


def _of_ours(kind: str | None, field: str | None, prompt: str | None) -> str:
    return "" if kind is None else _said(kind, field or "", prompt or "")


def _of_theirs(raw: str) -> str:
    try:
        came = json.loads(raw)
        content = json.loads(came["body"])
        found = [content.get(name) for name in ("field", "prompt")]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return ""
    return _said(str(came["kind"]), *(text if isinstance(text, str) else "" for text in found))


def _said(kind: str, field: str, prompt: str) -> str:
    """A fact in a few words; the field of a version, a price or a budget is an id that says nothing."""
    named = field if kind in ("label", "field", "inputs") else ""
    words = " ".join(part for part in (_KINDS.get(kind, kind), named) if part)
    return f"{words} of {prompt}" if prompt else words


def count_asides(lean: Lean) -> int:
    """How many records are set aside or in quarantine."""
    row = lean.one("SELECT COUNT(*) FROM sync_asides")
    return 0 if row is None else int(row[0])


def drop_asides(lean: Lean, keys: Sequence[str]) -> None:
    """Forget what was put in quarantine, and that the server refused records of ours: those stay where they stand (``ASIDE``)."""
    lean.executemany("DELETE FROM sync_asides WHERE key = :key", [{"key": key} for key in keys])


def remove(lean: Lean, keys: Sequence[str]) -> None:
    """Forget these for good: what came and a server has is known as removed here, like what retention took."""
    for key in keys:
        row = lean.one("SELECT stream, rid, raw FROM sync_asides WHERE key = :key AND way = 'in'", {"key": key})
        if row is not None:
            _note_removed(lean, *row)
    drop_asides(lean, keys)


def _note_removed(lean: Lean, stream: Stream, rid: str, raw: str) -> None:
    row = _delivered(stream, rid, raw)
    if not is_hash(row.hash) or pruned(lean, [rid]):
        return
    try:
        cost = cost_of(row.record)
    except (ValueError, RecursionError):
        cost = 0
    note_pruned_hashes(lean, stream, [(rid, row.hash, max(0, min(cost, MAX_COST_NUSD)))])


def _delivered(stream: Stream, rid: str, raw: str) -> Delivered:
    """What came, as it came."""
    came = json.loads(raw)
    return Delivered(Record(stream, rid, came["kind"], came["body"]), came["seq"], came["hash"], came["pusher"])


def drop_texts(lean: Lean, rids: Sequence[str]) -> None:
    """Forget texts in quarantine."""
    rows = [{"rid": rid} for rid in rids]
    lean.executemany("DELETE FROM sync_asides WHERE way = 'in' AND stream = 'bodies' AND rid = :rid", rows)


def quarantined(lean: Lean, stream: Stream, why: str) -> dict[str, Delivered]:
    """What of a stream was put in quarantine for one reason, by key, in the server's order."""
    rows = lean.fetch(
        "SELECT key, rid, raw FROM sync_asides WHERE way = 'in' AND stream = :stream AND why = :why",
        {"stream": stream, "why": why},
    )
    found = {str(key): _delivered(stream, rid, raw) for key, rid, raw in rows}
    return dict(sorted(found.items(), key=lambda item: item[1].seq))


def forget_quarantined_numbers(lean: Lean) -> None:
    """A history was lost: what is in quarantine keeps no number of it."""
    rows = lean.fetch("SELECT key, raw FROM sync_asides WHERE way = 'in'")
    changed = [
        {"key": key, "raw": json.dumps({**json.loads(raw), "seq": FORGOTTEN}, sort_keys=True)} for key, raw in rows
    ]
    lean.executemany("UPDATE sync_asides SET raw = :raw WHERE key = :key", changed)
