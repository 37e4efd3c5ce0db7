"""A step that was given up as interrupted, shared as such, and ended after all: its first record stays a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain import ids
from ledger_tui.domain.sync.sharing import sharing_of
from ledger_tui.store import sync_standing
from ledger_tui.store.sync_pruning import SHARING
from ledger_tui.store.sync_shelves import SPANS, Held, KeptShelf
from ledger_tui.store.sync_texts import KEPT, TEXTS

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_RENEW = "UPDATE spans SET rid = :rid, commit_seq = NULL, extra = NULL WHERE id = :key"


def supersede(lean: Lean, span_key: int) -> None:
    """Let the row of an ended span be another record from now on: the one it was may be on its way to a server."""
    if not sync_standing.is_shared(lean):
        return
    # What a restored server is offered again is pending, and known to others all the same.
    offered = sync_standing.state(lean).resyncing is not None
    for held in SPANS.by_keys(lean, [span_key]):
        if _is_known(held, offered and _may_leave(lean, held)):
            KeptShelf("telemetry").keep(lean, "superseded", [(held.record, held.commit_seq)])
    rows = lean.fetch("SELECT rid FROM sync_texts WHERE span_key = :key", {"key": span_key})
    for text in TEXTS.by_keys(lean, [str(row[0]) for row in rows]):
        if _is_known(text, offered):
            KEPT.keep(lean, "superseded", [(text.record, text.commit_seq)])
    lean.execute("DELETE FROM sync_texts WHERE span_key = :key", {"key": span_key})
    lean.execute(_RENEW, {"key": span_key, "rid": ids.new_id()})


def _is_known(held: Held, offered: bool) -> bool:
    """Whether others may have a record."""
    return offered if held.commit_seq is None else held.commit_seq >= 0


def _may_leave(lean: Lean, held: Held) -> bool:
    name = lean.one("SELECT name FROM prompts WHERE id = :id", {"id": held.prompt_id})
    return sharing_of(sync_standing.get(lean, SHARING)).of("" if name is None else str(name[0])).numbers
