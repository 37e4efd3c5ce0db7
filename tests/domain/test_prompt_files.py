"""Prompt files: what was written is read back exactly, and files of other tools are understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_tui.domain import front_matter
from ledger_tui.domain.code_literals import template_in
from ledger_tui.domain.content import ROLES, Message, PromptContent
from ledger_tui.domain.drift import DriftRow, Place
from ledger_tui.domain.front_matter import FrontMatterError
from ledger_tui.domain.prompt_files import PromptFile, format_prompt, parse_prompt, prompt_name

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=80)
_LINES = st.lists(
    st.sampled_from(["user:", "\\user:", "\\\\system:", "---", "", " ", "a", "\r", "{{ x }}"]), max_size=8
)
_MESSAGES = st.lists(st.builds(Message, st.sampled_from(ROLES), _TEXT | _LINES.map("\n".join)), min_size=1, max_size=4)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(_MESSAGES, _TEXT | st.none(), st.dictionaries(_TEXT, _PLAIN, max_size=3), _TEXT, st.lists(_TEXT, max_size=3))
def test_what_is_written_is_read_back(
    messages: list[Message], model: str | None, params: dict[str, Any], description: str, tags: list[str]
) -> None:
    """Any prompt goes through its file unchanged, and writing it again gives the same text."""
    prompt = PromptFile(PromptContent(tuple(messages), model, params), description, tuple(tags), description)
    text = format_prompt(prompt)
    found = parse_prompt("a.prompty", text)
    assert found.content.sha256 == prompt.content.sha256
    assert (found.description, found.tags, found.team) == (description, tuple(tags), description)
    assert format_prompt(found) == text


@settings(deadline=None)
@given(_TEXT)
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any front matter is understood or refused with a line; nothing else happens."""
    try:
        front_matter.parse(text)
    except FrontMatterError as error:
        assert error.line >= 2


FOREIGN = """---
name: Basic Prompt
description: 'It''s: a # prompt'   # said once
authors:
  - ann
  - name: bob
    mail: "b\\u00e9"
model:
  api: chat
  configuration:
    type: openai
    name: gpt-4o
  parameters:
    max_tokens: 3000
    temperature: 0.5
    stop: [a, b]
tags:
- one
- two
text: |
  line one
    line two

  line three
folded: >-
  one
  two
empty:
---
Lead of the system.

user:
{{question}}

# Assistant:
Well.
"""


def test_files_of_other_tools_are_understood() -> None:
    """Model, parameters, description, tags and role lines of a common layout; text before a role is the system's."""
    found = parse_prompt("a.prompty", FOREIGN)
    assert found.content.model == "openai/gpt-4o"
    assert found.content.params == {"max_tokens": 3000, "temperature": 0.5, "stop": ["a", "b"]}
    assert (found.description, found.tags) == ("It's: a # prompt", ("one", "two"))
    assert [(m.role, m.text) for m in found.content.messages] == [
        ("system", "Lead of the system."),
        ("user", "{{question}}"),
        ("assistant", "Well."),
    ]


def test_the_shapes_of_front_matter() -> None:
    """Nested mappings, lists of mappings, block texts, folded texts and what is empty."""
    head, _ = front_matter.split(FOREIGN)
    facts = front_matter.parse(head or "")
    assert facts["authors"] == ["ann", {"name": "bob", "mail": "bé"}]
    assert facts["text"] == "line one\n  line two\n\nline three\n"
    assert (facts["folded"], facts["empty"]) == ("one two", None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2", 3),
        ("a: *b", 2),
        ("a: !!int 1", 2),
        ("- 1", 2),
        ("a:\n\tb: 1", 3),
        ("a: 1\n  b: 2", 3),
        ("a: 'x", 2),
        ("just words", 2),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text: str, line: int) -> None:
    """Twins, aliases, tags, tabs and wrong indentation are told where they are."""
    with pytest.raises(FrontMatterError) as caught:
        front_matter.parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.jinja", "a/b"), ("a.prompty", "a"), ("x.y.md", "x.y"), ("a/README.md", None), ("a.txt", None)],
)
def test_a_path_is_a_name(path: str, name: str | None) -> None:
    """The suffix goes, folders stay; other files are no prompts."""
    assert prompt_name(path) == name


SOURCE = '''
A = "one" " two"
B: str = """three"""
C = f"{A}"
ALL = {"d": "four", "e": A}
class P:
    A = "five"
    class Q:
        B = "six"
'''


@pytest.mark.parametrize(
    ("name", "owner", "text"),
    [
        ("A", "", None),
        ("A", "P", "five"),
        ("B", "P.Q", "six"),
        ("B", "P", None),
        ("C", "", None),
        ("d", "", "four"),
        ("e", "", None),
        ("A", "Z", None),
    ],
)
def test_texts_are_found_in_source_without_running_it(name: str, owner: str, text: str | None) -> None:
    """Plain texts of a class, module or dictionary are found; computed and ambiguous ones are not guessed."""
    assert template_in(SOURCE, name, owner) == text
    assert template_in("not python (", name, owner) is None


def test_differences_are_held_against_the_working_tree() -> None:
    """A place with another hash, or without the prompt, differs; a place that is not known does not."""
    row = DriftRow(
        "p",
        "",
        (Place("working", "a"), Place("head", None), Place("registered", "a"), Place("label", "b", "production")),
    )
    assert [place.key for place in row.differing()] == ["head", "label:production"]
    assert [place.key for place in row.differing(["registered", "label"])] == ["label:production"]
    unknown = DriftRow("p", "", (Place("registered", "a"), Place("executed", "b", "dev")))
    assert [place.key for place in unknown.differing()] == ["executed:dev"]
    assert DriftRow("p", "", ()).differing() == ()
