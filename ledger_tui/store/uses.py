"""How often prompts were rendered, from the sums of days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_tui.store.breakdowns import Wanted
    from ledger_tui.store.lean import Lean


def by_version(lean: Lean, wanted: Wanted) -> dict[tuple[str, str, str], int]:
    """Renders by environment, prompt id and version id; ids are empty where there is none."""
    selection = wanted.selection
    parameters: dict[str, Any] = {"since": selection.since.isoformat(), "until": selection.until.isoformat()}
    limits = {"prompt_id": wanted.prompt_id, "version_id": wanted.version_id, "environment": selection.environment}
    parts = ["day BETWEEN :since AND :until"]
    for name, value in limits.items():
        if value is not None:
            parts.append(f"{name} = :{name}")
            parameters[name] = value
    rows = lean.fetch(
        f"SELECT environment, prompt_id, version_id, SUM(uses) FROM daily_uses WHERE {' AND '.join(parts)} GROUP BY 1, 2, 3",
        parameters,
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in rows}
