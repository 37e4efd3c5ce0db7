"""A clock that was wrong is told where its traces and steps are looked at (B33)."""

from __future__ import annotations

from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.places.traces.traces import TracesPlace

from tests.ui.conftest import Workstation, screen_text, settle, until

YEARS_US = 10 * 365 * 86_400_000_000


async def test_a_wrong_clock_is_told(workstation: Workstation, ledger: PromptLedger) -> None:
    """The list marks a trace that lies in the future, the tree the step, and the detail says in words what is wrong."""
    ledger.prepare()
    now = clock.now_us()

    def step(name: str, parent: str | None, started_us: int) -> SpanRecord:
        return SpanRecord("t", name, name, "tool", "succeeded", started_us, 1_000, parent)

    ledger.traces.record([SpanRecord("fine", "fine", "fine", "tool", "succeeded", now - 2_000_000, 1_000)])
    ledger.traces.record(
        [step("root", None, now), step("past", "root", now - YEARS_US), step("ahead", "root", now + YEARS_US)]
    )
    async with workstation(place="traces") as pilot:
        lines = screen_text(pilot).splitlines()
        assert [line for line in lines if "⚠ root" in line] and not [line for line in lines if "⚠ fine" in line]
        place = pilot.app.screen
        assert isinstance(place, TracesPlace)
        assert place.trace_list.go_to("t")
        place.open_trace("t")
        for name, words in (("past", "more than a day before"), ("ahead", "starts in the future")):
            key = next(row.key for row in ledger.traces.spans(ledger.traces.trace("t").key) if row.name == name)
            place.open_trace("t", key)

            def shows(wanted: str = name) -> bool:
                return place.detail.facts is not None and place.detail.facts.span.name == wanted

            await until(shows, pilot, name)
            await settle(pilot)
            text = screen_text(pilot)
            assert "⚠ clock skew" in text and words in " ".join(text.replace("│", " ").split()), text
            assert "1 starting in the future" in text
