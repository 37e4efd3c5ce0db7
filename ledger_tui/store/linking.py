"""What linking calls to versions reads and writes: versions and recent renders to compare with, groups of messages that no
version explains, and past calls that turn out to belong to a version."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.span_words import FLAG_LINKED_HERE
from ledger_tui.domain.values import ACTIVE, FLAG_CUT, FLAG_LINKED, TERMINAL, SpanRecord, TokenUsage
from ledger_tui.errors import NotFound
from ledger_tui.store import day_sums, sync_standing

if TYPE_CHECKING:
    from ledger_tui.domain.content import Message
    from ledger_tui.store.lean import Lean

MAX_VERSIONS = 20_000
"""So many versions, the newest, are compared with."""
MAX_GROUPS = 300
MAX_MODELS = 20
_CHUNK = 400


class VersionHead(NamedTuple):
    """A version without its content."""

    version_id: str
    prompt_id: str
    created_us: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Messages that no version explains, as stored; ``skeleton`` and ``sample`` are JSON."""

    fingerprint: str
    skeleton: str
    sample: str
    calls: int
    first_us: int
    last_us: int
    models: tuple[str, ...]
    last_span_key: int | None
    dismissed: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A call that was counted into a group."""

    fingerprint: str
    skeleton: str
    sample: tuple[Message, ...]
    at_us: int
    model: str | None


class PastCall(NamedTuple):
    """A stored call without a version, and what it was asked."""

    key: int
    input: str
    attributes: str
    record: SpanRecord
    """What the sums of days need of it."""


def stamps(lean: Lean) -> tuple[int, str, tuple[Any, ...]]:
    """What changes with the registry, with a render, and with the groups."""
    journal = lean.one("SELECT MAX(seq) FROM journal")
    usage = lean.one("SELECT MAX(id) FROM usages")
    return int((journal or (0,))[0] or 0), str((usage or ("",))[0] or ""), groups_stamp(lean)


def groups_stamp(lean: Lean) -> tuple[Any, ...]:
    """What changes when a group is counted into, comes or goes."""
    return lean.one("SELECT COUNT(*), MAX(last_us), SUM(calls) FROM unregistered_prompts") or ()


def version_heads(lean: Lean) -> list[VersionHead]:
    """The newest versions of all prompts, newest first."""
    sql = "SELECT id, prompt_id, created_us FROM prompt_versions ORDER BY created_us DESC, id DESC LIMIT :limit"
    return [VersionHead(*row) for row in lean.fetch(sql, {"limit": MAX_VERSIONS})]


def version_head(lean: Lean, version_id: str) -> VersionHead:
    """One version; raises NotFound."""
    row = lean.one("SELECT id, prompt_id, created_us FROM prompt_versions WHERE id = :id", {"id": version_id})
    if row is None:
        raise NotFound("there is no such version", title="No such version")
    return VersionHead(*row)


def contents(lean: Lean, version_ids: Sequence[str]) -> dict[str, str]:
    """Canonical content by version id."""
    found: dict[str, str] = {}
    for start in range(0, len(version_ids), _CHUNK):
        chunk = {f"v{n}": version_id for n, version_id in enumerate(version_ids[start : start + _CHUNK])}
        sql = f"SELECT id, content FROM prompt_versions WHERE id IN ({', '.join(':' + name for name in chunk)})"
        found.update((row[0], row[1]) for row in lean.fetch(sql, chunk))
    return found


def active_versions(lean: Lean) -> set[str]:
    """Ids of the versions that a prompt's name alone means."""
    return {row[0] for row in lean.fetch("SELECT version_id FROM labels WHERE label = :label", {"label": ACTIVE})}


def renders(lean: Lean, after: str, limit: int) -> list[tuple[str, str, str, str]]:
    """Id, prompt id, version id and rendered messages of the newest renders of saved versions after one, newest first."""
    sql = (
        "SELECT id, prompt_id, version_id, rendered FROM usages "
        "WHERE id > :after AND version_id IS NOT NULL AND prompt_id IS NOT NULL ORDER BY id DESC LIMIT :limit"
    )
    return [(row[0], row[1], row[2], row[3]) for row in lean.fetch(sql, {"after": after, "limit": limit})]


