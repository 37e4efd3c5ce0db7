"""Programs render their own prompts in their own process; each render is a usage that no kill loses."""

from __future__ import annotations

import asyncio
import enum
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.plain_json import quick_json
from ledger_tui.errors import (
    ContentRefused,
    IncludeRefused,
    NotFound,
    TemplateError,
    TemplateRefused,
    TemplateTooExpensive,
    UndefinedVariable,
)
from ledger_tui.ledger import PromptLedger
from ledger_tui.services.kept import KEEP_S
from ledger_tui.settings import Settings
from ledger_tui.store import changes

from tests.sdk.spooling import ledger_in, program, ran, until

NOW = {"offline_delay_s": 0}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger with a greeting."""
    with ledger_in(tmp_path) as opened:
        opened.create_prompt("greet", "Hello {{ name }}", system="Be kind.")
        yield opened


def usages(ledger: PromptLedger, columns: str = "rendered") -> list[Any]:
    """What is stored of all usages, in the order of their making."""
    assert ledger.flush()
    with ledger.database.lean() as lean:
        rows = lean.fetch(f"SELECT {columns} FROM usages ORDER BY id")
    return [row[0] if len(row) == 1 else row for row in rows]


def helper_processes(ledger: PromptLedger) -> list[object]:
    """The helper processes that run for a ledger."""
    service = ledger.templates
    return [one._process for one in (service._analysing, service._rendering) if one._process is not None]


def test_a_render_is_stored_as_it_was(ledger: PromptLedger) -> None:
    """All columns of the usage are there after a flush, once, and no helper process was started."""
    made = ledger.render(
        "greet", {"name": "Ädä", "z": [1, 2.5, None, {"b": True, "a": 3.25}]}, session_id="s", metadata={"k": 1}
    )
    rows = usages(
        ledger,
        "id, prompt_id, version_id, included, content, parameters, rendered, environment, session_id, user_identifier, "
        "metadata, source",
    )
    version = ledger.registry.version("greet")
    assert rows == [
        (
            made["usage_id"], version.prompt_id, version.id, "[]", None,
            '{"name":"Ädä","z":[1,2.5,null,{"a":3.25,"b":true}]}',
            '[{"role":"system","text":"Be kind."},{"role":"user","text":"Hello Ädä"}]',
            "test", "s", None, '{"k":1}', "sdk",
        )
    ]  # fmt: skip
    assert helper_processes(ledger) == []


def test_the_span_around_says_whose_it_is(ledger: PromptLedger) -> None:
    """Session, user and environment of the trace that a render happens in go to its usage, unless the call says otherwise."""
    with ledger.trace("t", session_id="s", user_identifier="u", environment="staging"):
        ledger.render("greet", {"name": "a"})
        ledger.render("greet", {"name": "a"}, session_id="own")
    columns = "session_id, user_identifier, environment"
    assert usages(ledger, columns) == [("s", "u", "staging"), ("own", "u", "staging")]


def test_a_kill_loses_no_usage_and_doubles_none(tmp_path: Path) -> None:
    """What was rendered before kill -9 is there once for the next program that opens the workspace."""
    ledger_in(tmp_path).create_prompt("p", "n = {{ n }}")
    code = "for n in range(300): print(ledger.render('p', {'n': n})['usage_id'])\nsys.stdout.flush()\nos.kill(os.getpid(), 9)"
    killed = program(code, tmp_path)
    out, _ = killed.communicate(timeout=60)
    with ledger_in(tmp_path) as ledger:
        assert usages(ledger, "id, parameters") == [(one, f'{{"n":{n}}}') for n, one in enumerate(out.split())]
        assert len(out.split()) == 300


def test_a_moved_label_counts_at_once(ledger: PromptLedger) -> None:
    """The next render in the same process follows a save, a label that moved, and what it includes, from every ledger."""
    ledger.create_prompt("top", "{% include 'greet@live' %}")
    ledger.registry.set_label("greet", "live", 1)
    assert ledger.render("top", {"name": "a"})["text"] == "Hello a"
    ledger.create_prompt("greet", "Bye {{ name }}")
    assert ledger.render("greet", {"name": "a"})["text"] == "Bye a"
    with PromptLedger(str(ledger.database.path), paths=ledger.paths) as other:
        other.registry.set_label("greet", "live", 2)
        made = ledger.render("top", {"name": "a"})
        assert (made["text"], [one["version"] for one in made["included"]]) == ("Bye a", [2])
        other.registry.undo()
    assert ledger.render("top", {"name": "a"})["text"] == "Hello a"


def test_another_process_is_followed_soon(ledger: PromptLedger, tmp_path: Path) -> None:
    """A version that another process saved is rendered once the kept one was looked at again, and that is within a second."""
    assert KEEP_S <= 1
    assert ledger.render("greet", {"name": "a"})["text"] == "Hello a"
    before = changes.latest
    ran("ledger.create_prompt('greet', 'Bye {{ name }}')", tmp_path)
    until(lambda: ledger.render("greet", {"name": "a"})["text"] == "Bye a", 30)
    assert changes.latest is before


def test_versions_and_labels_can_be_named(ledger: PromptLedger) -> None:
    """``version`` and ``label`` mean what they mean for a run; what does not exist is NotFound, also after a good render."""
    ledger.create_prompt("greet", "Bye {{ name }}", labels=["live"])
    assert ledger.render("greet", {"name": "a"}, version=1)["text"] == "Hello a"
    assert ledger.render("greet", {"name": "a"}, label="live")["version"] == 2
    for wrong in ({"version": 9}, {"label": "gone"}):
        with pytest.raises(NotFound):
            ledger.render("greet", {"name": "a"}, **wrong)
    with pytest.raises(NotFound):
        ledger.render("nothing", {})
    with pytest.raises(TypeError, match="colour"):
        ledger.render("greet", {"name": "a"}, colour="red")  # type: ignore[call-arg]


ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ v|attr('__globals__') }}",
    "{{ '{0.__class__}'.format_map(v) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ v.append(1) }}",
    "{% include '/etc/passwd' %}",
    "{{ v.__class__ }}",
    "{{ (v.x).__init__ }}",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_the_process_is_as_strict_as_the_helper(tmp_path: Path, escape: str) -> None:
    """Whatever the helper refuses is refused in the program's process, in the same words (B24)."""
    said = []
    for here in (True, False):
        with ledger_in(tmp_path, settings=Settings(render_in_process=here)) as ledger:
            ledger.create_prompt("escape", escape)
            with pytest.raises((TemplateRefused, UndefinedVariable)) as refused:
                ledger.render("escape", {"v": {"x": "y"}})
            said.append((type(refused.value), str(refused.value)))
            assert usages(ledger) == []
    assert said[0] == said[1]


