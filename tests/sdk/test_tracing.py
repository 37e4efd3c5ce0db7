"""Spans of code: how they nest, how they end, and what they keep."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.values import FLAG_CUT, FLAG_LOSSY
from ledger_tui.errors import InputError
from ledger_tui.paths import Paths

from tests.sdk.seen import named, outline, seen


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger over a new file."""
    with PromptLedger(str(tmp_path / "ledger.db"), environment="test") as opened:
        yield opened


def test_blocks_nest(ledger: PromptLedger) -> None:
    """Spans inside a trace are its children, in order; input, output and attributes are kept, also who it was for."""
    with ledger.trace("answer", trace_id="t", session_id="s1", user_identifier="u1", metadata={"plan": "pro"}) as trace:
        with ledger.span("search", kind="tool", input={"query": "x"}, attributes={"top": 3}) as span:
            with ledger.span("embed"):
                pass
            span.output = ["a", 2, None]
            span.set("hits", 2).set(cached=True, ratio=0.5)
            span.event("slow", seconds=2)
        trace.output = "done"
    assert outline(ledger, "t") == [(0, "answer"), (1, "search"), (2, "embed")]
    root, search, _ = seen(ledger, "t")
    assert (search.payload.input, search.payload.output) == ('{"query": "x"}', '["a", 2, null]')
    assert {k: search.attributes[k] for k in ("top", "hits", "cached", "ratio")} == {
        "top": 3,
        "hits": 2,
        "cached": True,
        "ratio": 0.5,
    }
    assert search.attributes["events"][0]["name"] == "slow"
    assert (root.row.kind, root.payload.output, root.attributes) == ("agent", "done", {"plan": "pro"})
    assert all(one.row.status == "succeeded" and one.row.duration_us is not None for one in (root, search))
    row = ledger.traces.trace("t")
    assert (row.name, row.session_id, row.user_identifier, row.environment) == ("answer", "s1", "u1", "test")


def test_a_span_alone_is_a_trace(ledger: PromptLedger) -> None:
    """Outside of any trace a span begins one of its own; a trace inside a trace is another one."""
    with ledger.span("alone") as span:
        with ledger.trace("other") as other:
            pass
        with ledger.span("child") as child:
            pass
    assert child.trace_id == span.trace_id != other.trace_id
    assert outline(ledger, span.trace_id) == [(0, "alone"), (1, "child")]
    assert outline(ledger, other.trace_id) == [(0, "other")]


def test_errors_are_kept_and_go_on(ledger: PromptLedger) -> None:
    """An exception is recorded with type and text in every span that it leaves, and the caller gets the very same."""
    error = ValueError("no such page")
    with pytest.raises(ValueError) as caught, ledger.trace("t", trace_id="t"), ledger.span("step"):
        raise error
    assert caught.value is error
    for one in seen(ledger, "t"):
        assert (one.row.status, one.row.error_type, one.payload.error) == ("failed", "ValueError", "no such page")
    with ledger.span("told", trace_id="u") as span:
        span.fail("it was empty", "empty")
    assert named(ledger, "u", "told").row.error_type == "empty"


def test_leaving_on_purpose_is_no_failure(ledger: PromptLedger) -> None:
    """A normal exit of the program succeeds, an interrupted step is canceled."""
    with pytest.raises(SystemExit), ledger.span("exits", trace_id="t"):
        sys.exit(0)
    with pytest.raises(KeyboardInterrupt), ledger.span("stopped", trace_id="t"):
        raise KeyboardInterrupt
    assert [one.row.status for one in seen(ledger, "t")] == ["succeeded", "canceled"]


async def test_tasks_keep_their_own_place(ledger: PromptLedger) -> None:
    """Every task nests under the span it was made in, however they take turns."""

    async def work(name: str) -> None:
        async with ledger.span(name):
            await asyncio.sleep(0)
            with ledger.span(f"{name}.inner"):
                await asyncio.sleep(0)

    async with ledger.trace("all", trace_id="t"), asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(work(name))
    found = await asyncio.to_thread(outline, ledger, "t")
    assert found[0] == (0, "all")
    pairs = list(zip(found[1::2], found[2::2], strict=True))
    assert sorted(pairs) == [((1, n), (2, f"{n}.inner")) for n in ("a", "b", "c")]


