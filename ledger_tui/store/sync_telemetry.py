"""The telemetry of a ledger as a stream of records: handing them out, and taking those of others into tables and sums.

What comes from elsewhere counts like what happened here: in its trace, in the sums of its day, in budgets. A step that another
ledger gave up as interrupted and that ended after all has two records; the real end counts, whichever comes first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger_tui.domain.sync import numbers, records
from ledger_tui.domain.sync.records import Delivered, Record, derived_rid
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.store import sync_late_prices, sync_standing
from ledger_tui.store.sync_coming import KEPT, NEWER, Coming, chunks, rows_of
from ledger_tui.store.sync_runs import take_cards, take_executions, take_usages
from ledger_tui.store.sync_shelves import (
    CARDS,
    EXECUTIONS,
    LATE_PRICES,
    SHELVES,
    SPANS,
    USAGES,
    Held,
    KeptShelf,
    Key,
    Shelf,
    span_keys_at,
)
from ledger_tui.store.sync_spans import Spans
from ledger_tui.store.sync_standing import WITHHELD, Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_CHUNK = 500
"""Records that are taken at once: what they say is kept for so long."""
MY_SHELVES: tuple[Shelf | KeptShelf, ...] = (*SHELVES, KEPT)


def pending(
    lean: Lean, limit: int, sharing: Sharing
) -> tuple[list[tuple[Shelf | KeptShelf, Held]], list[tuple[Shelf, Key]]]:
    """The first pending records with their shelves, and rows met on the way that must stay at home."""
    found: list[tuple[Shelf | KeptShelf, Held]] = []
    home: list[tuple[Shelf, Key]] = []
    names = _prompt_names(lean) if sharing.folders else {}
    for shelf in MY_SHELVES:
        if len(found) >= limit:
            break
        for held in shelf.pending(lean, limit - len(found)):
            if (
                isinstance(shelf, Shelf)
                and shelf is not CARDS
                and not sharing.of(names.get(held.prompt_id or "")).numbers
            ):
                home.append((shelf, held.key))
            else:
                found.append((shelf, held))
    return found, home


def _prompt_names(lean: Lean) -> dict[str, str]:
    return {row[0]: row[1] for row in lean.fetch("SELECT id, name FROM prompts")}


def withhold(lean: Lean, home: Sequence[tuple[Shelf, Key]]) -> None:
    """Mark rows that the rules keep at home."""
    for shelf in SHELVES:
        shelf.mark(lean, [(key, WITHHELD) for mine, key in home if mine is shelf])


def reconsider(lean: Lean) -> None:
    """The rules changed: everything that was kept at home is looked at again."""
    for shelf in SHELVES:
        lean.execute(f"UPDATE {shelf.table} SET commit_seq = NULL WHERE commit_seq = {WITHHELD}")


def withheld(lean: Lean) -> int:
    """How many records the rules keep at home."""
    counts = [lean.one(f"SELECT COUNT(*) FROM {shelf.table} WHERE commit_seq = {WITHHELD}") for shelf in SHELVES]
    return sum(int(row[0]) for row in counts if row is not None)


def take(lean: Lean, rows: Sequence[Delivered]) -> Taken:
    """Write records from elsewhere in the caller's transaction, with everything that sums them.

    A record that is here gets its number. One that cannot be taken holds up no other.
    """
    taken = Taken()
    for start in range(0, len(rows), _CHUNK):
        _take_some(lean, rows[start : start + _CHUNK], taken)
    return taken


def _take_some(lean: Lean, rows: Sequence[Delivered], taken: Taken) -> None:
    sound: dict[str, list[Coming]] = {}
    for row in _without_known(lean, rows, taken):
        coming, why = _judged(row)
        if why is not None:
            taken.refused.append((row, why))
        elif records.is_known(row.record):
            sound.setdefault(row.record.kind, []).append(coming)
        else:
            KEPT.keep(lean, NEWER, [(row.record, row.seq)])
            taken.new += 1
            taken.unread += 1
    take_cards(lean, sound.get("card", ()), taken)
    take_usages(lean, sound.get("usage", ()), taken)
    take_executions(lean, sound.get("execution", ()), taken)
    Spans(lean, taken).take(sound.get("span", ()))
    sync_late_prices.take(lean, [coming.row for coming in sound.get("late_price", ())], taken)


def _judged(row: Delivered) -> tuple[Coming, str | None]:
    """The record, and why it cannot be taken."""
    record = row.record
    if record.kind in numbers.FIELDS:
        try:
            content = record.content()
        except (ValueError, RecursionError):
            return Coming(row, {}), records.fault(record, row.hash)
        sound = content.get("rv") == numbers.RV and numbers.fault(record.kind, content) is None
        if sound and numbers.is_plain(record.kind, record.body, content):
            return Coming(row, content, plain=True), records.outer_fault(record, row.hash)
    why = records.fault(record, row.hash)
    if why is None and records.is_known(record):
        why = _meaning_fault(record)
    return Coming(row, {} if why else record.content()), why


def _meaning_fault(record: Record) -> str | None:
    content = record.content()
    if record.kind == "card":
        card = numbers.card_of(content)
        if card is None or hashlib.sha256(card.encode()).hexdigest() != record.rid:
            return "its rates do not fit its id"
        return None
    return numbers.fault(record.kind, content)


def _without_known(lean: Lean, rows: Sequence[Delivered], taken: Taken) -> list[Delivered]:
    """Give records that are here their numbers; the others."""
    known = _find(lean, [row.record for row in rows])
    gone = sync_standing.pruned(lean, [row.record.rid for row in rows])
    numbered: dict[Shelf | KeptShelf, list[tuple[Key, int | None]]] = {}
    twins: dict[Record, Key] = {}
    left = []
    for row in rows:
        held = known.get(row.record.rid)
        if held is None:
            taken.known += row.record.rid in gone
            if row.record.rid not in gone:
                left.append(row)
            continue
        shelf, mine = held
        why = records.fault(row.record, row.hash)
        if why is None and mine.record != row.record:
            if _gives_way(lean, shelf, mine, row.record):
                if shelf is SPANS:
                    twins[_twin(mine.record)] = mine.key
                left.append(row)
                continue
            why = "this ledger has another record of this id"
        if why is not None:
            taken.refused.append((row, why))
            continue
        # A number holds until it is forgotten (a resync): a server that gives another one meanwhile is wrong.
        if (mine.commit_seq or 0) <= 0:
            numbered.setdefault(shelf, []).append((mine.key, row.seq))
        taken.known += 1
    # What has another id since just now may have come under it, too.
    mine_now = [row for row in left if row.record in twins]
    numbered.setdefault(SPANS, []).extend((twins[row.record], row.seq) for row in mine_now)
    taken.known += len(mine_now)
    for shelf, standings in numbered.items():
        shelf.mark(lean, standings, "IS NULL OR commit_seq <= 0")
    return [row for row in left if row.record not in twins]


def _twin(record: Record) -> Record:
    """A record of a step under the id that it has once another one of its id was there first, the same everywhere."""
    return replace(record, rid=derived_rid(record.rid, record.hash))


def _gives_way(lean: Lean, shelf: Shelf | KeptShelf, mine: Held, theirs: Record) -> bool:
    """Whether a record that no server has makes room for another one of its id, which the server has.

    So do prices of one call by two people; and the ends of what ran when a ledger's file was copied: both copies end it.
    """
    if (mine.commit_seq or 0) > 0 or mine.record.kind != theirs.kind:
        return False
    if shelf is LATE_PRICES:
        sync_late_prices.give_way(lean, mine.key)
    elif shelf is SPANS:
        # Mine is a record of its own from now on, of the same step; wherever else it is held it gets the same id.
        lean.execute(_RENAME, {"key": mine.key, "rid": _twin(mine.record).rid})
        # So is its text, which goes once the step has gone.
        lean.execute(_FORGET_TEXT, {"key": mine.key})
    return shelf in (LATE_PRICES, SPANS, EXECUTIONS)


_RENAME = "UPDATE spans SET rid = :rid, commit_seq = NULL WHERE id = :key"
_FORGET_TEXT = "DELETE FROM sync_texts WHERE span_key = :key"


def _find(lean: Lean, wanted: Sequence[Record]) -> dict[str, tuple[Shelf | KeptShelf, Held]]:
    """Records that are here, by rid: spans by their places, as their rids have no index."""
    by_kind: dict[str, list[Record]] = {}
    for record in wanted:
        by_kind.setdefault(record.kind, []).append(record)
    found: dict[str, tuple[Shelf | KeptShelf, Held]] = {}
    for shelf in SHELVES:
        keys = _keys(lean, shelf, by_kind.get(shelf.kind, ()))
        found.update((held.record.rid, (shelf, held)) for held in shelf.by_keys(lean, keys))
    found.update((held.record.rid, (KEPT, held)) for held in KEPT.by_keys(lean, [record.rid for record in wanted]))
    return {record.rid: found[record.rid] for record in wanted if record.rid in found}


def _keys(lean: Lean, shelf: Shelf, wanted: Collection[Record]) -> Sequence[Key]:
    if not wanted:
        return ()
    if shelf in (USAGES, EXECUTIONS):
        return [record.rid for record in wanted]
    if shelf is CARDS:
        rids = [record.rid for record in wanted]
        return [key for chunk in chunks(rids) for (key,) in rows_of(lean, "id", "rate_cards", "sha256", chunk)]
    return span_keys_at(lean, (place for record in wanted if (place := _place(record)) is not None))


def _place(record: Record) -> tuple[str, str] | None:
    """Trace and span id in a body, whatever else is wrong with it."""
    try:
        content = record.content()
    except (ValueError, RecursionError):
        return None
    trace_id, span_id = content.get("trace_id"), content.get("span_id")
    return (trace_id, span_id) if isinstance(trace_id, str) and isinstance(span_id, str) else None
