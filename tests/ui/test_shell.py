"""The shell: places, keys, the line above them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ledger_tui.domain.content import PromptContent
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui.places.settings.settings import SettingsPlace

from tests.ui.conftest import Workstation, screen_text, settle, until
from tests.ui.terminal import Terminal

KEYS = [("f2", "prompts"), ("f3", "playground"), ("f4", "traces"), ("f5", "costs"), ("f6", "settings")]


@pytest.mark.parametrize(("key", "mode"), KEYS)
async def test_a_function_key_goes_to_its_place(workstation: Workstation, key: str, mode: str) -> None:
    """f2 to f6 go to the five places from anywhere."""
    async with workstation("costs" if mode == "prompts" else "prompts") as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert pilot.app.current_mode == mode


async def test_a_click_on_the_top_line_goes_to_a_place(workstation: Workstation) -> None:
    """The names in the top line can be clicked, and the active one is marked by a glyph."""
    async with workstation(size=(80, 24)) as pilot:
        first = screen_text(pilot).splitlines()[0]
        assert "● Prompts" in first and "3 Traces" in first
        await pilot.click("TopLine", offset=(first.index("3 Traces"), 0))
        await settle(pilot)
        assert pilot.app.current_mode == "traces"


async def test_zoom_gives_the_place_to_one_pane_and_back(workstation: Workstation) -> None:
    """f9 lets the focused pane fill the place below the top line; f9 again puts everything back."""
    async with workstation("settings") as pilot:
        await settle(pilot)
        assert " Provider ─" in screen_text(pilot)
        await pilot.press("f9")
        await settle(pilot)
        shown = screen_text(pilot)
        assert " Provider ─" not in shown and " Providers ─" in shown and "● Settings" in shown
        await pilot.press("f9")
        await settle(pilot)
        assert " Provider ─" in screen_text(pilot)


async def test_help_is_of_what_has_focus(workstation: Workstation) -> None:
    """f1 shows the words of the focused widget's section, of its place, and the keys that work there; escape closes."""
    async with workstation("settings", (120, 60)) as pilot:
        await pilot.press("f1")
        await until(lambda: "Providers and keys" in screen_text(pilot), pilot, "the help")
        shown = screen_text(pilot)
        assert "Set the key of this provider" in shown
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(pilot.app.screen, SettingsPlace)


async def test_the_current_action_as_code_can_be_copied(workstation: Workstation, ledger: PromptLedger) -> None:
    """f8 shows code that runs, and y copies it with a toast that says how much."""
    async with workstation("costs") as pilot:
        await pilot.press("f8")
        await until(lambda: "from ledger_tui import PromptLedger" in screen_text(pilot), pilot, "the code")
        await pilot.press("y")
        await pilot.pause()
        code = pilot.app.clipboard
        compile(code, "copied", "exec")
        assert any(f"{len(code):,} characters" in note.message for note in pilot.app._notifications)


async def test_undo_takes_back_and_says_what(workstation: Workstation, ledger: PromptLedger) -> None:
    """u undoes the last change of the registry, and when nothing is left it says so."""
    ledger.prepare()
    ledger.registry.save("a", PromptContent.of_text("one"))
    ledger.registry.set_label("a", "production", 1)
    async with workstation("costs") as pilot:
        await pilot.press("u")
        await until(lambda: any("Undone" in note.message for note in pilot.app._notifications), pilot, "the toast")
        assert "production" not in ledger.registry.version("a", 1).labels


async def test_a_missing_file_of_drafts_or_themes_is_no_problem(workstation: Workstation, paths: Paths) -> None:
    """A fresh machine without any folder opens without a complaint."""
    async with workstation("costs") as pilot:
        assert not list(pilot.app._notifications)


@pytest.mark.parametrize(
    ("editor", "result"),
    [
        ("sed -i s/one/two/", "two\n"),
        ("true", None),
        ("false", "false ended with 1"),
        ("no-such-editor-here", "there is no program"),
        ("sh -c 'printf \"\\377\" > $0'", "not UTF-8"),
    ],
)
def test_the_own_editor_changes_the_text_and_a_failure_loses_nothing(
    paths: Paths, editor: str, result: str | None
) -> None:
    """The editor gets a private file; its text comes back, and every failure is one clear error."""
    program = (str(Path(__file__).with_name("trial_editor.py")), str(paths.data), str(paths.config))
    with Terminal(paths, program=program, environment={"VISUAL": editor}) as terminal:
        terminal.ended()
        last = terminal.output[terminal.output.rindex("\x1b[?1049l") :]
    if result is None or result.endswith("\n"):
        assert repr(result) in last
        assert not list(paths.data.glob("edit-*"))
    else:
        assert "failed: " in last and result in " ".join(last.split())
        for kept in paths.data.glob("edit-*"):
            assert kept.stat().st_mode & 0o777 == 0o600


def test_only_the_first_place_is_imported_for_the_first_frame(paths: Paths) -> None:
    """When the first frame is there, nothing heavy was imported and no other place."""
    with PromptLedger(paths=paths) as ledger:
        ledger.prepare()
    program = [sys.executable, str(Path(__file__).with_name("trial_start.py")), str(paths.data), str(paths.config)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert ended.stdout == "[] ['prompts']\n", ended.stdout + ended.stderr


@pytest.mark.parametrize("key", ["f1", "f8", "ctrl+p"])
@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_mouse_closes_what_is_only_read(workstation: Workstation, key: str, size: tuple[int, int]) -> None:
    """Help, code and palette are left by a click beside the box and by one on the hint in its border."""
    async with workstation("costs", size) as pilot:
        for where in ("beside", "hint"):
            await pilot.press(key)
            await until(lambda: len(pilot.app.screen_stack) == 2 and pilot.app.screen.query(".dialog"), pilot)
            await settle(pilot)
            box = pilot.app.screen.query_one(".dialog").region
            await pilot.click(offset=(0, 0) if where == "beside" else (box.right - 5, box.bottom - 1))
            await until(lambda: len(pilot.app.screen_stack) == 1, pilot, f"closing by {where}")
