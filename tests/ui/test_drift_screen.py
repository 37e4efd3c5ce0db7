"""The Drift page over a real repository: what it shows, how two places are compared, and what registering does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_tui.errors import LedgerError
from ledger_tui.ledger import PromptLedger
from ledger_tui.services.drift import DriftService
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.places.prompts.drift import DriftPage
from ledger_tui.ui.places.prompts.drift_table import DriftTable, PlaceList
from ledger_tui.ui.places.prompts.prompts import PromptsPlace
from ledger_tui.ui.places.traces.traces import TracesPlace
from ledger_tui.ui.widgets.diff_view import DiffView
from textual.pilot import Pilot
from textual.widgets import Input

from tests.sdk.repositories import commit, repository
from tests.ui.conftest import Workstation, screen_text, settle, until

FAST = {"offline_delay_s": 0}


@pytest.fixture
def app_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program's repository with three prompts, committed; the workstation is started in it."""
    made = repository(tmp_path / "app")
    for name in ("mail/reply", "mail/triage", "rank"):
        (made / "prompts" / name).parent.mkdir(parents=True, exist_ok=True)
        (made / "prompts" / f"{name}.md").write_text(f"Work on {name} for {{{{ who }}}}\n")
    commit(made)
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def register(ledger: PromptLedger, app_folder: Path) -> Callable[[], PromptLedger]:
    """Registers the program's prompts in the workstation's ledger, as the program does."""

    def now() -> PromptLedger:
        program = PromptLedger(paths=ledger.paths, mode="tracking_only", code_registry=app_folder / "prompts")
        program.register_code_prompts()
        return program

    return now


@pytest.fixture
def drifted(register: Callable[[], PromptLedger], app_folder: Path) -> Path:
    """Registered, run, labelled; then one file was changed."""
    with register() as program:
        program.registry.set_label("mail/reply", "production", 1)
        program.execute("mail/reply", {"who": "Bo"}, model="offline", params=FAST, environment="live")
    (app_folder / "prompts" / "mail" / "reply.md").write_text("Work on it for {{ who }}, briefly\n")
    return app_folder


def page(pilot: Pilot[None]) -> DriftPage:
    """The page, below whatever dialog is open."""
    assert isinstance(pilot.app, LedgerApp)
    found = pilot.app.place
    assert isinstance(found, DriftPage)
    return found


async def open_page(pilot: Pilot[None]) -> DriftPage:
    """Press the key in Prompts and wait for the first look."""
    await pilot.press("w")
    await until(lambda: isinstance(pilot.app.screen, DriftPage), pilot, "the page")
    await until(lambda: not page(pilot).looking and page(pilot).watching.matrix is not None, pilot, "the look")
    await settle(pilot)
    return page(pilot)


def toasts(pilot: Pilot[None]) -> str:
    """What was told in toasts."""
    return " ".join(notification.message for notification in pilot.app._notifications)


async def test_equal_and_different_places_are_told_by_signs(drifted: Path, workstation: Workstation) -> None:
    """The drifted prompt stands first; signs, not colours, tell what is the same; the folder and branch are said."""
    async with workstation() as pilot:
        await open_page(pilot)
        text = screen_text(pilot)
        rows = [row for row in text.splitlines() if "mail/" in row or "rank" in row]
        assert "≠ mail/reply" in rows[0] and rows[0].count("≠ v1") == 4
        assert "= mail/triage" in rows[1] and rows[1].count("= v1") == 2 and "≠" not in rows[1]
        for words in ("working tree", "HEAD", "registered", "production", "ran in live", "main at", "1 of 3 differ"):
            assert words in text
        assert "app" in next(row for row in text.splitlines() if "Code in" in row)
        assert "prompts/mail/reply.md:1" in text and "● held against" in text


