"""Reading own prices, and whether they changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.price_entries import PriceEntryRow, PriceSpec, from_value, marked

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_ENTRIES = """
SELECT e.rid, e.provider, e.model, e.prices, e.from_us, e.until_us, e.source, j.actor, j.at_us, j.reason
FROM price_entries e LEFT JOIN journal j ON j.rid = e.rid
ORDER BY e.provider, e.model, e.from_us, e.rid
"""
_HISTORY = """
SELECT j.seq, j.rid, j.kind, NULL, NULL, j.field, j.value, j.actor, j.at_us, j.reason, j.action, j.undoes
FROM journal j WHERE j.kind IN ('price', 'pricing') ORDER BY j.seq DESC LIMIT :limit
"""


def entries(lean: Lean) -> list[PriceEntryRow]:
    """Every own price by provider, model and first moment, overlaps marked."""
    return marked(
        [
            PriceEntryRow(row[0], spec_of(*row[1:7]), row[7] or "", int(row[8] or 0), row[9] or "")
            for row in lean.fetch(_ENTRIES)
        ]
    )


def spec_of(provider: str, model: str, prices: str, from_us: int, until_us: int | None, source: str) -> PriceSpec:
    """The entry that a row of ``price_entries`` says."""
    kept = json.loads(prices)
    value = {"provider": provider, "model": model, "from_us": from_us, "until_us": until_us, "source": source}
    return from_value({**value, "prices": kept["prices"], "tiers": kept["tiers"]})


def history(lean: Lean, limit: int) -> list[tuple[Any, ...]]:
    """The newest facts about prices in the order of ``JournalRow``'s fields; the value is JSON text."""
    return lean.fetch(_HISTORY, {"limit": limit})


def stamp(lean: Lean) -> tuple[int, int]:
    """The last fact of the journal and the last rate card: cheap, and they only grow while it is the same database."""
    row = lean.one("SELECT (SELECT MAX(seq) FROM journal), (SELECT MAX(id) FROM rate_cards)")
    return (0, 0) if row is None else (int(row[0] or 0), int(row[1] or 0))
