"""A ledger that knows nothing: enough for the shell's tests while the services are being built."""

from __future__ import annotations

from typing import Any

from ledger_tui.paths import Paths


class StandInLedger:
    """Opens at once and is empty."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.environment = "dev"
        self.settings: Any = type("S", (), {"theme": "ledger-dark", "environment": "dev", "author": "me"})()
        self.database: Any = type("D", (), {"dialect": "sqlite", "label": "ledger.db", "state": lambda self: "ready"})()
        self.registry: Any = type("R", (), {"prompts": lambda self, archived=False: []})()

    def prepare(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
