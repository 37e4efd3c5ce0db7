"""Three texts become hunks, and hunks become the text that a person chose."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.diff_match import MAX_BLOCK_PAIRS
from ledger_tui.domain.merge import Merge, has_marks, merge
from ledger_tui.domain.merge_text import document, read
from ledger_tui.errors import ContentRefused, InputError
from tests.domain.test_prompt_files import _MESSAGES, _PLAIN, _TEXT

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=9).map("\n".join)


def _kinds(found: Merge) -> list[str]:
    return [hunk.kind for hunk in found.hunks]


@given(TEXTS | st.none(), TEXTS, TEXTS)
def test_taking_one_side_everywhere_gives_that_side(base: str | None, mine: str, theirs: str) -> None:
    """All hunks of mine are my text, all of theirs are their text, all of the base the base; the hunks hold the three texts."""
    found = merge(base, mine, theirs)
    assert found.text(found.all_of("mine")) == mine and found.text(found.all_of("theirs")) == theirs
    if base is not None:
        assert found.text(found.all_of("base")) == base
    assert set(_kinds(found)) <= {"unchanged", "mine", "theirs", "alike", "conflict"}
    assert has_marks(found.text({})) == bool(found.conflicts)


@given(TEXTS, TEXTS)
def test_where_one_side_changed_nothing_the_other_is_taken(base: str, changed: str) -> None:
    """A text that only one person changed is that person's, without a question; one that both changed alike too."""
    assert merge(base, base, changed).text({}) == changed == merge(base, changed, base).text({})
    alike = merge(base, changed, changed)
    assert alike.text({}) == changed and not alike.conflicts


@given(TEXTS, TEXTS, TEXTS)
def test_a_merge_does_not_know_who_is_who(base: str, mine: str, theirs: str) -> None:
    """Seen from the other side the same hunks are there, with sides exchanged."""
    other = {"mine": "theirs", "theirs": "mine"}
    here, there = merge(base, mine, theirs), merge(base, theirs, mine)
    assert [other.get(kind, kind) for kind in _kinds(here)] == _kinds(there)
    assert [(h.base, h.mine, h.theirs) for h in here.hunks] == [(h.base, h.theirs, h.mine) for h in there.hunks]


@given(TEXTS | st.none(), TEXTS, TEXTS)
def test_no_two_neighbours_are_both_unchanged(base: str | None, mine: str, theirs: str) -> None:
    """A run of lines that nobody changed is one hunk, however the texts were matched."""
    kinds = _kinds(merge(base, mine, theirs))
    assert ("unchanged", "unchanged") not in itertools.pairwise(kinds)


def test_each_kind_of_hunk() -> None:
    """Changes apart from each other need nobody; the same line changed differently does, and can be taken from either or both."""
    found = merge("1\n2\n3\n4\n5\n6\n7", "1\nmine\n3\nM\n5\nsame\n7", "1\n2\n3\nT\n5\nsame\n7\nnew")
    assert _kinds(found) == [
        "unchanged", "mine", "unchanged", "conflict", "unchanged", "alike", "unchanged", "theirs",
    ]  # fmt: skip
    assert found.conflicts == (3,) == found.undecided({1: "base"}) and not found.undecided({3: "both"})
    assert found.text({3: "both"}) == "1\nmine\n3\nM\nT\n5\nsame\n7\nnew"
    assert found.text({1: "base", 3: "theirs", 7: "base"}) == "1\n2\n3\nT\n5\nsame\n7"
    assert "<<<<<<< mine\nM\n||||||| base\n4\n=======\nT\n>>>>>>> theirs" in found.text({})


def test_texts_without_a_common_base_agree_where_they_are_equal() -> None:
    """Two texts that were never one have a conflict where they differ, and nothing to decide where they do not."""
    found = merge(None, "hello\nada", "hello\ngrace")
    assert _kinds(found) == ["unchanged", "conflict"] and found.hunks[1].base == ()


def test_huge_texts_are_compared_coarsely_and_say_so() -> None:
    """Blocks too large to match are one hunk with a note, and taking a side still gives exactly that side."""
    lines = int(MAX_BLOCK_PAIRS**0.5) * 4
    base, mine, theirs = ("\n".join(f"{who}{n % 7}" for n in range(lines)) for who in "bmt")
    found = merge(base, mine, theirs)
    assert found.note
    assert found.text(found.all_of("mine")) == mine and found.text(found.all_of("theirs")) == theirs


@settings(deadline=None)
@given(
    _MESSAGES,
    _TEXT | st.none(),
    st.dictionaries(_TEXT, _PLAIN, max_size=3),
    st.lists(st.dictionaries(_TEXT, _PLAIN, max_size=2), max_size=2),
)
def test_a_version_goes_through_its_document_unchanged(
    messages: list[Message], model: str | None, params: dict[str, Any], tools: list[dict[str, Any]]
) -> None:
    """Any version read back from its text is that version."""
    content = PromptContent(tuple(messages), model, params, tuple(tools))
    assert read(document(content)).sha256 == content.sha256


def test_parameters_and_tools_merge_each_for_itself() -> None:
    """Two people who change different parameters and tools need not decide anything."""
    base = PromptContent.of_text(
        "x", params={"seed": 1, "temperature": 0.2, "top_p": 1}, tools=({"name": "a"}, {"name": "b"}, {"name": "c"})
    )
    mine = base.with_changes(params={**base.params, "seed": 2}, tools=({"name": "A"}, *base.tools[1:]))
    theirs = base.with_changes(params={**base.params, "top_p": 0.5}, tools=(*base.tools[:2], {"name": "C"}))
    found = merge(document(base), document(mine), document(theirs))
    merged = read(found.text({}))
    assert dict(merged.params) == {"seed": 2, "temperature": 0.2, "top_p": 0.5}
    assert [tool["name"] for tool in merged.tools] == ["A", "b", "C"]


@pytest.mark.parametrize(
    "text", ["---\nledger: 1\n---\nuser:\n<<<<<<< mine\n", "---\nledger: 1\nwhat: 1\n---\nuser:\nx"]
)
def test_an_undecided_or_broken_document_is_refused(text: str) -> None:
    """A text with marks, or one that is no version, is refused with words; nothing is guessed."""
    with pytest.raises(ContentRefused if "<<<" in text else InputError):
        read(text)
