"""The SQLite side: which library is used, how a connection is set up, and what a file says it is.

Loads no SQLAlchemy. Several processes share one file, which is what the WAL-reset race of older libraries needs, so a
fixed library is preferred over CPython's own; everything in this process uses the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ledger_tui.errors import (
    DatabaseDamaged,
    DatabaseForeign,
    DatabaseFull,
    DatabaseNewer,
    DatabaseUnavailable,
    StoreError,
)
from ledger_tui.store import files
from ledger_tui.store.lean import NOTHING, Lean, Row, insert_sql
from ledger_tui.store.migrations import SCHEMA
from ledger_tui.turns import Turn

APPLICATION_ID = 0x504C4447
"""``PLDG`` in the file header."""
BUSY_TIMEOUT_MS = 5000
MINIMUM = (3, 43, 0)
"""Full-text tables that can forget rows need it."""
MAGIC = b"SQLite format 3\x00"
Purpose = Literal["read", "write", "session"]
State = Literal["missing", "ready", "outdated"]


@cache
def library() -> ModuleType:
    """The DB-API module for SQLite: the first of sqlite3 and pysqlite3 without the WAL-reset race, else sqlite3."""
    import importlib

    own = importlib.import_module("sqlite3")
    if is_fixed(own.sqlite_version_info):
        return own
    try:
        other = importlib.import_module("pysqlite3")
    except ImportError:
        return own
    return other if other.sqlite_version_info > own.sqlite_version_info else own


def is_fixed(version: tuple[int, ...]) -> bool:
    """Whether a SQLite of this version has the fix of the WAL-reset race (3.51.3, and the backports)."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def require_library() -> None:
    """StoreError when the library cannot hold the ledger's full-text tables."""
    version = library().sqlite_version_info
    if version < MINIMUM:
        raise StoreError(
            f"found {'.'.join(map(str, version))}, needed {'.'.join(map(str, MINIMUM))}",
            title="The SQLite library of this Python is too old",
            remedy="Install a newer one with 'pip install pysqlite3', or use a newer Python.",
        )


def connect(path: Path, *, mode: Literal["ro", "rw"] = "rw") -> Any:
    """A bare connection that owns no transaction; never makes a file. Raises the driver's errors."""
    return library().connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def pragmas(purpose: Purpose) -> dict[str, tuple[str, object]]:
    """Each pragma with the value to set and the value that must be read back."""
    synchronous = ("NORMAL", 1) if purpose == "write" else ("FULL", 2)
    wanted: dict[str, tuple[str, object]] = {
        "journal_mode": ("WAL", "wal"),
        "busy_timeout": (str(BUSY_TIMEOUT_MS), BUSY_TIMEOUT_MS),
        "synchronous": synchronous,
        "foreign_keys": ("ON", 1),
        "trusted_schema": ("OFF", 0),
        "cell_size_check": ("ON", 1),
        "temp_store": ("MEMORY", 2),
        "secure_delete": ("ON", 1),
        "journal_size_limit": (str(64 * 1024 * 1024), 64 * 1024 * 1024),
        "mmap_size": ("0", 0),
    }
    if purpose == "read":
        wanted["query_only"] = ("ON", 1)
    return wanted


def set_up(connection: Any, purpose: Purpose) -> None:
    """Set the pragmas of a connection and read each back; StoreError names one that did not take."""
    for name, (value, expected) in pragmas(purpose).items():
        row = connection.execute(f"PRAGMA {name}={value}").fetchone()
        if row is None:
            row = connection.execute(f"PRAGMA {name}").fetchone()
        # Memory mapping may be compiled out; then the pragma says nothing and there is nothing to switch off.
        if row is None and name == "mmap_size":
            continue
        if row is None or row[0] != expected:
            raise StoreError(f"PRAGMA {name} is {row[0] if row else None!r} where {expected!r} was set")


def open_for(path: Path, purpose: Purpose) -> Any:
    """A connection with every pragma of its purpose set and verified."""
    connection = connect(path)
    try:
        with _opening(path):
            set_up(connection, purpose)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """On a full disk even opening fails, for the shared memory file finds no room; SQLite calls that an I/O error."""
    try:
        yield
    except library().OperationalError as error:
        import shutil

        if str(error) == "disk I/O error" and shutil.disk_usage(path.parent).free < 64 * 1024:
            raise DatabaseFull(f"{path} cannot even be opened") from error
        raise