@pytest.mark.parametrize("here", [True, False], ids=["in process", "helper"])
def test_both_ways_give_the_same(tmp_path: Path, here: bool) -> None:
    """With ``render_in_process`` on or off: the same text of unusual values, the same usage, the same errors."""

    class Mood(enum.StrEnum):
        calm = "calm"

    with ledger_in(tmp_path, settings=Settings(render_in_process=here)) as ledger:
        ledger.create_prompt("tone", "Be {{ mood }}.")
        ledger.create_prompt("p", "{% include 'tone' %} {{ pair }} {{ number }} {{ brace }}")
        made = ledger.render("p", {"mood": Mood.calm, "pair": (1, "b"), "number": 2.0, "brace": "{{ x }}"})
        assert made["text"] == "Be calm. [1, 'b'] 2.0 {{ x }}"
        assert [one["name"] for one in made["included"]] == ["tone"]
        version = ledger.registry.version("tone")
        assert usages(ledger, "included, parameters") == [
            (json.dumps([version.id]), '{"brace":"{{ x }}","mood":"calm","number":2,"pair":[1,"b"]}')
        ]
        with pytest.raises(
            UndefinedVariable, match="message 1, line 1, column 12: in tone, line 1: 'mood' has no value"
        ):
            ledger.render("p", {})
        ledger.create_prompt("many", "{% for n in range(99999) %}{{ text }}{% endfor %}")
        with pytest.raises(TemplateTooExpensive, match="more than 4 MB"):
            ledger.render("many", {"text": "é" * 50})
        ledger.create_prompt("broken", "{% if %}")
        with pytest.raises(TemplateError):
            ledger.render("broken", {})
        assert bool(helper_processes(ledger)) is not here


BAD_VALUES = ["a\x00b", "\ud800", float("nan"), float("inf"), 2**60, b"x", object(), {1: "x"}, {"a\x00": 1}]


@pytest.mark.parametrize("bad", BAD_VALUES, ids=lambda bad: ascii(bad)[:20])
def test_values_that_cannot_be_kept_are_refused(ledger: PromptLedger, bad: Any) -> None:
    """A NUL, half a character, a number or type that JSON has not: refused at the call, nothing is recorded (B1)."""
    for value in (bad, [bad], {"deep": [{"er": bad}]}):
        with pytest.raises((ContentRefused, TemplateRefused)):
            ledger.render("greet", {"name": "x", "other": value})
    with pytest.raises((ContentRefused, TemplateRefused)):
        ledger.render("greet", {"name": "x"}, metadata={"m": bad})
    assert usages(ledger) == []


