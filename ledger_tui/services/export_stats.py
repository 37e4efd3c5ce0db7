"""Sums and percentiles of calls as rows of an export, the same for screens, scripts and spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import money
from ledger_tui.services.export import Rows, table_rows

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats


def stats_shape(row: CallStats) -> dict[str, Any]:
    """A row as JSON: its key and label, sums, rates, cost in USD and in whole nano-dollars, milliseconds, filters."""
    cost = row.known_cost_nusd
    return {
        "key": list(row.key),
        "label": row.label,
        "calls": row.calls,
        "succeeded": row.succeeded,
        "errors": row.errors,
        "canceled": row.canceled,
        "success_rate": row.success_rate,
        "error_rate": row.error_rate,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "output_tokens": row.output_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": None if cost is None else money.to_usd(cost),
        "cost_nusd": cost,
        "unpriced": row.unpriced,
        "average_latency_ms": None if row.average_us is None else row.average_us / 1000,
        "p50_latency_ms": _milliseconds(row.p50_us),
        "p95_latency_ms": _milliseconds(row.p95_us),
        "p50_first_token_ms": _milliseconds(row.first_p50_us),
        "p95_first_token_ms": _milliseconds(row.first_p95_us),
        "filter": row.filter_text,
    }


def _milliseconds(value_us: int | None) -> float | None:
    return None if value_us is None else value_us / 1000


def stats_rows(tables: Iterable[tuple[str, Sequence[CallStats]]]) -> Rows:
    """Tables below each other; the first column says by what each is grouped, the last finds the traces."""
    found: list[list[Any]] = []
    names: list[str] = []
    for by, rows in tables:
        for row in rows:
            shape = stats_shape(row)
            del shape["key"]
            names = list(shape)
            found.append([by, *shape.values()])
    return table_rows(["by", *(names or _names())], found)


def _names() -> list[str]:
    from datetime import date

    from ledger_tui.domain.call_stats import CallStats
    from ledger_tui.domain.selection import Selection

    day = date(2000, 1, 1)
    return [name for name in stats_shape(CallStats((), "", Selection(day, day))) if name != "key"]
