"""What programs get from `PromptLedger`: plain typed dictionaries made from runs, versions and traces."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

from ledger_tui.domain import clock, money
from ledger_tui.errors import KeyTaken

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.domain.includes import Included
    from ledger_tui.domain.trace_tree import SpanTree
    from ledger_tui.domain.values import TraceRow
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.queueing import QueueService
    from ledger_tui.services.registry import RegistryService, SaveResult, VersionRef
    from ledger_tui.services.run_values import RunRequest, RunResult
    from ledger_tui.services.runs import RunService
    from ledger_tui.services.templates import TemplateService
    from ledger_tui.services.traces import TraceService
    from ledger_tui.settings import Settings

Result = TypeVar("Result")


class ErrorInfo(TypedDict):
    """Why a run failed: a short type for programs, and words for people."""

    type: str
    title: str
    cause: str
    remedy: str


class IncludedInfo(TypedDict):
    """A version that a rendered text was made from besides its own."""

    name: str
    version: int
    version_id: str


class ExecuteResult(TypedDict):
    """One call to a model. Times in milliseconds; ``cost`` in USD, None when nothing is known of it."""

    output: str
    status: str
    prompt: str | None
    version: int | None
    execution_id: str
    trace_id: str
    span_id: str
    provider: str
    model: str
    served_model: str | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    total_tokens: int | None
    cost: Decimal | None
    unpriced: bool
    latency_ms: float
    first_token_ms: float | None
    finish_reason: str | None
    attempts: int
    tool_calls: list[dict[str, str]]
    included: list[IncludedInfo]
    error: ErrorInfo | None


class PromptInfo(TypedDict):
    """A prompt that was saved."""

    prompt_id: str
    name: str
    description: str


class VersionInfo(TypedDict):
    """A version that was saved, or found to exist."""

    version_id: str
    version_number: int
    checksum: str


class SavedPrompt(TypedDict):
    """What saving did; ``version_change`` is False when this content was active already."""

    prompt: PromptInfo
    version: VersionInfo
    version_change: bool


class TraceInfo(TypedDict):
    """A trace in sums."""

    trace_id: str
    name: str
    status: str
    started_at: str
    duration_ms: float
    span_count: int
    error_count: int
    total_tokens: int
    total_cost: Decimal | None
    unpriced_count: int


class SpanInfo(TypedDict):
    """One step of a trace in tree order; tokens and cost are its own, without those of the steps below it."""

    depth: int
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    status: str
    started_at: str
    duration_ms: float | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    unpriced: bool
    error_type: str | None


class Workspace(Protocol):
    """What of a ledger the services use that work with several others."""

    @property
    def registry(self) -> RegistryService: ...

    @property
    def runs(self) -> RunService: ...

    @property
    def models(self) -> ModelService: ...

    @property
    def templates(self) -> TemplateService: ...

    @property
    def traces(self) -> TraceService: ...

    @property
    def queue(self) -> QueueService: ...

    @property
    def settings(self) -> Settings: ...

    def prepare(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version that is to be used, with its content."""

    version_id: str
    number: int
    content: PromptContent


W = TypeVar("W", bound=Workspace)


def from_registry(ledger: Workspace, name: str, ref: VersionRef) -> Chosen:
    """The version of a prompt that ``ref`` names, the active one for None; raises NotFound."""
    version = ledger.registry.version(name, ref)
    return Chosen(version.id, version.number, ledger.registry.content(version.id))


def request_for(
    ledger: W,
    name: str,
    variables: Mapping[str, Any],
    options: Mapping[str, Any],
    choose: Callable[[W, str, VersionRef], Chosen] = from_registry,
) -> tuple[RunRequest, int]:
    """The request for a prompt by name, and the version's number.

    ``version`` and ``label`` choose the version, other options are fields of a RunRequest.
    """
    from ledger_tui.services.run_values import RunRequest

    fields = dict(options)
    ref, label = fields.pop("version", None), fields.pop("label", None)
    model = fields.pop("model", None)
    ledger.prepare()
    version = choose(ledger, name, label or ref)
    content = version.content
    chosen = {key: value for key, value in fields.items() if value is not None}
    request = RunRequest(
        content=content,
        model=model or content.model or ledger.settings.default_model,
        variables=variables,
        prompt_name=name,
        version_id=version.version_id,
        **chosen,
    )
    return request, version.number


