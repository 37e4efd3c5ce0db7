"""The Prompts place on a real ledger: writing, saving, drafts, versions, and what a person is told."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import LedgerError
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui.places.prompts.editor import Editor
from ledger_tui.ui.places.prompts.prompt_tree import PromptTree
from ledger_tui.ui.places.prompts.prompts import PromptsPlace
from ledger_tui.ui.places.prompts.versions import Versions
from ledger_tui.ui.widgets.diff_view import DiffView
from ledger_tui.ui.widgets.template_area import TemplateArea
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from tests.ui.conftest import Workstation, screen_text, settle, until


def _fill(ledger: Any, *names: str) -> None:
    ledger.prepare()
    for name in names:
        ledger.registry.save(name, PromptContent.of_text(f"Hello from {name}, {{{{ who }}}}", model="offline"))


def _place(pilot: Pilot[None]) -> PromptsPlace:
    place = pilot.app.screen_stack[0]
    assert isinstance(place, PromptsPlace)
    return place


async def _open(pilot: Pilot[None], name: str) -> PromptsPlace:
    place = _place(pilot)
    place.open_prompt(name)
    await until(lambda: place.subject is not None and place.subject.name == name, pilot, f"{name} opened")
    await settle(pilot)
    return place


def _messages(pilot: Pilot[None]) -> str:
    return " ".join(notification.message for notification in pilot.app._notifications)


async def test_an_empty_workspace_says_what_to_press(workstation: Workstation) -> None:
    """A newcomer sees the keys for the first prompt, the palette and the demo."""
    async with workstation() as pilot:
        text = screen_text(pilot)
        assert "No prompts yet" in text
        assert "ledger-tui demo" in text


async def test_a_thousand_prompts_are_in_the_first_frame(ledger: Any, workstation: Workstation) -> None:
    """The tree stands before the ledger is opened for writing, without a widget for each prompt."""
    _fill(ledger, *(f"folder{n % 10}/prompt{n}" for n in range(60)))
    async with workstation(prepare=False) as pilot:
        tree = _place(pilot).query_one(PromptTree)
        assert sum(not row.folder for row in tree.rows) == 60
        assert len(tree.children) == 0
        assert "folder0/" in screen_text(pilot)


async def test_write_and_save_the_first_prompt(ledger: Any, workstation: Workstation) -> None:
    """n, a name, a text, ctrl+s and enter make version 1."""
    async with workstation() as pilot:
        await pilot.press("n")
        await pilot.press(*"support/answer", "enter")
        place = _place(pilot)
        await until(lambda: place.subject is not None, pilot, "the new prompt")
        await settle(pilot)
        await pilot.press(*"Hi {{ name }}")
        await pilot.press("ctrl+s")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the save dialog")
        await pilot.press(*"first words", "enter")
        await until(lambda: "Saved v1" in _messages(pilot), pilot, "the toast")
        version = ledger.registry.version("support/answer")
        assert version.message == "first words"
        assert ledger.registry.content(version.id).messages == (Message("user", "Hi {{ name }}"),)
        await settle(pilot)
        assert ledger.drafts.all() == []


async def test_saving_what_exists_makes_no_version(ledger: Any, workstation: Workstation) -> None:
    """Saving an unchanged prompt says which version it is; saving an older text moves active to it."""
    _fill(ledger, "greet")
    old = ledger.registry.version("greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        await pilot.press("ctrl+s")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the save dialog")
        await pilot.press("enter")
        await until(lambda: "No change: this is v1 already" in _messages(pilot), pilot, "the toast")
        ledger.registry.save("greet", PromptContent.of_text("Another text", model="offline"))
        await settle(pilot)
        place.open_prompt("greet", old.id)
        await settle(pilot)
        await pilot.press("ctrl+s")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the save dialog")
        await pilot.press("enter")
        await until(lambda: "Same as v1" in _messages(pilot), pilot, "the toast")
        assert len(ledger.registry.versions("greet")) == 2
        assert ledger.registry.version("greet").number == 1


async def test_a_draft_is_on_the_disk_soon_and_comes_back(ledger: Any, workstation: Workstation) -> None:
    """What was typed is kept without any key; a workstation that starts anew shows it with a mark, and can drop it."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        await _open(pilot, "greet")
        await pilot.press(*"NEW ")
        await until(lambda: ledger.drafts.get("greet"), pilot, "the draft")
    async with workstation() as pilot:
        assert [row.draft for row in _place(pilot).query_one(PromptTree).rows] == [True]
        place = await _open(pilot, "greet")
        assert place.editor.value().messages[0].text.startswith("NEW Hello")
        assert "Your draft" in screen_text(pilot)
        await pilot.press("ctrl+o")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the question")
        await pilot.press("y")
        await until(lambda: ledger.drafts.get("greet") is None, pilot, "the draft's end")
        await settle(pilot)
        assert place.editor.value().messages[0].text.startswith("Hello")


