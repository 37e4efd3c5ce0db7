"""Texts that came before the call or step they belong to: kept as they came, and put there when it comes.

A server hands out what a record names before the record, as far as it knows; one that was restored and is filled again by several
ledgers may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain.sync.records import Record, derived_rid
from ledger_tui.store import sync_texts
from ledger_tui.store.sync_coming import ORPHAN, chunks

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_ORPHANS = f"FROM sync_records WHERE stream = 'bodies' AND why = '{ORPHAN}'"


def adopt(lean: Lean, owners: Sequence[str]) -> None:
    """Put the texts of records that came just now to them. owners: the rids of those records."""
    if lean.one(f"SELECT 1 {_ORPHANS} LIMIT 1") is None:
        return
    for names in chunks([derived_rid(rid, "text") for rid in owners]):
        marks = ", ".join(f":{name}" for name in names)
        for rid, kind, body, seq in lean.fetch(
            f"SELECT rid, kind, body, commit_seq {_ORPHANS} AND rid IN ({marks})", names
        ):
            lean.execute("DELETE FROM sync_records WHERE rid = :rid", {"rid": rid})
            record = Record("bodies", rid, kind, body)
            if not sync_texts.give(lean, record, seq):
                sync_texts.KEPT.keep(lean, ORPHAN, [(record, seq)])
