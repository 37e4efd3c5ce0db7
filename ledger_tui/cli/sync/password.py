"""The password of a shared server: asked for on a terminal when the server wants one, never an argument."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from ledger_tui.cli import output
from ledger_tui.services.sync_server import PASSWORD

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

T = TypeVar("T")
_TRIES = 3
_REPLACEABLE = ("", "asked", "keyring", "memory")
"""Sources of a refused password where typing another one helps; variables, files and addresses stay wrong."""


def asked_when_wanted(work: Callable[[str | None], T], find_source: Callable[[], str], label: str) -> T:
    """``work(None)``; when the server wants a password and a person is there, ``work`` with the one they type. Raises as ``work``.

    find_source: where the password came from that was tried without asking.
    """
    from ledger_tui.sync.door import PasswordWanted

    typed: str | None = None
    for left in reversed(range(_TRIES)):
        try:
            return work(typed)
        except PasswordWanted as error:
            source = find_source() if typed is None else "asked"
            if not left or source not in _REPLACEABLE or not output.is_terminal(sys.stdin):
                raise
            if source:
                output.say(f"✗ {error.title}: {error.cause}")
        typed = click.prompt(f"Password for {label}", hide_input=True, err=True)
    raise AssertionError("the last try returns or raises")


def asked(ledger: PromptLedger, work: Callable[[], T]) -> T:
    """``work`` at the ledger's own server, as ``asked_when_wanted``; a password that is right is kept."""

    def attempt(typed: str | None) -> T:
        if typed is not None:
            say_where(ledger.sync.give_password(typed))
        return work()

    return asked_when_wanted(attempt, ledger.sync.password_source, ledger.sync.status().address)


def say_where(kept: str) -> None:
    """Say where the password is from now on."""
    if kept == "keyring":
        output.say("The password is kept in the system's keyring.")
    elif kept == "memory":
        output.say(
            "! This system has no keyring that can be trusted: the password is known to this process only.\n"
            f"  For the next ones set {PASSWORD}, or {PASSWORD}_FILE to the path of a private file."
        )