async def test_leaving_keeps_what_the_pause_has_not_kept_yet(ledger: Any, workstation: Workstation) -> None:
    """Text typed in the moment before the workstation ends is in the draft."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        await _open(pilot, "greet")
        await pilot.press("Z")
    assert ledger.drafts.get("greet").content["messages"][0]["text"].startswith("Z")


async def test_taking_back_the_change_drops_the_draft(ledger: Any, workstation: Workstation) -> None:
    """A text that is the saved one again needs no draft."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        await _open(pilot, "greet")
        await pilot.press("Z")
        await until(lambda: ledger.drafts.get("greet"), pilot, "the draft")
        await pilot.press("backspace")
        await until(lambda: ledger.drafts.get("greet") is None, pilot, "the draft's end")


async def test_problems_show_where_they_are(ledger: Any, workstation: Workstation) -> None:
    """A syntax error is listed with line and column while typing, and choosing it goes there."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        place.editor.blocks[0].area.load_text("fine\nbroken {{ who }")
        rows = place.query_one("#problems", OptionList)
        await until(lambda: "message 1, 2:" in screen_text(pilot), pilot, "the problem")
        rows.focus()
        await until(lambda: rows.highlighted == 0, pilot, "the mark")
        await pilot.press("enter")
        await until(lambda: place.editor.blocks[0].area.cursor_location[0] == 1, pilot, "the cursor")


async def test_variables_show_new_and_mistyped_ones(ledger: Any, workstation: Workstation) -> None:
    """A variable that the saved version has not is new; one that looks like it was mistyped says so."""
    ledger.prepare()
    ledger.registry.save("v", PromptContent.of_text("{{ customer }} {{ place }}"))
    async with workstation() as pilot:
        place = await _open(pilot, "v")
        place.editor.blocks[0].area.load_text("{{ custmer }} {{ place }} {{ other }}")
        await until(lambda: "did you mean customer?" in screen_text(pilot), pilot, "the marks")
        text = screen_text(pilot)
        assert "✓ place" in text
        assert "+ other new" in text


async def test_new_variables_are_marked_in_the_text_while_typing(ledger: Any, workstation: Workstation) -> None:
    """A variable that the saved version has not is underlined in the text, without leaving the editor."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        area = place.editor.blocks[0].area
        area.move_cursor(area.document.end)
        await pilot.press(*" {{ fresh }}")
        await until(lambda: "+ fresh new" in screen_text(pilot), pilot, "the list")
        look = area.get_component_rich_style("template--new")
        strip = area.render_line(0)
        assert [segment.text for segment in strip if segment.style and segment.style.color == look.color] == ["fresh"]