def parameters(lean: Lean, usage_id: str) -> dict[str, Any]:
    """The variables of a render; empty when it is gone."""
    row = lean.one("SELECT parameters FROM usages WHERE id = :id", {"id": usage_id})
    found = json.loads(row[0]) if row is not None else {}
    return found if isinstance(found, dict) else {}


def some_run(lean: Lean) -> bool:
    """Whether recorded spans run."""
    return lean.one("SELECT 1 FROM open_spans LIMIT 1") is not None


_BEGUN = """
SELECT p.input FROM traces t JOIN spans s ON s.trace_key = t.id JOIN span_payloads p ON p.span_key = s.id
WHERE t.trace_id = :trace_id AND s.span_id = :span_id AND s.status = 'running' AND (s.flags & :cut) = 0
ORDER BY s.id DESC LIMIT 1
"""


def begun_with(lean: Lean, trace_id: str, span_id: str) -> str | None:
    """The whole text that a running span was recorded with; None without one."""
    row = lean.one(_BEGUN, {"trace_id": trace_id, "span_id": span_id, "cut": FLAG_CUT})
    return None if row is None else row[0]


_GROUP = (
    "SELECT fingerprint, skeleton, sample, calls, first_us, last_us, models, last_span_key, dismissed "
    "FROM unregistered_prompts "
)


def groups(lean: Lean, *, dismissed: bool = True, limit: int = MAX_GROUPS) -> list[GroupRow]:
    """Groups, the most called first."""
    where = "" if dismissed else "WHERE NOT dismissed "
    rows = lean.fetch(f"{_GROUP}{where}ORDER BY calls DESC, last_us DESC, fingerprint LIMIT :limit", {"limit": limit})
    return [_group(row) for row in rows]


def group(lean: Lean, fingerprint: str) -> GroupRow | None:
    """One group, or None."""
    row = lean.one(_GROUP + "WHERE fingerprint = :fingerprint", {"fingerprint": fingerprint})
    return None if row is None else _group(row)


def _group(row: tuple[Any, ...]) -> GroupRow:
    fingerprint, skeleton, sample, calls, first_us, last_us, models, last_span_key, dismissed = row
    names = tuple(map(str, json.loads(models)))
    return GroupRow(fingerprint, skeleton, sample, calls, first_us, last_us, names, last_span_key, bool(dismissed))


def count_groups(lean: Lean) -> int:
    """How many groups are neither registered nor dismissed."""
    row = lean.one("SELECT COUNT(*) FROM unregistered_prompts WHERE NOT dismissed")
    return int(row[0]) if row else 0


_UPSERT = """
INSERT INTO unregistered_prompts (fingerprint, skeleton, sample, calls, first_us, last_us, models, last_span_key, dismissed)
VALUES (:fingerprint, :skeleton, :sample, :calls, :first_us, :last_us, :models, :last_span_key, :dismissed)
ON CONFLICT (fingerprint) DO UPDATE SET
  skeleton = excluded.skeleton, sample = excluded.sample, models = excluded.models,
  calls = unregistered_prompts.calls + excluded.calls,
  first_us = CASE WHEN excluded.first_us < unregistered_prompts.first_us
    THEN excluded.first_us ELSE unregistered_prompts.first_us END,
  last_us = CASE WHEN excluded.last_us > unregistered_prompts.last_us
    THEN excluded.last_us ELSE unregistered_prompts.last_us END,
  last_span_key = excluded.last_span_key
"""


def count_in(lean: Lean, seen: Iterable[tuple[Seen, int]]) -> None:
    """Count calls, each with the key of its span, into their groups; the least called, oldest groups make room."""
    by_group: dict[str, list[tuple[Seen, int]]] = defaultdict(list)
    for one, key in seen:
        by_group[one.fingerprint].append((one, key))
    for fingerprint, members in sorted(by_group.items()):
        last, key = members[-1]
        known = lean.one("SELECT models FROM unregistered_prompts WHERE fingerprint = :f", {"f": fingerprint})
        models = dict.fromkeys(
            [*(json.loads(known[0]) if known else ()), *(one.model for one, _ in members if one.model)]
        )
        lean.execute(
            _UPSERT,
            {
                "fingerprint": fingerprint,
                "skeleton": last.skeleton,
                "sample": json.dumps([{"role": m.role, "text": m.text} for m in last.sample], ensure_ascii=False),
                "calls": len(members),
                "first_us": min(one.at_us for one, _ in members),
                "last_us": max(one.at_us for one, _ in members),
                "models": json.dumps(list(models)[-MAX_MODELS:], ensure_ascii=False),
                "last_span_key": key,
                "dismissed": False,
            },
        )
    lean.execute(
        "DELETE FROM unregistered_prompts WHERE fingerprint IN (SELECT fingerprint FROM unregistered_prompts "
        "ORDER BY calls DESC, last_us DESC LIMIT :many OFFSET :most)",
        {"many": 1_000_000, "most": MAX_GROUPS},
    )


