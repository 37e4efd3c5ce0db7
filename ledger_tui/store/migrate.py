"""From an empty or older database to this release's schema, or nothing at all.

Loaded only when there is something to do, for it brings Alembic. On SQLite: a lock of the operating system, room for a
copy, a quick check, a verified copy, then one BEGIN IMMEDIATE for all steps, and checks before and after its end.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import alembic.command
from alembic.config import Config
from sqlalchemy import Connection, text

from ledger_tui.domain import clock, ids
from ledger_tui.errors import DatabaseDamaged, DatabaseFull, LedgerError, MigrationFailed
from ledger_tui.store import backup, engine, failures, files, postgres, sqlite
from ledger_tui.store.migrations import SCHEMA

if TYPE_CHECKING:
    from ledger_tui.store.database import Database

LOCK_NAME = "migrate.lock"
SCRIPTS = Path(__file__).parent / "migrations"
# Its context is one for the whole process, also for databases that have nothing to do with each other.
_alembic = threading.Lock()


def migrate(database: Database) -> None:
    """Bring ``database`` to this release's schema; two processes at once do it once."""
    with _alembic:
        if database.path:
            _migrate_sqlite(database, database.path)
        else:
            _migrate_postgres(database)


def config(connection: Connection) -> Config:
    """Alembic set up on an open transaction; needs no file beside the package."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def _migrate_sqlite(database: Database, path: Path) -> None:
    sqlite.require_library()
    if path.parent == database.paths.data:
        files.private_folder(path.parent)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.check_folder(path.parent, private=False)
    with files.exclusive_lock(path.with_name(LOCK_NAME)):
        state = sqlite.state_of(path)
        if state == "ready":
            return
        if state == "outdated":
            _check_room(path)
            _copy_before(database, path)
        elif files.check_database(path) is None:
            files.create_private(path)
        files.tighten(path)
        _run_sqlite(database)


def _check_room(path: Path) -> None:
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < 2 * size:
        raise DatabaseFull(
            f"{free} bytes are free, {2 * size} are needed to change the ledger safely",
            remedy="Nothing was changed. Free some space on the disk and start again.",
        )


def _copy_before(database: Database, path: Path) -> None:
    connection = sqlite.connect(path, mode="ro")
    try:
        number = connection.execute("PRAGMA user_version").fetchone()[0]
        found = connection.execute("PRAGMA quick_check(3)").fetchall()
    finally:
        connection.close()
    if found != [("ok",)]:
        raise DatabaseDamaged("; ".join(row[0] for row in found))
    files.private_folder(database.paths.data)
    folder = files.backups_folder(path, database.paths)
    files.private_folder(database.paths.backups)
    files.private_folder(folder)
    backup.copy(path, folder / f"pre-{number + 1}-{backup.stamp()}.db")
    backup.keep_newest(folder, "pre-*.db", backup.KEEP_BEFORE_MIGRATION)


def _run_sqlite(database: Database) -> None:
    made = engine.for_migration(database)
    try:
        with made.connect() as connection:
            try:
                with connection.begin():
                    alembic.command.upgrade(config(connection), "head")
                    _stamp_workspace(connection)
                    _check_references(connection)
                    connection.exec_driver_sql(f"PRAGMA application_id={sqlite.APPLICATION_ID}")
                    connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA}")
            except Exception as error:
                raise _failed(error) from error
            backup.verify(connection.connection.dbapi_connection)
    finally:
        made.dispose()


def _failed(error: Exception) -> LedgerError:
    ours = error if isinstance(error, LedgerError) else failures.translate(error)
    if ours is not None and type(ours) is not MigrationFailed and isinstance(ours, failures.PASSING):
        return ours
    return MigrationFailed(failures.masked(str(ours or error).splitlines()[0]))


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(3)
    if broken:
        raise MigrationFailed(f"rows that point to nothing, in: {', '.join(sorted({str(row[0]) for row in broken}))}")


def _stamp_workspace(connection: Connection) -> None:
    """Give a new database its id and birthday."""
    for key, value in (("id", ids.new_id()), ("created_us", str(clock.now_us()))):
        connection.execute(
            text("INSERT INTO workspace (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING"),
            {"key": key, "value": value},
        )


def _migrate_postgres(database: Database) -> None:
    made = engine.for_migration(database)
    try:
        with made.connect() as connection, connection.begin():
            connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgres.MIGRATE_LOCK})")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgres.WRITE_LOCK})")
            if postgres.state_of(connection.connection.dbapi_connection) == "ready":
                return
            try:
                alembic.command.upgrade(config(connection), "head")
                _stamp_workspace(connection)
            except Exception as error:
                raise _failed(error) from error
    finally:
        made.dispose()
