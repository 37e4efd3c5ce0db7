"""Receipts on any cost, the price book and what-if in the workstation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger_tui.domain import clock
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.dialogs.receipt import ReceiptDialog, SumDialog
from ledger_tui.ui.places.costs.price_form import PriceForm
from ledger_tui.ui.places.costs.prices import PriceBookPage
from ledger_tui.ui.places.costs.what_if import WhatIfPage
from ledger_tui.ui.widgets.row_table import RowTable
from textual.widgets import Input, Static

from tests.ui.conftest import Workstation, screen_text, settle, until


@pytest.fixture
def spent(ledger: PromptLedger) -> Iterator[PromptLedger]:
    """Two calls charged by an own price, one by the public book, one given by its caller, one without a price."""
    ledger.prepare()
    ledger.prices.add("acme", "m", {"input": "2", "output": "8"}, from_us=0)
    calls = (
        ("acme", "m", {}), ("acme", "m", {}), ("openai", "gpt-4o", {}), ("acme", "m", {"cost": "0.25"}), ("acme", "new", {})
    )  # fmt: skip
    for number, (provider, model, more) in enumerate(calls):
        ledger.log_external_span(
            "run", name=f"call {number}", model=model, provider=provider, prompt_tokens=1000, completion_tokens=100,
            duration_ms=5, **more,
        )  # fmt: skip
    ledger.flush()
    yield ledger


async def test_a_calls_receipt_from_the_tree(workstation: Workstation, spent: PromptLedger) -> None:
    """The receipt key on a call of the tree shows each class, the amounts, and that the price is the team's own."""
    async with workstation("traces", (120, 40)) as pilot:
        await pilot.press("enter")
        await settle(pilot)
        pilot.app.screen.query_one("#tree").focus()
        await pilot.press("dollar_sign")
        await until(lambda: isinstance(pilot.app.screen, ReceiptDialog), pilot)
        await settle(pilot)
        shown = screen_text(pilot)
        assert "Receipt · call 0" in shown and "own price" in shown and "$0.0028" in shown and "1970-01-01" in shown
        await pilot.press("dollar_sign")
        assert not isinstance(pilot.app.screen, ReceiptDialog)


async def test_a_sum_adds_up_and_leads_to_the_traces(workstation: Workstation, spent: PromptLedger) -> None:
    """A trace's cost is shown by model and rates: the lines add up, the unpriced call is counted, enter opens traces."""
    async with workstation("traces", (120, 40)) as pilot:
        await pilot.press("dollar_sign")
        await until(lambda: isinstance(pilot.app.screen, SumDialog), pilot)
        await settle(pilot)
        shown = screen_text(pilot)
        assert "given by the caller" in shown and "not known" in shown and "genai-prices" in shown
        assert "$0.2591 in 5 calls" in shown and "1 of them unpriced and in no sum" in shown
        table = pilot.app.screen.query_one(RowTable)
        assert table.row_count == 4
        await pilot.press("enter")
        await until(lambda: not isinstance(pilot.app.screen, SumDialog), pilot)
        await settle(pilot)
        assert "model:m" in pilot.app.screen.query_one("#filter Input", Input).value


async def test_the_cost_of_a_day_and_of_a_model(workstation: Workstation, spent: PromptLedger) -> None:
    """In Costs the receipt key works on the row of a day: a line a model."""
    async with workstation("costs", (120, 40)) as pilot:
        pilot.app.screen.query_one("#day-table").focus()
        await pilot.press("dollar_sign")
        await until(lambda: isinstance(pilot.app.screen, SumDialog), pilot)
        await settle(pilot)
        shown = screen_text(pilot)
        assert "acme/m" in shown and "openai/gpt-4o" in shown and "5 calls" in shown


async def test_a_price_is_entered_ended_withdrawn_and_undone(workstation: Workstation, spent: PromptLedger) -> None:
    """The price book enters a price by a form, which says what is wrong; delete withdraws; u takes it back."""
    async with workstation("costs", (120, 40)) as pilot:
        await pilot.press("b")
        await until(lambda: isinstance(pilot.app.screen, PriceBookPage), pilot)
        await settle(pilot)
        assert "acme/m" in screen_text(pilot) and "acme/new" in screen_text(pilot)
        pilot.app.screen.query_one("#unpriced-table").focus()
        await pilot.press("n")
        await until(lambda: isinstance(pilot.app.screen, PriceForm), pilot)
        form = pilot.app.screen
        assert form.query_one("#price-model", Input).value == "acme/new"
        form.query_one("#price-input", Input).value = "-1"
        form.query_one("#price-output", Input).value = "4"
        await pilot.press("enter")
        assert "no price" in str(form.query_one(".problem", Static).content)
        form.query_one("#price-input", Input).value = "1"
        form.query_one("#price-from", Input).value = "2020-01-01"
        await pilot.press("enter")
        await until(lambda: len(spent.prices.entries()) == 2, pilot)
        await settle(pilot)
        table = pilot.app.screen.query_one("#price-table", RowTable)
        table.focus()
        table.move_cursor(row=1)
        await pilot.press("delete")
        await until(lambda: len(spent.prices.entries()) == 1, pilot)
        await settle(pilot)
        await pilot.press("u")
        await until(lambda: len(spent.prices.entries()) == 2, pilot)
        await settle(pilot)
        assert table.row_count == 2


async def test_calls_are_priced_late_after_a_question(workstation: Workstation, spent: PromptLedger) -> None:
    """p says how many calls it would charge how much, and does it only when that is confirmed."""
    spent.prices.add("acme", "new", {"input": "1", "output": "1"}, from_us=clock.now_us() - 86_400_000_000)
    async with workstation("costs", (120, 40)) as pilot:
        await pilot.press("b")
        await until(lambda: isinstance(pilot.app.screen, PriceBookPage), pilot)
        await settle(pilot)
        await pilot.press("p")
        await until(lambda: "cannot be undone" in screen_text(pilot), pilot)
        assert spent.prices.unpriced()
        await pilot.press("y")
        await until(lambda: not spent.prices.unpriced(), pilot)
        await settle(pilot)
        assert "every call has a price" in screen_text(pilot)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_what_if_answers_in_a_table(workstation: Workstation, spent: PromptLedger, size: tuple[int, int]) -> None:
    """What-if shows charged beside would-be, counts what has no price, and says what is wrong with a question."""
    async with workstation("costs", size) as pilot:
        await pilot.press("w")
        await until(lambda: isinstance(pilot.app.screen, WhatIfPage), pilot)
        page = pilot.app.screen
        page.query_one("#what-filter", Input).value = ""
        page.query_one("#what-model", Input).value = "openai/gpt-4o-mini"
        await pilot.press("enter")
        await until(lambda: "would be" in str(page.query_one("#what-said", Static).content), pilot)
        await settle(pilot)
        shown = screen_text(pilot)
        assert "acme/m" in shown and "total" in shown
        page.query_one("#what-at", Input).value = "2026-11-01T01:30"
        await pilot.press("enter")
        await until(lambda: any("zone" in notice.message for notice in pilot.app._notifications), pilot)
        await pilot.press("escape")
        await until(lambda: not isinstance(pilot.app.screen, WhatIfPage), pilot)
