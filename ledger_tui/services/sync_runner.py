"""Exchanging by itself for as long as a program runs: soon after something changed, and every now and then."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger_tui.domain.sync.plan import backoff_s
from ledger_tui.errors import Conflict, LedgerError

if TYPE_CHECKING:
    from ledger_tui.services.sync import SyncService
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.sync.engine import Progress

FRONT_S, BACK_S = 5.0, 60.0
"""How long it rests between exchanges while a person looks, and while nobody does."""


class SyncRunner:
    """Exchanges until it is told to stop; a failure is told and tried again later."""

    def __init__(
        self,
        service: SyncService,
        *,
        on_change: Callable[[SyncStatus], None],
        on_progress: Callable[[Progress], None] = lambda _: None,
        front: Callable[[], bool] = lambda: True,
    ) -> None:
        """Both functions are called in the thread of ``run``. front: whether a person looks."""
        self._service = service
        self._on_change = on_change
        self._on_progress = on_progress
        self._front = front
        self._wake = threading.Event()

    def poke(self) -> None:
        """Exchange now: something changed, or somebody asked."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Exchange until ``stop`` is set; meant for a thread of its own."""
        failures = 0
        while not stop.is_set():
            self._wake.clear()
            try:
                self._service.sync(self._watched(stop))
                failures = 0
            except _Stopped:
                return
            except Conflict:
                failures = 0
            except LedgerError:
                failures += 1
            self._on_change(self._service.status())
            self._rest(stop, backoff_s(failures, random.uniform(0.5, 1.0)))

    def _watched(self, stop: threading.Event) -> Callable[[Progress], None]:
        def told(progress: Progress) -> None:
            if stop.is_set():
                raise _Stopped
            self._on_progress(progress)

        return told

    def _rest(self, stop: threading.Event, at_least_s: float) -> None:
        left = max(at_least_s, FRONT_S if self._front() else BACK_S)
        while left > 0 and not stop.is_set() and not self._wake.wait(0.25):
            left -= 0.25


class _Stopped(Exception):
    """Nobody waits for the exchange any more."""
