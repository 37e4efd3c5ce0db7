"""What a ledger holds of a trace, in the shape in which tests speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger_tui import PromptLedger
from ledger_tui.domain.values import SpanPayloadRow, SpanRow


@dataclass(frozen=True)
class Seen:
    """A span with its texts."""

    depth: int
    row: SpanRow
    payload: SpanPayloadRow

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes."""
        return self.payload.attributes


def seen(ledger: PromptLedger, trace_id: str) -> list[Seen]:
    """The spans of a trace in tree order, all that was recorded before."""
    assert ledger.flush()
    tree = ledger.traces.tree(trace_id)
    return [
        Seen(depth, row, ledger.traces.payload(row.key)) for depth, row in zip(tree.depths, tree.rows(), strict=True)
    ]


def outline(ledger: PromptLedger, trace_id: str) -> list[tuple[int, str]]:
    """Depth and name of each span."""
    return [(one.depth, one.row.name) for one in seen(ledger, trace_id)]


def named(ledger: PromptLedger, trace_id: str, name: str) -> Seen:
    """The only span of that name."""
    (found,) = [one for one in seen(ledger, trace_id) if one.row.name == name]
    return found
