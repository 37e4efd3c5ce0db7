"""What stands above the views of the Sync tab: how sharing stands, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain import clock, measure
from ledger_tui.ui.places.settings.sync_reading import STREAMS, SyncReading, ago
from ledger_tui.ui.sync_words import AGREED, ASIDE, AWAY, CONFLICTS, WAITING, bar, progress_words, remedy

if TYPE_CHECKING:
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.ui.sharing import SyncView


def head_words(reading: SyncReading, view: SyncView) -> list[str]:
    """Where the ledger stands, a line each, the state first; before it what only somebody can end."""
    status, now_us = reading.status, clock.now_us()
    failure = failure_words(reading, now_us)
    lines = [failure] if bar(status) else []
    lines += [
        _state_words(status, now_us),
        f"{status.address}  ·  shared ledger {(status.workspace or 'not met yet')[:13]}",
    ]
    if view.progress is not None:
        lines.append(f"◌ {progress_words(view.progress)}  {STREAMS[view.progress.stream]}")
    elif status.resyncing:
        lines.append(
            "◌ The server was restored or rewritten: both ends are compared, and what it lacks is offered again."
        )
    lines += [failure] if failure and not bar(status) else []
    why_not = reading.receipts[0].why_not if reading.receipts else ""
    if why_not:
        lines.append(f"Not everything goes: {why_not}.")
    if status.aside:
        lines.append(f"{ASIDE} {status.aside:,} set aside: while they are listed both ends are not equal.")
    return [*lines, f"{CONFLICTS} {view.conflicts} to decide."] if view.conflicts else lines


def failure_words(reading: SyncReading, now_us: int) -> str:
    """Why the last exchange failed, for how long they do, and what to do; empty when it did not."""
    status = reading.status
    if not status.error:
        return ""
    age = measure.age(status.failing_since_us, now_us) if status.failing_since_us is not None else ""
    since = f" (for {age})" if age[:1].isdigit() else ""
    sign = "✗" if bar(status) else "⊘"
    return f"{sign} {status.error}{since}. {remedy(status, reading.password_source)}".strip()


def _state_words(status: SyncStatus, now_us: int) -> str:
    """What waits, and when both ends held the same; that they do is said only while the server answers."""
    plural = "" if status.pending == 1 else "s"
    waits = (
        f"{WAITING} {status.pending:,} record{plural} wait{'s' if not plural else ''} to be sent. "
        if status.pending
        else ""
    )
    if status.agreed_us is None:
        state = "Both ends have not held the same yet."
    elif status.agreed is None or status.pending:
        state = f"Both ends last held the same {ago(status.agreed_us, now_us)}."
    else:
        hold = "hold the same," if not status.error else "last held the same"
        state = f"{AGREED} {status.agreed}  Both ends {hold} {ago(status.agreed_us, now_us)}."
    away = " The server cannot be reached at present." if status.error.startswith(AWAY) else ""
    return f"{waits}{state}{away}"
