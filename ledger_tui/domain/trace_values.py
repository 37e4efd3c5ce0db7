"""The values of traces and calls; everybody names them through ``domain.values``, which loads them when they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call by class; None where the provider did not say.

    input includes cache_read and cache_write; output includes reasoning.
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """Input and output together, None when neither is known."""
        if self.input is None and self.output is None:
            return None
        return (self.input or 0) + (self.output or 0)


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace as a list shows it."""

    key: int
    trace_id: str
    name: str
    status: str
    started_us: int
    ended_us: int
    span_count: int
    open_count: int
    error_count: int
    input_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost_nusd: int
    priced_count: int
    unpriced_count: int
    environment: str
    session_id: str | None
    user_identifier: str | None
    pruned_us: int | None = None
    """When retention removed its spans; the sums stay."""

    @property
    def duration_us(self) -> int:
        """From the first start to the latest end seen, in microseconds."""
        return max(0, self.ended_us - self.started_us)

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def known_cost_nusd(self) -> int | None:
        """The sum of priced calls, None when there is no priced call."""
        return self.cost_nusd if self.priced_count else None


@dataclass(frozen=True, slots=True)
class TracePage:
    """Traces newest first; ``next_cursor`` continues below the last, None at the end."""

    rows: tuple[TraceRow, ...]
    next_cursor: str | None


class SpanRow(NamedTuple):
    """The lean columns of one step of a trace (a tuple: ten thousand of them are made in a few milliseconds)."""

    key: int
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    status: str
    started_us: int
    duration_us: int | None
    provider: str | None
    model: str | None
    prompt_id: str | None
    version_id: str | None
    execution_id: str | None
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_nusd: int | None
    unpriced: bool
    agent_id: str | None
    error_type: str | None
    flags: int

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together, 0 when unknown."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)


@dataclass(frozen=True, slots=True)
class SpanPayloadRow:
    """The texts of one span. Input and output are as captured: JSON text or plain text."""

    span_key: int
    input: str | None
    output: str | None
    attributes: dict[str, Any]
    error: str | None
    is_shared: bool = False
    """Whether a shared server has the numbers of the span: texts that are missing may be on another machine."""

    @property
    def is_empty(self) -> bool:
        """Whether there is no text at all."""
        return not (self.input or self.output or self.attributes or self.error)


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One call to a model with everything kept of it; JSON columns are decoded."""

    id: str
    usage_id: str | None
    prompt_id: str | None
    version_id: str | None
    provider: str
    model: str
    served_model: str | None
    params: dict[str, Any]
    status: str
    messages: tuple[dict[str, Any], ...]
    response: str | None
    tool_calls: Any
    finish_reason: str | None
    tokens: TokenUsage
    latency_us: int | None
    first_token_us: int | None
    cost_nusd: int | None
    receipt: dict[str, Any] | None
    error_type: str | None
    error: str | None
    attempts: int
    environment: str
    created_us: int
    ended_us: int | None
    variables: dict[str, Any] = field(default_factory=dict)
    """The parameters of its usage."""
    content: str | None = None
    """Canonical content of its usage when the text was no saved version."""
    included: tuple[str, ...] = ()
    """The versions that its messages were made from besides its own, by id, in order."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """Sums of finished model calls under one key of a grouping (a day, a model, a prompt ...)."""

    key: tuple[str, ...]
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    unpriced: int
    duration_us: int


@dataclass(slots=True)
class SpanRecord:
    """A span to be written: what any front door says of one step. Times in microseconds, money in nano-dollars.

    Nobody changes one; it is not frozen because that would double the time of making it, and they are made by the million.

    ``duration_us`` None means that it is still running. ``input``, ``output`` and ``error`` are texts (JSON or plain).
    """

    trace_id: str
    span_id: str
    name: str
    kind: str
    status: str
    started_us: int
    duration_us: int | None = None
    parent_span_id: str | None = None
    provider: str | None = None
    model: str | None = None
    prompt_id: str | None = None
    version_id: str | None = None
    execution_id: str | None = None
    tokens: TokenUsage = TokenUsage()
    cost_nusd: int | None = None
    unpriced: bool = False
    agent_id: str | None = None
    environment: str = ""
    session_id: str | None = None
    user_identifier: str | None = None
    error_type: str | None = None
    error: str | None = None
    input: str | None = None
    output: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    flags: int = 0
    attributes_json: str | None = None
    """Attributes as the text of a JSON object; counts instead of ``attributes``."""
    first_token_us: int | None = None
    card_id: int | None = None
    """The rates that the cost was worked out by (``store/rate_cards.py``)."""
