"""What programs get and give: typed dictionaries, so that ``result["span_id"]`` works and still type-checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

from ledger_tui.services.executing import (
    ErrorInfo,
    ExecuteResult,
    IncludedInfo,
    PromptInfo,
    SavedPrompt,
    SpanInfo,
    TraceInfo,
    VersionInfo,
)
from ledger_tui.services.queue_results import SubmitResult
from ledger_tui.services.usage_stats import PromptPerformance, UsageStats

__all__ = [
    "Analytics",
    "AnalyticsSummary",
    "ErrorInfo",
    "ExecuteResult",
    "GitInfo",
    "IncludedInfo",
    "MessageInfo",
    "MigrateResult",
    "MigratedPrompt",
    "ModeSums",
    "PromptHistory",
    "PromptInfo",
    "PromptPerformance",
    "PromptSumsInfo",
    "RegisterResult",
    "RegisteredPrompt",
    "RenderOptions",
    "RenderResult",
    "RunOptions",
    "SaveOptions",
    "SavedPrompt",
    "SpanInfo",
    "SubmitResult",
    "TraceInfo",
    "UsageStats",
    "VersionHistory",
    "VersionInfo",
]


class RenderOptions(TypedDict, total=False):
    """Which version is meant, and what the usage belongs to."""

    version: int | str | None
    label: str | None
    environment: str | None
    session_id: str | None
    user_identifier: str | None
    metadata: Mapping[str, Any] | None


class RunOptions(RenderOptions, total=False):
    """How a prompt is run, and where its span stands."""

    model: str | None
    params: Mapping[str, Any] | None
    trace_id: str | None
    parent_span_id: str | None
    span_name: str | None
    span_kind: str | None
    idempotency_key: str | None


class SaveOptions(TypedDict, total=False):
    """The parts of a content besides its template, and what is said of the version."""

    system: str | None
    messages: Sequence[Mapping[str, str]] | None
    model: str | None
    params: Mapping[str, Any]
    tools: Sequence[Mapping[str, Any]]
    response_schema: Mapping[str, Any] | None
    description: str | None
    message: str
    author: str | None
    labels: Sequence[str]
    activate: bool


class MessageInfo(TypedDict):
    """A rendered message, as model APIs take it."""

    role: str
    content: str


class RenderResult(TypedDict):
    """What a render gave; ``text`` is the last user message. The usage is recorded, no execution belongs to it yet.

    ``included`` are the prompts that the text was made from besides its own, in order, each once.
    """

    usage_id: str
    prompt: str
    version: int
    messages: list[MessageInfo]
    text: str
    model: str | None
    params: dict[str, Any]
    included: list[IncludedInfo]


class GitInfo(TypedDict):
    """Where a code prompt's text came from; all None without a repository."""

    commit: str | None
    path: str | None
    dirty: bool | None


class RegisteredPrompt(TypedDict):
    """One code prompt. ``action``: new, update, unchanged, or managed (in full mode, so the code's text is not taken)."""

    name: str
    mode: str
    version: int
    change_detected: bool
    previous_version: int | None
    action: str
    checksum: str
    git: GitInfo


class RegisterResult(TypedDict):
    """What registering did; with ``dry_run`` what it would do."""

    registered: list[RegisteredPrompt]
    dry_run: bool


class MigratedPrompt(TypedDict):
    """One prompt that is in full mode now; ``previous_mode`` is None when the ledger did not know it."""

    name: str
    mode: str
    version: int
    previous_mode: str | None
    version_change: bool


class MigrateResult(TypedDict):
    """What a migration did."""

    migrated: list[MigratedPrompt]


class VersionHistory(TypedDict):
    """One version of a prompt; ``template_source`` is its last user message, ``messages`` are all its templates."""

    version: int
    checksum: str
    template_source: str
    messages: list[MessageInfo]
    created_at: str
    author: str
    message: str
    execution_count: int
    git: GitInfo


class PromptHistory(TypedDict):
    """The versions of a prompt, newest first; ``current_version`` is the active one."""

    prompt_name: str
    mode: str
    current_version: int
    versions: list[VersionHistory]


class AnalyticsSummary(TypedDict):
    """How many prompts there are (archived ones do not count) and how often they ran."""

    total_executions: int
    total_prompts: int
    full_mode_prompts: int
    tracking_mode_prompts: int
    total_tokens: int
    total_cost: Decimal
    unpriced_count: int


class ModeSums(TypedDict):
    """The finished calls of one mode's prompts; ``avg_latency_ms`` is None when there is none."""

    prompt_count: int
    execution_count: int
    error_count: int
    avg_latency_ms: float | None
    total_tokens: int
    total_cost: Decimal
    unpriced_count: int


class PromptSumsInfo(TypedDict):
    """The finished calls of one prompt."""

    name: str
    mode: str
    version: int
    execution_count: int
    error_count: int
    avg_latency_ms: float | None
    total_tokens: int
    total_cost: Decimal
    unpriced_count: int


class Analytics(TypedDict):
    """What ran. ``by_mode`` has ``full`` and ``tracking``, or only the one that was asked for."""

    summary: AnalyticsSummary
    by_mode: dict[str, ModeSums]
    prompts: list[PromptSumsInfo]
