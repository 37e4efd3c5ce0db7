"""Make or upgrade the server end in one transaction: all of it or nothing; two at once take turns by an advisory lock."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from ledger_tui.errors import SyncError
from ledger_tui.sync.door import RemoteRefused
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres_errors import translated
from ledger_tui.sync.server import FIRST_SERVER, schema, steps

INSTALL_LOCK = 0x504C444703
FEATURES = ("notify",)
_OWNER = "SET LOCAL ROLE ledger_owner"
_MARK = (
    "INSERT INTO sync.server (schema, features) VALUES ({schema}, '{{{features}}}') "
    "ON CONFLICT (one) DO UPDATE SET schema = excluded.schema, features = excluded.features"
)


class SchemaRights(RemoteRefused):
    """The account may not make the schema; ``script`` is the SQL for the one who may."""

    default_title = "This account may not make a shared ledger here"
    default_remedy = (
        "Give the SQL to the one who runs the server ('ledger-tui sync init --print-sql' prints it), or name an account that "
        "may create roles and schemas."
    )

    def __init__(self, cause: str, script: str) -> None:
        super().__init__(cause)
        self.script = script


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation found and did. ``before`` is the schema that was there, 0 for none."""

    workspace: str
    before: int
    after: int
    made_workspace: bool


def script(workspace: str, name: str = "", owner: str = "") -> str:
    """Everything that makes a shared ledger on an empty database, as SQL for psql: the account that runs it becomes owner.

    owner: a login that the server has already and that becomes an owner too.
    """
    parts = ["BEGIN;", f"SELECT pg_advisory_xact_lock({INSTALL_LOCK});"]
    for number, (title, text) in enumerate(steps(), 1):
        parts.append(f"-- {title}\n{text.strip()}")
        if number == 1:
            parts.append(f"{_OWNER};")
    call = f"SELECT sync.make_workspace('{uuid.UUID(workspace)}', '{_quoted(name)}');"
    enrol = [f"SELECT sync.enrol_v1('{uuid.UUID(workspace)}', '{_quoted(owner)}', 'owner');"] if owner else []
    return "\n\n".join([*parts, f"{_mark()};", "SELECT sync.care_v1();", call, "COMMIT;", *enrol, ""])


def install(target: Target, *, workspace: str | None = None, name: str = "") -> Installed:
    """Bring the database behind ``target`` to this release's schema and make sure that it holds a shared ledger.

    workspace: the id for a new ledger; None makes one up. A ledger that is there already is kept, and is the answer when the
    account belongs to it. Raises SchemaRights when the account may not, SyncError for a server that does not fit.
    """
    wanted = str(uuid.UUID(workspace)) if workspace else str(uuid.uuid4())
    with translated(target), target.connect() as connection:
        _check_server(connection)
        import psycopg

        try:
            with connection.transaction():
                return _run(connection, wanted, workspace is not None, name)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SchemaRights(str(error).splitlines()[0], script(wanted, name, target.user)) from error


def _run(connection: Any, wanted: str, asked: bool, name: str) -> Installed:
    connection.execute(f"SELECT pg_advisory_xact_lock({INSTALL_LOCK})")
    before = _schema_there(connection)
    for number, (_, text) in enumerate(steps(), 1):
        if number > 1:
            connection.execute(_OWNER)
        if number > before:
            connection.execute(text)
    connection.execute(_OWNER)
    if before < schema():
        connection.execute(_mark())
    connection.execute("SELECT sync.care_v1()")
    mine = [str(row[0]) for row in connection.execute("SELECT unnest(sync.my_workspaces())").fetchall()]
    if (wanted in mine) if asked else len(mine) == 1:
        return Installed(wanted if asked else mine[0], before, max(before, schema()), made_workspace=False)
    if mine and not asked:
        raise SyncError(
            f"this account belongs to several: {', '.join(mine)}", title="Which shared ledger is meant is not clear"
        )
    connection.execute("SELECT sync.make_workspace(%s, %s)", (wanted, name))
    return Installed(wanted, before, max(before, schema()), made_workspace=True)


def _schema_there(connection: Any) -> int:
    """How many steps the database has; SyncError for a schema that is not ours or is half made."""
    row = connection.execute(
        "SELECT to_regnamespace('sync') IS NOT NULL, to_regclass('sync.server') IS NOT NULL"
    ).fetchone()
    if row == (False, False):
        return 0
    if row == (True, True):
        connection.execute(_OWNER)
        found = connection.execute("SELECT schema FROM sync.server").fetchone()
        connection.execute("RESET ROLE")
        if found is not None:
            return int(found[0])
    raise half_made()


def half_made() -> SyncError:
    """A schema named sync without what this program puts there."""
    return SyncError(
        "it has a schema 'sync' that is incomplete, or another program's",
        title="The shared ledger of this database is half made",
        remedy="Look at it, drop it with 'DROP SCHEMA sync CASCADE' if nothing in it is needed, and run "
        "'ledger-tui sync init' again.",
    )


def _check_server(connection: Any) -> None:
    if connection.info.server_version < FIRST_SERVER:
        raise SyncError(
            f"it is PostgreSQL {connection.info.server_version // 10000}",
            title="This database server is too old",
            remedy="Use PostgreSQL 15 or newer.",
        )


def _mark() -> str:
    return _MARK.format(schema=schema(), features=",".join(FEATURES))


def _quoted(text: str) -> str:
    return text.replace("'", "''").replace("\0", "")
