"""Giving unused space of the database back to the disk, after a look whether there is room for the copy it needs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.errors import DatabaseFull
from ledger_tui.store import sqlite
from ledger_tui.store.failures import translated

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

_SPARE = 16 * 1024 * 1024


class Freed(NamedTuple):
    """Bytes of the database before and after."""

    before: int
    after: int


def unused_bytes(lean: Lean) -> int:
    """Bytes of pages without content in a SQLite file; 0 on Postgres, which uses them again by itself."""
    if lean.dialect != "sqlite":
        return 0
    pages, size = lean.one("PRAGMA freelist_count"), lean.one("PRAGMA page_size")
    return int(pages[0]) * int(size[0]) if pages and size else 0


def give_back(database: Database) -> Freed:
    """VACUUM. Raises DatabaseFull when there is not room enough, DatabaseLocked while somebody else writes."""
    database.check_writable()
    if database.path is None:
        return _on_server(database)
    with translated():
        before = _size(database.path)
        _check_room(database.path, before)
        connection = sqlite.open_for(database.path, "write")
        try:
            # The copy is as large as the ledger: into a file, not into memory.
            connection.execute("PRAGMA temp_store=FILE")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
        return Freed(before, _size(database.path))


def empty_log(database: Database) -> None:
    """Write what stands in the ledger's log file into the ledger and empty it, as far as nobody reads from it just now."""
    if database.path is None:
        return
    with translated():
        connection = sqlite.open_for(database.path, "write")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()


def _on_server(database: Database) -> Freed:
    assert database.address is not None
    size = "SELECT pg_database_size(current_database())"
    with translated():
        connection = database.address.connect()
        try:
            connection.autocommit = True
            before = int(connection.execute(size).fetchone()[0])
            for table in ("spans", "span_payloads", "usages", "executions", "late_prices", "traces"):
                connection.execute(f"VACUUM (ANALYZE) {table}")
            return Freed(before, int(connection.execute(size).fetchone()[0]))
        finally:
            connection.close()


def _size(path: Path) -> int:
    companion = path.with_name(path.name + "-wal")
    return path.stat().st_size + (companion.stat().st_size if companion.exists() else 0)


def _check_room(path: Path, size: int) -> None:
    """Room for the copy in the folder of temporary files, and for the log of its way back beside the ledger."""
    for folder in {path.parent, _temporary()}:
        free = shutil.disk_usage(folder).free
        if free < size + _SPARE:
            raise DatabaseFull(
                f"{folder} has {free // 1_000_000} MB free; the copy needs {size // 1_000_000} MB",
                title="There is not room enough to give space back",
                remedy="Nothing was changed. Free some space, or set SQLITE_TMPDIR to a folder with more.",
            )


def _temporary() -> Path:
    """Where SQLite puts temporary files."""
    places = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108
    for name in places:
        if name and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return Path.cwd()
