"""Steps that a killed program had begun and recorded as running: they are ended as interrupted, never by guess.

A step of a living process is left alone; one of another device, or of a container whose processes cannot be seen from
here, only when nothing was heard of its trace for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.services import processes
from ledger_tui.store import open_spans, telemetry

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

ADOPTED = ":adopted"
LEASE_US = 7 * 86_400_000_000
"""How long a step may run without a sign where nobody can tell whether its process lives."""
_CHUNK = 200


def owner_of(device: str, *, adopted: bool) -> str:
    """Who ends the running spans that this process brings in: itself; those of an ended program when it has all of them."""
    return processes.this_process(device) + (ADOPTED if adopted else "")


def end_abandoned(database: Database, device: str, *, has_all: bool = False) -> int:
    """End the recorded spans whose process is gone; how many. has_all: this process has brought in all that it adopted."""
    with database.lean() as lean:
        spans = open_spans.listed(lean)
    mine = owner_of(device, adopted=True)
    gone = {owner: processes.is_gone(owner, device) for owner in {span.owner for span in spans}}
    if has_all and mine in gone:
        gone[mine] = True
    oldest_us = clock.now_us() - LEASE_US
    left = [span.key for span in spans if gone[span.owner] or (gone[span.owner] is None and span.known_us < oldest_us)]
    ended = 0
    for start in range(0, len(left), _CHUNK):
        with database.lean_write() as lean:
            for key in left[start : start + _CHUNK]:
                ended += _end(lean, key)
    return ended


def _end(lean: Lean, key: int) -> bool:
    found = open_spans.stored(lean, key)
    return found is not None and telemetry.end_span(lean, key, open_spans.as_interrupted(*found))
