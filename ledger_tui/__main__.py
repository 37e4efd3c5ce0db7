"""Picks the front door: the workstation at once, or the command line.

Opening the workstation is the one thing that people wait for, so it is reached without importing the command line.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ledger_tui import __version__
from ledger_tui.errors import LedgerError
from ledger_tui.turns import collect_seldom, take_turns

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.ui.app import LedgerApp

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
_OPTIONS = ("--database-url", "--environment", "--theme")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run with the arguments of the process, or those given, and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o077)
    collect_seldom()
    try:
        options = plain_options(given)
        if options is None:
            return _command_line(given)
        from ledger_tui.ledger import PromptLedger

        ledger = PromptLedger(options.get("--database-url"), environment=options.get("--environment"))
        return open_workstation(ledger, options.get("--theme"))
    except KeyboardInterrupt:
        return INTERRUPTED
    except LedgerError as error:
        _complain(error)
        return FAILED
    except Exception as error:
        return _unexpected(error)


def plain_options(arguments: Sequence[str]) -> dict[str, str] | None:
    """The options when only the workstation is to be opened; None when the command line has to look closer."""
    found: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        name, has_value, value = word.partition("=")
        if name not in _OPTIONS:
            return None
        taken = value if has_value else next(words, "")
        if not taken or taken.startswith("-"):
            return None
        found[name] = taken
    return found


def _command_line(arguments: Sequence[str]) -> int:
    from ledger_tui.cli.app import run
    from ledger_tui.cli.front import Front

    return run(arguments, Front(open_workstation))


def open_workstation(ledger: PromptLedger, theme: str | None = None) -> int:
    """Show the workstation until the person leaves; closes the ledger. Returns the exit code."""
    try:
        refusal = _terminal_refusal()
        if refusal is not None:
            _complain(refusal)
            return WRONG_USAGE
        from ledger_tui.ui.app import LedgerApp

        take_turns()
        app = LedgerApp(ledger, theme=theme)
        if theme and theme not in app.shown_themes:
            known = ", ".join(sorted(app.shown_themes))
            _complain(LedgerError(theme, title="There is no such theme", remedy=f"Choose one of: {known}."))
            return WRONG_USAGE
        asyncio.run(_show(app))
        return DONE if app.crash is None else _unexpected(app.crash)
    finally:
        ledger.close()


async def _show(app: LedgerApp) -> None:
    """Run the app; a hang-up or a request to end closes it as if the person had left."""
    loop = asyncio.get_running_loop()
    for name in ("SIGHUP", "SIGTERM"):
        if hasattr(signal, name):
            loop.add_signal_handler(getattr(signal, name), partial(app.exit, return_code=0))
    await app.run_async()


def _terminal_refusal() -> LedgerError | None:
    """Why the workstation cannot be shown here, None when it can."""
    remedy = "For scripts there is the command line: ledger-tui --help"
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output"), (sys.stderr, "error output")):
        try:
            terminal = stream.isatty()
        except (AttributeError, ValueError):
            terminal = False
        if not terminal:
            return LedgerError(
                f"standard {name} is not a terminal", title="The workstation needs a terminal", remedy=remedy
            )
    kind = os.environ.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        cause = f"TERM is {kind!r}, which can only show lines" if kind else "TERM is not set"
        return LedgerError(cause, title="The workstation needs a full terminal", remedy=remedy)
    return None


def _complain(error: LedgerError) -> None:
    from ledger_tui.cli.output import complain

    complain(error)


def _unexpected(error: BaseException) -> int:
    """Say that something broke and where the details are; LEDGER_DEBUG=1 shows them here."""
    from ledger_tui.cli.output import complain
    from ledger_tui.paths import default_paths
    from ledger_tui.services.crashes import debugging, note_crash

    if debugging():
        import traceback

        traceback.print_exception(error)
        return FAILED
    file = note_crash(default_paths().data, error, __version__)
    where = f"The details are in {file}." if file else "The details could not be written; LEDGER_DEBUG=1 shows them."
    complain(LedgerError(f"{type(error).__name__} (a mistake of ours)", title="Something broke", remedy=where))
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