async def test_enter_shows_what_a_place_differs_in(drifted: Path, workstation: Workstation) -> None:
    """Enter on a cell compares it with the working tree, escape goes back to the table and then to the prompts."""
    async with workstation() as pilot:
        drift = await open_page(pilot)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert drift.has_class("-comparing") and isinstance(pilot.app.focused, DiffView)
        assert "registered v1 → working tree" in screen_text(pilot) and "briefly" in screen_text(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.focused, DriftTable)
        await pilot.press("escape")
        await until(lambda: isinstance(pilot.app.screen, PromptsPlace), pilot, "the prompts")


async def test_any_two_places_are_compared_by_keys_and_by_mouse(drifted: Path, workstation: Workstation) -> None:
    """Space marks two cells and c compares them; so do two clicks on ◇ and the button."""
    async with workstation() as pilot:
        drift = await open_page(pilot)
        await pilot.press("space", "right", "right", "space", "c")
        await settle(pilot)
        assert "label production v1 → HEAD v1" in screen_text(pilot) and "nothing differs" in screen_text(pilot)
        await pilot.press("escape", "space", "left", "left", "space")
        assert drift.marks == []
        await pilot.click(PlaceList, offset=(0, 0))
        await pilot.click(PlaceList, offset=(0, 1))
        await settle(pilot)
        assert [key for _, key in drift.marks] == ["working", "head"]
        await pilot.click("#places-pane Button")
        await settle(pilot)
        assert "HEAD v1 → working tree" in screen_text(pilot)


async def test_a_second_click_on_a_cell_compares(drifted: Path, workstation: Workstation) -> None:
    """The first click goes to the cell, the second one shows what differs."""
    async with workstation() as pilot:
        drift = await open_page(pilot)
        table = drift.query_one(DriftTable)
        column = sum(table.ordered_columns[at].get_render_width(table) for at in range(3)) + 3
        await pilot.click(DriftTable, offset=(column, 1))
        await settle(pilot)
        assert drift.place_key == "registered" and not drift.has_class("-comparing")
        await pilot.click(DriftTable, offset=(column, 1))
        await settle(pilot)
        assert drift.has_class("-comparing")


