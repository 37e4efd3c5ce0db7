"""Addresses of shared servers: read by libpq, never weaker than verified beyond this machine, passwords never shown."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import psycopg
import pytest
from ledger_tui.sync.door import Client, RemoteRefused, RemoteUnavailable
from ledger_tui.sync.dsn import AddressRefused, Target
from ledger_tui.sync.postgres import PostgresRemote


@pytest.mark.parametrize(
    ("url", "label", "password"),
    [
        ("postgresql://ada:p%40ss%3A%2F%25%23@db.example.org/team", "ada@db.example.org/team", "p@ss:/%#"),
        ("postgres://ada@[2001:db8::1]:6432/team", "ada@2001:db8::1:6432/team", None),
        ("postgresql://ada@/team?host=/run/postgresql", "ada@/run/postgresql/team", None),
        ("host=db.example.org user=ada dbname=team password='it''s'", "", None),
    ],
)
def test_b36_addresses_are_read_by_libpq(url: str, label: str, password: str | None) -> None:
    """Encoded passwords, IPv6, sockets and key=value texts mean what libpq says they mean, or are refused."""
    if not label:
        with pytest.raises(AddressRefused):
            Target(url)
        return
    target = Target(url)
    assert (target.label, target.password) == (label, password)
    assert password is None or (password not in repr(target) and password not in target.stored)
    assert Target(target.stored, "kept").password == "kept"
    assert Target(target.stored).keyring_item == target.keyring_item


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada@db/team?options=-c%20search_path%3Devil",
        "postgresql://ada@db/team?service=other",
        "postgresql://ada@db/team?passfile=/tmp/x",
        "postgresql://ada@db/team?require_auth=none",
        "postgresql://ada@db/team?channel_binding=disable",
        "postgresql://ada@db/team?nonsense=1",
        "postgresql://db/team",
        "postgresql://ada@db",
        "mysql://ada@db/team",
        "postgresql://ada:p%zz@db/team",
    ],
)
def test_b36_what_an_address_may_not_ask_is_refused(url: str) -> None:
    """Options, services and weaker checks cannot come with an address; the refusal repeats no password."""
    with pytest.raises(AddressRefused) as refused:
        Target(url)
    assert "p%zz" not in str(refused.value)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_b34_weaker_tls_is_refused_beyond_this_machine(mode: str) -> None:
    """Any mode that does not verify the host's name is refused by name, also when one host of several is far away."""
    for url in (
        f"postgresql://ada@db.example.org/team?sslmode={mode}",
        f"postgresql://a@localhost,db/t?sslmode={mode}",
    ):
        with pytest.raises(AddressRefused, match=mode):
            Target(url)
    for near in ("localhost", "127.0.0.1", "[::1]", "%2Frun%2Fpostgresql"):
        assert Target(f"postgresql://ada@{near}/team?sslmode={mode}").parameters()["sslmode"] == mode


