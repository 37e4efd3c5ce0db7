"""Spans of a program's own calls: what is kept of them, from where they come, and when they can be read."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain.values import FLAG_CUT, FLAG_LOSSY
from ledger_tui.errors import ContentRefused, InputError
from ledger_tui.ledger import PromptLedger

from tests.sdk.spooling import ledger_in, program, ran, spool_files, stored, until
from tests.store.helpers import in_child


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger on a workspace that nobody has opened yet."""
    made = ledger_in(tmp_path)
    yield made
    made.close()


def only_span(ledger: PromptLedger) -> tuple[Any, Any]:
    """The one span of the database, and its texts."""
    (trace,) = ledger.traces.page().rows
    (row,) = ledger.traces.spans(trace.key)
    return row, ledger.traces.payload(row.key)


def test_a_call_as_in_the_first_examples(ledger: PromptLedger) -> None:
    """A span keeps what it was given, is priced by the price book, and its trace can be read at once."""
    span_id = ledger.log_external_span(
        trace_id="my-run-001",
        parent_span_id=None,
        name="direct_openai_analysis",
        kind="llm",
        input_data={"messages": ["..."]},
        output_data={"response": "fine"},
        model="gpt-4",
        prompt_tokens=100,
        completion_tokens=50,
        duration_ms=450,
        attributes={"team": "search", "retries": 2},
    )
    assert isinstance(span_id, str)
    trace = ledger.get_trace("my-run-001")
    assert (trace["span_count"], trace["duration_ms"], trace["total_tokens"]) == (1, 450.0, 150)
    assert trace["total_cost"] == Decimal("0.006")
    (line,) = ledger.get_trace_tree("my-run-001")
    assert (line["span_id"], line["name"], line["kind"], line["model"]) == (
        span_id, "direct_openai_analysis", "llm", "gpt-4",
    )  # fmt: skip
    row, payload = only_span(ledger)
    assert (row.provider, row.status, payload.input, payload.output) == (
        "openai", "succeeded", '{"messages":["..."]}', '{"response":"fine"}',
    )  # fmt: skip
    assert payload.attributes == {"team": "search", "retries": 2}


def test_steps_form_a_tree_with_ids_of_their_own(ledger: PromptLedger) -> None:
    """Parents by id make the tree, whatever text the ids are and in whatever order the spans come."""
    ledger.log_external_span("t", "wurzel/ä", "child", "tool", span_id="kind 1", duration_ms=1)
    ledger.log_external_span("t", None, "root", "agent", span_id="wurzel/ä", duration_ms=5)
    assert [(line["name"], line["depth"]) for line in ledger.get_trace_tree("t")] == [("root", 0), ("child", 1)]


def test_a_running_span_is_ended_by_its_end(ledger: PromptLedger) -> None:
    """A span that was recorded as running and then as done is one span, and its trace is done."""
    ledger.log_external_span("t", name="slow", kind="tool", span_id="s", status="running", input_data="in")
    assert ledger.get_trace("t")["status"] == "running"
    ledger.log_external_span("t", name="slow", kind="tool", span_id="s", status="error", duration_ms=7, error="no")
    trace = ledger.get_trace("t")
    assert (trace["span_count"], trace["status"], trace["error_count"]) == (1, "failed", 1)
    _, payload = only_span(ledger)
    assert (payload.input, payload.error) == ("in", "no")


def test_without_a_trace_one_begins(ledger: PromptLedger) -> None:
    """A span without a trace id stands in a trace of its own."""
    ledger.log_external_span(name="a", kind="tool")
    ledger.log_external_span(name="b", kind="tool")
    assert len(ledger.traces.page().rows) == 2


