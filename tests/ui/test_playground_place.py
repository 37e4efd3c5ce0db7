"""The playground over a real ledger and the offline model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import InputError
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.column_words import params_words, read_params
from ledger_tui.ui.places.playground.field_values import Filled, ValueRefused, from_set, known_values, to_set, value_of
from ledger_tui.ui.places.playground.playground import PlaygroundPlace
from ledger_tui.ui.places.playground.variable_field import VariableField
from ledger_tui.ui.subject import PlaygroundSubject
from ledger_tui.ui.widgets.template_area import TemplateArea
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.ui.conftest import Workstation, screen_text, settle, until

NAME = "support/reply"
CONTENT = PromptContent(
    (
        Message("system", "You answer for {{ company }}."),
        Message("user", "{{ letter }}{% for item in facts %}\n- {{ item }}{% endfor %}"),
    ),
    model="offline",
    params={"offline_delay_s": 0},
)
VALUES: dict[str, Any] = {"company": "Acme", "letter": "Hello,\nwhere is it?", "facts": ["one", "two"]}


def place_of(pilot: Pilot[None]) -> PlaygroundPlace:
    """The playground's screen."""
    found = pilot.app._screen_stacks["playground"][0]
    assert isinstance(found, PlaygroundPlace)
    return found


async def arrive(pilot: Pilot[None], ledger: Any, models: tuple[str, ...] = (), **variables: Any) -> PlaygroundPlace:
    """Save the prompt and take it to the playground."""
    saved = ledger.registry.save(NAME, CONTENT)
    subject = PlaygroundSubject(CONTENT, NAME, saved.version.id, variables or VALUES, models)
    place = place_of(pilot)
    place.open_playground(subject)
    await until(lambda: place.session.prompt_name == NAME and len(place.form.names) == 3, pilot, "the form")
    await settle(pilot)
    return place


def said(pilot: Pilot[None]) -> list[str]:
    """What the toasts say."""
    return [toast.message for toast in pilot.app._notifications]


async def to_the_end(place: PlaygroundPlace, pilot: Pilot[None]) -> None:
    """Put the cursor behind the last message."""
    area = place.editor.query(TemplateArea).last()
    area.focus()
    area.move_cursor(area.document.end)
    await pilot.pause()


async def ended(pilot: Pilot[None], place: PlaygroundPlace, count: int = 1) -> list[AnswerColumn]:
    """Wait until every column has ``count`` answers and none is running."""
    await until(
        lambda: all(len(c.answers) == count and not c.running for c in place.answers.columns) and not place.running,
        pilot,
        "the end of the runs",
    )
    await settle(pilot)
    return place.answers.columns


async def test_an_empty_playground_can_be_used_at_once(workstation: Workstation, ledger: Any) -> None:
    """With no prompt at all one types a message and runs it."""
    async with workstation("playground") as pilot:
        await until(lambda: "unsaved text" in screen_text(pilot), pilot, "the empty text")
        assert "ctrl+r runs this" in screen_text(pilot)
        await pilot.press(*"Say hi")
        await pilot.press("ctrl+r")
        (column,) = await ended(pilot, place_of(pilot))
        assert column.answers[0].status == "succeeded"
        assert "Say hi" in column.answers[0].output
        assert len(ledger.traces.page().rows) == 1


async def test_the_form_has_a_field_for_each_variable(workstation: Workstation, ledger: Any) -> None:
    """Fields come in the order of the text, each with the kind that its value needs."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        fields = [(field.filled.name, field.filled.kind) for field in place.query(VariableField)]
        assert fields == [("company", "text"), ("letter", "lines"), ("facts", "json")]
        assert place.focused is not None and isinstance(place.focused, Input)


async def test_a_variable_that_is_typed_gets_a_field(workstation: Workstation, ledger: Any) -> None:
    """A new variable in the text adds a field; a syntax error keeps the fields and says where it is."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        await to_the_end(place, pilot)
        await pilot.press(*"{{ tone }}")
        await until(lambda: place.form.names == ("company", "letter", "facts", "tone"), pilot, "the new field")
        await pilot.press(*"{% if %}")
        await until(lambda: "✗ line" in screen_text(pilot), pilot, "the problem")
        assert place.form.names == ("company", "letter", "facts", "tone")
        assert "support/reply v1 *" in screen_text(pilot)


