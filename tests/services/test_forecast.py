"""Before running: tokens and cost from the prompt's own history and the price book, and nothing where it is unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import LedgerError
from ledger_tui.services.price_book import PriceBook

MODEL = "openai/gpt-4o-mini"
CONTENT = PromptContent((Message("user", "x" * 400),))


@pytest.fixture
def ledger(tmp_path: Path) -> PromptLedger:
    """A ledger where the prompt ``p`` was answered at lengths of 1 to 100 tokens."""
    ledger = PromptLedger(str(tmp_path / "l.db"))
    ledger.create_prompt("p", "x")
    call = SpanRecord(
        "t", "s", "call", "llm", "succeeded", clock.now_us(), 1, provider="openai", model="gpt-4o-mini",
        prompt_id=ids.prompt_id("p"),
    )  # fmt: skip
    ledger.traces.record([replace(call, trace_id=f"t{n}", tokens=TokenUsage(input=1, output=n)) for n in range(1, 101)])
    return ledger


def test_a_forecast_is_the_price_of_its_tokens(ledger: PromptLedger) -> None:
    """Each figure is what the price book says for the input and an answer of that length, times the runs."""
    with ledger:
        (one,) = ledger.forecasts.forecast(CONTENT, [MODEL], prompt="p")
        (many,) = ledger.forecasts.forecast(CONTENT, [MODEL], prompt="p", runs=1_000)
        assert (one.input_tokens, one.seen, one.of_this_model) == (100, 100, True)
        assert one.output_tokens and (one.output_tokens.low, one.output_tokens.median, one.output_tokens.p95) == (
            5,
            50,
            95,
        )
        for length, cost in ((0, one.input_cost_nusd), (50, one.cost_nusd and one.cost_nusd.median)):
            priced = PriceBook(ledger.database).price(
                "openai", ["gpt-4o-mini"], TokenUsage(input=100, output=length), clock.now_us()
            )
            assert priced is not None and cost == priced.nusd > 0
        assert many.cost_nusd and one.cost_nusd and many.cost_nusd.p95 == 1_000 * one.cost_nusd.p95
        assert many.input_tokens == 100_000


def test_another_model_borrows_the_lengths(ledger: PromptLedger) -> None:
    """A model that never ran the prompt is forecast by what others answered, and says so; models keep their order."""
    with ledger:
        found = ledger.forecasts.forecast(CONTENT, ["openai/gpt-4o", MODEL], prompt="p")
        assert [one.of_this_model for one in found] == [False, True]
        costs = [one.cost_nusd.median for one in found if one.cost_nusd]
        assert len(costs) == 2 and costs[0] > costs[1]


def test_unknown_is_not_zero(ledger: PromptLedger) -> None:
    """Without a history there is no length, without a price no cost; the input alone is still told."""
    with ledger:
        (new,) = ledger.forecasts.forecast(CONTENT, [MODEL], prompt="new")
        assert (new.output_tokens, new.cost_nusd, new.seen) == (None, None, 0) and new.input_cost_nusd
        (unpriced,) = ledger.forecasts.forecast(CONTENT, ["openai/no-such-model"], prompt="p")
        assert unpriced.output_tokens and unpriced.cost_nusd is None and unpriced.input_cost_nusd is None
        with pytest.raises(LedgerError):
            ledger.forecasts.forecast(CONTENT, [MODEL], runs=0)