def set_dismissed(lean: Lean, fingerprint: str, dismissed: bool) -> bool:
    """Hide a group, or show it again; False when there is none."""
    sql = "UPDATE unregistered_prompts SET dismissed = :dismissed WHERE fingerprint = :fingerprint"
    return lean.execute(sql, {"dismissed": dismissed, "fingerprint": fingerprint}) == 1


def drop_group(lean: Lean, fingerprint: str) -> None:
    """Forget a group."""
    lean.execute("DELETE FROM unregistered_prompts WHERE fingerprint = :fingerprint", {"fingerprint": fingerprint})


def newest_span(lean: Lean) -> int:
    """The highest key of a span, 0 without one."""
    row = lean.one("SELECT MAX(id) FROM spans")
    return int((row or (0,))[0] or 0)


_PAST = """
SELECT s.id, p.input, p.attributes, s.started_us, s.status, s.duration_us, s.provider, s.model, s.environment,
       s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.output_tokens, s.reasoning_tokens, s.cost_nusd,
       s.unpriced, s.flags, s.session_id, s.user_identifier, s.first_token_us
FROM spans s JOIN span_payloads p ON p.span_key = s.id
WHERE s.id > :low AND s.id <= :high AND s.kind = 'llm' AND s.version_id IS NULL AND s.prompt_id IS NULL
  AND s.execution_id IS NULL AND p.input IS NOT NULL
"""


def past_calls(lean: Lean, low: int, high: int) -> list[PastCall]:
    """Ended model calls without a prompt among the spans with keys above ``low`` up to ``high``."""
    return [_past(row) for row in lean.fetch(_PAST, {"low": low, "high": high}) if row[4] in TERMINAL]


def _past(row: tuple[Any, ...]) -> PastCall:
    key, asked, attributes, started, status, duration, provider, model, environment, *numbers = row
    *tokens, cost, unpriced, flags, session, user, first_token = numbers
    record = SpanRecord(
        "", "", "", "llm", status, started, duration, None, provider, model, tokens=TokenUsage(*tokens), cost_nusd=cost,
        unpriced=bool(unpriced), environment=environment, session_id=session, user_identifier=user, flags=flags,
        first_token_us=first_token,
    )  # fmt: skip
    return PastCall(key, asked, attributes, record)


def link(lean: Lean, calls: Iterable[tuple[PastCall, str]], prompt_id: str, version_id: str) -> int:
    """Give past calls, each with its new attributes, their version and move their sums to it; how many had none yet."""
    gone: list[SpanRecord] = []
    # What the ledger has told others of a call, or is about to, stays as it was: the link is known here only.
    linked = FLAG_LINKED | (FLAG_LINKED_HERE if sync_standing.is_shared(lean) else 0)
    for call, attributes in calls:
        record = call.record
        # Asked again here: cost and price may have changed since the call was read.
        row = lean.one(
            "UPDATE spans SET prompt_id = :prompt, version_id = :version, flags = :flags "
            "WHERE id = :key AND version_id IS NULL AND prompt_id IS NULL RETURNING cost_nusd, unpriced",
            {"prompt": prompt_id, "version": version_id, "flags": record.flags | linked, "key": call.key},
        )
        if row is not None:
            gone.append(replace(record, cost_nusd=row[0], unpriced=bool(row[1])))
            lean.execute(
                "UPDATE span_payloads SET attributes = :attributes WHERE span_key = :key",
                {"attributes": attributes, "key": call.key},
            )
    day_sums.add(lean, [replace(one, prompt_id=prompt_id, version_id=version_id) for one in gone], gone)
    return len(gone)
