"""Hearing that a shared ledger's registry grew: in PostgreSQL on a connection of its own that nothing else uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition, Event
from typing import Any

from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres_errors import translated

STEP_S = 0.25
"""How soon a wait notices that it should stop."""


class PostgresListener:
    """A ``Listener`` on PostgreSQL's notifications, for one ledger. For one thread at a time."""

    def __init__(self, target: Target, workspace: str) -> None:
        self.target = target
        self._channel = f"ledger_sync_{workspace}"
        self._connection: Any = None

    def wait(self, timeout_s: float, stop: Event) -> bool:
        """As ``Listener.wait``."""
        done = False
        try:
            with translated(self.target):
                heard = self._begin() or self._hear(time.monotonic() + timeout_s, stop)
            done = True
            return heard
        finally:
            if not done:
                self.close()

    def close(self) -> None:
        """Listen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self) -> bool:
        """Listen, when that is not done yet; whether it was done now."""
        if self._connection is not None and not self._connection.closed:
            return False
        from psycopg import sql

        self._connection = self.target.connect()
        self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return True

    def _hear(self, until: float, stop: Event) -> bool:
        while not stop.is_set():
            left = until - time.monotonic()
            step = max(0.0, min(STEP_S, left))
            if any(True for _ in self._connection.notifies(timeout=step, stop_after=1)):
                return True
            if left <= 0:
                return False
        return False


class MemoryListener:
    """A ``Listener`` on a server in memory."""

    def __init__(self, heard: Condition, count: Callable[[], int]) -> None:
        """heard: notified when the registry grows. count: how often it has."""
        self._heard = heard
        self._count = count
        self._seen: int | None = None

    def wait(self, timeout_s: float, stop: Event) -> bool:
        """As ``Listener.wait``."""
        until = time.monotonic() + timeout_s
        with self._heard:
            while self._seen == self._count():
                left = until - time.monotonic()
                if left <= 0 or stop.is_set():
                    return False
                self._heard.wait(min(left, STEP_S))
            self._seen = self._count()
        return True

    def close(self) -> None:
        """There is nothing to let go of."""
