"""What a benchmark says: one value beside its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One measured value; ``ok`` is None when there is no limit."""

    name: str
    value: float
    unit: str
    limit: float | None
    ok: bool | None
    note: str = ""


def at_most(name: str, value: float, unit: str, limit: float, note: str = "") -> Result:
    """A value that should not be larger than its limit."""
    return Result(name, value, unit, limit, value <= limit, note)


def table(results: Sequence[Result]) -> str:
    """The results as aligned lines."""
    rows = [("", "what", "measured", "limit", "note")]
    for result in results:
        limit = "" if result.limit is None else f"≤ {result.limit:g} {result.unit}".rstrip()
        mark = {True: "✓", False: "✗", None: " "}[result.ok]
        rows.append(
            (mark, result.name, f"{result.value:.3g} {result.unit}".rstrip(), limit, getattr(result, "note", ""))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join("  ".join(cell.ljust(widths[n]) for n, cell in enumerate(row)).rstrip() for row in rows)
