"""Small frozen values that leave the store and travel to every front end; nobody mutates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.span_words import FLAG_CUT as FLAG_CUT
from ledger_tui.domain.span_words import FLAG_DUPLICATE as FLAG_DUPLICATE
from ledger_tui.domain.span_words import FLAG_LINKED as FLAG_LINKED
from ledger_tui.domain.span_words import FLAG_LOSSY as FLAG_LOSSY
from ledger_tui.domain.span_words import STATUSES as STATUSES
from ledger_tui.domain.span_words import TERMINAL as TERMINAL
from ledger_tui.domain.span_words import Status as Status

if TYPE_CHECKING:
    from ledger_tui.domain.trace_values import CostRow as CostRow
    from ledger_tui.domain.trace_values import ExecutionRow as ExecutionRow
    from ledger_tui.domain.trace_values import SpanPayloadRow as SpanPayloadRow
    from ledger_tui.domain.trace_values import SpanRecord as SpanRecord
    from ledger_tui.domain.trace_values import SpanRow as SpanRow
    from ledger_tui.domain.trace_values import TokenUsage as TokenUsage
    from ledger_tui.domain.trace_values import TracePage as TracePage
    from ledger_tui.domain.trace_values import TraceRow as TraceRow

ACTIVE = "active"
"""The label that a name alone means."""

_TRACE_VALUES = {
    "CostRow",
    "ExecutionRow",
    "SpanPayloadRow",
    "SpanRecord",
    "SpanRow",
    "TokenUsage",
    "TracePage",
    "TraceRow",
}


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt as a list shows it."""

    id: str
    name: str
    description: str
    tags: tuple[str, ...]
    team: str
    archived: bool
    mode: str
    version_count: int
    latest_number: int
    active_number: int
    model: str | None
    updated_us: int
    labels: tuple[tuple[str, int], ...] = ()
    """(label, version number) pairs, sorted by label, without ``active``."""
    contested: bool = False
    """Whether people wrote at once and have something to decide."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as a list shows it; content is read apart."""

    id: str
    prompt_id: str
    number: int
    sha256: str
    labels: tuple[str, ...]
    author: str
    message: str
    created_us: int
    base_number: int | None
    """The number of the version it was written on."""
    run_count: int = 0
    error_count: int = 0
    cost_nusd: int | None = None
    unpriced_count: int = 0
    provisional: bool = False
    """Whether the number can still move, as the shared server has not given it yet."""

    @property
    def name(self) -> str:
        """``v6``, or ``v6*`` while the number can still move."""
        return f"v{self.number}{'*' if self.provisional else ''}"

    @property
    def short_hash(self) -> str:
        """The first 7 hex digits of the sha256."""
        return self.sha256[:7]


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One registry fact as history shows it; ``value`` is decoded JSON."""

    seq: int
    rid: str
    kind: str
    prompt_id: str | None
    prompt_name: str | None
    field: str
    value: Any
    actor: str
    at_us: int
    reason: str
    action: str
    undoes: str | None


@dataclass(frozen=True, slots=True)
class InputSetRow:
    """Values kept for a prompt's variables."""

    name: str
    variables: dict[str, Any]
    at_us: int


def __getattr__(name: str) -> Any:
    """What a trace is made of comes with its first use: the first frame shows prompts only."""
    if name not in _TRACE_VALUES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ledger_tui.domain import trace_values

    return getattr(trace_values, name)
