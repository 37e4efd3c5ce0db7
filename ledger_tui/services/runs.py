"""Running a prompt against a model: the one module where synchronous storage meets asynchronous providers."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ledger_tui.domain import clock, ids
from ledger_tui.domain.calls import (
    ChatMessage,
    Finished,
    ModelEvent,
    ModelRequest,
    Provider,
    ReasoningDelta,
    TextDelta,
    ToolCall,
)
from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.domain.includes import Origin
from ledger_tui.domain.text import repaired
from ledger_tui.domain.values import FLAG_CUT, FLAG_LOSSY
from ledger_tui.errors import BadResponse, BudgetExceeded, LedgerError, ProviderError, ProviderTimeout, StoreError
from ledger_tui.services import processes, run_record
from ledger_tui.services.expectation import Expectation
from ledger_tui.services.price_book import PriceBook
from ledger_tui.services.run_record import RunPlan, Turn
from ledger_tui.services.run_values import (
    Estimate,
    RunEnded,
    RunListener,
    RunReasoning,
    RunRequest,
    RunResult,
    RunStarted,
    RunText,
    RunWaits,
)

if TYPE_CHECKING:
    from ledger_tui.services.budget_watch import BudgetWatch
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.run_redaction import RunRedaction
    from ledger_tui.services.templates import TemplateService
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database

T = TypeVar("T")
LONGEST_WAIT_S = 30.0
TRUNCATED = "truncated"


@dataclass
class _Answer:
    """What has come so far of one answer."""

    limit_bytes: int
    started_us: int
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    cut: bool = False
    lossy: bool = False
    tool_calls: list[ToolCall] = field(default_factory=list)
    finished: Finished = field(default_factory=Finished)
    first_token_us: int | None = None

    def add(self, text: str) -> str:
        """Take a piece; returns what of it is kept."""
        if self.first_token_us is None:
            self.first_token_us = clock.ticks_us() - self.started_us
        room = self.limit_bytes - self.size
        encoded = text.encode()
        if len(encoded) > room:
            text, self.cut = encoded[: max(0, room)].decode("utf-8", "ignore"), True
        self.size += len(text.encode())
        self.pieces.append(text)
        return text

    @property
    def empty(self) -> bool:
        return not self.pieces and not self.tool_calls


@dataclass
class Outcome:
    """How a call went, before it is stored."""

    answer: _Answer
    failure: ProviderError | None = None
    cancelled: bool = False
    attempts: int = 1
    latency_us: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the provider said besides the answer, as it is stored."""


