"""A template's variables and mistakes are found where they stand, and it can do nothing but make text."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_tui.domain.template import MAX_NODES, analyse, check_variables, render
from ledger_tui.errors import (
    ContentRefused,
    TemplateError,
    TemplateRefused,
    TemplateTooExpensive,
    UndefinedVariable,
)

PIECES = st.sampled_from(
    [
        *(
            "{{ ",
            " }}",
            "{% ",
            " %}",
            "{#",
            "#}",
            "-%}",
            "{%-",
            "a",
            "b.c",
            "x",
            " x ",
            "|upper",
            "|nope",
            " is defined",
        ),
        *(
            "for x in a",
            "endfor",
            "if a",
            "else",
            "endif",
            "set x = a",
            "macro m(x)",
            "endmacro",
            "with x = a",
            "endwith",
        ),
        *(
            "\n",
            "\r\n",
            "'",
            '"',
            "[",
            "{",
            "(",
            ")",
            "loop",
            "self",
            "range(3)",
            "raw",
            "endraw",
            "1",
            "é",
            "\ud800",
            "~",
        ),
        *("block q", "endblock"),
    ]
)


def uses(source: str) -> list[tuple[str, int, int]]:
    return [(use.name, use.line, use.column) for use in analyse(source).variables]


def first_problem(source: str) -> tuple[int, int, int, str]:
    problem = analyse(source).problems[0]
    return problem.line, problem.column, problem.end_column, problem.message


def test_importing_the_module_loads_no_jinja() -> None:
    """The editor's first frame does not wait for Jinja2."""
    code = "import sys; import ledger_tui.domain.template, ledger_tui.services.templates; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_use_of_a_variable_has_its_place() -> None:
    """All occurrences are found in the order of the text, with 1-based line and column."""
    source = (
        "Hi {{ name }},\n{% for item in items %}{{ loop.index }} {{ item.name }} {{ name }}{% endfor %}\n{{-  name -}}"
    )
    assert uses(source) == [("name", 1, 7), ("items", 2, 16), ("name", 2, 60), ("name", 3, 6)]
    assert analyse(source).names == ("name", "items")
    assert not analyse(source).problems


