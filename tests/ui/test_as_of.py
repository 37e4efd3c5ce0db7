"""Looking back in the workstation: every place shows the ledger as it stood, nothing can be written, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.dialogs.moment import MomentDialog
from ledger_tui.ui.places.prompts.editor import Editor
from ledger_tui.ui.places.prompts.prompts import PromptsPlace
from ledger_tui.ui.widgets.moment_line import MomentLine
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.conftest import Workstation, screen_text, settle, until

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HOUR_US = 3_600_000_000


def content(text: str) -> PromptContent:
    return PromptContent((Message("user", text),))


@pytest.fixture
def past(ledger: PromptLedger) -> Iterator[datetime]:
    """A ledger in which much happened after this moment: a second version, another prompt, a second trace."""
    with clock.stopped(START):
        ledger.prepare()
        ledger.registry.save("mail/welcome", content("first text"))
        ledger.log_external_span("trace-early", name="early step")
        ledger.flush()
        clock.advance(HOUR_US)
        moment = clock.now()
        clock.advance(HOUR_US)
        ledger.registry.save("mail/welcome", content("second text"))
        ledger.registry.save("mail/bye", content("bye"))
        ledger.log_external_span("trace-late", name="late step")
        ledger.flush()
        clock.advance(HOUR_US)
        yield moment


def app_of(pilot: Pilot[None]) -> LedgerApp:
    assert isinstance(pilot.app, LedgerApp)
    return pilot.app


async def look_back(pilot: Pilot[None], text: str) -> None:
    """Press the key, write a moment, enter, and wait for the dialog to go."""
    await pilot.press("T")
    await until(lambda: isinstance(pilot.app.screen, MomentDialog), pilot, "the dialog")
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await until(lambda: not isinstance(pilot.app.screen, MomentDialog), pilot, "the moment")
    await settle(pilot)


async def shows(pilot: Pilot[None], *words: str) -> str:
    """Wait until the screen has all these words."""
    return await until(
        lambda: (text := screen_text(pilot)) and all(word in text for word in words) and text, pilot, f"{words}"
    )


def editor_text(pilot: Pilot[None]) -> str:
    return app_of(pilot).place.query_one(Editor).value().messages[0].text


async def test_every_place_shows_the_moment_and_comes_back(workstation: Workstation, past: datetime) -> None:
    """Prompts, traces and the line on top are those of the moment that was written, and the key comes back."""
    async with workstation() as pilot:
        await shows(pilot, "bye", "welcome")
        app_of(pilot).open_prompt("mail/welcome")
        await until(lambda: editor_text(pilot) == "second text", pilot, "the text of now")
        pilot.app.screen.query_one("#tree").focus()
        await look_back(pilot, f"{past:%Y-%m-%dT%H:%M}")
        text = await shows(pilot, "AS OF 2026-03-01 09:00 UTC", "read only")
        assert "bye" not in text
        await until(lambda: editor_text(pilot) == "first text", pilot, "the text of then")
        await pilot.press("f4")
        text = await shows(pilot, "early step", "AS OF 2026-03-01 09:00 UTC")
        assert "late step" not in text
        await pilot.press("T")
        text = await shows(pilot, "late step", "early step")
        assert "AS OF" not in text
        await pilot.press("f2")
        await until(lambda: editor_text(pilot) == "second text", pilot, "the text of now")
        assert not pilot.app.screen.query(MomentLine)


async def test_nothing_is_written_in_the_past(workstation: Workstation, past: datetime, ledger: PromptLedger) -> None:
    """Keys that write say why not and open nothing; the editor takes no text; settings still can be changed."""
    async with workstation() as pilot:
        app_of(pilot).open_prompt("mail/welcome")
        await until(lambda: editor_text(pilot) == "second text", pilot, "the text of now")
        pilot.app.screen.query_one("#tree").focus()
        await look_back(pilot, "2h")
        await until(lambda: editor_text(pilot) == "first text", pilot, "the text of then")
        before = ledger.registry.history()
        for key in ("n", "ctrl+s", "d", "A", "u"):
            pilot.app.clear_notifications()
            await pilot.press(key)
            await settle(pilot)
            told = [(one.title, one.message) for one in pilot.app._notifications]
            assert told and "earlier moment" in told[0][0] and "present" in told[0][1], key
            assert isinstance(pilot.app.screen, PromptsPlace), key
        area = pilot.app.screen.query_one(Editor).blocks[0].area
        area.focus()
        await pilot.press("x", "y")
        assert area.text == "first text"
        assert ledger.registry.history() == before
        assert not ledger.drafts.all()
