"""Keeps what was made of the registry as long as it holds, so that rendering in a loop does not read it each time.

A change by this process is seen at once, one by another process within ``KEEP_S``: then the newest fact's number is read,
and only when that is another one is everything forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ledger_tui.store import changes
from ledger_tui.store import includes as reads

if TYPE_CHECKING:
    from ledger_tui.store.database import Database

KEEP_S = 0.5
"""How long a change by another process may go unseen."""
MAX_KEPT = 1_000


class Kept:
    """Values by key, all of one moment of the registry or later. Thread-safe, and the same in a child after fork()."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state: tuple[dict[Hashable, Any], object, object, float] = ({}, None, None, 0.0)
        """The values, the newest fact they were read after, the last own write seen by then, and until when they hold."""

    def values(self) -> dict[Hashable, Any]:
        """The values that hold now; what is put into the dictionary is kept with them. Raises StoreError.

        Ask before reading what is to be put in: then it is never older than it seems.
        """
        values, _, seen, until = self._state
        if seen is changes.latest and time.monotonic() < until:
            return values
        seen, until = changes.latest, time.monotonic() + KEEP_S
        with self._database.lean() as lean:
            stamp = reads.stamp(lean)
        values, known, _, _ = self._state
        if stamp != known or len(values) > MAX_KEPT:
            values = {}
        self._state = (values, stamp, seen, until)
        return values
