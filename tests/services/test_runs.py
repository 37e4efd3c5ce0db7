"""Every run is stored as usage, execution and span, however it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.calls import Finished, ModelEvent, ModelInfo, ModelRequest, TextDelta
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import FLAG_LOSSY
from ledger_tui.errors import DatabaseLocked, UndefinedVariable
from ledger_tui.paths import Paths
from ledger_tui.services.run_values import RunEnded, RunRequest, RunResult, RunStarted, RunText, RunWaits
from ledger_tui.services.runs import RunService

HELLO = PromptContent.of_text("Say hello to {{name}}", system="Be brief")


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths, environment="test") as made:
        made.prepare()
        yield made


def request(**fields: object) -> RunRequest:
    values: dict[str, object] = {"content": HELLO, "model": "offline", "variables": {"name": "Ada"}, **fields}
    params = {"offline_delay_s": 0, **dict(values.pop("params", {}))}  # type: ignore[call-overload]
    return RunRequest(params=params, **values)  # type: ignore[arg-type]


class Scripted:
    """A provider that says what it was told to."""

    name = "offline"

    def __init__(self, events: list[ModelEvent]) -> None:
        self._events = events

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for event in self._events:
            yield event

    async def models(self) -> list[ModelInfo]:
        return []

    async def aclose(self) -> None:
        return


async def test_a_run_is_a_usage_an_execution_and_a_span(ledger: PromptLedger) -> None:
    """A successful run of a saved version keeps variables, messages, answer, tokens, cost, times and their links."""
    version = ledger.registry.save("greet", HELLO).version
    result = await ledger.runs.run(request(prompt_name="greet", version_id=version.id, session_id="s1"))
    assert (result.status, result.error_type) == ("succeeded", None)
    stored = ledger.traces.execution(result.execution_id)
    assert (stored.status, stored.response, stored.version_id) == ("succeeded", result.output, version.id)
    assert stored.variables == {"name": "Ada"}
    assert [m["text"] for m in stored.messages] == ["Be brief", "Say hello to Ada"]
    assert stored.receipt is not None and stored.cost_nusd == 0
    trace = ledger.traces.trace(result.trace_id)
    assert (trace.name, trace.status, trace.session_id, trace.environment) == ("greet", "succeeded", "s1", "test")
    (span,) = ledger.traces.spans(trace.key)
    assert (span.execution_id, span.version_id, span.kind) == (result.execution_id, version.id, "llm")
    assert span.total_tokens == result.tokens.total
    assert ledger.traces.payload(span.key).output == result.output
    assert ledger.registry.versions("greet")[0].run_count == 1


async def test_text_that_was_never_saved_is_kept_with_its_usage(ledger: PromptLedger) -> None:
    """A run of unsaved text keeps the canonical content, so that it can be opened again."""
    result = await ledger.runs.run(request())
    stored = ledger.traces.execution(result.execution_id)
    assert stored.version_id is None
    assert stored.content == HELLO.canonical


async def test_events_tell_the_whole_answer_in_order(ledger: PromptLedger) -> None:
    """Listeners hear of the start, each piece and the end; the pieces together are the answer."""
    events: list[object] = []
    result = await ledger.runs.run(request(params={"offline_reply": "one two three"}), events.append)
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunEnded)
    assert "".join(e.text for e in events if isinstance(e, RunText)) == result.output == "one two three"


async def test_a_failed_call_is_a_result_with_its_reason(ledger: PromptLedger) -> None:
    """A provider's refusal does not raise: the run is stored as failed with title, cause and what to do."""
    result = await ledger.runs.run(request(params={"offline_error": "auth"}))
    assert (result.status, result.error_type) == ("failed", "auth")
    assert result.error_title and result.remedy
    assert ledger.traces.trace(result.trace_id).status == "failed"
    assert ledger.traces.execution(result.execution_id).error_type == "auth"


async def test_passing_failures_are_tried_again_and_told(ledger: PromptLedger) -> None:
    """A rate limit is tried again after the planned wait, which is told, and the attempts are counted."""
    events: list[object] = []
    result = await ledger.runs.run(
        request(params={"offline_error": "rate_limit"}, retry_waits_s=(0.0, 0.0)), events.append
    )
    assert result.status == "failed"
    assert result.attempts == 3
    assert sum(isinstance(event, RunWaits) for event in events) == 2
    assert ledger.traces.execution(result.execution_id).attempts == 3


async def test_cancelling_keeps_what_came(ledger: PromptLedger) -> None:
    """A cancelled run is stored as canceled with the words that had come, and the cancellation goes on."""
    first_word = asyncio.Event()
    ended: list[RunResult] = []

    def listen(event: object) -> None:
        if isinstance(event, RunText):
            first_word.set()
        if isinstance(event, RunEnded):
            ended.append(event.result)

    slow = request(params={"offline_reply": "word " * 5_000, "offline_delay_s": 0.005})
    task = asyncio.create_task(ledger.runs.run(slow, listen))
    await first_word.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (result,) = ended
    assert result.status == "canceled"
    assert result.output.startswith("word")
    stored = ledger.traces.execution(result.execution_id)
    assert (stored.status, stored.response) == ("canceled", result.output)
    assert ledger.traces.trace(result.trace_id).status == "canceled"