async def test_a_syntax_error_does_not_hide_the_variables(ledger: Any, workstation: Workstation) -> None:
    """While a text cannot be understood, its variables are those it had before."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        await until(lambda: "✓ who" in screen_text(pilot), pilot, "the variables")
        area = place.editor.blocks[0].area
        area.move_cursor(area.document.end)
        await pilot.press(*" {{ wh")
        await until(lambda: "message 1, 1:" in screen_text(pilot), pilot, "the problem")
        assert "✓ who" in screen_text(pilot)


async def test_text_wraps_at_what_is_visible(ledger: Any, workstation: Workstation) -> None:
    """Beside a scroll bar no end of a line is hidden: the words of the text are all on the screen."""
    ledger.prepare()
    long = " ".join(f"word{n:02d}" for n in range(40))
    ledger.registry.save("long", PromptContent((Message("system", long), *[Message("user", "{{ task }}")] * 4)))
    async with workstation(size=(80, 24)) as pilot:
        place = await _open(pilot, "long")
        assert place.editor.scroller.show_vertical_scrollbar
        text = screen_text(pilot)
        assert all(word in text for word in long.split())


async def test_compare_two_marked_versions(ledger: Any, workstation: Workstation) -> None:
    """space marks two versions, c shows what differs, escape goes back."""
    _fill(ledger, "greet")
    ledger.registry.save("greet", PromptContent.of_text("Hello from all of us, {{ who }}", model="offline"))
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        place.query_one("#version-list").focus()
        await pilot.press("space", "down", "space", "c")
        await until(lambda: place.has_class("-comparing"), pilot, "the comparison")
        await settle(pilot)
        assert place.query_one(DiffView).changes >= 1
        assert "v1 → v2" in screen_text(pilot)
        await pilot.press("escape")
        assert not place.has_class("-comparing")


async def test_a_click_on_the_mark_marks_a_version(ledger: Any, workstation: Workstation) -> None:
    """The mouse marks two versions in the first column and compares them with the button, without opening them."""
    _fill(ledger, "greet")
    ledger.registry.save("greet", PromptContent.of_text("Second"))
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        await pilot.click("#version-list", offset=(0, 0))
        assert "◆ v2: mark one more" in screen_text(pilot)
        await pilot.click("#version-list", offset=(0, 4))
        assert "◆ v1 and v2: c compares" in screen_text(pilot)
        await pilot.click("#versions .toolbar Button")
        await until(lambda: place.has_class("-comparing"), pilot, "the comparison")
        await settle(pilot)
        assert "v1 → v2" in screen_text(pilot)


async def test_the_prompt_under_the_cursor_is_shown_without_taking_the_keyboard(
    ledger: Any, workstation: Workstation
) -> None:
    """The first prompt is there at the start, the next one after a rest of the cursor; drafts are kept on the way."""
    _fill(ledger, "a", "b", "c")
    async with workstation() as pilot:
        place = _place(pilot)
        await until(lambda: place.subject and place.subject.name == "a", pilot, "the first prompt")
        assert isinstance(place.focused, PromptTree)
        await pilot.press("enter")
        await until(lambda: isinstance(place.focused, TemplateArea), pilot, "the editor")
        await pilot.press(*"MINE ", "escape", "down")
        await until(lambda: place.subject and place.subject.name == "b", pilot, "the second prompt")
        assert isinstance(place.focused, PromptTree)
        assert ledger.drafts.get("a").content["messages"][0]["text"].startswith("MINE ")
    async with workstation() as pilot:
        place = _place(pilot)
        await until(lambda: place.subject and place.subject.name == "b", pilot, "the last prompt")
        assert place.query_one(PromptTree).current.path == "b"


async def test_the_filter_finds_prompts_by_their_text(ledger: Any, workstation: Workstation) -> None:
    """A word that stands only in a prompt's text finds it, with a mark; escape takes the filter away."""
    _fill(ledger, "one", "two")
    ledger.registry.save("three", PromptContent.of_text("An unusual zebra"))
    async with workstation() as pilot:
        tree = _place(pilot).query_one(PromptTree)
        await pilot.press("slash", *"zebra")
        await until(lambda: [(row.path, row.by_text) for row in tree.rows] == [("three", True)], pilot, "the hit")
        assert "≡ three" in screen_text(pilot)
        await pilot.press("escape")
        await until(lambda: len(tree.rows) == 3, pilot, "all prompts")


