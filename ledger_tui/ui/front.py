"""The way into the workstation: looks whether there is a terminal to show it on, runs it, returns an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

OK, FAILED, NO_TERMINAL = 0, 1, 2
DUMB = {"dumb", "unknown"}


def open_workstation(ledger: PromptLedger, theme: str | None = None) -> int:
    """Run the workstation until it is left; 0 when it ended well, 1 when it broke, 2 without a usable terminal."""
    missing = missing_terminal()
    if missing:
        print(f"ledger-tui: {missing}", file=sys.stderr)  # noqa: T201
        return NO_TERMINAL
    from ledger_tui.ui.app import LedgerApp

    app = LedgerApp(ledger, theme=theme)
    try:
        app.run()
    finally:
        ledger.close()
    return app.return_code or OK


def missing_terminal() -> str:
    """Why the workstation cannot be shown here, '' when it can."""
    advice = "The commands work everywhere, see 'ledger-tui --help'."
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return f"the workstation needs a terminal, and this is none. {advice}"
    if os.environ.get("TERM", "") in DUMB:
        return f"the workstation cannot be drawn on a terminal of the kind TERM={os.environ['TERM']}. {advice}"
    return ""
