"""The texts of calls, steps and renders as a stream of records of their own: shared only where a person asked for it.

A text record carries everything of its owner that the numbers leave out: what was sent and answered, attributes, session and user.
Anything that looks like a key is taken out on the way; a text that this changed is kept as it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.redaction import without_keys
from ledger_tui.domain.retention import MARK
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.bodies import RV
from ledger_tui.domain.sync.records import Delivered, Record, Stream, derived_rid
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.store.sync_coming import NEWER, ORPHAN
from ledger_tui.store.sync_owners import NOTHING, OWNERS, fill
from ledger_tui.store.sync_shelves import SPANS, Held, KeptShelf, Key, Shelf, span_keys_at
from ledger_tui.store.sync_standing import CHUNK, FORGOTTEN, Taken, note_pruned, pruned

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

KEPT = KeptShelf("bodies")
SENT = "sent"
_JSON = (
    "attributes",
    "parameters",
    "rendered",
    "metadata",
    "included",
    "params",
    "messages",
    "response_metadata",
    "tool_calls",
)


def queue(lean: Lean, shelf: Shelf, keys: Iterable[Key], sharing: Sharing) -> None:
    """Let the texts of rows that a server has go, as far as the rules share them."""
    wanted = list(keys)
    if sharing.folders:
        names = {row[0]: row[1] for row in lean.fetch("SELECT id, name FROM prompts")}
        held = shelf.by_keys(lean, wanted)
        wanted = [one.key for one in held if sharing.of(names.get(one.prompt_id or "")).texts]
    elif not sharing.usual.texts:
        return
    enqueue(lean, shelf.kind, wanted)


def enqueue(lean: Lean, owner: str, keys: Sequence[Key]) -> None:
    """Let the texts of rows go, as far as they have any; what is queued or was sent already stays as it is."""
    for key, record in _written(lean, owner, keys):
        if record is None or lean.one(_IS_HERE, {"rid": record.rid}) or pruned(lean, [record.rid, *_place(record)]):
            continue
        safe = _without_keys(record)
        if safe != record:
            KEPT.keep(lean, SENT, [(safe, None)])
        else:
            _insert(lean, record.rid, owner, key, None)


_IS_HERE = "SELECT 1 FROM sync_texts WHERE rid = :rid UNION ALL SELECT 1 FROM sync_records WHERE rid = :rid"


def _written(lean: Lean, owner: str, keys: Sequence[Key]) -> Iterator[tuple[Key, Record | None]]:
    """Each row's texts as a record, None where it has none."""
    kind = OWNERS[owner]
    for start in range(0, len(keys), CHUNK):
        names = {f"k{n}": key for n, key in enumerate(keys[start : start + CHUNK])}
        for key, rid, trace_id, span_id, *values in lean.fetch(f"{kind.own} ({_marks(names)})", names):
            parts = {
                name: value
                for name, value in zip(kind.parts, values, strict=True)
                if value is not None and value != NOTHING.get(name) and not value.startswith(f'{{"{MARK}":')
            }
            yield key, _record(owner, rid, trace_id, span_id, parts) if parts else None


def _place(record: Record) -> list[str]:
    """Where the step of a text is, if it belongs to one."""
    content = record.content()
    found = (content.get("trace_id"), content.get("span_id"))
    return [place_id(*found)] if all(isinstance(part, str) for part in found) else []


def place_id(trace_id: Any, span_id: Any) -> str:
    """What stands for the texts of a step among what is known as removed, whichever record they are in."""
    return json.dumps(["texts", trace_id, span_id])


def _record(owner: str, rid: str, trace_id: str | None, span_id: str | None, parts: Mapping[str, str]) -> Record:
    content: dict[str, Any] = {"for": rid, "of": owner, "parts": dict(parts), "rv": RV}
    if trace_id is not None:
        content |= {"trace_id": trace_id, "span_id": span_id}
    return Record("bodies", derived_rid(rid, "text"), "text", canonical_json(content))