async def test_registering_is_shown_before_it_is_done(
    ledger: PromptLedger, drifted: Path, workstation: Workstation
) -> None:
    """R says what will change; no leaves the registry alone, yes makes the version active and the table follows."""
    async with workstation() as pilot:
        drift = await open_page(pilot)
        await pilot.press("R")
        await settle(pilot)
        assert "mail/reply: v1 → v2 becomes active" in screen_text(pilot) and "(not committed)" in screen_text(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert ledger.registry.version("mail/reply").number == 1
        await pilot.press("R")
        await settle(pilot)
        await pilot.press("y")
        await until(lambda: "Registered mail/reply v2" in toasts(pilot), pilot, "the toast")
        assert ledger.registry.version("mail/reply").number == 2

        def follows() -> bool:
            row = drift.watching.row("mail/reply")
            return row is not None and "registered" not in [place.key for place in row.differing()]

        await until(follows, pilot, "the new look")


async def test_a_file_that_changed_since_the_preview_is_not_registered(
    ledger: PromptLedger, drifted: Path, workstation: Workstation
) -> None:
    """What was not seen is not written, and the person is told."""
    async with workstation() as pilot:
        await open_page(pilot)
        await pilot.press("R")
        await settle(pilot)
        (drifted / "prompts" / "mail" / "reply.md").write_text("Something else\n")
        await pilot.press("y")
        await until(lambda: "another one than a moment ago" in toasts(pilot), pilot, "the toast")
        assert ledger.registry.version("mail/reply").number == 1


async def test_from_a_place_to_its_prompt_and_its_run(drifted: Path, workstation: Workstation) -> None:
    """o opens the prompt, leaving the page; t opens the trace of the last run; f2 comes back to the prompts."""
    async with workstation() as pilot:
        await open_page(pilot)
        await pilot.press("o")
        await until(lambda: isinstance(pilot.app.screen, PromptsPlace), pilot, "the prompts")
        prompts = pilot.app.screen
        assert isinstance(prompts, PromptsPlace)
        await until(lambda: prompts.subject is not None and prompts.subject.name == "mail/reply", pilot, "the prompt")
        await settle(pilot)
        await pilot.press("escape")
        await open_page(pilot)
        await pilot.press("t")
        await until(lambda: isinstance(pilot.app.screen, TracesPlace), pilot, "the traces")
        await pilot.press("f2")
        await until(lambda: isinstance(pilot.app.screen, DriftPage), pilot, "the page again")
        await pilot.press("f2")
        await until(lambda: isinstance(pilot.app.screen, PromptsPlace), pilot, "the prompts")


async def test_filter_and_only_what_differs(drifted: Path, workstation: Workstation) -> None:
    """/ leaves prompts by name, d those that differ; escape takes the filter away before it leaves the page."""
    async with workstation() as pilot:
        drift = await open_page(pilot)
        table = drift.query_one(DriftTable)
        await pilot.press("d")
        assert table.row_count == 1
        await pilot.press("d", "slash", *"rank", "enter")
        assert table.row_count == 1 and table.selected_key == "rank" and "1 shown" in screen_text(pilot)
        await pilot.press("escape")
        assert table.row_count == 3 and not drift.query_one("#filter", Input).display


async def test_the_tree_marks_what_drifts_and_the_versions_say_where(
    drifted: Path, workstation: Workstation, app_folder: Path
) -> None:
    """The mark comes after the tree, follows the files, and the versions pane says in words where it differs."""
    async with workstation() as pilot:
        place = pilot.app.screen
        assert isinstance(place, PromptsPlace)
        await until(lambda: "reply" in screen_text(pilot) and "≠" in screen_text(pilot), pilot, "the mark")
        marked = [row for row in screen_text(pilot).splitlines() if "≠" in row.split("││")[0]]
        assert len(marked) == 1 and "reply" in marked[0]
        place.open_prompt("mail/reply")
        await until(lambda: "The code differs from HEAD" in screen_text(pilot), pilot, "the words")
        (app_folder / "prompts" / "mail" / "reply.md").write_text("Work on mail/reply for {{ who }}\n")
        await until(lambda: "≠" not in screen_text(pilot), pilot, "the mark to go")


async def test_without_code_prompts_nothing_is_looked_at(
    ledger: PromptLedger, app_folder: Path, workstation: Workstation
) -> None:
    """A workspace without code prompts asks no git in the background; the page says how a code prompt comes to be."""
    ledger.prepare()
    ledger.create_prompt("plain", "Hello")
    async with workstation() as pilot:
        place = pilot.app.screen
        assert isinstance(place, PromptsPlace) and place.drift.matrix is None
        await open_page(pilot)
        text = screen_text(pilot)
        assert "No prompt of your code is registered yet" in text
        assert "register_code_prompts" in text and "code_folder" in text and "pyproject.toml" in text


async def test_outside_of_git_the_page_says_so(
    drifted: Path, workstation: Workstation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder without a work tree the files are not known, the rest is shown, and the reason stands above."""
    monkeypatch.chdir(tmp_path)
    async with workstation() as pilot:
        await open_page(pilot)
        assert "not inside a git work tree" in screen_text(pilot)
        assert "● v1" in screen_text(pilot) and "HEAD" not in screen_text(pilot).split("Places")[0].split("ran in")[0]


async def test_the_setting_names_the_folder(
    ledger: PromptLedger, drifted: Path, workstation: Workstation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``code_folder`` wins over the folder that the workstation was started in."""
    monkeypatch.setenv("LEDGER_CODE_FOLDER", str(drifted))
    monkeypatch.chdir(tmp_path)
    ledger.reload_settings()
    async with workstation() as pilot:
        await open_page(pilot)
        assert "1 of 3 differ" in screen_text(pilot)


async def test_a_slow_look_says_what_it_does_and_can_be_stopped(
    drifted: Path, workstation: Workstation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While git answers slowly the page says so and what is known stays; escape stops waiting."""
    async with workstation() as pilot:
        drift = await open_page(pilot)
        slow = drifted.parent / "bin"
        slow.mkdir()
        os.mkfifo(slow / "answer")
        (slow / "git").write_text(f"#!/bin/sh\n[ -e {slow}/over ] || cat {slow}/answer\nexit 1\n")
        (slow / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(slow), prepend=":")
        await pilot.press("r")
        await until(lambda: "Asking git · esc stops" in screen_text(pilot), pilot, "the words")
        assert drift.query_one(DriftTable).row_count == 3
        await pilot.press("escape")
        assert not drift.looking and "main at" in screen_text(pilot)
        assert isinstance(pilot.app.screen, DriftPage)
        (slow / "over").touch()
        (slow / "answer").write_text("")


async def test_a_folder_that_cannot_be_read_is_a_calm_page(drifted: Path, workstation: Workstation) -> None:
    """Two files for one prompt give cause and remedy; after mending, r shows the table."""
    (drifted / "pyproject.toml").write_text('[tool.ledger-tui]\nprompts = "prompts"\n')
    (drifted / "prompts" / "rank.jinja").write_text("twin")
    async with workstation() as pilot:
        await pilot.press("w")
        await until(lambda: "Two files for one prompt" in screen_text(pilot), pilot, "the reason")
        (drifted / "prompts" / "rank.jinja").unlink()
        await pilot.press("r")
        await until(lambda: "1 of 3 differ" in screen_text(pilot), pilot, "the table")


async def test_hostile_names_reach_the_screen_as_text(
    ledger: PromptLedger, drifted: Path, workstation: Workstation
) -> None:
    """A branch and an environment that hold markup and control characters are shown, not obeyed."""
    (drifted / ".git" / "HEAD").write_text("ref: refs/heads/[red]x\x1b[2J\n")
    with PromptLedger(paths=ledger.paths, mode="tracking_only", code_registry=drifted / "prompts") as program:
        program.execute("rank", {"who": "x"}, model="offline", params=FAST, environment="[b]e\x1b[2Jv")
    async with workstation() as pilot:
        await open_page(pilot)
        text = screen_text(pilot)
        assert "no commit yet" in text and "[b]e" in text and "\x1b" not in text


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=["80x24", "200x60"])
async def test_everything_is_reached_at_any_size(
    drifted: Path, workstation: Workstation, size: tuple[int, int]
) -> None:
    """Table, places with whole hashes, and the words where it differs are on the screen, small or large."""
    async with workstation(size=size) as pilot:
        drift = await open_page(pilot)
        text = screen_text(pilot)
        row = drift.row
        assert row is not None and str(row.places[0].sha256) in text and "The code differs from HEAD" in text
        await pilot.press("f7")
        assert isinstance(pilot.app.focused, PlaceList)
        await pilot.press("down", "down")
        await settle(pilot)
        assert drift.place_key == "label:production"


async def test_the_palette_finds_drift_from_anywhere(drifted: Path, workstation: Workstation) -> None:
    """From another place the palette opens the page."""
    async with workstation("traces") as pilot:
        await pilot.press("ctrl+p")
        await settle(pilot)
        await pilot.press(*"drift")
        await settle(pilot)
        await pilot.press("enter")
        await until(lambda: isinstance(pilot.app.screen, DriftPage), pilot, "the page")


async def test_a_look_runs_beside_the_screen(drifted: Path, workstation: Workstation) -> None:
    """The service works in a thread: the event loop goes on while it looks."""
    async with workstation() as pilot:
        place = pilot.app.screen
        assert isinstance(place, PromptsPlace)
        look = asyncio.create_task(asyncio.to_thread(DriftService(place.ledger.database).matrix, drifted))
        turns = 0
        while not look.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 1 and len(look.result().rows) == 3
        assert not isinstance(look.exception(), LedgerError)
