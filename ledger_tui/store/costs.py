"""Sums of what model calls cost, read from the maintained days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain.values import CostRow

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

GROUPS = {
    "day": "d.day",
    "provider": "d.provider",
    "model": "d.model",
    "environment": "d.environment",
    "prompt": "COALESCE((SELECT p.name FROM prompts p WHERE p.id = d.prompt_id), '')",
}
_SUMS = ("calls", "errors", "input_tokens", "output_tokens", "cost_nusd", "unpriced", "duration_us")


def by(lean: Lean, grouping: tuple[str, ...], from_day: str, until_day: str) -> list[CostRow]:
    """Sums between two ISO days, both included, one row a key of ``grouping`` (keys of ``GROUPS``), in key order."""
    keys = [GROUPS[name] for name in grouping]
    columns = ", ".join([*keys, *(f"COALESCE(SUM(d.{name}), 0)" for name in _SUMS)])
    tail = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))} ORDER BY 1" if keys else ""
    sql = f"SELECT {columns} FROM daily_costs d WHERE d.day BETWEEN :from_day AND :until_day{tail}"
    rows = lean.fetch(sql, {"from_day": from_day, "until_day": until_day})
    return [CostRow(tuple(map(str, row[: len(keys)])), *(int(value) for value in row[len(keys) :])) for row in rows]