def _without_keys(record: Record) -> Record:
    content = record.content()
    parts = {name: without_keys(text) for name, text in content["parts"].items()}
    return Record(record.stream, record.rid, record.kind, canonical_json({**content, "parts": parts}))


def _insert(lean: Lean, rid: str, owner: str, key: Key, seq: int | None) -> None:
    place = ("span_key", key) if owner == "span" else ("row_id", key)
    lean.insert_rows("sync_texts", ("rid", "owner", place[0], "commit_seq"), [(rid, owner, place[1], seq)])


class TextShelf:
    """Texts that are records, made from the rows of their owners."""

    stream: Stream = "bodies"

    def pending(self, lean: Lean, limit: int) -> list[Held]:
        """As ``sync_shelves.Shelf.pending``."""
        return self._list(lean, "commit_seq IS NULL ORDER BY rid LIMIT :limit", {"limit": limit})

    def waiting(self, lean: Lean) -> int:
        """As ``sync_shelves.Shelf.waiting``."""
        row = lean.one("SELECT COUNT(*) FROM sync_texts WHERE commit_seq IS NULL")
        return 0 if row is None else int(row[0])

    def accepted(self, lean: Lean, after: Key | None, limit: int) -> list[Held]:
        """As ``sync_shelves.Shelf.accepted``."""
        where = f"rid > :after AND commit_seq >= {FORGOTTEN} ORDER BY rid LIMIT :limit"
        return self._list(lean, where, {"after": after or "", "limit": limit})

    def mark(self, lean: Lean, standings: Iterable[tuple[Key, int | None]], before: str = "IS NULL") -> None:
        """As ``sync_shelves.Shelf.mark``."""
        sql = f"UPDATE sync_texts SET commit_seq = :seq WHERE rid = :key AND (commit_seq {before})"
        lean.executemany(sql, [{"key": key, "seq": seq} for key, seq in standings])

    def forget(self, lean: Lean) -> None:
        """As ``sync_shelves.Shelf.forget``."""
        lean.execute(f"UPDATE sync_texts SET commit_seq = {FORGOTTEN} WHERE commit_seq > {FORGOTTEN}")

    def by_keys(self, lean: Lean, keys: Sequence[Key]) -> Iterator[Held]:
        """As ``sync_shelves.Shelf.by_keys``; the keys are rids."""
        for start in range(0, len(keys), CHUNK):
            names = {f"k{n}": key for n, key in enumerate(keys[start : start + CHUNK])}
            yield from self._list(lean, f"rid IN ({_marks(names)}) ORDER BY rid", names)

    def _list(self, lean: Lean, where: str, names: Mapping[str, Any]) -> list[Held]:
        rows = lean.fetch(
            f"SELECT rid, owner, COALESCE(span_key, row_id), commit_seq FROM sync_texts WHERE {where}", names
        )
        made: dict[tuple[str, Key], Record] = {}
        for owner in OWNERS:
            keys = [row[2] for row in rows if row[1] == owner]
            made.update(((owner, key), record) for key, record in _written(lean, owner, keys) if record is not None)
        found = ((rid, made.get((owner, key)), seq) for rid, owner, key, seq in rows)
        return [Held(rid, record, None, seq) for rid, record, seq in found if record is not None]


TEXTS = TextShelf()
MY_SHELVES: tuple[TextShelf | KeptShelf, ...] = (TEXTS, KEPT)


def take(lean: Lean, rows: Sequence[Delivered]) -> Taken:
    """Put texts from elsewhere to their owners; one whose owner is not here is kept as it came."""
    taken = Taken()
    rids = [row.record.rid for row in rows]
    known = {held.record.rid: (shelf, held) for shelf in MY_SHELVES for held in shelf.by_keys(lean, rids)}
    gone = pruned(lean, rids)
    for row in rows:
        why = records.fault(row.record, row.hash)
        if why is None and row.record.rid not in known.keys() | gone and pruned(lean, _place(row.record)):
            # The step was purged, and ended once more on a machine that did not know it.
            note_pruned(lean, [row.record])
            gone.add(row.record.rid)
        there = known.get(row.record.rid)
        if why is None and there is not None:
            why = _count_known(lean, there, row)
            taken.known += why is None
        elif why is None and row.record.rid in gone:
            taken.known += 1
        elif why is None:
            why = _take_new(lean, row, taken)
        if why is not None:
            taken.refused.append((row, why))
    return taken


