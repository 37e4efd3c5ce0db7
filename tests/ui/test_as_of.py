"""Looking back in the workstation: every place shows the ledger as it stood, nothing can be written, and back again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import LedgerError
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
    await settle(pilot)
    await pilot.press("T")
    await until(lambda: isinstance(pilot.app.screen, MomentDialog), pilot, "the dialog")
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await until(lambda: not isinstance(pilot.app.screen, MomentDialog), pilot, "the moment")
    await settle(pilot)


async def shows(pilot: Pilot[None], *words: str) -> str:
    """Wait until the screen has all these words, and return it."""
    await until(lambda: all(word in screen_text(pilot) for word in words), pilot, f"{words}")
    return screen_text(pilot)


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


async def test_a_draft_outlives_looking_back(workstation: Workstation, past: datetime, ledger: PromptLedger) -> None:
    """What is being written is kept when another moment is shown, is not shown in it, and is there again afterwards."""
    async with workstation() as pilot:
        app_of(pilot).open_prompt("mail/welcome")
        await until(lambda: editor_text(pilot) == "second text", pilot, "the text of now")
        pilot.app.screen.query_one(Editor).blocks[0].area.focus()
        await pilot.press("X")
        await app_of(pilot).show_moment(past)
        await until(lambda: editor_text(pilot) == "first text", pilot, "the text of then")
        assert ledger.drafts.get("mail/welcome") is not None
        await pilot.press("f11")
        await until(lambda: editor_text(pilot) == "Xsecond text", pilot, "the draft")
        assert not pilot.app.screen.query_one(Editor).read_only


async def test_the_workstation_opens_in_the_past(ledger: PromptLedger, past: datetime) -> None:
    """Opened as of a moment it shows that moment at once, and comes back to the present by the key."""
    given = ledger.at(past)
    app = LedgerApp(given)
    async with app.run_test(size=(120, 40)) as pilot:
        text = await shows(pilot, "AS OF 2026-03-01 09:00 UTC", "welcome")
        assert "bye" not in text
        await settle(pilot)
        await pilot.press("T")
        assert "AS OF" not in await shows(pilot, "bye")
    given.close()


async def test_the_playground_refuses_before_it_sends(
    workstation: Workstation, past: datetime, ledger: PromptLedger
) -> None:
    """Running in an earlier moment says why not; nothing is sent or stored."""
    async with workstation(place="playground") as pilot:
        await settle(pilot)
        await app_of(pilot).show_moment(past)
        await pilot.press("ctrl+r")
        await until(lambda: list(pilot.app._notifications), pilot, "the refusal")
        assert "earlier moment" in next(iter(pilot.app._notifications)).title
        await settle(pilot)
        assert len(ledger.traces.page().rows) == 2


async def test_escape_leaves_the_moment_last(workstation: Workstation, past: datetime) -> None:
    """Escape first does what it does on the place; when nothing is left to leave, it leaves the moment."""
    async with workstation(place="traces") as pilot:
        await app_of(pilot).show_moment(past)
        await shows(pilot, "AS OF", "early step")
        app_of(pilot).place.query_one("#tree").focus()
        await pilot.press("escape")
        assert app_of(pilot).moment == past
        await pilot.press("escape")
        await shows(pilot, "late step")
        assert app_of(pilot).moment is None


async def test_the_dialog_says_what_is_meant_and_what_is_wrong(workstation: Workstation, past: datetime) -> None:
    """It shows the moment while one is typed, refuses what is none and stays, and offers the moments of last changes."""
    async with workstation() as pilot:
        await settle(pilot)
        await pilot.press("T")
        await shows(pilot, "an hour ago", "before 2026-03-01 10:00 UTC", "mail/bye")
        field = pilot.app.screen.query_one(Input)
        field.value = "2h"
        await shows(pilot, "= 2026-03-01 09:00 UTC")
        field.value = "2999-01-01"
        await pilot.press("enter")
        await shows(pilot, "✗ the moment must lie between 1970 and now")
        field.value = ""
        await pilot.press("down", "end", "enter")
        await shows(pilot, "AS OF 2026-03-01 07:59:59 UTC", "no prompt of this name")


async def test_the_mouse_leads_there_and_back(workstation: Workstation, past: datetime) -> None:
    """A click on the free part of the top line asks for a moment; the line of the moment leads to others and back."""
    async with workstation(size=(80, 24)) as pilot:
        await pilot.click("TopLine", offset=(62, 0))
        await until(lambda: isinstance(pilot.app.screen, MomentDialog), pilot, "the dialog")
        await pilot.press("escape")
        await app_of(pilot).show_moment(past)
        await shows(pilot, "AS OF 2026-03-01 09:00 UTC · read only")
        await pilot.click("MomentLine", offset=(5, 0))
        await until(lambda: isinstance(pilot.app.screen, MomentDialog), pilot, "the dialog")
        await shows(pilot, "the present")
        await pilot.press("escape")
        await pilot.click("MomentLine", offset=(78, 0))
        await until(lambda: app_of(pilot).moment is None, pilot, "the present")


async def test_a_moment_that_cannot_be_opened_changes_nothing(
    workstation: Workstation, past: datetime, ledger: PromptLedger
) -> None:
    """When the past cannot be read, or nobody waits for it any more, the workstation shows what it showed."""
    async with workstation() as pilot:
        waiting = asyncio.ensure_future(app_of(pilot).show_moment(past))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert app_of(pilot).ledger is ledger
        ledger.database.close()
        hidden = ledger.paths.database.with_name("away.db")
        ledger.paths.database.rename(hidden)
        with pytest.raises(LedgerError):
            await app_of(pilot).show_moment(past)
        hidden.rename(ledger.paths.database)
        assert app_of(pilot).ledger is ledger and not pilot.app.screen.query(MomentLine)
