"""New databases as copies of a migrated one: most tests need the schema and not the way to it.

The steps run once for each kind in a test process; after that a new SQLite file is that first one's bytes and a new
Postgres database gets the same statements in one message. What is one's own to a workspace, its id and birthday, is
written as the migration writes it. Tests of migration itself ask for ``real_migrations``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain import clock, ids
from ledger_tui.paths import Paths
from ledger_tui.store import migrate, postgres, sqlite
from ledger_tui.store.database import Database
from sqlalchemy import Engine, event

_SQLITE, _POSTGRES, _SCRIPTS = migrate._run_sqlite, migrate._migrate_postgres, migrate.SCRIPTS
_postgres_steps: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def ready_made() -> Iterator[None]:
    """New databases are copies from now on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_run_sqlite", _copy_sqlite)
        patch.setattr(migrate, "_migrate_postgres", _repeat_postgres)
        yield


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is run, as in the program."""
    monkeypatch.setattr(migrate, "_run_sqlite", _SQLITE)
    monkeypatch.setattr(migrate, "_migrate_postgres", _POSTGRES)


def _copy_sqlite(database: Database) -> None:
    path = database.path
    assert path is not None
    if path.stat().st_size or migrate.SCRIPTS != _SCRIPTS:
        _SQLITE(database)
        return
    path.write_bytes(_sqlite_bytes())
    connection = sqlite.connect(path)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.executemany("UPDATE workspace SET value = ? WHERE key = ?", _stamp())
    finally:
        connection.close()


@cache
def _sqlite_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(data=Path(folder) / "data", config=Path(folder) / "config")
        paths.data.mkdir(mode=0o700)
        paths.database.touch(mode=0o600)
        _SQLITE(Database(paths.database, paths))
        return paths.database.read_bytes()


def _repeat_postgres(database: Database) -> None:
    if migrate.SCRIPTS != _SCRIPTS or database.state() != "missing":
        _POSTGRES(database)
    elif not _postgres_steps:
        _record(database)
    else:
        assert database.address is not None
        with database.address.connect() as connection, connection.transaction():
            connection.execute(f"SELECT pg_advisory_xact_lock({postgres.MIGRATE_LOCK})")
            if postgres.state_of(connection) == "missing":
                connection.execute(";\n".join(_postgres_steps))
                connection.cursor().executemany("INSERT INTO workspace (value, key) VALUES (%s, %s)", _stamp())


def _record(database: Database) -> None:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: bool) -> None:
        if not parameters and not statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement.replace("%%", "%"))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        _POSTGRES(database)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    _postgres_steps[:] = seen


def _stamp() -> list[tuple[str, str]]:
    return [(ids.new_id(), "id"), (str(clock.now_us()), "created_us")]


__all__ = ["ready_made", "real_migrations"]
