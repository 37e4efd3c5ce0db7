"""Before running: what a run costs stands in Playground and Prompts, and many runs in a table; nothing is sent."""

from __future__ import annotations

from functools import partial

import pytest
from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.dialogs.forecast import ForecastDialog
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.prompts.findings import Findings
from ledger_tui.ui.subject import PlaygroundSubject
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.conftest import Workstation, screen_text, until

MODEL = "openai/gpt-4o-mini"
CONTENT = PromptContent((Message("user", "x" * 4_000),), model=MODEL)


def answered(ledger: PromptLedger) -> None:
    """The prompt ``long``, answered a hundred times at lengths of 10 to 1,000 tokens."""
    ledger.prepare()
    ledger.registry.save("long", CONTENT)
    rows = [
        SpanRecord(
            f"t{n}", "s", "call", "llm", "succeeded", clock.now_us(), 1, provider="openai", model="gpt-4o-mini",
            prompt_id=ids.prompt_id("long"), tokens=TokenUsage(input=1, output=n * 10),
        )
        for n in range(1, 101)
    ]  # fmt: skip
    ledger.traces.record(rows)


def _shows(pilot: Pilot[None], text: str) -> bool:
    return text in screen_text(pilot)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_a_thousand_runs_are_forecast_before_one_is_made(
    workstation: Workstation, ledger: PromptLedger, size: tuple[int, int]
) -> None:
    """Tokens and cost of a thousand runs, as the price book says; another number of runs counts at once; nothing runs."""
    answered(ledger)
    (one,) = ledger.forecasts.forecast(CONTENT, [MODEL], prompt="long")
    assert one.cost_nusd is not None
    async with workstation("playground", size) as pilot:
        pilot.app.open_playground(PlaygroundSubject(CONTENT, "long", ledger.registry.version("long").id))  # type: ignore[attr-defined]
        await until(lambda: pilot.app.screen.query_one(AnswerColumn).model == MODEL, pilot, "the prompt")
        await pilot.press("f7")
        await until(lambda: isinstance(pilot.app.screen, ForecastDialog), pilot, "the table")
        for runs in (1_000, 10_000):
            wanted = f"${one.cost_nusd.median * runs / 1e9:,.2f}"
            await until(partial(_shows, pilot, wanted), pilot, f"{wanted} for {runs} runs")
            await pilot.press("up")
        pilot.app.screen.query_one("#runs", Input).value = "3"
        await until(lambda: f"{3 * one.input_tokens:,}"[:1] in screen_text(pilot), pilot, "three runs")
        await pilot.press("escape")
    assert len(ledger.traces.page(limit=200).rows) == 100


async def test_the_column_says_what_a_run_and_its_repetitions_take(
    workstation: Workstation, ledger: PromptLedger
) -> None:
    """The line below a model has the usual answer's length and cost, and that of all repetitions; a click opens the table."""
    answered(ledger)
    async with workstation("playground") as pilot:
        pilot.app.open_playground(PlaygroundSubject(CONTENT, "long", ledger.registry.version("long").id))  # type: ignore[attr-defined]
        await until(lambda: "~500 back (95 % up to 950)" in screen_text(pilot), pilot, "the length")
        pilot.app.screen.query_one("#repeat", Input).value = "5"
        await until(lambda: "5 runs" in screen_text(pilot), pilot, "the repetitions")
        await pilot.click(".cost")
        await until(lambda: isinstance(pilot.app.screen, ForecastDialog), pilot, "the table")


async def test_the_editor_says_what_the_answer_is_expected_to_take(
    workstation: Workstation, ledger: PromptLedger
) -> None:
    """The line below the text counts the answer as long as this prompt's were; a prompt that never ran says so."""
    answered(ledger)
    ledger.registry.save("new", CONTENT)
    async with workstation("prompts") as pilot:
        pilot.app.open_prompt("long")  # type: ignore[attr-defined]
        await until(lambda: "~500 back" in screen_text(pilot), pilot, "the length")
        await pilot.click(pilot.app.screen.query_one(Findings).query_one("#estimate"))
        await until(lambda: isinstance(pilot.app.screen, ForecastDialog), pilot, "the table")
        await pilot.press("escape")
        pilot.app.open_prompt("new")  # type: ignore[attr-defined]
        await until(lambda: "answer length unknown" in screen_text(pilot), pilot, "that nobody knows")
