"""Running spans that programs recorded: who will end them, and ending those that nobody will.

A span is running, then ended; one whose program died is ended as interrupted in between, and its real end still counts
when it comes after all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.values import SpanRecord, TokenUsage

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

INTERRUPTED = "interrupted"
WORDS = "the program ended before this step did"


class OpenSpan(NamedTuple):
    """A running span, its owner, and the last moment that anything is known of its trace."""

    key: int
    owner: str
    known_us: int


_LIST = """
SELECT o.span_key, o.owner, t.ended_us
FROM open_spans o JOIN spans s ON s.id = o.span_key JOIN traces t ON t.id = s.trace_key ORDER BY o.span_key
"""
_COLUMNS = (
    "span_id", "name", "kind", "status", "started_us", "duration_us", "parent_span_id", "provider", "model", "prompt_id",
    "version_id", "execution_id", "cost_nusd", "unpriced", "agent_id", "environment", "session_id", "user_identifier",
    "error_type", "flags", "first_token_us", "card_id",
)  # fmt: skip
_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_ONE = f"""
SELECT t.ended_us, t.trace_id, {", ".join("s." + name for name in (*_COLUMNS, *_TOKENS))}
FROM spans s JOIN traces t ON t.id = s.trace_key WHERE s.id = :key
"""


def listed(lean: Lean) -> list[OpenSpan]:
    """The running spans that programs recorded."""
    return [OpenSpan(*row) for row in lean.fetch(_LIST)]


def note(lean: Lean, keys: Iterable[int], owner: str) -> None:
    """Keep who will end these spans."""
    sql = "INSERT INTO open_spans (span_key, owner) VALUES (:key, :owner)"
    lean.executemany(sql, [{"key": key, "owner": owner} for key in keys])


def forget(lean: Lean, key: int) -> None:
    """A span ended."""
    lean.execute("DELETE FROM open_spans WHERE span_key = :key", {"key": key})


def stored(lean: Lean, key: int) -> tuple[SpanRecord, int] | None:
    """A span as it is stored, without its texts, and the last moment known of its trace."""
    row = lean.one(_ONE, {"key": key})
    if row is None:
        return None
    known_us, trace_id, *values = row
    fields: dict[str, Any] = dict(zip(_COLUMNS, values, strict=False))
    fields["unpriced"] = bool(fields["unpriced"])
    return SpanRecord(trace_id=trace_id, tokens=TokenUsage(*values[len(_COLUMNS) :]), **fields), known_us


def as_interrupted(span: SpanRecord, known_us: int) -> SpanRecord:
    """The end of a running span that nobody will end, at the last moment known of its trace."""
    lasted_us = max(0, known_us - span.started_us)
    return replace(span, status="failed", duration_us=lasted_us, error_type=INTERRUPTED, error=WORDS)


_REOPEN = """
UPDATE spans SET status = 'running', duration_us = NULL, error_type = NULL
WHERE id = :key AND status = 'failed' AND error_type = :interrupted
"""
_REOPEN_TRACE = """
UPDATE traces SET status = 'running', open_count = open_count + 1, error_count = error_count - 1
WHERE id = (SELECT trace_key FROM spans WHERE id = :key)
"""


def reopen(lean: Lean, key: int) -> SpanRecord | None:
    """Let a span that was ended as interrupted run again, since its real end came; the span as it was counted.

    None when it was not. The sums of its day are the caller's.
    """
    found = stored(lean, key)
    if found is None or not lean.execute(_REOPEN, {"key": key, "interrupted": INTERRUPTED}):
        return None
    lean.execute(_REOPEN_TRACE, {"key": key})
    lean.execute(
        "UPDATE span_payloads SET error = NULL, indexed = :no WHERE span_key = :key", {"key": key, "no": False}
    )
    return found[0]
