"""The template editor: exact text, safe pictures, colours line by line."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.ui.widgets.template_area import MAX_HIGHLIGHT, Mark, TemplateArea
from ledger_tui.ui.widgets.template_document import TemplateDocument, shown_line, wrap_offsets
from ledger_tui.ui.widgets.template_highlight import LineStates, highlight
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tests.ui.conftest import screen_text


class Desk(App[None]):
    """One editor on a screen of its own."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.area = TemplateArea(text)
        self.lit: list[bool] = []

    def compose(self) -> ComposeResult:
        yield self.area

    def on_mount(self) -> None:
        self.area.cursor_blink = False
        self.area.focus()

    def on_template_area_highlighting(self, event: TemplateArea.Highlighting) -> None:
        self.lit.append(event.on)


def _kinds(text: str, state: str = "") -> list[tuple[str, str]]:
    return [(text[a:b], kind) for a, b, kind in highlight(text, state)[0]]


ANY_TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=[]), max_size=60)


@given(text=ANY_TEXT)
def test_text_comes_back_exactly(text: str) -> None:
    """Whatever is loaded comes back the same, with every kind of line break, NUL and broken character in it."""
    assert TemplateDocument(text).text == text


@given(text=ANY_TEXT, at=st.integers(0, 60), put=ANY_TEXT)
def test_an_insertion_is_exact_and_can_be_taken_back(text: str, at: int, put: str) -> None:
    """Text put anywhere stands there, and replacing it with what was there before brings the old text back."""
    document = TemplateDocument(text)
    if document.newline == "\r\n":
        return
    at = min(at, len(text))
    before = text[:at]
    location = (before.count("\n"), len(before.rpartition("\n")[2]))
    made = document.replace_range(location, location, put)
    assert document.text == before + put + text[at:]
    document.replace_range(location, made.end_location, made.replaced_text)
    assert document.text == text
    assert document.shown == [shown_line(line) for line in document.lines]


@given(line=ANY_TEXT.map(lambda text: text.replace("\n", " ")))
def test_shown_lines_have_one_picture_for_each_character(line: str) -> None:
    """The shown line is as long as the original and holds nothing that a terminal could obey."""
    shown = shown_line(line)
    assert len(shown) == len(line)
    assert not any(char != "\t" and (ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0) for char in shown)
    assert not set(shown) & set("\u202e\u200b\u2028\ud800\u200d\ufe0f")
    shown.encode()


@given(
    line=st.text(alphabet="ab c\u4e2d\té", max_size=80).map(shown_line),
    width=st.integers(2, 20),
)
def test_wrapped_parts_fit(line: str, width: int) -> None:
    """Every part of a wrapped line fits the width, but for one blank that hangs over its end."""
    cuts = [0, *wrap_offsets(line, width, 2), len(line)]
    assert cuts == sorted(cuts)
    for start, end in pairwise(cuts):
        part = line[start:end].removesuffix(" ")
        if "\t" not in part:
            assert cell_len(part) <= width


def test_jinja_is_told_from_text() -> None:
    """Delimiters, variables, keywords, filters, strings, numbers and comments are each of their kind."""
    kinds = _kinds("Hi {{ user.name|title(1) }}{% if x is defined and y == 'z' %}{# note #}")
    assert ("user", "variable") in kinds
    assert ("title", "filter") in kinds
    assert ("1", "number") in kinds
    assert ("if", "keyword") in kinds
    assert ("defined", "filter") in kinds
    assert ("'z'", "string") in kinds
    assert ("{# note #}", "comment") in kinds
    assert not any(text in ("Hi", "name") for text, _ in kinds)


def test_raw_blocks_comments_and_tags_go_over_lines() -> None:
    """What begins on one line colours the next ones until it ends."""
    lines = ["{% raw %}", "{{ not_a_variable }}", "{% endraw %}{{ a }} {# open", "still", "#} {% set x =", "y %} text"]
    states = LineStates()
    found = [_kinds(line, states.begin(lines, row)) for row, line in enumerate(lines)]
    assert found[1] == []
    assert ("a", "variable") in found[2]
    assert found[3] == [("still", "comment")]
    assert ("y", "variable") in found[5]


@given(
    st.lists(st.sampled_from(["{#", "#}", "{% raw %}", "{% endraw %}", "{{ a", "}}", "x", "{{ 'q"]), max_size=12),
    st.data(),
)
def test_states_after_edits_are_those_of_a_fresh_reading(parts: list[str], data: st.DataObject) -> None:
    """However lines are replaced, the known states stay those that reading from the top gives."""
    lines = parts or ["x"]
    states = LineStates()
    states.begin(lines, len(lines) - 1)
    for _ in range(4):
        top = data.draw(st.integers(0, len(lines) - 1))
        bottom = data.draw(st.integers(top, len(lines) - 1))
        new = data.draw(st.lists(st.sampled_from(["{#", "#}", "x", "{{ a", "}}", "{% raw %}"]), min_size=1, max_size=3))
        lines[top : bottom + 1] = new
        states.edited(lines, top, bottom, top + len(new) - 1, data.draw(st.integers(0, 12)))
        fresh = LineStates()
        for row in range(len(lines)):
            assert states.begin(lines, row) == fresh.begin(lines, row)