def test_long_texts_are_cut_and_huge_values_kept(tmp_path: Path) -> None:
    """A rendered text is kept up to ``max_rendered_kb``; a usage too large for the spool goes to the database at once."""
    with ledger_in(tmp_path, settings=Settings(max_rendered_kb=1)) as ledger:
        ledger.create_prompt("p", "{{ text }}", system="Be kind.")
        assert len(ledger.render("p", {"text": "é" * 1000})["text"]) == 1000
        rendered = json.loads(usages(ledger)[0])
        assert rendered == [{"role": "system", "text": "Be kind."}, {"role": "user", "text": "é" * 508}]
        huge = "x" * (5 * 1024 * 1024)
        ledger.create_prompt("q", "{{ text|length }}")
        ledger.render("q", {"text": huge})
        assert usages(ledger, "LENGTH(parameters)")[1] > len(huge)


def test_rules_of_redaction_hold_for_usages(tmp_path: Path) -> None:
    """What a rule hides is neither in the spool nor in the database, in no field; the program gets its text whole (B39, B40)."""

    def stuck(kind: str, field: str, text: str) -> str:
        if "boom" in text:
            raise ValueError(text)
        return text

    secret = "sk-" + "a1B2" * 12
    with ledger_in(tmp_path, redact=["keys", "emails", stuck]) as ledger:
        ledger.create_prompt("p", "{{ key }} {{ mail }}")
        made = ledger.render("p", {"key": secret, "mail": "a@example.com"}, session_id=secret, metadata={"m": secret})
        assert made["text"] == f"{secret} a@example.com"
        ledger.render("p", {"key": "boom", "mail": "boom"})
        spooled = b"".join(file.read_bytes() for file in ledger.paths.spool.rglob("*.spool"))
        rows = usages(ledger, "parameters, rendered, metadata, session_id")
        assert len(rows) == 2 and "withheld" in rows[1][1]
    everything = spooled + b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert secret.encode() not in everything and b"a@example.com" not in everything and b"boom" not in everything


def test_threads_loops_and_children_render(ledger: PromptLedger, tmp_path: Path) -> None:
    """From threads, from an event loop and from a child after fork() each render is one usage."""

    def many() -> None:
        for n in range(50):
            assert ledger.render("greet", {"name": n})["text"] == f"Hello {n}"

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def together() -> list[str]:
        made = await asyncio.gather(*(ledger.arender("greet", {"name": n}) for n in range(10)))
        return [one["text"] for one in made]

    assert asyncio.run(together()) == [f"Hello {n}" for n in range(10)]
    code = (
        "ledger.render('greet', {'name': 'parent'})\npid = os.fork()\n"
        "ledger.render('greet', {'name': 'child' if pid == 0 else 'parent'})\n"
        "if pid == 0:\n    ledger.close(); os._exit(0)\nassert os.waitpid(pid, 0)[1] == 0\nledger.close()"
    )
    if hasattr(os, "fork"):
        ran(code, tmp_path)
    assert len(usages(ledger)) == 210 + (3 if hasattr(os, "fork") else 0)


def test_code_prompts_include_prompts_of_the_registry(tmp_path: Path) -> None:
    """In tracking mode the code's text includes what the ledger has; a changed text is rendered at once."""
    texts = {"mail": "{% include 'shared/tone' %} Hi {{ name }}"}
    with ledger_in(tmp_path, mode="tracking_only", code_registry=texts.get) as ledger:
        ledger.create_prompt("shared/tone", "Be kind.")
        assert ledger.render("mail", {"name": "a"})["text"] == "Be kind. Hi a"
        result = ledger.execute("mail", {"name": "a"}, model="offline", params=NOW)
        assert [one["name"] for one in result["included"]] == ["shared/tone"]
        texts["mail"] = "Now {{ name }}"
        made = ledger.render("mail", {"name": "a"})
        assert (made["text"], made["version"], made["included"]) == ("Now a", 2, [])
        texts["mail"] = "{% include 'shared/tune' %}"
        with pytest.raises(IncludeRefused, match="did you mean shared/tone"):
            ledger.render("mail", {"name": "a"})


def test_a_queued_call_keeps_what_it_was_made_from(ledger: PromptLedger) -> None:
    """``submit`` resolves includes when the call is queued, and its result names them."""
    ledger.create_prompt("top", "{% include 'greet' %}", params=NOW, model="offline")
    queued = ledger.submit("top", {"name": "a"})
    result = ledger.result(queued["execution_id"], wait=30)
    assert result["status"] == "succeeded"
    assert [(one["name"], one["version"]) for one in result["included"]] == [("greet", 1)]


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), json_like, max_size=5))
def test_the_quick_json_is_the_canonical_one(value: dict[str, Any]) -> None:
    """Where the quick way answers at all, it answers as the careful one does."""
    quick = quick_json(value)
    if quick is not None:
        try:
            quick.encode()
        except UnicodeEncodeError:
            return
        assert quick == canonical_json(value)
