"""Traces: newest first and filtered, one as a tree, one span with its texts; and writing spans from outside."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.values import ExecutionRow, SpanPayloadRow, SpanRecord, SpanRow, TracePage, TraceRow
from ledger_tui.errors import InputError, NotFound
from ledger_tui.store import telemetry
from ledger_tui.store import traces as reads

if TYPE_CHECKING:
    from ledger_tui.domain.trace_tree import SpanTree
    from ledger_tui.services.receipts import CostLine, Receipt
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

INDEX_CHUNK = 300
"""Spans that one transaction makes searchable: a few hundredths of a second."""


class TraceService:
    """Reading and recording traces. Thread-safe; every call is one transaction."""

    def __init__(self, database: Database, *, before_read: Callable[[], None] | None = None) -> None:
        """before_read: called before each read; brings in what is recorded but not stored yet."""
        self._database = database
        self._before_read = before_read

    @contextmanager
    def _reading(self) -> Iterator[Lean]:
        if self._before_read is not None:
            self._before_read()
        with self._database.lean() as lean:
            yield lean

    def page(self, filter_text: str = "", *, cursor: str | None = None, limit: int = 100) -> TracePage:
        """Up to ``limit`` (1 to 1,000) traces, newest first, that fit the filter; raises FilterError, InputError."""
        if not 1 <= limit <= 1_000:
            raise InputError(f"a page has 1 to 1000 traces, not {limit}")
        below = _read_cursor(cursor)
        conditions, parameters = self._conditions(filter_text)
        with self._reading() as lean:
            rows = reads.page(lean, conditions, parameters, below, limit + 1)
        shown = tuple(rows[:limit])
        return TracePage(shown, _write_cursor(shown[-1]) if len(rows) > limit else None)

    def trace(self, trace_id: str) -> TraceRow:
        """One trace; raises NotFound."""
        with self._reading() as lean:
            row = reads.trace(lean, trace_id)
        if row is None:
            raise NotFound(f"there is no trace {trace_id}", title="No such trace")
        return row

    def spans(self, trace_key: int) -> list[SpanRow]:
        """The lean spans of a trace by its key, in no promised order."""
        with self._reading() as lean:
            return reads.spans(lean, trace_key)

    def tree(self, trace_id: str) -> SpanTree:
        """A trace's spans as a tree; raises NotFound."""
        from ledger_tui.domain.trace_tree import build_tree

        trace_key = self.trace(trace_id).key
        with self._reading() as lean:
            return build_tree(reads.span_tuples(lean, trace_key))

    def payload(self, span_key: int) -> SpanPayloadRow:
        """The texts of a span; raises NotFound."""
        with self._reading() as lean:
            row = reads.payload(lean, span_key)
        if row is None:
            raise NotFound("there is no such span", title="No such span")
        return row

    def trace_of_span(self, span_key: int) -> str:
        """The id of the trace that a span belongs to; raises NotFound."""
        with self._reading() as lean:
            found = reads.trace_of_span(lean, span_key)
        if found is None:
            raise NotFound("there is no such span", title="No such span")
        return found

    def execution(self, execution_id: str) -> ExecutionRow:
        """One call to a model with all that is kept of it; raises NotFound."""
        with self._reading() as lean:
            row = reads.execution(lean, execution_id)
        if row is None:
            raise NotFound(f"there is no execution {execution_id}", title="No such execution")
        return row

    def receipt(self, span_key: int) -> Receipt:
        """What a call cost and why, equal to its cost to the nano-dollar; raises NotFound."""
        from ledger_tui.services import receipts

        with self._reading() as lean:
            return receipts.receipt(lean, span_key)

    def cost_lines(self, trace_id: str) -> list[CostLine]:
        """What a trace's calls came to by model and rates, dearest first."""
        from ledger_tui.services import receipts

        with self._reading() as lean:
            return receipts.of_trace(lean, trace_id)

    def version_cost_lines(self, prompt_id: str, version_id: str) -> list[CostLine]:
        """What the calls of a prompt's version came to by model and rates, dearest first."""
        from ledger_tui.services import receipts

        with self._reading() as lean:
            return receipts.of_version(lean, prompt_id, version_id)

    def version_names(self, version_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Prompt name and number of each version id that is known."""
        with self._reading() as lean:
            return reads.prompt_names(lean, list(dict.fromkeys(version_ids)))

    def stamp(self) -> tuple[Any, ...]:
        """A value that changes whenever a span is added or ends."""
        with self._reading() as lean:
            return reads.stamp(lean)

    def record(self, spans: Sequence[SpanRecord]) -> list[int]:
        """Write spans in order in one transaction and return their keys; raises InputError before writing any."""
        checked = [telemetry.check_span(span) for span in spans]
        with self._database.lean_write() as lean:
            return telemetry.write_spans(lean, checked)

    def _conditions(self, filter_text: str) -> tuple[str, dict[str, Any]]:
        if not filter_text.strip():
            return "", {}
        from ledger_tui.domain.filter import parse_filter
        from ledger_tui.store.trace_filter import conditions

        wanted = parse_filter(filter_text, self._database.now_us())
        if wanted.words or wanted.excluded_words:
            self._index_new_texts()
        with self._reading() as lean:
            return conditions(lean, wanted)

    def index_texts(self, limit: int = INDEX_CHUNK) -> int:
        """Make the texts of up to ``limit`` ended spans known to search; how many were. Idle front ends call it."""
        from ledger_tui.store import search_index

        if self._before_read is not None:
            self._before_read()
        database = self._database.present
        with database.lean() as lean:
            if not search_index.has_pending(lean):
                return 0
        with database.lean_write() as lean:
            return search_index.index_pending(lean, limit)

    def _index_new_texts(self) -> None:
        """Bring full-text search up to the newest ended spans, a chunk a transaction so that nobody waits long."""
        while self.index_texts() == INDEX_CHUNK:
            pass


def _write_cursor(row: TraceRow) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.started_us, row.key]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    try:
        started_us, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return int(started_us), int(key)
    except (ValueError, TypeError, binascii.Error) as error:
        raise InputError("this page cursor is not one of ours", remedy="Start again without a cursor.") from error
