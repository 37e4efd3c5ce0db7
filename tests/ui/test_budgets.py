"""Budgets and alerts in the workstation: the top line, the toasts, the page, and a run that is stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.places.costs.budget_form import BudgetForm
from ledger_tui.ui.places.costs.budgets import BudgetsPage, bar, sparks
from ledger_tui.ui.widgets.row_table import RowTable
from ledger_tui.ui.widgets.top_line import TopLine
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.conftest import Workstation, screen_text, settle, until

CENT = 10_000_000


def spend(ledger: PromptLedger, nusd: int | None, days_ago: int = 0, count: int = 1) -> None:
    """Record calls that ended so long ago and cost so much each (None: unpriced)."""
    ledger.prepare()
    at_us = clock.to_us(clock.now() - timedelta(days=days_ago))
    rows = [
        SpanRecord(
            f"t-{days_ago}-{nusd}-{number}", "s", "call", "llm", "succeeded", at_us, duration_us=1, provider="openai",
            model="gpt-4o-mini", tokens=TokenUsage(input=1, output=1), cost_nusd=nusd, unpriced=nusd is None,
        )
        for number in range(count)
    ]  # fmt: skip
    ledger.traces.record(rows)


def first_row(pilot: Pilot[None]) -> str:
    return screen_text(pilot).splitlines()[0]


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_top_line_sets_spending_against_the_budget(
    workstation: Workstation, ledger: PromptLedger, size: tuple[int, int]
) -> None:
    """Amounts, share and a mark stand in the top line of every place, at the smallest size too."""
    spend(ledger, 420 * CENT)
    ledger.budgets.set(5, "day")
    async with workstation("traces", size) as pilot:
        await until(lambda: "⚠" in first_row(pilot), pilot, "the budget")
        assert "$4.20 of $5.00 (84 %)" in first_row(pilot)


async def test_spending_elsewhere_is_told_once_by_a_toast(workstation: Workstation, ledger: PromptLedger) -> None:
    """When another program spends past the limit, the workstation says so, and only once."""
    spend(ledger, CENT)
    ledger.budgets.set(5, "day")
    async with workstation("prompts") as pilot:
        await until(lambda: "$5.00" in first_row(pilot), pilot, "the budget")
        spend(ledger, 600 * CENT)
        await until(lambda: "✗" in first_row(pilot), pilot, "the mark")
        told = await until(
            lambda: [note for note in pilot.app._notifications if note.title == "Budget spent"], pilot, "the toast"
        )
        assert len(told) == 1 and "$6.01 of $5.00 (120 %)" in told[0].message
        await until(lambda: "1 alert" in first_row(pilot), pilot, "the count")


async def test_a_budget_is_set_changed_and_removed_by_keys(workstation: Workstation, ledger: PromptLedger) -> None:
    """The empty page says what to press; a wrong amount is refused in words; change, remove and undo work."""
    ledger.prepare()
    async with workstation("prompts", (80, 24)) as pilot:
        await pilot.press("!")
        await until(lambda: isinstance(pilot.app.screen, BudgetsPage), pilot, "the page")
        await settle(pilot)
        assert "No budgets" in screen_text(pilot)
        await pilot.press("n")
        await until(lambda: isinstance(pilot.app.screen, BudgetForm), pilot, "the form")
        await pilot.press(*"much", "enter")
        await until(lambda: "no amount of" in screen_text(pilot), pilot, "the refusal")
        pilot.app.screen.query_one("#budget-limit", Input).value = "2.50"
        await pilot.press("tab", *"month", "tab", *"support/*", "enter")
        await until(lambda: ledger.budgets.entries(), pilot, "the budget")
        await settle(pilot)
        assert "support/*" in screen_text(pilot) and "$2.50" in screen_text(pilot)
        await pilot.press("e")
        await until(lambda: isinstance(pilot.app.screen, BudgetForm), pilot, "the form")
        assert pilot.app.screen.query_one("#budget-prompt", Input).disabled
        pilot.app.screen.query_one("#budget-limit", Input).value = "3"
        await pilot.press("enter")
        await until(lambda: ledger.budgets.entries()[0].spec.limit_nusd == 300 * CENT, pilot, "the change")
        await settle(pilot)
        await pilot.press("delete")
        await until(lambda: not ledger.budgets.entries(), pilot, "the removal")
        await settle(pilot)
        await pilot.press("u")
        await until(lambda: ledger.budgets.entries(), pilot, "the undo")
        await until(lambda: "$3.00" in screen_text(pilot), pilot, "the budget again")
        await pilot.press("escape")
        await until(lambda: not isinstance(pilot.app.screen, BudgetsPage), pilot, "the way back")


async def test_a_click_on_the_spend_opens_the_page(workstation: Workstation, ledger: PromptLedger) -> None:
    """The words about money in the top line are a button, and the page is a button away from new budgets."""
    spend(ledger, 100 * CENT)
    ledger.budgets.set(5, "day")
    async with workstation("traces", (100, 24)) as pilot:
        await until(lambda: "$1.00 of" in first_row(pilot), pilot, "the budget")
        await pilot.click(TopLine, offset=(first_row(pilot).index("$1.00 of"), 0))
        await until(lambda: isinstance(pilot.app.screen, BudgetsPage), pilot, "the page")
        await settle(pilot)
        await pilot.pause()
        assert "everything" in screen_text(pilot)
        await pilot.click("Button")
        await until(lambda: isinstance(pilot.app.screen, BudgetForm), pilot, "the form")


async def test_alerts_show_their_numbers_and_lead_to_the_traces(workstation: Workstation, ledger: PromptLedger) -> None:
    """A day that stands out is listed with its history; looking at it makes it seen; enter finds its traces."""
    for day in range(1, 9):
        spend(ledger, CENT, day, count=25)
    spend(ledger, 20 * CENT, count=25)
    async with workstation("prompts", (120, 40)) as pilot:
        await until(lambda: "alert" in first_row(pilot), pilot, "the count")
        await pilot.press("!")
        await until(lambda: isinstance(pilot.app.screen, BudgetsPage), pilot, "the page")
        await until(lambda: "usually $0.2500" in screen_text(pilot), pilot, "the alert")
        assert "⚠ new" in screen_text(pilot) and "cost $5.00" in screen_text(pilot) and "█" in screen_text(pilot)
        await until(lambda: ledger.alerts.unseen() == 0, pilot, "the alerts to be seen")
        await until(lambda: "alert" not in first_row(pilot), pilot, "the count to go")
        pilot.app.screen.query_one("#alert-table", RowTable).focus()
        await pilot.press("enter")
        await until(lambda: pilot.app.current_mode == "traces", pilot, "the traces")


async def test_a_run_past_the_budget_says_so_in_its_column(workstation: Workstation, ledger: PromptLedger) -> None:
    """The playground shows which budget stopped the call, and what to do, where the answer would be."""
    spend(ledger, 200 * CENT)
    ledger.budgets.set(1, "day")
    async with workstation("playground") as pilot:
        await pilot.press("ctrl+r")
        await until(lambda: "budget does not allow" in screen_text(pilot), pilot, "the refusal")
        assert "$2.00 is" in screen_text(pilot)


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, "····"), (0.5, "██··"), (0.54, "██▏·"), (1.0, "████"), (9.0, "████")]
)
def test_a_bar_is_as_long_as_the_share(share: float, drawn: str) -> None:
    """Eighths count, and no bar is longer than its room."""
    assert bar(share, 4) == drawn


def test_small_columns_keep_the_order_of_their_values() -> None:
    """The highest value is a full column, nothing is the lowest, and no values are no columns."""
    assert sparks([0, 1, 2]) == "▁▄█" and sparks([0, 0]) == "▁▁" and sparks([]) == ""