@pytest.mark.parametrize(
    ("given", "cost", "unpriced"),
    [
        ({"model": "gpt-4", "prompt_tokens": 100, "completion_tokens": 50}, 6_000_000, False),
        ({"model": "openai/gpt-4", "prompt_tokens": 100, "completion_tokens": 50}, 6_000_000, False),
        ({"model": "gpt-4", "prompt_tokens": 1, "completion_tokens": 1, "cost": "0.25"}, 250_000_000, False),
        ({"model": "gpt-4", "cost": Decimal("0.000000001")}, 1, False),
        ({"model": "gpt-4"}, None, True),
        ({"model": "house-made", "prompt_tokens": 1, "completion_tokens": 1}, None, True),
        ({"model": "gpt-4", "status": "error"}, None, False),
        ({}, None, False),
    ],
)
def test_unknown_prices_are_never_zero(
    given: dict[str, Any], cost: int | None, unpriced: bool, ledger: PromptLedger
) -> None:
    """What a call cost is what was given, else what the price book says, else unknown and marked."""
    ledger.log_external_span("t", name="call", kind="llm", **given)
    row, _ = only_span(ledger)
    assert (row.cost_nusd, bool(row.unpriced)) == (cost, unpriced)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"trace_id": ""}, "trace id"),
        ({"trace_id": "x" * 129}, "trace id"),
        ({"trace_id": "a\x00b"}, "trace id"),
        ({"span_id": "\ud800"}, "broken character"),
        ({"parent_span_id": 5}, "parent span id"),
        ({"prompt_tokens": -1}, "input tokens"),
        ({"prompt_tokens": True}, "input tokens"),
        ({"completion_tokens": 2**63}, "output tokens"),
        ({"duration_ms": -0.5}, "duration"),
        ({"duration_ms": math.nan}, "duration"),
        ({"duration_ms": math.inf}, "duration"),
        ({"cost": -1}, "cost"),
        ({"cost": math.nan}, "cost"),
        ({"cost": "a lot"}, "cost"),
        ({"cost": 10**10}, "cost"),
        ({"status": "great"}, "status"),
        ({"started_at": 1_760_000_000}, "time zone"),
        ({"started_at": datetime(2026, 1, 1)}, "time zone"),
        ({"started_at": datetime(1960, 1, 1, tzinfo=UTC)}, "cannot be true"),
        ({"started_at": "yesterday"}, "ISO 8601"),
        ({"kind": "k" * 65}, "kind"),
        ({"model": 5}, "model"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"kind": None}, "kind"),
        ({"attributes": {1: "a"}}, "attributes"),
        ({"attributes": {"a": "b\x00"}}, "attributes holds a NUL character at position 1"),
        ({"agent_id": "a\x00"}, "NUL character at position 1"),
        ({"input_data": "ab\x00c"}, "input holds a NUL character at position 2"),
        ({"output_data": {"a": ["x\x00"]}}, "output holds a NUL character at position 1"),
        ({"attributes": {"a": math.nan}}, "attributes"),
        ({"attributes": {"a": math.inf}}, "attributes"),
        ({"attributes": {"a": object()}}, "not JSON serializable"),
        ({"attributes": {"a": "x" * 300_000}}, "bytes"),
        ({"attributes": ["a"]}, "mapping"),
        ({"input_data": list(range(10_001))}, "10000 values"),
        ({"input_data": {"a": 10**5000}}, "input"),
        ({"input_data": ["x" * 5_000_000, "y" * 5_000_000]}, "characters"),
    ],
)
def test_what_cannot_be_true_is_refused_at_the_call(given: dict[str, Any], word: str, ledger: PromptLedger) -> None:
    """Impossible ids, counts, times, amounts and values raise where they are given, and nothing of them is kept."""
    with pytest.raises((InputError, ContentRefused), match=word):
        ledger.log_external_span(**{"trace_id": "t", "name": "n", **given})
    assert ledger.spool_state()["written"] == 0


def test_nested_too_deep_is_refused(ledger: PromptLedger) -> None:
    """A value nested 20,000 deep, or in itself, is refused without touching the interpreter's limits."""
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    looped: dict[str, Any] = {}
    looped["self"] = looped
    for value in (deep, looped):
        with pytest.raises(ContentRefused, match="nested deeper"):
            ledger.log_external_span("t", input_data=value)
    ledger.log_external_span("t", name="fine", input_data="a backslash u0000: \\u0000", attributes={"a": "\\u0000"})
    assert only_span(ledger)[1].attributes == {"a": "\\u0000"}


