"""What an include needs of the registry: a prompt's versions by number, label and hash, and one version's content."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ledger_tui.domain.values import VersionRow

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_VERSIONS = """
SELECT v.id, v.prompt_id, n.number, v.sha256
FROM version_numbers n JOIN prompt_versions v ON v.id = n.version_id WHERE n.prompt_id = :id ORDER BY n.number DESC
"""


def versions(lean: Lean, prompt_id: str) -> list[VersionRow]:
    """The versions of a prompt, newest first, with their labels and without what their runs came to."""
    labels: dict[str, list[str]] = defaultdict(list)
    sql = "SELECT version_id, label FROM labels WHERE prompt_id = :id ORDER BY label"
    for version_id, label in lean.fetch(sql, {"id": prompt_id}):
        labels[version_id].append(label)
    rows = lean.fetch(_VERSIONS, {"id": prompt_id})
    return [
        VersionRow(
            id=version_id,
            prompt_id=owner,
            number=number,
            sha256=sha256,
            labels=tuple(labels.get(version_id, ())),
            author="",
            message="",
            created_us=0,
            base_number=None,
        )
        for version_id, owner, number, sha256 in rows
    ]


def names(lean: Lean) -> list[str]:
    """The names of all prompts that are not archived."""
    return [row[0] for row in lean.fetch("SELECT name FROM prompt_states WHERE NOT archived ORDER BY name")]


def stamp(lean: Lean) -> tuple[int, str] | None:
    """Changes with every fact of the registry: the newest one's number and id, None when there is none yet."""
    row = lean.one("SELECT seq, rid FROM journal ORDER BY seq DESC LIMIT 1")
    return None if row is None else (int(row[0]), str(row[1]))
