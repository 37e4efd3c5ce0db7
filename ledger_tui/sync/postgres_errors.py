"""The door where errors of the shared server's driver become ours; what a server says is shown as text, never obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger_tui.errors import LedgerError, SyncError
from ledger_tui.sync.door import (
    BatchRefused,
    NoLedger,
    NoSuchLogin,
    PasswordWanted,
    RemoteRefused,
    RemoteUnavailable,
)

if TYPE_CHECKING:
    from ledger_tui.sync.dsn import Target

MAX_CAUSE = 300
STRANGER = "there is no such shared ledger for this account"
"""The same words for an account and for a ledger that is not known."""
_BATCH = ("22", "23514", "54")
"""A value that the database cannot take: a broken text, a number out of range, nested too deeply or too large to index."""
_WRONG_PASSWORD = "the password is wrong, or there is no such account"  # noqa: S105 - words for people
_ROLE = "Ask an owner or admin of the shared ledger to do it, or for another role."
_SAID = {
    "a shared ledger keeps at least one owner": (
        "The last owner stays", "Make somebody else an owner first: ledger-tui sync enrol LOGIN owner",
    ),
    "months of telemetry or bodies can go, before a month that has begun": (
        "These months cannot go", "Name a month that has begun (UTC); what is older than it goes.",
    ),
}  # fmt: skip
"""What our own functions on the server say, with a title and a remedy."""
_NO_TLS = "server does not support SSL,"
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
        return _refused(text)
    if state in ("3F000", "42883", "42P01"):
        return NoLedger(f"{target.label} holds none")
    if state == "42501":
        return _denied(text)
    if state == "42704":
        return NoSuchLogin(text)
    if state == "28P01":
        return wrong_password(target)
    if state == "28000":
        return RemoteRefused(f"the server does not let this account in ({target.label})")
    if state == "3D000":
        return _no_database(target)
    if state == "25006":
        return RemoteUnavailable("it takes no writes at the moment: a standby, or a server in maintenance")
    if state in ("53100", "53200"):
        return RemoteUnavailable("its disk or memory is full", remedy="Its keeper has to make room; nothing is lost.")
    if state.startswith(_BATCH):
        return BatchRefused(text)
    if not state:
        return _of_the_line(text, target)
    return RemoteUnavailable(text)


def stranger() -> RemoteRefused:
    """The account has no role here."""
    return RemoteRefused(STRANGER)


def _refused(text: str) -> RemoteRefused:
    """What one of our own functions on the server refused, in its words."""
    title, remedy = _SAID.get(text, ("", _ROLE if text.startswith("the role ") else ""))
    return RemoteRefused(text, title=title, remedy=remedy)


def _denied(text: str) -> RemoteRefused:
    """Whoever has no role may not even look into the schema; a role may call the functions that are its own."""
    if re.search(r"\w_v[0-9]", text):
        return RemoteRefused("the role of this account may not do this", remedy=_ROLE)
    return stranger() if re.search(r"\bsync\b", text) else RemoteRefused(text)


def _no_database(target: Target) -> RemoteRefused:
    return RemoteRefused(
        f"there is no such database ({target.label})",
        remedy="Check its name in the address. For a new shared ledger create it first, with encoding UTF8.",
    )


def wrong_password(target: Target) -> PasswordWanted:
    """The server did not take the password."""
    return PasswordWanted(f"{_WRONG_PASSWORD} ({target.label})", title="The shared server refused the password")


def _of_the_line(text: str, target: Target) -> SyncError:
    """An error without a code comes from libpq: no connection, a refused one, or one that was cut."""
    if "password authentication failed" in text:
        return wrong_password(target)
    missing = re.search(r'FATAL: +(database|role) "', text)
    if missing is not None:
        there_is_none = RemoteRefused(
            f"there is no such account ({target.label})",
            remedy="Check its name in the address, or have the one who runs the server make it.",
        )
        return _no_database(target) if missing[1] == "database" else there_is_none
    if "definition of service" in text:
        return RemoteRefused("PGSERVICE names a service that libpq does not find", remedy="Unset PGSERVICE.")
    if "no password supplied" in text:
        return PasswordWanted(f"none is known for {target.label}")
    if _NO_TLS in text:
        return RemoteRefused(
            text,
            title="The shared server speaks no TLS",
            remedy="Have TLS switched on there. Only for a server on this machine it can be left out: sslmode=disable.",
        )
    if any(word in text for word in _TLS_WORDS):
        return RemoteRefused(
            text,
            title="The shared server could not prove who it is",
            remedy="Check the host's name and its certificate; a team's own authority is named by sslrootcert=FILE.",
        )
    return RemoteUnavailable(text)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
