"""What an include means, worked out from texts alone."""

from __future__ import annotations

import pytest
from ledger_tui.domain import includes, sandbox
from ledger_tui.domain.content import Message
from ledger_tui.domain.includes import Composer, Included, Origin, Reference
from ledger_tui.domain.template import analyse, render
from ledger_tui.errors import (
    IncludeRefused,
    TemplateError,
    TemplateRefused,
    TemplateTooExpensive,
    UndefinedVariable,
)


def composer(prompts: dict[str, str | list[tuple[str, str]]], origin: Origin = includes.NO_ORIGIN) -> Composer:
    """A composer over prompts by name; ``name@ref`` stands for another version of it."""
    asked: list[str] = []

    def look_up(wanted: Reference) -> Included:
        key = wanted.prompt if wanted.ref == "active" else f"{wanted.prompt}@{wanted.ref}"
        asked.append(key)
        assert asked.count(key) == 1, "a name is looked up once"
        if key not in prompts:
            raise IncludeRefused(f"there is no {key}")
        texts = prompts[key]
        messages = [("user", texts)] if isinstance(texts, str) else texts
        return Included(f"id of {key}", wanted.prompt, 1, tuple(Message(*message) for message in messages))

    return Composer(look_up, analyse, origin)


def made(prompts: dict[str, str | list[tuple[str, str]]], text: str, role: str = "user", **variables: object) -> str:
    """What a text makes with its includes."""
    plan = composer(prompts).plan([Message(role, text)])
    return render(text, variables, texts=plan.texts[0])


def test_an_included_text_sees_the_variables() -> None:
    """Given values, values set before, and those of a loop around the include reach the included text, at every depth."""
    prompts: dict[str, str | list[tuple[str, str]]] = {"a": "{{ x }}{% include 'b' %}", "b": "[{{ x }}{{ n }}]"}
    text = "{% set n = 7 %}{% for x in xs %}{% include 'a' %}{% endfor %}{% include 'b' %}"
    assert made(prompts, text, xs=[1, 2], x="é") == "1[17]2[27][é7]"


def test_the_included_text_is_not_a_value() -> None:
    """Braces inside a value stay as they are in an included text too (B25), and a set in it stays inside."""
    assert made({"a": "{% set y = 1 %}{{ x }}"}, "{% include 'a' %}{{ y }}", x="{{ y }}", y=2) == "{{ y }}2"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("shared/tone", ("shared/tone", "active")),
        ("shared/tone@production", ("shared/tone", "production")),
        ("shared/tone@3", ("shared/tone", "3")),
        ("tone@v3", ("tone", "v3")),
        ("tone@deadbeef", ("tone", "deadbeef")),
    ],
)
def test_a_name_says_which_version(name: str, meant: tuple[str, str]) -> None:
    """Without a mark the active version is meant, else what stands after the @."""
    assert includes.reference(name) == meant


@pytest.mark.parametrize(
    "text",
    [
        "{% include '/etc/passwd' %}",
        "{% include '../secrets' %}",
        "{% include 'C:/x' %}",
        "{% include 'a//b' %}",
        "{% include '@production' %}",
        "{% include 'a@' %}",
        "{% include '' %}",
        "{% include name %}",
        "{% include 'a' ~ 'b' %}",
        "{% include ['a', 'b'] %}",
        "{% include 'a' ignore missing %}",
        "{% include 'a' without context %}",
        "{% include 'a\\x00' %}",
        "{% import 'a' as b %}",
        "{% extends 'a' %}",
        "{% from 'a' import b %}",
    ],
)
def test_what_is_no_plain_name_is_refused(text: str) -> None:
    """Paths, computed names, lists, and other ways to other files are refused with a place, before rendering (B24)."""
    text = "first line\n  " + text
    problem = analyse(text).problems[0]
    assert (problem.line, problem.severity) == (2, "error") and problem.column > 2
    with pytest.raises(TemplateRefused) as refused:
        render(text, {"name": "a"}, texts={"a": "x", "/etc/passwd": "x"})
    assert (refused.value.line, refused.value.column) == (2, problem.column)