async def test_every_run_is_stored_in_a_trace_of_its_own(workstation: Workstation, ledger: Any) -> None:
    """Two models, one press: two usages, executions and traces that share the session."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger, ("offline", "offline/offline"))
        await pilot.press("ctrl+r")
        columns = await ended(pilot, place)
        results = [column.answers[0].result for column in columns]
        assert [result.status for result in results if result] == ["succeeded", "succeeded"]
        rows = ledger.traces.page().rows
        assert {row.trace_id for row in rows} == {result.trace_id for result in results if result}
        assert len({row.session_id for row in rows}) == 1 and rows[0].session_id
        for result in results:
            assert result is not None
            execution = ledger.traces.execution(result.execution_id)
            assert execution.variables == VALUES
            assert execution.version_id == place.session.version_id
        assert "✓ succeeded" in screen_text(pilot)


async def test_an_edited_text_runs_as_itself(workstation: Workstation, ledger: Any) -> None:
    """A run of an edited text names no version and keeps the text that was sent."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        await to_the_end(place, pilot)
        await pilot.press(*" Hurry.")
        await pilot.press("ctrl+r")
        (column,) = await ended(pilot, place)
        result = column.answers[0].result
        assert result is not None
        execution = ledger.traces.execution(result.execution_id)
        assert execution.version_id is None
        assert execution.messages[1]["text"].endswith("Hurry.")


async def test_escape_keeps_what_came(workstation: Workstation, ledger: Any) -> None:
    """Escape ends the run; the text that came stays on the screen and in the ledger as canceled."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        column = place.answers.columns[0]
        column.set_params({"offline_delay_s": 0.02, "offline_reply": "word " * 2000})
        await pilot.press("ctrl+r")
        await until(lambda: column.stream.frames > 1, pilot, "some text")
        await pilot.press("escape")
        await ended(pilot, place)
        answer = column.answers[0]
        assert answer.status == "canceled" and answer.output.startswith("word word")
        assert answer.result is not None
        execution = ledger.traces.execution(answer.result.execution_id)
        assert (execution.status, execution.response) == ("canceled", answer.output)
        assert column.stream.source == answer.output
        assert "⊘ canceled" in screen_text(pilot)


async def test_a_failure_says_what_to_do(workstation: Workstation, ledger: Any) -> None:
    """A failed run shows title, cause and remedy in its column, and the other column is not touched."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger, ("offline", "offline/offline"))
        place.answers.columns[0].set_params({"offline_error": "auth"})
        await pilot.press("ctrl+r")
        columns = await ended(pilot, place)
        assert [column.answers[0].status for column in columns] == ["failed", "succeeded"]
        text = screen_text(pilot)
        assert "✗ The provider refused the key" in text and "Check the key in Settings" in text