async def _typed(text: str, *keys: str) -> tuple[Desk, str]:
    app = Desk(text)
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        return app, screen_text(pilot)


async def test_typing_deleting_and_undo() -> None:
    """Keys change the text where the cursor is; ctrl+z takes it back."""
    app = Desk("one\ntwo")
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("down", "end", *"!x", "backspace", "enter", *"three")
        assert app.area.text == "one\ntwo!\nthree"
        assert "three" in screen_text(pilot)
        while app.area.text != "one\ntwo":
            before = app.area.text
            await pilot.press("ctrl+z")
            assert app.area.text != before
        assert "three" not in screen_text(pilot)


@pytest.mark.parametrize("size", [(40, 10), (100, 30)])
async def test_what_is_on_the_screen_is_the_text_after_any_edit(size: tuple[int, int]) -> None:
    """Repainting only what changed leaves no stale row behind: lines that wrap, vanish, join and change state."""
    app = Desk(
        "\n".join(f"line {n} with {{{{ value{n} }}}} and enough words to wrap at forty cells" for n in range(12))
    )
    async with app.run_test(size=size) as pilot:
        for keys in (["enter"], ["down", "ctrl+k"], ["backspace"], [*"{# "], ["end", *" more words here"], ["delete"]):
            await pilot.press(*keys)
            await pilot.pause()
            shown = _rows(pilot)
            app.area.refresh()
            await pilot.pause()
            assert shown == _rows(pilot)


def _rows(pilot: Pilot[None]) -> list[str]:
    strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
    return [repr([(segment.text, segment.style) for segment in strip.simplify()]) for strip in strips]


async def test_control_characters_show_as_stand_ins_and_the_cursor_stays_right() -> None:
    """An escape sequence is visible, one cell a character, and typing behind it lands behind it."""
    app, text = await _typed("a\x1b]0;t\x07\u202eb", "end", "!")
    assert "a␛]0;t␇" in text
    assert "\x1b" not in text
    assert app.area.text == "a\x1b]0;t\x07\u202eb!"


async def test_a_paste_keeps_its_lines() -> None:
    """Terminals send carriage returns for line ends: they become line feeds."""
    from textual.events import Paste

    app = Desk("")
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.post_message(Paste("one\r\ntwo\rthree"))
        await pilot.pause()
        assert app.area.text == "one\ntwo\nthree"


async def test_problems_and_unknown_variables_are_underlined() -> None:
    """The places given from outside, and uses of the variables named, are underlined without need of colour."""
    app = Desk("good {{ nmae }} bad")
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.set_marks([Mark(1, 17, 20)], ["nmae"])
        await pilot.pause()
        marked = {s.text for s in app.area.render_line(0) if s.style and s.style.underline}
        assert marked == {"nmae", "bad"}


async def test_a_large_text_loses_its_colours_and_says_so() -> None:
    """Past a million characters the text is plain, a message says so, and typing works; smaller again, colours return."""
    app = Desk("{{ a }}")
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.insert("x\n" * (MAX_HIGHLIGHT // 2))
        await pilot.press("q")
        await pilot.pause()
        assert app.lit == [False]
        app.area.load_text("{{ a }}")
        await pilot.pause()
        assert app.lit == [False, True]


async def test_one_line_of_a_megabyte_can_be_edited() -> None:
    """A very long line wraps, its end can be reached and changed."""
    app = Desk("word " * 200_000)
    async with app.run_test(size=(60, 12)) as pilot:
        app.area.move_cursor(app.area.document.end)
        await pilot.press(*"END")
        await pilot.pause()
        assert app.area.text.endswith("word END")
        assert "END" in screen_text(pilot)


async def test_the_matching_bracket_is_found_near_by_only() -> None:
    """A bracket finds its partner over lines; one without a partner in a long text is given up soon."""
    app = Desk("({\n[x]\n})" + "\n" * 100_000)
    async with app.run_test(size=(60, 12)):
        assert app.area.find_matching_bracket("(", (0, 0)) == (2, 1)
        assert app.area.find_matching_bracket("}", (2, 0)) == (0, 1)
        app.area.load_text("(" + "\n" * 100_000)
        assert app.area.find_matching_bracket("(", (0, 0)) is None


async def test_keys_of_the_workstation_pass_through() -> None:
    """f6, f7, ctrl+e and ctrl+y mean something else here: the editor leaves them alone, and every key has an id."""
    keys = {key for binding in TemplateArea.BINDINGS for key in binding.key.split(",")}
    assert not keys & {"f6", "f7", "ctrl+e", "ctrl+y", "ctrl+s", "ctrl+r", "ctrl+p"}
    assert all(binding.id for binding in TemplateArea.BINDINGS)
