"""How an exchange ended, kept in the ledger for everybody who looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.errors import LedgerError
from ledger_tui.store import sync_receipts

if TYPE_CHECKING:
    from threading import Event

    from ledger_tui.store.database import Database
    from ledger_tui.sync.engine import Progress, Receipt


class Listener:
    """Hears of progress, and knows whether its caller ended the exchange (by raising, or by ``stop``): then it did not fail."""

    def __init__(self, on_progress: Callable[[Progress], None], stop: Event | None = None) -> None:
        self._on_progress = on_progress
        self._stop = stop
        self._raised = False

    @property
    def ended(self) -> bool:
        """Whether the caller ended it."""
        return self._raised or (self._stop is not None and self._stop.is_set())

    def __call__(self, progress: Progress) -> None:
        try:
            self._on_progress(progress)
        except BaseException:
            self._raised = True
            raise


def note(database: Database, receipt: Receipt) -> Receipt:
    """Write down how an exchange ended; while the last comparison found a difference, none says that both ends are equal."""
    now_us = clock.now_us()
    with database.lean_write() as lean:
        differ = bool(sync_receipts.last(lean).get("differ")) and not receipt.resyncs
        receipt = replace(receipt, agreed=None) if differ else receipt
        changes: dict[str, Any] = {
            "at_us": now_us,
            "error": None,
            "failing_since_us": None,
            "agreed": receipt.agreed,
            "differ": differ,
        }
        if receipt.agreed is not None:
            changes["agreed_us"] = now_us
        sync_receipts.set_last(lean, **changes)
        if receipt.did_something:
            sync_receipts.keep(lean, receipt.as_json())
    return receipt


def note_failure(database: Database, error: Exception) -> None:
    """Write down that an exchange failed, and why."""
    ours = error if isinstance(error, LedgerError) else _broken(error)
    with database.lean_write() as lean:
        since = sync_receipts.last(lean).get("failing_since_us") or clock.now_us()
        told = {"title": ours.title, "cause": ours.cause, "remedy": ours.remedy}
        sync_receipts.set_last(lean, error=told, failing_since_us=since)


def _broken(error: Exception) -> LedgerError:
    return LedgerError(f"{type(error).__name__} (a mistake of ours)", title="The exchange broke off")
