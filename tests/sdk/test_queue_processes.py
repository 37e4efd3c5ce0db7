"""Queued calls of several programs on one ledger: each is made by one of them, whichever of them dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.services import processes
from ledger_tui.services.queue import DatabaseQueue
from ledger_tui.services.run_values import RunRequest
from ledger_tui.store.database import Database

from tests.sdk.queueing import WITH_SERVER, ledger_on, left, row, worked
from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, program, until
from tests.servers.failures import SPOKEN, FailingServer

pytestmark = pytest.mark.long

HELLO = PromptContent.of_text("Hello")
DRAIN = """
ledger.prepare()
print("ready", flush=True)
sys.stdin.readline()
made = []
asyncio.run(ledger.queue.work(once=True, tell=lambda ended: made.append([ended.execution_id, ended.status])))
print(json.dumps(made))
"""
SUBMIT = """
ids = [ledger.submit("greet", {"n": number})["execution_id"] for number in range(4)]
print(json.dumps(ids), flush=True)
sys.stdin.readline()
"""


def started(code: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A program with a model server; arguments: its address, the concurrency, and the database."""
    return program(WITH_SERVER + code, folder, *arguments)


def said(running: subprocess.Popen[str]) -> str:
    """The next line that a program prints."""
    assert running.stdout is not None and running.stderr is not None
    line = running.stdout.readline().strip()
    assert line, running.stderr.read()
    return line


def rest(killed: subprocess.Popen[str]) -> str:
    """What a killed program printed after the lines that were read already."""
    assert killed.stdout is not None
    with killed:
        # Not communicate(): it reads past what the earlier lines left in the file's buffer.
        return killed.stdout.read()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """None for the file of the workspace, and the address of a Postgres database."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def test_several_workers_make_every_call_once(tmp_path: Path, failing_server: FailingServer, url: str | None) -> None:
    """Three processes drain one queue at the same time: every call is sent once, and ends succeeded."""
    with ledger_on(tmp_path, failing_server.url("ok"), url=url) as ledger:
        calls = left(ledger, 24)
        arguments = [failing_server.url("ok"), "4", *([url] if url else [])]
        workers = [started(DRAIN, tmp_path, *arguments) for _ in range(3)]
        assert [said(one) for one in workers] == ["ready"] * 3
        made = []
        for one in workers:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        for one in workers:
            out, err = one.communicate(timeout=60)
            assert one.returncode == 0, err
            made += json.loads(out)
        assert sorted(id_ for id_, _ in made) == sorted(calls)
        assert {status for _, status in made} == {"succeeded"}
        assert len(failing_server.requests) == 24
        assert {row(ledger, one)["attempts"] for one in calls} == {1}


def test_a_killed_worker_is_followed(tmp_path: Path, failing_server: FailingServer, url: str | None) -> None:
    """A worker killed in the middle of a call leaves it to the next, which counts the attempt and ends the same span."""
    with ledger_on(tmp_path, failing_server.url("ok"), url=url) as ledger:
        (call,) = left(ledger, trace_id="t")
        worker = started(DRAIN, tmp_path, failing_server.url("timeout"), "4", *([url] if url else []))
        said(worker)
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
        assert failing_server.waiting.wait(30)
        assert ledger.result(call)["status"] == "running"
        worker.send_signal(signal.SIGKILL)
        worker.communicate(timeout=30)
        worked(ledger)
        result = ledger.result(call)
        assert (result["status"], result["attempts"], result["output"]) == ("succeeded", 2, "".join(SPOKEN))
        assert [(one["span_id"], one["status"]) for one in ledger.get_trace_tree("t")] == [
            (result["span_id"], "succeeded")
        ]


def test_what_a_killed_program_submitted_is_made_by_the_next(tmp_path: Path, failing_server: FailingServer) -> None:
    """kill -9 of a program with running and waiting calls: another one that submits makes them all, none is lost."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        left(ledger, 0)
        killed = started(SUBMIT, tmp_path, failing_server.url("timeout"), "1")
        calls = json.loads(said(killed))
        assert failing_server.waiting.wait(30)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=30)
        mine = ledger.submit("greet", {"n": 9})["execution_id"]
        results = [ledger.result(one, wait=60) for one in [*calls, mine]]
        assert [one["status"] for one in results] == ["succeeded"] * 5
        assert sorted(one["attempts"] for one in results) == [1, 1, 1, 1, 2]
        assert_sums_are_a_recount(ledger)


