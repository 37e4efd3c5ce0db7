"""What is said of a group of finished model calls: values that tables, plots and exports show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.domain.selection import Grouping, Selection


@dataclass(frozen=True, slots=True)
class CallStats:
    """Sums and percentiles of one group. Times in microseconds, money in nano-dollars.

    Percentiles are of succeeded calls, None where there is none or they are not kept (users and sessions);
    ``domain.percentiles.ERROR`` is their largest relative error.
    """

    key: tuple[str, ...]
    """day, (provider, model), (prompt, version number) and so on; empty for all calls together."""
    label: str
    """The key in words: ``openai/gpt-4o``, ``mail/welcome v3``; an empty text for calls without, ``all`` for all."""
    selection: Selection
    """Exactly these calls."""
    calls: int = 0
    errors: int = 0
    canceled: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int = 0
    """Of the priced calls."""
    unpriced: int = 0
    duration_us: int = 0
    p50_us: int | None = None
    p95_us: int | None = None
    first_p50_us: int | None = None
    first_p95_us: int | None = None

    @property
    def succeeded(self) -> int:
        """Calls that neither failed nor were canceled."""
        return self.calls - self.errors - self.canceled

    @property
    def success_rate(self) -> float | None:
        """The share of calls that succeeded, None without a call."""
        return self.succeeded / self.calls if self.calls else None

    @property
    def error_rate(self) -> float | None:
        """The share of calls that failed, None without a call."""
        return self.errors / self.calls if self.calls else None

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def average_us(self) -> float | None:
        """The mean duration of a call, None without a call."""
        return self.duration_us / self.calls if self.calls else None

    @property
    def known_cost_nusd(self) -> int | None:
        """What the priced calls cost; None when calls are unpriced and none of the others cost anything."""
        return None if self.unpriced and not self.cost_nusd else self.cost_nusd

    @property
    def filter_text(self) -> str:
        """Finds the traces of these calls."""
        return self.selection.filter_text()

    @property
    def unpriced_filter_text(self) -> str:
        """Finds the traces of those of these calls whose price is unknown."""
        return self.selection.filter_text(unpriced=True)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The groups of a selection, the first of them in the order asked for."""

    by: Grouping
    rows: tuple[CallStats, ...]
    group_count: int
    """How many groups there are, those past the limit too."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A period beside the one of the same length before it."""

    now: CallStats
    before: CallStats


@dataclass(frozen=True, slots=True)
class Spike:
    """A day that stands out from the group's own history.

    ``value`` and ``median`` are a share (error_rate), microseconds (p95) or nano-dollars (cost); ``spread`` is the median
    distance of the history's days from their median, and a day from ``limit`` on stands out.
    """

    measure: str
    """error_rate, p95 or cost."""
    by: str
    """all, model or prompt."""
    stats: CallStats
    """The day's calls of the group."""
    value: float
    median: float
    spread: float
    limit: float
    history: tuple[float, ...]
    """The values of the days before that had enough calls, oldest first."""


@dataclass(frozen=True, slots=True)
class LengthHistory:
    """How long a prompt's answers were, in tokens, by its last calls; exact, by nearest rank."""

    calls: int
    low: int
    """The 5th percentile."""
    median: int
    p95: int
