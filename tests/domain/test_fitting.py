"""Values are recovered from rendered texts, or it is said which cannot be; texts of one prompt share a skeleton."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_tui.domain import sandbox
from ledger_tui.domain.anchors import AnchorIndex, Pattern
from ledger_tui.domain.content import Message
from ledger_tui.domain.conversation import read_conversation
from ledger_tui.domain.fitting import Gap, Shape, fit_messages, fit_text, is_fitting, template_shapes
from ledger_tui.domain.skeleton import (
    Skeleton,
    alike,
    fingerprint_of,
    generalised,
    literal_template,
    skeleton_of,
)
from ledger_tui.domain.template import render

VALUES = st.text(st.sampled_from("ab ,.\n{}%é1"), max_size=12)
LITERALS = st.sampled_from(["Summarise ", "a", ", ", "\n\n", "{{ '{{' }}", "to b: ", "1", " é "])
NAMES = st.sampled_from(["one", "two", "three"])
PARTS = st.lists(
    st.one_of(
        LITERALS,
        NAMES.map(lambda name: f"{{{{ {name} }}}}"),
        NAMES.map(lambda name: f"{{% if {name} %}}with {{{{ {name} }}}}{{% else %}}without{{% endif %}}"),
        NAMES.map(lambda name: f"{{{{ {name} | upper }}}}"),
        NAMES.map(lambda name: f"{{% for item in [{name}, 1] %}}- {{{{ item }}}}{{% endfor %}}"),
    ),
    min_size=1,
    max_size=7,
)


@given(PARTS, PARTS, PARTS, st.integers(0, 7), st.fixed_dictionaries({"one": VALUES, "two": VALUES, "three": VALUES}))
@settings(max_examples=200, deadline=None)
def test_what_a_template_with_includes_renders_fits_it(
    parts: list[str], tone: list[str], rules: list[str], at: int, values: dict[str, str]
) -> None:
    """Whatever stands in a template and in what it includes, its output fits, is found, and certain values are true."""
    texts = {"tone": "".join(tone) + '{% include "rules" %}', "rules": "".join(rules)}
    template = "".join([*parts[:at], '{% include "tone" %}', *parts[at:]])
    text = sandbox.render(template, values, texts=texts)
    shapes = template_shapes(template, texts)
    fits = [fit for shape in shapes if (fit := fit_text(shape, text)) is not None]
    assert fits
    if len(shapes) == 1:
        assert all(values[name] == value for name, value in fits[0].values.items())
    pattern = Pattern("p", (Message("user", template),), (texts,))
    if pattern.keys:
        assert AnchorIndex([pattern]).candidates((Message("user", text),)) == [pattern]


def test_an_include_that_cannot_be_followed_is_a_gap() -> None:
    """A name that means nothing, a text that includes itself and one that grows without end leave a place open."""
    ending = " Answer in one line: {{ x }}"
    (shape,) = template_shapes('{% include "gone" %}' + ending)
    assert fit_text(shape, "Anything. Answer in one line: yes") is not None and shape.gaps[0].name is None
    (shape,) = template_shapes('{% include "me" %}' + ending, {"me": 'Hello {% include "me" %}'})
    fit = fit_text(shape, "Hello you. Answer in one line: yes")
    assert fit is not None and fit.values == {"x": "yes"}
    texts = {"tens": '{% include "more" %}' * 10, "more": '{% include "most" %}' * 10, "most": "y" * 1_000}
    shapes = template_shapes('{% include "tens" %}' * 10 + ending, texts)
    assert shapes and all(sum(map(len, shape.literals)) < 70_000 for shape in shapes)


def test_a_name_that_the_including_text_sets_is_no_variable() -> None:
    """What the outer text sets and the inner one prints is left open, not given as a variable of the caller."""
    (shape,) = template_shapes(
        '{% set who = name | upper %}{% include "hi" %}, {{ mood }}', {"hi": "Hello dear {{ who }}"}
    )
    assert [gap.name for gap in shape.gaps] == [None, "mood"]


@given(PARTS, st.fixed_dictionaries({"one": VALUES, "two": VALUES, "three": VALUES}))
@settings(max_examples=300, deadline=None)
def test_what_a_template_renders_fits_it(parts: list[str], values: dict[str, str]) -> None:
    """A rendered text fits its template, each value found is the one that was given, and none is guessed."""
    template = "".join(parts)
    text = render(template, values)
    shapes = template_shapes(template)
    assert shapes
    for shape in shapes:
        bare = Shape(shape.literals, tuple(Gap() for _ in shape.gaps))
        for asked in (text, text[1:], f" {text}\n", text[:-1]):
            assert is_fitting(bare, asked) == (fit_text(bare, asked) is not None)
    fits = [fit for shape in shapes if (fit := fit_text(shape, text)) is not None]
    assert fits
    if len(shapes) == 1:
        assert all(values[name] == value for name, value in fits[0].values.items())
        assert not fits[0].uncertain & fits[0].values.keys()


def fitted(template: str, text: str) -> tuple[dict[str, str], frozenset[str]] | None:
    """Values and uncertain names of the first shape that fits."""
    found = next((fit for shape in template_shapes(template) if (fit := fit_text(shape, text))), None)
    return None if found is None else (found.values, found.uncertain)


@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        ("Summarise: {{ text }}", "Summarise: it rains", ({"text": "it rains"}, frozenset())),
        ("Summarise: {{ text }}", "summarise: it rains", None),
        ("From {{ a }} to {{ b }}.", "From X to Y to Z.", ({}, frozenset({"a", "b"}))),
        ("{{ a }} and {{ a }} again", "x and x and x and x again", ({"a": "x and x"}, frozenset())),
        ("{{ a }} and {{ a }} again", "x and y again", None),
        ("{{ a }}, {{ b }}, {{ a }}!", "x, y, z, x!", ({"a": "x", "b": "y, z"}, frozenset())),
        ("{{ a }}{{ b }} end", "xy end", ({}, frozenset({"a", "b"}))),
        ("Hi{% if n %} {{ n }}{% endif %}, bye", "Hi Bob, bye", ({"n": "Bob"}, frozenset())),
        ("Hi{% if n %} {{ n }}{% endif %}, bye", "Hi, bye", ({}, frozenset())),
        ("{{ a | upper }}: {{ b }}", "X: y", ({"b": "y"}, frozenset())),
        ("{% set a = 1 %}{{ a }} is {{ b }}", "1 is c", ({"b": "c"}, frozenset())),
        ("Say {{ x }}\n", "Say it", ({"x": "it"}, frozenset())),
    ],
)
def test_fitting(template: str, text: str, expected: tuple[dict[str, str], frozenset[str]] | None) -> None:
    """Captures are exact, the same name holds the same text, and what may be read in two ways is left out."""
    assert fitted(template, text) == expected


def test_too_little_literal_text_is_no_match() -> None:
    """A template of almost nothing but variables explains no text, and one of a loop only does not either."""
    for template in (
        "{{ question }}",
        "Q: {{ q }}",
        "Ask {% for x in xs %}this long text that is not checked{% endfor %}",
    ):
        shapes = [("user", template_shapes(template))]
        assert fit_messages(shapes, [Message("user", "Ask Q: why?")]) is None


@pytest.mark.parametrize("count", [10, 180])
def test_a_hostile_text_costs_little(count: int) -> None:
    """Many repeated names over many repeated literals end after a bounded number of searches, in a fit or in none."""
    template = "".join(f"a {{{{ v{number % 3} }}}} " for number in range(count))
    (shape,) = template_shapes(template)
    assert fit_text(shape, "a " * 100_000) is None or fit_text(shape, "a " * 100_000)
    assert fit_text(shape, "a x " * count) is not None


def test_a_hostile_literal_costs_little() -> None:
    """A long literal that almost matches everywhere is searched in a time that grows with the text alone."""
    literal = "a" * 15_000 + "b" + "a" * 15_000
    (shape,) = template_shapes("{{ x }}" + literal + "{{ y }}")
    assert fit_text(shape, literal + "a" * 900_000 + "c") is not None


def test_an_index_offers_every_template_that_fits() -> None:
    """Whatever a template's beginning and end are, its own renderings find it among many others."""
    templates = [f"Prompt number {n} says {{{{ x }}}}" for n in range(50)]
    templates += [f"{{{{ x }}}} is what number {n} asks" for n in range(50)]
    templates += [f"{{{{ x }}}} in the middle of {n}: {{{{ y }}}}" for n in range(50)]
    templates += ["No variables here", "  {{- x }} stands beside a dash {%- if x %} yes{% endif %}"]
    index = AnchorIndex([Pattern(template, (Message("user", template),)) for template in templates])
    for template in templates:
        said = [Message("user", render(template, {"x": "some value", "y": "another"}))]
        found = [one for one in index.candidates(said) if fit_messages(one.shapes, said)]
        assert template in [one.owner for one in found]


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("hello", [("user", "hello")]),
        ('"hello"', [("user", '"hello"')]),
        ('[{"role": "system", "text": "a"}, {"role": "user", "content": "b"}]', [("system", "a"), ("user", "b")]),
        ('{"messages": [{"role": "developer", "content": "a"}]}', [("system", "a")]),
        ('{"system": "a", "messages": [{"role": "user", "content": [{"type": "text", "text": "b"}]}]}',
         [("system", "a"), ("user", "b")]),
        ('{"instructions": "a", "input": "b"}', [("system", "a"), ("user", "b")]),
        ('{"system": [{"type": "text", "text": "a"}], "messages": [{"role": "user", "content": "b"}]}',
         [("system", "a"), ("user", "b")]),
        ('{"question": "b"}', []),
        ('{"role": broken', []),
        ("[1, 2]", []),
        ("", []),
    ],
)  # fmt: skip
def test_conversations(recorded: str, expected: list[tuple[str, str]]) -> None:
    """The three wires' requests, lists of messages and plain texts are read; anything else is no conversation."""
    if recorded == '{"role": broken':
        expected = [("user", recorded)]
    assert [(one.role, one.text) for one in read_conversation(recorded)] == expected