async def test_cancelling_at_any_moment_leaves_nothing_running(ledger: PromptLedger) -> None:
    """Whenever a run is cancelled, its execution and span end, and the cancellation goes on."""
    for turns in (1, 5, 20, 60, 200, 600, 2_000):
        task = asyncio.create_task(
            ledger.runs.run(request(params={"offline_reply": "w " * 999, "offline_delay_s": 0.01}))
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ledger.traces.page("status:running").rows == ()


async def test_an_undefined_variable_is_an_error_before_anything_is_sent(ledger: PromptLedger) -> None:
    """A missing variable raises, names it, and stores nothing."""
    with pytest.raises(UndefinedVariable, match="name"):
        await ledger.runs.run(request(variables={}))
    assert ledger.traces.page().rows == ()


async def test_a_long_answer_is_cut_and_says_so(ledger: PromptLedger) -> None:
    """An answer past the limit is cut where the limit is, and the row says truncated."""
    result = await ledger.runs.run(request(params={"offline_reply": "é" * 400_000}))
    assert (result.status, result.error_type) == ("succeeded", "truncated")
    assert len(result.output.encode()) <= 500 * 1024
    assert ledger.traces.execution(result.execution_id).error_type == "truncated"


async def test_broken_characters_of_an_answer_are_replaced(ledger: PromptLedger) -> None:
    """Lone surrogates and NULs of a provider are replaced at capture, so that the answer can be stored (B1, B2)."""
    runs = RunService(
        ledger.database,
        ledger.templates,
        ledger.models,
        settings=ledger.settings,
        environment="test",
        device=ledger.device,
        provider=lambda name: Scripted([TextDelta("a\ud800b"), TextDelta("\x00c"), Finished(finish_reason="stop")]),
    )
    result = await runs.run(request())
    assert result.output == "a\ufffdb\ufffdc"
    (span,) = ledger.traces.spans(ledger.traces.trace(result.trace_id).key)
    assert span.flags == FLAG_LOSSY
    assert ledger.traces.execution(result.execution_id).response == result.output


async def test_a_locked_ledger_stops_the_run_before_it_costs(ledger: PromptLedger, paths: Paths) -> None:
    """When the run cannot be stored, nothing is sent."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE');"
        "print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paths.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"locked\n"
        with pytest.raises(DatabaseLocked):
            await ledger.runs.run(request())
        assert holder.stdin is not None
        holder.stdin.close()
    assert ledger.traces.page().rows == ()


async def test_a_killed_process_leaves_no_run_that_runs_for_ever(ledger: PromptLedger, paths: Paths) -> None:
    """A run whose process is killed is ended as interrupted when the workspace is next opened."""
    code = """
import asyncio, sys
from pathlib import Path
from ledger_tui import PromptLedger
from ledger_tui.domain.calls import Finished, ModelEvent, ModelInfo, ModelRequest, TextDelta
from ledger_tui.domain.content import PromptContent
from ledger_tui.paths import Paths
from ledger_tui.services.runs import RunService
from ledger_tui.services.run_values import RunRequest, RunText
async def main():
    ledger = PromptLedger(paths=Paths(Path(sys.argv[1]), Path(sys.argv[2])))
    request = RunRequest(PromptContent.of_text("x"), "offline", params={"offline_reply": "w " * 9999, "offline_delay_s": 0.01})
    await ledger.runs.run(request, lambda e: print("text", flush=True) if isinstance(e, RunText) else None)
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paths.data), str(paths.config)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"text\n"
        os.kill(child.pid, signal.SIGKILL)
    assert ledger.traces.page().rows[0].status == "running"
    ledger.prepare()
    (row,) = ledger.traces.page().rows
    assert (row.status, row.open_count) == ("failed", 0)
    (span,) = ledger.traces.spans(row.key)
    assert span.error_type == "interrupted"


async def test_variables_that_are_no_plain_values_are_refused(ledger: PromptLedger) -> None:
    """NaN, infinity, NUL and objects among the variables are refused before anything is sent (B1, B11)."""
    from ledger_tui.errors import InputError

    for bad in (float("nan"), float("inf"), "a\x00b", object()):
        with pytest.raises(InputError):
            await ledger.runs.run(request(variables={"name": bad}))
    assert ledger.traces.page().rows == ()


async def test_parallel_runs_share_one_trace_and_lose_nothing(ledger: PromptLedger) -> None:
    """Twenty runs at once in one trace are twenty spans of it, with the sums to match."""
    results = await asyncio.gather(*(ledger.runs.run(request(trace_id="one")) for _ in range(20)))
    trace = ledger.traces.trace("one")
    assert (trace.span_count, trace.open_count) == (20, 0)
    assert trace.total_tokens == sum(result.tokens.total or 0 for result in results)
    assert json.loads(ledger.traces.payload(ledger.traces.spans(trace.key)[0].key).input or "[]")
