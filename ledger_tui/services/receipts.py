"""The receipt of any call, for ever: written again from its tokens and the rates that it was charged by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ledger_tui.domain.rate_card import RateCard, card_of
from ledger_tui.domain.values import TERMINAL
from ledger_tui.errors import NotFound
from ledger_tui.store import late_prices, rate_cards
from ledger_tui.store import receipts as reads

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

How = Literal["charged", "given", "told", "unpriced", "free of charge", "running"]
"""charged: by the ledger's own arithmetic. given: the caller said what it cost. told: the caller gave a receipt as well.
unpriced: no price is known. free of charge: no call that costs anything. running: it has not ended."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a call cost, and why."""

    how: How
    cost_nusd: int | None
    receipt: dict[str, Any] | None
    """Plain JSON as ``domain.receipt.receipt_lines`` shows it; its amounts add up to the cost."""
    late_rid: str | None = None
    """The fact that priced the call after it had ended."""
    late_us: int | None = None
    late_actor: str = ""


@dataclass(frozen=True, slots=True)
class CostLine:
    """What some calls of one model came to that were charged by the same rates."""

    provider: str
    model: str
    card: RateCard | None
    """None: the cost was given by the caller, or is not known."""
    calls: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    any_rates: bool = False
    """The line is a sum over all rates that were in force."""

    @property
    def known_nusd(self) -> int | None:
        """The sum of the priced calls, None when there is none."""
        return self.cost_nusd if self.calls > self.unpriced else None


def receipt(lean: Lean, span_key: int) -> Receipt:
    """The receipt of a span; raises NotFound."""
    call = reads.call(lean, span_key)
    if call is None:
        raise NotFound("there is no such span", title="No such span")
    if call.status not in TERMINAL:
        return Receipt("running", None, None)
    if call.cost_nusd is None:
        return Receipt("unpriced" if call.unpriced else "free of charge", None, None)
    late = late_prices.late(lean, span_key)
    made = call.receipt if call.receipt is not None else _from_card(lean, call)
    if made is not None and made.get("total_nusd") == call.cost_nusd:
        if late is not None:
            made = {**made, "late_rid": late[0], "late_at_us": late[1]}
        return Receipt("charged", call.cost_nusd, made, *(late or ()))
    told = _told(lean, span_key)
    if told is not None and told.get("total_nusd") == call.cost_nusd:
        return Receipt("told", call.cost_nusd, told)
    return Receipt("given", call.cost_nusd, None)


def of_trace(lean: Lean, trace_id: str) -> list[CostLine]:
    """What a trace's calls came to by model and rates."""
    return _lines(lean, reads.of_trace(lean, trace_id))


def of_version(lean: Lean, prompt_id: str, version_id: str) -> list[CostLine]:
    """What the calls of a prompt's version came to by model and rates."""
    return _lines(lean, reads.of_version(lean, prompt_id, version_id))


def _lines(lean: Lean, sums: list[reads.CardSum]) -> list[CostLine]:
    bodies = rate_cards.bodies(lean, [row.card_id for row in sums if row.card_id is not None])
    return [
        CostLine(
            row.provider,
            row.model,
            None if row.card_id not in bodies else card_of(bodies[row.card_id]),
            *(row.calls, row.unpriced, row.input_tokens, row.output_tokens, row.cost_nusd),
        )
        for row in sums
    ]


def _from_card(lean: Lean, call: reads.Call) -> dict[str, Any] | None:
    body = None if call.card_id is None else rate_cards.bodies(lean, [call.card_id]).get(call.card_id)
    card = None if body is None else card_of(body)
    priced = None if card is None else card.price(call.tokens, call.started_us)
    return None if priced is None else priced.receipt


def _told(lean: Lean, span_key: int) -> dict[str, Any] | None:
    from ledger_tui.store import traces

    payload = traces.payload(lean, span_key)
    told = None if payload is None else payload.attributes.get("receipt")
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return None
    return told if isinstance(told, dict) else None
