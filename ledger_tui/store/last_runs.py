"""Which version of a prompt ran last in each environment, found without reading all of its runs; plain SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.store.standings import Pointed, in_chunks

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

NEWEST_SPANS = 2_000
"""So many of a prompt's calls, newest traces first, are looked at one by one."""
_DAY_US = 86_400_000_000

# Calls of every kind are spans: runs, programs in tracking mode, calls made elsewhere that were linked by their text.
_SPANS = """
SELECT r.environment, r.version_id, r.started_us, t.trace_id
FROM (
  SELECT n.environment, n.version_id, n.started_us, n.trace_key,
         ROW_NUMBER() OVER (PARTITION BY n.environment ORDER BY n.started_us DESC, n.id DESC) AS place
  FROM (
    SELECT id, environment, version_id, started_us, trace_key FROM spans
    WHERE prompt_id = :prompt AND version_id IS NOT NULL ORDER BY trace_key DESC LIMIT :newest
  ) n
) r JOIN traces t ON t.id = r.trace_key
WHERE r.place = 1
"""
_DAYS = """
SELECT prompt_id, environment, version_id, MAX(day) FROM daily_costs
WHERE prompt_id IN ({}) AND version_id <> '' GROUP BY prompt_id, environment, version_id
"""
_EXECUTION = """
SELECT version_id, created_us FROM executions
WHERE prompt_id = :prompt AND environment = :environment AND version_id IS NOT NULL AND created_us < :until
ORDER BY created_us DESC, id DESC LIMIT 1
"""
_VERSIONS = """
SELECT v.id, v.sha256, n.number, v.git_path, v.git_commit, v.git_dirty
FROM prompt_versions v JOIN version_numbers n ON n.version_id = v.id WHERE v.id IN ({})
"""


class _Run(NamedTuple):
    at_us: int
    version_id: str
    trace_id: str | None


class _Version(NamedTuple):
    version_id: str
    sha256: str
    number: int
    git_path: str | None
    git_commit: str | None
    git_dirty: bool | None


def last_executed(lean: Lean, prompt_ids: Sequence[str]) -> list[Pointed]:
    """The version that ran last in each environment, of each prompt, by prompt and environment.

    A call that is older than a prompt's newest 2,000 and has no execution of its own is known by its day only.
    """
    found: dict[tuple[str, str], _Run] = {}

    def take(prompt_id: str, environment: str, run: _Run) -> None:
        before = found.get((prompt_id, environment))
        if before is None or run.at_us > before.at_us:
            found[prompt_id, environment] = run

    for prompt_id in prompt_ids:
        for environment, version_id, started_us, trace_id in lean.fetch(
            _SPANS, {"prompt": prompt_id, "newest": NEWEST_SPANS}
        ):
            take(prompt_id, environment, _Run(started_us, version_id, trace_id))
    for names, parameters in in_chunks(prompt_ids):
        for prompt_id, environment, version_id, day in lean.fetch(_DAYS.format(names), parameters):
            day_us = _day_us(day)
            take(prompt_id, environment, _Run(day_us, version_id, None))
            until = {"prompt": prompt_id, "environment": environment, "until": day_us + 2 * _DAY_US}
            execution = lean.one(_EXECUTION, until)
            if execution is not None:
                take(prompt_id, environment, _Run(execution[1], execution[0], None))
    versions = _versions(lean, {run.version_id for run in found.values()})
    return [
        Pointed(prompt_id, environment, version.sha256, version.number, run.at_us, *version[3:], run.trace_id)
        for (prompt_id, environment), run in sorted(found.items())
        if (version := versions.get(run.version_id)) is not None
    ]


def _versions(lean: Lean, version_ids: Iterable[str]) -> dict[str, _Version]:
    """Hash, number and origin of each version."""
    found: dict[str, _Version] = {}
    for names, parameters in in_chunks(sorted(version_ids)):
        found.update({row[0]: _Version(*row) for row in lean.fetch(_VERSIONS.format(names), parameters)})
    return found


def _day_us(day: str) -> int:
    """The first microsecond of an ISO day in UTC."""
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
