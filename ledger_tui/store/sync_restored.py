"""Facts that a restored server lost and that only a maintainer may write: other accounts offer them, are denied, and keep them.

A move of a protected label and a purge stay what was decided. They count on, and are told until somebody who may has brought
them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain.sync import plan
from ledger_tui.store import sync_standing
from ledger_tui.store.sync_coming import chunks, rows_of

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_OFFERED = "sync.offered"
_PROTECTED = ("label", "purge")
"""Kinds that may need a maintainer."""


def begin(lean: Lean) -> None:
    """A resync begins: nothing was offered yet."""
    sync_standing.put(lean, _OFFERED, None)


def note_offered(lean: Lean, rids: Sequence[str]) -> None:
    """Remember facts that servers had and that are about to be offered, as far as an account may be denied them."""
    found = [
        str(rid)
        for names in chunks(rids)
        for rid, kind in rows_of(lean, "rid, kind", "journal", "rid", names)
        if kind in _PROTECTED
    ]
    if found:
        sync_standing.put(lean, _OFFERED, sorted({*(sync_standing.get(lean, _OFFERED) or ()), *found}))


def lost(lean: Lean, refused: Mapping[str, str]) -> dict[str, str]:
    """Those of the refused facts that were offered and denied, with the reason that is told."""
    offered = set(sync_standing.get(lean, _OFFERED) or ())
    return {rid: plan.LOST for rid, why in refused.items() if rid in offered and why == plan.REASONS["DENIED"]}
