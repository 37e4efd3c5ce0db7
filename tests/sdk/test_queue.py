"""Queued calls of one program: made later, once, again when they fail in passing, and never lost from sight."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.errors import Conflict, InputError, KeyTaken, NotFound, UndefinedVariable
from ledger_tui.services.queue_results import submit

from tests.sdk.queueing import ledger_on, left, row, worked
from tests.sdk.seen import seen
from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, until
from tests.servers.failures import SPOKEN, FailingServer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAST = {"offline_delay_s": 0}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger with a prompt that the offline model answers."""
    with ledger_in(tmp_path) as made:
        made.create_prompt("greet", "Say hello to {{ n }}", model="offline", params=FAST)
        yield made


def test_a_submitted_call_is_made_later_and_kept_like_every_other(ledger: PromptLedger) -> None:
    """submit returns a queued call at once; its result has the shape of execute's, and usage, span and sums are stored."""
    ticket = ledger.submit("greet", {"n": "Ada"}, trace_id="t", session_id="s", metadata={"k": 1}, span_name="hello")
    assert (ticket["status"], ticket["mode"], ticket["trace_id"]) == ("queued", "async", "t")
    result = ledger.result(ticket["execution_id"], wait=30)
    direct = ledger.execute("greet", {"n": "Ada"})
    assert result.keys() == direct.keys()
    assert (result["status"], result["output"], result["attempts"]) == ("succeeded", direct["output"], 1)
    for name in (
        "version",
        "prompt",
        "model",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cost",
        "finish_reason",
    ):
        assert result[name] == direct[name], name
    (span,) = seen(ledger, "t")
    assert (span.row.name, span.row.status, span.row.span_id) == ("hello", "succeeded", ticket["span_id"])
    assert span.attributes["mode"] == "async" and span.attributes["queue_wait_ms"] >= 0
    assert ledger.traces.trace("t").session_id == "s"
    assert ledger.traces.execution(ticket["execution_id"]).variables == {"n": "Ada"}
    kept = row(ledger, ticket["execution_id"])
    assert kept["mode"] == "async" and set(json.loads(kept["request"])) == {"span"}
    assert_sums_are_a_recount(ledger)


def test_a_queued_call_belongs_to_the_span_around_its_submit(ledger: PromptLedger) -> None:
    """A call submitted inside of a trace becomes a step of it."""
    with ledger.trace("work", trace_id="t") as trace:
        ticket = ledger.submit("greet", {"n": 1})
    ledger.result(ticket["execution_id"], wait=30)
    ledger.flush()
    assert [(span["depth"], span["name"]) for span in ledger.get_trace_tree("t")] == [(0, "work"), (1, "greet")]
    assert ledger.get_trace_tree("t")[1]["parent_span_id"] == trace.span_id


async def test_many_calls_from_an_event_loop(ledger: PromptLedger) -> None:
    """asubmit and aresult work in a loop, more at a time than threads could wait, and no call is made twice."""
    tickets = [await ledger.asubmit("greet", {"n": number}) for number in range(40)]
    results = await asyncio.gather(*(ledger.aresult(one["execution_id"], wait=60) for one in tickets))
    assert [one["status"] for one in results] == ["succeeded"] * 40
    assert {one["attempts"] for one in results} == {1}


def test_mistakes_show_before_anything_is_queued(ledger: PromptLedger) -> None:
    """A missing variable, an unknown prompt, a NUL, an id or key that cannot be kept raise in submit; nothing is stored."""
    with pytest.raises(UndefinedVariable):
        ledger.submit("greet", {})
    with pytest.raises(NotFound):
        ledger.submit("nobody", {})
    for key in ("", "a\0b", "\ud800", "x" * 256):
        with pytest.raises(InputError):
            ledger.submit("greet", {"n": 1}, idempotency_key=key)
    with pytest.raises(InputError):
        ledger.submit("greet", {"n": 1}, trace_id="x" * 129)
    with pytest.raises(InputError):
        ledger.submit("greet", {"n": "a\0b"})
    with pytest.raises(NotFound):
        ledger.result("nobody")
    with ledger.database.lean() as lean:
        assert lean.one("SELECT count(*) FROM executions") == (0,)