def test_b34_a_far_server_is_verified_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of libpq neither weaken nor redirect a connection: every parameter is set by us."""
    for name, value in {
        "PGSSLMODE": "disable", "PGHOST": "evil", "PGHOSTADDR": "10.0.0.1", "PGOPTIONS": "-c search_path=evil",
        "PGPASSWORD": "secret", "PGSERVICE": "evil", "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "disable",
        "PGSSLROOTCERT": "/evil.pem", "PGGSSENCMODE": "require", "PGUSER": "eve", "PGPORT": "1", "PGSSLCERT": "/evil",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    given = Target("postgresql://ada@db.example.org/team").parameters()
    assert (given["sslmode"], given["channel_binding"], given["require_auth"]) == (
        "verify-full",
        "require",
        "scram-sha-256",
    )
    assert (given["host"], given["user"], given["port"]) == ("db.example.org", "ada", "5432")
    assert (given["hostaddr"], given["password"], given["sslcert"], given["sslrootcert"]) == ("", "", "", "system")
    assert "evil" not in str(given)
    variables = [o.keyword.decode() for o in psycopg.pq.Conninfo.get_defaults() if o.envvar is not None]
    assert set(variables) - set(given) == {"service"}


def test_b34_b36_the_environment_does_not_lead_elsewhere(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A connection made while variables and a service file point elsewhere reaches the server of the address."""
    (tmp_path / "services").write_text(
        "[evil]\nhost=10.255.255.1\nport=1\ndbname=evil\nuser=eve\noptions=-c search_path=evil\n"
    )
    target = Target(postgres_url)
    with monkeypatch.context() as environment:
        for name, value in {
            "PGSERVICE": "evil", "PGSERVICEFILE": str(tmp_path / "services"), "PGPORT": "1", "PGHOSTADDR": "10.255.255.1",
            "PGOPTIONS": "-c search_path=evil",
        }.items():  # fmt: skip
            environment.setenv(name, value)
        with target.connect() as connection:
            row = connection.execute(
                "SELECT current_database(), current_setting('search_path'), current_setting('lock_timeout')"
            )
            assert row.fetchone() == (target.label.rpartition("/")[2], "pg_catalog", "5s")


@pytest.mark.parametrize(
    ("password", "text", "shown"),
    [
        ("x", "connection timeout expired", "connection timeout expired"),
        ("time", "connection timeout expired", "connection timeout expired"),
        ("time", "who says time says password", "who says *** says password"),
        ("x", "cannot reach postgresql://ada:x@db/team", "cannot reach postgresql://ada:***@db/team"),
        ("pw", "user=ada password=pw host=db", "user=ada password=*** host=db"),
        ("p@ss1", "bad: p@ss1, postgresql://ada:p%40ss1@db", "bad: ***, postgresql://ada:***@db"),
        ("correcthorsebatterystaple", "at correcthorsebatterystaple", "at ***"),
    ],
)
def test_b39_what_is_hidden_tells_no_password(password: str, text: str, shown: str) -> None:
    """A password is taken out of what a server says, and one that is part of other words leaves no gap in them."""
    assert Target("postgresql://ada@db.example.org/team", password).masked(text) == shown


def test_b34_nobody_there_is_for_later() -> None:
    """A closed port and a name that nobody has are RemoteUnavailable, in one line."""
    for url in ("postgresql://ada@127.0.0.1:1/team", "postgresql://ada@nobody.invalid/team"):
        with pytest.raises(RemoteUnavailable) as missing:
            PostgresRemote(Target(url)).hello(Client("d", "1"), {})
        assert "\n" not in str(missing.value)


def test_b34_a_database_that_is_not_there_is_refused_by_name(postgres_url: str) -> None:
    """A wrong database or account is for the person to correct, not for later."""
    for change, what in (({"dbname": "nowhere"}, "database"), ({"user": "nobody_here"}, "account")):
        target = Target(psycopg.conninfo.make_conninfo(postgres_url, **change))
        with pytest.raises(RemoteRefused, match=f"there is no such {what}") as refused:
            PostgresRemote(target).hello(Client("d", "1"), {})
        assert ("create it first" in refused.value.remedy) == (what == "database")


def test_b34_a_server_without_tls_is_told_from_one_that_lies() -> None:
    """Where TLS is asked for and the server has none, that is said, and no certificate is blamed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse_tls() -> None:
        client, _ = listener.accept()
        client.recv(8)
        client.sendall(b"N")
        client.close()

    threading.Thread(target=refuse_tls, daemon=True).start()
    target = Target(f"postgresql://ada@127.0.0.1:{listener.getsockname()[1]}/team?sslmode=require")
    with pytest.raises(RemoteRefused) as refused:
        PostgresRemote(target).hello(Client("d", "1"), {})
    listener.close()
    assert "no TLS" in refused.value.title and "certificate" not in refused.value.remedy
