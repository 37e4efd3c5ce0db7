"""Hot reads of traces: keyset pages over the maintained sums, a trace's lean spans, one span's texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.values import ExecutionRow, SpanPayloadRow, SpanRow, TokenUsage, TraceRow

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_TRACE = """
SELECT t.id, t.trace_id, t.name, t.status, t.started_us, t.ended_us, t.span_count, t.open_count, t.error_count,
       t.input_tokens, t.cache_read_tokens, t.output_tokens, t.cost_nusd, t.priced_count, t.unpriced_count,
       t.environment, t.session_id, t.user_identifier, t.pruned_us
FROM traces t
"""
Cursor = tuple[int, int]
"""(started_us, key) of the last row of a page."""


def page(lean: Lean, conditions: str, parameters: dict[str, Any], below: Cursor | None, limit: int) -> list[TraceRow]:
    """Up to ``limit`` traces, newest first, that meet the SQL ``conditions``, below a cursor."""
    where = [conditions] if conditions else []
    if below is not None:
        where.append("(t.started_us, t.id) < (:below_us, :below_key)")
        parameters = {**parameters, "below_us": below[0], "below_key": below[1]}
    sql = (
        _TRACE
        + (f"WHERE {' AND '.join(where)} " if where else "")
        + "ORDER BY t.started_us DESC, t.id DESC LIMIT :limit"
    )
    return [TraceRow(*row) for row in lean.fetch(sql, {**parameters, "limit": limit})]


def trace(lean: Lean, trace_id: str) -> TraceRow | None:
    """One trace by its id, or None."""
    row = lean.one(_TRACE + "WHERE t.trace_id = :trace_id", {"trace_id": trace_id})
    return None if row is None else TraceRow(*row)


def trace_of_span(lean: Lean, span_key: int) -> str | None:
    """The trace id that a span belongs to, or None."""
    row = lean.one(
        "SELECT t.trace_id FROM spans s JOIN traces t ON t.id = s.trace_key WHERE s.id = :key", {"key": span_key}
    )
    return None if row is None else str(row[0])


_SPANS = (
    f"SELECT {', '.join('id' if name == 'key' else name for name in SpanRow._fields)} FROM spans WHERE trace_key = :key"
)
_SPANS_IN_ORDER = _SPANS.replace("trace_key = :key", "id IN (SELECT id FROM spans WHERE trace_key = :key)")
"""By key: rows are read, and lie in memory, in the order in which they were written; a tree is built of them faster."""


def spans(lean: Lean, trace_key: int) -> list[SpanRow]:
    """The lean spans of a trace, in no promised order."""
    return list(map(SpanRow._make, span_tuples(lean, trace_key)))


def span_tuples(lean: Lean, trace_key: int) -> list[tuple[Any, ...]]:
    """The lean spans of a trace as plain tuples in the order of ``SpanRow``'s fields: what a tree is built from."""
    return lean.fetch(_SPANS_IN_ORDER, {"key": trace_key})


def span(lean: Lean, span_key: int) -> SpanRow | None:
    """One lean span, or None."""
    row = lean.one(_SPANS.replace("trace_key = :key", "id = :key"), {"key": span_key})
    return None if row is None else SpanRow._make(row)


def payload(lean: Lean, span_key: int) -> SpanPayloadRow | None:
    """The texts of a span, or None."""
    row = lean.one(
        "SELECT p.span_key, p.input, p.output, p.attributes, p.error, s.commit_seq FROM span_payloads p "
        "JOIN spans s ON s.id = p.span_key WHERE p.span_key = :key",
        {"key": span_key},
    )
    if row is None:
        return None
    return SpanPayloadRow(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5] is not None and row[5] > 0)


_EXECUTION = """
SELECT e.id, e.usage_id, e.prompt_id, e.version_id, e.provider, e.model, e.served_model, e.params, e.status, e.messages,
       e.response, e.tool_calls, e.finish_reason, e.input_tokens, e.cache_read_tokens, e.cache_write_tokens,
       e.output_tokens, e.reasoning_tokens, e.latency_us, e.first_token_us, e.cost_nusd, e.receipt, e.error_type, e.error,
       e.attempts, e.environment, e.created_us, e.ended_us, u.parameters, u.content, u.included
FROM executions e LEFT JOIN usages u ON u.id = e.usage_id WHERE e.id = :id
"""


def execution(lean: Lean, execution_id: str) -> ExecutionRow | None:
    """One call to a model with all that is kept of it, or None."""
    row = lean.one(_EXECUTION, {"id": execution_id})
    if row is None:
        return None
    head, tokens, middle, tail = row[:13], row[13:18], row[18:28], row[28:]
    (
        id_,
        usage_id,
        prompt_id,
        version_id,
        provider,
        model,
        served,
        params,
        status,
        messages,
        response,
        calls,
        reason,
    ) = head
    latency_us, first_us, cost, receipt, error_type, error, attempts, environment, created_us, ended_us = middle
    return ExecutionRow(
        id=id_, usage_id=usage_id, prompt_id=prompt_id, version_id=version_id, provider=provider, model=model,
        served_model=served, params=json.loads(params), status=status, messages=tuple(json.loads(messages)),
        response=response, tool_calls=json.loads(calls) if calls else None, finish_reason=reason,
        tokens=TokenUsage(*tokens), latency_us=latency_us, first_token_us=first_us, cost_nusd=cost,
        receipt=json.loads(receipt) if receipt else None, error_type=error_type, error=error, attempts=attempts,
        environment=environment, created_us=created_us, ended_us=ended_us,
        variables=json.loads(tail[0]) if tail[0] else {}, content=tail[1],
        included=tuple(json.loads(tail[2])) if tail[2] else (),
    )  # fmt: skip


def stamp(lean: Lean) -> tuple[Any, ...]:
    """Changes whenever a span was added or ended: cheap enough to ask twice a second."""
    newest = lean.one("SELECT MAX(id) FROM spans")
    still_open = lean.one("SELECT COUNT(*), MAX(started_us) FROM traces WHERE status = 'running'")
    return (newest or (None,)) + (still_open or (0, None))


def prompt_names(lean: Lean, version_ids: list[str]) -> dict[str, tuple[str, int]]:
    """The prompt's name and number of each version id that is known."""
    found: dict[str, tuple[str, int]] = {}
    for start in range(0, len(version_ids), 400):
        chunk = {f"v{n}": version_id for n, version_id in enumerate(version_ids[start : start + 400])}
        sql = (
            "SELECT n.version_id, p.name, n.number FROM version_numbers n JOIN prompts p ON p.id = n.prompt_id "
            f"WHERE n.version_id IN ({', '.join(':' + name for name in chunk)})"
        )
        found.update({row[0]: (row[1], row[2]) for row in lean.fetch(sql, chunk)})
    return found