def _count_known(lean: Lean, there: tuple[TextShelf | KeptShelf, Held], row: Delivered) -> str | None:
    shelf, held = there
    if held.record != row.record and (held.commit_seq or 0) <= 0:
        # Two ledgers shared the texts of one step: what the server took first is the record.
        for table in ("sync_texts", "sync_records"):
            lean.execute(f"DELETE FROM {table} WHERE rid = :rid", {"rid": row.record.rid})
        KEPT.keep(lean, SENT, [(row.record, row.seq)])
        return None
    if held.record != row.record:
        return "this ledger has another record of this id"
    if (held.commit_seq or 0) <= 0:
        shelf.mark(lean, [(held.key, row.seq)], "IS NULL OR commit_seq <= 0")
    return None


def _take_new(lean: Lean, row: Delivered, taken: Taken) -> str | None:
    record = row.record
    if not records.is_known(record):
        KEPT.keep(lean, NEWER, [(record, row.seq)])
        taken.new += 1
        taken.unread += 1
        return None
    content = record.content()
    why = _meaning_fault(record, content)
    if why is not None:
        return why
    taken.new += 1
    if not give(lean, record, row.seq):
        KEPT.keep(lean, ORPHAN, [(record, row.seq)])
    return None


def give(lean: Lean, record: Record, seq: int | None) -> bool:
    """Put a sound text to its owner; False, and nothing done, when that is not here."""
    content = record.content()
    key = _owner_key(lean, content)
    if key is None:
        return False
    fill(lean, content["of"], key, content["parts"])
    made = dict(_written(lean, content["of"], [key])).get(key)
    if made == record:
        _insert(lean, record.rid, content["of"], key, seq)
    else:
        KEPT.keep(lean, SENT, [(record, seq)])
    return True


def _meaning_fault(record: Record, content: Mapping[str, Any]) -> str | None:
    owner, rid, parts = content.get("of"), content.get("for"), content.get("parts")
    if not isinstance(owner, str) or owner not in OWNERS or not isinstance(rid, str) or not isinstance(parts, dict):
        return "it does not say whose it is"
    if record.rid != derived_rid(rid, "text"):
        return "its id does not fit its owner"
    if owner == "span" and not all(isinstance(content.get(name), str) for name in ("trace_id", "span_id")):
        return "it does not say whose it is"
    for name, text in parts.items():
        if name not in OWNERS[owner].parts or not isinstance(text, str):
            return "a part of it is malformed"
        try:
            if name in _JSON:
                json.loads(text)
        except (ValueError, RecursionError):
            return "a part of it is malformed"
    return None


def owners_of(lean: Lean, texts: Iterable[Record]) -> dict[str, list[Key]]:
    """The rows that texts belong to, by kind of owner, as far as they are here."""
    found: dict[str, list[Key]] = {}
    for record in texts:
        if not records.is_known(record):
            continue
        content = record.content()
        key = _owner_key(lean, content)
        if key is not None:
            found.setdefault(content["of"], []).append(key)
    return found


def _owner_key(lean: Lean, content: Mapping[str, Any]) -> Key | None:
    if content["of"] == "span":
        keys = span_keys_at(lean, [(content["trace_id"], content["span_id"])])
        return next((held.key for held in SPANS.by_keys(lean, keys) if held.record.rid == content["for"]), None)
    table = OWNERS[content["of"]].table
    row = lean.one(f"SELECT id FROM {table} WHERE id = :id", {"id": content["for"]})
    return None if row is None else str(row[0])


def _marks(names: Iterable[str]) -> str:
    return ", ".join(":" + name for name in names)
