"""What is stored of a run: a usage, an execution and a span, begun before the call and ended after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock, ids
from ledger_tui.domain.calls import ChatMessage, ModelName
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.values import SpanRecord
from ledger_tui.services.run_values import RunRequest, RunResult
from ledger_tui.store import budgets, day_sums, queue, rate_cards, telemetry

if TYPE_CHECKING:
    from ledger_tui.domain.includes import Included
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run with everything decided before it is sent."""

    request: RunRequest
    model: ModelName
    messages: tuple[ChatMessage, ...]
    stored_messages: str
    params: Mapping[str, Any]
    """As they are stored."""
    sent_params: Mapping[str, Any]
    environment: str
    usage_id: str
    execution_id: str
    trace_id: str
    span_id: str
    started_us: int
    claimed_by: str
    expected_nusd: int | None = None
    """What it will cost about; counts against budgets until it ends. None when nobody knows or no budget asks."""
    included: tuple[Included, ...] = ()
    """The versions that the messages were made from besides the prompt's own."""
    is_private: bool = False
    """What is sent must not be stored: the ledger has redaction rules."""

    @property
    def place(self) -> dict[str, Any]:
        """Where the run's span is, or will be."""
        return {"trace_id": self.trace_id, "span_id": self.span_id}


def begin(database: Database, plan: RunPlan) -> int:
    """Store the usage, the running execution and its running span; returns the span's key.

    Raises KeyTaken and BudgetExceeded.
    """
    with database.lean_write() as lean:
        prompt_id = begin_call(lean, plan, {"request": canonical_json({"span": plan.place})})
        return telemetry.write_spans(lean, [span_record(plan, prompt_id)])[0]


def begin_call(lean: Lean, plan: RunPlan, columns: Mapping[str, Any]) -> str | None:
    """Store the usage and the execution, with other ``columns`` than a running one's; returns the prompt's id.

    Raises KeyTaken when another call has the idempotency key, BudgetExceeded when a budget does not allow the call.
    """
    request = plan.request
    budgets.admit(lean, request.prompt_name, plan.environment, plan.expected_nusd, plan.started_us)
    named = ids.prompt_id(request.prompt_name) if request.prompt_name else None
    prompt_id = named if named and telemetry.is_prompt(lean, named) else None
    queue.refuse_taken_key(lean, request.idempotency_key, prompt_id)
    telemetry.insert(lean, "usages", _usage(plan, prompt_id))
    day_sums.add_uses(lean, [plan.usage_id])
    telemetry.insert(lean, "executions", {**_execution(plan, prompt_id), **columns})
    return prompt_id


def usage_row(
    request: RunRequest,
    *,
    usage_id: str,
    prompt_id: str | None,
    rendered: str,
    environment: str,
    at_us: int,
    included: Sequence[Included] = (),
) -> dict[str, Any]:
    """The usage of one render; ``rendered``: what ``stored_messages`` gave, ``at_us``: when."""
    return {
        "id": usage_id,
        "prompt_id": prompt_id,
        "version_id": request.version_id,
        "included": canonical_json([one.version_id for one in included]),
        "content": request.stored_content,
        "parameters": canonical_json(request.variables),
        "rendered": rendered,
        "environment": environment,
        "session_id": request.session_id,
        "user_identifier": request.user_identifier,
        "metadata": canonical_json(request.metadata),
        "source": request.source,
        "created_us": at_us,
    }


def stored_messages(messages: Sequence[ChatMessage], limit_bytes: int) -> str:
    """The rendered messages as JSON, cut to ``limit_bytes`` of text."""
    return canonical_json(cut_messages(messages, limit_bytes))


def cut_messages(messages: Sequence[ChatMessage], limit_bytes: int) -> list[dict[str, str]]:
    """Role and text of the rendered messages, cut to ``limit_bytes`` of text."""
    kept = []
    for message in messages:
        text = message.text.encode()[: max(0, limit_bytes)].decode("utf-8", "ignore")
        limit_bytes -= len(message.text.encode())
        kept.append({"role": message.role, "text": text})
    return kept


def _usage(plan: RunPlan, prompt_id: str | None) -> dict[str, Any]:
    return usage_row(
        plan.request,
        usage_id=plan.usage_id,
        prompt_id=prompt_id,
        rendered=plan.stored_messages,
        environment=plan.environment,
        at_us=plan.started_us,
        included=plan.included,
    )


