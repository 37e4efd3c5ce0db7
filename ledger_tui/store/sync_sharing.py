"""The person's rules for what leaves this machine, in the ledger itself: they are never shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain.sync.sharing import Sharing, sharing_of
from ledger_tui.store import sync_standing, sync_telemetry, sync_texts
from ledger_tui.store.sync_owners import OWNERS
from ledger_tui.store.sync_pruning import SHARING
from ledger_tui.store.sync_shelves import SHELVES

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

withheld = sync_telemetry.withheld
_PAGE = 1_000


def sharing(lean: Lean) -> Sharing:
    """The rules."""
    return sharing_of(sync_standing.get(lean, SHARING))


def set_sharing(lean: Lean, rules: Sharing) -> None:
    """Keep other rules. What they newly allow goes with the next sync; what was sent already stays where it is."""
    before = sharing(lean)
    sync_standing.put(lean, SHARING, rules.as_json())
    if rules == before:
        return
    sync_telemetry.reconsider(lean)
    lean.execute("DELETE FROM sync_texts WHERE commit_seq IS NULL")
    lean.execute("DELETE FROM sync_records WHERE stream = 'bodies' AND why = 'sent' AND commit_seq IS NULL")
    if "bodies" not in rules.streams:
        return
    for shelf in SHELVES:
        if shelf.kind in OWNERS:
            key = None
            while page := shelf.accepted(lean, key, _PAGE):
                key = page[-1].key
                sync_texts.queue(lean, shelf, [held.key for held in page], rules)
