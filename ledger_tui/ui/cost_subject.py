"""What the receipt key shows: a cost that a place has under its cursor, and how to read what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.domain.values import CostRow
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.receipts import CostLine, Receipt


@dataclass(frozen=True, slots=True)
class CostSubject:
    """One cost on the screen. ``read`` runs in a thread."""

    title: str
    """May hold foreign text."""
    read: Callable[[PromptLedger], Receipt | Sequence[CostLine]]
    filter_text: str = ""
    """The traces behind a sum; each line adds its model to it."""


def line_of(row: CostRow) -> CostLine:
    """A sum of days by provider and model as a line of a receipt; days do not know by which rates."""
    from ledger_tui.services.receipts import CostLine

    provider, model = row.key[-2:]
    return CostLine(
        provider, model, None, row.calls, row.unpriced, row.input_tokens, row.output_tokens, row.cost_nusd, True
    )
