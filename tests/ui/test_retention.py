"""What retention took says so in Traces, and the rules, the look and the deed in Settings."""

from __future__ import annotations

from typing import Any

from ledger_tui.domain import clock
from ledger_tui.domain.retention import Rule
from ledger_tui.domain.values import SpanRecord
from ledger_tui.ledger import PromptLedger

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
