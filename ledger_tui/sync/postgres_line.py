"""The line to a server in PostgreSQL: one statement at a time, connected when needed, and no answer larger than was asked for."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ledger_tui.sync.door import BadAnswer
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres_errors import translated

MAX_ANSWER_CHARACTERS = 64 * 1024 * 1024
FEW_ROWS = 1_000
"""Up to so many rows an answer is read at once."""


SILENCE_S = 90.0
"""How long a statement may take: longer than the server allows it (dsn.STATEMENT_TIMEOUT), for servers that fell silent."""


@contextmanager
def understood() -> Iterator[None]:
    """Reading an answer: BadAnswer where it holds values of other types than were promised."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise BadAnswer("it holds something else than was asked for") from error


class Line:
    """A connection that comes and goes. For one thread at a time, but for ``abandon``."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connection: Any = None

    def one(self, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """The only row of a statement; raises as ``rows``."""
        found = self.rows(sql, parameters, 1)
        if len(found) != 1:
            raise BadAnswer("a call was not answered")
        return found[0]

    def rows(self, sql: str, parameters: tuple[Any, ...], most: int) -> list[tuple[Any, ...]]:
        """The rows of one statement. A connection that failed, or answers more than ``most``, is let go of.

        Raises SyncError (door.py), BadAnswer for an answer that is too large.
        """
        done = False
        try:
            with translated(self.target), self._watched():
                found = self._fetch(sql, parameters, most)
                done = True
                return found
        finally:
            if not done:
                self.close()

    def abandon(self) -> None:
        """End the connection under whatever waits for it, from any thread: that raises RemoteUnavailable."""
        from psycopg import Error

        connection = self._connection
        if connection is None:
            return
        # The connection's own descriptor is left to it: what ends is the line behind it. One that has ended needs no end.
        with suppress(Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        watch = threading.Timer(SILENCE_S, self.abandon)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def close(self) -> None:
        """Let go of the connection; the next statement makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _fetch(self, sql: str, parameters: tuple[Any, ...], most: int) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = self.target.connect()
        rows: list[tuple[Any, ...]] = []
        characters = 0
        with self._connection.cursor() as cursor:
            if most <= FEW_ROWS:
                rows = cursor.execute(sql, parameters).fetchmany(most + 1)
            else:
                for row in cursor.stream(sql, parameters, size=500):
                    rows.append(row)
                    characters += sum(len(value) for value in row if isinstance(value, str))
                    if len(rows) > most or characters > MAX_ANSWER_CHARACTERS:
                        break
        if len(rows) > most or characters > MAX_ANSWER_CHARACTERS:
            raise BadAnswer("it is larger than anything that was asked for")
        return rows
