"""Alerts: noticing what is worth telling, telling it once, and running the person's command for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain.alerts import AlertRow, of_spike, of_standing
from ledger_tui.errors import BudgetExceeded, LedgerError
from ledger_tui.store import alerts as reads

if TYPE_CHECKING:
    from ledger_tui.domain.budgets import Standing
    from ledger_tui.services.analytics import AnalyticsService
    from ledger_tui.services.budgets import BudgetService
    from ledger_tui.store.database import Database

log = logging.getLogger("ledger_tui")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    standings: list[Standing]
    new: list[AlertRow]
    """What nobody had told before."""
    problems: list[LedgerError] = field(default_factory=list)
    """Why the person's command failed."""


class AlertService:
    """Thread-safe. An alert is raised by whoever notices first; its command runs there, once."""

    def __init__(
        self,
        database: Database,
        budgets: BudgetService,
        analytics: Callable[[], AnalyticsService],
        *,
        command: Callable[[], Sequence[str]],
    ) -> None:
        """command: the words of the command to run for an alert, none for no command."""
        self._database = database
        self._budgets = budgets
        self._analytics = analytics
        self._command = command
        self._refused: set[str] = set()
        self._told: list[AlertRow] = []
        self._problems: list[LedgerError] = []
        self.start_over()

    def start_over(self) -> None:
        """In a child of fork(): nobody looks yet."""
        self._guard, self._looking = threading.Lock(), threading.Lock()

    def refused(self, error: BudgetExceeded) -> None:
        """A call was stopped by a budget: the next look tells it."""
        with self._guard:
            self._refused.add(error.budget)

    def look(self, *, with_spikes: bool = False) -> Look:
        """See where budgets stand, raise what is due and run the command for what is new.

        with_spikes: also whether today stands out from the days before. Raises StoreError.
        """
        with self._looking:
            found = self._look(with_spikes)
            self._told += found.new
            self._problems += found.problems
        return found

    def take(self) -> tuple[list[AlertRow], list[LedgerError]]:
        """What this process raised first since the last time, whoever looked, and why the command failed."""
        with self._looking:
            found = (self._told, self._problems)
            self._told, self._problems = [], []
        return found

    def _look(self, with_spikes: bool) -> Look:
        standings = self._budgets.standings()
        with self._guard:
            refused, self._refused = self._refused, set()
        due = self._due(standings, refused)
        if with_spikes:
            analytics, now_us = self._analytics(), self._database.now_us()
            due += [of_spike(spike, now_us) for spike in analytics.spikes(analytics.last_days(1))]
        new = self._raise(due)
        return Look(standings, new, self._run_command(new))

    def entries(self, limit: int = 100) -> list[AlertRow]:
        """Alerts with the numbers behind them, the newest first."""
        with self._database.lean() as lean:
            return reads.entries(lean, limit)

    def unseen(self) -> int:
        """How many nobody has looked at."""
        with self._database.lean() as lean:
            return reads.unseen(lean)

    def mark_seen(self, until_us: int | None = None) -> None:
        """Say that alerts (up to a moment in microseconds) were looked at."""
        now_us = self._database.now_us()
        with self._database.lean_write() as lean:
            reads.mark_seen(lean, now_us if until_us is None else until_us, now_us)

    def _due(self, standings: Sequence[Standing], refused: set[str]) -> list[AlertRow]:
        now_us = self._database.now_us()
        found = []
        for one in standings:
            state = one.spent_state if one.spent_nusd else "ok"
            if one.budget.rid in refused:
                found.append(of_standing(one, "refused", now_us))
            if state != "ok":
                found.append(of_standing(one, state, now_us))
        return found

    def _raise(self, due: list[AlertRow]) -> list[AlertRow]:
        if not due:
            return []
        with self._database.lean() as lean:
            known = reads.known(lean, [row.key for row in due])
        due = [row for row in due if row.key not in known]
        if not due:
            return []
        with self._database.lean_write() as lean:
            return reads.raise_new(lean, due)

    def _run_command(self, rows: Sequence[AlertRow]) -> list[LedgerError]:
        words = self._command()
        if not words or not rows:
            return []
        from ledger_tui.services import alert_command

        problems: list[LedgerError] = []
        for row in rows:
            try:
                alert_command.run(words, row)
            except LedgerError as error:
                log.warning("%s", error)
                problems.append(error)
        return problems
