"""Looking back: the history of a prompt, and what ran how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import Analytics, PromptHistory
    from ledger_tui.services.usage_stats import DateRange, PromptPerformance, UsageStats


class Reports:
    """The part of `PromptLedger` about what was."""

    def get_prompt_history(self: Host, name: str, mode: str | None = None) -> PromptHistory:
        """The versions of a prompt, newest first, each with how often it ran; raises NotFound.

        mode: full or tracking, which the caller may name; a prompt has one history, whichever mode it is in.
        """
        from ledger_tui.sdk.reporting import prompt_history
        from ledger_tui.services.analytics import check_mode

        check_mode(mode)
        self.prepare()
        return prompt_history(*self.analytics.history(name))

    def get_analytics(self: Host, mode: str = "all") -> Analytics:
        """Sums of the finished calls of prompts, by mode and by prompt; ``mode`` is all, full or tracking."""
        from ledger_tui.sdk.reporting import analytics
        from ledger_tui.services.analytics import check_mode

        modes = check_mode(mode)
        self.prepare()
        return analytics(self.analytics.by_prompt(), modes)

    def get_usage_stats(self: Host, prompt: str | None = None, date_range: DateRange = None) -> UsageStats:
        """Renders and calls of a prompt, or of all: rates, cost, tokens, by environment, model, day and version.

        date_range: (from, until) as dates, datetimes or ISO texts, either None; or so many last days; None is ever. Days
        are UTC, both ends count. Raises NotFound and InputError.
        """
        self.prepare()
        return self.analytics.usage_stats(prompt, date_range)

    def get_prompt_performance(self: Host, prompt: str, date_range: DateRange = None) -> PromptPerformance:
        """How a prompt did: latency with percentiles, rates, cost by day, renders and calls by version.

        date_range: as for ``get_usage_stats``; None is the last 30 days. Raises NotFound and InputError.
        """
        self.prepare()
        return self.analytics.prompt_performance(prompt, date_range)
