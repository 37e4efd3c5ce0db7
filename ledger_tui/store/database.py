"""The store's door: one object for a workspace's database, SQLite file or Postgres, thread-safe and fork-safe.

Reads are one consistent transaction each, writes take the write lock at their start. Each transaction checks that the
schema is still this release's: another process may have migrated in between.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.errors import DatabaseDamaged, DatabaseLocked, DatabaseUnavailable, InputError, StoreError
from ledger_tui.paths import Paths
from ledger_tui.store import changes, files, postgres, sqlite
from ledger_tui.store.failures import translate, translated
from ledger_tui.store.lean import Lean, Pool
from ledger_tui.store.sqlite import Purpose, State

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlmodel import Session

_IDLE_READERS, _IDLE_WRITERS = 4, 1
_DOUBTFUL = (DatabaseUnavailable, DatabaseDamaged)
# Connections of a parent process: kept, because closing or collecting them in the child would disturb the parent's.
_INHERITED: list[object] = []


class _Held:
    """What one process holds open; a child process after fork() starts with a new one."""

    def __init__(self, close: Any) -> None:
        self.pid = os.getpid()
        self.readers: Pool[Any] = Pool(close, _IDLE_READERS)
        self.writers: Pool[Any] = Pool(close, _IDLE_WRITERS)
        self.writing = threading.Lock()
        self.building = threading.Lock()
        self.engine: Engine | None = None
        self.identity: tuple[int, int] | None = None


class Database:
    """A workspace's database."""

    dialect: str
    """``sqlite`` or ``postgresql``."""
    label: str
    """Short name for people; never holds a password."""
    path: Path | None
    """The SQLite file, None on Postgres."""
    address: postgres.Address | None
    """The Postgres server and database, None on SQLite."""

    is_past = False
    """Whether an earlier moment is shown; then nothing can be written."""

    def __init__(self, target: str | Path, paths: Paths) -> None:
        """target: a SQLite file path, ``sqlite:///...`` or ``postgresql://...``. Touches nothing yet.

        Raises InputError for another kind of address.
        """
        self.paths = paths
        self.path, self.address = _parsed(target)
        self.dialect = "sqlite" if self.path else "postgresql"
        self.label = self.address.label if self.address else str(self.path)
        self._held = _Held(_close)

    def __repr__(self) -> str:
        return f"Database({self.label!r})"

    def now_us(self) -> int:
        """The moment that reads of "now" mean, in microseconds since 1970."""
        return clock.now_us()

    @property
    def present(self) -> Database:
        """The database as it is, for what is of no moment: what search knows of texts."""
        return self

    def check_writable(self) -> None:
        """Raises ReadOnlyMoment where an earlier moment is shown."""

    def state(self) -> State:
        """``missing``, ``ready`` or ``outdated``; raises DatabaseForeign, Newer, Damaged, Locked or Unavailable."""
        with translated():
            if self.path:
                return sqlite.state_of(self.path)
            connection = self._address().connect()
            try:
                return postgres.state_of(connection)
            finally:
                connection.close()

    def prepare(self) -> None:
        """Create the database or bring it to this release's schema; does nothing when it is there already.

        Safe from several processes at once. Raises MigrationFailed, and what ``state`` raises.
        """
        with translated():
            if self.state() != "ready":
                from ledger_tui.store import migrate

                migrate.migrate(self)
            if self.path:
                files.tighten(self.path)

    @contextmanager
    def lean(self) -> Iterator[Lean]:
        """One consistent read transaction."""
        with translated(), self._transaction(self._mine(), "read") as lean:
            yield lean

    @contextmanager
    def lean_write(self) -> Iterator[Lean]:
        """One raw write transaction: committed at the end of the block, rolled back when it raises.

        On SQLite a power loss may take the last ones away, it never damages the file.
        """
        held = self._mine()
        with translated(), self._turn(held), self._transaction(held, "write") as lean:
            yield lean

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One write transaction as a SQLModel session, committed at the end of the block, durable after it."""
        from sqlmodel import Session

        held = self._mine()
        with (
            translated(),
            self._turn(held),
            Session(self._engine(held), expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session
        changes.note()

    def close(self) -> None:
        """Close what this process holds open; the object can be used again afterwards."""
        held = self._mine()
        with held.building:
            engine, held.engine = held.engine, None
        if engine is not None:
            engine.dispose()
        for connection in held.writers.drain():
            if self.path:
                _optimize(connection)
            _close(connection)
        for connection in held.readers.drain():
            _close(connection)

    def _mine(self) -> _Held:
        if self._held.pid != os.getpid():
            _INHERITED.append(self._held)
            self._held = _Held(_close)
        return self._held

    def _wrap(self, connection: Any) -> Lean:
        return sqlite.SqliteLean(connection) if self.path else postgres.PostgresLean(connection)

    @contextmanager
    def _turn(self, held: _Held) -> Iterator[None]:
        """Let writers of this process queue fairly; SQLite's own waiting is a lottery. Postgres queues by itself."""
        if not self.path:
            yield
            return
        if not held.writing.acquire(timeout=sqlite.BUSY_TIMEOUT_MS / 1000):
            raise DatabaseLocked("another thread of this program is still writing")
        try:
            yield
        finally:
            held.writing.release()

    def _take(self, pool: Pool[Any], purpose: Purpose) -> Any:
        """A connection that works: an idle one, else a new one."""
        connection = pool.take()
        if connection is not None and self.address and not _alive(connection):
            _close(connection)
            connection = None
        if connection is not None:
            return connection
        return sqlite.open_for(self.path, purpose) if self.path else self._address().connect()

    def _address(self) -> postgres.Address:
        assert self.address is not None
        return self.address

    @contextmanager
    def _transaction(self, held: _Held, purpose: Purpose) -> Iterator[Lean]:
        """One transaction on a pooled connection, which goes back unless something made it doubtful."""
        write = purpose == "write"
        pool = held.writers if write else held.readers
        if self.path:
            self._same_file(held)
        identity, side = held.identity, sqlite if self.path else postgres
        connection = self._take(pool, purpose)
        usable = False
        try:
            side.begin(connection, write=write)
            yield self._wrap(connection)
            if held.pid != os.getpid():
                raise StoreError("a transaction cannot be carried through fork()")
            connection.execute("COMMIT" if write else "ROLLBACK")
            usable = identity == held.identity
        except BaseException as error:
            mine = held.pid == os.getpid()
            usable = mine and _undone(side, connection) and not isinstance(translate(error), _DOUBTFUL)
            raise
        finally:
            if held.pid != os.getpid():
                _INHERITED.append(connection)
            elif usable:
                pool.give(connection)
            else:
                _close(connection)

    def _same_file(self, held: _Held) -> None:
        """Check the file before its first use, and start afresh when it was replaced under us."""
        assert self.path is not None
        found = sqlite.identity(self.path)
        if held.identity == found:
            return
        state = sqlite.state_of(self.path)
        if state != "ready":
            raise sqlite.not_prepared(f"{self.path} is {state}")
        files.tighten(self.path)
        with held.building:
            engine, held.engine = held.engine, None
        if engine is not None:
            engine.dispose()
        for pool in (held.readers, held.writers):
            for connection in pool.drain():
                _close(connection)
        held.identity = found

    def _engine(self, held: _Held) -> Engine:
        if self.path:
            self._same_file(held)
        with held.building:
            if held.engine is None:
                from ledger_tui.store import engine

                held.engine = engine.make(self)
            return held.engine


