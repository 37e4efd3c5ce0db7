"""What a killed process left behind: its running calls are ended as interrupted when the workspace is next opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.store import unfinished

if TYPE_CHECKING:
    from ledger_tui.store.database import Database

WORDS = "the program ended before the answer did"


def end_interrupted(database: Database, device: str) -> int:
    """End the running executions whose process on this device is gone; returns how many."""
    with database.lean() as lean:
        claims = unfinished.claims(lean, device)
    gone = [claim for claim in claims if not _is_alive(claim.claimed_by)]
    if gone:
        with database.lean_write() as lean:
            for claim in gone:
                unfinished.interrupt(lean, claim.execution_id, clock.now_us(), WORDS)
    return len(gone)


def _is_alive(claimed_by: str) -> bool:
    try:
        pid = int(claimed_by.rpartition(":")[2])
    except ValueError:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