def test_kills_at_any_moment_lose_and_double_nothing(tmp_path: Path, failing_server: FailingServer) -> None:
    """Programs that submit and make calls are killed one after the other: every submitted call ends once, sums hold."""
    code = """
for number in range(30):
    print(ledger.submit("greet", {"n": number}, idempotency_key=sys.argv[5] + str(number))["execution_id"], flush=True)
"""
    printed: set[str] = set()
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        left(ledger, 0)
        programs = [started(code, tmp_path, failing_server.url("ok"), "2", "", key) for key in ("a", "b", "a")]
        for number, one in enumerate(programs):
            printed.update(said(one) for _ in range(4 + 7 * number))
            one.send_signal(signal.SIGKILL)
        for one in programs:
            printed.update(rest(one).split())
        last = ledger.submit("greet", {"n": -1})["execution_id"]
        with ledger.database.lean() as lean:
            calls = {row[0] for row in lean.fetch("SELECT id FROM executions")}
        # A program may have been killed between storing a call and printing its id: that one ends too.
        assert printed | {last} <= calls
        results = [ledger.result(one, wait=60) for one in sorted(calls)]
        assert [one for one in results if one["status"] != "succeeded"] == []
        # From here on nothing waits and nothing runs, so everything that is counted stays as it is.
        with ledger.database.lean() as lean:
            keys = lean.fetch("SELECT idempotency_key FROM executions WHERE idempotency_key IS NOT NULL")
            (attempts,) = lean.one("SELECT sum(attempts) FROM executions") or (0,)
            spans = lean.fetch("SELECT execution_id FROM spans")
        assert len(keys) == len(set(keys)) == len(calls) - 1 <= 60
        assert sorted(id_ for (id_,) in spans) == sorted(calls)
        assert len(calls) <= len(failing_server.requests) <= attempts
        assert_sums_are_a_recount(ledger)


def test_a_call_that_kills_every_worker_ends(tmp_path: Path, failing_server: FailingServer) -> None:
    """What may have been sent counts as an attempt: after four dead workers the call has failed as interrupted."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        (call,) = left(ledger)
        for _ in range(4):
            failing_server.waiting.clear()
            worker = started(DRAIN, tmp_path, failing_server.url("timeout"), "4")
            said(worker)
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
            assert failing_server.waiting.wait(30)
            worker.send_signal(signal.SIGKILL)
            worker.communicate(timeout=30)
        assert worked(ledger) == []
        result = ledger.result(call)
        assert result["error"] is not None
        assert (result["status"], result["error"]["type"], result["attempts"]) == ("failed", "interrupted", 4)


def test_a_live_programs_calls_are_its_own(tmp_path: Path, failing_server: FailingServer) -> None:
    """What waits for a living program is not taken by another that merely submits too: it may lack the keys."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        left(ledger, 0)
        other = started(SUBMIT, tmp_path, failing_server.url("timeout"), "1")
        calls = json.loads(said(other))
        assert failing_server.waiting.wait(30)
        mine = ledger.submit("greet", {"n": 9})["execution_id"]
        assert ledger.result(mine, wait=30)["status"] == "succeeded"
        ledger.queue._queue().recover()
        assert ledger.queue._queue().claim(4) == []
        assert sorted(row(ledger, one)["attempts"] for one in calls) == [0, 0, 0, 1]
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=30)


def test_one_key_is_one_call_from_any_process(tmp_path: Path, failing_server: FailingServer) -> None:
    """Three processes that execute under one key at the same time get one execution, and one request is sent."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        left(ledger, 0)
        code = """
ledger.prepare()
print("ready", flush=True)
sys.stdin.readline()
result = ledger.execute("greet", {"n": 1}, idempotency_key="k")
print(json.dumps([result["execution_id"], result["status"], result["output"]]))
"""
        programs = [started(code, tmp_path, failing_server.url("ok"), "4") for _ in range(3)]
        assert [said(one) for one in programs] == ["ready"] * 3
        for one in programs:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        results = {one.communicate(timeout=60)[0] for one in programs}
        assert len(results) == 1 and "succeeded" in results.pop()
        assert len(failing_server.requests) == 1


def test_an_execute_whose_program_died_is_not_sent_again(tmp_path: Path, failing_server: FailingServer) -> None:
    """A key whose first execute was killed in mid-call returns that call as interrupted: it may have been paid for."""
    with ledger_on(tmp_path, failing_server.url("ok")) as ledger:
        left(ledger, 0)
        code = "ledger.execute('greet', {'n': 1}, idempotency_key='k')"
        killed = started(code, tmp_path, failing_server.url("timeout"), "4")
        assert failing_server.waiting.wait(30)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=30)
        again = ledger.execute("greet", {"n": 1}, idempotency_key="k")
        assert again["error"] is not None
        assert (again["status"], again["error"]["type"]) == ("failed", "interrupted")
        assert len(failing_server.requests) == 1


def test_a_program_that_ends_lets_its_calls_end(tmp_path: Path, failing_server: FailingServer) -> None:
    """A program that ends without closing its ledger stores the call that is being answered and leaves the others."""
    code = """
params = {"offline_reply": "one two three four", "offline_delay_s": 0.05}
ledger.create_prompt("slow", "Hello", model="offline", params=params)
ids = [ledger.submit("slow")["execution_id"] for _ in range(2)]
while ledger.result(ids[0])["status"] == "queued":
    pass