async def test_an_answer_cut_in_the_middle_stays(workstation: Workstation, ledger: Any) -> None:
    """When the provider breaks off, what came is shown together with the error."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        place.answers.columns[0].set_params({"offline_error": "cut", "offline_reply": "the first half the second half"})
        await pilot.press("ctrl+r")
        (column,) = await ended(pilot, place)
        assert column.answers[0].status == "failed"
        assert column.stream.source.startswith("the first")
        assert "cut off in the middle" in screen_text(pilot)


async def test_a_value_that_cannot_be_used_stops_the_run(workstation: Workstation, ledger: Any) -> None:
    """Broken JSON is said at its field, the cursor goes there, and nothing is sent."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        place.form.know({"facts": Filled("facts", "json", "[1, 2")})
        await settle(pilot)
        await pilot.press("ctrl+r")
        await until(lambda: "not JSON" in screen_text(pilot), pilot, "the problem")
        await settle(pilot)
        assert not place.answers.columns[0].answers
        assert not ledger.traces.page().rows
        assert place.focused is not None
        assert "facts" in [f.filled.name for f in place.query(VariableField) if f.has_focus_within]


async def test_repetitions_are_kept_and_can_be_looked_at(workstation: Workstation, ledger: Any) -> None:
    """N repetitions give N answers; keys and a click go back to an earlier one."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        place.query_one("#repeat", Input).value = "3"
        await pilot.press("ctrl+r")
        (column,) = await ended(pilot, place, 3)
        assert len(ledger.traces.page().rows) == 3
        assert column.shown == 2
        column.stream.focus()
        await pilot.press("left_square_bracket")
        assert column.shown == 1
        row = next(y for y, text in enumerate(screen_text(pilot).splitlines()) if "✓1" in text)
        x = screen_text(pilot).splitlines()[row].index("✓1")
        await pilot.click(offset=(x, row))
        assert column.shown == 0


async def test_two_answers_are_compared(workstation: Workstation, ledger: Any) -> None:
    """``d`` shows how the answers of two models differ."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger, ("offline", "offline/offline"))
        place.answers.columns[0].set_params({"offline_reply": "the quick fox"})
        place.answers.columns[1].set_params({"offline_reply": "the slow fox"})
        await pilot.press("ctrl+r")
        columns = await ended(pilot, place)
        columns[0].stream.focus()
        await pilot.press("d")
        await until(lambda: "Two answers" in screen_text(pilot), pilot, "the comparison")
        assert "quick" in screen_text(pilot) and "slow" in screen_text(pilot)


async def test_the_preview_shows_what_would_be_sent(workstation: Workstation, ledger: Any) -> None:
    """f12 renders the messages with the values as they are, and estimates the tokens."""
    async with workstation("playground") as pilot:
        await arrive(pilot, ledger)
        await pilot.press("f12")
        await until(lambda: "──── system ────" in screen_text(pilot), pilot, "the preview")
        text = screen_text(pilot)
        assert "You answer for Acme." in text and "- two" in text and "tokens in" in text


async def test_the_preview_names_an_undefined_variable(workstation: Workstation, ledger: Any) -> None:
    """What the template misses is named, with its place."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        await to_the_end(place, pilot)
        await pilot.press(*"{{ company.street }}")
        await pilot.press("f12")
        await until(lambda: any("street" in words and "line" in words for words in said(pilot)), pilot, "the error")


async def test_the_edited_text_becomes_a_version(workstation: Workstation, ledger: Any) -> None:
    """ctrl+s asks for a message and saves; saving again makes nothing and says so."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        await to_the_end(place, pilot)
        await pilot.press(*" Thanks.")
        await pilot.press("ctrl+s")
        await until(lambda: "Save a version" in screen_text(pilot), pilot, "the question")
        await pilot.press(*"more polite", "enter")
        await until(lambda: place.session.number == 2, pilot, "the version")
        versions = ledger.registry.versions(NAME)
        assert (versions[0].number, versions[0].message) == (2, "more polite")
        assert ledger.registry.content(versions[0].id).messages[1].text.endswith(" Thanks.")
        await settle(pilot)
        assert "support/reply v2" in screen_text(pilot) and "v2 *" not in screen_text(pilot)
        await pilot.press("ctrl+s")
        await until(lambda: "Save a version" in screen_text(pilot), pilot, "the question")
        await pilot.press("enter")
        await until(lambda: any("Nothing to save" in words for words in said(pilot)), pilot, "the answer")
        assert len(ledger.registry.versions(NAME)) == 2


async def test_input_sets_are_kept_loaded_and_dropped(workstation: Workstation, ledger: Any) -> None:
    """Values and kinds come back from a kept set; a dropped set is gone."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        await pilot.press("ctrl+b")
        await until(lambda: "Keep these values" in screen_text(pilot), pilot)
        await pilot.press(*"first", "enter")
        await until(lambda: ledger.registry.input_sets(NAME), pilot, "the set")
        kept = ledger.registry.input_sets(NAME)[0]
        assert {key: kept.variables[key] for key in VALUES} == VALUES
        place.form.know({"company": Filled("company", "text", "Other"), "facts": Filled("facts", "text", "none")})
        await settle(pilot)
        await pilot.press("ctrl+l")
        await until(lambda: "Input sets" in screen_text(pilot), pilot)
        await pilot.press("enter")
        await until(lambda: place.form.filled[0].text == "Acme", pilot, "the values")
        assert [field.kind for field in place.form.filled] == ["text", "lines", "json"]
        await pilot.press("ctrl+l")
        await until(lambda: "Input sets" in screen_text(pilot), pilot)
        await pilot.click("#drop")
        await until(lambda: not ledger.registry.input_sets(NAME), pilot, "the end of the set")


async def test_the_kind_of_a_field_changes_by_key_and_click(workstation: Workstation, ledger: Any) -> None:
    """ctrl+t and a click on the kind go through text, lines, JSON and file; the text stays."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        field = place.query(VariableField).first()
        await pilot.press("ctrl+t")
        await settle(pilot)
        assert (field.filled.kind, field.filled.text) == ("lines", "Acme")
        assert field.has_focus_within
        await pilot.click(field.query_one(Button))
        await settle(pilot)
        assert field.filled.kind == "json"


async def test_the_last_visit_comes_back(workstation: Workstation, ledger: Any) -> None:
    """Text, values and models of the last visit are there again after the workstation was closed."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger, ("offline", "offline/offline"))
        place.query(VariableField).first().editor.focus()
        await pilot.press("end", *" Ltd")
        await until(lambda: place.form.filled[0].text == "Acme Ltd", pilot)
        await pilot.press("ctrl+r")
        await ended(pilot, place)
        await until(lambda: any("Acme Ltd" in str(d.content) for d in ledger.drafts.all()), pilot, "the memory")
    async with workstation("playground") as pilot:
        place = place_of(pilot)
        await until(lambda: place.session.prompt_name == NAME and place.form.names, pilot, "the last visit")
        assert place.form.filled[0].text == "Acme Ltd"
        assert len(place.answers.columns) == 2


async def test_models_are_added_up_to_four_and_taken_away(workstation: Workstation, ledger: Any) -> None:
    """ctrl+n adds a model from the list, four are the limit, delete takes one away, one stays."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        for count in (2, 3, 4):
            await pilot.press("ctrl+n")
            await until(lambda: "type to filter" in screen_text(pilot), pilot, "the list")
            await pilot.press("enter")
            await until(lambda wanted=count: len(place.answers.columns) == wanted, pilot, "the column")  # type: ignore[misc]
            await settle(pilot)
        assert place.query_one("#add-model", Button).disabled
        place.answers.columns[3].stream.focus()
        await pilot.press("delete")
        await until(lambda: len(place.answers.columns) == 3, pilot)


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (200, 60)])
async def test_it_works_by_mouse_at_every_size(workstation: Workstation, ledger: Any, size: tuple[int, int]) -> None:
    """The Run button runs; on a narrow terminal the answers come to the front, and tabs lead back."""
    async with workstation("playground", size=size) as pilot:
        place = await arrive(pilot, ledger)
        await pilot.click("#run")
        (column,) = await ended(pilot, place)
        assert column.region.area and "✓ succeeded" in screen_text(pilot)
        if size[0] < 110:
            assert not place.form.region.area
            await pilot.click("#tabs", offset=(3, 0))
            assert place.form.region.area