def state_of(path: Path) -> State:
    """What the file is; changes nothing in it. Raises DatabaseForeign, DatabaseNewer, DatabaseDamaged and others."""
    size = files.check_database(path)
    if not size:
        return "missing"
    if size < 512:
        raise _unreadable(path, "shorter than a SQLite header")
    connection = connect(path, mode="ro")
    try:
        with _opening(path):
            application, version, tables = (
                connection.execute(question).fetchone()[0]
                for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
            )
    except library().DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == 26:
            raise _unreadable(path, str(error)) from error
        raise
    finally:
        connection.close()
    return _judge(path, application, version, tables)


def _judge(path: Path, application: int, version: int, tables: int) -> State:
    if application not in (0, APPLICATION_ID) or (application == 0 and (tables or version)):
        raise DatabaseForeign(f"{path} belongs to another program")
    if not tables and version == 0:
        return "missing"
    if version > SCHEMA:
        raise newer(version)
    if version < 1:
        raise DatabaseDamaged(f"{path} has tables but says schema {version}")
    return "ready" if version == SCHEMA else "outdated"


def newer(version: int) -> DatabaseNewer:
    """The error for a file of a later release."""
    return DatabaseNewer(f"the file has schema {version}, this release knows {SCHEMA}")


def _unreadable(path: Path, why: str) -> StoreError:
    # Nobody has this file open as a database (it is none), so reading it takes no lock away.
    with path.open("rb") as file:
        head = file.read(100)
    ours = head[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if ours or (head.startswith(MAGIC) and len(head) < 100) or not head.strip(b"\x00"):
        return DatabaseDamaged(f"{path}: {why}")
    return DatabaseForeign(f"{path}: {why}")


def begin(connection: Any, *, write: bool) -> None:
    """Open a transaction on the schema of this release; DatabaseNewer when another process has gone ahead."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA:
        connection.execute("ROLLBACK")
        raise newer(version) if version > SCHEMA else not_prepared(f"the file has schema {version}")


def rollback(connection: Any) -> None:
    """End a transaction without keeping it."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def not_prepared(cause: str) -> StoreError:
    """The error for reading or writing before ``prepare``."""
    return StoreError(cause, title="The ledger is not prepared yet", remedy="Run 'ledger-tui' once to prepare it.")


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of the file, to notice when it was replaced; DatabaseUnavailable when it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise DatabaseUnavailable(
            str(path), title="There is no ledger file here", remedy="Run 'ledger-tui' to make one, or restore a backup."
        ) from None
    return found.st_dev, found.st_ino


_TOGETHER = 32
"""Rows of one INSERT."""
_AT_ONCE = 256
"""Rows that are read or written before another thread may be let in."""


class SqliteLean(Lean):
    """Statements on a SQLite connection."""

    dialect = "sqlite"

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._turn = Turn()

    def fetch(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> list[Row]:
        cursor = self._connection.execute(sql, parameters)
        rows: list[Row] = cursor.fetchmany(_AT_ONCE)
        self._turn.pass_on()
        while len(rows) % _AT_ONCE == 0 and (more := cursor.fetchmany(_AT_ONCE)):
            rows += more
            self._turn.pass_on()
        return rows

    def one(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> Row | None:
        row: Row | None = self._connection.execute(sql, parameters).fetchone()
        self._turn.pass_on()
        return row

    def execute(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        count: int = self._connection.execute(sql, parameters).rowcount
        self._turn.pass_on()
        return count

    def executemany(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(rows), _AT_ONCE):
            self._connection.executemany(sql, rows[start : start + _AT_ONCE])
            self._turn.pass_on()

    def insert_rows(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        sql = insert_sql(table, columns, "?")
        whole = len(rows) - len(rows) % _TOGETHER
        if whole:
            many = sql + f", ({', '.join('?' * len(columns))})" * (_TOGETHER - 1)
            for start in range(0, whole, _TOGETHER):
                self._connection.execute(many, list(chain.from_iterable(rows[start : start + _TOGETHER])))
                self._turn.pass_on()
        self._connection.executemany(sql, rows[whole:])
