"""Running prompts from the command line, with the offline model."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call, start

OFFLINE = ("--model", "offline", "--param", "offline_delay_s=0")
BOTH = ("--var", "name=Ada", "--var", "company=Engines")


def test_the_answer_is_printed_to_the_byte(call: Call, welcome: str) -> None:
    """Standard output is the answer and nothing else, streamed or not; the words go to standard error."""
    reply = "**Hi** Ada \x1b[31m🎉"
    options = (*OFFLINE, *BOTH, "--param", f"offline_reply={reply}")
    plain = call("run", welcome, *options)
    assert (plain.code, plain.out) == (0, reply.encode())
    assert "trace" in plain.err
    streamed = call("run", welcome, *options, "--stream")
    assert streamed.out == reply.encode()


def test_json_tells_everything_of_the_run(call: Call, welcome: str) -> None:
    """``--json`` has the ids, tokens, cost and version, and the trace it names is there."""
    result = call("run", welcome, *OFFLINE, *BOTH, "--json").json
    assert (result["status"], result["version"], result["cost"], result["unpriced"]) == ("succeeded", 2, 0.0, False)
    assert result["total_tokens"] == result["input_tokens"] + result["output_tokens"] > 0
    trace = call("traces", "show", result["trace_id"], "--json", "--texts").json
    assert trace["span_count"] == 1 and trace["spans"][0]["output"] == result["output"]


def test_a_version_or_a_label_can_be_chosen(call: Call, welcome: str) -> None:
    """``--version`` and ``--label`` choose what runs; both at once is wrong usage."""
    assert call("run", welcome, *OFFLINE, "--var", "name=Ada", "--version", "1", "--json").json["version"] == 1
    call("prompts", "label", welcome, "old", "1")
    assert call("run", welcome, *OFFLINE, "--var", "name=Ada", "--label", "old", "--json").json["version"] == 1
    assert call("run", welcome, "--label", "old", "--version", "1").code == 2
    assert call("run", welcome, "--stream", "--json").code == 2


def test_a_missing_variable_is_an_error_before_anything_is_sent(call: Call, welcome: str) -> None:
    """An undefined variable ends with 1, names the variable, and leaves no trace."""
    answer = call("run", welcome, *OFFLINE, "--var", "name=Ada")
    assert answer.code == 1 and "company" in answer.err
    assert call("traces", "list", "--json").json["traces"] == []


def test_a_failed_call_ends_with_1_and_is_stored(call: Call, welcome: str) -> None:
    """Title, cause and remedy go to standard error; the failed run is a trace like any other."""
    answer = call("run", welcome, *OFFLINE, *BOTH, "--param", "offline_error=auth")
    assert answer.code == 1 and answer.out == b""
    assert "refused the key" in answer.err and "→" in answer.err
    assert [row["status"] for row in call("traces", "list", "status:failed", "--json").json["traces"]] == ["failed"]


def test_variables_come_from_files_standard_input_and_json(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``k=@file``, ``k=@-``, ``k:=JSON`` and ``k=@@text`` each give what they say."""
    prompt, value = tmp_path / "p.txt", tmp_path / "v.txt"
    prompt.write_text("{{ a }}|{{ b }}|{{ c.n + 1 }}|{{ d }}")
    value.write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    call("prompts", "save", "p", "--file", str(prompt))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("drüben".encode())))
    given = ("--var", f"a=@{value}", "--var", "b=@-", "--var", 'c:={"n": 41}', "--var", "d=@@home")
    result = call("run", "p", *OFFLINE, *given, "--json").json
    spans = call("traces", "show", result["trace_id"], "--json", "--texts").json["spans"]
    assert json.loads(spans[0]["input"]) == [{"role": "user", "text": "one\ntwo|drüben|42|@home"}]
    assert call("run", "p", "--var", "nonsense").code == 2
    assert call("run", "p", "--var", "a:=[").code == 2


def test_ids_and_environment_are_recorded(call: Call, welcome: str) -> None:
    """Trace id, session, user and environment of a run are what was asked for."""
    where = ("--trace-id", "my-run-001", "--session", "s1", "--user", "u1", "--environment", "qa")
    assert call("run", welcome, *OFFLINE, *BOTH, *where).code == 0
    trace = call("traces", "list", "trace:my-run-001", "--json").json["traces"][0]
    assert (trace["environment"], trace["session_id"], trace["user_identifier"]) == ("qa", "s1", "u1")


def test_ctrl_c_cancels_stores_and_ends_with_130(call: Call, welcome: str) -> None:
    """An interrupt in the middle of the answer keeps what came as a cancelled run and ends with 130."""
    arguments = ("run", welcome, "--model", "offline", "--param", "offline_delay_s=0.02", *BOTH, "--stream")
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 1)
    process.send_signal(signal.SIGINT)
    rest, words = process.communicate(timeout=30)
    assert process.returncode == 130, words
    assert b"Traceback" not in words
    trace = call("traces", "list", "--json").json["traces"][0]
    assert trace["status"] == "canceled"
    span = call("traces", "show", trace["trace_id"], "--json", "--texts").json["spans"][0]
    assert span["output"].encode() == first + rest


def test_a_reader_that_goes_away_is_no_error(call: Call, welcome: str) -> None:
    """``ledger-tui … | head -1`` ends quietly."""
    reply = "line\n" * 60_000
    process = start(
        "run", welcome, *OFFLINE, *BOTH, "--param", f"offline_reply={reply[:100_000]}",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    words = process.stderr.read()
    assert process.wait(30) == 0
    assert b"Traceback" not in words and b"BrokenPipe" not in words
