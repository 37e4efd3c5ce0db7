"""Settings: what is shown counts, what is changed is written, and a mistake changes nothing."""

from __future__ import annotations

import pytest
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.settings import OPTIONS
from ledger_tui.ui.dialogs.ask import Ask
from ledger_tui.ui.places.settings.general import parsed, shown
from ledger_tui.ui.places.settings.keys import PressKey
from ledger_tui.ui.places.settings.new_provider import NewProvider
from ledger_tui.ui.widgets.row_table import RowTable
from textual.widgets import Input

from tests.ui.conftest import Workstation, screen_text, settle, until

TABS = ["Providers", "Options", "Themes", "Actions and their keys", "Shared ledger", "Rules", "About"]


async def go_to(pilot, table: str, key: str) -> None:
    """Put the cursor of a table on a row."""
    rows = pilot.app.screen.query_one(table, RowTable)
    await until(lambda: rows.row_count, pilot, "the rows")
    rows.move_cursor(row=[str(row.key.value) for row in rows.ordered_rows].index(key))
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_every_tab_can_be_reached_by_key(workstation: Workstation, size: tuple[int, int]) -> None:
    """Seven tabs, one after the other, each with its pane."""
    async with workstation("settings", size) as pilot:
        for title in TABS:
            await settle(pilot)
            assert f" {title} " in screen_text(pilot)
            await pilot.press("ctrl+right")


async def test_a_number_is_changed_in_place(workstation: Workstation, paths: Paths, ledger: PromptLedger) -> None:
    """A wrong value is refused with words and the dialog stays; a right one is written and counts at once."""
    async with workstation("settings", (80, 24)) as pilot:
        await pilot.press("ctrl+right")
        await settle(pilot)
        await go_to(pilot, "#options", "timeout_s")
        await pilot.press("enter")
        await pilot.pause()
        pilot.app.screen.query_one(Input).value = "soon"
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Ask) and "is not a number" in screen_text(pilot)
        pilot.app.screen.query_one(Input).value = "45"
        await pilot.press("enter")
        await until(lambda: ledger.settings.timeout_s == 45, pilot, "the value")
        assert "timeout_s = 45" in paths.settings.read_text()


async def test_a_mistake_in_the_file_is_told_at_start(workstation: Workstation, paths: Paths) -> None:
    """Each mistake of settings.toml is a toast with its line; the other lines count."""
    paths.settings.write_text('environment = "prod"\ntimeout_s = "x"\ncolour = 3\n')
    async with workstation("settings") as pilot:
        messages = [note.message for note in pilot.app._notifications]
        assert any("timeout_s" in words and "line 2" in words for words in messages)
        assert any("colour" in words and "line 3" in words for words in messages)
        assert "prod" in screen_text(pilot).splitlines()[0]


async def test_a_saved_settings_file_counts_at_once(workstation: Workstation, paths: Paths) -> None:
    """Settings that are edited elsewhere are read again."""
    async with workstation("settings") as pilot:
        paths.settings.write_text('environment = "staging"\n')
        await until(lambda: "staging" in screen_text(pilot).splitlines()[0], pilot, "the environment")


async def test_a_pressed_key_becomes_the_key(workstation: Workstation, paths: Paths) -> None:
    """Enter on an action, then a key: it is written, counts at once, and a key that is taken is refused."""
    async with workstation("settings") as pilot:
        for _ in range(3):
            await pilot.press("ctrl+right")
        await settle(pilot)
        await go_to(pilot, "#actions", "app.costs")
        await pilot.press("enter")
        await until(lambda: isinstance(pilot.app.screen, PressKey), pilot)
        await pilot.press("f1")
        await settle(pilot)
        assert not paths.keymap.exists()
        await pilot.press("enter")
        await until(lambda: isinstance(pilot.app.screen, PressKey), pilot)
        await pilot.press("f20")
        await until(paths.keymap.exists, pilot, "the file")
        await settle(pilot)
        await pilot.press("f20")
        await settle(pilot)
        assert pilot.app.current_mode == "costs"


async def test_a_test_call_is_a_run(workstation: Workstation, ledger: PromptLedger) -> None:
    """The test call of the offline provider answers, and is stored as a trace."""
    async with workstation("settings") as pilot:
        await settle(pilot)
        await go_to(pilot, "#providers", "offline")
        await pilot.press("t")
        await settle(pilot)
        await pilot.press("enter")
        await until(
            lambda: any("answered in" in note.message for note in pilot.app._notifications), pilot, "the answer"
        )
        assert [row.status for row in ledger.traces.page().rows] == ["succeeded"]


async def test_moving_through_the_themes_shows_them_and_leaving_brings_the_kept_one_back(
    workstation: Workstation,
) -> None:
    """A preview is only a preview until enter."""
    async with workstation("settings") as pilot:
        await pilot.press("ctrl+right", "ctrl+right")
        await settle(pilot)
        before = pilot.app.theme
        await pilot.press("down")
        await pilot.pause()
        assert pilot.app.theme != before
        await pilot.press("f5")
        await settle(pilot)
        assert pilot.app.theme == before


def test_every_option_can_be_typed() -> None:
    """What the table shows of a default is taken back as the same value."""
    for option in OPTIONS:
        if option.kind != "yes or no" and option.default != "":
            assert parsed(option, shown(option.default)) == option.default


async def test_a_server_of_ones_own_is_added_listed_and_called(
    workstation: Workstation, ledger: PromptLedger, paths: Paths, llama_server: str
) -> None:
    """Name and address, a key, its models, a test call: from the screen alone, and the key is nowhere to be read."""
    async with workstation("settings", (80, 24)) as pilot:
        app = pilot.app
        await until(lambda: app.screen.query_one("#providers", RowTable).row_count, pilot, "the providers")
        await pilot.click("#new")
        await until(lambda: isinstance(app.screen, NewProvider), pilot)
        await pilot.press(*"openai", "enter")
        assert "already" in screen_text(pilot)
        app.screen.query_one("#provider-name", Input).value = "mine"
        await pilot.press("enter", *"http://example.com/v1", "enter")
        assert isinstance(app.screen, NewProvider) and "✗" in screen_text(pilot)
        app.screen.query_one("#provider-address", Input).value = f"{llama_server}/v1"
        await pilot.press("enter")
        await until(lambda: app.screen.query("#providers") and chosen(pilot) == "mine", pilot, "the new row")
        await pilot.press("k", *"sk-very-secret-words", "enter")
        await settle(pilot)
        await pilot.press("m")
        await until(lambda: "tiny" in [info.model for info in ledger.models.choices()], pilot, "the model")
        await settle(pilot)
        await pilot.press("t")
        await until(lambda: not app.screen.query("#providers"), pilot, "the choice of models")
        await pilot.press("enter")
        await until(lambda: any("answered in" in note.message for note in app._notifications), pilot, "the answer")
        assert ledger.traces.page("provider:mine").rows[0].status == "succeeded"
        written = paths.settings.read_text()
        assert f'base_url = "{llama_server}/v1"' in written and "secret-words" not in written + screen_text(pilot)


def chosen(pilot) -> str | None:
    """The provider under the cursor."""
    return pilot.app.screen.query_one("#providers", RowTable).selected_key
