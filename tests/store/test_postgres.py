"""What a server can do to us: restart, drop connections, keep texts in another encoding."""

from __future__ import annotations

import psycopg
import pytest
from ledger_tui.domain.tables import Workspace
from ledger_tui.errors import DatabaseUnavailable
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database

from tests.store.helpers import get, put


def _drop_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_dropped_connections_are_replaced(postgres_url: str, paths: Paths) -> None:
    """After the server dropped every idle connection, reading and writing go on without an error."""
    database = Database(postgres_url, paths)
    database.prepare()
    put(database, "a", "1")
    with database.session() as session:
        session.add(Workspace(key="b", value="2"))
    assert get(database, "a") == "1"
    _drop_connections(postgres_url)
    assert get(database, "b") == "2"
    put(database, "c", "3")
    _drop_connections(postgres_url)
    with database.session() as session:
        session.add(Workspace(key="d", value="4"))
    assert get(database, "d") == "4"
    database.close()


def test_connection_lost_in_a_transaction(postgres_url: str, paths: Paths) -> None:
    """A connection that is lost in the middle is an error of ours, nothing is half written, and the next try works."""
    database = Database(postgres_url, paths)
    database.prepare()
    with pytest.raises(DatabaseUnavailable), database.lean_write() as lean:
        lean.execute("INSERT INTO workspace (key, value) VALUES ('a', '1')")
        _drop_connections(postgres_url)
        lean.execute("INSERT INTO workspace (key, value) VALUES ('b', '2')")
    with pytest.raises(DatabaseUnavailable), database.session() as session:
        session.add(Workspace(key="a", value="1"))
        session.flush()
        _drop_connections(postgres_url)
        session.add(Workspace(key="b", value="2"))
    assert (get(database, "a"), get(database, "b")) == (None, None)
    put(database, "a", "again")
    assert get(database, "a") == "again"
    database.close()


def test_other_encodings_are_refused(postgres_server: str, paths: Paths) -> None:
    """A database that cannot hold every text is refused before anything is made in it."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS ascii_only")
        connection.execute("CREATE DATABASE ascii_only ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    base, _, query = postgres_server.partition("?")
    url = base.rpartition("/")[0] + "/ascii_only" + (f"?{query}" if query else "")
    with pytest.raises(DatabaseUnavailable, match="encoding is SQL_ASCII"):
        Database(url, paths).prepare()


def test_a_missing_database_says_so(postgres_server: str, paths: Paths) -> None:
    """The name of a database that does not exist is in the message."""
    base, _, query = postgres_server.partition("?")
    url = base.rpartition("/")[0] + "/no_such_db" + (f"?{query}" if query else "")
    with pytest.raises(DatabaseUnavailable, match="no_such_db"):
        Database(url, paths).state()