def test_failures_in_passing_are_tried_three_times_more(tmp_path: Path, failing_server: FailingServer) -> None:
    """503 is retried after 5 s, 30 s and 2 min and not a moment earlier; then the call has failed, with one span."""
    with ledger_on(tmp_path, failing_server.url("503")) as ledger:
        moment = NOON
        with clock.stopped(moment):
            (call,) = left(ledger, trace_id="t")
        for attempt, wait_s in enumerate((5, 30, 120), 1):
            with clock.stopped(moment):
                (ended,) = worked(ledger)
                assert (ended.status, ended.attempt, ended.wait_s) == ("queued", attempt, wait_s)
            with clock.stopped(moment + timedelta(seconds=wait_s, microseconds=-1)):
                assert worked(ledger) == []
            standing = ledger.result(call)
            assert (standing["status"], standing["attempts"]) == ("queued", attempt)
            assert standing["error"] is not None and standing["error"]["type"] == "unavailable"
            assert ledger.traces.trace("t").status == "running"
            moment += timedelta(seconds=wait_s)
        with clock.stopped(moment):
            (ended,) = worked(ledger)
            assert ended.status == "failed"
        result = ledger.result(call)
        assert (result["status"], result["attempts"], len(failing_server.requests)) == ("failed", 4, 4)
        assert result["error"] is not None and result["error"]["remedy"]
        (span,) = seen(ledger, "t")
        assert span.row.duration_us == 155_000_000
        assert [one["waits_s"] for one in span.attributes["tries"]] == [5, 30, 120]
        assert_sums_are_a_recount(ledger)


def test_a_later_attempt_succeeds_on_the_same_span(tmp_path: Path, failing_server: FailingServer) -> None:
    """A retry that is answered ends the span that the first attempt began, with what both came to."""
    with clock.stopped(NOON), ledger_on(tmp_path, failing_server.url("500")) as ledger:
        (call,) = left(ledger, trace_id="t")
        worked(ledger)
    with clock.stopped(NOON + timedelta(seconds=5)), ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        worked(ledger)
        result = ledger.result(call)
        assert (result["status"], result["output"], result["error"]) == ("succeeded", "".join(SPOKEN), None)
        (span,) = seen(ledger, "t")
        assert (span.row.status, span.attributes["attempts"]) == ("succeeded", 2)
        assert [one["error_type"] for one in span.attributes["tries"]] == ["unavailable"]


@pytest.mark.parametrize(("behaviour", "wait_s"), [("429", 7), ("429-huge", 120), ("429-nonsense", 5)])
def test_a_provider_may_ask_for_a_longer_wait(
    tmp_path: Path, failing_server: FailingServer, behaviour: str, wait_s: int
) -> None:
    """A Retry-After longer than the planned wait is kept to, up to a bound."""
    with ledger_on(tmp_path, failing_server.url(behaviour)) as ledger:
        left(ledger)
        assert [ended.wait_s for ended in worked(ledger)] == [wait_s]


@pytest.mark.parametrize("behaviour", ["400", "401", "404", "html"])
def test_what_cannot_get_better_is_not_tried_again(
    tmp_path: Path, failing_server: FailingServer, behaviour: str
) -> None:
    """Another 4xx than 408 and 429, or an answer without sense, ends the call at once."""
    with ledger_on(tmp_path, failing_server.url(behaviour)) as ledger:
        left(ledger)
        assert [ended.status for ended in worked(ledger)] == ["failed"]
        assert len(failing_server.requests) == 1


