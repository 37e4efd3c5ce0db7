"""Removing old texts and old steps, a chunk a transaction, so that what was charged and counted stays as it was.

A text that goes leaves a mark with the moment it went. The sums of steps that go are added to `pruned_costs`, so the days
equal the steps that are left and those. Everything can be stopped between two chunks and goes on where it stood.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.retention import MARK
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.store import search_index, sync_pruning
from ledger_tui.store.day_sums import CALL_SUMS, COST_KEYS, Sums, upsert

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_TEXT_BYTES = (
    "COALESCE(LENGTH(p.input), 0) + COALESCE(LENGTH(p.output), 0) + COALESCE(LENGTH(p.error), 0) + LENGTH(p.attributes)"
)
_HAS_TEXT = (
    "(p.input IS NOT NULL OR p.output IS NOT NULL OR p.error IS NOT NULL "
    f"OR (p.attributes <> '{{}}' AND p.attributes NOT LIKE '{{\"{MARK}\": %'))"
)
_OLD = "s.status <> 'running' AND s.started_us + COALESCE(s.duration_us, 0) < :before_us"
_ADD = upsert("pruned_costs", COST_KEYS, CALL_SUMS)
_RUNS = {
    "usages": (
        "t.created_us < :before_us AND NOT EXISTS (SELECT 1 FROM executions e WHERE e.usage_id = t.id AND e.ended_us IS NULL)",
        "(t.rendered <> '[]' OR t.parameters <> '{}' OR t.content IS NOT NULL)",
        "LENGTH(t.rendered) + LENGTH(t.parameters) + COALESCE(LENGTH(t.content), 0)",
        "rendered = '[]', parameters = '{}', content = NULL",
    ),
    "executions": (
        "t.ended_us IS NOT NULL AND t.ended_us < :before_us",
        "(t.messages <> '[]' OR t.response IS NOT NULL OR t.tool_calls IS NOT NULL OR t.response_metadata <> '{}' "
        "OR t.error IS NOT NULL)",
        "LENGTH(t.messages) + COALESCE(LENGTH(t.response), 0) + COALESCE(LENGTH(t.tool_calls), 0) "
        "+ LENGTH(t.response_metadata) + COALESCE(LENGTH(t.error), 0)",
        "messages = '[]', response = NULL, tool_calls = NULL, response_metadata = '{}', error = NULL",
    ),
}
"""By table: what is old enough, what has texts, how long they are, and how they go."""


class Found(NamedTuple):
    """What a rule would take: rows, characters of text, and the moments of the oldest and newest of them."""

    rows: int
    characters: int
    oldest_us: int | None = None
    newest_us: int | None = None


class Kinds(NamedTuple):
    """Which kinds of steps are meant: these, or all but these."""

    names: tuple[str, ...]
    only: bool

    def condition(self) -> tuple[str, dict[str, Any]]:
        """SQL on ``spans s`` and its parameters."""
        if not self.names:
            return "1 = 1", {}
        names = {f"k{n}": name for n, name in enumerate(self.names)}
        return f"s.kind {'' if self.only else 'NOT '}IN ({', '.join(':' + name for name in names)})", names


def count_texts(lean: Lean, before_us: int, kinds: Kinds) -> Found:
    """Steps that ended before a moment and still have texts."""
    condition, names = kinds.condition()
    row = lean.one(
        f"SELECT COUNT(*), COALESCE(SUM({_TEXT_BYTES}), 0), MIN(s.started_us), MAX(s.started_us) "
        f"FROM spans s JOIN span_payloads p ON p.span_key = s.id WHERE {_OLD} AND {condition} AND {_HAS_TEXT} "
        f"AND {sync_pruning.waits(lean).texts}",
        {"before_us": before_us, **names},
    )
    return _found(row)


def _found(row: tuple[Any, ...] | None) -> Found:
    return Found(0, 0) if row is None else Found(int(row[0]), int(row[1]), row[2], row[3])


def drop_texts(lean: Lean, before_us: int, kinds: Kinds, after: int, limit: int, now_us: int) -> tuple[int, int]:
    """Take the texts of up to ``limit`` steps past the key ``after``: how many, and the last key (0 when done)."""
    condition, names = kinds.condition()
    rows = lean.fetch(
        "SELECT s.id FROM spans s JOIN span_payloads p ON p.span_key = s.id "
        f"WHERE s.id > :after AND {_OLD} AND {condition} AND {_HAS_TEXT} AND {sync_pruning.waits(lean).texts} "
        "ORDER BY s.id LIMIT :limit",
        {"after": after, "before_us": before_us, "limit": limit, **names},
    )
    keys = [int(row[0]) for row in rows]
    sync_pruning.texts_go(lean, "span_key", keys)
    mark = json.dumps({MARK: now_us})
    lean.executemany(
        "UPDATE span_payloads SET input = NULL, output = NULL, error = NULL, attributes = :mark WHERE span_key = :key",
        [{"key": key, "mark": mark} for key in keys],
    )
    search_index.forget_spans(lean, keys)
    return len(keys), keys[-1] if len(keys) == limit else 0


def count_runs(lean: Lean, table: str, before_us: int) -> Found:
    """Rows of ``usages`` or ``executions`` from before a moment that still have texts."""
    old, has, size, _ = _RUNS[table]
    row = lean.one(
        f"SELECT COUNT(*), COALESCE(SUM({size}), 0), MIN(t.created_us), MAX(t.created_us) FROM {table} t "
        f"WHERE {old} AND {has} AND {sync_pruning.waits(lean).runs}",
        {"before_us": before_us},
    )
    return _found(row)


def drop_runs(lean: Lean, table: str, before_us: int, after: str, limit: int) -> tuple[int, str]:
    """Take the texts of up to ``limit`` rows past the id ``after``: how many, and the last id ('' when done)."""
    old, has, _, emptied = _RUNS[table]
    rows = lean.fetch(
        f"SELECT t.id FROM {table} t WHERE t.id > :after AND {old} AND {has} AND {sync_pruning.waits(lean).runs} "
        "ORDER BY t.id LIMIT :limit",
        {"after": after, "before_us": before_us, "limit": limit},
    )
    sync_pruning.texts_go(lean, "row_id", [row[0] for row in rows])
    lean.executemany(f"UPDATE {table} SET {emptied} WHERE id = :id", [{"id": row[0]} for row in rows])
    return len(rows), rows[-1][0] if len(rows) == limit else ""


def drop_samples(lean: Lean, before_us: int) -> int:
    """Forget the messages that stand for prompts nobody registered and nobody sent since; how many."""
    return lean.execute("DELETE FROM unregistered_prompts WHERE last_us < :before_us", {"before_us": before_us})


_STEPS = "EXISTS (SELECT 1 FROM spans x WHERE x.trace_key = t.id)"
_ENDED_TRACE = f"t.open_count = 0 AND t.ended_us < :before_us AND (t.pruned_us IS NULL OR {_STEPS})"
Place = tuple[int, int]
"""Start and key of a trace: where the next chunk goes on."""
FIRST: Place = (-(2**62), 0)


def count_spans(lean: Lean, before_us: int) -> Found:
    """Steps of traces that ended before a moment, with the characters of their texts."""
    row = lean.one(
        f"SELECT COUNT(s.id), COALESCE(SUM({_TEXT_BYTES}), 0), MIN(s.started_us), MAX(s.started_us) FROM traces t "
        f"JOIN spans s ON s.trace_key = t.id LEFT JOIN span_payloads p ON p.span_key = s.id WHERE {_ENDED_TRACE} "
        f"AND {sync_pruning.waits(lean).traces}",
        {"before_us": before_us},
    )
    return _found(row)


def drop_spans(lean: Lean, before_us: int, after: Place, limit: int, now_us: int) -> tuple[int, Place | None]:
    """Remove up to ``limit`` steps of whole traces past ``after``: how many, and where to go on (None when done).

    A trace with more steps than that goes in several chunks; it is marked with the first.
    """
    traces = lean.fetch(
        f"SELECT t.started_us, t.id, t.span_count FROM traces t WHERE (t.started_us, t.id) > (:after_us, :after_key) "
        f"AND {_ENDED_TRACE} AND {sync_pruning.waits(lean).traces} ORDER BY t.started_us, t.id LIMIT :limit",
        {"before_us": before_us, "after_us": after[0], "after_key": after[1], "limit": _MOST_TRACES},
    )
    chosen = list(_up_to(traces, limit))
    if not chosen:
        return 0, None
    names = {f"t{n}": row[1] for n, row in enumerate(chosen)}
    spans = lean.fetch(
        f"SELECT {', '.join(_SPAN)} FROM spans WHERE trace_key IN ({', '.join(':' + name for name in names)}) "
        "ORDER BY trace_key, id LIMIT :limit",
        {**names, "limit": limit},
    )
    _keep_sums(lean, spans)
    keys = [int(row[0]) for row in spans]
    sync_pruning.spans_go(lean, keys)
    search_index.forget_spans(lean, keys)
    for table, column in (("late_prices", "span_key"), ("span_payloads", "span_key"), ("spans", "id")):
        lean.executemany(f"DELETE FROM {table} WHERE {column} = :key", [{"key": key} for key in keys])
    lean.executemany(
        "UPDATE traces SET pruned_us = :now_us WHERE id = :key", [{"key": row[1], "now_us": now_us} for row in chosen]
    )
    # A full chunk may have left steps of its last trace behind: look at these traces again.
    return len(keys), after if len(keys) == limit else (int(chosen[-1][0]), int(chosen[-1][1]))


def _up_to(rows: Iterable[tuple[Any, ...]], limit: int) -> Iterator[tuple[Any, ...]]:
    total = 0
    for number, row in enumerate(rows):
        total += int(row[2])
        if number and total > limit:
            return
        yield row


_MOST_TRACES = 400
_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_FIELDS = (
    "name", "kind", "status", "started_us", "duration_us", "provider", "model", "prompt_id", "version_id", "environment",
    "cost_nusd", "unpriced",
)  # fmt: skip
_SPAN = ("id", *_FIELDS, *_TOKENS)


def _keep_sums(lean: Lean, spans: Sequence[tuple[Any, ...]]) -> None:
    sums = Sums()
    end = 1 + len(_FIELDS)
    for row in spans:
        fields: Mapping[str, Any] = dict(zip(_FIELDS, row[1:end], strict=True))
        sums.add(
            SpanRecord("-", "-", **{**fields, "unpriced": bool(fields["unpriced"])}, tokens=TokenUsage(*row[end:]))
        )
    names = (*COST_KEYS, *CALL_SUMS)
    lean.executemany(_ADD, [dict(zip(names, (*key, *row), strict=True)) for key, row in sorted(sums.costs.items())])


_RAN = "retention_us"


def claim(lean: Lean, now_us: int, pause_us: int) -> bool:
    """Whether the daily run is due; then it is noted as begun, so that of several programs one does it."""
    row = lean.one("SELECT value FROM workspace WHERE key = :key", {"key": _RAN})
    if row is not None and now_us - pause_us < int(row[0]) <= now_us:
        return False
    lean.execute(
        "INSERT INTO workspace (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        {"key": _RAN, "value": str(now_us)},
    )
    return True


def last_run(lean: Lean) -> int | None:
    """When the last daily run began, None when there was none."""
    row = lean.one("SELECT value FROM workspace WHERE key = :key", {"key": _RAN})
    return None if row is None else int(row[0])
