"""Calls made elsewhere find the prompt they come from; the others gather until one call registers them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import FLAG_LINKED
from ledger_tui.errors import InputError, NotFound
from ledger_tui.paths import Paths
from ledger_tui.store import recount
from tests.servers.llama import MODEL

SYSTEM = "You help the customers of a small shop."
QUESTION = "Question: {{ question }}\nAnswer in {{ language }}."
ASKED = "Question: where is my parcel?\nAnswer in Dutch."
VALUES = {"question": "where is my parcel?", "language": "Dutch"}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, paths: Paths) -> Iterator[PromptLedger]:
    """A ledger over each kind of database."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with PromptLedger(url, paths=paths) as opened:
        yield opened


@pytest.fixture
def local(paths: Paths) -> Iterator[PromptLedger]:
    """A ledger over a file."""
    with PromptLedger(paths=paths) as opened:
        yield opened


def call(ledger: PromptLedger, asked: Any, **fields: Any) -> str:
    """Record a model call of a program."""
    facts: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "provider": "openai",
        "prompt_tokens": 100,
        "completion_tokens": 10,
    } | fields
    facts = {"duration_ms": 120, "user_identifier": "me", "session_id": "s"} | facts
    return ledger.log_external_span(trace_id="t", name="ask", kind="llm", input_data=asked, output_data="x", **facts)


def stored(ledger: PromptLedger) -> list[tuple[str | None, int, dict[str, Any]]]:
    """Version id, flags and attributes of the calls in the order in which they were recorded."""
    assert ledger.flush()
    row = ledger.traces.trace("t")
    spans = sorted((s for s in ledger.traces.spans(row.key) if s.kind == "llm"), key=lambda s: s.key)
    return [(s.version_id, s.flags, ledger.traces.payload(s.key).attributes) for s in spans]


def version_id(ledger: PromptLedger, name: str, ref: int | None = None) -> str:
    """The id of a version."""
    return ledger.registry.version(name, ref).id


def sums(ledger: PromptLedger) -> dict[tuple[str, str], tuple[int, ...]]:
    """Calls, tokens and cost by prompt and version."""
    sql = (
        "SELECT prompt_id, version_id, SUM(calls), SUM(input_tokens), SUM(cost_nusd), SUM(unpriced), SUM(errors) "
        "FROM daily_costs GROUP BY prompt_id, version_id"
    )
    with ledger.database.lean() as lean:
        return {(row[0], row[1]): tuple(map(int, row[2:])) for row in lean.fetch(sql)}


def differing(ledger: PromptLedger) -> dict[str, int]:
    """Rows of the sums of days that differ from a count of the spans, by table."""
    with ledger.database.lean() as lean:
        return {table: count for table, count in recount.differences(lean).items() if count}


def _blocks(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


CHAT = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}]


@pytest.mark.parametrize(
    "asked",
    [
        {"messages": CHAT},
        CHAT,
        [*CHAT, {"role": "assistant", "content": "at home"}, {"role": "user", "content": "really?"}],
        {"instructions": SYSTEM, "input": ASKED},
        {"system": _blocks(SYSTEM), "messages": [{"role": "user", "content": _blocks(ASKED)}]},
    ],
    ids=["chat", "list", "conversation", "responses", "messages"],
)  # fmt: skip
def test_every_wire_is_linked(local: PromptLedger, asked: Any) -> None:
    """A request of each wire, and a conversation that went on, is linked to its version, with the values it was made from."""
    local.create_prompt("answer", QUESTION, system=SYSTEM)
    call(local, asked, attributes={"mine": 1})
    ((version, flags, attributes),) = stored(local)
    assert (version, flags) == (version_id(local, "answer"), FLAG_LINKED)
    assert attributes["variables"] == VALUES and attributes["mine"] == 1
    assert attributes["linked"] == {"by": "fit", "recovered": ["language", "question"]}
    assert local.linking.unregistered() == []


def test_a_text_alone_and_a_text_without_variables(local: PromptLedger) -> None:
    """A plain text is a user message; a version without variables is linked when its text is the same."""
    local.create_prompt("sum", "Summarise: {{ text }}")
    local.create_prompt("fixed", "Hi")
    for asked in ("Summarise: it rains", "Hi", "Hi there"):
        call(local, asked)
    assert [(one[0], one[2].get("linked", {}).get("by")) for one in stored(local)] == [
        (version_id(local, "sum"), "fit"),
        (version_id(local, "fixed"), "text"),
        (None, None),
    ]