def test_long_and_broken_texts_are_kept_as_far_as_they_go(ledger: PromptLedger) -> None:
    """Texts past the limits are cut between characters, broken characters replaced, and the span says both."""
    ledger.log_external_span(
        "t", name="n" * 600, input_data="ä" * 150_000, output_data={"a": "\ud800"}, attributes={"b": "\udfff!"}
    )
    row, payload = only_span(ledger)
    assert row.flags == FLAG_CUT | FLAG_LOSSY
    assert payload.input == "ä" * 102_400
    assert (payload.output, payload.attributes) == ('{"a":"\ufffd"}', {"b": "\ufffd!"})


def test_exact_numbers_stay_exact(ledger: PromptLedger) -> None:
    """Whole numbers beyond 64 bits come back digit by digit."""
    ledger.log_external_span("t", name="n", attributes={"a": 2**63, "b": 10**400, "c": -0.0})
    assert only_span(ledger)[1].attributes["b"] == 10**400


def test_starts_are_moments(ledger: PromptLedger) -> None:
    """A start is a moment in any zone; without one the duration counts back from now."""
    zone = timezone(timedelta(hours=5, minutes=30))
    ledger.log_external_span("t", name="a", started_at=datetime(2026, 3, 29, 2, 30, tzinfo=zone), duration_ms=1)
    ledger.log_external_span("t", name="b", started_at="2026-03-28T21:00:00.000001+00:00")
    starts = [line["started_at"] for line in ledger.get_trace_tree("t")]
    assert starts == ["2026-03-28T21:00:00+00:00", "2026-03-28T21:00:00.000001+00:00"]


def test_prompts_are_linked_by_name(ledger: PromptLedger) -> None:
    """A span that names a prompt of the registry belongs to it; a name that nobody knows is no link."""
    saved = ledger.create_prompt("greet", "Hello")
    ledger.log_external_span("known", name="a", prompt_name="greet")
    ledger.log_external_span("unknown", name="b", prompt_name="nobody")
    ledger.flush()
    with ledger.database.lean() as lean:
        rows = dict(lean.fetch("SELECT name, prompt_id FROM spans"))
    assert rows == {"a": saved["prompt"]["prompt_id"], "b": None}


def test_duplicates_are_both_kept(ledger: PromptLedger) -> None:
    """A span id that comes twice with other content is kept twice, and the second is marked."""
    ledger.log_external_span("t", name="first", span_id="s")
    ledger.flush()
    ledger.log_external_span("t", name="second", span_id="s")
    assert sorted(line["name"] for line in ledger.get_trace_tree("t")) == ["first", "second"]


def test_spans_appear_by_themselves(ledger: PromptLedger) -> None:
    """Nobody has to flush: another reader finds a span shortly after it was recorded."""
    ledger.prepare()
    ledger.log_external_span("t", name="a")
    reader = ledger_in(ledger.paths.data.parent)
    assert until(lambda: stored(reader))
    reader.close()


def test_many_threads(ledger: PromptLedger) -> None:
    """Spans of eight threads are all there, once each."""
    ids: list[list[str]] = [[] for _ in range(8)]

    def work(mine: list[str]) -> None:
        for number in range(200):
            mine.append(ledger.log_external_span("t", name=f"step {number}", kind="tool"))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.flush()
    assert sorted(stored(ledger)) == sorted(one for mine in ids for one in mine)


async def test_in_an_event_loop(ledger: PromptLedger) -> None:
    """Tasks record without blocking on the database, and a thread reads what they recorded."""

    async def work(number: int) -> str:
        await asyncio.sleep(0)
        return ledger.log_external_span("t", name=f"task {number}")

    ids = await asyncio.gather(*(work(number) for number in range(100)))
    trace = await asyncio.to_thread(ledger.get_trace, "t")
    assert trace["span_count"] == 100
    assert sorted(stored(ledger)) == sorted(ids)


