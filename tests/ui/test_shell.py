"""The shell: places, keys, the line above them."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Workstation, screen_text, settle

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
