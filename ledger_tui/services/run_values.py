"""The words in which front ends ask for a run and hear of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.calls import ToolCall
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.domain.includes import Included


@dataclass(frozen=True)
class RunRequest:
    """One call to be made. ``params`` win over the content's; ``model`` is ``provider/model``, a clear name or ``offline``."""

    content: PromptContent
    model: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    prompt_name: str | None = None
    version_id: str | None = None
    """The version whose content this is; None for text that was never saved."""
    params: Mapping[str, Any] = field(default_factory=dict)
    trace_id: str | None = None
    parent_span_id: str | None = None
    span_name: str | None = None
    span_kind: str = "llm"
    environment: str | None = None
    session_id: str | None = None
    user_identifier: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: str = "sdk"
    retry_waits_s: tuple[float, ...] = (1.0, 4.0)
    """How long to wait before each further try of a call that failed before its first word; empty for none."""
    in_process: bool = False
    """Render in this process, without limits on time and memory: for the calling program's own texts."""
    idempotency_key: str | None = None
    """Any text of 1 to 255 characters: a second run or submit under it gets the first one's execution."""
    kept_content: PromptContent | None = None
    """The content as it is stored, where redaction rules keep something of it out; what is sent stays ``content``."""

    @property
    def stored_content(self) -> str | None:
        """Canonical content to keep with the usage: none for a version, which is in the registry."""
        return None if self.version_id else (self.kept_content or self.content).canonical


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended; times in microseconds, cost in nano-dollars (None: unpriced or nothing to pay for)."""

    execution_id: str
    usage_id: str
    trace_id: str
    span_id: str
    status: str
    output: str
    tool_calls: tuple[ToolCall, ...]
    tokens: TokenUsage
    cost_nusd: int | None
    receipt: Mapping[str, Any] | None
    unpriced: bool
    latency_us: int
    first_token_us: int | None
    provider: str
    model: str
    served_model: str | None = None
    finish_reason: str | None = None
    attempts: int = 1
    error_type: str | None = None
    error_title: str = ""
    error: str = ""
    remedy: str = ""
    flags: int = 0
    """``FLAG_CUT`` and ``FLAG_LOSSY`` of what is stored."""
    included: tuple[Included, ...] = ()
    """The versions that the messages were made from besides the prompt's own."""
    unsaved: LedgerError | None = None
    """Why the end of this run could not be stored; the answer is here and nowhere else."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run is stored and about to be sent."""

    execution_id: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class RunText:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class RunReasoning:
    """A piece of visible thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class RunWaits:
    """The provider failed in passing; another try follows."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over, in whichever way."""

    result: RunResult


RunEvent = RunStarted | RunText | RunReasoning | RunWaits | RunEnded
RunListener = Callable[[RunEvent], None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call would send, roughly: tokens by a rule of thumb, cost of the input alone, None when unpriced."""

    input_tokens: int
    cost_nusd: int | None