def test_forks(ledger: PromptLedger) -> None:
    """A child after fork() records to a spool of its own; spans of before, of the parent and of the child are once there."""
    before = ledger.log_external_span("t", name="before")

    def child() -> None:
        ledger.log_external_span("t", name="in the child", span_id="child")
        ledger.close()

    assert in_child(child) == 0
    after = ledger.log_external_span("t", name="after")
    assert ledger.flush()
    assert sorted(stored(ledger)) == sorted([before, "child", after])


def test_a_child_that_just_ends(ledger: PromptLedger) -> None:
    """What a forked child recorded before it ended without any clean-up is brought in by its parent."""
    ledger.log_external_span("t", name="before", span_id="before")
    assert in_child(lambda: ledger.log_external_span("t", name="in the child", span_id="child")) == 0
    assert ledger.flush()
    assert sorted(stored(ledger)) == ["before", "child"]
    assert ledger.spool_state()["adopted"] == 1


def test_forking_while_the_thread_works(ledger: PromptLedger) -> None:
    """Children forked in the middle of draining neither hang nor write their parent's spans again."""
    for number in range(300):
        ledger.log_external_span("t", name="n", span_id=f"p{number}")
        if number % 100 == 50:
            child = f"c{number}"
            assert in_child(lambda child=child: ledger.log_external_span("t", name="n", span_id=child)) == 0
    assert ledger.flush()
    expected = [f"p{number}" for number in range(300)] + ["c50", "c150", "c250"]
    assert sorted(stored(ledger)) == sorted(expected)


@pytest.mark.parametrize(
    "ending", ["", "sys.exit(3)", "raise RuntimeError('boom')", "del ledger; import gc; gc.collect()"]
)
def test_a_program_that_ends_without_closing(ending: str, tmp_path: Path) -> None:
    """Spans are in the database when a program ends, in whichever way, and nothing is left on disk."""
    code = "for n in range(50): ledger.log_external_span('t', name=f'n{n}')\n" + ending
    started = program(code, tmp_path)
    started.communicate(timeout=60)
    ledger = ledger_in(tmp_path)
    assert len(stored(ledger)) == 50
    assert spool_files(ledger) == []
    ledger.close()


def test_a_span_in_the_very_last_moment(tmp_path: Path) -> None:
    """What an exit handler records after everything was closed is kept for the next program."""
    ran(
        "ledger.log_external_span('t', name='early')\n"
        "class Late:\n    def __del__(self): ledger.log_external_span('t', name='late')\n"
        "import atexit; atexit.register(ledger.log_external_span, 't', name='exit')\n"
        "late = Late()\n",
        tmp_path,
    )
    ledger = ledger_in(tmp_path)
    names = {line["name"] for line in ledger.get_trace_tree("t")}
    assert {"early", "exit"} <= names
    ledger.close()


def test_two_programs_side_by_side(tmp_path: Path) -> None:
    """A reader sees the traces of a running program grow while that program goes on."""
    code = "for line in sys.stdin:\n    ledger.log_external_span('live', name=line.strip())\n    print('kept', flush=True)\n"
    started = program(code, tmp_path)
    assert started.stdin is not None and started.stdout is not None
    reader = ledger_in(tmp_path)
    reader.prepare()
    for count in (1, 2, 3):
        before = reader.traces.stamp()
        started.stdin.write(f"step {count}\n")
        started.stdin.flush()
        assert started.stdout.readline() == "kept\n"
        until(lambda: reader.traces.stamp() != before)  # noqa: B023
        (row,) = reader.traces.page().rows
        assert row.span_count == count
    started.stdin.close()
    started.wait(60)
    reader.close()


def test_closing_ends_the_thread_and_more_may_follow(ledger: PromptLedger) -> None:
    """After close no thread and no file is left; a later span starts both again."""
    for _ in range(2):
        ledger.log_external_span("t", name="a")
        ledger.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "ledger-spool"]
        assert spool_files(ledger) == []
    assert len(stored(ledger)) == 2


def test_a_forgotten_ledger_lets_its_thread_end(tmp_path: Path) -> None:
    """A ledger that nobody holds any more still brings in its spans, and its thread ends."""
    ledger = ledger_in(tmp_path)
    ledger.log_external_span("t", name="a")
    del ledger
    gc.collect()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "ledger-spool"])
    reader = ledger_in(tmp_path)
    assert len(stored(reader)) == 1
    reader.close()


