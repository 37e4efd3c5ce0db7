"""Records whose content a maintainer had taken away everywhere (a leaked secret): their texts go here too, and they stay known.

Texts go with everything a text record carries: what was sent and answered, attributes, session and user. Facts and numbers that
this ledger has stay as they are: their hash is what the server keeps of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain import clock, ids
from ledger_tui.domain.retention import MARK, PURGE
from ledger_tui.domain.sync import bodies
from ledger_tui.domain.sync.records import Delivered, Record, Stream, derived_rid
from ledger_tui.store import (
    day_sums,
    open_spans,
    search_index,
    sync_asides,
    sync_facts,
    sync_shelves,
    sync_standing,
    sync_texts,
    vacuum,
)
from ledger_tui.store.facts import digest
from ledger_tui.store.sync_coming import KEPT, chunks, rows_of
from ledger_tui.store.sync_shelves import SHELVES, Key

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean
    from ledger_tui.store.registry import Pen

KIND = "purge"
_EMPTIED = {
    "span": "UPDATE span_payloads SET input = NULL, output = NULL, error = NULL, attributes = :mark WHERE span_key = :key",
    "usage": "UPDATE usages SET rendered = '[]', parameters = '{}', content = NULL, metadata = '{}', included = '[]', "
    "session_id = NULL, user_identifier = NULL WHERE id = :key",
    "execution": "UPDATE executions SET params = '{}', messages = '[]', response = NULL, tool_calls = NULL, "
    "response_metadata = '{}', error = NULL, request = NULL WHERE id = :key AND ended_us IS NOT NULL",
}
_PARTIES = ("session_id", "user_identifier")


_WORDS_LEFT = "sync.words_left"
_PAGES = 200


class Purge(NamedTuple):
    """A purge: how many records it names, of what, who asked for it, why and when."""

    rid: str
    records: int
    of: str
    actor: str
    reason: str
    at_us: int
    commit_seq: int | None


def write(
    lean: Lean,
    pen: Pen,
    rids: Sequence[str],
    of: str,
    reason: str,
    *,
    steps: Sequence[tuple[str, str]] = (),
    runs: Sequence[str] = (),
) -> str:
    """Write the fact that asks for it, which the next exchange takes to the server; its id.

    rids: of texts. of: what it is about, in words. steps, runs: whose these are, so that what was not shared goes too: trace and
    span ids of steps, ids of calls and renders.
    """
    content: dict[str, Any] = {
        "rv": bodies.RV, "stream": "bodies", "rids": list(rids), "of": of, "field": "", "value": "null", "base": [],
        "runs": list(runs), "steps": [list(step) for step in steps],
        "action": pen.action, "actor": pen.actor, "device": pen.device, "at_us": clock.now_us(), "reason": reason,
    }  # fmt: skip
    row, _ = bodies.journal_row(content)
    extra = bodies.residue(content, bodies.journal_content(row, None))
    rid = ids.new_id()
    fact = {
        **row,
        "rid": rid,
        "kind": KIND,
        "extra": extra,
        "hash": digest(KIND, rid, None, "", row["value"], row["base"]),
    }
    lean.insert_rows("journal", tuple(fact), [tuple(fact.values())])
    return rid


def listed(lean: Lean, limit: int) -> list[Purge]:
    """The newest purges that count."""
    rows = lean.fetch(
        "SELECT rid, extra, actor, reason, at_us, commit_seq FROM journal "
        f"WHERE kind = '{KIND}' AND (commit_seq IS NULL OR commit_seq >= 0) ORDER BY seq DESC LIMIT :limit",
        {"limit": limit},
    )
    found = []
    for rid, extra, actor, reason, at_us, commit_seq in rows:
        said = json.loads(extra or "{}").get("fields", {})
        found.append(Purge(rid, len(said.get("rids", ())), str(said.get("of", "")), actor, reason, at_us, commit_seq))
    return found


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
        if fact.kind == KIND:
            content = fact.content()
            if content.get("stream") == "bodies":
                blank_texts(lean, content["rids"])
                _blank_steps(lean, content.get("steps", ()), {name: str(content.get(said, "")) for name, said in _SAID})
                for owner in ("execution", "usage"):
                    empty(lean, owner, content.get("runs", ()))


_SAID = (("by", "actor"), ("reason", "reason"))


def _blank_steps(lean: Lean, steps: Sequence[tuple[str, str]], purge: Mapping[str, str]) -> None:
    """Take the texts of steps away, whichever record they are in, and take none of them any more."""
    sync_standing.note_removed(lean, [sync_texts.place_id(*step) for step in steps])
    keys = sync_shelves.span_keys_at(lean, [(trace_id, span_id) for trace_id, span_id in steps])
    rids = [derived_rid(rid, "text") for rid in sync_shelves.span_rids(lean, keys).values()]
    blank_texts(lean, rids)
    empty(lean, "span", [key for key in keys if _is_ended(lean, key)], purge)


def _is_ended(lean: Lean, key: int) -> bool:
    return lean.one("SELECT 1 FROM spans WHERE id = :key AND status <> 'running'", {"key": key}) is not None


def blank_texts(lean: Lean, rids: Sequence[str]) -> None:
    """Take shared texts away here, by the ids of their records."""
    for shelf in sync_texts.MY_SHELVES:
        held = list(shelf.by_keys(lean, list(rids)))
        accepted = [one.record for one in held if one.commit_seq is not None and one.commit_seq >= 0]
        sync_standing.note_pruned(lean, accepted)
        owners = sync_texts.owners_of(lean, [one.record for one in held])
        for owner, keys in owners.items():
            empty(lean, owner, keys)
    sync_asides.drop_texts(lean, rids)
    for names in chunks(rids):
        for table in ("sync_texts", "sync_records"):
            lean.execute(f"DELETE FROM {table} WHERE rid IN ({', '.join(':' + name for name in names)})", names)


def empty(lean: Lean, owner: str, keys: Sequence[Key], purge: Mapping[str, str] | None = None) -> None:
    """Take the texts of rows (``sync_owners.OWNERS``) away here, whether they were shared or not. purge: as ``retention.PURGE``."""
    mark = json.dumps({MARK: clock.now_us(), **({PURGE: purge} if purge else {})})
    lean.executemany(_EMPTIED[owner], [{"key": key} | ({"mark": mark} if owner == "span" else {}) for key in keys])
    if owner != "span":
        return
    search_index.forget_spans(lean, [int(key) for key in keys])
    sync_standing.put(lean, _WORDS_LEFT, bool(keys) or sync_standing.get(lean, _WORDS_LEFT))
    groups = "DELETE FROM unregistered_prompts WHERE last_span_key = :key"
    lean.executemany(groups, [{"key": key} for key in keys])
    for key in _with_parties(lean, keys):
        _part(lean, key)


def wipe_words(database: Database) -> None:
    """Take the words of texts that went out of the index's file too, in short transactions; begun again after an interruption."""
    with database.lean() as lean:
        if not sync_standing.get(lean, _WORDS_LEFT):
            return
    pages, more = -_PAGES, True
    while more:
        with database.lean_write() as lean:
            more = search_index.merge_step(lean, pages)
            pages = _PAGES
            if not more:
                sync_standing.put(lean, _WORDS_LEFT, None)
    vacuum.empty_log(database)


def _with_parties(lean: Lean, keys: Sequence[Key]) -> Iterable[int]:
    for names in chunks([str(key) for key in keys]):
        numbers = {name: int(value) for name, value in names.items()}
        rows = rows_of(lean, f"id, COALESCE({', '.join(_PARTIES)})", "spans", "id", numbers)
        yield from (int(row[0]) for row in rows if row[1] is not None)


def _part(lean: Lean, key: int) -> None:
    """A step is nobody's any more: not in the sums of its session and user, and its trace names those of other steps, if any."""
    before = open_spans.stored(lean, key)
    if before is None:
        return
    place: Mapping[str, int] = {"key": key}
    lean.execute(f"UPDATE spans SET {', '.join(f'{name} = NULL' for name in _PARTIES)} WHERE id = :key", place)
    for name in _PARTIES:
        lean.execute(
            f"UPDATE traces SET {name} = (SELECT s.{name} FROM spans s WHERE s.trace_key = traces.id AND s.{name} IS NOT NULL "
            "ORDER BY s.id LIMIT 1) WHERE id = (SELECT trace_key FROM spans WHERE id = :key)",
            place,
        )
    after = open_spans.stored(lean, key)
    if after is not None:
        day_sums.add(lean, [after[0]], gone=[before[0]])