def test_one_key_is_one_call(tmp_path: Path, failing_server: FailingServer) -> None:
    """execute and submit under a used key return the first execution, also from many threads at once; one request is sent."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        ledger.create_prompt("greet", "Say hello to {{ n }}", model="own/m")
        ledger.create_prompt("other", "Bye", model="own/m")
        ready, ids = threading.Barrier(6), []

        def run(number: int) -> None:
            ready.wait()
            if number % 2:
                ids.append(ledger.execute("greet", {"n": number}, idempotency_key="k")["execution_id"])
            else:
                ids.append(ledger.submit("greet", {"n": number}, idempotency_key="k")["execution_id"])

        threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first = ledger.result(ids[0], wait=30)
        assert set(ids) == {first["execution_id"]} and len(ids) == 6
        assert ledger.execute("greet", {"n": 9}, idempotency_key="k") == first
        assert ledger.submit("greet", {"n": 9}, idempotency_key="k")["status"] == "succeeded"
        with pytest.raises(KeyTaken):
            ledger.execute("other", idempotency_key="k")
        assert len(failing_server.requests) == 1


def test_a_repeated_execute_has_the_same_result(ledger: PromptLedger) -> None:
    """What the first execute returned comes back to the last field, also for a failed one."""
    for key, params in (("good", FAST), ("bad", {"offline_error": "auth"})):
        first = ledger.execute("greet", {"n": 1}, idempotency_key=key, params=params)
        assert ledger.execute("greet", {"n": 1}, idempotency_key=key) == first


def test_cancelling_what_waits_sends_nothing(tmp_path: Path, failing_server: FailingServer) -> None:
    """A queued call that is cancelled is never sent; cancelling it again, or one that ended, changes nothing."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        (call,) = left(ledger)
        assert ledger.cancel(call)["status"] == "canceled"
        assert worked(ledger) == [] and failing_server.requests == []
        (other,) = left(ledger)
        worked(ledger)
        assert ledger.cancel(other)["status"] == "succeeded"
        assert ledger.cancel(call)["status"] == "canceled"


def test_cancelling_what_waits_for_its_next_attempt_ends_its_span(
    tmp_path: Path, failing_server: FailingServer
) -> None:
    """A call between two attempts has an open span: cancelling ends both, and the sums hold."""
    with ledger_on(tmp_path, failing_server.url("503")) as ledger:
        (call,) = left(ledger, trace_id="t")
        worked(ledger)
        ledger.cancel(call)
        assert ledger.traces.trace("t").status == "canceled"
        assert_sums_are_a_recount(ledger)


def test_cancelling_what_runs_here_keeps_what_came(tmp_path: Path, failing_server: FailingServer) -> None:
    """A running call is stopped at its provider, and the words that had come are stored."""
    with ledger_on(tmp_path, failing_server.url("hangs-after-a-piece")) as ledger:
        ledger.create_prompt("greet", "Hello", model="own/m")
        ticket = ledger.submit("greet", trace_id="t")
        assert failing_server.waiting.wait(30)
        result = ledger.cancel(ticket["execution_id"])
        assert result["status"] == "canceled" and result["output"] in "".join(SPOKEN)
        assert failing_server.client_left.wait(30)
        assert ledger.traces.trace("t").status == "canceled"
        assert_sums_are_a_recount(ledger)


def test_cancelling_what_another_program_runs_stops_it(tmp_path: Path, failing_server: FailingServer) -> None:
    """A call that runs elsewhere ends at once; its worker notices and leaves the provider."""
    with ledger_on(tmp_path, failing_server.url("timeout")) as runs, ledger_on(tmp_path, "") as other:
        runs.create_prompt("greet", "Hello", model="own/m")
        ticket = runs.submit("greet")
        assert failing_server.waiting.wait(30)
        assert other.cancel(ticket["execution_id"])["status"] == "canceled"
        assert failing_server.client_left.wait(30)
        assert runs.result(ticket["execution_id"])["status"] == "canceled"


def test_a_run_that_nobody_submitted_is_not_cancelled_from_outside(
    tmp_path: Path, failing_server: FailingServer
) -> None:
    """cancel refuses a running execute: its own task decides."""
    with ledger_on(tmp_path, failing_server.url("hangs-after-a-piece")) as ledger:
        ledger.create_prompt("greet", "Hello", model="own/m")
        thread = threading.Thread(target=lambda: ledger.execute("greet", idempotency_key="k"), daemon=True)
        thread.start()
        assert failing_server.waiting.wait(30)
        running = ledger.queue.earlier("k", "greet")
        assert running is not None
        with pytest.raises(Conflict):
            ledger.cancel(running)
        failing_server.release()
        thread.join(30)


