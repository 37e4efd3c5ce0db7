"""A record of one's own that the server refused, as this ledger has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain.sync.records import derived_rid
from ledger_tui.store import sync_coming, sync_facts, sync_texts
from ledger_tui.store.sync_shelves import CARDS, EXECUTIONS, LATE_PRICES, SPANS, USAGES, KeptShelf, Key, Shelf
from ledger_tui.store.sync_standing import ASIDE

if TYPE_CHECKING:
    from ledger_tui.domain.sync.records import Record
    from ledger_tui.store.lean import Lean

_REFUSED_SPANS = f"SELECT id FROM spans WHERE commit_seq = {ASIDE} AND rid = :rid"
_REFUSED_CARDS = f"SELECT id FROM rate_cards WHERE commit_seq = {ASIDE} AND sha256 = :rid"
_REFUSED_PRICES = (
    f"SELECT l.span_key, s.rid FROM late_prices l JOIN spans s ON s.id = l.span_key WHERE l.commit_seq = {ASIDE}"
)


def record(lean: Lean, stream: str, rid: str) -> Record | None:
    """The record of this id; None when it is not here any more. May read every step that was refused."""
    if stream == "meta":
        return next((fact.record for fact in sync_facts.facts_of(lean, [rid])), None)
    if stream == "bodies":
        found = (held for shelf in sync_texts.MY_SHELVES for held in shelf.by_keys(lean, [rid]))
    else:
        named = {"rid": rid}
        places: list[tuple[Shelf | KeptShelf, Sequence[Key]]] = [
            (USAGES, [rid]), (EXECUTIONS, [rid]), (sync_coming.KEPT, [rid]),
            (SPANS, [row[0] for row in lean.fetch(_REFUSED_SPANS, named)]),
            (CARDS, [row[0] for row in lean.fetch(_REFUSED_CARDS, named)]),
            (LATE_PRICES, [key for key, of in lean.fetch(_REFUSED_PRICES) if derived_rid(of, "late_price") == rid]),
        ]  # fmt: skip
        found = (held for shelf, keys in places for held in shelf.by_keys(lean, keys))
    return next((held.record for held in found if held.record.rid == rid), None)