def test_line_ends_of_any_kind_count_as_one() -> None:
    """CRLF and CR texts have the same places as LF texts."""
    assert uses("a\r\nb\r{{ x }}\n\n{{ y }}") == [("x", 3, 4), ("y", 5, 4)]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{% set x = a %}{{ x }}", ("a",)),
        ("{{ x }}{% set x = 1 %}", ("x",)),
        ("{% if a %}{% set x = 1 %}{% endif %}{{ x }}", ("a", "x")),
        ("{% if a %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{{ x }}", ("a",)),
        ("{% for x in xs if x.ok %}{{ x }}{% else %}{{ x }}{% endfor %}", ("xs", "x")),
        ("{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}", ("d",)),
        ("{% macro m(p, q=a) %}{{ p }}{{ q }}{{ varargs }}{{ b }}{% endmacro %}{{ m(1) }}", ("a", "b")),
        ("{% with x = a, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}", ("a", "x")),
        ("{% set x %}{{ a }}{% endset %}{{ x }}", ("a",)),
        ("{% filter upper %}{{ a }}{% endfilter %}", ("a",)),
        ("{% call(u) m(a) %}{{ u }}{% endcall %}", ("m", "a")),
        ("{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = i %}{% endfor %}{{ ns.n }}", ()),
        ("{{ f(name=a).name }} {{ dict(k=b) }}", ("f", "a", "b")),
        ("{% raw %}{{ a }}{% endraw %}{# {{ b }} #}", ()),
        ("{{ {'a': b}.a }} {{ 'c' }} {{ x is defined }}", ("b", "x")),
        ("{% block q %}{{ a }}{% endblock %}", ("a",)),
    ],
)
def test_only_open_names_are_variables(source: str, names: tuple[str, ...]) -> None:
    """What the template sets itself, attributes, arguments and comments are no variables; all others Jinja2 knows too."""
    from jinja2 import Environment, meta

    assert analyse(source).names == names
    jinja = meta.find_undeclared_variables(Environment(autoescape=True).parse(source)) - {"range", "namespace", "dict"}
    assert set(names) <= jinja


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("Hello {{ a }} in\n {{ b", (2, 2, 4, "this {{ is not closed; }} is missing")),
        ("{% if a", (1, 1, 3, "this {% is not closed; %} is missing")),
        ("ok\n  {{ a + }}", (2, 10, 12, "unexpected 'end of print statement'")),
        ("{{ a ? }}", (1, 6, 7, "unexpected char '?'")),
        ("a\n{% fro x in y %}", (2, 4, 7, "Encountered unknown tag 'fro', did you mean 'for'?")),
        ("{{ a|uper }}", (1, 6, 10, "there is no filter 'uper', did you mean 'upper'?")),
        ("x {% filter uper %}{% endfilter %}", (1, 13, 17, "there is no filter 'uper', did you mean 'upper'?")),
        ("{{ a is not definde }}", (1, 13, 20, "there is no test 'definde', did you mean 'defined'?")),
        (
            "\n{% include '/etc/passwd' %}",
            (
                2,
                12,
                25,
                "'/etc/passwd' names no prompt (a folder in it has no name); only prompts of this ledger can be included",
            ),
        ),
        ("{% extends 'x' %}", (1, 4, 11, "extends is not available in prompts yet")),
        ("{% from 'x' import y %}", (1, 4, 8, "from … import is not available in prompts yet")),
        ("{{ self.x }}", (1, 4, 8, "self is a word of the template language; use another name")),
        ("{{ 'open }}", (1, 4, 5, 'unexpected char "\'"')),
        ("text {# open", (1, 8, 9, "Missing end of comment tag")),
    ],
)
def test_problems_are_shown_where_they_are(source: str, problem: tuple[int, int, int, str]) -> None:
    """A mistake has line, column, end and words; a typing error has a suggestion (B25)."""
    assert first_problem(source) == problem


def test_a_mistake_at_200_kb_has_its_place() -> None:
    """Deep in a large text the place is still exact (B25)."""
    source = "line of text with {{ name }}\n" + "some words of no importance\n" * 7_400 + "   {{ oops | }}"
    assert len(source) > 200_000
    assert first_problem(source)[:2] == (7_402, 14)


def test_loop_outside_of_a_loop_is_a_variable() -> None:
    """A variable may be called loop; the editor warns, and inside a for it is the loop (B25)."""
    analysis = analyse("{{ loop }}{% for i in x %}{{ loop.index }}{% endfor %}")
    assert analysis.names == ("loop", "x")
    assert [problem.severity for problem in analysis.problems] == ["warning"]
    assert render("{{ loop }}{% for i in x %}{{ loop.index }}{% endfor %}", {"loop": "L", "x": [7]}) == "L1"


