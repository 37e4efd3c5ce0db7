"""The diff: exact on ordinary texts, bounded on hostile ones, and honest about the difference."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.diff import TextDiff, diff_contents, diff_text

LINES = st.lists(st.text(alphabet="ab \n{}é", max_size=6), max_size=12).map("\n".join)


def _rebuilt(diff: TextDiff) -> tuple[str, str]:
    old = "\n".join(row.old for row in diff.rows if row.old is not None)
    new = "\n".join(row.new for row in diff.rows if row.new is not None)
    return old, new


@given(old=LINES, new=LINES)
def test_rows_hold_both_texts(old: str, new: str) -> None:
    """Both texts can be read back from the rows, from the unified view too, and the counts are those of the signs."""
    diff = diff_text(old, new)
    assert _rebuilt(diff) == (old, new)
    unified = list(diff.unified())
    assert "\n".join(line.text for line in unified if line.sign != "+") == old
    assert "\n".join(line.text for line in unified if line.sign != "-") == new
    assert [line.sign for line in unified].count("+") == diff.added
    assert [line.sign for line in unified].count("-") == diff.removed
    assert diff.same == (old == new)


@given(old=LINES, new=LINES)
def test_line_numbers_count_up(old: str, new: str) -> None:
    """Line numbers of each side are 1, 2, 3 ... without a gap."""
    rows = diff_text(old, new).rows
    assert [row.old_number for row in rows if row.old_number] == list(range(1, old.count("\n") + 2))
    assert [row.new_number for row in rows if row.new_number] == list(range(1, new.count("\n") + 2))


def test_words_are_marked_inside_a_changed_line() -> None:
    """Only the words that differ are marked, on both sides."""
    row = diff_text("Summarise {{ text }} in five words.", "Summarise {{ article }} in five words.").rows[0]
    assert row.kind == "changed"
    assert [row.old[a:b] for a, b in row.old_marks] == ["text"]
    assert [row.new[a:b] for a, b in row.new_marks] == ["article"]


def test_a_line_finds_its_successor_among_others() -> None:
    """A line that was edited while another was put above it stands beside its successor, not beside the newcomer."""
    rows = diff_text("keep\nanswer in one short sentence\nend", "keep\nzzz\nanswer in two short sentences\nend").rows
    assert [(row.kind, row.old, row.new) for row in rows[1:3]] == [
        ("added", None, "zzz"),
        ("changed", "answer in one short sentence", "answer in two short sentences"),
    ]


def _noise(count: int, seed: int) -> str:
    chance = random.Random(seed)
    return "\n".join(chance.choice("ab") for _ in range(count))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (_noise(100_000, 1), _noise(100_000, 2)),
        (" ".join("abcd"[n % 3] for n in range(400_000)), " ".join("abcd"[n % 4] for n in range(400_000))),
        ("." * 2_000_000, "." * 999_999 + "!" + "." * 1_000_000),
        ("\n".join(f"a {n} b" for n in range(100_000)), "\n".join(f"a {n} c" for n in range(100_000))),
    ],
    ids=["two words in 1e5 lines", "one line of words", "one line of dots", "every line changed"],
)
def test_worst_cases_end_and_say_that_they_are_coarse(old: str, new: str) -> None:
    """Inputs that make a line matcher run away end quickly (the suite's time-out), complete, and with a note."""
    diff = diff_text(old, new)
    assert diff.note
    assert _rebuilt(diff) == (old, new)


def test_many_lines_with_few_changes_stay_exact() -> None:
    """A hundred thousand lines with two edits give exactly these two, and no note."""
    lines = [f"line {n}" for n in range(100_000)]
    edited = [*lines]
    edited[5] = "line five"
    edited[90_000] = "line ninety"
    diff = diff_text("\n".join(lines), "\n".join(edited))
    assert (diff.added, diff.removed, diff.note) == (2, 2, "")


BASE = PromptContent(
    (Message("system", "Be brief."), Message("user", "Hello {{ name }}")), "offline", {"temperature": 0.2, "seed": 1}
)


def test_equal_versions_differ_in_nothing() -> None:
    """A version compared with itself is the same in every part."""
    diff = diff_contents(BASE, BASE)
    assert diff.same
    assert [section.kind for section in diff.sections] == ["same", "same", "same", "same"]


def test_parameters_are_compared_by_key() -> None:
    """A changed parameter is one changed line, whatever the order of keys."""
    diff = diff_contents(BASE, BASE.with_changes(params={"seed": 1, "temperature": 0.7}))
    changed = [section for section in diff.sections if section.kind != "same"]
    assert [section.title for section in changed] == ["parameters"]
    assert [row.new for row in changed[0].diff.rows if row.kind == "changed"] == ["temperature: 0.7"]


def test_a_new_message_does_not_change_its_neighbours() -> None:
    """A message put between two others is the only part that changed."""
    new = BASE.with_changes(messages=(BASE.messages[0], Message("assistant", "Yes?"), BASE.messages[1]))
    diff = diff_contents(BASE, new)
    assert [(section.title, section.kind) for section in diff.sections if section.kind != "same"] == [
        ("message 2 · assistant", "added")
    ]


def test_a_changed_role_and_a_removed_message_show() -> None:
    """A message whose role alone changed counts as changed, a missing one as removed."""
    new = BASE.with_changes(messages=(Message("developer", "Be brief."),))
    kinds = {section.title: section.kind for section in diff_contents(BASE, new).sections if section.kind != "same"}
    assert "removed" in kinds.values()
    swapped = BASE.with_changes(messages=(Message("developer", "Be brief."), BASE.messages[1]))
    assert [s.title for s in diff_contents(BASE, swapped).sections if s.kind == "changed"] == [
        "message 1 · system → developer"
    ]


def test_model_tools_and_schema_have_their_parts() -> None:
    """A model, a tool and a response schema that came or went are parts of their own."""
    new = BASE.with_changes(model=None, tools=({"name": "search"},), response_schema={"type": "object"})
    kinds = {section.title: section.kind for section in diff_contents(BASE, new).sections}
    assert kinds["model"] == "removed"
    assert kinds["tools"] == "added"
    assert kinds["response schema"] == "added"