WORDS = st.text(st.sampled_from("abc \n{}%1"), min_size=1, max_size=30)


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS, WORDS)
@settings(max_examples=200, deadline=None)
def test_a_skeleton_fits_what_it_was_made_from(values: list[str], before: str, after: str) -> None:
    """Each text that was merged in fits the skeleton, and its template gives those texts with the values found."""
    heads = [(Message("user", before + value + after),) for value in values]
    skeleton = skeleton_of(heads[0])
    for head in heads[1:]:
        skeleton = generalised(skeleton, head)
    assert all(skeleton.fits(head) for head in heads)
    assert Skeleton.from_json(skeleton.to_json()) == skeleton
    (template,) = skeleton.templates()
    for head in heads:
        fit = next(fit for shape in template_shapes(template.text) if (fit := fit_text(shape, head[0].text)))
        if not fit.uncertain:
            assert render(template.text, fit.values) == head[0].text


@given(st.text(st.sampled_from("a{}%#\r\n'\\ "), max_size=20))
def test_literal_text_stays_literal(text: str) -> None:
    """A literal text as a template gives itself, braces and line ends included, also before a variable."""
    assert render(literal_template(text) + "{{ x }}", {"x": "!"}) == text + "!"


def test_texts_of_one_prompt_are_one_group() -> None:
    """The same words around other values are alike and leave those open; other words, and common openings, are not."""
    first = (Message("user", "Summarise this ticket in one sentence: the printer is on fire (ticket number 4711)"),)
    second = (Message("user", "Summarise this ticket in one sentence: my screen went dark (ticket number 12)"),)
    other = (Message("user", "Translate this letter into French, please: dear friend"),)
    skeleton = skeleton_of(first)
    assert alike(skeleton, second) and not alike(skeleton, other)
    (message,) = generalised(skeleton, second).templates()
    assert message.text == "Summarise this ticket in one sentence: {{ value_1 }} (ticket number {{ value_2 }})"
    system = Message("system", "You work for customer 4711 of the shop")
    assert fingerprint_of((system, *first)) == fingerprint_of(
        (Message("system", "You work for customer 17 of the shop"), *other)
    )
