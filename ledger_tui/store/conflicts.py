"""Reading what people have to decide: costs what there is, not what was written. Plain SQL, no SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.domain.sync.lineage import Lineage, VersionFact

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean, Row

# Two heads contest `active` by themselves: that is one thing to decide.
_STANDING = """
FROM open_registers o WHERE o.contested AND NOT (o.kind = 'label' AND o.field = 'active' AND EXISTS (
  SELECT 1 FROM open_registers h WHERE h.prompt_id = o.prompt_id AND h.kind = 'version' AND h.contested))
"""
_CHUNK = 400


class OpenRow(NamedTuple):
    """One contested register, or the heads of a prompt (kind ``version``)."""

    prompt_id: str
    prompt: str | None
    kind: str
    field: str
    candidates: tuple[str, ...]
    holder: str
    active: str | None
    """The version that the prompt serves."""


class FactRow(NamedTuple):
    """One of its candidates."""

    rid: str
    kind: str
    field: str
    value: str
    actor: str
    device: str
    at_us: int


def count(lean: Lean) -> int:
    """How many things people have to decide."""
    row = lean.one(f"SELECT COUNT(*) {_STANDING}")
    return 0 if row is None else int(row[0])


def standing(lean: Lean, prompt_id: str | None = None) -> list[OpenRow]:
    """What people have to decide, of one prompt or of all, by prompt; heads first."""
    of_prompt = " AND o.prompt_id = :id" if prompt_id else ""
    rows = lean.fetch(
        "SELECT o.prompt_id, (SELECT name FROM prompts p WHERE p.id = o.prompt_id), o.kind, o.field, o.candidates, o.holder, "
        "(SELECT s.active_version_id FROM prompt_states s WHERE s.prompt_id = o.prompt_id) "
        f"{_STANDING}{of_prompt}",
        {"id": prompt_id} if prompt_id else {},
    )
    found = [OpenRow(row[0], row[1], row[2], row[3], tuple(json.loads(row[4])), row[5], row[6]) for row in rows]
    return sorted(found, key=lambda row: (row.prompt is None, row.prompt or "", row.kind != "version", *row[2:4]))


def facts(lean: Lean, rids: Iterable[str]) -> dict[str, FactRow]:
    """Facts by rid."""
    rows = _in_chunks(lean, f"SELECT {', '.join(FactRow._fields)} FROM journal WHERE rid IN", list(rids))
    return {row[0]: FactRow(*row) for row in rows}


def numbers(lean: Lean, version_ids: Iterable[str]) -> dict[str, int]:
    """Numbers of versions by id."""
    rows = _in_chunks(lean, "SELECT version_id, number FROM version_numbers WHERE version_id IN", list(version_ids))
    return {row[0]: int(row[1]) for row in rows}


def _in_chunks(lean: Lean, sql: str, values: Sequence[str]) -> Iterable[Row]:
    for start in range(0, len(values), _CHUNK):
        named = {f"v{n}": value for n, value in enumerate(values[start : start + _CHUNK])}
        yield from lean.fetch(f"{sql} ({', '.join(f':{name}' for name in named)})", named)


def lineage(lean: Lean, prompt_id: str) -> Lineage:
    """How the versions of a prompt stand to each other."""
    rows = lean.fetch(
        "SELECT rid, field, value, base, commit_seq, seq, device FROM journal WHERE prompt_id = :id AND kind = 'version' "
        "AND (commit_seq IS NULL OR commit_seq >= 0)",
        {"id": prompt_id},
    )
    return Lineage(VersionFact.of_row(*row) for row in rows)
