"""Retention in a ledger that is shared: what no server has yet stays, and what goes is remembered as known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.domain.sync.records import Record, derived_rid
from ledger_tui.domain.sync.sharing import sharing_of
from ledger_tui.store import sync_standing
from ledger_tui.store.sync_shelves import LATE_PRICES, SPANS, Held, Key

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

SHARING = "sync.sharing"


class Waits(NamedTuple):
    """SQL conditions for what may go: steps ``s``, their texts, whole traces ``t``, and runs ``t`` of the named table."""

    texts: str = "1 = 1"
    traces: str = "1 = 1"
    runs: str = "1 = 1"


def waits(lean: Lean) -> Waits:
    """What may go of a ledger; everything where nothing is shared."""
    if lean.dialect != "sqlite" or not sync_standing.is_shared(lean):
        return Waits()
    streams = sharing_of(sync_standing.get(lean, SHARING)).streams
    texts, runs = [_unsent_text("span_key = s.id")], [_unsent_text("row_id = t.id")]
    if "bodies" in streams:
        # A text is queued once its owner is with the server.
        texts.append("s.commit_seq IS NOT NULL")
        runs.append("t.commit_seq IS NOT NULL")
    spans = "x.trace_key = t.id AND (x.commit_seq IS NULL OR l.commit_seq IS NULL AND l.span_key IS NOT NULL)"
    unsent = f"SELECT 1 FROM spans x LEFT JOIN late_prices l ON l.span_key = x.id WHERE {spans}"
    texts_unsent = (
        "SELECT 1 FROM spans x JOIN sync_texts y ON y.span_key = x.id WHERE x.trace_key = t.id AND y.commit_seq IS NULL"
    )
    traces = [f"NOT EXISTS ({unsent})", f"NOT EXISTS ({texts_unsent})"] if "telemetry" in streams else []
    return Waits(" AND ".join(texts), " AND ".join(traces) or "1 = 1", " AND ".join(runs))


def _unsent_text(owner: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM sync_texts y WHERE y.{owner} AND y.commit_seq IS NULL)"


def texts_go(lean: Lean, column: str, keys: Sequence[Key]) -> None:
    """The texts of rows are about to go: ``column`` says whose keys these are (``span_key`` or ``row_id``)."""
    from ledger_tui.store.sync_texts import KEPT, TEXTS

    if not keys or not _any_texts(lean):
        return
    rids = [str(row[0]) for row in _in(lean, f"SELECT rid FROM sync_texts WHERE {column} IN", keys)]
    owners = (
        [str(row[0]) for row in _in(lean, "SELECT rid FROM spans WHERE id IN", keys)] if column == "span_key" else keys
    )
    kept = [held.record.rid for held in KEPT.by_keys(lean, [derived_rid(str(owner), "text") for owner in owners])]
    _note(lean, [*TEXTS.by_keys(lean, rids), *KEPT.by_keys(lean, kept)])
    lean.executemany("DELETE FROM sync_texts WHERE rid = :rid", [{"rid": rid} for rid in rids])
    lean.executemany("DELETE FROM sync_records WHERE rid = :rid", [{"rid": rid} for rid in kept])


def spans_go(lean: Lean, keys: Sequence[int]) -> None:
    """Steps are about to go, with their texts and late prices."""
    if not keys or lean.dialect != "sqlite" or not sync_standing.is_shared(lean):
        return
    texts_go(lean, "span_key", keys)
    _note(lean, [*SPANS.by_keys(lean, keys), *LATE_PRICES.by_keys(lean, keys)])


def _note(lean: Lean, held: Iterable[Held]) -> None:
    gone: list[Record] = [one.record for one in held if one.commit_seq is not None and one.commit_seq >= 0]
    sync_standing.note_pruned(lean, gone)


def _any_texts(lean: Lean) -> bool:
    sql = "SELECT 1 FROM sync_texts UNION ALL SELECT 1 FROM sync_records WHERE stream = 'bodies' LIMIT 1"
    return lean.one(sql) is not None


def _in(lean: Lean, sql: str, keys: Sequence[Key]) -> Iterable[tuple[object, ...]]:
    size = sync_standing.CHUNK
    for start in range(0, len(keys), size):
        names = {f"k{n}": key for n, key in enumerate(keys[start : start + size])}
        yield from lean.fetch(f"{sql} ({', '.join(':' + name for name in names)})", names)
