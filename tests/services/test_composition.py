"""Composition over a real registry: what an include finds, for rendering and for the editor, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.includes import Origin
from ledger_tui.errors import IncludeRefused, StoreError, TemplateTooExpensive, UndefinedVariable
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.services.run_values import RunRequest

NOW = {"offline_delay_s": 0}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, paths: Paths) -> Iterator[PromptLedger]:
    """A ledger with a tone in three versions, one of them in production, and a role."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with PromptLedger(url, paths=paths) as opened:
        opened.prepare()
        for text in ("Be kind.", "Be {{ mood }}.", "Be brief, {{ name }}."):
            opened.registry.save("shared/tone", PromptContent.of_text(text))
        opened.registry.set_label("shared/tone", "production", 1)
        opened.registry.save("shared/role", PromptContent.of_text("User words.", system="You are {{ role }}."))
        yield opened


def render(ledger: PromptLedger, text: str, in_process: bool = False, **variables: Any) -> str:
    """What a text makes as the only message."""
    return ledger.templates.rendered(PromptContent.of_text(text), variables, in_process=in_process).messages[0].text


@pytest.mark.parametrize("in_process", [False, True], ids=["helper", "in process"])
def test_a_name_finds_its_version(ledger: PromptLedger, in_process: bool) -> None:
    """Active without a mark, a label, a number with and without v, and the beginning of a hash."""
    digest = ledger.registry.version("shared/tone", 2).sha256
    text = "".join(
        "{% include 'shared/tone" + ref + "' %}|" for ref in ("", "@production", "@2", "@v2", f"@{digest[:8]}")
    )
    made = ledger.templates.rendered(
        PromptContent.of_text(text), {"name": "Ada", "mood": "calm"}, in_process=in_process
    )
    assert made.messages[0].text == "Be brief, Ada.|Be kind.|Be calm.|Be calm.|Be calm.|"
    assert [(one.prompt, one.number) for one in made.included] == [("shared/tone", n) for n in (3, 1, 2)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shared/tune", "there is no prompt named shared/tune, did you mean shared/tone?"),
        ("tone", "there is no prompt named tone, did you mean shared/tone?"),
        ("quite/else", "there is no prompt named quite/else$"),
        ("shared/tone@prodution", "shared/tone has no version prodution, did you mean production?"),
        ("shared/tone@9", "shared/tone has no version 9"),
    ],
)
def test_what_is_missing_is_named_with_what_was_meant(ledger: PromptLedger, name: str, words: str) -> None:
    """A missing prompt, label or number is refused before anything is sent, with message, line, column and likely spelling."""
    content = PromptContent((Message("system", "x"), Message("user", "a\n {% include '" + name + "' %}")))
    for in_process in (False, True):
        with pytest.raises(IncludeRefused, match="message 2, line 2, column 13: " + words) as refused:
            ledger.templates.rendered(content, {}, in_process=in_process)
        assert (refused.value.message_number, refused.value.line, refused.value.column) == (2, 2, 13)


def test_the_editor_marks_what_is_missing_while_typing(ledger: PromptLedger) -> None:
    """Analysis has the included variables at the place of the include, and problems where they are; a fixed name clears it."""
    text = "{{ a }}\n{% include 'shared/tone' %}{% include 'shared/tune' %}"
    found = ledger.templates.analyse([text, "{% include 'shared/role' %}"], ["user", "system"])
    assert [one.names for one in found] == [("a", "name"), ("role",)]
    assert [(p.line, p.column, p.end_column) for p in found[0].problems] == [(2, 39, 52)]
    assert "did you mean shared/tone?" in found[0].problems[0].message
    ledger.registry.save("shared/tune", PromptContent.of_text("{{ melody }}"))
    again = ledger.templates.analyse([text])[0]
    assert again.names == ("a", "name", "melody") and not again.problems


def test_a_circle_through_labels_is_refused(ledger: PromptLedger) -> None:
    """Prompts that come to include each other as their labels move are refused when they are rendered."""
    ledger.registry.save("a", PromptContent.of_text("{% include 'b' %}"))
    ledger.registry.save("b", PromptContent.of_text("fine"))
    version = ledger.registry.version("a")
    origin = Origin("a", version.id)
    content = ledger.registry.content(version.id)
    assert ledger.templates.rendered(content, {}, origin).messages[0].text == "fine"
    ledger.registry.save("b", PromptContent.of_text("x {% include 'a' %}"))
    with pytest.raises(IncludeRefused, match="a cycle: a → b → a"):
        ledger.templates.rendered(content, {}, origin)
    problem = ledger.templates.analyse(content.templates, ["user"], origin)[0].problems[0]
    assert (problem.line, problem.column) == (1, 12) and "a cycle" in problem.message


def test_an_error_below_points_at_the_include(ledger: PromptLedger) -> None:
    """The helper tells where in the included text a value is missing, and where it was included."""
    with pytest.raises(
        UndefinedVariable, match=r"message 1, line 2, column 12: in shared/tone, line 1: 'name'"
    ) as missing:
        render(ledger, "x\n{% include 'shared/tone' %}")
    assert (missing.value.line, missing.value.column) == (2, 12)


def test_a_bomb_that_is_included_ends_with_its_helper(ledger: PromptLedger) -> None:
    """An included text is under the same limits as any other (B23, B24)."""
    ledger.registry.save("bomb", PromptContent.of_text("{% for a in range(99999) %}" * 3 + "x" + "{% endfor %}" * 3))
    with pytest.raises(TemplateTooExpensive):
        render(ledger, "{% include 'bomb' %}")
    assert render(ledger, "{% include 'shared/tone@1' %}") == "Be kind."


async def test_a_run_keeps_what_it_was_made_from(ledger: PromptLedger) -> None:
    """Usage and result have the versions that were included, in order and once; a run of plain text has none."""
    ledger.registry.save("top", PromptContent.of_text("{% include 'shared/tone@1' %}{% include 'shared/role' %}"))
    text = "{% include 'top' %}{% include 'shared/tone' %}{% include 'shared/tone@1' %}"
    content = PromptContent.of_text(text, params=NOW)
    result = await ledger.runs.run(RunRequest(content, "offline", {"name": "Ada"}, source="cli"))
    names = [(one.prompt, one.number) for one in result.included]
    assert names == [("top", 1), ("shared/tone", 1), ("shared/role", 1), ("shared/tone", 3)]
    row = ledger.traces.execution(result.execution_id)
    assert row.included == tuple(one.version_id for one in result.included)
    plain = await ledger.runs.run(RunRequest(PromptContent.of_text("x", params=NOW), "offline"))
    assert plain.included == () and ledger.traces.execution(plain.execution_id).included == ()
    await ledger.models.aclose()


def test_a_database_that_cannot_be_read_is_a_warning_in_the_editor(paths: Paths, tmp_path: Path) -> None:
    """Typing goes on when the registry cannot be read; rendering says what is wrong."""
    with PromptLedger(str(tmp_path / "nowhere" / "x.db"), paths=paths) as ledger:
        found = ledger.templates.analyse(["{{ a }}{% include 'b' %}"])[0]
        assert found.names == ("a",)
        assert [(p.severity, p.column) for p in found.problems] == [("warning", 19)]
        with pytest.raises(StoreError):
            render(ledger, "{% include 'b' %}")