def _execution(plan: RunPlan, prompt_id: str | None) -> dict[str, Any]:
    return {
        "id": plan.execution_id,
        "usage_id": plan.usage_id,
        "prompt_id": prompt_id,
        "version_id": plan.request.version_id,
        "provider": plan.model.provider,
        "model": plan.model.model,
        "params": canonical_json(plan.params),
        "status": "running",
        "mode": "sync",
        "messages": plan.stored_messages,
        "attempts": 1,
        "environment": plan.environment,
        "claimed_by": plan.claimed_by,
        "claimed_us": plan.started_us,
        "estimated_nusd": plan.expected_nusd,
        "idempotency_key": plan.request.idempotency_key,
        "response_metadata": "{}",
        "created_us": plan.started_us,
    }


def span_record(plan: RunPlan, prompt_id: str | None) -> SpanRecord:
    """The running span of a run."""
    request = plan.request
    attributes = {"source": request.source, "params": dict(plan.params), "variables": dict(request.variables)}
    return telemetry.check_span(
        SpanRecord(
            trace_id=plan.trace_id,
            span_id=plan.span_id,
            parent_span_id=request.parent_span_id,
            name=request.span_name or request.prompt_name or "ad hoc run",
            kind=request.span_kind,
            status="running",
            started_us=plan.started_us,
            provider=plan.model.provider,
            model=plan.model.model,
            prompt_id=prompt_id,
            version_id=request.version_id,
            execution_id=plan.execution_id,
            environment=plan.environment,
            session_id=request.session_id,
            user_identifier=request.user_identifier,
            input=plan.stored_messages,
            attributes=attributes,
        )
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt of a queued call: who makes it, and what its span tells besides."""

    claimed_by: str
    attempt: int
    span_started_us: int
    attributes: Mapping[str, Any]


def finish(
    database: Database,
    plan: RunPlan,
    span_key: int,
    result: RunResult,
    metadata: Mapping[str, Any],
    turn: Turn | None = None,
) -> bool:
    """Store how the run ended; False when it has ended already, or when another process has the ``turn`` by now."""
    with database.lean_write() as lean:
        if turn is not None and not queue.is_claimed(lean, plan.execution_id, turn.claimed_by, turn.attempt):
            return False
        if not telemetry.update_running(lean, "executions", plan.execution_id, _ending(result, metadata)):
            return False
        running = span_record(plan, telemetry.prompt_of_execution(lean, plan.execution_id))
        attributes = {
            **running.attributes,
            **(turn.attributes if turn else {}),
            "attempts": result.attempts,
            "finish_reason": result.finish_reason,
            "served_model": result.served_model,
            "first_token_ms": None if result.first_token_us is None else result.first_token_us / 1000,
        }
        ended = replace(
            running,
            status=result.status,
            duration_us=result.latency_us if turn is None else max(0, clock.now_us() - turn.span_started_us),
            first_token_us=result.first_token_us,
            tokens=result.tokens,
            cost_nusd=result.cost_nusd,
            unpriced=result.unpriced,
            card_id=rate_cards.of_receipt(lean, result.receipt),
            error_type=result.error_type,
            error=": ".join(part for part in (result.error_title, result.error) if part) or None,
            input=None,
            output=result.output or _tool_calls(result),
            flags=running.flags | result.flags,
            attributes={name: value for name, value in attributes.items() if value not in (None, {})},
        )
        if turn is not None:
            queue.keep_place(lean, plan.execution_id)
        return telemetry.end_span(lean, span_key, ended)


def _tool_calls(result: RunResult) -> str | None:
    if not result.tool_calls:
        return None
    return json.dumps(
        [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in result.tool_calls], ensure_ascii=False
    )


def _ending(result: RunResult, metadata: Mapping[str, Any]) -> dict[str, Any]:
    tokens = result.tokens
    return {
        "status": result.status,
        "served_model": result.served_model,
        "response": result.output,
        "tool_calls": _tool_calls(result),
        "finish_reason": result.finish_reason,
        "input_tokens": tokens.input,
        "cache_read_tokens": tokens.cache_read,
        "cache_write_tokens": tokens.cache_write,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "latency_us": result.latency_us,
        "first_token_us": result.first_token_us,
        "cost_nusd": result.cost_nusd,
        "receipt": None if result.receipt is None else json.dumps(result.receipt, ensure_ascii=False, sort_keys=True),
        "error_type": result.error_type,
        "error": ": ".join(part for part in (result.error_title, result.error) if part) or None,
        "attempts": result.attempts,
        "response_metadata": json.dumps(dict(metadata), ensure_ascii=True, default=str),
        "ended_us": clock.now_us(),
    }
