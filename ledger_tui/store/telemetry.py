"""Writing what happened: usages, executions and spans, with the sums of traces and days kept in the same transaction.

Every function takes a `Lean` that is inside a write transaction. Spans come in batches; one statement a table and batch.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import ids, link_notes
from ledger_tui.domain.span_words import (
    FIRST_US,
    FLAG_DUPLICATE,
    FLAG_LINKED,
    LAST_US,
    MAX_COST_NUSD,
    MAX_ID,
    MAX_TOKENS,
    STATUSES,
    TERMINAL,
)
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import InputError
from ledger_tui.store import day_sums, open_spans

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_CHUNK = 400
NO_TOKENS = TokenUsage()


def insert(lean: Lean, table: str, values: Mapping[str, Any]) -> None:
    """Insert one row of named columns."""
    columns = ", ".join(values)
    lean.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(':' + name for name in values)})", values)


def update_running(lean: Lean, table: str, row_id: str, values: Mapping[str, Any]) -> bool:
    """Change an execution that is not terminal yet; False when it was (a fact that ended stays as it is)."""
    changes = ", ".join(f"{name} = :{name}" for name in values)
    sql = f"UPDATE {table} SET {changes} WHERE id = :row_id AND status IN ('queued', 'running')"
    return lean.execute(sql, {**values, "row_id": row_id}) == 1


def is_prompt(lean: Lean, prompt_id: str) -> bool:
    """Whether the ledger knows a prompt of this id."""
    return lean.one("SELECT 1 FROM prompts WHERE id = :id", {"id": prompt_id}) is not None


def prompt_of_execution(lean: Lean, execution_id: str) -> str | None:
    """The prompt id of an execution, or None."""
    row = lean.one("SELECT prompt_id FROM executions WHERE id = :id", {"id": execution_id})
    return None if row is None else row[0]


def check_span(span: SpanRecord) -> SpanRecord:
    """Return ``span``, or raise InputError for ids, a status, times, tokens or amounts that cannot be true.

    A span that still runs has no duration, tokens or cost yet: those come with its end.
    """
    if span.status not in STATUSES:
        raise InputError(f"{span.status!r} is no status", remedy=f"Statuses are {', '.join(STATUSES)}.")
    for what, text in (("trace id", span.trace_id), ("span id", span.span_id), ("parent span id", span.parent_span_id)):
        if text is not None and (not text or len(text) > MAX_ID or "\x00" in text):
            raise InputError(f"a {what} is any text of 1 to {MAX_ID} characters without NUL")
    end = span.started_us + (span.duration_us or 0)
    if not (FIRST_US <= span.started_us <= LAST_US and FIRST_US <= end <= LAST_US):
        raise InputError(f"the start {span.started_us} is no time in microseconds since 1970")
    if span.duration_us is not None and span.duration_us < 0:
        raise InputError("a span cannot end before it starts")
    if span.first_token_us is not None and not 0 <= span.first_token_us <= LAST_US:
        raise InputError(f"a first token after {span.first_token_us} microseconds cannot be true")
    if span.tokens is not NO_TOKENS:
        for name, count in _tokens(span.tokens).items():
            if count is not None and not 0 <= count <= MAX_TOKENS:
                raise InputError(f"{name.removesuffix('_tokens')} tokens of {count} cannot be true")
    if span.cost_nusd is not None and not 0 <= span.cost_nusd <= MAX_COST_NUSD:
        raise InputError(f"a cost of {span.cost_nusd} nano-dollars cannot be true")
    if span.status not in TERMINAL:
        return replace(span, duration_us=None, tokens=NO_TOKENS, cost_nusd=None, unpriced=False, first_token_us=None)
    return span


def write_spans(lean: Lean, spans: Sequence[SpanRecord], owner: str | None = None) -> list[int]:
    """Write spans in order and return their keys.

    A span whose id is known and still running is ended by its new record, also one that was given up as interrupted
    meanwhile; one whose id is known and ended is kept beside it and flagged as a duplicate, unless it only says that the
    span runs. owner: the process that will
    end those that run (``open_spans``), None when somebody else sees to it.
    """
    known = _known(lean, spans)
    fresh: list[SpanRecord] = []
    written: list[int | None] = []
    in_batch: dict[tuple[str, str], int] = {}
    for span in spans:
        place = (span.trace_id, span.span_id)
        key, status = known.get(place, (0, ""))
        before = in_batch.get(place)
        if span.status not in TERMINAL and (key or before is not None):
            # It began already; or its end came first: files of a killed program are read in the order of a clock that may
            # have jumped.
            written.append(key or None)
            continue
        if key and (status == "running" or (status == open_spans.INTERRUPTED and _reopened(lean, key, span))):
            end_span(lean, key, span)
            known[place] = (key, span.status)
            written.append(key)
            continue
        if before is not None and fresh[before].status == "running":
            fresh[before] = _ended(fresh[before], span)
        else:
            is_twin = before is not None or place in known
            in_batch[place] = len(fresh)
            fresh.append(replace(span, flags=span.flags | FLAG_DUPLICATE) if is_twin else span)
        written.append(None)
    new_keys = _insert_spans(lean, fresh)
    if owner is not None:
        open_spans.note(lean, [k for k, s in zip(new_keys, fresh, strict=True) if s.status == "running"], owner)
    places = zip(written, spans, strict=True)
    return [new_keys[in_batch[s.trace_id, s.span_id]] if key is None else key for key, s in places]


Mark = tuple[str, int, str | None]
"""What a span from elsewhere is to a sync: rid, number, ``extra``."""


def insert_ended(lean: Lean, spans: Sequence[SpanRecord], marks: Sequence[Mark]) -> list[int]:
    """Write spans that ended elsewhere, whatever is there already; their keys."""
    return _insert_spans(lean, spans, marks)


def _reopened(lean: Lean, key: int, span: SpanRecord) -> bool:
    """Take back that a span was given up, when ``span`` is its real end."""
    return span.status in TERMINAL and reopen_span(lean, key)


def reopen_span(lean: Lean, key: int) -> bool:
    """Let a span that was given up as interrupted run again, since its real end came; False when it was not given up."""
    from ledger_tui.store.sync_superseded import supersede

    supersede(lean, key)
    counted = open_spans.reopen(lean, key)
    if counted is not None:
        day_sums.add(lean, [], gone=[counted])
    return counted is not None


_STATE = f"CASE WHEN error_type = '{open_spans.INTERRUPTED}' AND status = 'failed' THEN error_type ELSE status END"

# Another ledger's step can use the ids of one that still runs here: what comes is the end of the one that has none.
_UNFINISHED_LAST = f"CASE {_STATE} WHEN 'running' THEN 2 WHEN '{open_spans.INTERRUPTED}' THEN 1 ELSE 0 END"


def _known(lean: Lean, spans: Sequence[SpanRecord]) -> dict[tuple[str, str], tuple[int, str]]:
    wanted: dict[str, list[str]] = defaultdict(list)
    for span in spans:
        wanted[span.trace_id].append(span.span_id)
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for trace_id, span_ids in wanted.items():
        row = lean.one("SELECT id FROM traces WHERE trace_id = :trace_id", {"trace_id": trace_id})
        if row is None:
            continue
        for start in range(0, len(span_ids), _CHUNK):
            chunk = span_ids[start : start + _CHUNK]
            names = {f"s{n}": span_id for n, span_id in enumerate(chunk)}
            sql = (
                f"SELECT span_id, id, {_STATE} FROM spans WHERE trace_key = :trace_key AND span_id IN "
                f"({', '.join(':' + name for name in names)}) ORDER BY {_UNFINISHED_LAST}, id"
            )
            for span_id, key, status in lean.fetch(sql, {"trace_key": row[0], **names}):
                found[trace_id, span_id] = (key, status)
    return found


def _insert_spans(lean: Lean, spans: Sequence[SpanRecord], marks: Sequence[Mark] = ()) -> list[int]:
    if not spans:
        return []
    trace_keys = _add_to_traces(lean, spans)
    keys = _new_keys(lean, len(spans))
    numbered = list(zip(keys, spans, strict=True))
    rows = [_span_row(k, trace_keys[s.trace_id], s) for k, s in numbered]
    if marks:
        rows = [(row[0], rid, *row[2:], seq, extra) for row, (rid, seq, extra) in zip(rows, marks, strict=True)]
    lean.insert_rows("spans", _MARKED_COLUMNS if marks else _SPAN_COLUMNS, rows)
    lean.insert_rows(
        "span_payloads",
        _PAYLOAD_COLUMNS,
        [(k, s.input, s.output, _attributes(s) or "{}", s.error, False) for k, s in numbered],
    )
    day_sums.add(lean, spans)
    return keys


def _new_keys(lean: Lean, count: int) -> list[int]:
    if lean.dialect == "sqlite":
        row = lean.one("SELECT COALESCE(MAX(id), 0) FROM spans")
        first = int(row[0] if row else 0) + 1
        return list(range(first, first + count))
    sql = "SELECT nextval(pg_get_serial_sequence('spans', 'id')) FROM generate_series(1, :count)"
    return [int(row[0]) for row in lean.fetch(sql, {"count": count})]


_SPAN_COLUMNS = (
    "id", "rid", "trace_key", "span_id", "parent_span_id", "name", "kind", "status", "started_us", "duration_us",
    "provider", "model", "prompt_id", "version_id", "execution_id", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nusd", "unpriced", "agent_id", "environment",
    "error_type", "flags", "first_token_us", "session_id", "user_identifier", "card_id",
)  # fmt: skip
_MARKED_COLUMNS = (*_SPAN_COLUMNS, "commit_seq", "extra")
_PAYLOAD_COLUMNS = ("span_key", "input", "output", "attributes", "error", "indexed")


def _tokens(tokens: TokenUsage) -> dict[str, int | None]:
    return {
        "input_tokens": tokens.input,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
    }


def _span_row(key: int, trace_key: int, span: SpanRecord) -> tuple[Any, ...]:
    """The values of ``_SPAN_COLUMNS``."""
    tokens = span.tokens
    return (
        key, ids.new_id(), trace_key, span.span_id, span.parent_span_id, span.name, span.kind, span.status,
        span.started_us, span.duration_us, span.provider, span.model, span.prompt_id, span.version_id,
        span.execution_id, tokens.input, tokens.cache_read, tokens.cache_write, tokens.output, tokens.reasoning,
        span.cost_nusd, span.unpriced, span.agent_id, span.environment, span.error_type, span.flags,
        span.first_token_us, span.session_id, span.user_identifier, span.card_id,
    )  # fmt: skip


def _outcome(span: SpanRecord) -> dict[str, Any]:
    """The columns that the end of a span may still change."""
    return {
        "status": span.status,
        "duration_us": span.duration_us,
        "provider": span.provider,
        "model": span.model,
        "prompt_id": span.prompt_id,
        "version_id": span.version_id,
        "execution_id": span.execution_id,
        **_tokens(span.tokens),
        "cost_nusd": span.cost_nusd,
        "unpriced": span.unpriced,
        "card_id": span.card_id,
        "first_token_us": span.first_token_us,
        "error_type": span.error_type,
    }


def _attributes(span: SpanRecord) -> str | None:
    """The attributes as JSON text, None when there are none."""
    if span.attributes_json is not None:
        return span.attributes_json
    return json.dumps(span.attributes, ensure_ascii=False, sort_keys=True) if span.attributes else None


def end_span(lean: Lean, key: int, span: SpanRecord) -> bool:
    """End a running span with what its record says; False when it had ended already.

    Its start, environment, session and user, and the texts and attributes that the record leaves out, stay as they were.
    """
    outcome = {**_outcome(span), "flags": span.flags}
    changes = ", ".join(f"{name} = :{name}" for name in outcome).replace("flags = ", "flags = flags | ")
    sql = (
        f"UPDATE spans SET {changes} WHERE id = :key AND status = 'running' "
        "RETURNING started_us, environment, session_id, user_identifier"
    )
    row = lean.one(sql, {**outcome, "key": key})
    if row is None:
        return False
    span = replace(span, started_us=int(row[0]), environment=row[1], session_id=row[2], user_identifier=row[3])
    texts = {name: text for name in ("input", "output", "error") if (text := getattr(span, name)) is not None}
    if attributes := _attributes(span):
        texts["attributes"] = attributes
        if span.flags & FLAG_LINKED:
            kept = lean.one("SELECT attributes FROM span_payloads WHERE span_key = :key", {"key": key})
            texts["attributes"] = link_notes.carried(kept[0] if kept else "", attributes)
    if texts:
        changes = ", ".join(f"{name} = :{name}" for name in texts)
        lean.execute(f"UPDATE span_payloads SET {changes} WHERE span_key = :key", {**texts, "key": key})
    open_spans.forget(lean, key)
    _add_to_traces(lean, [span], ending=True)
    day_sums.add(lean, [span])
    return True


def _ended(first: SpanRecord, span: SpanRecord) -> SpanRecord:
    """A running span with its end, when neither is stored yet; the same as ``end_span`` makes of them."""
    attributes = _attributes(span) or None
    if attributes and span.flags & FLAG_LINKED:
        attributes = link_notes.carried(_attributes(first) or "", attributes)
    return replace(
        span,
        name=first.name,
        kind=first.kind,
        parent_span_id=first.parent_span_id,
        agent_id=first.agent_id,
        started_us=first.started_us,
        environment=first.environment,
        session_id=first.session_id,
        user_identifier=first.user_identifier,
        input=first.input if span.input is None else span.input,
        output=first.output if span.output is None else span.output,
        error=first.error if span.error is None else span.error,
        attributes_json=attributes or _attributes(first),
        flags=first.flags | span.flags,
    )


_SUMS = (
    "span_count", "open_count", "error_count", "canceled_count", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nusd", "priced_count", "unpriced_count",
)  # fmt: skip


def _status_sql(source: str) -> str:
    counts = {name: source.format(name) for name in ("open_count", "error_count", "canceled_count")}
    return (
        f"CASE WHEN {counts['open_count']} > 0 THEN 'running' WHEN {counts['error_count']} > 0 THEN 'failed' "
        f"WHEN {counts['canceled_count']} > 0 THEN 'canceled' ELSE 'succeeded' END"
    )


_UPSERT_TRACE = f"""
INSERT INTO traces (trace_id, name, status, started_us, ended_us, environment, session_id, user_identifier,
                    {", ".join(_SUMS)})
