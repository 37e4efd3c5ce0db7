"""A team on the command line: several ledgers, and a real server whose logins need their passwords."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keyring
import psycopg
import pytest
from keyring.backend import KeyringBackend
from ledger_tui.providers import secrets
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from tests.cli.conftest import Answer, Call

PASSWORD = "canary-4f1c7e92b0aa"


class MemoryKeyring(KeyringBackend):
    """A keyring that keeps its items in this object."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.items[service, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    """A working keyring, and no password that another test left in this process."""
    monkeypatch.setattr(secrets, "_in_memory", {})
    monkeypatch.setattr(secrets, "_keyring_off_until", 0.0)
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


class Server:
    """An empty database of a server, with logins that need their password."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.mark = uuid.uuid4().hex[:8]
        self.logins: list[str] = []

    def run(self, sql: str, login: str = "") -> list[tuple[Any, ...]]:
        """Statements as the superuser or as a login; the rows of the last."""
        with psycopg.connect(self.address(login, PASSWORD) if login else self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def login(self, name: str, rights: str = "") -> str:
        """A login that may connect with ``PASSWORD`` only."""
        login = f"{name}_{self.mark}"
        self.logins.append(login)
        self.run(f"CREATE ROLE {login} LOGIN PASSWORD '{PASSWORD}' {rights} IN ROLE asks_for_password")
        return login

    def address(self, login: str, password: str | None = None) -> str:
        """The address for a login, by default without its password."""
        return str(make_conninfo(self.url, user=login, password=password))

    def close(self) -> None:
        """Drop the logins."""
        for login in self.logins:
            self.run(f"DROP OWNED BY {login} CASCADE; DROP ROLE {login}")


@pytest.fixture(scope="session")
def asking_server(postgres_server: str) -> str:
    """The server of the test run, which lets the members of one role in with their password only."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        row = connection.execute("SHOW hba_file").fetchone()
        assert row is not None
        file = Path(row[0])
        rules = file.read_text()
        connection.execute("CREATE ROLE asks_for_password")
        connection.execute("CREATE ROLE no_password LOGIN IN ROLE asks_for_password")
        file.write_text("local all +asks_for_password scram-sha-256\n" + rules)
        connection.execute("SELECT pg_reload_conf()")
    address = make_conninfo(postgres_server, user="no_password")
    for _ in range(1_000):
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            return postgres_server
    raise AssertionError("the server never read its rules again")


@pytest.fixture
def server(asking_server: str, postgres_url: str) -> Iterator[Server]:
    """An empty database with logins."""
    made = Server(postgres_url)
    yield made
    made.close()


@pytest.fixture
def owner(server: Server) -> str:
    """The address of an account that may make a shared ledger."""
    return server.address(server.login("ada", "SUPERUSER"))


@pytest.fixture
def machine(call: Call, tmp_path: Path) -> Callable[[str], Call]:
    """``machine("grace")``: the command line with a ledger of that name."""

    def of(name: str) -> Call:
        def run(*arguments: str) -> Answer:
            return call("--database-url", str(tmp_path / f"{name}.db"), *arguments)

        return run

    return of


def save(call: Call, tmp_path: Path, text: str, *more: str, name: str = "mail/welcome") -> None:
    """Save a version of a prompt."""
    file = tmp_path / "text.txt"
    file.write_text(text)
    answer = call("prompts", "save", name, "--file", str(file), *more)
    assert answer.code == 0, answer.err


@pytest.fixture
def pair(
    machine: Callable[[str], Call], server: Server, owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Call, Call]:
    """Two ledgers that share a server and are equal; the password is in the environment."""
    monkeypatch.setenv("LEDGER_SYNC_PASSWORD", PASSWORD)
    ada, grace = machine("ada"), machine("grace")
    save(ada, tmp_path, "Hello {{ name }}")
    assert ada("sync", "init", owner).code == 0
    assert grace("sync", "join", owner).code == 0
    return ada, grace