def test_what_was_rendered_here_is_known_exactly(local: PromptLedger) -> None:
    """A render that is sent by the program's own client is linked with the very values it was rendered with."""
    local.create_prompt("list", "Sum up {% for n in numbers %}{{ n }} {% endfor %}", system=SYSTEM)
    rendered = local.render("list", {"numbers": [1, 2]})
    call(local, [{"role": one["role"], "content": one["content"]} for one in rendered["messages"]])
    ((version, _, attributes),) = stored(local)
    assert version == version_id(local, "list")
    assert attributes["variables"] == {"numbers": [1, 2]} and attributes["linked"]["by"] == "rendered"


def test_between_versions_the_most_specific_wins_and_ties_are_told(local: PromptLedger) -> None:
    """More literal text wins; versions that fit alike go to the one the model or the active label names, and it is said."""
    local.create_prompt("a", "Tell me about {{ x }}", model="openai/gpt-4o")
    local.update_prompt("a", "Tell me about {{ x }} in one line")
    local.create_prompt("b", "Tell me about {{ x }}")
    call(local, "Tell me about rain in one line")
    call(local, "Tell me about rain")
    call(local, "Tell me about rain", model="gpt-4o")
    one, two, three = stored(local)
    assert (one[0], one[2]["variables"]) == (version_id(local, "a", 2), {"x": "rain"})
    assert two[0] == version_id(local, "b") and two[2]["linked"]["ambiguous"] == [version_id(local, "a", 1)]
    assert three[0] == version_id(local, "a", 1) and "ambiguous" not in three[2]["linked"]


def test_a_prompt_that_includes_others_is_found(local: PromptLedger) -> None:
    """What a prompt includes is part of its text: a call rendered elsewhere fits it, with variables of both texts."""
    local.create_prompt("shared/tone", "Keep a {{ mood }} tone and never promise a refund.")
    local.create_prompt("ask", '{% include "shared/tone" %}\n\nQuestion: {{ question }}', system=SYSTEM)
    local.create_prompt("tell", '{% include "shared/tone" %}\n\nStory: {{ question }}', system=SYSTEM)
    asked = "Keep a warm tone and never promise a refund.\n\n{}: why?"
    for word in ("Question", "Story"):
        call(local, {"instructions": SYSTEM, "input": asked.format(word)})
    for (version, _, attributes), name in zip(stored(local), ("ask", "tell"), strict=True):
        assert version == version_id(local, name)
        assert attributes["variables"] == {"mood": "warm", "question": "why?"}
        assert attributes["linked"]["by"] == "fit"


def test_includes_mean_what_they_mean_now(local: PromptLedger) -> None:
    """A label that moves changes what its includes stand for; a pinned one stays; what cannot be followed is left open."""
    local.create_prompt("tone", "Be kind and brief, please.")
    local.create_prompt("now", '{% include "tone" %} Topic: {{ topic }}')
    local.create_prompt("pinned", '{% include "tone@1" %} Topic of old: {{ topic }}')
    local.create_prompt("gone", '{% include "nobody" %} Topic of nobody: {{ topic }}')
    call(local, "Be kind and brief, please. Topic: rain")
    assert stored(local)[-1][0] == version_id(local, "now")
    local.update_prompt("tone", "Be stern and long, always.")
    call(local, "Be stern and long, always. Topic: rain")
    call(local, "Be kind and brief, please. Topic: rain")
    call(local, "Be kind and brief, please. Topic of old: rain")
    call(local, "Whatever stood here. Topic of nobody: rain")
    _, stern, kind, old, gone = stored(local)
    assert stern[0] == version_id(local, "now") and kind[0] is None
    assert old[0] == version_id(local, "pinned")
    assert (gone[0], gone[2]["variables"]) == (version_id(local, "gone"), {"topic": "rain"})


def test_what_may_be_read_in_two_ways_is_left_out(local: PromptLedger) -> None:
    """The version is linked, and variables whose values cannot be told are named instead of guessed."""
    local.create_prompt("route", "Plan a journey from {{ a }} to {{ b }}.")
    call(local, "Plan a journey from here to there to everywhere.")
    ((version, _, attributes),) = stored(local)
    assert version and "variables" not in attributes
    assert attributes["linked"] == {"by": "fit", "uncertain": ["a", "b"]}


def test_the_registry_is_followed(local: PromptLedger) -> None:
    """A prompt saved while a program runs counts from the next call on; the name a call gives limits its versions."""
    call(local, "Summarise the following: it rains")
    assert local.flush()
    local.create_prompt("sum", "Summarise the following: {{ text }}")
    local.create_prompt("twin", "Summarise the following: {{ text }}")
    call(local, "Summarise the following: it rains")
    call(local, "Summarise the following: it rains", prompt_name="sum")
    call(local, "Something else", prompt_name="sum")
    assert [one[0] for one in stored(local)] == [None, version_id(local, "twin"), version_id(local, "sum"), None]


