"""The page of unregistered prompts on a real ledger: what it shows, and what its keys do."""

from __future__ import annotations

from typing import Any

from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.places.prompts.dialogs import NameDialog
from ledger_tui.ui.places.prompts.prompts import PromptsPlace
from ledger_tui.ui.places.prompts.unregistered import UnregisteredPage
from ledger_tui.ui.places.traces.detail import SpanDetail
from ledger_tui.ui.places.traces.traces import TracesPlace
from ledger_tui.ui.widgets.row_table import RowTable
from textual.pilot import Pilot

from tests.ui.conftest import Workstation, screen_text, settle, until

SUMMARISE = "Summarise this mail in one line: "
HOSTILE = "Explain what \x1b[31m[bold]this[/] \u202e means to me: "


def _sent(ledger: PromptLedger, *texts: str, **fields: Any) -> None:
    ledger.prepare()
    for text in texts:
        facts = {"model": "gpt-4o-mini", "provider": "openai"} | fields
        ledger.log_external_span(
            trace_id="mails", name="mail.sum", kind="llm", input_data=text, output_data="x", **facts
        )
    assert ledger.flush()


async def _page(pilot: Pilot[None]) -> UnregisteredPage:
    await pilot.press("g")
    await until(lambda: isinstance(pilot.app.screen, UnregisteredPage), pilot, "the page")
    await settle(pilot)
    page = pilot.app.screen
    assert isinstance(page, UnregisteredPage)
    return page


async def test_nothing_is_unregistered(workstation: Workstation, ledger: PromptLedger) -> None:
    """An empty page says what would be here and how it comes; the prompts' border says nothing."""
    ledger.prepare()
    async with workstation() as pilot:
        assert "unregistered" not in screen_text(pilot)
        page = await _page(pilot)
        assert page.has_class("-nothing")
        assert "ledger.wrap" in screen_text(pilot)
        await pilot.press("escape")
        await until(lambda: isinstance(pilot.app.screen, PromptsPlace), pilot)


async def test_registering(workstation: Workstation, ledger: PromptLedger) -> None:
    """The border counts them; r asks for a name with one proposed, makes the prompt and links its past calls."""
    _sent(ledger, SUMMARISE + "rain", SUMMARISE + "snow", "Translate this letter into French: hello")
    async with workstation(size=(120, 40)) as pilot:
        await until(lambda: "2 unregistered" in screen_text(pilot), pilot, "the count")
        page = await _page(pilot)
        assert [row.calls for row in page.rows] == [2, 1]
        shown = screen_text(pilot)
        assert "Summarise this mail in one line: ‹value 1›" in shown and "2 calls" in shown and "gpt-4o-mini" in shown
        await pilot.press("r")
        await until(lambda: isinstance(pilot.app.screen, NameDialog), pilot, "the question")
        assert "mail.sum" in screen_text(pilot)
        await pilot.press("enter")
        await until(lambda: len(page.rows) == 1, pilot, "the row to go")
        assert ledger.registry.content(ledger.registry.version("mail.sum").id).templates == (
            SUMMARISE + "{{ value_1 }}",
        )
        assert any("2 past calls" in note.message for note in pilot.app._notifications)


async def test_the_border_of_the_list_leads_there(workstation: Workstation, ledger: PromptLedger) -> None:
    """Beside prompts the list's lower border counts them, and a click on it opens the page."""
    _sent(ledger, SUMMARISE + "rain")
    ledger.create_prompt("other", "Hello {{ x }}")
    async with workstation(size=(120, 40)) as pilot:
        await until(lambda: "1 unregistered (g)" in screen_text(pilot), pilot, "the count")
        pane = pilot.app.screen.query_one("#list")
        await pilot.click(pane, offset=(10, pane.region.height - 1))
        await until(lambda: isinstance(pilot.app.screen, UnregisteredPage), pilot, "the page")


async def test_putting_away_and_bringing_back(workstation: Workstation, ledger: PromptLedger) -> None:
    """x takes a row off the list and z brings it back."""
    _sent(ledger, SUMMARISE + "rain")
    async with workstation() as pilot:
        page = await _page(pilot)
        await pilot.press("x")
        await until(lambda: not page.rows, pilot)
        await pilot.press("z")
        await until(lambda: len(page.rows) == 1, pilot)
        assert ledger.linking.count() == 1


async def test_hostile_texts_stay_texts(workstation: Workstation, ledger: PromptLedger) -> None:
    """Escape sequences, markup and direction marks in a program's text are shown, not obeyed, at every size."""
    _sent(ledger, HOSTILE + "a", HOSTILE + "b", model="[/]\x1b[2J")
    for size in ((80, 24), (160, 48)):
        async with workstation(size=size) as pilot:
            await _page(pilot)
            shown = screen_text(pilot)
            assert "[bold]this[/]" in shown and "\x1b" not in shown and "\u202e" not in shown


async def test_the_latest_call_is_a_key_away(workstation: Workstation, ledger: PromptLedger) -> None:
    """t opens the trace of the latest call, and the mouse chooses rows and buttons."""
    _sent(ledger, SUMMARISE + "rain", "Translate this letter into French: hello")
    async with workstation(size=(120, 40)) as pilot:
        page = await _page(pilot)
        table = page.query_one(RowTable)
        await pilot.click(table, offset=(20, 2))
        await until(lambda: page.row is not None and page.row == page.rows[1], pilot)
        await pilot.click("#text-pane Button:last-of-type")
        await until(lambda: isinstance(pilot.app.screen, TracesPlace), pilot, "the trace")


async def test_a_linked_call_in_traces(workstation: Workstation, ledger: PromptLedger) -> None:
    """A linked call shows its version, that it was linked by its text and the recovered values; p runs it with them."""
    ledger.prepare()
    ledger.create_prompt("mail/sum", SUMMARISE + "{{ mail }}")
    _sent(ledger, SUMMARISE + "it rains")
    async with workstation("traces", size=(160, 48)) as pilot:
        place = pilot.app.screen
        assert isinstance(place, TracesPlace)
        place.open_trace("mails")
        detail = place.query_one(SpanDetail)
        await until(lambda: detail.facts is not None, pilot, "the span")
        shown = screen_text(pilot)
        assert "mail/sum v1" in shown and "linked by its text" in shown
        assert detail._texts["Facts"].text.count("mail = it rains") == 1
        assert "- **mail** it rains" in detail._texts["Messages"].text
        await pilot.press("p")
        await until(lambda: "it rains" in screen_text(pilot) and pilot.app.screen is not place, pilot, "the playground")