async def test_an_archived_prompt_is_listed_and_comes_back(ledger: Any, workstation: Workstation) -> None:
    """A archives, a lists the archived ones too, A brings back."""
    _fill(ledger, "greet", "other")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        tree = place.query_one(PromptTree)
        tree.focus()
        await pilot.press("A")
        await until(lambda: [row.path for row in tree.rows] == ["other"], pilot, "the shorter list")
        assert "1 archived" in screen_text(pilot)
        await pilot.press("a")
        assert [row.path for row in tree.rows] == ["greet", "other"]
        await until(lambda: place.subject and place.subject.prompt.archived, pilot, "the archived prompt")
        await pilot.press("A")
        await until(lambda: len(ledger.registry.prompts()) == 2, pilot, "the prompt")


async def test_restore_label_and_undo(ledger: Any, workstation: Workstation) -> None:
    """v makes an older version active, l puts a label on it, u takes both back."""
    _fill(ledger, "greet")
    ledger.registry.save("greet", PromptContent.of_text("Second"))
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        place.query_one("#version-list").focus()
        await pilot.press("down", "v")
        await until(lambda: ledger.registry.version("greet").number == 1, pilot, "v1 active")
        await settle(pilot)
        assert place.editor.value().messages[0].text.startswith("Hello")
        place.query_one("#version-list").focus()
        await pilot.press("l")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the label dialog")
        await pilot.press(*"canary", "enter")
        await until(lambda: ledger.registry.prompt("greet").labels, pilot, "the label")
        await settle(pilot)
        await pilot.press("u")
        await until(lambda: not ledger.registry.prompt("greet").labels, pilot, "the label's end")
        await pilot.press("u")
        await until(lambda: ledger.registry.version("greet").number == 2, pilot, "v2 active")
        await until(lambda: place.editor.value().messages[0].text == "Second", pilot, "the editor follows")


async def test_a_shown_version_never_overwrites_a_draft(ledger: Any, workstation: Workstation) -> None:
    """While a draft waits, another version can only be read; opening the prompt again brings the draft back."""
    _fill(ledger, "greet")
    first = ledger.registry.version("greet")
    ledger.registry.save("greet", PromptContent.of_text("Second"))
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        await until(lambda: place.editor.blocks[0].area.has_focus, pilot, "the text to have the keyboard")
        await pilot.press(*"MINE ")
        await until(lambda: ledger.drafts.get("greet"), pilot, "the draft")
        place.open_prompt("greet", first.id)
        await until(lambda: place.subject and place.subject.waiting, pilot, "the old version")
        await settle(pilot)
        place.editor.blocks[0].area.focus()
        await pilot.press("x")
        assert place.editor.value().messages[0].text.startswith("Hello")
        place.open_prompt("greet")
        await until(lambda: place.editor.value().messages[0].text == "MINE Second", pilot, "the draft")
        assert ledger.drafts.get("greet").content["messages"][0]["text"] == "MINE Second"


async def test_messages_are_added_moved_and_removed(ledger: Any, workstation: Workstation) -> None:
    """The buttons of a message change the order and number of messages."""
    ledger.prepare()
    ledger.registry.save("m", PromptContent.of_text("ask", system="be brief"))
    async with workstation() as pilot:
        place = await _open(pilot, "m")
        editor = place.query_one(Editor)
        editor._rearrange(editor.blocks[1], "up")
        await settle(pilot)
        assert [m.text for m in editor.value().messages] == ["ask", "be brief"]
        editor.add_message()
        await until(lambda: len(editor.blocks) == 3, pilot, "the third message")
        await settle(pilot)
        editor._rearrange(editor.blocks[0], "remove")
        await until(lambda: len(editor.blocks) == 2, pilot, "two messages")
        await settle(pilot)
        assert [(m.role, m.text) for m in editor.value().messages] == [("system", "be brief"), ("user", "")]
        assert [block.number for block in editor.blocks] == [1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [("a\0b", "NUL"), ("a\ud800b", "broken character"), ("x" * 300_000, "bytes")],
    ids=["NUL", "surrogate", "too large"],
)
async def test_what_cannot_be_stored_is_refused_and_kept(
    ledger: Any, workstation: Workstation, text: str, words: str
) -> None:
    """Saving says what is wrong; the text stays in the editor and in the draft."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        place.editor.blocks[0].area.load_text(text)
        await until(lambda: ledger.drafts.get("greet"), pilot, "the draft")
        await pilot.press("ctrl+s")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the save dialog")
        await pilot.press("enter")
        await until(lambda: words in _messages(pilot), pilot, "the refusal")
        assert place.editor.value().messages[0].text == text
        assert ledger.drafts.get("greet").content["messages"][0]["text"] == text
        assert len(ledger.registry.versions("greet")) == 1


async def test_parameters_are_typed_and_checked(ledger: Any, workstation: Workstation) -> None:
    """Parameters become values; one that is none is named and nothing is saved."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        place.query_one("#field-temperature", Input).value = "0.5"
        place.query_one("#field-more", Input).value = '{"top_k": 40}'
        await settle(pilot)
        assert place.editor.value().params() == {"temperature": 0.5, "top_k": 40}
        place.query_one("#field-seed", Input).value = "many"
        await settle(pilot)
        with pytest.raises(LedgerError):
            place.editor.value().params()
        place.action_save()
        await pilot.pause()
        assert "Seed is 'many'" in _messages(pilot)
        assert len(pilot.app.screen_stack) == 1


