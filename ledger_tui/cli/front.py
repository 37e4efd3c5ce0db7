"""What every command gets: where the ledger is, how to open it, and how the answer is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

Command = TypeVar("Command", bound=Callable[..., Any])

DONE, FAILED, WRONG_USAGE, NOT_HELD, INTERRUPTED = 0, 1, 2, 3, 130
"""The exit codes of every command."""


@dataclass
class Front:
    """The global options, and the way to the workstation (the command line does not know the screens)."""

    open_workstation: Callable[[PromptLedger, str | None], int]
    """Takes a ledger and the name of a theme (None: the setting's); returns the exit code."""
    database_url: str | None = None
    environment: str | None = None
    theme: str | None = None
    as_of: str | None = None
    """The moment to look back to, as a person writes it."""

    def make_ledger(self) -> PromptLedger:
        """The ledger that the options name, not prepared yet."""
        from ledger_tui.domain import clock
        from ledger_tui.ledger import PromptLedger

        as_of = at_us = None
        if self.as_of is not None:
            from ledger_tui.domain.moments import moment_of

            at_us = moment_of(self.as_of)
            as_of = clock.from_us(at_us)
        clock.look_from(at_us)
        return PromptLedger(self.database_url, environment=self.environment, as_of=as_of)

    @contextmanager
    def ledger(self) -> Iterator[PromptLedger]:
        """The ledger, ready to be used and closed at the end."""
        with self.make_ledger() as ledger:
            ledger.prepare()
            yield ledger


pass_front = click.make_pass_decorator(Front)
"""Gives the command its ``Front`` as first argument."""


def json_option(command: Command) -> Command:
    """``--json``: the answer as one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")(command)
