"""Rates that calls were charged by, each kept once under the hash of its canonical text."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.rate_card import card_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ledger_tui.store.lean import Lean

_INTERN = """
INSERT INTO rate_cards (sha256, body) VALUES (:sha256, :body)
ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256 RETURNING id
"""
_CHUNK = 400


def card_id(lean: Lean, body: Mapping[str, Any]) -> int:
    """The key of a card, kept now if it is new; inside a write transaction."""
    text = canonical_json(body)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    found = lean.one("SELECT id FROM rate_cards WHERE sha256 = :sha256", {"sha256": sha256})
    row = found or lean.one(_INTERN, {"sha256": sha256, "body": text})
    if row is None:
        raise AssertionError("an upsert returns its row")
    return int(row[0])


def of_receipt(lean: Lean, receipt: Mapping[str, Any] | None) -> int | None:
    """The key of the card that a receipt was made by; None for no receipt, or one that is not ours."""
    card = None if receipt is None else card_of(receipt)
    return None if card is None else card_id(lean, card.body())


def bodies(lean: Lean, card_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The cards of these keys, as far as they are there."""
    wanted = sorted(set(card_ids))
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = {f"c{n}": key for n, key in enumerate(wanted[start : start + _CHUNK])}
        names = ", ".join(":" + name for name in chunk)
        rows = lean.fetch(f"SELECT id, body FROM rate_cards WHERE id IN ({names})", chunk)
        found.update({int(key): json.loads(body) for key, body in rows})
    return found