def test_only_texts_that_were_given_can_be_reached() -> None:
    """The renderer opens nothing: a name that was not looked up is refused even where the text asks for it (B24)."""
    with pytest.raises(TemplateRefused, match="not looked up"):
        sandbox.render("{% include 'a' %}", {})
    with pytest.raises(TemplateRefused, match="not looked up"):
        sandbox.render("{% include 'a' %}", {}, texts={"b": "x"})


def test_used_names_in_their_order() -> None:
    """What was reached is told in order, through others too, each once; a branch that was not taken reaches nothing."""
    prompts: dict[str, str | list[tuple[str, str]]] = {"a": "{% include 'b' %}", "b": "b", "c": "c", "d": "d"}
    text = "{% include 'a' %}{% include 'c' %}{% include 'a' %}{% if no %}{% include 'd' %}{% endif %}"
    plan = composer(prompts).plan([Message("user", text)])
    used: list[str] = []
    assert render(text, {"no": False}, texts=plan.texts[0], used=used) == "bcb"
    assert used == ["a", "b", "c"]
    assert [one.prompt for one in plan.used(used)] == ["a", "b", "c"]


def test_two_names_of_one_version_are_one() -> None:
    """``a`` and ``a@1`` that mean the same version are kept once."""
    one = Included("id", "a", 1, (Message("user", "x"),))
    plan = Composer(lambda wanted: one, analyse).plan([Message("user", "{% include 'a' %}{% include 'a@1' %}")])
    assert plan.used(["a", "a@1"]) == (one,)


CIRCLES: list[tuple[dict[str, str | list[tuple[str, str]]], str]] = [
    ({"a": "\n {% include 'a' %}"}, "a → a"),
    ({"a": "{% include 'b' %}", "b": "{% include 'c' %}", "c": "{% include 'a' %}"}, "a → b → c → a"),
    ({"a": "{% include 'c' %}{% include 'b' %}", "b": "{% include 'a' %}", "c": "c"}, "a → b → a"),
]


@pytest.mark.parametrize(("prompts", "path"), CIRCLES, ids=["itself", "three", "second branch"])
def test_a_circle_is_named(prompts: dict[str, str | list[tuple[str, str]]], path: str) -> None:
    """Prompts that include each other are refused with the way around, and the line and column of the first include."""
    with pytest.raises(IncludeRefused, match=f"a cycle: {path}") as refused:
        composer(prompts).plan([Message("system", "fine"), Message("user", "x\n  {% include 'a' %}")])
    assert (refused.value.line, refused.value.column, refused.value.message_number) == (2, 14, 2)


def test_a_prompt_does_not_include_itself() -> None:
    """A saved version finds itself below, an unsaved text its own name; an older version of itself may be pinned."""
    text = [Message("user", "{% include 'me' %}")]
    with pytest.raises(IncludeRefused, match="a cycle: me → me"):
        composer({"me": "{% include 'me' %}"}, Origin("me", "id of me")).plan(text)
    with pytest.raises(IncludeRefused, match="a cycle: me → me"):
        composer({"me": "old"}, Origin("me")).plan(text)
    pinned = [Message("user", "{% include 'me@1' %}")]
    assert composer({"me@1": "old"}, Origin("me")).plan(pinned).texts == ({"me@1": "old"},)


def test_diamonds_are_no_circles() -> None:
    """Two ways to one text are fine."""
    assert made(
        {"a": "a{% include 'c' %}", "b": "b{% include 'c' %}", "c": "c"}, "{% include 'a' %}{% include 'b' %}"
    ) == ("acbc")


