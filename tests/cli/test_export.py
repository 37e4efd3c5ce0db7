"""``export`` of data from the command line."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call


@pytest.fixture
def ran(call: Call, welcome: str) -> str:
    """A prompt that ran twice."""
    for name in ("=1+1", "Bo"):
        assert call("run", welcome, "--model", "offline", "--var", f"name={name}", "--var", "company=Acme").code == 0
    return welcome


def test_data_goes_to_standard_output_and_to_files(call: Call, ran: str, tmp_path: Path) -> None:
    """JSON Lines unless said otherwise; a file's ending says its format, and the words where it is."""
    lines = [json.loads(line) for line in call("export", "executions", f"prompt:{ran}", "--texts").text.splitlines()]
    assert [line["prompt"] for line in lines] == [ran, ran] and "=1+1" in lines[0]["messages"][-1]["text"]
    assert len(call("export", "traces", "--json").json) == 2
    target = tmp_path / "spans.csv"
    answer = call("export", "spans", "-o", str(target))
    assert answer.code == 0 and not answer.out and f"2 spans in {target}" in answer.err
    with target.open(newline="") as file:
        assert [row["kind"] for row in csv.DictReader(file)] == ["llm", "llm"]
    refused = call("export", "spans", "-o", str(target))
    assert refused.code == 1 and "exists already" in refused.err
    shape = call("export", "costs", "-o", str(target), "--force", "--format", "json", "--json").json
    assert shape["rows"] == len(json.loads(target.read_text())) == 1 and shape["format"] == "json"


def test_a_formula_is_quoted(call: Call, ran: str) -> None:
    """A variable that a spreadsheet would run is quoted in CSV and exact in JSON."""
    found = call("export", "usages", "--texts", "--format", "csv").text
    assert "'=1+1" not in found and '""=1+1""' in found  # inside JSON, which begins with a brace


def test_costs_and_stats_go_into_files_too(call: Call, ran: str, tmp_path: Path) -> None:
    """``-o`` writes the rows of the tables as the file ends; the same rows as ``--csv`` and ``--jsonl`` print."""
    for command in ("costs", "stats"):
        target = tmp_path / f"{command}.csv"
        assert call(command, "-o", str(target)).code == 0
        assert target.read_bytes() == call(command, "--csv").out
        assert call(command, "-o", str(target)).code == 1
        assert call(command, "-o", str(target), "--json", "--force").code == 0
        lines = [json.loads(line) for line in call(command, "--jsonl").text.splitlines()]
        assert json.loads(target.read_text()) == lines and lines[0]["calls"] == 2
    assert call("costs", "--csv", "--jsonl").code == 2


def test_the_old_form_still_writes_prompts(
    call: Call, welcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``export FOLDER``, options first or last, and ``export prompts FOLDER`` write prompt files; ``./traces`` is a folder."""
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["out"],
        ["--prompt", "mail/*", "b"],
        ["prompts", "c"],
        ["./traces"],
        ["prompts"],
        ["d", "--json"],
    ):
        assert call("export", *arguments).code == 0
    found = sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.prompty"))
    assert found == ["b", "c", "d", "out", "prompts", "traces"]


def test_wrong_filters_and_places_are_said_before_anything_is_read(call: Call, welcome: str, tmp_path: Path) -> None:
    """A filter that is not understood is wrong usage; a folder that is missing is an error."""
    assert call("export", "traces", "nonsense:1").code == 2
    assert call("export", "executions", "kind:llm").code == 2
    answer = call("export", "traces", "-o", str(tmp_path / "no" / "x.csv"))
    assert answer.code == 1 and "folder" in answer.err


def test_a_person_sees_progress(call: Call, ran: str, tmp_path: Path) -> None:
    """On a terminal a line of standard error counts the rows, and is gone at the end."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ledger_tui", "export", "spans", "-o", str(tmp_path / "x.csv")]
    with subprocess.Popen(command, stderr=follower, stdout=subprocess.DEVNULL) as process:
        os.close(follower)
        seen = b""
        try:
            while piece := os.read(leader, 4096):
                seen += piece
        except OSError:
            pass
        assert process.wait() == 0
    os.close(leader)
    assert b"2 of 2 spans" in seen and seen.rstrip().endswith(b"x.csv")
