"""Alerts that were raised: each once, whoever notices first, and whether a person has seen it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain.alerts import AlertRow

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_RAISE = """
INSERT INTO alerts (key, kind, at_us, detail, seen_us) VALUES (:key, :kind, :at_us, :detail, NULL)
ON CONFLICT (key) DO NOTHING
"""
_ENTRIES = "SELECT key, kind, at_us, detail, seen_us FROM alerts ORDER BY at_us DESC, key LIMIT :limit"
_SEEN = "UPDATE alerts SET seen_us = :now_us WHERE seen_us IS NULL AND at_us <= :until_us"


def raise_new(lean: Lean, rows: Sequence[AlertRow]) -> list[AlertRow]:
    """Store alerts; those of them that nobody had raised before."""
    new = []
    for row in rows:
        detail = json.dumps(dict(row.detail), ensure_ascii=False, sort_keys=True)
        values = {"key": row.key, "kind": row.kind, "at_us": row.at_us, "detail": detail}
        if lean.execute(_RAISE, values) == 1:
            new.append(row)
    return new


def known(lean: Lean, keys: Sequence[str]) -> set[str]:
    """Which of these were raised."""
    return {key for key in keys if lean.one("SELECT 1 FROM alerts WHERE key = :key", {"key": key}) is not None}


def entries(lean: Lean, limit: int) -> list[AlertRow]:
    """Alerts, the newest first."""
    rows = lean.fetch(_ENTRIES, {"limit": limit})
    return [AlertRow(key, kind, int(at_us), json.loads(detail), seen_us) for key, kind, at_us, detail, seen_us in rows]


def unseen(lean: Lean) -> int:
    """How many nobody has seen."""
    row = lean.one("SELECT COUNT(*) FROM alerts WHERE seen_us IS NULL")
    return 0 if row is None else int(row[0])


def mark_seen(lean: Lean, until_us: int, now_us: int) -> None:
    """Say that those up to a moment were seen."""
    lean.execute(_SEEN, {"until_us": until_us, "now_us": now_us})
