"""The Postgres side: connections through psycopg, the same statements, and what a database says it is.

The address is read by libpq alone, for plain connections and for SQLAlchemy, so that both mean the same server. One
advisory lock makes writers take turns, as SQLite's BEGIN IMMEDIATE does: a fold or a number is never computed twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ledger_tui.errors import DatabaseDamaged, DatabaseForeign, DatabaseNewer, DatabaseUnavailable, StoreError
from ledger_tui.store.lean import NOTHING, Lean, Row, insert_sql
from ledger_tui.store.migrations import REVISIONS, SCHEMA
from ledger_tui.store.sqlite import State, not_prepared

PREFIXES = ("postgresql://", "postgres://", "postgresql+psycopg://")
WRITE_LOCK, MIGRATE_LOCK = 0x504C444701, 0x504C444702
LOCK_TIMEOUT_MS = 5000
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = f"BEGIN; SELECT pg_advisory_xact_lock({WRITE_LOCK})"
REVISION = "SELECT version_num FROM alembic_version"
_PARAMETERS = r"""
    (?P<keep>
        '(?:[^']|'')*'              # literal
      | "(?:[^"]|"")*"              # quoted name
      | --[^\n]*                    # comment
      | /\*.*?\*/
      | ::                          # cast
    )
  | :(?P<name>[A-Za-z_]\w*)
  | (?P<percent>%)
"""


@lru_cache(maxsize=512)
def translated_sql(sql: str) -> str:
    """``:name`` as psycopg's ``%(name)s``; casts, literals, names and comments stay, ``%`` is doubled."""

    def swap(match: re.Match[str]) -> str:
        if match["name"]:
            return f"%({match['name']})s"
        return match[0].replace("%", "%%")

    return re.sub(_PARAMETERS, swap, sql, flags=re.VERBOSE | re.DOTALL)


def driver() -> Any:
    """The psycopg module; DatabaseUnavailable names the extra to install when it is missing."""
    try:
        import psycopg
    except ImportError as error:
        raise DatabaseUnavailable(
            str(error),
            title="The Postgres driver is not installed",
            remedy="Install it with: pip install 'ledger-tui[postgres]'",
        ) from error
    return psycopg


class Address:
    """A server and database. ``repr`` and ``label`` never show the password."""

    def __init__(self, url: str) -> None:
        self._url = "postgresql://" + url.partition("://")[2]
        rest = self._url.partition("://")[2].partition("?")[0]
        place = rest.rpartition("@")[2]
        user = rest.rpartition("@")[0].partition(":")[0]
        self.label = f"{user}@{place}" if user else place or "postgresql"

    def __repr__(self) -> str:
        return f"Address({self.label!r})"

    def connect(self) -> Any:
        """A connection that owns no transaction; raises psycopg's errors, DatabaseUnavailable for refused options."""
        psycopg = driver()
        # psycopg repeats an address that does not parse in its message, so that one is not passed on.
        try:
            given = psycopg.conninfo.conninfo_to_dict(self._url)
        except psycopg.ProgrammingError:
            raise DatabaseUnavailable("it does not parse", title="The database address is not understood") from None
        if "options" in given:
            raise DatabaseUnavailable(
                "options= is not accepted", title="The database address is refused", remedy="Remove 'options' from it."
            )
        given.setdefault("connect_timeout", "10")
        given.setdefault("application_name", "ledger-tui")
        given["options"] = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC"
        given["client_encoding"] = "UTF8"
        connection = psycopg.connect(**given, autocommit=True)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise DatabaseUnavailable(
                f"its encoding is {encoding}",
                title="This database cannot hold every text",
                remedy="Create the database with encoding UTF8.",
            )
        return connection


def state_of(connection: Any) -> State:
    """What the database holds; raises DatabaseForeign and DatabaseNewer."""
    names = ("alembic_version", "workspace", "spans", "prompts")
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = ANY(%s)", (list(names),)
    ).fetchall()
    found = {row[0] for row in rows}
    if not found:
        return "missing"
    if found != set(names):
        raise DatabaseForeign(f"tables of another program: {', '.join(sorted(found))}")
    revisions = connection.execute(REVISION).fetchall()
    if len(revisions) != 1:
        raise DatabaseDamaged(f"alembic_version has {len(revisions)} rows")
    return "ready" if number_of(revisions[0][0]) == SCHEMA else "outdated"


def number_of(revision: str) -> int:
    """The schema number of a revision; DatabaseNewer or DatabaseForeign for one that this release does not know."""
    if revision in REVISIONS:
        return REVISIONS.index(revision) + 1
    if re.fullmatch(r"\d{4}", revision) and revision > REVISIONS[-1]:
        raise DatabaseNewer(f"the database has schema {int(revision)}, this release knows {SCHEMA}")
    raise DatabaseForeign(f"unknown revision {revision!r}")


def begin(connection: Any, *, write: bool) -> None:
    """Open a transaction on the schema of this release, in one round trip; writers take turns."""
    psycopg = driver()
    try:
        cursor = connection.execute(f"{_WRITE if write else _READ}; {REVISION}")
    except psycopg.errors.UndefinedTable as error:
        rollback(connection)
        raise not_prepared("the database has no ledger tables") from error
    while cursor.nextset():
        pass
    check_revision(connection, cursor.fetchone())


def check_revision(connection: Any, row: Row | None) -> None:
    """End the transaction and raise unless ``row`` names this release's schema."""
    try:
        current = row is not None and number_of(row[0]) == SCHEMA
    except StoreError:
        rollback(connection)
        raise
    if not current:
        rollback(connection)
        raise not_prepared(f"the database has revision {row[0] if row else None}")


def rollback(connection: Any) -> None:
    """End a transaction without keeping it; raises psycopg's error on a connection that is gone."""
    if connection.info.transaction_status != 0:
        connection.execute("ROLLBACK")


class PostgresLean(Lean):
    """Statements on a psycopg connection."""

    dialect = "postgresql"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def fetch(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> list[Row]:
        rows: list[Row] = self._connection.execute(translated_sql(sql), parameters).fetchall()
        return rows

    def one(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> Row | None:
        row: Row | None = self._connection.execute(translated_sql(sql), parameters).fetchone()
        return row

    def execute(self, sql: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        count: int = self._connection.execute(translated_sql(sql), parameters).rowcount
        return count

    def executemany(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(translated_sql(sql), rows)

    def insert_rows(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(insert_sql(table, columns, "%s"), rows)
