"""A ledger in which two people wrote at once, as it is after both have synced."""

from __future__ import annotations

from pathlib import Path

from ledger_tui import PromptLedger
from ledger_tui.domain.content import PromptContent
from ledger_tui.paths import Paths
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.memory import MemoryServer

BASE = "Hello {{ name }}!\n\nWe are kind.\nAnd brief.\n\nBye"
MINE = "Dear {{ name }}!\n\nWe are kind.\nAnd short.\n\nBye"
THEIRS = "Hello {{ name }}!\n\nWe are kind.\nAnd brief, mostly.\n\nYours, {{ team }}"


def sync(ledger: PromptLedger, server: MemoryServer, who: str) -> None:
    """One sync of a ledger's registry."""
    Engine(LedgerLog(ledger.database), server.remote(who, "maintainer"), Client(who, "1"), streams=("meta",)).sync()


def write_at_once(mine: PromptLedger, folder: Path, name: str = "team/greeting") -> MemoryServer:
    """Two heads of ``name``, ``production`` wanted elsewhere by a colleague, and two descriptions; the server that knows."""
    server = MemoryServer()
    theirs = PromptLedger(paths=Paths(data=folder / "theirs", config=folder / "their-config"))
    theirs.prepare()
    theirs.author = lambda: "Grace"  # type: ignore[method-assign]
    try:
        mine.registry.save(name, PromptContent.of_text(BASE), message="as it was", labels=["production"])
        sync(mine, server, "mine")
        sync(theirs, server, "theirs")
        for ledger, text in ((mine, MINE), (theirs, THEIRS)):
            ledger.registry.save(name, PromptContent.of_text(text), message="better")
            ledger.registry.set_label(name, "production", 2)
            ledger.registry.set_field(name, "description", text.split()[0])
        for _ in range(2):
            sync(theirs, server, "theirs")
            sync(mine, server, "mine")
    finally:
        theirs.close()
    return server