VALUES (:trace_id, :name, {_status_sql(":{}")}, :started_us, :ended_us, :environment, :session_id, :user_identifier,
        {", ".join(":" + name for name in _SUMS)})
ON CONFLICT (trace_id) DO UPDATE SET
  name = CASE WHEN traces.name = '' THEN excluded.name ELSE traces.name END,
  status = {_status_sql("traces.{0} + excluded.{0}")},
  started_us = CASE WHEN excluded.started_us < traces.started_us THEN excluded.started_us ELSE traces.started_us END,
  ended_us = CASE WHEN excluded.ended_us > traces.ended_us THEN excluded.ended_us ELSE traces.ended_us END,
  environment = CASE WHEN traces.environment = '' THEN excluded.environment ELSE traces.environment END,
  session_id = COALESCE(traces.session_id, excluded.session_id),
  user_identifier = COALESCE(traces.user_identifier, excluded.user_identifier),
  {", ".join(f"{name} = traces.{name} + excluded.{name}" for name in _SUMS)}
RETURNING id
"""


def _add_to_traces(lean: Lean, spans: Sequence[SpanRecord], *, ending: bool = False) -> dict[str, int]:
    """Add spans to their traces' sums; the key of each trace. ``ending``: the spans were counted as open before."""
    grouped: dict[str, list[SpanRecord]] = defaultdict(list)
    for span in spans:
        grouped[span.trace_id].append(span)
    keys: dict[str, int] = {}
    for trace_id, members in grouped.items():
        row = lean.one(_UPSERT_TRACE, _trace_row(trace_id, members, ending))
        if row is None:
            raise AssertionError("an upsert returns its row")
        keys[trace_id] = int(row[0])
    return keys


