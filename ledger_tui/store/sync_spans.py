"""Ended spans from elsewhere, written beside those that are here, or ending them: in whatever order their records come, the same
counts everywhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.span_words import FLAG_DUPLICATE
from ledger_tui.domain.sync import bodies, numbers
from ledger_tui.domain.sync.records import Delivered
from ledger_tui.domain.values import SpanRecord
from ledger_tui.errors import InputError
from ledger_tui.store import open_spans, sync_standing, telemetry
from ledger_tui.store.sync_coming import KEPT, SUPERSEDED, Coming, chunks, residue, rows_of
from ledger_tui.store.sync_shelves import SPANS, span_keys_at
from ledger_tui.store.sync_standing import Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

Step = tuple[str, str, int]
"""Trace id, span id and start: all records of a step agree in them. Another step of the same ids began at another moment."""


class _Counted(NamedTuple):
    """What counts of a step: a row (key 0 while it is still to be written), what became of the step, and its record."""

    key: int
    state: str
    """running, interrupted or ended"""
    rid: str


class Spans:
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
            extra = residue("span", one, card=content.get("card") if card is not None else None)
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
        return {
            row[0]: int(row[1])
            for c in chunks(sorted(wanted))
            for row in rows_of(self._lean, "sha256, id", "rate_cards", "sha256", c)
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
    return replace(span, flags=span.flags | FLAG_DUPLICATE)
