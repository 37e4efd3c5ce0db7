"""The workstation: five places over one ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger


class LedgerApp(App[None]):
    """Owns the ledger and switches between the places."""

    def __init__(self, ledger: PromptLedger) -> None:
        super().__init__()
        self.ledger = ledger
