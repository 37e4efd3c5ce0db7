"""Reading what a receipt is made of: a call with its card, and sums of calls by card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.values import TokenUsage

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean


class Call(NamedTuple):
    """What is kept of one call's price."""

    status: str
    started_us: int
    provider: str | None
    model: str | None
    tokens: TokenUsage
    cost_nusd: int | None
    unpriced: bool
    card_id: int | None
    receipt: dict[str, Any] | None
    """That its execution keeps."""


class CardSum(NamedTuple):
    """Calls of one model that were charged by one card (None: by no card of ours)."""

    provider: str
    model: str
    card_id: int | None
    calls: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cost_nusd: int


_CALL = """
SELECT s.status, s.started_us, s.provider, s.model, s.input_tokens, s.cache_read_tokens, s.cache_write_tokens,
       s.output_tokens, s.reasoning_tokens, s.cost_nusd, s.unpriced, s.card_id, e.receipt
FROM spans s LEFT JOIN executions e ON e.id = s.execution_id WHERE s.id = :key
"""
_SUMS = """
SELECT COALESCE(s.provider, ''), COALESCE(s.model, ''), s.card_id, COUNT(*), SUM(CASE WHEN s.unpriced THEN 1 ELSE 0 END),
       SUM(COALESCE(s.input_tokens, 0)), SUM(COALESCE(s.output_tokens, 0)), SUM(COALESCE(s.cost_nusd, 0))
FROM spans s WHERE {where} AND (s.cost_nusd IS NOT NULL OR s.unpriced) GROUP BY 1, 2, 3 ORDER BY 8 DESC, 1, 2, 3
"""


def call(lean: Lean, span_key: int) -> Call | None:
    """One span as a call, None when there is none."""
    row = lean.one(_CALL, {"key": span_key})
    if row is None:
        return None
    receipt = json.loads(row[12]) if row[12] else None
    return Call(row[0], int(row[1]), row[2], row[3], TokenUsage(*row[4:9]), row[9], bool(row[10]), row[11], receipt)


def of_trace(lean: Lean, trace_id: str) -> list[CardSum]:
    """What a trace's calls came to, by model and card, dearest first."""
    where = "s.trace_key = (SELECT id FROM traces WHERE trace_id = :trace_id)"
    return _sums(lean, where, {"trace_id": trace_id})


def of_version(lean: Lean, prompt_id: str, version_id: str) -> list[CardSum]:
    """What a version's calls came to, by model and card, dearest first."""
    return _sums(
        lean,
        "s.prompt_id = :prompt_id AND s.version_id = :version_id",
        {"prompt_id": prompt_id, "version_id": version_id},
    )


def _sums(lean: Lean, where: str, parameters: dict[str, Any]) -> list[CardSum]:
    rows = lean.fetch(_SUMS.format(where=where), parameters)
    return [
        CardSum(row[0], row[1], row[2], int(row[3]), int(row[4]), int(row[5]), int(row[6]), int(row[7])) for row in rows
    ]
