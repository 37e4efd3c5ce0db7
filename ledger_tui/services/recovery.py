"""What ended processes left behind.

A running call that nobody queued ends as interrupted when the workspace is next opened. A submitted one waits again: its
attempt may have been sent, so it counts, and the last one ends as interrupted. What only the ended process could send (its
ledger had redaction rules) ends as withheld: redacted text is never sent instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.services import processes
from ledger_tui.store import queue, unfinished
from ledger_tui.store.unfinished import Ending

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean
    from ledger_tui.store.queue import Held

WORDS = "the program ended before the answer did"
INTERRUPTED = Ending("failed", unfinished.INTERRUPTED, WORDS)
WITHHELD = Ending(
    "failed", "withheld", "the program that had its text ended, and redaction rules kept the text out of the ledger"
)
WAITS_S = (5.0, 30.0, 120.0)
"""How long a submitted call that failed in passing waits before each further attempt."""
MAX_ATTEMPTS = len(WAITS_S) + 1
PATIENCE_S = 120.0
"""After this long without a sign, or overdue, what a worker of another device has may be taken."""


def end_interrupted(database: Database, device: str) -> int:
    """End or queue again the running executions whose process on this device is gone; returns how many."""
    with database.lean() as lean:
        claims = unfinished.claims(lean, device)
        held = queue.held(lean, "running")
    gone = [claim for claim in claims if processes.is_gone(claim.claimed_by, device)]
    left = [one for one in held if _is_left(one, device)]
    if gone or left:
        with database.lean_write() as lean:
            for claim in gone:
                unfinished.end(lean, claim.execution_id, clock.now_us(), INTERRUPTED)
            for one in left:
                take_back(lean, one)
    return len(gone) + len(left)


def recover_queued(database: Database, device: str) -> int:
    """``end_interrupted``, and let anybody have what waits for processes of this device that are gone; how many."""
    count = end_interrupted(database, device)
    with database.lean() as lean:
        gone = [name for name in queue.holders(lean) if processes.is_gone(name, device)]
    if gone:
        with database.lean_write() as lean:
            for name in gone:
                for execution_id in queue.waiting_for(lean, name, sendable=False):
                    count += unfinished.end(lean, execution_id, clock.now_us(), WITHHELD)
                count += queue.release(lean, name)
    return count


def _is_left(one: Held, device: str) -> bool:
    gone = processes.is_gone(one.claimed_by, device)
    return clock.now_us() - one.claimed_us > PATIENCE_S * 1_000_000 if gone is None else gone


def take_back(lean: Lean, one: Held) -> None:
    """Let a running call that its worker left wait again, or end it when it may not be made again."""
    if not one.is_sendable or one.attempts >= MAX_ATTEMPTS:
        if queue.is_claimed(lean, one.execution_id, one.claimed_by, one.attempts):
            unfinished.end(lean, one.execution_id, clock.now_us(), INTERRUPTED if one.is_sendable else WITHHELD)
        return
    claim = (one.claimed_by, one.attempts)
    queue.put_back(lean, one.execution_id, claim, waits_for=None, not_before_us=clock.now_us())