async def test_code_and_copy_are_about_this_run(workstation: Workstation, ledger: Any) -> None:
    """f8 gets the run in three languages, y the source of the answer."""
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger)
        code = place.code_subject()
        assert code is not None
        compile(code.python, "python", "exec")
        assert "'company': 'Acme'" in code.python and "version=1" in code.python
        assert code.cli.startswith(
            "ledger-tui run support/reply --var company=Acme"
        ) and "facts:=[" in code.cli.replace("'", "")
        assert "executions:run" in code.curl
        assert place.copy_source() is None
        await pilot.press("ctrl+r")
        (column,) = await ended(pilot, place)
        assert place.copy_source() == column.answers[0].output


async def test_foreign_text_is_shown_and_never_obeyed(workstation: Workstation, ledger: Any) -> None:
    """Escapes and markup in values, answers and errors stay visible text."""
    evil = "\x1b]0;x\x07[/][@click=app.quit]x[/]\u202e"
    async with workstation("playground") as pilot:
        place = await arrive(pilot, ledger, company=evil, letter="x", facts=[])
        place.answers.columns[0].set_params({"offline_reply": evil})
        await pilot.press("ctrl+r")
        await ended(pilot, place)
        text = screen_text(pilot)
        assert "\x1b" not in text and "\u202e" not in text
        assert text.count("␛]0;x␇[/][@click=app.quit]x[/]") >= 2