class RunService:
    """Runs prompts. Every run is stored as usage, execution and span, however it ends."""

    def __init__(
        self,
        database: Database,
        templates: TemplateService,
        models: ModelService,
        *,
        settings: Settings,
        environment: str,
        device: Callable[[], str],
        provider: Callable[[str], Provider] | None = None,
        redaction: RunRedaction | None = None,
        watch: BudgetWatch | None = None,
    ) -> None:
        """watch: hears of every call that may have cost something, and of those that a budget stops."""
        self._database = database
        self._book = PriceBook(database)
        self._expectation = Expectation(database, self._book, models.own_address)
        self._templates = templates
        self._models = models
        self._settings = settings
        self._environment = environment
        self._device = device
        self._provider = provider or models.provider
        self._redaction = redaction
        self._watch = watch

    async def run(self, request: RunRequest, on_event: RunListener | None = None) -> RunResult:
        """Render, send, stream and store one call.

        A call that the provider fails is a result with status ``failed``; InputError and StoreError raise before
        anything is sent. Cancelling the task stores what came as ``canceled``, tells ``RunEnded`` and goes on cancelling.
        """
        tell: RunListener = on_event or (lambda event: None)
        plan = await offload(self.plan, request)
        try:
            span_key, cancelled = await unbroken(offload(run_record.begin, self._database, plan))
        except BudgetExceeded as error:
            self.refused(error)
            raise
        tell(RunStarted(plan.execution_id, plan.trace_id, plan.span_id))
        outcome = await self._send(plan, request.retry_waits_s, tell, cancelled)
        result, cancelled_late = await unbroken(offload(self._finish, plan, span_key, outcome))
        tell(RunEnded(result))
        if outcome.cancelled or cancelled_late:
            raise asyncio.CancelledError
        return result

    def refused(self, error: BudgetExceeded) -> None:
        """A budget stopped a call: it is told."""
        if self._watch is not None:
            self._watch.refused(error)

    async def attempt(self, plan: RunPlan) -> Outcome:
        """Send a planned call once and take its answer; nothing is stored. A cancellation ends as ``Outcome.cancelled``."""
        return await self._send(plan, (), lambda event: None, False)

    def result_of(self, plan: RunPlan, outcome: Outcome) -> RunResult:
        """The end of a call as it is stored: priced, and redacted when the ledger has rules."""
        return self._kept(plan, self._result(plan, outcome), outcome)

    def finish(
        self, plan: RunPlan, span_key: int, result: RunResult, metadata: Mapping[str, Any], turn: Turn | None = None
    ) -> bool:
        """Store the end of a call; False when it ended before, or is not this worker's turn any more."""
        try:
            return run_record.finish(self._database, plan, span_key, result, metadata, turn)
        finally:
            if self._watch is not None:
                self._watch.poke()

    async def aclose(self) -> None:
        """Close the connections that the running event loop opened."""
        await self._models.aclose()

    async def _send(self, plan: RunPlan, waits_s: Sequence[float], tell: RunListener, cancelled: bool) -> Outcome:
        """The one gate to providers: try a planned call, and again after each wait while it fails in passing."""
        started_us, limit = clock.ticks_us(), self._settings.max_response_kb * 1024
        outcome = Outcome(_Answer(limit, started_us), cancelled=cancelled)
        tries = 0 if cancelled else len(waits_s) + 1
        try:
            for outcome.attempts in range(1, tries + 1):
                outcome.answer = answer = _Answer(limit, started_us)
                failure = outcome.failure = await self._attempt(plan, answer, tell)
                if failure is None or not (failure.retryable and answer.empty and outcome.attempts < tries):
                    break
                wait = self._wait_s(failure, waits_s[outcome.attempts - 1])
                tell(RunWaits(wait, failure.title))
                await clock.pause(wait)
        except asyncio.CancelledError:
            outcome.cancelled = True
        outcome.latency_us = clock.ticks_us() - started_us
        outcome.metadata = outcome.answer.finished.metadata
        return outcome

    def estimate(self, subject: PromptContent | Sequence[ChatMessage], model: str) -> Estimate:
        """Roughly what a call would send and what its input would cost; templates are counted as they are."""
        from ledger_tui.domain.tokens import estimate_tokens
        from ledger_tui.domain.values import TokenUsage

        texts = subject.templates if isinstance(subject, PromptContent) else [message.text for message in subject]
        tokens = sum(estimate_tokens(text) for text in texts)
        name = self._models.resolve(model)
        usage = TokenUsage(input=tokens, output=0)
        address = self._models.own_address(name.provider)
        priced = self._book.price(name.provider, [name.model], usage, self._database.now_us(), address)
        return Estimate(tokens, None if priced is None else priced.nusd)

    def plan(self, request: RunRequest) -> RunPlan:
        """Decide everything about a call and render its messages; nothing is stored. Raises what ``run`` raises first."""
        model = self._models.resolve(request.model)
        canonical_json(request.variables)
        origin = Origin(request.prompt_name, request.version_id)
        rendered = self._templates.rendered(
            request.content, dict(request.variables), origin, in_process=request.in_process
        )
        messages = rendered.messages
        params = {**request.content.params, **request.params}
        now_us = clock.now_us()
        stored, kept_params = messages, params
        if (redaction := self._redaction) is not None:
            request, stored = redaction.request(request), redaction.messages(request.span_kind, messages)
            kept_params = dict(redaction.params(request.span_kind, params))
        return RunPlan(
            request=request,
            model=model,
            messages=messages,
            stored_messages=run_record.stored_messages(stored, self._settings.max_rendered_kb * 1024),
            params=kept_params,
            sent_params=params,
            environment=request.environment or self._environment,
            usage_id=ids.new_id(),
            execution_id=ids.new_id(),
            trace_id=request.trace_id or ids.new_id(),
            span_id=ids.new_id(),
            started_us=now_us,
            claimed_by=processes.this_process(self._device()),
            expected_nusd=self._expectation(request.prompt_name, model, messages),
            included=rendered.included,
            is_private=self._redaction is not None,
        )

    async def _attempt(self, plan: RunPlan, answer: _Answer, tell: RunListener) -> ProviderError | None:
        content = plan.request.content
        try:
            provider = self._provider(plan.model.provider)
            request = ModelRequest(
                model=plan.model.model,
                messages=plan.messages,
                params=plan.sent_params,
                tools=content.tools,
                response_schema=content.response_schema,
                timeout_s=self._settings.timeout_s,
            )
            stream = provider.stream(request)
            try:
                async for event in _with_patience(stream, self._settings.timeout_s, plan.model.provider):
                    _take(event, answer, tell)
            finally:
                await _close(stream)
        except ProviderError as error:
            return error
        if answer.empty and answer.finished.finish_reason is None:
            return BadResponse("it ended without a word", provider=plan.model.provider)
        return None

    def _wait_s(self, failure: ProviderError, planned_s: float) -> float:
        return min(LONGEST_WAIT_S, max(planned_s, failure.retry_after_s or 0.0))

    def _finish(self, plan: RunPlan, span_key: int, outcome: Outcome) -> RunResult:
        result = self._result(plan, outcome)
        try:
            kept = self._kept(plan, result, outcome)
            self.finish(plan, span_key, kept, outcome.metadata)
        except StoreError as error:
            return replace(result, unsaved=error)
        return result

    def _kept(self, plan: RunPlan, result: RunResult, outcome: Outcome) -> RunResult:
        """The result as it is stored, and the outcome's metadata too."""
        if self._redaction is None:
            return result
        kind = plan.request.span_kind
        outcome.metadata = self._redaction.params(kind, outcome.metadata, "response_metadata")
        return self._redaction.result(kind, result)

    def _result(self, plan: RunPlan, outcome: Outcome) -> RunResult:
        answer, failure, cancelled = outcome.answer, outcome.failure, outcome.cancelled
        finished = answer.finished
        priced = self._price(plan, finished)
        was_answered = not answer.empty or finished.usage.total is not None
        error: LedgerError | None = None if cancelled else failure
        error_type = "canceled" if cancelled else failure.error_type if failure else TRUNCATED if answer.cut else None
        return RunResult(
            execution_id=plan.execution_id,
            usage_id=plan.usage_id,
            trace_id=plan.trace_id,
            span_id=plan.span_id,
            status="canceled" if cancelled else "failed" if failure else "succeeded",
            output="".join(answer.pieces),
            tool_calls=tuple(answer.tool_calls),
            tokens=finished.usage,
            cost_nusd=None if priced is None else priced.nusd,
            receipt=None if priced is None else priced.receipt,
            unpriced=priced is None and was_answered,
            latency_us=outcome.latency_us,
            first_token_us=answer.first_token_us,
            provider=plan.model.provider,
            model=plan.model.model,
            served_model=finished.served_model,
            finish_reason=finished.finish_reason,
            attempts=outcome.attempts,
            error_type=error_type,
            included=plan.included,
            flags=FLAG_CUT * answer.cut | FLAG_LOSSY * answer.lossy,
            error_title=error.title if error else "",
            error=error.cause if error else "",
            remedy=error.remedy if error else "",
        )

    def _price(self, plan: RunPlan, finished: Finished) -> Any:
        if finished.usage.total is None:
            return None
        names = [finished.served_model or "", plan.model.model]
        provider, at_us = plan.model.provider, plan.started_us
        return self._book.price(provider, names, finished.usage, at_us, self._models.own_address(provider))


