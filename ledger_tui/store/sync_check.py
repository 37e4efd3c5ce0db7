"""What ``doctor`` says of sharing a ledger, from the ledger alone: which server, what waits, when both ends last agreed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.store.check import Check
from ledger_tui.store.failures import masked

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

LONG_S = 86_400
"""Offline is the normal state; failing for longer than this is worth a look."""


def sync_check(lean: Lean) -> Iterator[Check]:
    """How the ledger stands with its server."""
    from ledger_tui.store import sync_asides, sync_receipts

    place = sync_receipts.remote(lean)
    if place is None:
        yield Check("sync", "ok", "shared with nobody")
        return
    last, aside = sync_receipts.last(lean), sync_asides.count_asides(lean)
    detail = f"{masked(str(place['label']))}; {_waiting(lean)}; {_agreed(last)}"
    since_us = last.get("failing_since_us")
    if since_us is not None and clock.now_us() - since_us > LONG_S * 1_000_000:
        error = last.get("error") or {}
        words = masked(": ".join(part for part in (error.get("title"), error.get("cause")) if part))
        yield Check(
            "sync", "warn", f"{detail}; failing for {_days(since_us)}: {words}", masked(error.get("remedy") or "")
        )
    elif aside:
        yield Check("sync", "warn", f"{detail}; {aside} records set aside", "See: ledger-tui sync quarantine")
    else:
        yield Check("sync", "ok", detail)


def _waiting(lean: Lean) -> str:
    from ledger_tui.store import sync_log, sync_sharing

    count = sum(sync_log.waiting(lean, stream) for stream in sync_sharing.sharing(lean).streams)
    return f"{count} records wait" if count else "nothing waits"


def _agreed(last: dict[str, Any]) -> str:
    at_us = last.get("agreed_us")
    return "both ends never agreed yet" if at_us is None else f"both ends last agreed {_days(at_us)} ago"


def _days(moment_us: int) -> str:
    return f"{max(0, clock.now_us() - moment_us) / 86_400_000_000:.1f} days"
