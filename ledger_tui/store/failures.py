"""The door where errors of sqlite3, psycopg, SQLAlchemy and the operating system become ours.

Nothing here imports a driver: an error is told by its code (SQLite result code, SQLSTATE, errno) and by the name of
the module it came from. The foreign error stays as ``__cause__``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ledger_tui.errors import (
    Conflict,
    DatabaseDamaged,
    DatabaseForeign,
    DatabaseFull,
    DatabaseLocked,
    DatabaseNewer,
    DatabaseUnavailable,
    LedgerError,
    MigrationFailed,
    StoreError,
)

_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _CONSTRAINT, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 19, 26
LASTING = (DatabaseNewer, DatabaseForeign, DatabaseDamaged, MigrationFailed)
"""Waiting does not end these."""
PASSING = (DatabaseLocked, DatabaseFull, DatabaseUnavailable, DatabaseDamaged)
"""Errors that say more than that a larger work failed because of them."""
_SQLITE: dict[int, type[StoreError]] = {
    _BUSY: DatabaseLocked,
    _LOCKED: DatabaseLocked,
    _CORRUPT: DatabaseDamaged,
    _FULL: DatabaseFull,
    _NOTADB: DatabaseForeign,
}
# What SQLite says for a code; the backup call of pysqlite3 gives the text alone.
_SQLITE_TEXTS = {
    "database is locked": _BUSY,
    "database table is locked": _LOCKED,
    "attempt to write a readonly database": _READONLY,
    "disk I/O error": _IOERR,
    "database disk image is malformed": _CORRUPT,
    "database or disk is full": _FULL,
    "unable to open database file": _CANTOPEN,
    "file is not a database": _NOTADB,
}
# Longer prefixes first: the first that fits wins.
_SQLSTATE: tuple[tuple[str, type[StoreError]], ...] = (
    ("55P03", DatabaseLocked),
    ("40", DatabaseLocked),
    ("53100", DatabaseFull),
    ("54000", StoreError),
    ("08", DatabaseUnavailable),
    ("28", DatabaseUnavailable),
    ("3D", DatabaseUnavailable),
    ("53", DatabaseUnavailable),
    ("57P", DatabaseUnavailable),
    ("58", DatabaseUnavailable),
    ("XX001", DatabaseDamaged),
    ("XX002", DatabaseDamaged),
)
_DRIVERS = ("sqlite3", "pysqlite3", "psycopg", "psycopg_binary", "sqlalchemy")
_CREDENTIAL_IN_URL = r"(://[^:/@\s]*):[^@\s]*@"
_CREDENTIAL_WORD = r"(?i)(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)"

READ_ONLY_TITLE = "The ledger cannot be written here"
READ_ONLY_REMEDY = "Check the owner and mode of the folder and the file, and whether the disk is mounted read-only."
DISK_TITLE = "The disk did not read or write the ledger"
DISK_REMEDY = "Check the disk and its free space, then run 'ledger-tui doctor'."


def masked(text: str) -> str:
    """``text`` without the password of any connection address in it."""
    return re.sub(_CREDENTIAL_WORD, r"\1***", re.sub(_CREDENTIAL_IN_URL, r"\1:***@", text))


@contextmanager
def translated() -> Iterator[None]:
    """Let errors out of the block as ours; errors that are neither a driver's nor the system's pass untouched."""
    try:
        yield
    except LedgerError:
        raise
    except Exception as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from error


def translate(error: BaseException) -> LedgerError | None:
    """Our error for a driver's, SQLAlchemy's or the system's; None for anything else."""
    origin = getattr(error, "orig", None)
    if isinstance(origin, BaseException):
        error = origin
    if isinstance(error, OSError):
        return _from_system(error)
    if isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode to UTF-8"):
        return DatabaseDamaged("it holds text that is no UTF-8")
    if type(error).__module__.partition(".")[0] not in _DRIVERS:
        return None
    code = getattr(error, "sqlite_errorcode", _SQLITE_TEXTS.get(str(error)))
    if isinstance(code, int):
        return _from_sqlite(code, str(error))
    if _is_psycopg(error):
        return _from_postgres(error)
    return StoreError(masked(_first_line(error)))


def _is_psycopg(error: BaseException) -> bool:
    return any(base.__module__.startswith("psycopg") for base in type(error).__mro__)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _from_sqlite(code: int, text: str) -> LedgerError:
    # pysqlite3 gives no extended codes, so the kind of constraint stands in the text alone.
    kind = code & 0xFF
    if kind == _CONSTRAINT and text.startswith("UNIQUE"):
        return Conflict(text)
    if kind in _SQLITE:
        return _SQLITE[kind](text)
    if kind in (_READONLY, _CANTOPEN):
        return DatabaseUnavailable(text, title=READ_ONLY_TITLE, remedy=READ_ONLY_REMEDY)
    if kind == _IOERR:
        return DatabaseUnavailable(text, title=DISK_TITLE, remedy=DISK_REMEDY)
    return StoreError(text)


def _from_postgres(error: BaseException) -> LedgerError:
    state = getattr(error, "sqlstate", None) or ""
    text = masked(_first_line(error))
    if state == "23505":
        return Conflict(text)
    if state == "25006":
        return DatabaseUnavailable(text, title=READ_ONLY_TITLE, remedy="The server takes no writes; ask who runs it.")
    for prefix, kind in _SQLSTATE:
        if state.startswith(prefix):
            return kind(text)
    if not state and type(error).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError"):
        return DatabaseUnavailable(text)
    return StoreError(text)


def _from_system(error: OSError) -> LedgerError:
    text = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DatabaseFull(text)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DatabaseUnavailable(text, title=READ_ONLY_TITLE, remedy=READ_ONLY_REMEDY)
    if error.errno == errno.EIO:
        return DatabaseUnavailable(text, title=DISK_TITLE, remedy=DISK_REMEDY)
    return StoreError(text)