def _parsed(target: str | Path) -> tuple[Path | None, postgres.Address | None]:
    text = str(target)
    if text.startswith(postgres.PREFIXES):
        return None, postgres.Address(text)
    if text.startswith("sqlite:///"):
        text = text.removeprefix("sqlite:///")
    elif "://" in text or not text:
        kind = text.partition("://")[0][:40]
        raise InputError(
            f"{kind}://...", title="This kind of database is not known", remedy="Use sqlite or postgresql."
        )
    if ":memory:" in text or "\x00" in text:
        raise InputError("a file is needed", title="This is no path for a ledger")
    return Path(text).expanduser().absolute(), None


def _close(connection: Any) -> None:
    try:
        connection.close()
    except Exception:  # noqa: S110 - a connection that cannot even be closed is given up
        pass


def _undone(side: Any, connection: Any) -> bool:
    """Take back what the transaction did; False when the connection does not even do that."""
    try:
        side.rollback(connection)
    except Exception:
        return False
    return True


def _optimize(connection: Any) -> None:
    try:
        connection.execute("PRAGMA optimize")
    except sqlite.library().Error:
        pass  # Statistics are a nicety; a locked or full database keeps the old ones.


def _alive(connection: Any) -> bool:
    """Whether the server still holds an idle connection: a closed socket has something to read."""
    import select

    if connection.closed:
        return False
    try:
        readable, _, _ = select.select([connection.fileno()], [], [], 0)
    except (OSError, ValueError):
        return False
    return not readable
