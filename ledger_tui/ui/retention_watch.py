"""The daily run of retention behind the places: only where a person set rules, a chunk at a time, told when it took something."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from ledger_tui.errors import InputError, LedgerError

if TYPE_CHECKING:
    from ledger_tui.ui.app import LedgerApp

FIRST_S, EVERY_S = 60.0, 3_600.0
"""How long after the start, and how often, the workstation asks whether a day has gone by."""


async def daily(app: LedgerApp) -> None:
    """Apply the rules once a day while the workstation is open; leaving it stops after the chunk."""
    await app.opened.wait()
    stop = threading.Event()
    pause, told = FIRST_S, ""
    try:
        while True:
            await asyncio.sleep(pause)
            pause = EVERY_S
            try:
                steps = await asyncio.to_thread(app.ledger.retention.run_daily, stop.is_set)
            except InputError as error:
                if str(error) != told:
                    told = str(error)
                    app.place.show_error(error)
            except LedgerError:
                continue
            else:
                done = [f"{step.done:,} {step.subject}" for step in steps or () if step.done]
                if done:
                    app.notify(f"Removed by your rules: {', '.join(done)}.", title="Retention", markup=False)
    finally:
        stop.set()
