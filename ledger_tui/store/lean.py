"""Plain statements on one open transaction: the way around SQLAlchemy for hot reads and raw writes.

The same SQL text with ``:name`` parameters runs on both databases; rows come back as tuples.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

Row = tuple[Any, ...]
NOTHING: Mapping[str, Any] = {}
C = TypeVar("C")


class Lean(Protocol):
    """One open transaction; valid inside the ``with`` that gave it, for one thread at a time."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def fetch(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> list[Row]:
        """All rows."""

    def one(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> Row | None:
        """The first row, or None."""

    def execute(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """Run a statement; the count of rows it touched (-1 where that means nothing)."""

    def executemany(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each row of parameters."""

    def insert_rows(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Insert many rows, each the values of ``columns`` in their order: no name is looked up for each value."""


@lru_cache(maxsize=64)
def insert_sql(table: str, columns: tuple[str, ...], mark: str) -> str:
    """An INSERT whose parameters are given by place; ``mark`` is how the driver writes one."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))})"


class Pool(Generic[C]):
    """Idle connections; a connection that is out has one user. Thread-safe."""

    def __init__(self, close: Callable[[C], None], limit: int) -> None:
        """limit: how many idle connections are kept."""
        self._close = close
        self._limit = limit
        self._idle: list[C] = []
        self._guard = threading.Lock()

    def take(self) -> C | None:
        """An idle connection, the one used last; None when there is none."""
        with self._guard:
            return self._idle.pop() if self._idle else None

    def give(self, connection: C) -> None:
        """Put a connection back; a surplus one is closed."""
        with self._guard:
            if len(self._idle) < self._limit:
                self._idle.append(connection)
                return
        self._close(connection)

    def drain(self) -> list[C]:
        """Take all idle connections out."""
        with self._guard:
            idle, self._idle = self._idle, []
        return idle
