"""The telemetry of a ledger as a stream of records: handing them out, and taking those of others into tables and sums.

What comes from elsewhere counts like what happened here: in its trace, in the sums of its day, in budgets. A step that another
ledger gave up as interrupted and that ended after all has two records; the real end counts, whichever comes first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.span_words import FLAG_DUPLICATE
from ledger_tui.domain.sync import bodies, numbers, records
from ledger_tui.domain.sync.records import Delivered, Record, derived_rid
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.domain.values import SpanRecord
from ledger_tui.errors import InputError
from ledger_tui.store import day_sums, open_spans, sync_late_prices, sync_standing, telemetry
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
from ledger_tui.store.sync_standing import WITHHELD, Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

KEPT = KeptShelf("telemetry")
_CHUNK = 500
"""Records that are taken at once: what they say is kept for so long."""
NEWER, SUPERSEDED, ORPHAN = "newer", "superseded", "orphan"
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
    _take_cards(lean, sound.get("card", ()), taken)
    _take_usages(lean, sound.get("usage", ()), taken)
    _take_executions(lean, sound.get("execution", ()), taken)
    _Spans(lean, taken).take(sound.get("span", ()))
    sync_late_prices.take(lean, [coming.row for coming in sound.get("late_price", ())], taken)


class Coming(NamedTuple):
    """A record from elsewhere, what it says, and whether a row's columns can say all of it (``numbers.is_plain``)."""

    row: Delivered
    content: Mapping[str, Any]
    plain: bool = False


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
    for shelf, standings in numbered.items():
        shelf.mark(lean, standings, "IS NULL OR commit_seq <= 0")
    return left


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
        lean.execute(_RENAME, {"key": mine.key, "rid": derived_rid(mine.record.rid, mine.record.hash)})
    return shelf in (LATE_PRICES, SPANS, EXECUTIONS)


_RENAME = "UPDATE spans SET rid = :rid, commit_seq = NULL WHERE id = :key"


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
        return [key for chunk in _chunks(rids) for (key,) in _rows_of(lean, "id", "rate_cards", "sha256", chunk)]
    return span_keys_at(lean, (place for record in wanted if (place := _place(record)) is not None))


def _place(record: Record) -> tuple[str, str] | None:
    """Trace and span id in a body, whatever else is wrong with it."""
    try:
        content = record.content()
    except (ValueError, RecursionError):
        return None
    trace_id, span_id = content.get("trace_id"), content.get("span_id")
    return (trace_id, span_id) if isinstance(trace_id, str) and isinstance(span_id, str) else None


def _chunks(values: Sequence[str]) -> list[dict[str, str]]:
    size = sync_standing.CHUNK
    return [{f"v{n}": v for n, v in enumerate(values[at : at + size])} for at in range(0, len(values), size)]


def _rows_of(lean: Lean, columns: str, table: str, column: str, names: Mapping[str, str]) -> list[tuple[Any, ...]]:
    marks = ", ".join(":" + name for name in names)
    return lean.fetch(f"SELECT {columns} FROM {table} WHERE {column} IN ({marks})", names)