def test_what_is_no_call_to_a_model_is_left_alone(local: PromptLedger) -> None:
    """Other kinds, calls that run, cut texts and inputs that are no messages are neither linked nor gathered."""
    local.create_prompt("sum", "Summarise: {{ text }}")
    call(local, {"question": "Summarise: it rains"})
    call(local, "Summarise: " + "x" * 300_000)
    local.log_external_span(trace_id="t", name="x", kind="tool", input_data="Summarise: it rains", model="m")
    local.log_external_span(trace_id="t", name="x", kind="llm", input_data="Summarise: it", model="m", status="running")
    assert all(one[0] is None for one in stored(local))
    assert local.linking.unregistered() == []


def test_registering_links_the_past(ledger: PromptLedger) -> None:
    """Calls of one prompt are one row with its varying parts open; registering moves calls and their cost to the prompt."""
    for number in range(4):
        call(ledger, f"Summarise this ticket in one sentence: number {number}, from {'abcd'[number:]} today")
    call(ledger, "Summarise this ticket in one sentence: broken, from me today", status="error", model="unknown-model")
    call(ledger, "Translate this letter into French, please: dear friend")
    assert ledger.flush()
    first, second = ledger.linking.unregistered()
    assert (first.calls, second.calls, first.models) == (5, 1, ("gpt-4o-mini", "unknown-model"))
    assert (
        first.content.messages[0].text
        == "Summarise this ticket in one sentence: {{ value_1 }}, from {{ value_2 }} today"
    )
    before = sums(ledger)
    assert list(before) == [("", "")] and not differing(ledger)

    done = ledger.linking.register(first.fingerprint[:8], "support/summarise")

    assert done.linked == 5
    assert not differing(ledger)
    prompt = ledger.registry.prompt("support/summarise")
    moved = sums(ledger)[prompt.id, done.version_id]
    assert moved[0] == 5 and sums(ledger)["", ""][0] == 1
    assert moved[2] + sums(ledger)["", ""][2] == before["", ""][2]
    assert [row.fingerprint for row in ledger.linking.unregistered()] == [second.fingerprint]
    assert all(one[0] == done.version_id and one[1] & FLAG_LINKED for one in stored(ledger)[:5])
    call(ledger, "Summarise this ticket in one sentence: late, from you today")
    assert stored(ledger)[-1][2]["variables"] == {"value_1": "late", "value_2": "you"}


def test_registering_is_refused_where_it_would_surprise(local: PromptLedger) -> None:
    """A name that has another text, a group that is not there and one without fixed words are refused with a way out."""
    local.create_prompt("taken", "Other text")
    call(local, "Summarise this ticket in one sentence: it rains")
    assert local.flush()
    (row,) = local.linking.unregistered()
    with pytest.raises(InputError, match="another text"):
        local.linking.register(row.fingerprint, "taken")
    with pytest.raises(NotFound):
        local.linking.register("nothing", "free")
    done = local.linking.register(row.fingerprint, "free", PromptContent.of_text("Summarise this ticket {{ rest }}"))
    assert done.linked == 1 and stored(local)[0][2]["variables"] == {"rest": "in one sentence: it rains"}


def test_dismissing(local: PromptLedger) -> None:
    """A dismissed group is not shown again, however often it is called."""
    call(local, "Summarise this ticket in one sentence: it rains")
    assert local.flush() and local.linking.count() == 1
    (row,) = local.linking.unregistered()
    local.linking.dismiss(row.fingerprint)
    call(local, "Summarise this ticket in one sentence: it snows")
    assert local.flush() and (local.linking.count(), local.linking.unregistered()) == (0, [])
    local.linking.bring_back(row.fingerprint)
    assert [one.calls for one in local.linking.unregistered()] == [2]


def test_groups_by_system_text(local: PromptLedger) -> None:
    """Questions under one system text are one group, whatever they ask and whatever numbers the system text holds."""
    for number, question in enumerate(["why?", "how long is it", "where do I find my parcel then?"]):
        call(
            local,
            [{"role": "system", "content": f"{SYSTEM} Customer {number}."}, {"role": "user", "content": question}],
        )
    assert local.flush()
    (row,) = local.linking.unregistered()
    assert [one.text for one in row.content.messages] == [f"{SYSTEM} Customer {{{{ value_1 }}}}.", "{{ value_2 }}"]


def test_the_list_is_bounded(local: PromptLedger) -> None:
    """However many different texts come, a bounded number of rows is kept: those called most, then the newest."""
    for _ in range(3):
        call(local, "Summarise this ticket in one sentence: it rains")
    for batch in range(10):
        for number in range(50):
            word = f"{'abcdefghij'[batch]}{chr(97 + number // 26)}{chr(97 + number % 26)}"
            call(local, f"{word}x {word}y {word}z")
        assert local.flush()
    rows = local.linking.unregistered(300)
    assert len(rows) == 300 and rows[0].calls == 3