def test_closing_leaves_what_waits_to_others(tmp_path: Path, failing_server: FailingServer) -> None:
    """close hands back the call that runs, counted as an attempt, and those that wait; the next program makes them all."""
    ledger = ledger_on(tmp_path, failing_server.url("timeout"), concurrency=1)
    ledger.create_prompt("greet", "Hello", model="own/m")
    calls = [ledger.submit("greet")["execution_id"] for _ in range(3)]
    assert failing_server.waiting.wait(30)
    ledger.queue.close(0)
    assert [(kept["status"], kept["claimed_by"]) for kept in (row(ledger, one) for one in calls)] == [
        ("queued", None)
    ] * 3
    assert sorted(row(ledger, one)["attempts"] for one in calls) == [0, 0, 1]
    ledger.close()
    with ledger_on(tmp_path, failing_server.url("ok")) as following:
        results = [following.result(one, wait=30) for one in calls]
    assert [one["status"] for one in results] == ["succeeded"] * 3
    assert sorted(one["attempts"] for one in results) == [1, 1, 2]


def test_a_closed_ledger_can_queue_again(ledger: PromptLedger) -> None:
    """close ends the thread; a later submit starts another."""
    first = ledger.submit("greet", {"n": 1})["execution_id"]
    ledger.result(first, wait=30)
    ledger.close()
    again = ledger.submit("greet", {"n": 2})["execution_id"]
    assert ledger.result(again, wait=30)["status"] == "succeeded"


def test_waiting_does_not_wait_longer_than_asked(ledger: PromptLedger) -> None:
    """result without wait, and with a wait that is over, returns the call as it stands."""
    (call,) = left(ledger, name="own", model="offline")
    assert ledger.result(call)["status"] == ledger.queue.waited(call, 0.01)["status"] == "queued"
    assert row(ledger, call)["attempts"] == 0


def test_waiting_for_what_nobody_makes_makes_it(tmp_path: Path, failing_server: FailingServer) -> None:
    """A program that waits for a queued call whose program is gone makes the call itself."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        (call,) = left(ledger)
        assert ledger.result(call, wait=math.inf)["status"] == "succeeded"


def test_what_rules_hide_is_sent_whole_and_stored_hidden(tmp_path: Path, failing_server: FailingServer) -> None:
    """With redaction rules the text that is sent lives in memory alone, also while the call waits for another attempt."""
    with ledger_on(tmp_path, failing_server.url("503"), redact=["emails"]) as ledger:
        ledger.create_prompt("greet", "Write to {{ to }}", model="own/m")
        call = ledger.submit("greet", {"to": "ada@example.com"})["execution_id"]
        until(lambda: ledger.result(call)["attempts"] == 1 and ledger.result(call)["status"] == "queued")
        assert "ada@example.com" in json.dumps(failing_server.requests[0].body)
        with ledger.database.lean() as lean:
            texts = lean.fetch("SELECT e.request, e.messages, u.parameters, u.rendered FROM executions e, usages u")
        assert "ada@" not in repr(texts)
        with clock.moved(datetime.now(UTC) + timedelta(seconds=6)):
            until(lambda: len(failing_server.requests) == 2)
        assert "ada@example.com" in json.dumps(failing_server.requests[1].body)
    with ledger_on(tmp_path, failing_server.url("ok")) as following:
        result = following.result(call, wait=30)
        assert result["error"] is not None and (result["status"], result["error"]["type"]) == ("failed", "withheld")


def test_an_unreadable_row_stops_nobody(tmp_path: Path, failing_server: FailingServer) -> None:
    """A queued row that makes no sense ends as failed, and the calls behind it are made."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        broken, whole = left(ledger, 2)
        with ledger.database.lean_write() as lean:
            lean.execute("UPDATE executions SET request = '{\"call\":' WHERE id = :id", {"id": broken})
        worked(ledger)
        assert ledger.result(broken)["status"] == "failed"
        assert ledger.result(whole)["status"] == "succeeded"


def test_a_long_text_is_queued_whole(tmp_path: Path, failing_server: FailingServer) -> None:
    """A rendered text past the limit of what is stored is sent uncut, also by another program."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        ledger.create_prompt("long", "{{ text }}", model="own/m")
        text = "word " * 60_000
        call = submit(ledger, "long", {"text": text}, {}, for_anybody=True)["execution_id"]
    with ledger_on(tmp_path, failing_server.url("ok")) as following:
        worked(following)
        assert following.result(call)["status"] == "succeeded"
        assert failing_server.requests[0].body["messages"][0]["content"] == text
        assert len(row(following, call)["messages"]) < 250_000
