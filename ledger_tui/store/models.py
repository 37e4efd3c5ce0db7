"""Queries of the list of models that providers offered when last asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain.calls import ModelInfo

if TYPE_CHECKING:
    from ledger_tui.store.database import Database


def listed(database: Database) -> list[ModelInfo]:
    """Every model kept, by provider and name."""
    with database.lean() as lean:
        rows = lean.fetch("SELECT provider, model, detail FROM models ORDER BY provider, model")
    return [_info(provider, model, detail) for provider, model, detail in rows]


def last_asked(database: Database) -> dict[str, tuple[int, int]]:
    """Provider to (models kept, microseconds when they were fetched)."""
    with database.lean() as lean:
        rows = lean.fetch("SELECT provider, COUNT(*), MAX(fetched_us) FROM models GROUP BY provider")
    return {provider: (int(count), int(fetched_us)) for provider, count, fetched_us in rows}


def replace(database: Database, provider: str, models: Sequence[ModelInfo], fetched_us: int) -> None:
    """Keep these models as all that ``provider`` offers."""
    rows = [
        {
            "provider": provider,
            "model": info.model,
            "detail": json.dumps({"title": info.title, "context_tokens": info.context_tokens}),
            "fetched_us": fetched_us,
        }
        for info in {info.model: info for info in models}.values()
    ]
    with database.lean_write() as lean:
        lean.execute("DELETE FROM models WHERE provider = :provider", {"provider": provider})
        if rows:
            lean.executemany(
                "INSERT INTO models (provider, model, detail, fetched_us)"
                " VALUES (:provider, :model, :detail, :fetched_us)",
                rows,
            )


def _info(provider: str, model: str, detail: str) -> ModelInfo:
    try:
        known = json.loads(detail)
        title, context = known.get("title"), known.get("context_tokens")
    except (ValueError, AttributeError):
        title = context = None
    return ModelInfo(
        provider, model, title if isinstance(title, str) else "", context if isinstance(context, int) else None
    )
