"""Removing old texts and old steps, a chunk a transaction, so that what was charged and counted stays as it was.

A text that goes leaves a mark with the moment it went. The sums of steps that go are added to `pruned_costs`, so the days
equal the steps that are left and those. Everything can be stopped between two chunks and goes on where it stood.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.store import search_index
from ledger_tui.store.day_sums import CALL_SUMS, COST_KEYS, Sums, upsert

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

MARK = "texts_removed_us"
"""The only attribute of a step whose texts went: when."""
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
    """What a rule would take: rows, and characters of text."""

    rows: int
    characters: int


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
        f"SELECT COUNT(*), COALESCE(SUM({_TEXT_BYTES}), 0) FROM spans s JOIN span_payloads p ON p.span_key = s.id "
        f"WHERE {_OLD} AND {condition} AND {_HAS_TEXT}",
        {"before_us": before_us, **names},
    )
    return Found(0, 0) if row is None else Found(int(row[0]), int(row[1]))


def drop_texts(lean: Lean, before_us: int, kinds: Kinds, after: int, limit: int, now_us: int) -> tuple[int, int]:
    """Take the texts of up to ``limit`` steps past the key ``after``: how many, and the last key (0 when done)."""
    condition, names = kinds.condition()
    rows = lean.fetch(
        "SELECT s.id FROM spans s JOIN span_payloads p ON p.span_key = s.id "
        f"WHERE s.id > :after AND {_OLD} AND {condition} AND {_HAS_TEXT} ORDER BY s.id LIMIT :limit",
        {"after": after, "before_us": before_us, "limit": limit, **names},
    )
    keys = [int(row[0]) for row in rows]
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
        f"SELECT COUNT(*), COALESCE(SUM({size}), 0) FROM {table} t WHERE {old} AND {has}", {"before_us": before_us}
    )
    return Found(0, 0) if row is None else Found(int(row[0]), int(row[1]))


def drop_runs(lean: Lean, table: str, before_us: int, after: str, limit: int) -> tuple[int, str]:
    """Take the texts of up to ``limit`` rows past the id ``after``: how many, and the last id ('' when done)."""
    old, has, _, emptied = _RUNS[table]
    rows = lean.fetch(
        f"SELECT t.id FROM {table} t WHERE t.id > :after AND {old} AND {has} ORDER BY t.id LIMIT :limit",
        {"after": after, "before_us": before_us, "limit": limit},
    )
    lean.executemany(f"UPDATE {table} SET {emptied} WHERE id = :id", [{"id": row[0]} for row in rows])
    return len(rows), rows[-1][0] if len(rows) == limit else ""


def drop_samples(lean: Lean, before_us: int) -> int:
    """Forget the messages that stand for prompts nobody registered and nobody sent since; how many."""
    return lean.execute("DELETE FROM unregistered_prompts WHERE last_us < :before_us", {"before_us": before_us})


_ENDED_TRACE = "t.open_count = 0 AND t.pruned_us IS NULL AND t.ended_us < :before_us"


def count_spans(lean: Lean, before_us: int) -> Found:
    """Steps of traces that ended before a moment, with the characters of their texts."""
    row = lean.one(
        f"SELECT COUNT(*), COALESCE(SUM({_TEXT_BYTES}), 0) FROM traces t JOIN spans s ON s.trace_key = t.id "
        f"LEFT JOIN span_payloads p ON p.span_key = s.id WHERE {_ENDED_TRACE}",
        {"before_us": before_us},
    )
    return Found(0, 0) if row is None else Found(int(row[0]), int(row[1]))


def drop_spans(lean: Lean, before_us: int, limit: int, now_us: int) -> int:
    """Remove the steps of whole traces, about ``limit`` at most unless one trace has more; how many, 0 when done."""
    rows = lean.fetch(
        f"SELECT t.id, t.span_count FROM traces t WHERE {_ENDED_TRACE} ORDER BY t.started_us, t.id LIMIT :limit",
        {"before_us": before_us, "limit": limit},
    )
    chosen = list(_up_to(rows, limit))
    if not chosen:
        return 0
    traces = {f"t{n}": key for n, key in enumerate(chosen)}
    inside = f"trace_key IN ({', '.join(':' + name for name in traces)})"
    spans = lean.fetch(f"SELECT {', '.join(_SPAN)} FROM spans WHERE {inside}", traces)
    _keep_sums(lean, spans)
    keys = [int(row[0]) for row in spans]
    search_index.forget_spans(lean, keys)
    for table, column in (("late_prices", "span_key"), ("span_payloads", "span_key"), ("spans", "id")):
        lean.executemany(f"DELETE FROM {table} WHERE {column} = :key", [{"key": key} for key in keys])
    lean.executemany(
        "UPDATE traces SET pruned_us = :now_us WHERE id = :key", [{"key": key, "now_us": now_us} for key in chosen]
    )
    return len(keys) or len(chosen)


def _up_to(rows: Iterable[tuple[Any, ...]], limit: int) -> Iterator[int]:
    total = 0
    for number, (key, count) in enumerate(rows):
        total += int(count)
        if number and (total > limit or number >= _MOST_TRACES):
            return
        yield int(key)


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
