"""The door where errors of the shared server's driver become ours; what a server says is shown as text, never obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_tui.errors import LedgerError, SyncError
from ledger_tui.sync.door import BatchRefused, PasswordWanted, RemoteRefused, RemoteUnavailable

if TYPE_CHECKING:
    from ledger_tui.sync.dsn import Target

MAX_CAUSE = 300
STRANGER = "there is no such shared ledger for this account"
"""The same words for an account and for a ledger that is not known."""
_BATCH = ("22", "23514", "54")
"""A value that the database cannot take: a broken text, a number out of range, nested too deeply or too large to index."""
_WRONG_PASSWORD = "the password is wrong, or there is no such account"  # noqa: S105 - words for people
_REFUSED_LOGIN = {
    "28000": "the server does not let this account in",
    "3D000": "there is no such database",
}
_TLS_WORDS = ("certificate", "SSL", "channel binding", "sslrootcert", "TLS", "authentication method requirement")


@contextmanager
def translated(target: Target) -> Iterator[None]:
    """Let psycopg's errors out of the block as kinds of SyncError."""
    import psycopg

    try:
        yield
    except LedgerError:
        raise
    except psycopg.Error as error:
        raise translate(error, target) from error


def translate(error: Exception, target: Target) -> SyncError:
    """Our error for one of psycopg's."""
    state = getattr(error, "sqlstate", None) or ""
    text = target.masked(_first_line(error))[:MAX_CAUSE]
    if state in ("LG001", "LG002", "LG004"):
        return RemoteRefused(text)
    if state in ("3F000", "42883", "42P01"):
        return no_ledger(target)
    if state == "42501":
        return RemoteRefused(STRANGER)
    if state == "42704":
        return RemoteRefused(
            text, title="The server has no such login", remedy="The one who runs the server makes it first."
        )
    if state == "28P01":
        return wrong_password(target)
    if state in _REFUSED_LOGIN:
        return RemoteRefused(f"{_REFUSED_LOGIN[state]} ({target.label})")
    if state == "25006":
        return RemoteUnavailable("it takes no writes at the moment: a standby, or a server in maintenance")
    if state in ("53100", "53200"):
        return RemoteUnavailable("its disk or memory is full", remedy="Its keeper has to make room; nothing is lost.")
    if state.startswith(_BATCH):
        return BatchRefused(text)
    if not state:
        return _of_the_line(text, target)
    return RemoteUnavailable(text)


def no_ledger(target: Target) -> SyncError:
    """The database has no shared ledger."""
    return RemoteRefused(
        f"{target.label} holds none",
        title="There is no shared ledger in this database",
        remedy="Make one with 'ledger-tui sync init', or check the name of the database.",
    )


def wrong_password(target: Target) -> PasswordWanted:
    """The server did not take the password."""
    return PasswordWanted(f"{_WRONG_PASSWORD} ({target.label})", title="The shared server refused the password")


def _of_the_line(text: str, target: Target) -> SyncError:
    """An error without a code comes from libpq: no connection, a refused one, or one that was cut."""
    if "password authentication failed" in text:
        return wrong_password(target)
    if re.search(r'FATAL: +(database|role) "', text):
        return RemoteRefused(f"there is no such database or account ({target.label})")
    if "definition of service" in text:
        return RemoteRefused("PGSERVICE names a service that libpq does not find", remedy="Unset PGSERVICE.")
    if "no password supplied" in text:
        return PasswordWanted(f"none is known for {target.label}")
    if any(word in text for word in _TLS_WORDS):
        return RemoteRefused(
            text,
            title="The shared server could not prove who it is",
            remedy="Check the host's name and its certificate; a team's own authority is named by sslrootcert=FILE.",
        )
    return RemoteUnavailable(text)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