async def test_the_filter_leaves_matching_prompts(ledger: Any, workstation: Workstation) -> None:
    """/ and a word leave the prompts that hold it; the count says how many of how many."""
    _fill(ledger, "support/answer", "support/triage", "sales/pitch")
    async with workstation() as pilot:
        await pilot.press("slash", *"tri")
        await settle(pilot)
        tree = _place(pilot).query_one(PromptTree)
        assert [row.path for row in tree.rows if not row.folder] == ["support/triage"]
        assert "1 of 3" in screen_text(pilot)


async def test_folders_fold_and_open_by_key(ledger: Any, workstation: Workstation) -> None:
    """enter on a folder hides what is in it, enter again shows it."""
    _fill(ledger, "a/one", "a/two", "b")
    async with workstation() as pilot:
        tree = _place(pilot).query_one(PromptTree)
        tree.focus()
        await pilot.press("home", "enter")
        assert [row.path for row in tree.rows] == ["a", "b"]
        await pilot.press("enter")
        assert [row.path for row in tree.rows] == ["a", "a/one", "a/two", "b"]


@pytest.mark.parametrize("name", ["../x", "a//b", "con", "а", "a b", "x."])
async def test_names_are_refused_while_typing(workstation: Workstation, name: str) -> None:
    """A name that cannot be used says why before it is accepted, and enter does not accept it."""
    async with workstation() as pilot:
        await pilot.press("n")
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the dialog")
        pilot.app.screen.query_one(Input).value = name
        await settle(pilot)
        assert "✗" in screen_text(pilot)
        await pilot.press("enter")
        assert len(pilot.app.screen_stack) == 2


async def test_a_narrow_terminal_shows_one_pane_at_a_time(ledger: Any, workstation: Workstation) -> None:
    """At 80 columns the three panes are tabs; opening a prompt goes to the editor, escape back to the list."""
    _fill(ledger, "greet")
    async with workstation(size=(80, 24)) as pilot:
        place = _place(pilot)
        assert place.query_one("#list").display and not place.query_one("#editor").display
        place.query_one(PromptTree).focus()
        await pilot.press("enter")
        await until(lambda: place.subject, pilot, "the prompt")
        await settle(pilot)
        assert place.query_one("#editor").display and not place.query_one("#list").display
        await pilot.press("escape")
        assert place.query_one("#list").display
        await pilot.press("f7", "f7")
        assert place.query_one(Versions).display


async def test_foreign_text_is_shown_not_obeyed(ledger: Any, workstation: Workstation) -> None:
    """Escape sequences, markup and bidirectional overrides in texts and messages do not reach the screen."""
    ledger.prepare()
    evil = "\x1b]0;t\x07 [bold]x[/bold] \u202e [@click=app.quit]q[/]"
    ledger.registry.save("greet", PromptContent.of_text(evil), message=evil, description=evil)
    async with workstation() as pilot:
        await _open(pilot, "greet")
        text = screen_text(pilot)
        assert "[bold]x[/bold]" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e"}


