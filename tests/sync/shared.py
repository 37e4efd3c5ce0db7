"""Shared servers to test against: one in memory and one in PostgreSQL, with accounts of their own."""

from __future__ import annotations

import uuid
from typing import Any, Protocol

from ledger_tui.sync.door import Remote
from ledger_tui.sync.memory import MemoryServer


class Shared(Protocol):
    """A shared server of a test."""

    def remote(self, account: str, role: str = "member") -> Remote:
        """The door for an account, which becomes a member in this role."""

    def stranger(self) -> Remote:
        """The door for an account that belongs to nothing here."""

    def restore(self, commits: int, *, announced: bool) -> None:
        """Go back to the state after this many pushes."""

    def wipe(self) -> None:
        """Begin anew with nothing, under another epoch."""


class InMemory(MemoryServer):
    """The server in memory."""

    def stranger(self) -> Remote:
        found = self.remote("mallory")
        del self.members["mallory"]
        return found


class InPostgres:
    """A shared ledger in an empty database; each account is a login of the server."""

    def __init__(self, url: str) -> None:
        from ledger_tui.sync.dsn import Target
        from ledger_tui.sync.server.install import install

        self.url = url
        self.mark = uuid.uuid4().hex[:8]
        self.logins: set[str] = set()
        self.remotes: list[Remote] = []
        self.workspace = install(Target(url)).workspace

    def run(self, sql: str, *parameters: Any, login: str = "") -> list[tuple[Any, ...]]:
        """A statement as the superuser, or as a login; its rows."""
        import psycopg

        with psycopg.connect(self.address(login) if login else self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def address(self, login: str) -> str:
        """The address for a login."""
        from psycopg.conninfo import make_conninfo

        return str(make_conninfo(self.url, user=login, password="secret"))

    def login(self, account: str) -> str:
        """A login of the server for an account; it may do nothing yet."""
        name = f"{account}_{self.mark}"
        if name not in self.logins:
            self.logins.add(name)
            self.run(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        return name

    def enrol(self, account: str, role: str) -> str:
        """An account as a member."""
        name = self.login(account)
        self.run("SELECT sync.enrol_v1(%s, %s, %s)", self.workspace, name, role)
        return name

    def open(self, login: str) -> Remote:
        """The door for a login."""
        from ledger_tui.sync.dsn import Target
        from ledger_tui.sync.postgres import PostgresRemote

        self.remotes.append(PostgresRemote(Target(self.address(login)), self.workspace))
        return self.remotes[-1]

    def remote(self, account: str, role: str = "member") -> Remote:
        return self.open(self.enrol(account, role))

    def stranger(self) -> Remote:
        return self.open(self.login("mallory"))

    def restore(self, commits: int, *, announced: bool) -> None:
        import psycopg

        with psycopg.connect(self.url) as connection:
            # A backup is of one moment: nobody pushes in the middle of it.
            connection.execute("LOCK TABLE sync.counter IN ACCESS EXCLUSIVE MODE")
            order = "SELECT stream, last_seq, encode(chain, 'hex') FROM sync.commit ORDER BY at, last_seq LIMIT %s"
            kept = connection.execute(order, [commits]).fetchall()
            ends = dict.fromkeys(("meta", "telemetry", "bodies"), (0, ""))
            ends |= {stream: (seq, chain) for stream, seq, chain in kept}
            for stream, (seq, chain) in ends.items():
                connection.execute("DELETE FROM sync.rec WHERE stream = %s AND commit_seq > %s", [stream, seq])
                connection.execute("DELETE FROM sync.commit WHERE stream = %s AND last_seq > %s", [stream, seq])
                count = "UPDATE sync.counter SET n = %s, chain = decode(%s, 'hex') WHERE stream = %s"
                connection.execute(count, [seq, chain, stream])
            connection.execute(
                "DELETE FROM sync.purge p "
                "WHERE NOT EXISTS (SELECT FROM sync.rec r WHERE r.stream = 'meta' AND r.rid = p.fact)"
            )
            if announced:
                connection.execute("UPDATE sync.server SET epoch = gen_random_uuid()")

    def wipe(self) -> None:
        self.restore(0, announced=True)

    def close(self) -> None:
        """Let go of every connection and drop the logins."""
        for remote in self.remotes:
            remote.close()
        for name in self.logins:
            self.run(f"DROP ROLE {name}")