def _present(lean: Lean, table: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that a table has."""
    wanted = sorted(ids)
    return {row[0] for chunk in _chunks(wanted) for row in _rows_of(lean, "id", table, "id", chunk)}


def _take_cards(lean: Lean, rows: Sequence[Coming], taken: Taken) -> None:
    made = [(one.row.record.rid, numbers.card_of(one.content), one.row.seq) for one in rows]
    if made:
        lean.insert_rows("rate_cards", ("sha256", "body", "commit_seq"), made)
    taken.new += len(made)


def _residue(kind: str, coming: Coming, **columns: Any) -> str | None:
    """What the row that is written cannot say of a body; ``columns``: what it says where that may differ."""
    content = coming.content
    if coming.plain and all(content.get(name) == value for name, value in columns.items()):
        return None
    made = {
        name: bool(value) if numbers.FIELDS[kind][name] is bool else value
        for name, value in zip(numbers.ORDER[kind], numbers.values(kind, content, **columns), strict=True)
        if value is not None
    }
    return bodies.residue(content, made)


def _take_usages(lean: Lean, rows: Sequence[Coming], taken: Taken) -> None:
    contents = [one.content for one in rows]
    prompts = _present(lean, "prompts", {c["prompt_id"] for c in contents if "prompt_id" in c})
    versions = _present(lean, "prompt_versions", {c["version_id"] for c in contents if "version_id" in c})
    made = []
    for one, content in zip(rows, contents, strict=True):
        links = {
            "prompt_id": _if_in(content.get("prompt_id"), prompts),
            "version_id": _if_in(content.get("version_id"), versions),
        }
        made.append(
            (one.row.record.rid, links["prompt_id"], links["version_id"], "[]", "{}", "[]", content.get("environment", ""),
             "{}", content.get("source", ""), content["created_us"], one.row.seq, _residue("usage", one, **links))
        )  # fmt: skip
    if made:
        lean.insert_rows("usages", _USAGE, made)
        day_sums.add_uses(lean, [row[0] for row in made])
    taken.new += len(made)


_USAGE = (
    "id", "prompt_id", "version_id", "included", "parameters", "rendered", "environment", "metadata", "source",
    "created_us", "commit_seq", "extra",
)  # fmt: skip


def _if_in(value: str | None, present: Collection[str]) -> str | None:
    return value if value in present else None


def _take_executions(lean: Lean, rows: Sequence[Coming], taken: Taken) -> None:
    contents = [one.content for one in rows]
    present = {
        name: _present(lean, table, {content[name] for content in contents if name in content})
        for name, table in (("prompt_id", "prompts"), ("version_id", "prompt_versions"), ("usage_id", "usages"))
    }
    made = []
    for one, content in zip(rows, contents, strict=True):
        links = {name: _if_in(content.get(name), found) for name, found in present.items()}
        usual = {name: content.get(name, nothing) for name, nothing in _ALWAYS.items()}
        values = {**{name: content.get(name) for name in _EXECUTION}, **usual, **links}
        extra = _residue("execution", one, **links, attempts=usual["attempts"])
        fixed = (one.row.record.rid, "{}", "[]", "{}", one.row.seq, extra)
        made.append((*fixed, *(values[name] for name in _EXECUTION)))
    columns = ("id", "params", "messages", "response_metadata", "commit_seq", "extra", *_EXECUTION)
    here = _present(lean, "executions", {row[0] for row in made})
    fresh = [row for row in made if row[0] not in here]
    if fresh:
        lean.insert_rows("executions", columns, fresh)
    # One that is here gave way (``_gives_way``): its numbers are the server's, its texts stay.
    changes = ", ".join(f"{name} = :{name}" for name in ("commit_seq", "extra", *_EXECUTION))
    changed = [dict(zip(columns, row, strict=True)) for row in made if row[0] in here]
    lean.executemany(f"UPDATE executions SET {changes} WHERE id = :id", changed)
    taken.new += len(made)


_ALWAYS: Mapping[str, Any] = {"mode": "", "attempts": 0, "environment": ""}
_EXECUTION = tuple(name for name in numbers.ORDER["execution"] if name != "rv")


Step = tuple[str, str, int]
"""Trace id, span id and start: all records of a step agree in them. Another step of the same ids began at another moment."""


class _Counted(NamedTuple):
    """What counts of a step: a row (key 0 while it is still to be written), what became of the step, and its record."""

    key: int
    state: str
    """running, interrupted or ended"""
    rid: str


class _Spans:
    """Ended spans from elsewhere.

    Of one step every real end counts; as long as there is none, the one record that gave it up with the lowest id counts.
    So it does not matter in which order records come.
    """

    def __init__(self, lean: Lean, taken: Taken) -> None:
        self._lean = lean
        self._taken = taken
        self._fresh: list[tuple[SpanRecord, Delivered, str | None]] = []

    def take(self, rows: Sequence[Coming]) -> None:
        """Write spans that are not here; one of a place that is taken stands beside the one that has it, or ends it."""
        contents = [one.content for one in rows]
        cards = self._cards({content["card"] for content in contents if "card" in content})
        there = self._there((content["trace_id"], content["span_id"]) for content in contents)
        places = {step[:2] for step in there}
        for one, content in zip(rows, contents, strict=True):
            row = one.row
            card = cards.get(content.get("card", ""))
            try:
                span = telemetry.check_span(numbers.span_of(content, card))
            except InputError as error:
                self._taken.refused.append((row, error.cause))
                continue
            extra = _residue("span", one, card=content.get("card") if card is not None else None)
            self._taken.new += 1
            step = (span.trace_id, span.span_id, span.started_us)
            if self._settled_before(step, there, row, span, extra):
                continue
            is_twin = step[:2] in places
            places.add(step[:2])
            there[step] = _Counted(0, _state(span), row.record.rid)
            self._fresh.append((_flagged(span) if is_twin else span, row, extra))
        marks = [(row.record.rid, row.seq, extra) for _, row, extra in self._fresh]
        telemetry.insert_ended(self._lean, [span for span, _, _ in self._fresh], marks)

    def _settled_before(
        self, step: Step, there: dict[Step, _Counted], row: Delivered, span: SpanRecord, extra: str | None
    ) -> bool:
        """Whether the span is dealt with by what counts of its step: given up there and ended now, or the other way round."""
        here = there.get(step)
        if here is None:
            return False
        if _state(span) == open_spans.INTERRUPTED and (
            here.state == _ENDED or (here.state == open_spans.INTERRUPTED and here.rid < row.record.rid)
        ):
            KEPT.keep(self._lean, SUPERSEDED, [(row.record, row.seq)])
            return True
        if here.state == _ENDED:
            return False
        there[step] = here._replace(state=_state(span), rid=row.record.rid)
        if not here.key:
            self._replace_fresh(step, row, span, extra)
            return True
        if here.state == open_spans.INTERRUPTED:
            telemetry.reopen_span(self._lean, here.key)
        self._end(here.key, row, span)
        return True

    def _replace_fresh(self, step: Step, row: Delivered, span: SpanRecord, extra: str | None) -> None:
        for index, (known, before, _) in enumerate(self._fresh):
            if (known.trace_id, known.span_id, known.started_us) == step:
                KEPT.keep(self._lean, SUPERSEDED, [(before.record, before.seq)])
                self._fresh[index] = (_flagged(span) if known.flags & FLAG_DUPLICATE else span, row, extra)

    def _end(self, key: int, row: Delivered, span: SpanRecord) -> None:
        """End a span that runs here; what its beginning said here stays in its columns."""
        telemetry.end_span(self._lean, key, span)
        self._standings([(key, row, None)])
        for held in SPANS.by_keys(self._lean, [key]):
            extra = bodies.residue(row.record.content(), held.record.content())
            self._standings([(key, row, extra)])

    def _standings(self, ended: Sequence[tuple[int, Delivered, str | None]]) -> None:
        self._lean.executemany(
            "UPDATE spans SET rid = :rid, commit_seq = :seq, extra = :extra WHERE id = :key",
            [{"key": key, "rid": row.record.rid, "seq": row.seq, "extra": extra} for key, row, extra in ended],
        )

    def _cards(self, wanted: Collection[str]) -> dict[str, int]:
        chunks = _chunks(sorted(wanted))
        return {
            row[0]: int(row[1]) for c in chunks for row in _rows_of(self._lean, "sha256, id", "rate_cards", "sha256", c)
        }

    def _there(self, places: Any) -> dict[Step, _Counted]:
        """What counts here of the steps at these places."""
        found: dict[Step, _Counted] = {}
        keys = span_keys_at(self._lean, places)
        for start in range(0, len(keys), sync_standing.CHUNK):
            names = {f"k{n}": key for n, key in enumerate(keys[start : start + sync_standing.CHUNK])}
            rows = self._lean.fetch(
                "SELECT t.trace_id, s.span_id, s.started_us, s.id, s.status, s.error_type, s.rid FROM spans s "
                f"JOIN traces t ON t.id = s.trace_key WHERE s.id IN ({', '.join(':' + name for name in names)}) ORDER BY s.id",
                names,
            )
            for trace_id, span_id, started_us, key, status, error, rid in rows:
                found[trace_id, span_id, int(started_us)] = _Counted(int(key), _state_of(status, error), rid)
        return found


_ENDED = "ended"


def _state(span: SpanRecord) -> str:
    return _state_of(span.status, span.error_type)


def _state_of(status: str, error_type: str | None) -> str:
    if status in ("queued", "running"):
        return "running"
    return open_spans.INTERRUPTED if (status, error_type) == ("failed", open_spans.INTERRUPTED) else _ENDED


def _flagged(span: SpanRecord) -> SpanRecord:
    from dataclasses import replace

    return replace(span, flags=span.flags | FLAG_DUPLICATE)
