"""Small tools of the tests of queued calls: ledgers whose models are a server of failures, and rows as they are stored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ledger_tui.ledger import PromptLedger
from ledger_tui.services.queue_results import submit
from ledger_tui.services.queue_worker import Ended
from ledger_tui.settings import ProviderSettings, Settings

from tests.sdk.spooling import ledger_in

WITH_SERVER = """
import asyncio, json
from ledger_tui.settings import ProviderSettings, Settings
settings = Settings(providers={"own": ProviderSettings("own", sys.argv[2])}, queue_concurrency=int(sys.argv[3]))
url = sys.argv[4] or None if len(sys.argv) > 4 else None
ledger = PromptLedger(
    url, paths=Paths(data=folder / "data", config=folder / "config"), environment="test", settings=settings
)
"""
"""The beginning of a program: arguments are the address of the model server, the concurrency, and the database ('' the file)."""


def ledger_on(
    folder: Path, server: str, *, concurrency: int = 4, url: str | None = None, **options: Any
) -> PromptLedger:
    """A ledger whose provider ``own`` is at an address; ``own/m`` is a model of it."""
    settings = Settings(providers={"own": ProviderSettings("own", server)}, queue_concurrency=concurrency)
    made = ledger_in(folder, settings=settings, database_url=url, **options)
    made.prepare()
    return made


def left(ledger: PromptLedger, count: int = 1, name: str = "greet", **options: Any) -> list[str]:
    """Queue calls that wait for any worker; their ids. The prompt is made when it is not there."""
    ledger.create_prompt(name, "Say hello to {{ n }}", model="own/m")
    made = [submit(ledger, name, {"n": number}, options, for_anybody=True) for number in range(count)]
    return [one["execution_id"] for one in made]


def worked(ledger: PromptLedger) -> list[Ended]:
    """Make every queued call whose time has come, once; what each attempt came to."""
    ended: list[Ended] = []
    asyncio.run(ledger.queue.work(once=True, tell=ended.append))
    return ended


def row(ledger: PromptLedger, execution_id: str) -> dict[str, Any]:
    """The queue's side of a stored call."""
    names = ("status", "attempts", "claimed_by", "not_before_us", "request", "messages", "error_type", "mode")
    with ledger.database.lean() as lean:
        found = lean.one(f"SELECT {', '.join(names)} FROM executions WHERE id = :id", {"id": execution_id})
    assert found is not None
    return dict(zip(names, found, strict=True))