@pytest.mark.parametrize("together", [True, False])
def test_the_end_of_a_call_that_was_begun_before(ledger: PromptLedger, together: bool) -> None:
    """A call whose question came with its beginning is linked by its end, and keeps what its beginning said."""
    ledger.create_prompt("answer", QUESTION)
    ledger.prepare()
    ends: list[dict[str, Any]] = [
        {},
        {"input_data": ASKED},
        {"attributes": {"mine": 2}},
        {},
    ]
    first = [{"mine": 1}, {"mine": 1}, {"mine": 1}, {"variables": {"question": "own"}}]
    ledger._recorder.spooler.by_itself = False
    for number, attributes in enumerate(first):
        begun: dict[str, Any] = {"input_data": ASKED, "output_data": "…", "status": "running", "attributes": attributes}
        ledger.log_external_span(
            trace_id="t", name="ask", span_id=f"s{number}", model="gpt-4o", session_id="s", **begun
        )
    if not together:
        assert ledger.flush()
    for number, end in enumerate(ends):
        ledger.log_external_span(
            trace_id="t", name="other", span_id=f"s{number}", model="gpt-4o", prompt_tokens=9, **end
        )
    found = stored(ledger)
    assert [(version, flags) for version, flags, _ in found] == [(version_id(ledger, "answer"), FLAG_LINKED)] * 4
    told = {"by": "fit", "recovered": ["language", "question"]}
    assert [attributes for _, _, attributes in found] == [
        {"mine": 1, "variables": VALUES, "linked": told},
        {"mine": 1, "variables": VALUES, "linked": told},
        {"mine": 2, "variables": VALUES, "linked": told},
        {"variables": {"question": "own"}, "linked": {**told, "variables": VALUES}},
    ]
    trace = ledger.traces.trace("t")
    assert (trace.span_count, trace.status, trace.session_id) == (4, "succeeded", "s")
    for span in ledger.traces.spans(trace.key):
        payload = ledger.traces.payload(span.key)
        assert (span.name, payload.input, payload.output) == ("ask", ASKED, "…")
    assert not differing(ledger)


def test_hidden_text_stays_hidden(paths: Paths) -> None:
    """What redaction takes out of a call is not in the list either."""
    with PromptLedger(paths=paths, redact=["emails"]) as ledger:
        call(ledger, "Summarise this letter of somebody@example.org in one sentence: it rains")
        assert ledger.flush()
        (row,) = ledger.linking.unregistered()
    assert "somebody" not in json.dumps([row.messages, row.sample])


def test_real_clients(local: PromptLedger, llama_server: str) -> None:
    """Calls of wrapped clients of both libraries, on all wires, are linked to the prompt their messages come from."""
    local.create_prompt("answer", QUESTION, system=SYSTEM)
    chat = local.wrap(openai.OpenAI(api_key="sk-x", base_url=f"{llama_server}/v1", max_retries=0))
    claude = local.wrap(anthropic.Anthropic(api_key="sk-x", base_url=llama_server, max_retries=0))
    messages: list[Any] = CHAT
    with local.trace("all", trace_id="t"):
        chat.chat.completions.create(model=MODEL, messages=messages, max_tokens=4)
        chat.responses.create(model=MODEL, instructions=SYSTEM, input=ASKED, max_output_tokens=16)
        claude.messages.create(model=MODEL, system=SYSTEM, messages=messages[1:], max_tokens=4)
        list(chat.chat.completions.create(model=MODEL, messages=messages, max_tokens=4, stream=True))
    found = stored(local)
    assert [one[0] for one in found] == [version_id(local, "answer")] * 4
    assert all(one[2]["variables"] == VALUES for one in found)
    chat.close()
    claude.close()


def test_observed_functions(local: PromptLedger) -> None:
    """A function observed as a model call is linked by the messages it was given."""
    local.create_prompt("answer", QUESTION, system=SYSTEM)

    @local.observe(kind="llm")
    def ask(messages: list[Any]) -> str:
        return "at home"

    with local.trace("all", trace_id="t"):
        ask(CHAT)
    ((version, _, attributes),) = stored(local)
    assert version == version_id(local, "answer") and attributes["variables"] == VALUES


def test_a_killed_programs_calls_are_linked_by_the_next(paths: Paths, tmp_path: Path) -> None:
    """Spans that a program left behind are linked by whoever takes them over."""
    with PromptLedger(paths=paths) as first:
        first.create_prompt("sum", "Summarise: {{ text }}")
    left = PromptLedger(paths=paths)
    left._recorder.spooler.by_itself = False
    call(left, "Summarise: it rains")
    left._recorder.spooler._writer.abandon()
    with PromptLedger(paths=paths) as second:
        second.prepare()
        ((version, _, _),) = stored(second)
        assert version == version_id(second, "sum")
