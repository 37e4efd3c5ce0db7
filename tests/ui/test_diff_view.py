"""The comparison on the screen: signs and underlines that need no colour, and any number of lines."""

from __future__ import annotations

import pytest
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.diff import diff_contents, diff_text
from ledger_tui.ui.widgets.diff_view import DiffView
from textual.app import App, ComposeResult

from tests.ui.conftest import screen_text


class Shown(App[None]):
    """One comparison on a screen of its own."""

    def compose(self) -> ComposeResult:
        yield DiffView()

    @property
    def view(self) -> DiffView:
        return self.query_one(DiffView)


OLD = "one\ntwo words here\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten"
NEW = "one\ntwo words there\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven"


@pytest.mark.parametrize(("width", "columns"), [(80, 1), (120, 2)])
async def test_signs_tell_what_was_added_and_removed(width: int, columns: int) -> None:
    """Narrow screens get one column, wide ones two; in both, - and + stand before the changed lines."""
    app = Shown()
    async with app.run_test(size=(width, 20)) as pilot:
        app.view.show_diff(diff_text(OLD, NEW))
        await pilot.pause()
        text = screen_text(pilot)
        assert app.view.side_by_side == (columns == 2)
        assert "- two words here" in text
        assert "+ two words there" in text
        assert "+ eleven" in text
        assert "lines are the same" in text


async def test_changed_words_are_underlined() -> None:
    """The word that differs is bold and underlined, its neighbours are not."""
    app = Shown()
    async with app.run_test(size=(120, 20)) as pilot:
        app.view.show_diff(diff_text(OLD, NEW))
        await pilot.pause()
        strip = app.view.render_line(1)
        marked = [s.text for s in strip if s.style and s.style.underline and s.style.bold]
        assert [text.strip() for text in marked] == ["here", "there"]


async def test_keys_change_columns_and_folding_and_go_to_changes() -> None:
    """m changes the columns, f unfolds, n and p travel between changes."""
    old = "\n".join(f"line {n}" for n in range(300))
    new = old.replace("line 10\n", "line ten\n").replace("line 250\n", "line two fifty\n")
    app = Shown()
    async with app.run_test(size=(120, 20)) as pilot:
        view = app.view
        view.focus()
        view.show_diff(diff_text(old, new))
        await pilot.press("m", "f")
        assert not view.side_by_side
        assert "the same" not in screen_text(pilot)
        await pilot.press("home", "n", "n")
        await pilot.pause()
        assert "+ line two fifty" in screen_text(pilot)
        await pilot.press("p")
        await pilot.pause()
        assert "+ line ten" in screen_text(pilot)


async def test_a_hundred_thousand_lines_are_shown_and_scrolled() -> None:
    """The end of a very long comparison can be reached and is painted."""
    lines = [f"line {n}" for n in range(100_000)]
    app = Shown()
    async with app.run_test(size=(120, 20)) as pilot:
        view = app.view
        view.focus()
        view.show_diff(diff_text("\n".join(lines), "\n".join([*lines[:-1], "the last"])))
        await pilot.press("f", "end")
        await pilot.pause()
        assert "+ the last" in screen_text(pilot)


async def test_foreign_text_cannot_reach_the_terminal() -> None:
    """Escape sequences, bidirectional overrides and markup in either version are shown, not obeyed."""
    app = Shown()
    async with app.run_test(size=(120, 20)) as pilot:
        evil = "\x1b]0;title\x07 [bold]x[/bold] \u202e abc \ud800"
        app.view.show_diff(diff_text("plain", evil))
        await pilot.pause()
        text = screen_text(pilot)
        assert "[bold]x[/bold]" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\ud800"}


async def test_a_line_longer_than_the_screen_scrolls_sideways() -> None:
    """The end of a long line comes into view with the right arrow key."""
    app = Shown()
    async with app.run_test(size=(120, 10)) as pilot:
        app.view.focus()
        app.view.show_diff(diff_text("x" * 200, "x" * 190 + "THE END"))
        await pilot.press(*["right"] * 20)
        await pilot.pause()
        assert "THE END" in screen_text(pilot)


async def test_parts_of_a_version_have_headings() -> None:
    """Each part of a version stands under its title with what changed in it."""
    old = PromptContent.of_text("Hello", model="offline")
    new = old.with_changes(messages=(Message("user", "Hello there"),), params={"seed": 1})
    app = Shown()
    async with app.run_test(size=(120, 20)) as pilot:
        app.view.show_diff(diff_contents(old, new))
        await pilot.pause()
        text = screen_text(pilot)
        assert "message 1 · user +1 -1" in text
        assert "model same" in text
        assert "parameters added" in text