def test_depth_count_and_size_are_limited() -> None:
    """What is stacked too deep, multiplies or weighs too much is refused before rendering, with the place."""
    deep: dict[str, str | list[tuple[str, str]]] = {f"p{n}": f"{{% include 'p{n + 1}' %}}" for n in range(20)}
    deep["p20"] = "x"
    highest = 20 - includes.MAX_DEPTH + 1
    assert made(deep, f"{{% include 'p{highest}' %}}") == "x"
    wide: dict[str, str | list[tuple[str, str]]] = {"w0": "x"}
    wide |= {f"w{n}": f"{{% include 'w{n - 1}' %}}" * 6 for n in range(1, 6)}
    heavy: dict[str, str | list[tuple[str, str]]] = {"h": "x" * 200_000}
    for prompts, text, words in (
        (deep, f"{{% include 'p{highest - 1}' %}}", "inside each other"),
        (wide, "{% include 'w5' %}", f"more than {includes.MAX_INCLUDES} texts"),
        (heavy, "{% include 'h' %}" * 6, "more than 1024 kB"),
    ):
        with pytest.raises(TemplateTooExpensive, match=words) as refused:
            composer(prompts).plan([Message("user", text)])
        assert refused.value.line == 1 and refused.value.column > 0


def test_which_message_of_several_is_meant() -> None:
    """The message with the role of the including one, else the only message; anything else is refused in clear words."""
    both: list[tuple[str, str]] = [("system", "S"), ("user", "U")]
    assert made({"p": both}, "{% include 'p' %}", "system") == "S"
    assert made({"p": both}, "{% include 'p' %}") == "U"
    assert made({"p": [("system", "S")]}, "{% include 'p' %}", "assistant") == "S"
    with pytest.raises(IncludeRefused, match="2 messages and none of role assistant"):
        made({"p": both}, "{% include 'p' %}", "assistant")
    with pytest.raises(IncludeRefused, match="2 user messages"):
        made({"p": [("user", "1"), ("user", "2")]}, "{% include 'p' %}")


def test_analysis_is_completed() -> None:
    """A form asks for the variables of included texts, but not for those that the including text sets for them."""
    prompts: dict[str, str | list[tuple[str, str]]] = {
        "a": "{{ tone }}{{ item }}{% include 'b' %}",
        "b": "{{ deep }}{{ item }}",
    }
    text = "{{ first }}\n{% for item in items %}{% include 'a' %}{% endfor %}{% include 'gone' %}"
    found = composer(prompts).complete(analyse(text), "user")
    assert found.names == ("first", "items", "tone", "deep")
    assert [(p.line, p.column, p.message) for p in found.problems] == [(2, 64, "there is no gone")]
    assert {(use.line, use.column) for use in found.variables if use.name in ("tone", "deep")} == {(2, 35)}


def test_an_error_inside_has_both_places() -> None:
    """An included text that does not compile or misses a value is named with its line; the error points at the include."""
    with pytest.raises(IncludeRefused, match=r"in a v1, line 2, column 5: there is no filter 'uper'") as broken:
        made({"a": "\n{{x|uper}}"}, "x {% include 'a' %}", x="")
    assert (broken.value.line, broken.value.column) == (1, 14)
    with pytest.raises(UndefinedVariable, match=r"in b, line 2: 'y' has no value") as missing:
        made({"a": "{% include 'b' %}", "b": "\n{{ y }}"}, "\n\n{% include 'a' %}")
    assert (missing.value.line, missing.value.column) == (3, 12)
    with pytest.raises(TemplateError, match="in a, line 1"):
        made({"a": "{{ 1 // x }}"}, "{% include 'a' %}", x=0)


def test_keys_of_mappings_win_only_where_jinja_says_so() -> None:
    """``value.name`` reads a key, but methods of mappings stay methods, and nothing private becomes reachable (B24)."""
    value = {"title": "T", "items": "I", "inner": {"x": {"y": 1}}}
    assert render("{{ v.title }}{{ v.inner.x.y }}{{ v['items'] }}{{ v.items()|length }}", {"v": value}) == "T1I3"
    assert render("{{ v.nothing is defined }}{{ (v.a or {}).b is defined }}", {"v": {"a": None}}) == "FalseFalse"
    for escape in ("{{ v.__class__ }}", "{{ v.title.__class__ }}", "{{ v.clear() }}", "{{ v.setdefault('a', 1) }}"):
        with pytest.raises(TemplateRefused):
            render(escape, {"v": value})