@settings(max_examples=300)
@given(st.one_of(st.text(st.characters(exclude_categories=())), st.lists(PIECES, max_size=20).map("".join)))
def test_analysis_never_fails(source: str) -> None:
    """Any text gives variables and problems whose places are inside it."""
    analysis = analyse(source)
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for use in analysis.variables:
        assert lines[use.line - 1][use.column - 1 :].startswith(use.name)
    for problem in analysis.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column < problem.end_column
        assert problem.column <= len(lines[problem.line - 1]) + 1


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ x|attr('__globals__') }}",
        "{{ x.format }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ '{x.__class__}'.format_map({'x': x}) }}",
        "{{ ''['format']('') }}",
        "{{ (''|attr('format'))('') }}",
        "{% set f = ''.format %}{{ f(1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ namespace().__class__ }}",
        "{{ dict.__base__.__subclasses__() }}",
        "{{ dict.mro() }}",
        "{{ range.__globals__ }}",
        "{{ loop.__init__ }}",
        "{% for i in [1] %}{{ loop._iterable }}{% endfor %}",
        "{% macro m() %}{{ m._func }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{% endmacro %}{{ m.__call__ }}",
        "{{ items.append(1) }}",
        "{{ mapping.update({}) }}",
        "{{ mapping.clear() }}",
        "{{ x.encode() }}",
        "{{ 1 .__class__ }}",
        "{{ (1).to_bytes(4) }}",
        "{{ none.__class__ }}",
        "{{ missing.__class__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% extends '/etc/passwd' %}",
        "{{ items|map(attribute='__class__')|first|string }}",
        "{{ mapping|map('attr', '__class__')|first|string }}",
    ],
)
def test_there_is_no_way_out(source: str) -> None:
    """Every known escape from the sandbox is refused, none makes text (B24)."""
    with pytest.raises((TemplateRefused, UndefinedVariable)):
        render(source, {"x": "text", "items": [1], "mapping": {"a": 1}, "loop": 1})


@pytest.mark.parametrize("name", ["lipsum", "cycler", "joiner", "config", "request", "url_for", "__builtins__"])
def test_there_are_no_strangers_among_the_names(name: str) -> None:
    """Only range, dict and namespace are there without being given."""
    with pytest.raises(UndefinedVariable, match=name):
        render(f"{{{{ {name} }}}}", {})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ v }}", "{{ w }} {% if %}"),
        ("{{ x|upper }} {{ x.title() }} {{ x|length }}", "SOME TEXT Some Text 9"),
        ("{% for k, v in m.items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=<i>;"),
        ("{{ m|tojson }}", '{"a": 1, "b": "<i>"}'),
        ("{{ '%s-%02d'|format(x, 7) }}", "some text-07"),
        ("{{ m.get('z', 'none') }} {{ missing|default('dflt') }} {{ missing is defined }}", "none dflt False"),
        ("{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "6"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}", "<1>"),
        ("end\n", "end\n"),
        ("{{ 2 ** 10 }} {{ 'ab' * 3 }} {{ [0] * 2 }}", "1024 ababab [0, 0]"),
        ("", ""),
    ],
)
def test_plain_templates_work(source: str, text: str) -> None:
    """Filters, methods, loops and macros make what Jinja2 makes; values are never rendered again (B25)."""
    assert render(source, {"v": "{{ w }} {% if %}", "x": "some text", "m": {"a": 1, "b": "<i>"}}) == text