# Values


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for files to be read."""
    made = tmp_path / "files"
    made.mkdir()
    return made


def test_a_file_is_read_as_it_is(folder: Path) -> None:
    """UTF-8 text comes through; a byte order mark is taken off."""
    (folder / "text").write_bytes(b"\xef\xbb\xbfh\xc3\xa9llo")
    assert value_of(Filled("v", "file", str(folder / "text"))) == "héllo"


@pytest.mark.parametrize(
    ("name", "data"),
    [("binary", b"a\0b"), ("latin", b"caf\xe9"), ("utf16", "hé".encode("utf-16")), ("big", b"x" * (1024 * 1024 + 1))],
)
def test_a_file_that_is_no_text_is_refused(folder: Path, name: str, data: bytes) -> None:
    """Binary, another encoding or too much: a clear error that names the variable and the file."""
    (folder / name).write_bytes(data)
    with pytest.raises(ValueRefused) as caught:
        value_of(Filled("letter", "file", str(folder / name)))
    assert caught.value.name == "letter" and name in caught.value.cause


def test_what_is_no_file_is_refused(folder: Path) -> None:
    """A folder, a device, a loop of links and nothing at all are refused at once."""
    (folder / "loop").symlink_to(folder / "loop")
    for path in (folder, Path("/dev/zero"), folder / "loop", folder / "missing", Path()):
        with pytest.raises(ValueRefused):
            value_of(Filled("letter", "file", str(path)))
    with pytest.raises(ValueRefused):
        value_of(Filled("letter", "file", "  "))


def test_a_pipe_is_not_read_for_an_estimate(folder: Path) -> None:
    """Looking at the values must not empty a pipe."""
    from ledger_tui.ui.places.playground.field_values import is_cheap

    os.mkfifo(folder / "pipe")
    (folder / "file").write_text("x")
    assert not is_cheap([Filled("v", "file", str(folder / "pipe"))])
    assert is_cheap([Filled("v", "file", str(folder / "file")), Filled("w", "json", "1")])


@pytest.mark.parametrize("text", ["{", "NaN", "[" * 100_000, "1" * 5000, "a\0b"])
def test_broken_json_is_refused(text: str) -> None:
    """Not JSON, not a number, too deep, too long or with a NUL: refused, never a crash."""
    with pytest.raises(ValueRefused):
        value_of(Filled("v", "json", text))


def test_a_kept_set_is_the_values_and_how_they_were_typed(folder: Path) -> None:
    """Other programs find plain values in a set; the form finds what was typed."""
    (folder / "letter").write_text("Dear all")
    fields = [
        Filled("a", "text", "x"),
        Filled("b", "lines", "x\ny"),
        Filled("c", "json", '{"k": 1.50}'),
        Filled("d", "file", str(folder / "letter")),
    ]
    kept = to_set(fields, known_values(fields))
    assert {key: value for key, value in kept.items() if not key.startswith("@")} == {
        "a": "x",
        "b": "x\ny",
        "c": {"k": 1.5},
        "d": "Dear all",
    }
    assert list(from_set(kept).values()) == fields


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", {}),
        ("temperature=0.2 max_tokens=300", {"temperature": 0.2, "max_tokens": 300}),
        ('{"stop": ["a", "b"]}', {"stop": ["a", "b"]}),
        ('stop=["a b", "c"] seed=1', {"stop": ["a b", "c"], "seed": 1}),
        ("offline_error=auth", {"offline_error": "auth"}),
    ],
)
def test_parameters_are_read_from_pairs_and_json(text: str, params: dict[str, Any]) -> None:
    """``key=value`` pairs and a JSON object are both understood, and shown so that they are read the same again."""
    assert read_params(text) == params
    assert read_params(params_words(params)) == params


@pytest.mark.parametrize("text", ["temperature", "{", "[1]", "=3"])
def test_other_parameters_are_refused(text: str) -> None:
    """What is neither is an error, not a guess."""
    with pytest.raises(InputError):
        read_params(text)


async def test_tool_calls_are_shown() -> None:
    """The tools that a model asks for stand below its text as JSON."""
    from ledger_tui.domain.calls import ToolCall
    from ledger_tui.domain.values import TokenUsage
    from ledger_tui.services.run_values import RunResult
    from ledger_tui.ui.places.playground.answers import Answer

    result = RunResult(
        "e", "u", "t", "s", "succeeded", "Looking.", (ToolCall("1", "look_up", '{"q": "x"}'),), TokenUsage(),
        None, None, True, 1000, None, "p", "m",
    )  # fmt: skip
    answer = Answer("m")
    answer.end(result)
    assert answer.shown == 'Looking.\n\n**Tool call** `look_up`\n\n```json\n{"q": "x"}\n```'
