"""Where budgets stand, for callers that cannot wait for a database: read in the background, at most every second.

A client of another library that is wrapped asks before each call. The figures it gets are a moment old, so calls of that moment
may pass a limit; a call is only stopped after a look that says so now. The same look raises the alerts that are due, so that a
program without a screen runs the command for them too.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.errors import BudgetExceeded, LedgerError
from ledger_tui.store.budgets import refuse_beyond

if TYPE_CHECKING:
    from ledger_tui.domain.budgets import Standing
    from ledger_tui.services.alerts import AlertService
    from ledger_tui.services.budgets import BudgetService
    from ledger_tui.store.database import Database

log = logging.getLogger("ledger_tui")
EVERY_S = 1.0
WITHOUT_BUDGETS_S = 5.0
CLOSE_S = 5.0


class BudgetWatch:
    """Thread-safe. A thread of its own lives only while somebody asks."""

    def __init__(self, database: Database, budgets: BudgetService, alerts: AlertService) -> None:
        self._database = database
        self._budgets = budgets
        self._alerts = alerts
        self._standings: Sequence[Standing] = ()
        self._is_ready = False
        self._start_over()

    def _start_over(self) -> None:
        self._pid = os.getpid()
        self._wanted, self._closed = threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def admit(self, environment: str, prompt: str | None = None) -> None:
        """Raise BudgetExceeded when a budget for such a call is spent; waits for the database only then."""
        self.poke()
        now_us = clock.now_us()
        for one in self._standings:
            spec = one.budget.spec
            if one.state == "over" and now_us < one.period.until_us and spec.covers(prompt, environment):
                self._admit_now(environment, prompt)
                return

    def _admit_now(self, environment: str, prompt: str | None) -> None:
        try:
            self._standings = standings = self._budgets.standings()
            for one in standings:
                if one.budget.spec.covers(prompt, environment):
                    refuse_beyond(one, 0)
        except BudgetExceeded as error:
            self.refused(error)
            raise
        except LedgerError as error:
            log.warning("budgets could not be read, so the call goes on: %s", error)

    @property
    def unstopping(self) -> Unstopping:
        """The same for callers that are told and never stopped."""
        return Unstopping(self)

    def refused(self, error: BudgetExceeded) -> None:
        """A call was stopped by a budget: tell it."""
        self._alerts.refused(error)
        self.poke()

    def poke(self) -> None:
        """Something may have been spent: look soon."""
        if os.getpid() != self._pid:
            # A child of fork(): the thread is not here, and locks may have been held by it.
            self._start_over()
            self._alerts.start_over()
        if self._wanted.is_set() or self._closed.is_set():
            return
        with self._guard:
            self._wanted.set()
            if self._thread is None or not self._thread.is_alive():
                arguments = (weakref.ref(self), self._wanted, self._closed)
                self._thread = threading.Thread(target=_keep_looking, args=arguments, name="budgets", daemon=True)
                self._thread.start()

    def look(self) -> float:
        """Look once, and raise the alerts that are due; after how many seconds it is worth looking again."""
        try:
            self._is_ready = self._is_ready or self._database.state() == "ready"
            if self._is_ready:
                self._standings = self._alerts.look().standings
        except Exception as error:
            # Whatever it is, the program whose calls are watched goes on.
            log.warning("budgets could not be looked at: %s", error)
        return EVERY_S if self._standings else WITHOUT_BUDGETS_S

    def rests(self) -> bool:
        """Whether the thread may end, for nobody asked since the last look; then the next to ask starts another."""
        with self._guard:
            if self._wanted.is_set():
                return False
            self._thread = None
            return True

    def close(self) -> None:
        """End the thread, after a last look when something may have been spent since the one before."""
        if self._pid != os.getpid():
            return
        thread, is_due = self._thread, self._wanted.is_set()
        self._closed.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_S)
        if is_due:
            self.look()


class Unstopping:
    """Looks at budgets when something may have been spent, and lets every call pass."""

    def __init__(self, watch: BudgetWatch) -> None:
        self.poke = watch.poke

    def admit(self, environment: str, prompt: str | None = None) -> None:
        """Let it pass."""
        self.poke()


def _keep_looking(held: weakref.ref[BudgetWatch], wanted: threading.Event, closed: threading.Event) -> None:
    while not closed.is_set():
        watch = held()
        if watch is None:
            return
        wanted.clear()
        wait_s = watch.look()
        del watch
        if closed.wait(wait_s):
            return
        watch = held()
        if watch is None or watch.rests():
            return
        del watch
