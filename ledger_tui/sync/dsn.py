"""The address of a shared server: read by libpq alone, never weaker than it must be, its password never shown.

Only parameters that name the server, the account and its certificates are taken. Everything else that libpq could pick up, from
``PG*`` variables or a service file, is set here to its plain default, so that nothing outside the address redirects or weakens
the connection. Beyond this machine TLS is verified against the host's name, always.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from ledger_tui.domain.text import printable
from ledger_tui.errors import InputError
from ledger_tui.sync.door import RemoteRefused

CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT, STATEMENT_TIMEOUT, IDLE_TIMEOUT = "5s", "60s", "10s"
TAKEN = ("host", "hostaddr", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey")
"""The parameters an address may have."""
_SHORTEST_HIDDEN = 4
"""Passwords of fewer characters are parts of whatever a server says."""
PREFIXES = ("postgresql://", "postgres://")
_CONNECTION = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "application_name": "ledger-tui sync",
    "client_encoding": "UTF8",
    "gssencmode": "disable",
    "keepalives": "1",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "target_session_attrs": "any",
    "options": f"-c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}"
    f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT} -c timezone=UTC -c search_path=pg_catalog",
}
_ANY_WAY = "!gss,!sspi"
_PLAIN = {
    "sslcertmode": "allow",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
    "require_auth": _ANY_WAY,
}
"""Where libpq takes no empty value for "as usual"."""
_VERIFIED = {"sslmode": "verify-full", "channel_binding": "require", "require_auth": "scram-sha-256"}


class AddressRefused(InputError):
    """An address that is not understood, or asks for what is not given."""

    default_title = "The address of the shared server is refused"
    default_remedy = "It looks like postgresql://name@host/database; the password is asked for."


def driver() -> Any:
    """The psycopg module; RemoteRefused names the extra to install when it is missing."""
    try:
        import psycopg
    except ImportError as error:
        raise RemoteRefused(
            str(error),
            title="The Postgres driver is not installed",
            remedy="Install it with: pip install 'ledger-tui[postgres]'",
        ) from error
    return psycopg


class Target:
    """A server, database and account. ``repr``, ``str`` and ``label`` never show the password.

    label: ``user@host:port/database`` for people. stored: the address to keep in settings, without the password.
    keyring_item: under which name a keyring keeps the password.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        """password: the one from the keyring; the address's own goes before it."""
        self._given = _read(url)
        if password is not None:
            self._given.setdefault("password", password)
        self.local = all(_is_local(host) for host in _hosts(self._given))
        if not self.local:
            _check_tls(self._given)
        place = f"{self._given.get('host', '')}/{self._given.get('dbname', '')}"
        self.keyring_item = f"ledger:pg:{place}:{self._given.get('user', '')}"
        self.label = printable(_label(self._given), keep="")

    def __repr__(self) -> str:
        return f"Target({self.label!r})"

    @property
    def stored(self) -> str:
        """The address without its password, as libpq's text."""
        kept = {name: value for name, value in self._given.items() if name != "password"}
        made: str = driver().conninfo.make_conninfo("", **kept)
        return made

    @property
    def user(self) -> str:
        """The account."""
        return self._given["user"]

    @property
    def password(self) -> str | None:
        """The password; None when the address has none."""
        return self._given.get("password")

    def masked(self, text: str) -> str:
        """``text`` without the password, safe for a terminal."""
        return printable(_without(self.password, text) if self.password else text, keep="")

    def parameters(self) -> dict[str, str]:
        """Every parameter libpq knows, so that it looks nowhere else."""
        chosen = {**_CONNECTION, **self._given}
        if not self.local:
            chosen |= _VERIFIED
            if "sslcert" in self._given:
                # A certificate of one's own is the proof of identity then; no password is asked, nothing is bound.
                chosen |= {"channel_binding": "prefer", "require_auth": _ANY_WAY}
            chosen.setdefault("sslrootcert", "system")
        for option in driver().pq.Conninfo.get_defaults():
            name = option.keyword.decode()
            if option.envvar is not None and name != "service" and name not in chosen:
                chosen[name] = _PLAIN.get(name) or (option.compiled or b"").decode()
        return chosen

    def connect(self) -> Any:
        """A connection in autocommit, to a database that can hold every text.

        Raises psycopg's errors (postgres_errors.translated makes them ours), RemoteRefused for another encoding.
        """
        # Nothing is prepared: a pooler between two calls may change the server's process.
        connection = driver().connect(**self.parameters(), autocommit=True, prepare_threshold=None)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise RemoteRefused(
                f"its encoding is {self.masked(str(encoding))}",
                title="This database cannot hold every text",
                remedy="Create the database with encoding UTF8.",
            )
        return connection


def _read(url: str) -> dict[str, str]:
    psycopg = driver()
    if "\0" in url or not (url.startswith(PREFIXES) or "=" in url):
        raise AddressRefused("it does not begin with postgresql://")
    # libpq repeats an address that it does not understand, so its message is not passed on.
    try:
        found: Mapping[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise AddressRefused("it is not understood") from None
    given = {name: str(value) for name, value in found.items() if value not in (None, "")}
    refused = sorted(set(given) - set(TAKEN))
    if refused:
        raise AddressRefused(
            f"{', '.join(refused)} cannot be part of it", remedy=f"An address may name {', '.join(TAKEN)}."
        )
    if "user" not in given:
        raise AddressRefused("it names no account")
    if "dbname" not in given:
        raise AddressRefused("it names no database")
    return given


def _without(password: str, text: str) -> str:
    """``text`` without a password, in whatever way an address spells it.

    A gap in words that everybody knows would tell it: one of letters only is taken out as a whole word, a very short one only
    where passwords stand.
    """
    from urllib.parse import quote

    spelled = sorted({password, quote(password, safe=""), quote(password)}, key=len, reverse=True)
    any_of = "|".join(map(re.escape, spelled))
    text = re.sub(rf"(:|password\s*=\s*'?)(?:{any_of})(?=[@'\s]|$)", r"\1***", text)
    if len(password) < _SHORTEST_HIDDEN:
        return text
    return re.sub(rf"\b(?:{any_of})\b" if password.isalpha() else any_of, "***", text)


def _hosts(given: Mapping[str, str]) -> list[str]:
    named = given.get("hostaddr") or given.get("host") or ""
    return named.split(",")


def _is_local(host: str) -> bool:
    """A socket file, or an address of this machine itself."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_tls(given: Mapping[str, str]) -> None:
    mode = given.get("sslmode", "verify-full")
    if mode != "verify-full":
        raise AddressRefused(
            f"sslmode={mode} does not verify the server",
            remedy="Leave sslmode out: beyond this machine it is always verify-full. A team's own authority is named by "
            "sslrootcert=FILE.",
        )


def _label(given: Mapping[str, str]) -> str:
    host = given.get("host") or given.get("hostaddr") or "this machine"
    port = f":{given['port']}" if "port" in given else ""
    return f"{given['user']}@{host}{port}/{given['dbname']}"