async def execute(
    ledger: W,
    name: str,
    variables: Mapping[str, Any],
    options: Mapping[str, Any],
    choose: Callable[[W, str, VersionRef], Chosen] = from_registry,
) -> ExecuteResult:
    """Run a prompt by name with the options of ``request_for``; under an idempotency key at most once."""
    from ledger_tui.services.queue_results import earlier_result

    earlier = await earlier_result(ledger, name, options.get("idempotency_key"))
    if earlier is not None:
        return earlier
    request, number = await asyncio.to_thread(request_for, ledger, name, variables, options, choose)
    try:
        return execute_result(await ledger.runs.run(request), name, number)
    except KeyTaken:
        earlier = await earlier_result(ledger, name, request.idempotency_key)
        if earlier is None:
            raise
        return earlier


def content_of(template: str, options: dict[str, Any]) -> PromptContent:
    """The content that a template (or ``messages``) and the content's own ``options`` make; those are taken out."""
    from ledger_tui.domain.content import content_of_mapping

    names = ("messages", "system", "model", "params", "tools", "response_schema")
    return content_of_mapping({"template": template} | {key: options.pop(key) for key in names if key in options})


def execute_result(result: RunResult, prompt: str | None, version: int | None) -> ExecuteResult:
    """A run as programs see it."""
    tokens = result.tokens
    error: ErrorInfo | None = None
    if result.status != "succeeded":
        error = {
            "type": result.error_type or "",
            "title": result.error_title or result.status,
            "cause": result.error,
            "remedy": result.remedy,
        }
    return {
        "output": result.output,
        "status": result.status,
        "prompt": prompt,
        "version": version,
        "execution_id": result.execution_id,
        "trace_id": result.trace_id,
        "span_id": result.span_id,
        "provider": result.provider,
        "model": result.model,
        "served_model": result.served_model,
        "input_tokens": tokens.input,
        "cached_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "total_tokens": tokens.total,
        "cost": usd(result.cost_nusd),
        "unpriced": result.unpriced,
        "latency_ms": result.latency_us / 1000,
        "first_token_ms": milliseconds(result.first_token_us),
        "finish_reason": result.finish_reason,
        "attempts": result.attempts,
        "tool_calls": [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in result.tool_calls],
        "included": included_infos(result.included),
        "error": error,
    }


def included_infos(included: Sequence[Included]) -> list[IncludedInfo]:
    """Included versions as programs see them."""
    return [{"name": one.prompt, "version": one.number, "version_id": one.version_id} for one in included]


def saved_prompt(saved: SaveResult) -> SavedPrompt:
    """A save as programs see it."""
    prompt, version = saved.prompt, saved.version
    return {
        "prompt": {"prompt_id": prompt.id, "name": prompt.name, "description": prompt.description},
        "version": {"version_id": version.id, "version_number": version.number, "checksum": version.sha256},
        "version_change": saved.created or saved.moved,
    }


def trace_info(row: TraceRow) -> TraceInfo:
    """A trace as programs see it."""
    return {
        "trace_id": row.trace_id,
        "name": row.name,
        "status": row.status,
        "started_at": iso(row.started_us),
        "duration_ms": row.duration_us / 1000,
        "span_count": row.span_count,
        "error_count": row.error_count,
        "total_tokens": row.total_tokens,
        "total_cost": usd(row.known_cost_nusd),
        "unpriced_count": row.unpriced_count,
    }


def span_infos(tree: SpanTree) -> list[SpanInfo]:
    """The spans of a tree as programs see them, in display order."""
    return [
        {
            "depth": depth,
            "span_id": row.span_id,
            "parent_span_id": row.parent_span_id,
            "name": row.name,
            "kind": row.kind,
            "status": row.status,
            "started_at": iso(row.started_us),
            "duration_ms": milliseconds(row.duration_us),
            "model": row.model,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "cost": usd(row.cost_nusd),
            "unpriced": bool(row.unpriced),
            "error_type": row.error_type,
        }
        for depth, row in zip(tree.depths, tree.rows(), strict=True)
    ]


def iso(moment_us: int) -> str:
    """ISO 8601 in UTC of microseconds since 1970."""
    return clock.from_us(moment_us).isoformat()


def usd(nusd: int | None) -> Decimal | None:
    """USD of nano-dollars; None stays None."""
    return None if nusd is None else money.to_usd(nusd)


def milliseconds(duration_us: int | None) -> float | None:
    """Milliseconds of microseconds; None stays None."""
    return None if duration_us is None else duration_us / 1000


async def closing(ledger: Workspace, work: Coroutine[Any, Any, Result]) -> Result:
    """Await ``work`` in an event loop that ends after it, and close the connections that it opened."""
    try:
        return await work
    finally:
        await ledger.models.aclose()


def wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work`` to its end from synchronous code; inside a running event loop it gets a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    results: list[Result] = []
    errors: list[BaseException] = []

    def alone() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=alone, name="ledger-execute", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
