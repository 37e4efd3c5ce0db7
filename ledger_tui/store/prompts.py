"""Hot reads of the registry: plain SQL, frozen values, no SQLAlchemy."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.values import ACTIVE, InputSetRow, JournalRow, PromptRow, VersionRow

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_STATE = """
SELECT prompt_id, name, description, tags, team, archived, mode, version_count, latest_number, active_number, model,
       updated_us
FROM prompt_states
"""
_LABELS = """
SELECT l.prompt_id, l.label, n.number FROM labels l JOIN version_numbers n ON n.version_id = l.version_id
WHERE l.label <> :active
"""


def prompts(lean: Lean, *, archived: bool = False) -> list[PromptRow]:
    """Every prompt by name; archived ones only when asked for."""
    rows = lean.fetch(_STATE + ("" if archived else "WHERE NOT archived ") + "ORDER BY name")
    labels: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for prompt_id, label, number in lean.fetch(_LABELS + "ORDER BY l.label", {"active": ACTIVE}):
        labels[prompt_id].append((label, number))
    contested = {row[0] for row in lean.fetch("SELECT prompt_id FROM open_registers WHERE contested")}
    return [_prompt(row, labels.get(row[0], ()), row[0] in contested) for row in rows]


def prompt(lean: Lean, prompt_id: str) -> PromptRow | None:
    """One prompt, or None."""
    row = lean.one(_STATE + "WHERE prompt_id = :id", {"id": prompt_id})
    if row is None:
        return None
    labels = lean.fetch(_LABELS + "AND l.prompt_id = :id ORDER BY l.label", {"id": prompt_id, "active": ACTIVE})
    contested = lean.one("SELECT 1 FROM open_registers WHERE prompt_id = :id AND contested", {"id": prompt_id})
    return _prompt(row, [(label, number) for _, label, number in labels], contested is not None)


def _prompt(row: tuple[Any, ...], labels: Any, contested: bool) -> PromptRow:
    prompt_id, name, description, tags, team, archived, *rest = row
    tag_list = tuple(json.loads(tags)) if tags != "[]" else ()
    return PromptRow(*(prompt_id, name, description, tag_list, team, bool(archived), *rest, tuple(labels), contested))


def versions(lean: Lean, prompt_id: str) -> list[VersionRow]:
    """The versions of a prompt, newest first, with what their runs came to."""
    labels: dict[str, list[str]] = defaultdict(list)
    for version_id, label in lean.fetch(
        "SELECT version_id, label FROM labels WHERE prompt_id = :id ORDER BY label", {"id": prompt_id}
    ):
        labels[version_id].append(label)
    runs = {row[0]: row[1:] for row in lean.fetch(_RUNS, {"id": prompt_id})}
    unnumbered = provisional(lean, prompt_id)
    rows = lean.fetch(_VERSIONS, {"id": prompt_id})
    return [
        VersionRow(
            id=version_id,
            prompt_id=prompt_id,
            number=number,
            sha256=sha256,
            labels=tuple(labels.get(version_id, ())),
            author=author,
            message=message,
            created_us=created_us,
            base_number=base_number,
            provisional=version_id in unnumbered,
            **_run_sums(runs.get(version_id)),
        )
        for version_id, number, sha256, author, message, created_us, base_number in rows
    ]


_VERSIONS = """
SELECT v.id, n.number, v.sha256, v.author, v.message, v.created_us, b.number
FROM version_numbers n JOIN prompt_versions v ON v.id = n.version_id
LEFT JOIN version_numbers b ON b.version_id = v.base_version_id
WHERE n.prompt_id = :id ORDER BY n.number DESC
"""
_RUNS = """
SELECT version_id, COUNT(*), SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END), SUM(cost_nusd),
       SUM(CASE WHEN cost_nusd IS NULL AND status = 'succeeded' THEN 1 ELSE 0 END)
FROM executions WHERE prompt_id = :id AND version_id IS NOT NULL GROUP BY version_id
"""


def provisional(lean: Lean, prompt_id: str) -> frozenset[str]:
    """Versions of a shared ledger whose numbers can still move, as the server has not numbered them yet."""
    state = lean.one("SELECT value FROM workspace WHERE key = 'sync.state'")
    if state is None or json.loads(state[0]).get("workspace") is None:
        return frozenset()
    rows = lean.fetch(
        "SELECT field FROM journal WHERE prompt_id = :id AND kind = 'version' AND COALESCE(commit_seq, 0) >= 0 "
        "GROUP BY field HAVING MAX(commit_seq) IS NULL",
        {"id": prompt_id},
    )
    return frozenset(row[0] for row in rows)


def _run_sums(row: tuple[Any, ...] | None) -> dict[str, Any]:
    if row is None:
        return {}
    count, errors, cost, unpriced = row
    return {
        "run_count": int(count),
        "error_count": int(errors),
        "cost_nusd": None if cost is None else int(cost),
        "unpriced_count": int(unpriced),
    }


def content(lean: Lean, version_id: str) -> str | None:
    """Canonical content of a version, or None."""
    row = lean.one("SELECT content FROM prompt_versions WHERE id = :id", {"id": version_id})
    return None if row is None else str(row[0])


def version_owner(lean: Lean, version_id: str) -> tuple[str, int] | None:
    """The prompt's name and the number of a version, or None."""
    row = lean.one(
        "SELECT p.name, n.number FROM version_numbers n JOIN prompts p ON p.id = n.prompt_id WHERE n.version_id = :id",
        {"id": version_id},
    )
    return None if row is None else (str(row[0]), int(row[1]))


def input_sets(lean: Lean, prompt_id: str) -> list[InputSetRow]:
    """The values kept for a prompt, by name."""
    rows = lean.fetch(
        "SELECT name, variables, at_us FROM input_sets WHERE prompt_id = :id ORDER BY name", {"id": prompt_id}
    )
    return [InputSetRow(name, json.loads(variables), at_us) for name, variables, at_us in rows]


def history(lean: Lean, prompt_id: str | None, limit: int) -> list[JournalRow]:
    """The newest registry facts, of one prompt or of all."""
    where = "WHERE j.prompt_id = :id " if prompt_id else ""
    rows = lean.fetch(
        "SELECT j.seq, j.rid, j.kind, j.prompt_id, p.name, j.field, j.value, j.actor, j.at_us, j.reason, j.action, "
        f"j.undoes FROM journal j LEFT JOIN prompts p ON p.id = j.prompt_id {where}ORDER BY j.seq DESC LIMIT :limit",
        {"id": prompt_id, "limit": limit} if prompt_id else {"limit": limit},
    )
    return [JournalRow(*(*row[:6], json.loads(row[6]), *row[7:])) for row in rows]