def test_recording_is_light(tmp_path: Path) -> None:
    """Importing the package and recording the first span loads no ORM, no front end and no event loop."""
    code = (
        "ledger.log_external_span('t', name='a', input_data={'a': 1}, attributes={'b': 2})\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
        "os._exit(0)\n"
    )
    loaded = set(eval(ran(code, tmp_path)))
    assert not loaded & {"sqlmodel", "sqlalchemy", "textual", "pydantic", "asyncio", "alembic", "httpx", "openai"}


def test_the_first_span_loads_only_what_it_writes_with(tmp_path: Path) -> None:
    """Up to the end of the first call nothing is loaded that only the drain, a price or an odd value needs."""
    code = (
        "ledger.log_external_span('t', name='a', input_data='text', attributes={'b': 'c'}, model='m', prompt_tokens=1)\n"
        "seen = set(sys.modules)\n"
        "print(sorted(seen))\n"
        "os._exit(0)\n"
    )
    loaded = set(eval(ran(code, tmp_path)))
    drain = {"ledger_tui.services.spool_drain", "ledger_tui.store.telemetry", "ledger_tui.domain.rate_card"}
    assert not loaded & (
        {"dataclasses", "inspect", "logging", "decimal", "datetime", "hashlib", "json", "uuid"} | drain
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_files_are_private(ledger: PromptLedger) -> None:
    """Folder and file belong to their owner alone, whatever the umask."""
    before = os.umask(0)
    try:
        ledger.log_external_span("t", name="a")
    finally:
        os.umask(before)
    folder = ledger.paths.spool
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_databases_do_not_mix(tmp_path: Path) -> None:
    """Spans for another database than the workspace's own wait apart and arrive there."""
    own, other = ledger_in(tmp_path), ledger_in(tmp_path, database_url=str(tmp_path / "other.db"))
    own.log_external_span("t", name="own")
    other.log_external_span("t", name="other")
    assert [line["name"] for line in own.get_trace_tree("t")] == ["own"]
    assert [line["name"] for line in other.get_trace_tree("t")] == ["other"]
    own.close()
    other.close()


def test_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    """The same spool drains into Postgres, exactly once and with its sums."""
    ledger = ledger_in(tmp_path, database_url=postgres_url)
    ids = [
        ledger.log_external_span("t", name="n", model="gpt-4", prompt_tokens=1, completion_tokens=1) for _ in range(700)
    ]
    trace = ledger.get_trace("t")
    assert (trace["span_count"], trace["total_tokens"]) == (700, 1400)
    assert sorted(stored(ledger)) == sorted(ids)
    ledger.close()


@pytest.mark.parametrize(
    "given",
    [
        {"input_data": "my key is sk-abcdefghijklmnop1234"},
        {"output_data": "sk-abcdefghijklmnop1234"},
        {"name": "sk-abcdefghijklmnop1234"},
        {"error": "401 for sk-abcdefghijklmnop1234", "status": "error"},
        {"attributes": {"header": "sk-abcdefghijklmnop1234"}},
        {"attributes": {"api_key": "abcdefghijklmnop1234"}},
        {"attributes": {"nested": {"api_key": "abcdefghijklmnop1234"}}},
        {"input_data": {"password": "abcdefghijklmnop1234"}},
        {"input_data": "x" * 300_000 + "sk-abcdefghijklmnop1234"},
    ],
)
def test_keys_never_reach_the_disk(given: dict[str, Any], ledger: PromptLedger) -> None:
    """What looks like a key, or stands under a secret name, is neither in the spool nor in the database."""
    ledger.log_external_span(**{"trace_id": "t", "name": "n", **given})
    (file,) = (path for path in ledger.paths.spool.iterdir() if path.suffix == ".spool")
    assert b"abcdefghijklmnop1234" not in file.read_bytes()
    row, payload = only_span(ledger)
    assert "abcdefghijklmnop1234" not in f"{row}{payload}"
