"""The Costs place shows exact sums and never takes unknown for nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.widgets.row_table import RowTable

from tests.ui.conftest import Workstation, screen_text, settle, until


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


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_a_day_and_a_model_open_the_traces_behind_them(
    workstation: Workstation, ledger: PromptLedger, size: tuple[int, int]
) -> None:
    """Enter on a model and a click on a day lead to Traces, filtered by just that."""
    spend(ledger)
    async with workstation("costs", size) as pilot:
        table = pilot.app.screen.query_one("#model-table", RowTable)
        table.focus()
        await until(lambda: table.has_focus, pilot)
        table.move_cursor(row=[str(key.value) for key in table.rows].index("openai/own"))
        await pilot.press("enter")
        await until(lambda: pilot.app.screen.PLACE == "traces", pilot)
        traces = pilot.app.screen
        await until(lambda: traces.filter_text.startswith("model:own provider:openai since:"), pilot)
        await settle(pilot)
        assert [row.trace_id for row in traces.trace_list.traces] == ["t2"] and traces.trace_list.has_focus
        await pilot.press("f5")
        await settle(pilot)
        await pilot.click("#day-table", offset=(14, 1))
        today = clock.now().date()
        await until(lambda: traces.filter_text == f"since:{today} until:{today + timedelta(days=1)}", pilot)
        await settle(pilot)
        assert traces.trace_list.row_count == 3 and pilot.app.screen is traces


async def test_a_narrow_terminal_shows_every_figure(workstation: Workstation, ledger: PromptLedger) -> None:
    """In 80 columns a long name of a model is cut, never a number."""
    ledger.prepare()
    name = "a-very-long-name-of-a-model-that-someone-tuned-for-one-purpose"
    tokens = TokenUsage(input=123_456, output=98_765)
    record = SpanRecord(
        trace_id="t", span_id="s", name="call", kind="llm", status="failed", started_us=clock.now_us(),
        duration_us=1, provider="openrouter", model=name, tokens=tokens, unpriced=True,
    )  # fmt: skip
    ledger.traces.record([record])
    async with workstation("costs", (80, 24)) as pilot:
        shown = screen_text(pilot)
        row = next(row for row in shown.splitlines() if "openrouter/" in row)
        assert "openrouter/a-very-lon" in row and "…" in row and "✗ 1" in row and "123k/98.8k" in row and "⚠ 1" in row
        assert pilot.app.screen.query_one("#model-table").max_scroll_x == 0
