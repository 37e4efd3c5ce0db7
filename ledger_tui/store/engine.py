"""SQLAlchemy's engine over the store's own connections: same library, same pragmas, same start of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool, QueuePool

from ledger_tui.store import postgres, sqlite
from ledger_tui.store.sqlite import not_prepared

if TYPE_CHECKING:
    from ledger_tui.store.database import Database


def make(database: Database) -> Engine:
    """An engine whose every transaction is a write transaction on this release's schema."""
    if database.path:
        path = database.path
        engine = create_engine(
            "sqlite:///ledger",
            module=sqlite.library(),
            creator=lambda: sqlite.open_for(path, "session"),
            poolclass=QueuePool,
            pool_size=1,
        )
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        "postgresql+psycopg://", creator=_opener(database), poolclass=QueuePool, pool_size=2, pool_pre_ping=True
    )
    event.listen(engine, "begin", _begin_postgres)
    return engine


def for_migration(database: Database) -> Engine:
    """An engine that checks no schema; on SQLite a step may rebuild tables (foreign keys are checked at the end)."""
    if database.path is None:
        return create_engine("postgresql+psycopg://", creator=_opener(database), poolclass=NullPool)
    path = database.path

    def opened() -> Any:
        connection = sqlite.open_for(path, "session")
        connection.execute("PRAGMA foreign_keys=OFF")
        return connection

    engine = create_engine("sqlite:///ledger", module=sqlite.library(), creator=opened, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _opener(database: Database) -> Any:
    assert database.address is not None
    address = database.address

    def opened() -> Any:
        connection = address.connect()
        connection.autocommit = False
        return connection

    return opened


def _begin_sqlite(connection: Connection) -> None:
    sqlite.begin(_Raw(connection), write=True)


def _begin_postgres(connection: Connection) -> None:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgres.WRITE_LOCK})")
    try:
        row = connection.exec_driver_sql(postgres.REVISION).fetchone()
    except ProgrammingError as error:
        raise not_prepared("the database has no ledger tables") from error
    postgres.check_revision(raw, tuple(row) if row else None)


class _Raw:
    """Gives ``sqlite.begin`` the driver's connection through SQLAlchemy, so that its events see the statements."""

    def __init__(self, connection: Connection) -> None:
        self.execute = connection.exec_driver_sql
