"""Records whose content a maintainer had taken away everywhere (a leaked secret): their texts go here too, and they stay known.

Texts are blanked. Facts and numbers that this ledger has stay as they are: their hash is what the server keeps of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.domain.retention import MARK
from ledger_tui.domain.sync.records import Delivered, Record, Stream
from ledger_tui.store import search_index, sync_facts, sync_standing, sync_texts
from ledger_tui.store.sync_coming import KEPT
from ledger_tui.store.sync_shelves import SHELVES, Key

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_EMPTIED = {
    "span": "UPDATE span_payloads SET input = NULL, output = NULL, error = NULL, attributes = :mark WHERE span_key = :key",
    "usage": "UPDATE usages SET rendered = '[]', parameters = '{}', content = NULL WHERE id = :key",
    "execution": "UPDATE executions SET messages = '[]', response = NULL, tool_calls = NULL, response_metadata = '{}', "
    "error = NULL WHERE id = :key",
}


def take_blanked(lean: Lean, stream: Stream, rows: Sequence[Delivered]) -> None:
    """Records that came without their content: those that are here get their numbers, the others are known from now on."""
    if not rows:
        return
    rids = [row.record.rid for row in rows]
    if stream == "bodies":
        blank_texts(lean, rids)
        here: set[str] = set()
    elif stream == "meta":
        here = {fact.record.rid for fact in sync_facts.facts_of(lean, rids)}
        sync_facts.number(lean, {row.record.rid: row.seq for row in rows})
    else:
        here = _number_rows(lean, rows)
    gone = sync_standing.pruned(lean, rids)
    hashes = {row.hash: row.record for row in rows if row.record.rid not in here | gone}
    sync_standing.note_pruned_hashes(lean, stream, [(record.rid, found, 0) for found, record in hashes.items()])


def _number_rows(lean: Lean, rows: Sequence[Delivered]) -> set[str]:
    """Give rows of telemetry their numbers by a search through the tables: this happens hardly ever."""
    here: set[str] = set()
    wanted = {row.record.rid: row.seq for row in rows}
    for shelf in SHELVES:
        key: Key | None = None
        while page := shelf.accepted(lean, key, 1_000):
            key = page[-1].key
            found = [(held.key, wanted[held.record.rid]) for held in page if held.record.rid in wanted]
            shelf.mark(lean, found, "<= 0")
            here.update(held.record.rid for held in page if held.record.rid in wanted)
    kept = list(KEPT.by_keys(lean, list(wanted)))
    KEPT.mark(lean, [(held.key, wanted[str(held.key)]) for held in kept], "IS NULL OR commit_seq <= 0")
    return here | {held.record.rid for held in kept}


def obey(lean: Lean, facts: Sequence[Record]) -> None:
    """Take away the texts that purges among registry facts name."""
    for fact in facts:
        if fact.kind == "purge":
            content = fact.content()
            rids = content.get("rids")
            if content.get("stream") == "bodies" and isinstance(rids, list):
                blank_texts(lean, [rid for rid in rids if isinstance(rid, str)])


def blank_texts(lean: Lean, rids: Sequence[str]) -> None:
    """Take texts away here, by the ids of their records."""
    for shelf in sync_texts.MY_SHELVES:
        held = list(shelf.by_keys(lean, list(rids)))
        accepted = [one.record for one in held if one.commit_seq is not None and one.commit_seq >= 0]
        sync_standing.note_pruned(lean, accepted)
    mark = json.dumps({MARK: clock.now_us()})
    for rid in rids:
        row = lean.one("SELECT owner, COALESCE(span_key, row_id) FROM sync_texts WHERE rid = :rid", {"rid": rid})
        if row is not None:
            values = {"key": row[1]} | ({"mark": mark} if row[0] == "span" else {})
            lean.execute(_EMPTIED[row[0]], values)
            if row[0] == "span":
                search_index.forget_spans(lean, [int(row[1])])
        for table in ("sync_texts", "sync_records"):
            lean.execute(f"DELETE FROM {table} WHERE rid = :rid", {"rid": rid})
