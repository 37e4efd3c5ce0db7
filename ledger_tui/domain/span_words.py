"""The words and bits of a span's state: apart from the values, because recording needs no others."""

from __future__ import annotations

from typing import Literal

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
STATUSES: tuple[Status, ...] = ("queued", "running", "succeeded", "failed", "canceled")
TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "canceled"})
FLAG_DUPLICATE, FLAG_CUT, FLAG_LOSSY, FLAG_LINKED, FLAG_LINKED_HERE = 1, 2, 4, 8, 16
MAX_ID = 128
MAX_TOKENS = 10**12
MAX_COST_NUSD = 10**15
FIRST_US, LAST_US = 0, 253_402_300_799_000_000
"""The moments that a span can have, in microseconds since 1970."""
