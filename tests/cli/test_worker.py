"""``run --queue``, ``worker`` and ``result``: queued calls for scripts."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Call, start

VALUES = ("--var", "name=Ada", "--var", "company=ACME")
FAST = ("--model", "offline", "--param", "offline_delay_s=0")


def queued(call: Call, name: str, *more: str) -> str:
    """Queue a call of the prompt ``welcome`` and return its id."""
    answer = call("run", name, *VALUES, *FAST, "--queue", *more)
    assert answer.code == 0, answer.err
    return answer.text.strip()


def test_queue_work_result(call: Call, welcome: str) -> None:
    """run --queue prints an id, worker --once makes the call, result prints the answer that run would have printed."""
    execution_id = queued(call, welcome)
    waiting = call("result", execution_id)
    assert (waiting.code, waiting.out) == (0, b"") and "queued" in waiting.err
    worked = call("worker", "--once")
    assert worked.code == 0 and execution_id in worked.err and worked.out == b""
    answer = call("result", execution_id)
    direct = call("run", welcome, *VALUES, *FAST)
    assert (answer.code, answer.out) == (0, direct.out)


def test_json_everywhere(call: Call, welcome: str) -> None:
    """--json answers with one document each: the ticket, the counts, the result with the fields of run --json."""
    ticket = json.loads(queued(call, welcome, "--json"))
    assert (ticket["status"], ticket["mode"]) == ("queued", "async")
    failing = queued(call, welcome, "--param", "offline_error=auth")
    passing = queued(call, welcome, "--param", "offline_error=timeout")
    counts = call("worker", "--once", "--json").json
    assert counts == {"succeeded": 1, "failed": 1, "canceled": 0, "retried": 1, "waiting": 1}
    result = call("result", ticket["execution_id"], "--json").json
    assert result.keys() == call("run", welcome, *VALUES, *FAST, "--json").json.keys()
    failed = call("result", failing, "--json")
    assert (failed.code, failed.json["error"]["type"]) == (1, "auth")
    again = call("result", passing, "--json").json
    assert (again["status"], again["attempts"], again["error"]["type"]) == ("queued", 1, "timeout")


def test_result_waits_no_longer_than_told(call: Call, welcome: str) -> None:
    """With --timeout a call that has not ended by then is exit code 1; with --cancel it is canceled and code 0."""
    execution_id = queued(call, welcome)
    late = call("result", execution_id, "--timeout", "0")
    assert late.code == 1 and "worker" in late.err
    assert call("result", execution_id, "--cancel").code == 0
    assert call("result", execution_id).code == 1
    assert call("worker", "--once", "--json").json["succeeded"] == 0


def test_a_key_is_one_call_for_scripts_too(call: Call, welcome: str) -> None:
    """A repeated --idempotency-key prints the first run's answer and makes no call; queueing gives the first id."""
    first = call("run", welcome, *VALUES, *FAST, "--idempotency-key", "k", "--json").json
    again = call("run", welcome, *VALUES, *FAST, "--idempotency-key", "k")
    assert (again.code, again.text) == (0, first["output"])
    assert queued(call, welcome, "--idempotency-key", "k") == first["execution_id"]
    assert len(call("traces", "list", "--json").json["traces"]) == 1


def test_mistakes(call: Call, welcome: str) -> None:
    """--queue and --stream together are wrong usage; an unknown id is a failure with its reason."""
    assert call("run", welcome, "--queue", "--stream").code == 2
    unknown = call("result", "nobody")
    assert unknown.code == 1 and "No such execution" in unknown.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl+c", "SIGTERM"])
def test_a_worker_works_until_interrupted(call: Call, welcome: str, number: signal.Signals, tmp_path: Path) -> None:
    """A worker takes what is queued while it runs, and ends with code 130 when it is interrupted."""
    worker = start("worker", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        execution_id = queued(call, welcome)
        answer = call("result", execution_id, "--timeout", "60")
        assert answer.code == 0, answer.err
    finally:
        worker.send_signal(number)
        out, err = worker.communicate(timeout=60)
    assert worker.returncode == 130, err
    assert json.loads(out)["succeeded"] == 1