async def test_a_cancelled_task_ends_its_spans(ledger: PromptLedger) -> None:
    """Cancelling records the open spans as canceled and goes on cancelling."""
    inside = asyncio.Event()

    async def work() -> None:
        with ledger.span("waits", trace_id="t"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await asyncio.to_thread(named, ledger, "t", "waits")).row.status == "canceled"


def test_threads_and_executors_carry_the_place(ledger: PromptLedger) -> None:
    """``run_in_context`` takes the span along into a thread and into many calls of an executor at once."""
    together = threading.Barrier(3)

    def work(name: str) -> None:
        with ledger.span(name):
            together.wait(10)

    with ledger.trace("all", trace_id="t"), ThreadPoolExecutor(2) as pool:
        carried = ledger.run_in_context(work)
        thread = threading.Thread(target=carried, args=("c",))
        thread.start()
        list(pool.map(carried, ["a", "b"]))
        thread.join()
    found = outline(ledger, "t")
    assert found[0] == (0, "all") and sorted(found[1:]) == [(1, "a"), (1, "b"), (1, "c")]


def test_a_thread_without_help_stands_alone(ledger: PromptLedger) -> None:
    """A plain thread knows nothing of the span it was started in, and its spans are traces of their own."""
    made = []

    def work() -> None:
        with ledger.span("apart") as span:
            made.append(span.trace_id)

    with ledger.trace("all", trace_id="t"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert outline(ledger, "t") == [(0, "all")] and outline(ledger, made[0]) == [(0, "apart")]


def test_runs_become_children(ledger: PromptLedger) -> None:
    """``execute`` inside a span is its child and belongs to the same session; ids that are given win."""
    ledger.create_prompt("p", "x", model="offline", params={"offline_delay_s": 0})
    with ledger.trace("all", trace_id="t", session_id="s", environment="staging"), ledger.span("step"):
        inner = ledger.execute("p")
        other = ledger.execute("p", trace_id="elsewhere")
    outside = ledger.execute("p")
    assert outline(ledger, "t") == [(0, "all"), (1, "step"), (2, "p")]
    assert inner["trace_id"] == "t" and other["trace_id"] == "elsewhere"
    assert ledger.traces.execution(inner["execution_id"]).environment == "staging"
    assert outline(ledger, "elsewhere") == [(0, "p")]
    assert outside["trace_id"] not in ("t", "elsewhere")


async def test_asynchronous_runs_become_children(ledger: PromptLedger) -> None:
    """``aexecute`` and, inside a running loop, ``execute`` find their span too."""
    await asyncio.to_thread(ledger.create_prompt, "p", "x", model="offline", params={"offline_delay_s": 0})
    async with ledger.trace("all", trace_id="t"):
        await ledger.aexecute("p")
        ledger.execute("p")
    assert await asyncio.to_thread(outline, ledger, "t") == [(0, "all"), (1, "p"), (1, "p")]


def test_two_ledgers_do_not_mix(ledger: PromptLedger, tmp_path: Path) -> None:
    """A span of one ledger inside a span of another nests in its own ledger only."""
    with PromptLedger(str(tmp_path / "other.db")) as other:
        with ledger.trace("one", trace_id="t"), other.trace("two", trace_id="t"), ledger.span("child"):
            pass
        assert outline(ledger, "t") == [(0, "one"), (1, "child")]
        assert outline(other, "t") == [(0, "two")]


def test_a_stream_is_a_span_as_long_as_it_lasts(ledger: PromptLedger) -> None:
    """An iterator handed out of a block ends its span when it is exhausted; the texts are its output."""

    def words() -> Iterator[str]:
        for word in ("one ", "two"):
            with ledger.span("inside"):
                yield word

    with ledger.trace("all", trace_id="t"):
        with ledger.span("stream") as span:
            items = span.stream(words())
        assert not span.ended
        with ledger.span("between"):
            assert list(items) == ["one ", "two"]
    assert span.ended
    stream = named(ledger, "t", "stream")
    assert (stream.payload.output, stream.attributes["items"]) == ("one two", 2)
    assert [one.depth for one in seen(ledger, "t") if one.row.name == "inside"] == [2, 2]


async def test_an_asynchronous_stream_too(ledger: PromptLedger) -> None:
    """``astream`` does the same for asynchronous iterators."""

    async def numbers() -> object:
        for number in range(3):
            yield number

    span = ledger.span("stream", trace_id="t")
    assert [item async for item in span.astream(numbers())] == [0, 1, 2]  # type: ignore[arg-type]
    assert (await asyncio.to_thread(named, ledger, "t", "stream")).payload.output == "[0, 1, 2]"


def test_a_stream_that_fails_or_is_given_up(ledger: PromptLedger) -> None:
    """A failing stream fails its span with what came; one that nobody reads to its end is canceled."""

    def breaks() -> Iterator[str]:
        yield "half"
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        list(ledger.span("breaks", trace_id="t").stream(breaks()))
    dropped = iter(ledger.span("dropped", trace_id="t").stream(["a", "b"]))
    next(dropped)
    del dropped
    first, second = seen(ledger, "t")
    assert (first.row.status, first.payload.output, first.payload.error) == ("failed", "half", "broken")
    assert (second.row.status, second.payload.output) == ("canceled", "a")


def test_anything_can_be_captured(ledger: PromptLedger) -> None:
    """Values that are no JSON, endless, broken or hostile are kept as well as can be, and never raise."""

    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    knot: list[object] = []
    knot.append(knot)
    with ledger.span("odd", trace_id="t", input={"h": Hostile(), "knot": knot, 3: {1}, "n": float("nan")}) as span:
        span.output = "lone \ud800 and \x00"
        span.set(data=b"123", big=10**400)
    odd = named(ledger, "t", "odd")
    assert odd.payload.input is not None and "unreadable: RuntimeError" in odd.payload.input
    assert odd.payload.output == "lone \ufffd and \ufffd"
    assert odd.attributes["data"] == "<3 bytes>" and "bits" in odd.attributes["big"]
    assert odd.row.flags == FLAG_CUT | FLAG_LOSSY


def test_long_texts_are_cut_and_say_so(ledger: PromptLedger) -> None:
    """Past the limits of the settings a text is cut between characters, and the span is flagged."""
    with ledger.span("long", trace_id="t", input="é" * 300_000):
        pass
    long = named(ledger, "t", "long")
    assert long.payload.input == "é" * (200 * 512) and long.row.flags == FLAG_CUT


def test_ids_are_checked_at_once(ledger: PromptLedger) -> None:
    """An id that cannot be one is refused before anything runs; foreign ids of any text are fine."""
    for wrong in ("", "x" * 129, "a\x00"):
        with pytest.raises(InputError):
            ledger.trace("t", trace_id=wrong)
    with ledger.trace("t", trace_id="Üä/ 日本"):
        pass
    assert outline(ledger, "Üä/ 日本") == [(0, "t")]


def test_a_model_call_by_hand_is_priced(ledger: PromptLedger) -> None:
    """A span that says which model it called and with how many tokens gets its price from the book."""
    with ledger.span("mine", "llm", trace_id="t") as span:
        span.call(provider="openai", model="gpt-4o-mini", input_tokens=1000, output_tokens=100)
    row = named(ledger, "t", "mine").row
    assert (row.model, row.input_tokens, row.output_tokens) == ("gpt-4o-mini", 1000, 100)
    assert row.cost_nusd and not row.unpriced


KILLED = """
import os, signal, sys
from ledger_tui import PromptLedger
ledger = PromptLedger(sys.argv[1])
with ledger.trace("long job", trace_id="t"):
    with ledger.span("done"):
        pass
    with ledger.span("open"):
        with ledger.span("begun", live=True):
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_what_ended_survives_a_kill(ledger: PromptLedger, tmp_path: Path) -> None:
    """After kill -9 every span that had ended is there; a live one that had not ends as interrupted, another not at all."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "ledger.db")], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    ledger.prepare()
    assert {(one.row.name, one.row.status, one.row.error_type) for one in seen(ledger, "t")} == {
        ("long job", "failed", "interrupted"),
        ("done", "succeeded", None),
        ("begun", "failed", "interrupted"),
    }


def test_recording_never_costs_the_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When nothing can be written the block still runs, its value comes back, and the loss is counted and said once."""
    in_the_way = tmp_path / "file"
    in_the_way.write_text("x")
    ledger = PromptLedger(paths=Paths(data=in_the_way / "data", config=tmp_path))
    for _ in range(3):
        with ledger.span("work") as span:
            span.output = 1
    assert ledger.tracer.door.lost == 3
    assert len([record for record in caplog.records if "could not be recorded" in record.message]) == 1