def _trace_row(trace_id: str, spans: Sequence[SpanRecord], ending: bool) -> dict[str, Any]:
    first = spans[0]
    started = ended = first.started_us
    name, named_us = "", None
    environment, session_id, user_identifier = "", None, None
    opened = failed = canceled = priced = unpriced = cost = 0
    given = read = written = made = thought = 0
    for span in spans:
        begun, status, tokens = span.started_us, span.status, span.tokens
        started = begun if begun < started else started
        over = begun + (span.duration_us or 0)
        ended = over if over > ended else ended
        if span.parent_span_id is None and (named_us is None or begun < named_us):
            name, named_us = span.name, begun
        environment = environment or span.environment
        session_id = session_id or span.session_id
        user_identifier = user_identifier or span.user_identifier
        if status == "failed":
            failed += 1
        elif status == "canceled":
            canceled += 1
        elif status not in TERMINAL:
            opened += 1
        if tokens is not NO_TOKENS:
            given += tokens.input or 0
            read += tokens.cache_read or 0
            written += tokens.cache_write or 0
            made += tokens.output or 0
            thought += tokens.reasoning or 0
        if span.cost_nusd is not None:
            cost += span.cost_nusd
            priced += 1
        unpriced += span.unpriced
    new, before = (0, len(spans)) if ending else (len(spans), 0)
    sums = (
        new, opened - before, failed, canceled, given, read, written, made, thought, cost, priced, unpriced,
    )  # fmt: skip
    return {
        "trace_id": trace_id,
        "name": name,
        "started_us": started,
        "ended_us": ended,
        "environment": environment,
        "session_id": session_id or None,
        "user_identifier": user_identifier or None,
        **dict(zip(_SUMS, sums, strict=True)),
    }
