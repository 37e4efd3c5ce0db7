"""The palette finds everything, quickly, and takes foreign text for text."""

from __future__ import annotations

from ledger_tui.domain.content import PromptContent
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.dialogs.finding import Entry, find, score
from ledger_tui.ui.dialogs.palette import Palette
from textual.widgets import Input, OptionList

from tests.ui.conftest import Workstation, screen_text, settle, until


def entries(*titles: str) -> list[Entry]:
    return [Entry.of("x", title, "", lambda: None) for title in titles]


def test_a_word_beats_a_part_and_a_part_beats_letters() -> None:
    """What a person most likely means stands first; what does not hold the letters is left out."""
    found = find("run", entries("go up round", "prune", "run it", "save"))
    assert [entry.title for entry in found] == ["run it", "prune", "go up round"]


def test_every_word_has_to_be_found() -> None:
    """More words find less."""
    assert [entry.title for entry in find("sup tri", entries("support/triage", "support/answer"))] == ["support/triage"]
    assert score("ß", "strasse") == 0


async def test_an_action_is_found_and_done(workstation: Workstation) -> None:
    """Typing parts of an action's words and enter does it."""
    async with workstation("costs", (80, 24)) as pilot:
        await pilot.press("ctrl+p", *"longer", "enter")
        await settle(pilot)
        assert pilot.app.screen.wish.period == "90 d"


async def test_places_and_themes_are_found(workstation: Workstation, paths: Paths) -> None:
    """A theme that is chosen in the palette is shown and kept."""
    async with workstation("costs") as pilot:
        await pilot.press("ctrl+p")
        await until(lambda: isinstance(pilot.app.screen, Palette), pilot)
        await settle(pilot)
        await pilot.press(*"fjord", "enter")
        await until(lambda: pilot.app.theme == "fjord", pilot, "the theme")
        assert 'theme = "fjord"' in paths.settings.read_text()
        await pilot.press("ctrl+p", *"to the settings", "enter")
        await settle(pilot)
        assert pilot.app.current_mode == "settings"


async def test_prompts_come_with_hostile_descriptions(workstation: Workstation, ledger: PromptLedger) -> None:
    """A prompt is found by its name; its description is shown as text, whatever it holds."""
    ledger.prepare()
    hostile = "[/] [@click=app.quit]x[/] \x1b]52;c;eA==\x07 \x9b31m \u202e [" + "[" * 300
    ledger.registry.save("agents/triage", PromptContent.of_text("Hi"), description=hostile)
    async with workstation("costs", (80, 24)) as pilot:
        await pilot.press("ctrl+p", *"triage")
        await until(lambda: "agents/triage" in screen_text(pilot), pilot, "the prompt")
        shown = screen_text(pilot)
        assert "[/] [@click=app.quit]" in shown and "\x1b" not in shown and "\u202e" not in shown


async def test_the_mouse_chooses_and_escape_leaves(workstation: Workstation) -> None:
    """An entry can be clicked; escape closes without doing anything."""
    async with workstation("costs") as pilot:
        await pilot.press("ctrl+p")
        await settle(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Palette)
        await pilot.press("ctrl+p", *"longer")
        await settle(pilot)
        await pilot.click(OptionList, offset=(4, 0))
        await settle(pilot)
        assert pilot.app.screen.wish.period == "90 d"


async def test_nothing_found_says_so(workstation: Workstation) -> None:
    """A text that finds nothing gets words, and enter does nothing."""
    async with workstation("costs") as pilot:
        assert isinstance(pilot.app, LedgerApp)
        await pilot.press("ctrl+p")
        await settle(pilot)
        pilot.app.screen.query_one(Input).value = "zzqqxx"
        await pilot.press("enter")
        assert "Nothing is called that." in screen_text(pilot)
