"""Servers that are set up in another way: other collations and time zones, accounts with passwords."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.digest import digest_of
from ledger_tui.sync.door import Client, RemoteRefused
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres import PostgresRemote
from ledger_tui.sync.server.install import install

from tests.sync.shared import InPostgres
from tests.sync.test_remote import record, statuses

CLIENT = Client("laptop", "1")
MONTH_END_US = 1_711_929_599_999_000
"""The last millisecond of March 2024, UTC."""


COLLATIONS = {
    "icu": "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
    "libc": "LC_COLLATE 'C' LC_CTYPE 'C'",
    "builtin": "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
}


@pytest.fixture(params=COLLATIONS)
def elsewhere(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[str]:
    """The address of an empty database of another collation, on the other side of the world."""
    name = f"c{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        try:
            connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' {COLLATIONS[request.param]} TEMPLATE template0")
        except (
            psycopg.errors.FeatureNotSupported,
            psycopg.errors.SyntaxError,
            psycopg.errors.InvalidParameterValue,
        ) as error:
            pytest.skip(f"this server has no such collation: {error}")
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Pacific/Auckland'")
        connection.execute(f"ALTER DATABASE {name} SET datestyle = 'German'")
        yield str(psycopg.conninfo.make_conninfo(postgres_server, dbname=name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_b35_no_collation_and_no_time_zone_changes_anything(elsewhere: str) -> None:
    """Ids that a language sorts or sees as equal are told apart, months are UTC, and both ends have the same digests."""
    workspace = install(Target(elsewhere)).workspace
    remote = PostgresRemote(Target(elsewhere), workspace)
    named = [record(rid=rid, value=rid) for rid in ("a", "A", "a-b", "ab", "a.b", "Z", "z", "1", "10", "2")]
    assert statuses(remote.push("meta", named, START)) == ["NEW"] * len(named)
    assert [row.record for row in remote.pull("meta", START, 99).rows] == named
    assert remote.missing("meta", ["aB", "AB", "a"]) == ["aB", "AB"]
    edge = [record("usage", "telemetry", rid=ids.new_id(MONTH_END_US + shift)) for shift in (0, 1_000)]
    assert statuses(remote.push("telemetry", edge, START)) == ["NEW", "NEW"]
    assert [records.month_of(row.rid) for row in edge] == ["2024-03", "2024-04"]
    assert remote.digest("telemetry", "2024-03") == digest_of(edge[:1])
    assert remote.retire("telemetry", "2024-04") == 1
    assert [row.record for row in remote.pull("telemetry", START, 9).rows] == edge[1:]
    remote.close()


@pytest.fixture
def asks_for_passwords(postgres_shared: InPostgres) -> Iterator[str]:
    """A member's login that the server asks for its password."""
    login = postgres_shared.enrol("ada", "member")
    rules = Path(postgres_shared.run("SHOW hba_file")[0][0])
    before = rules.read_text()
    rules.write_text(f"local all {login} scram-sha-256\n{before}")
    postgres_shared.run("SELECT pg_reload_conf()")
    yield login
    rules.write_text(before)
    postgres_shared.run("SELECT pg_reload_conf()")


def test_b34_f20_a_wrong_or_changed_password_is_for_the_person(
    postgres_shared: InPostgres, asks_for_passwords: str
) -> None:
    """No password, a wrong one, and one that was changed in between are refused by name, without any password in the words."""
    address = postgres_shared.address(asks_for_passwords)

    def door(**change: str | None) -> PostgresRemote:
        given = {**psycopg.conninfo.conninfo_to_dict(address), **change}
        return PostgresRemote(Target(psycopg.conninfo.make_conninfo("", **given)))

    remote = door()
    assert remote.hello(CLIENT, {}).pulls
    for wrong in (door(password="wr:ong"), door(password=None)):
        with pytest.raises(RemoteRefused, match="password") as refused:
            wrong.hello(CLIENT, {})
        assert "wr:ong" not in str(refused.value)
    postgres_shared.run(f"ALTER ROLE {asks_for_passwords} PASSWORD 'another'")
    assert remote.hello(CLIENT, {}).pulls, "an open connection goes on"
    remote.close()
    with pytest.raises(RemoteRefused, match="password is wrong"):
        remote.hello(CLIENT, {})
    renewed = door(password="another")
    assert renewed.hello(CLIENT, {}).pulls
    renewed.close()