@pytest.mark.parametrize(
    "source",
    [
        "{% for x in xs %}" + "".join(f"{{{{ loop.{name} }}}} " for name in names) + "{% endfor %}"
        for names in (("index", "index0", "revindex", "revindex0", "first", "last"), ("length", "depth", "depth0"))
    ]
    + [
        "{% for x in xs %}{{ loop.cycle(1, 2) }}{{ loop.changed(x.k) }}{% endfor %}",
        "{% for x in xs if x.k %}{% if not loop.last %}{{ loop.nextitem.k }}{% endif %}{% endfor %}",
        "{% for x in xs recursive %}{{ x.k }}{{ loop(x.below or []) }}{% endfor %}",
        "{% set loop = {'index': 'mine'} %}{{ loop.index }}",
        "{{ text | escape }} {% autoescape true %}{{ text }}{% endautoescape %} {{ text }} {{ [text] | join('<') }}",
        "{% set a = 1 %}{% block b %}{{ text }}{{ self.b is defined }}{% endblock %}",
        "{% macro m(x) %}{{ x }}{{ caller() }}{% endmacro %}{% call m(text) %}{{ range(2) | list }}{% endcall %}",
    ],
)  # fmt: skip
def test_what_jinja_says_is_said(source: str) -> None:
    """Loops, blocks, macros and escaping give what Jinja2's own sandbox gives, or are refused; also a second time."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    values: dict[str, Any] = {
        "text": "<b>",
        "xs": [{"k": 1, "below": [{"k": 3, "below": None}]}, {"k": 2, "below": []}],
    }
    jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    expected = jinja.from_string(source).render(values)
    for _ in range(2):
        try:
            assert render(source, values) == expected
        except TemplateRefused:
            assert "self" in source


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("a\n{{ b }}{{ x }}", 2, 11, "'x' has no value"),
        ("{% for i in [1] %}\n\n{{ i }}{{ xs }}{% endfor %}", 3, 11, "'xs' has no value"),
        ("{{ b.c }}", 1, 0, "a text has no attribute 'c'"),
        ("{% macro m() %}\n{{ x }}\n{% endmacro %}\n{{ m() }}", 2, 4, "'x' has no value"),
    ],
)
def test_a_missing_variable_is_named(source: str, line: int, column: int, words: str) -> None:
    """An undefined variable is an error with its name and place before anything is sent."""
    with pytest.raises(UndefinedVariable) as missing:
        render(source, {"b": "B"})
    assert (missing.value.line, missing.value.column, missing.value.cause) == (line, column, words)


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("\n{{ 1 / 0 }}", 2, "division"),
        ("{{ 'a' + 1 }}", 1, "str"),
        ("{{ x() }}", 1, "callable"),
        ("{{ a|uper }}", 1, "uper"),
    ],
)
def test_other_mistakes_are_template_errors(source: str, line: int, words: str) -> None:
    """Whatever goes wrong while rendering is a TemplateError with the line."""
    with pytest.raises(TemplateError, match=words) as refused:
        render(source, {"x": "text", "a": 1})
    assert refused.value.line == line


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'A' * 10**9 }}",
        "{{ 10**9 * 'A' }}",
        "{{ [0] * 10**9 }}",
        "{{ 9**(9**9) }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
        "{{ " + "-" * 3_000 + "1 }}",
        "{{ 1" + "+1" * 200 + " }}",
        "{{ a }}" * MAX_NODES,
        "x" * 5_000_000,
        "é" * 200_000,
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}",
        "{% for i in range(9999) %}{{ 'A' * 1000 }}{% endfor %}",
    ],
    ids=lambda source: source[:20],
)
def test_what_can_be_foreseen_is_refused_at_once(source: str) -> None:
    """Repetitions, powers, ranges, nesting, size and output past the limits need no time-out (B23)."""
    with pytest.raises(TemplateTooExpensive):
        render(source, {"a": 1})


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), b"x", {1: 2}, {"a": {1, 2}}, object(), [[[object()]]], lambda: 1]
)
def test_only_plain_values_are_variables(value: Any) -> None:
    """Objects, bytes, sets and NaN are refused with the variable's name."""
    with pytest.raises(TemplateRefused, match="thing"):
        check_variables({"thing": value})


def test_variables_are_not_endless() -> None:
    """A value that holds itself, or 20,000 levels, is refused (B10)."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TemplateRefused, match="deep"):
        check_variables({"x": endless})


@pytest.mark.parametrize("variables", [{"x": "a\0b"}, {"x": ["\ud800"]}, {"x": {"k\0": 1}}, {"a\0": 1}])
def test_what_cannot_be_stored_is_no_variable(variables: dict[str, Any]) -> None:
    """NUL and broken characters are refused before anything is sent, with their position (B1, B2)."""
    with pytest.raises(ContentRefused, match="position"):
        check_variables(variables)


def test_plain_values_pass() -> None:
    """Text, numbers, truth, nothing, lists, tuples and mappings are variables."""
    check_variables({"a": "x", "b": 1, "c": 1.5, "d": True, "e": None, "f": [1, (2, 3)], "g": {"h": {"i": []}}})
