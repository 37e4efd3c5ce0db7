"""Keeps the newest draft on the disk without holding the screen, and at once when the program is about to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.services.drafts import Draft, DraftService


class DraftKeeper:
    """The newest state of each draft wins, whichever thread writes. ``write`` may be called from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, Draft | None] = {}
        self._guard = threading.Lock()
        self._writing = threading.Lock()

    def put(self, key: str, draft: Draft | None) -> None:
        """Have ``draft`` written under ``key`` next, or the kept one dropped for None."""
        with self._guard:
            self._waiting[key] = draft

    def write(self, service: DraftService) -> None:
        """Write what waits; returns when it is on the disk. Raises StoreError, and what failed waits again."""
        with self._writing:
            with self._guard:
                batch, self._waiting = self._waiting, {}
            for key, draft in list(batch.items()):
                try:
                    if draft is None:
                        service.drop(key)
                    else:
                        service.keep(key, draft)
                except Exception:
                    with self._guard:
                        self._waiting = {**batch, **self._waiting}
                    raise
                del batch[key]
