"""What retention took says so in Traces, and the rules, the look and the deed in Settings."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.retention import Rule
from ledger_tui.domain.values import SpanRecord
from ledger_tui.ledger import PromptLedger
from ledger_tui.settings import load_settings, write_setting
from ledger_tui.ui import retention_watch
from ledger_tui.ui.places.settings.retention import Retention
from textual.pilot import Pilot
from textual.widgets import Button, TabbedContent

from tests.ui.conftest import Workstation, screen_text, settle, until

DAY_US = 86_400_000_000


def record(ledger: PromptLedger, trace: str, days: int, **fields: Any) -> None:
    """A trace of one call that ended so many days ago."""
    ledger.prepare()
    values: dict[str, Any] = {"model": "m", "provider": "p", "cost_nusd": 7_000_000_000, "input": "secret question"}
    moment = clock.now_us() - days * DAY_US
    ledger.traces.record([SpanRecord(trace, "s", "call", "llm", "succeeded", moment, 5, **(values | fields))])


async def test_what_was_removed_says_so(ledger: PromptLedger, workstation: Workstation) -> None:
    """A trace without its steps shows its sums and when they went; a span without its texts says that instead of nothing."""
    record(ledger, "old", 50)
    record(ledger, "young", 20)
    ledger.retention.apply([Rule("texts", 10), Rule("spans", 40)])
    today = clock.now().date().isoformat()
    async with workstation("traces", (160, 40)) as pilot:
        await until(lambda: f"Its texts were removed on {today} by retention." in screen_text(pilot), pilot, "the mark")
        pilot.app.open_trace("old")  # type: ignore[attr-defined]
        await until(lambda: "its steps were removed on" in screen_text(pilot), pilot, "the sentence")
        await settle(pilot)
        text = screen_text(pilot)
        assert "the sums stay" in text and "1 span" in text and "$7.00" in text and "secret" not in text


async def open_rules(pilot: Pilot[None]) -> None:
    """Go to the tab."""
    pilot.app.screen.query_one(TabbedContent).active = "tab-retention"
    await settle(pilot)
    assert pilot.app.screen.query_one("#rules").has_focus


@pytest.mark.parametrize("size", [(80, 24), (160, 40)])
async def test_a_look_first_then_the_deed(
    ledger: PromptLedger, workstation: Workstation, size: tuple[int, int]
) -> None:
    """A rule is written by enter; the look changes nothing and says how much; the deed asks first, and says what it did."""
    record(ledger, "old", 50)
    record(ledger, "young", 2)
    async with workstation("settings", size) as pilot:
        await open_rules(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("ctrl+u", *"30", "enter")
        await until(lambda: ledger.settings.retention_texts_days == 30, pilot, "the rule")
        await settle(pilot)
        assert "30 days" in screen_text(pilot)
        pilot.app.screen.query_one("#look", Button).press()
        await until(lambda: "steps' texts  after 30 days" in screen_text(pilot), pilot, "the look")
        assert ledger.retention.plan(ledger.retention.rules())[0].found.rows == 1
        pilot.app.screen.query_one("#apply", Button).press()
        await until(lambda: "cannot be undone" in screen_text(pilot), pilot, "the question")
        await pilot.press("y")
        await until(lambda: "Removed: 1 steps' texts." in screen_text(pilot), pilot, "the end")
        assert ledger.retention.plan(ledger.retention.rules()) == []
        pilot.app.screen.query_one("#vacuum", Button).press()
        await until(lambda: "given back" in screen_text(pilot), pilot, "the space")
    assert load_settings(ledger.paths)[0].retention_texts_days == 30


async def test_a_section_read_again_does_not_lose_what_was_asked(
    ledger: PromptLedger, workstation: Workstation
) -> None:
    """Settings that change while it is counted what would go do not take the answer's place."""
    record(ledger, "old", 50)
    counting, go_on = threading.Event(), threading.Event()
    right = ledger.retention.plan

    def slow(*given: Any) -> Any:
        counting.set()
        assert go_on.wait(20)
        return right(*given)

    async with workstation("settings") as pilot:
        await open_rules(pilot)
        pilot.app.save_setting("retention_texts_days", 30)  # type: ignore[attr-defined]
        await settle(pilot)
        ledger.retention.plan = slow  # type: ignore[method-assign]
        pilot.app.screen.query_one("#apply", Button).press()
        await until(counting.is_set, pilot, "the counting")
        pilot.app.screen.query_one(Retention).read()
        await pilot.pause()
        go_on.set()
        await until(lambda: "cannot be undone" in screen_text(pilot), pilot, "the question")


async def test_rules_that_make_no_sense_stay_in_their_dialog(ledger: PromptLedger, workstation: Workstation) -> None:
    """A kind without days is refused where it is typed, and nothing is saved; without a rule a look says so."""
    async with workstation("settings") as pilot:
        await open_rules(pilot)
        pilot.app.screen.query_one("#look", Button).press()
        await until(lambda: "No rule is set" in screen_text(pilot), pilot, "the words")
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        await pilot.press(*"tool", "enter")
        await until(lambda: "is no rule" in screen_text(pilot), pilot, "the problem")
        await pilot.press(*"=7", "enter")
        await until(lambda: ledger.settings.retention_texts_by_kind == ("tool=7",), pilot, "the rule")


async def test_the_workstation_applies_the_rules_once_a_day(
    ledger: PromptLedger, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rules the open workstation applies them by itself and tells it; without rules nothing ever goes."""
    monkeypatch.setattr(retention_watch, "FIRST_S", 0.0)
    record(ledger, "old", 50)
    async with workstation("costs") as pilot:
        assert ledger.retention.last_run_us() is None
    write_setting(ledger.paths, "retention_spans_days", 40)
    ledger.reload_settings()
    async with workstation("costs") as pilot:
        await until(lambda: pilot.app._notifications, pilot, "the toast")
        assert [note.message for note in pilot.app._notifications] == ["Removed by your rules: 1 steps."]
    assert ledger.traces.trace("old").pruned_us is not None and ledger.retention.last_run_us() is not None