async def test_the_prompt_as_code_names_variables_and_version(ledger: Any, workstation: Workstation) -> None:
    """f8 gives code with the prompt's name and variables."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        await until(lambda: place.code_subject() and "who" in place.code_subject().python, pilot, "the variables")
        code = place.code_subject()
        assert code is not None
        assert 'ledger.execute("greet", {"who": "..."})' in code.python
        assert code.cli == "ledger-tui run greet --var who=... --stream"
        assert place.copy_source() == "Hello from greet, {{ who }}"


async def test_a_copy_is_a_draft_of_its_own(ledger: Any, workstation: Workstation) -> None:
    """d copies the text to a new name; nothing is saved until the person saves."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        place.action_duplicate()
        await until(lambda: len(pilot.app.screen_stack) > 1, pilot, "the dialog")
        await pilot.press("enter")
        await until(lambda: ledger.drafts.get("greet-copy"), pilot, "the draft")
        assert place.editor.value().messages[0].text == "Hello from greet, {{ who }}"
        assert [row.name for row in ledger.registry.prompts()] == ["greet"]


async def test_a_large_paste_switches_colours_off(ledger: Any, workstation: Workstation) -> None:
    """Past a megabyte the editor says that colours are off and stays usable."""
    _fill(ledger, "greet")
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        area = place.editor.blocks[0].area
        area.insert("x" * 10_000_000)
        await until(lambda: "colours are off" in screen_text(pilot), pilot, "the note")
        await pilot.press("q")
        assert len(area.text) == 10_000_001 + len("Hello from greet, {{ who }}")
        assert isinstance(area, TemplateArea)


async def test_history_tells_the_facts_of_the_prompt(ledger: Any, workstation: Workstation) -> None:
    """Saving, labelling and moving active are listed with the numbers of their versions."""
    _fill(ledger, "greet")
    ledger.registry.set_label("greet", "production", 1)
    async with workstation() as pilot:
        place = await _open(pilot, "greet")
        versions = place.query_one(Versions)
        versions.add_class("-history")
        await until(lambda: "production → v1" in screen_text(pilot), pilot, "the history")
        assert "saved v1" in screen_text(pilot)


class _Terminal:
    """The workstation as a process of its own on a pseudo terminal."""

    def __init__(self, paths: Any) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(
                TERM="xterm-256color", XDG_DATA_HOME=str(paths.data.parent), XDG_CONFIG_HOME=str(paths.config.parent)
            )
            os.execv(sys.executable, [sys.executable, "-m", "ledger_tui"])
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        self.seen = b""

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Read what the terminal gets until something holds."""
        end = time.monotonic() + 40
        while not condition():
            assert time.monotonic() < end, f"{what} never came"
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536)

    def type(self, keys: bytes) -> None:
        """Type, and look only at what comes after."""
        self.seen = b""
        os.write(self.master, keys)


def test_a_draft_survives_kill_9(tmp_path: Path) -> None:
    """What was typed in a real terminal is on the disk when the process is killed without a word."""
    paths = Paths(data=tmp_path / "data" / "ledger-tui", config=tmp_path / "config" / "ledger-tui")
    with PromptLedger(paths=paths) as ledger:
        _fill(ledger, "greet")
        terminal = _Terminal(paths)
        try:
            terminal.until(lambda: b"greet" in terminal.seen, "the list")
            terminal.type(b"\r")
            terminal.until(lambda: b"ello from" in terminal.seen.replace(b"Hello", b""), "the cursor on the H")
            terminal.type(b"KEPT ")
            terminal.until(lambda: ledger.drafts.get("greet"), "the draft")
            terminal.until(lambda: "KEPT " in str(ledger.drafts.get("greet").content), "the whole draft")
        finally:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
            os.close(terminal.master)
        assert ledger.drafts.get("greet").content["messages"][0]["text"] == "KEPT Hello from greet, {{ who }}"
