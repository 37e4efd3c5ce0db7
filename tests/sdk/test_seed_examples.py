"""The examples that people know run as they are written, only with this project's import, against a real model server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_tui import PromptLedger

EXAMPLES = dict(
    re.findall(
        r"^## ([^\n]+)\n\n```python\n(.*?)```", (Path(__file__).parent / "seed_examples.md").read_text(), re.S | re.M
    )
)
WORKFLOW_PROMPTS = {
    "document_retrieval": "Find what answers: {{query}}",
    "policy_response": "{{query}}\n\n{{context}}",
    "grounding_check": "Is this grounded? {{response}}\n\n{{source_docs}}",
}


@pytest.fixture(params=["offline", "openai/tiny"])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The default model: the built-in one, and one that a server on this machine runs."""
    monkeypatch.setenv("LEDGER_DEFAULT_MODEL", request.param)
    if request.param != "offline":
        _use_server(request, monkeypatch)
    return str(request.param)


def _use_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", request.getfixturevalue("llama_server") + "/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")


@pytest.fixture
def ledger(own_home: None) -> Iterator[PromptLedger]:
    """The default workspace, the one that an example opens."""
    with PromptLedger() as opened:
        yield opened


def run(folder: Path, code: str, *arguments: str) -> str:
    """What a program prints; it runs in a process and folder of its own and must end well."""
    (folder / "program.py").write_text(code)
    command = [sys.executable, *(arguments or ("program.py",))]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_examples_are_here() -> None:
    """There are five, and each imports this package or goes on from one that does."""
    assert list(EXAMPLES) == ["A workflow", "A call made elsewhere", "Full management", "Tracking", "Migration"]


def test_a_workflow(ledger: PromptLedger, model: str, tmp_path: Path) -> None:
    """Three runs of one trace: its duration, tokens, cost and tree are printed."""
    for name, template in WORKFLOW_PROMPTS.items():
        ledger.create_prompt(name, template, params={"max_tokens": 8})
    printed = run(tmp_path, EXAMPLES["A workflow"]).splitlines()
    assert re.fullmatch(r"Total workflow duration: [\d.]+ms", printed[0])
    assert re.fullmatch(r"Total tokens used: [1-9]\d*", printed[1])
    assert re.fullmatch(r"Total cost: \$\S+", printed[2])
    assert [re.sub(r"[\d.]+ms$", "", line) for line in printed[3:]] == [
        "rag_retrieval: ",
        "  response_generation: ",
        "    grounding_guardrail: ",
    ]
    trace = ledger.traces.page().rows[0]
    assert (trace.span_count, trace.error_count, trace.status) == (3, 0, "succeeded")


def test_a_call_made_elsewhere(
    ledger: PromptLedger, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A call through OpenAI's own client is logged into the trace of the workflow around it."""
    monkeypatch.setenv("LEDGER_DEFAULT_MODEL", "offline")
    _use_server(request, monkeypatch)
    for name, template in WORKFLOW_PROMPTS.items():
        ledger.create_prompt(name, template, params={"offline_delay_s": 0})
    run(
        tmp_path, EXAMPLES["A workflow"] + "\nparent_span_id = generation_span_id\n" + EXAMPLES["A call made elsewhere"]
    )
    tree = ledger.get_trace_tree(ledger.traces.page().rows[0].trace_id)
    logged = next(span for span in tree if span["name"] == "direct_openai_analysis")
    assert (logged["depth"], logged["kind"], logged["model"], logged["duration_ms"]) == (2, "llm", "gpt-4", 450)
    assert logged["input_tokens"] and logged["output_tokens"]


def test_full_management(ledger: PromptLedger, model: str, tmp_path: Path) -> None:
    """A prompt is made, run and changed: two versions, the first with one run."""
    run(tmp_path, EXAMPLES["Full management"])
    history = ledger.get_prompt_history("welcome_email", mode="full")
    assert history["current_version"] == 2
    assert [(version["version"], version["execution_count"]) for version in history["versions"]] == [(2, 0), (1, 1)]
    assert "We're excited to have you!" in history["versions"][0]["template_source"]


def write_app(folder: Path, more: str = "") -> None:
    """The two files of the tracking example."""
    _, prompts, main = re.split(r"^# my_app/\w+\.py\n", EXAMPLES["Tracking"], flags=re.M)
    (folder / "my_app").mkdir(exist_ok=True)
    (folder / "my_app" / "__init__.py").write_text("")
    (folder / "my_app" / "prompts.py").write_text(prompts)
    (folder / "my_app" / "main.py").write_text(main + more)


def test_tracking(ledger: PromptLedger, model: str, tmp_path: Path) -> None:
    """Three code prompts are registered, one runs, and both reports count it."""
    write_app(tmp_path)
    assert run(tmp_path, "", "-m", "my_app.main").splitlines() == [
        "Registered 3 prompts",
        "  WELCOME: v1 (tracking)",
        "  ORDER_CONFIRMATION: v1 (tracking)",
        "  ERROR_MESSAGE: v1 (tracking)",
        "Total executions: 1",
        "Full mode: 0",
        "Tracking mode: 1",
        "Current version: 1",
        "v1: 1 executions",
    ]
    assert ledger.registry.prompt("WELCOME").mode == "tracking"


def test_migration(ledger: PromptLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the migration two prompts are the ledger's; what ran before is still counted, and its trace is there."""
    monkeypatch.setenv("LEDGER_DEFAULT_MODEL", "offline")
    write_app(tmp_path, "\n" + EXAMPLES["Migration"])
    run(tmp_path, "", "-m", "my_app.main")
    modes = {row.name: row.mode for row in ledger.registry.prompts()}
    assert modes == {"WELCOME": "full", "ORDER_CONFIRMATION": "full", "ERROR_MESSAGE": "tracking"}
    analytics = ledger.get_analytics()
    assert analytics["by_mode"]["full"]["execution_count"] == analytics["summary"]["total_executions"] == 1
    assert analytics["summary"]["total_cost"] == Decimal(0)
    assert [version["execution_count"] for version in ledger.get_prompt_history("WELCOME")["versions"]] == [1]
    assert len(ledger.traces.page().rows) == 1
