"""Bodies of telemetry records, written by the database in one pass over rows: a backlog has millions of them.

What is written is canonical text, as `numbers.writer` writes it from the same values: fields in their order, those that say
nothing left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger_tui.domain.sync import numbers
from ledger_tui.domain.sync.numbers import FIELDS, ORDER


def body_sql(kind: str, special: Mapping[str, str] | None = None) -> str:
    """SQL for the body of a row of ``r``. special: SQL for fields that are not columns of their names, NULL to leave out."""
    expressions = {"rv": str(numbers.RV), **(special or {})}
    fields = [_field_sql(name, FIELDS[kind][name], expressions.get(name, f"r.{name}")) for name in ORDER[kind]]
    return f"'{{' || substr({' || '.join(fields)}, 2) || '}}'"


def _field_sql(name: str, wanted: type, expression: str) -> str:
    head = f"',\"{name}\":'"
    if wanted is int:
        return f"coalesce({head} || ({expression}), '')"
    # SQLite's escapes are those of Python's json.
    value = f"json_quote({expression})" if wanted is str else "'true'"
    return f"CASE WHEN ({expression}) IS NULL THEN '' ELSE {head} || {value} END"


def _counted_by(span: str) -> dict[str, str]:
    """SQL for what a step is counted by, as it travels; ``span`` is its alias."""
    _, linked_here = numbers.span_flags_sql(f"{span}.flags", f"{span}.flags")
    return {
        "environment": f"NULLIF({span}.environment, '')",
        "prompt_id": f"CASE WHEN {linked_here} THEN NULL ELSE {span}.prompt_id END",
        "version_id": f"CASE WHEN {linked_here} THEN NULL ELSE {span}.version_id END",
    }


SPAN = body_sql(
    "span",
    {
        **_counted_by("r"), "trace_id": "t.trace_id", "flags": numbers.span_flags_sql("r.flags", "r.flags")[0],
        "name": "NULLIF(r.name, '')", "kind": "NULLIF(r.kind, '')",
        "cost_nusd": "CASE WHEN l.span_key IS NULL THEN r.cost_nusd END",
        "card": "CASE WHEN l.span_key IS NULL THEN c.sha256 END",
        "unpriced": "CASE WHEN r.unpriced OR l.span_key IS NOT NULL THEN 1 END",
    },
)  # fmt: skip
# A call as it was when it ended: what a later fact priced is a record of its own.
_LATE = "instr(COALESCE(r.receipt, ''), '\"late_rid\"')"
EXECUTION = body_sql(
    "execution",
    {
        "environment": "NULLIF(r.environment, '')", "mode": "NULLIF(r.mode, '')",
        "cost_nusd": f"CASE WHEN {_LATE} THEN NULL ELSE r.cost_nusd END",
    },
)  # fmt: skip
USAGE = body_sql("usage", {"environment": "NULLIF(r.environment, '')", "source": "NULLIF(r.source, '')"})
LATE_PRICE = body_sql(
    "late_price",
    {
        **_counted_by("s"), "card": "c.sha256", "execution_id": "s.execution_id", "fact_rid": "r.rid", "model": "s.model",
        "provider": "s.provider", "span_id": "s.span_id", "span_rid": "s.rid", "started_us": "s.started_us",
        "trace_id": "t.trace_id",
    },
)  # fmt: skip
CARD = f"'{{\"card\":' || r.body || ',\"rv\":{numbers.RV}}}'"
