"""The JSON shapes of what the command line answers, and short texts for its tables."""

from __future__ import annotations

from typing import Any

from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import JournalRow, PromptRow, VersionRow
from ledger_tui.services.executing import iso, usd

STATUS_GLYPHS = {"succeeded": "✓", "failed": "✗", "running": "◌", "queued": "◌", "canceled": "⊘"}


def prompt_shape(row: PromptRow) -> dict[str, Any]:
    """A prompt."""
    return {
        "name": row.name,
        "description": row.description,
        "tags": list(row.tags),
        "team": row.team,
        "archived": row.archived,
        "mode": row.mode,
        "versions": row.version_count,
        "active": row.active_number,
        "labels": dict(row.labels),
        "model": row.model,
        "updated_at": iso(row.updated_us),
    }


def version_shape(row: VersionRow) -> dict[str, Any]:
    """A version without its content."""
    return {
        "version": row.number,
        "provisional": row.provisional,
        "version_id": row.id,
        "sha256": row.sha256,
        "labels": list(row.labels),
        "author": row.author,
        "message": row.message,
        "created_at": iso(row.created_us),
        "based_on": row.base_number,
        "runs": row.run_count,
        "errors": row.error_count,
        "cost_usd": usd(row.cost_nusd),
        "unpriced": row.unpriced_count,
    }


def content_shape(content: PromptContent) -> dict[str, Any]:
    """The content of a version, as ``prompts save --file`` reads it back from a ``.json`` file."""
    return {
        "messages": [{"role": message.role, "text": message.text} for message in content.messages],
        "model": content.model,
        "params": dict(content.params),
        "tools": [dict(tool) for tool in content.tools],
        "response_schema": None if content.response_schema is None else dict(content.response_schema),
    }


def journal_shape(row: JournalRow) -> dict[str, Any]:
    """One registry fact."""
    return {
        "kind": row.kind,
        "field": row.field,
        "value": row.value,
        "actor": row.actor,
        "at": iso(row.at_us),
        "reason": row.reason,
    }


def age(moment_us: int) -> str:
    """How long ago, in one unit: ``5m``, ``3h``, ``12d``."""
    seconds = max(0, clock.seen_from_us() - moment_us) // 1_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def duration(value_us: int | None) -> str:
    """A duration for a table: ``340ms``, ``2.4s``, ``3m12s``; a dot for what still runs."""
    if value_us is None:
        return "…"
    if value_us < 1_000_000:
        return f"{value_us / 1000:.0f}ms"
    if value_us < 60_000_000:
        return f"{value_us / 1_000_000:.1f}s"
    minutes, seconds = divmod(value_us // 1_000_000, 60)
    return f"{minutes}m{seconds:02d}s"


def tokens(count: int | None) -> str:
    """A token count for a table: ``812``, ``12.4k``."""
    if count is None:
        return "—"
    return f"{count}" if count < 10_000 else f"{count / 1000:.1f}k"