print(json.dumps(ids), flush=True)
"""
    ended = started(code, tmp_path, "", "1")
    out, err = ended.communicate(timeout=60)
    assert (ended.returncode, err) == (0, "")
    with ledger_in(tmp_path) as ledger:
        first, second = (row(ledger, one) for one in json.loads(out))
        assert (first["status"], second["status"], second["claimed_by"]) == ("succeeded", "queued", None)


def test_a_forked_child_has_a_queue_of_its_own(tmp_path: Path) -> None:
    """After fork both sides submit and get their results; the child runs nothing of the parent's."""
    code = """
ledger.create_prompt("greet", "Hello {{ n }}", model="offline", params={"offline_delay_s": 0})
before = ledger.submit("greet", {"n": 0})["execution_id"]
child = os.fork()
ids = [ledger.submit("greet", {"n": number})["execution_id"] for number in range(3)]
results = [ledger.result(one, wait=30) for one in ids]
assert [(one["status"], one["attempts"]) for one in results] == [("succeeded", 1)] * 3, results
if child == 0:
    ledger.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert ledger.result(before, wait=30)["attempts"] == 1
ledger.close()
"""
    ended = started(code, tmp_path, "", "2")
    _, err = ended.communicate(timeout=60)
    assert (ended.returncode, err) == (0, "")
    with ledger_in(tmp_path) as ledger, ledger.database.lean() as lean:
        counts = lean.fetch("SELECT status, attempts, count(*) FROM executions GROUP BY status, attempts")
        assert counts == [("succeeded", 1, 7)]


@pytest.fixture
def devices(tmp_path: Path, any_database: Database) -> Iterator[tuple[PromptLedger, DatabaseQueue, DatabaseQueue]]:
    """A ledger, and the queues of two devices on it."""
    url = any_database._address()._url if any_database.address else str(any_database.path)
    with ledger_in(tmp_path, database_url=url) as ledger:
        yield ledger, DatabaseQueue(ledger.database, "one"), DatabaseQueue(ledger.database, "two")


def test_another_devices_claim_is_a_lease(devices: tuple[PromptLedger, DatabaseQueue, DatabaseQueue]) -> None:
    """What another device runs is left alone while it renews its claim, and taken when it has been silent for long."""
    ledger, one, two = devices
    request = RunRequest(ledger.registry.content(ledger.registry.save("greet", HELLO).version.id), "offline")
    ticket = one.put(ledger.runs.plan(request))
    now = datetime.now(UTC)
    with clock.moved(now):
        (job,) = one.claim(4)
    with clock.moved(now + timedelta(seconds=100)):
        assert two.recover() == 0
        one.renew()
    with clock.moved(now + timedelta(seconds=200)):
        assert two.recover() == 0 and two.claim(4) == []
    with clock.moved(now + timedelta(seconds=230)):
        assert two.recover() == 1
        (taken,) = two.claim(4)
    assert (taken.plan.execution_id, taken.attempt, taken.span_key) == (ticket.execution_id, 2, job.span_key)
    assert one.lost({ticket.execution_id: job}) == [ticket.execution_id]
    outcome = asyncio.run(ledger.runs.attempt(taken.plan))
    result = ledger.runs.result_of(taken.plan, outcome)
    assert not ledger.runs.finish(job.plan, job.span_key, result, {}, job.turn), "a claim that was lost stores nothing"
    assert ledger.runs.finish(taken.plan, taken.span_key, result, {}, taken.turn)
    assert ledger.result(ticket.execution_id)["status"] == "succeeded"


def test_what_waits_for_a_silent_device_is_taken_late(
    devices: tuple[PromptLedger, DatabaseQueue, DatabaseQueue],
) -> None:
    """A call that waits for another device's program is anybody's once it is overdue."""
    ledger, one, two = devices
    request = RunRequest(ledger.registry.content(ledger.registry.save("greet", HELLO).version.id), "offline")
    one.put(ledger.runs.plan(request))
    assert two.claim(4) == []
    with clock.moved(datetime.now(UTC) + timedelta(seconds=121)):
        assert len(two.claim(4)) == 1


def test_a_process_is_known_by_more_than_its_number() -> None:
    """A living process is there, a dead, reaped, unreaped or followed one is gone, another device's cannot be told."""
    me = processes.this_process("d")
    assert processes.is_gone(me, "d") is False
    assert processes.is_gone(f"{me}:7", "d") is False
    assert processes.is_gone(me, "other") is None
    device, number, birth = me.split(":")
    assert processes.is_gone(f"{device}:{number}:1{birth}", "d") is True
    assert processes.is_gone(f"{device}:{number}:{birth}9", "d") is None
    assert processes.is_gone(f"{device}:{number}", "d") is False
    child = subprocess.Popen([sys.executable, "-c", ""])
    until(lambda: processes.is_gone(f"d:{child.pid}", "d"))
    child.wait()
    assert processes.is_gone(f"d:{child.pid}", "d") is True
    assert os.getpid() == int(number)