def _take(event: ModelEvent, answer: _Answer, tell: RunListener) -> None:
    if isinstance(event, TextDelta):
        text, was_broken = repaired(event.text)
        answer.lossy = answer.lossy or was_broken or "\x00" in text
        text = text.replace("\x00", "\ufffd")
        if kept := answer.add(text):
            tell(RunText(kept))
    elif isinstance(event, ReasoningDelta):
        tell(RunReasoning(event.text))
    elif isinstance(event, ToolCall):
        answer.tool_calls.append(event)
    else:
        answer.finished = event


async def _with_patience(stream: AsyncIterator[ModelEvent], seconds: float, provider: str) -> AsyncIterator[ModelEvent]:
    """The events of a stream; ProviderTimeout when the next one takes longer than ``seconds``."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                event = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise ProviderTimeout(f"nothing came for {seconds:g} seconds", provider=provider) from error
        yield event


async def _close(stream: AsyncIterator[ModelEvent]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


async def offload(work: Callable[..., T], *args: Any) -> T:
    """Do slow synchronous ``work`` in a thread; while the interpreter ends, when no thread takes more, do it here."""
    job = partial(contextvars.copy_context().run, work, *args)
    future: asyncio.Future[T] | None = None
    with suppress(RuntimeError):
        future = asyncio.get_running_loop().run_in_executor(None, job)
    return job() if future is None else await future


async def unbroken(work: Awaitable[T]) -> tuple[T, bool]:
    """Await ``work`` to its end; its result, and whether the task was cancelled meanwhile."""
    cancelled = False
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            cancelled = True
    return task.result(), cancelled
