"""Calls that end without an answer: their process died, or somebody cancelled them while they waited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_tui.domain.values import SpanRecord, SpanRow, TokenUsage
from ledger_tui.store import queue, telemetry

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Claim:
    """A running execution and the process that claimed it, as ``device:pid`` and more."""

    execution_id: str
    claimed_by: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ends: its final status, a short type and words for people."""

    status: str
    error_type: str
    words: str


def claims(lean: Lean, device: str) -> list[Claim]:
    """The running executions that processes of this device claimed and nobody queued."""
    rows = lean.fetch(
        "SELECT id, claimed_by FROM executions WHERE status = 'running' AND mode <> 'async' AND claimed_by LIKE :mine",
        {"mine": f"{device}:%"},
    )
    return [Claim(*row) for row in rows]


def interrupt(lean: Lean, execution_id: str, at_us: int, words: str) -> None:
    """End an execution and its span as failed with ``error_type`` interrupted; one that ended already stays as it is."""
    end(lean, execution_id, at_us, Ending("failed", INTERRUPTED, words))


def end(lean: Lean, execution_id: str, at_us: int, ending: Ending) -> bool:
    """End a waiting or running execution and its span, if it has one; False when it had ended already."""
    values = {
        "status": ending.status,
        "error_type": ending.error_type,
        "error": ending.words,
        "ended_us": at_us,
    }
    if not telemetry.update_running(lean, "executions", execution_id, values):
        return False
    queue.keep_place(lean, execution_id)
    columns = ", ".join("s.id" if name == "key" else f"s.{name}" for name in SpanRow._fields)
    rows = lean.fetch(
        f"SELECT t.trace_id, t.ended_us, {columns} FROM traces t JOIN spans s ON s.trace_key = t.id "
        "WHERE t.status = 'running' AND s.status = 'running' AND s.execution_id = :id",
        {"id": execution_id},
    )
    for trace_id, known_us, *columns_of_span in rows:
        span = SpanRow._make(columns_of_span)
        # Nobody saw an interrupted call end: it lasted at least until the last moment that is known of its trace.
        until_us = known_us if ending.error_type == INTERRUPTED else at_us
        telemetry.end_span(lean, span.key, _ended(trace_id, span, until_us, ending))
    return True


def _ended(trace_id: str, span: SpanRow, at_us: int, ending: Ending) -> SpanRecord:
    return SpanRecord(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        status=ending.status,
        started_us=span.started_us,
        duration_us=max(0, at_us - span.started_us),
        provider=span.provider,
        model=span.model,
        prompt_id=span.prompt_id,
        version_id=span.version_id,
        execution_id=span.execution_id,
        tokens=TokenUsage(),
        agent_id=span.agent_id,
        error_type=ending.error_type,
        error=ending.words,
        flags=span.flags,
    )
