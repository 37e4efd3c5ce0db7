"""What ran how often, by prompt, from the maintained sums of days: as fast with ten million calls as with ten."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean


class PromptSums(NamedTuple):
    """One prompt and the sums of its finished calls."""

    name: str
    mode: str
    archived: bool
    active_number: int
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    unpriced: int
    duration_us: int


_SUMS = ("calls", "errors", "input_tokens", "output_tokens", "cost_nusd", "unpriced", "duration_us")
_BY_PROMPT = f"""
SELECT s.name, s.mode, s.archived, s.active_number, {", ".join(f"COALESCE(SUM(d.{name}), 0)" for name in _SUMS)}
FROM prompt_states s LEFT JOIN daily_costs d ON d.prompt_id = s.prompt_id
GROUP BY s.prompt_id, s.name, s.mode, s.archived, s.active_number ORDER BY s.name
"""
_CONTENTS = """
SELECT n.number, v.sha256, v.content, v.created_us, v.author, v.message, v.git_commit, v.git_path, v.git_dirty
FROM version_numbers n JOIN prompt_versions v ON v.id = n.version_id WHERE n.prompt_id = :id ORDER BY n.number DESC
"""
_RUNS = """
SELECT n.number, COUNT(*) FROM executions e JOIN version_numbers n ON n.version_id = e.version_id
WHERE e.prompt_id = :id GROUP BY n.number
"""


class VersionText(NamedTuple):
    """A version with its canonical content and where it came from."""

    number: int
    sha256: str
    content: str
    created_us: int
    author: str
    message: str
    git_commit: str | None
    git_path: str | None
    git_dirty: bool | None


def by_prompt(lean: Lean) -> list[PromptSums]:
    """Every prompt by name, those that never ran too."""
    return [PromptSums._make((*row[:2], bool(row[2]), *map(int, row[3:]))) for row in lean.fetch(_BY_PROMPT)]


def version_texts(lean: Lean, prompt_id: str) -> list[VersionText]:
    """The versions of a prompt with their contents, newest first."""
    rows = lean.fetch(_CONTENTS, {"id": prompt_id})
    return [VersionText._make((*row[:8], None if row[8] is None else bool(row[8]))) for row in rows]


def execution_counts(lean: Lean, prompt_id: str) -> dict[int, int]:
    """How many executions each version of a prompt has, by number; versions without one are left out."""
    return {int(number): int(count) for number, count in lean.fetch(_RUNS, {"id": prompt_id})}


def is_provider(lean: Lean, name: str) -> bool:
    """Whether a call to a provider of this name was ever counted."""
    return lean.one("SELECT 1 FROM daily_costs WHERE provider = :name LIMIT 1", {"name": name}) is not None
