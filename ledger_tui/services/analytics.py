"""How often prompts ran and what came of it: one prompt's history, and sums by mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ledger_tui.domain import ids
from ledger_tui.errors import InputError, NotFound
from ledger_tui.services.call_groups import totals, wanted
from ledger_tui.services.call_stats import CallStatsService
from ledger_tui.services.usage_stats import (
    DateRange,
    PromptPerformance,
    UsageStats,
    prompt_performance,
    selection_of,
    usage_stats,
)
from ledger_tui.store import analytics as reads
from ledger_tui.store import prompts
from ledger_tui.store.analytics import PromptSums, VersionText

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats
    from ledger_tui.domain.selection import Selection
    from ledger_tui.domain.values import PromptRow
    from ledger_tui.store.breakdowns import Wanted
    from ledger_tui.store.lean import Lean

T = TypeVar("T")
MODES = ("full", "tracking")
ALL = "all"


def check_mode(mode: str | None) -> tuple[str, ...]:
    """The modes that ``mode`` means (``tracking_only`` is tracking, None and ``all`` are both); raises InputError."""
    if mode in (None, ALL):
        return MODES
    chosen = "tracking" if mode == "tracking_only" else mode
    if chosen not in MODES:
        raise InputError(f"{mode!r} is not a mode", remedy=f"Modes are {', '.join((*MODES, ALL))}.")
    return (chosen,)


class AnalyticsService(CallStatsService):
    """Reading what ran. Thread-safe; every call is one read transaction."""

    def usage_stats(self, prompt: str | None = None, date_range: DateRange = None) -> UsageStats:
        """Renders and calls of a prompt, or of all, in a range of days (None: ever); raises NotFound, InputError."""
        return self._of_days(usage_stats, selection_of(date_range, prompt, self.today(), default_days=None))

    def prompt_performance(self, prompt: str, date_range: DateRange = None) -> PromptPerformance:
        """How a prompt did in a range of days (None: the last 30); raises NotFound, InputError."""
        return self._of_days(prompt_performance, selection_of(date_range, prompt, self.today(), default_days=30))

    def usage_of(self, selection: Selection) -> UsageStats:
        """The same of any selection; renders know days, prompt, version and environment only."""
        return self._of_days(usage_stats, selection)

    def performance_of(self, selection: Selection) -> PromptPerformance:
        """The same of any selection."""
        return self._of_days(prompt_performance, selection)

    def is_provider(self, name: str) -> bool:
        """Whether calls to a provider of this name were counted."""
        self._before_read()
        with self._database.lean() as lean:
            return reads.is_provider(lean, name)

    def _of_days(self, look: Callable[[Lean, Wanted, CallStats], T], selection: Selection) -> T:
        self._before_read()
        with self._database.lean() as lean:
            chosen = wanted(lean, selection)
            return look(lean, chosen, totals(lean, chosen))

    def by_prompt(self) -> list[PromptSums]:
        """Every prompt with the sums of its finished calls, by name."""
        self._before_read()
        with self._database.lean() as lean:
            return reads.by_prompt(lean)

    def history(self, name: str) -> tuple[PromptRow, list[tuple[VersionText, int]]]:
        """A prompt, and its versions newest first, each with its number of executions; raises NotFound."""
        prompt_id = ids.prompt_id(name)
        self._before_read()
        with self._database.lean() as lean:
            prompt = prompts.prompt(lean, prompt_id)
            if prompt is None:
                raise NotFound(f"there is no prompt named {name}", title="No such prompt")
            counts = reads.execution_counts(lean, prompt_id)
            return prompt, [(text, counts.get(text.number, 0)) for text in reads.version_texts(lean, prompt_id)]
