"""The Costs place shows exact sums and never takes unknown for nothing."""

from __future__ import annotations

from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger

from tests.ui.conftest import Workstation, screen_text, settle


def spend(ledger: PromptLedger) -> None:
    """Two priced calls and an unpriced, failed one, all of today."""
    ledger.prepare()
    calls = [(1_500_000_000, False, "succeeded"), (500_000_000, False, "succeeded"), (None, True, "failed")]
    ledger.traces.record(
        [
            SpanRecord(
                trace_id=f"t{number}",
                span_id="s",
                name="call",
                kind="llm",
                status=status,
                started_us=clock.now_us(),
                duration_us=1000,
                provider="openai",
                model="gpt-x" if cost else "own",
                tokens=TokenUsage(input=100, output=20),
                cost_nusd=cost,
                unpriced=unpriced,
            )
            for number, (cost, unpriced, status) in enumerate(calls)
        ]
    )


async def test_sums_by_day_and_by_model_count_the_unpriced(workstation: Workstation, ledger: PromptLedger) -> None:
    """Both tables add up, and calls without a price are counted instead of costing $0."""
    spend(ledger)
    async with workstation("costs") as pilot:
        shown = screen_text(pilot)
        assert "$2.00 +? · 3 calls · ✗ 1 failed · ⚠ 1 unpriced" in shown
        own = next(row for row in shown.splitlines() if "openai/own" in row)
        assert "—" in own and "⚠ 1" in own and "$" not in own.split("openai/own")[1]


async def test_nothing_spent_says_what_to_press(workstation: Workstation) -> None:
    """An empty ledger says that nothing was called, and which key runs something."""
    async with workstation("costs", (80, 24)) as pilot:
        shown = screen_text(pilot)
        assert "No call to a model in this period." in shown and "f3" in shown


async def test_brackets_and_buttons_change_the_period(workstation: Workstation, ledger: PromptLedger) -> None:
    """The period is changed by key and by mouse."""
    spend(ledger)
    async with workstation("costs", (80, 24)) as pilot:
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert pilot.app.screen.days == 90
        await pilot.click("#days-7")
        await settle(pilot)
        assert pilot.app.screen.days == 7 and "$2.00" in screen_text(pilot)
