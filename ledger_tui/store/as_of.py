"""A workspace's database as it stood at a moment: everything can be read, nothing can be written.

Each reading connection gets temporary views of the facts up to the moment in front of its tables (``as_of_views``). They
are made again when the registry has changed or a call was priced meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ledger_tui.domain import clock
from ledger_tui.errors import InputError, ReadOnlyMoment, StoreError
from ledger_tui.paths import Paths
from ledger_tui.store import postgres, sqlite
from ledger_tui.store.database import Database
from ledger_tui.store.lean import Lean, Pool, Row
from ledger_tui.store.sqlite import Purpose

if TYPE_CHECKING:
    from sqlmodel import Session

_STATE = "as_of_state"


class AsOfDatabase(Database):
    """The database at ``at_us`` (microseconds since 1970 UTC)."""

    is_past = True

    def __init__(self, target: str | Path, paths: Paths, at_us: int) -> None:
        """Raises InputError for a moment that is still to come or before 1970."""
        super().__init__(target, paths)
        if not 0 <= at_us <= clock.now_us():
            raise InputError("the moment must lie between 1970 and now", title="The ledger has no such moment")
        self.at_us = at_us
        self._target = target
        self._present: Database | None = None
        self._making = threading.Lock()

    @property
    def present(self) -> Database:
        with self._making:
            if self._present is None:
                self._present = Database(self._target, self.paths)
            return self._present

    def close(self) -> None:
        if self._present is not None:
            self._present.close()
        super().close()

    def now_us(self) -> int:
        return self.at_us

    def prepare(self) -> None:
        """Check that there is a ledger of this release; nothing is made or migrated."""
        state = self.state()
        if state != "ready":
            raise StoreError(
                f"{self.label} is {state}",
                title="There is no ledger to look back into",
                remedy="Run 'ledger-tui' once without a moment to prepare it.",
            )

    @contextmanager
    def lean_write(self) -> Iterator[Lean]:
        """Refused with ReadOnlyMoment."""
        self.check_writable()
        yield

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Refused with ReadOnlyMoment."""
        self.check_writable()
        yield

    def check_writable(self) -> NoReturn:
        raise ReadOnlyMoment(f"this is the ledger as of {clock.from_us(self.at_us):%Y-%m-%d %H:%M:%S} UTC")

    def _take(self, pool: Pool[Any], purpose: Purpose) -> Any:
        connection = super()._take(pool, purpose)
        try:
            side = _Sqlite(connection) if self.path else _Postgres(connection)
            side.set_up(self.at_us)
        except BaseException:
            connection.close()
            raise
        return connection


class _Sqlite:
    """Setting up one SQLite connection."""

    base, temp = "main", "temp"

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.lean: Lean = sqlite.SqliteLean(connection)

    def set_up(self, at_us: int) -> None:
        """Make the views unless they are there and still true."""
        facts = self.facts()
        if self.known() == facts:
            return
        from ledger_tui.store.as_of_setting import settle

        self.begin()
        try:
            settle(self.lean, self.base, self.temp, at_us)
            self.lean.execute(f"DROP TABLE IF EXISTS {_STATE}")
            self.lean.execute(f"CREATE TEMP TABLE {_STATE} AS SELECT {facts[0]} AS seq, {facts[1]} AS priced")
        except BaseException:
            self.end("ROLLBACK")
            raise
        self.end("COMMIT")

    def facts(self) -> Row:
        """What a change of the past would show in: the last registry fact and the count of late prices."""
        row = self.lean.one(
            f"SELECT (SELECT COALESCE(MAX(seq), 0) FROM {self.base}.journal), (SELECT COUNT(*) FROM {self.base}.late_prices)"
        )
        return row or (0, 0)

    def known(self) -> Row | None:
        """The facts for which the views were made, None without views."""
        if self.lean.one("SELECT 1 FROM temp.sqlite_schema WHERE name = :name", {"name": _STATE}) is None:
            return None
        return self.lean.one(f"SELECT seq, priced FROM {_STATE}")

    def begin(self) -> None:
        """Allow this connection its temporary tables."""
        self._connection.execute("PRAGMA query_only=OFF")
        self._connection.execute("BEGIN")

    def end(self, how: str) -> None:
        """End the set-up; nothing else may be written."""
        self._connection.execute(how)
        self._connection.execute("PRAGMA query_only=ON")


class _Postgres(_Sqlite):
    """Setting up one Postgres connection."""

    temp = "pg_temp"

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.lean = postgres.PostgresLean(connection)
        row = self.lean.one("SELECT quote_ident(current_schema())")
        self.base = str(row[0]) if row else "public"

    def known(self) -> Row | None:
        if self.lean.one("SELECT to_regclass(:name)", {"name": f"pg_temp.{_STATE}"}) in (None, (None,)):
            return None
        return self.lean.one(f"SELECT seq, priced FROM {_STATE}")

    def begin(self) -> None:
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")

    def end(self, how: str) -> None:
        self._connection.execute(how)
