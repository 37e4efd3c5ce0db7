"""The workstation that ends after its first frame and prints which heavy modules and places were imported."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui.app import LedgerApp

HEAVY = {
    "sqlalchemy",
    "sqlmodel",
    "pydantic",
    "openai",
    "anthropic",
    "keyring",
    "alembic",
    "psycopg",
    "jinja2",
    "httpx",
    "markdown_it",
}


class Trial(LedgerApp):
    """Leaves at its first frame."""

    CSS_PATH = Path(sys.modules[LedgerApp.__module__].__file__ or "").with_name("app.tcss")
    imported = ""

    def _after_first_frame(self) -> None:
        places = [mode for mode in self.MODES if f"ledger_tui.ui.places.{mode}.{mode}" in sys.modules]
        self.imported = f"{sorted(HEAVY & set(sys.modules))} {places}"
        self.exit()


if __name__ == "__main__":
    trial = Trial(PromptLedger(paths=Paths(data=Path(sys.argv[1]), config=Path(sys.argv[2]))))
    asyncio.run(trial.run_async(headless=True))
    print(trial.imported)
