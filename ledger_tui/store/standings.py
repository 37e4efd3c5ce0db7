"""Where prompts stand: their mode, their active version by hash, their labels, and what ran last; plain SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_CHUNK = 400


class Standing(NamedTuple):
    """One prompt: ``active_*`` are None or 0 when nothing is active; ``git_*`` tell where the active version came from."""

    prompt_id: str
    name: str
    mode: str
    archived: bool
    latest_number: int
    active_version_id: str | None
    active_number: int
    active_sha256: str | None
    git_path: str | None
    git_commit: str | None = None
    git_dirty: bool | None = None
    active_created_us: int | None = None


class Pointed(NamedTuple):
    """A version that a label or an environment points to; ``at_us``: since when, or when it ran last.

    trace_id: of the last run, None when its spans are gone.
    """

    prompt_id: str
    pointer: str
    sha256: str
    number: int
    at_us: int
    git_path: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    trace_id: str | None = None


_STANDING = """
SELECT s.prompt_id, s.name, s.mode, s.archived, s.latest_number, s.active_version_id, s.active_number, v.sha256,
       v.git_path, v.git_commit, v.git_dirty, v.created_us
FROM prompt_states s LEFT JOIN prompt_versions v ON v.id = s.active_version_id
"""
_LABELS = """
SELECT l.prompt_id, l.label, v.sha256, n.number, l.at_us, v.git_path, v.git_commit, v.git_dirty
FROM labels l JOIN prompt_versions v ON v.id = l.version_id JOIN version_numbers n ON n.version_id = l.version_id
WHERE l.prompt_id IN ({}) ORDER BY l.prompt_id, l.label
"""


def standings(lean: Lean, prompt_ids: Sequence[str]) -> dict[str, Standing]:
    """Those of the prompts that the ledger knows, by id."""
    found: dict[str, Standing] = {}
    for names, parameters in in_chunks(prompt_ids):
        for row in lean.fetch(f"{_STANDING} WHERE s.prompt_id IN ({names})", parameters):
            found[row[0]] = Standing(*row)
    return found


def tracked(lean: Lean) -> list[Standing]:
    """Every prompt whose text lives in code, by name; archived ones are left out."""
    return [
        Standing(*row)
        for row in lean.fetch(f"{_STANDING} WHERE s.mode = 'tracking' AND NOT s.archived ORDER BY s.name")
    ]


def numbers(lean: Lean, version_ids: Sequence[str]) -> dict[str, int]:
    """The number of each version that is known, by id."""
    found: dict[str, int] = {}
    for names, parameters in in_chunks(version_ids):
        sql = f"SELECT version_id, number FROM version_numbers WHERE version_id IN ({names})"
        found.update({row[0]: int(row[1]) for row in lean.fetch(sql, parameters)})
    return found


def labels(lean: Lean, prompt_ids: Sequence[str]) -> list[Pointed]:
    """Every label of the prompts, ``active`` too."""
    return _pointed(lean, _LABELS, prompt_ids)


def _pointed(lean: Lean, sql: str, prompt_ids: Sequence[str]) -> list[Pointed]:
    return [
        Pointed(*row)
        for names, parameters in in_chunks(prompt_ids)
        for row in lean.fetch(sql.format(names), parameters)
    ]


def in_chunks(values: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The values as named parameters of an ``IN (...)``, some hundreds at a time."""
    for start in range(0, len(values), _CHUNK):
        parameters = {f"v{n}": value for n, value in enumerate(values[start : start + _CHUNK])}
        yield ", ".join(f":{name}" for name in parameters), parameters


def active_contents(lean: Lean) -> dict[str, str]:
    """Canonical content of the active version of every prompt that is not archived, by prompt id."""
    rows = lean.fetch(
        "SELECT s.prompt_id, v.content FROM prompt_states s JOIN prompt_versions v ON v.id = s.active_version_id "
        "WHERE NOT s.archived"
    )
    return dict(rows)
