"""Stored calls as programs see them: what ``execute`` would have returned, read back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from ledger_tui.domain.values import TERMINAL
from ledger_tui.errors import Conflict, LedgerError, ProviderError
from ledger_tui.services.executing import (
    Chosen,
    ErrorInfo,
    ExecuteResult,
    Workspace,
    from_registry,
    milliseconds,
    request_for,
    usd,
)
from ledger_tui.services.recovery import MAX_ATTEMPTS, WAITS_S

if TYPE_CHECKING:
    from ledger_tui.services.registry import VersionRef
    from ledger_tui.store.queue import Standing

W = TypeVar("W", bound=Workspace)


class SubmitResult(TypedDict):
    """A call that was queued. ``mode`` is async; with a repeated idempotency key, ``status`` and all are the first call's."""

    execution_id: str
    status: str
    mode: str
    prompt: str | None
    version: int | None
    trace_id: str
    span_id: str
    provider: str
    model: str


async def earlier_result(ledger: Workspace, name: str, key: str | None) -> ExecuteResult | None:
    """The result of the call that has this idempotency key, waited for; None when there is none.

    Raises KeyTaken when it is another prompt's, Conflict when it has not ended after all its attempts should have.
    """
    if key is None:
        return None

    def found() -> str | None:
        ledger.prepare()
        return ledger.queue.earlier(key, name)

    execution_id = await asyncio.to_thread(found)
    if execution_id is None:
        return None
    patience_s = MAX_ATTEMPTS * ledger.settings.timeout_s + sum(WAITS_S) * 2
    await asyncio.to_thread(set_going, ledger, execution_id)
    standing = await ledger.queue.awaited(execution_id, patience_s)
    if standing["status"] not in TERMINAL:
        raise Conflict(execution_id, title="The first call with this idempotency key has not ended")
    return stored_result(standing)


def submit(
    ledger: W,
    name: str,
    variables: Mapping[str, Any],
    options: Mapping[str, Any],
    choose: Callable[[W, str, VersionRef], Chosen] = from_registry,
    *,
    for_anybody: bool = False,
) -> SubmitResult:
    """Queue a prompt by name with the options of ``request_for``; for_anybody: a worker makes the call, not this program."""
    ledger.prepare()
    key = options.get("idempotency_key")
    earlier = ledger.queue.earlier(key, name)
    if earlier is not None:
        return _submitted(ledger.queue.standing(earlier))
    request, number = request_for(ledger, name, variables, options, choose)
    ticket = ledger.queue.submit(request, for_anybody=for_anybody)
    return {
        "execution_id": ticket.execution_id,
        "status": ticket.status,
        "mode": "async",
        "prompt": name,
        "version": number,
        "trace_id": ticket.trace_id,
        "span_id": ticket.span_id,
        "provider": ticket.provider,
        "model": ticket.model,
    }


def _submitted(standing: Standing) -> SubmitResult:
    names = ("execution_id", "status", "mode", "prompt", "version", "trace_id", "span_id", "provider", "model")
    found: Any = {name: standing[name] for name in names}
    result: SubmitResult = found
    return result


def set_going(ledger: Workspace, execution_id: str) -> None:
    """Let this program run queued calls too, when a submitted one is waited for that has not ended."""
    standing = ledger.queue.standing(execution_id)
    if standing["mode"] == "async" and standing["status"] not in TERMINAL:
        ledger.queue.start()


def stored_result(standing: Standing) -> ExecuteResult:
    """A call as it stands, in the shape of a run's result."""
    given, taken = standing["input_tokens"], standing["output_tokens"]
    return {
        "output": standing["response"] or "",
        "status": standing["status"],
        "prompt": standing["prompt"],
        "version": standing["version"],
        "execution_id": standing["execution_id"],
        "trace_id": standing["trace_id"],
        "span_id": standing["span_id"],
        "provider": standing["provider"],
        "model": standing["model"],
        "served_model": standing["served_model"],
        "input_tokens": given,
        "cached_tokens": standing["cache_read_tokens"],
        "output_tokens": taken,
        "reasoning_tokens": standing["reasoning_tokens"],
        "total_tokens": None if given is None and taken is None else (given or 0) + (taken or 0),
        "cost": usd(standing["cost_nusd"]),
        "unpriced": standing["cost_nusd"] is None and (bool(standing["response"]) or taken is not None),
        "latency_ms": (standing["latency_us"] or 0) / 1000,
        "first_token_ms": milliseconds(standing["first_token_us"]),
        "finish_reason": standing["finish_reason"],
        "attempts": standing["attempts"],
        "tool_calls": json.loads(standing["tool_calls"]) if standing["tool_calls"] else [],
        "included": [
            {"name": name, "version": number, "version_id": id_} for id_, name, number in standing["included"]
        ],
        "error": _error(standing),
    }


def _error(standing: Standing) -> ErrorInfo | None:
    """Why it failed, or why the last attempt did while another one is to come."""
    status, kind = standing["status"], standing["error_type"] or ""
    if status == "succeeded" or (status in ("queued", "running") and not kind):
        return None
    title, _, cause = (standing["error"] or "").partition(": ")
    return {"type": kind, "title": title or status, "cause": cause, "remedy": _REMEDIES.get(title, "")}


def _kinds(kind: type[LedgerError]) -> list[type[LedgerError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in _kinds(below))]


_REMEDIES = {kind.default_title: kind.default_remedy for kind in _kinds(ProviderError)}
