"""Traces from the command line, on the demo workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.services import demo

from tests.cli.conftest import Call


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A filled demo workspace."""
    folder = tmp_path_factory.mktemp("demo")
    with PromptLedger(str(folder / "demo.db"), paths=Paths(folder, folder / "config")) as ledger:
        ledger.prepare()
        demo.fill(ledger)
    yield folder / "demo.db"


@pytest.fixture
def ask(call: Call, database: Path) -> Call:
    """The command line over the demo."""
    return lambda *arguments: call("--database-url", str(database), *arguments)


def test_the_demo_is_what_it_promises(ask: Call) -> None:
    """A dozen prompts in folders with 40 versions, and 200 traces of every fate."""
    prompts = ask("prompts", "list", "--archived", "--json").json["prompts"]
    assert sum(row["versions"] for row in prompts) == 40 and len(prompts) == 13
    assert all("/" in row["name"] for row in prompts) and sum(row["archived"] for row in prompts) == 1
    traces = ask("traces", "list", "--limit", "1000", "--json").json["traces"]
    assert len(traces) == 200
    assert {row["status"] for row in traces} == {"succeeded", "failed", "canceled", "running"}
    assert max(row["span_count"] for row in traces) == 400
    assert any(row["unpriced_count"] for row in traces) and any(row["cached_tokens"] for row in traces)


def test_the_demo_has_the_failures_that_people_meet(ask: Call) -> None:
    """Rate limit, time-out, guardrail and tool errors, an orphan, and a text that is not English are all there."""
    rows = ask("traces", "list", "--limit", "1000", "--json").json["traces"]
    spans = [
        span
        for row in rows
        if row["error_count"] or row["name"] == "code-review"
        for span in ask("traces", "show", row["trace_id"], "--json").json["spans"]
    ]
    assert {"rate_limit", "timeout", "guardrail", "tool_error"} <= {span["error_type"] for span in spans}
    known = {span["span_id"] for span in spans}
    assert any(span["parent_span_id"] not in known for span in spans if span["parent_span_id"])
    assert ask("traces", "list", "定期便の変更", "--json").json["traces"]


def test_pages_follow_each_other(ask: Call) -> None:
    """``--cursor`` goes on where the page before ended; filters narrow the list."""
    first = ask("traces", "list", "--limit", "3", "--json").json
    second = ask("traces", "list", "--limit", "3", "--cursor", first["next_cursor"], "--json").json
    both = ask("traces", "list", "--limit", "6", "--json").json
    assert first["traces"] + second["traces"] == both["traces"]
    failed = ask("traces", "list", "status:failed", "kind:tool", "--json").json["traces"]
    assert failed and all(row["status"] == "failed" for row in failed)


def test_a_filter_with_a_mistake_is_wrong_usage(ask: Call) -> None:
    """A filter that does not parse ends with 2 and says what is known."""
    answer = ask("traces", "list", "bogus:1")
    assert answer.code == 2 and "bogus" in answer.err and answer.out == b""


def test_a_trace_is_drawn_as_a_tree(ask: Call) -> None:
    """Every step stands on its own line, under its parent, with guides that close at the last child."""
    row = ask("traces", "list", "name:handbook-question", "status:succeeded", "--json").json["traces"][0]
    shown = ask("traces", "show", row["trace_id"])
    lines = shown.text.splitlines()
    assert len(lines) == row["span_count"]
    assert lines[0].startswith("✓ handbook-question") and lines[1].startswith("├ ") and lines[-1].startswith("└ ")
    spans = ask("traces", "show", row["trace_id"], "--json").json["spans"]
    assert [span["depth"] for span in spans][:2] == [0, 1]
    assert sum(span["cost"] or 0 for span in spans) == pytest.approx(row["total_cost"], abs=1e-12)


def test_an_unknown_trace_is_an_error(ask: Call) -> None:
    """A trace that is not there ends with 1."""
    assert ask("traces", "show", "nope").code == 1


def test_the_same_demo_every_time(tmp_path: Path, database: Path) -> None:
    """Two fills at one moment give the same traces, span for span."""
    seen = []
    for name in ("a", "b"):
        with PromptLedger(str(tmp_path / f"{name}.db"), paths=Paths(tmp_path / name, tmp_path / name)) as ledger:
            ledger.prepare()
            demo.fill(ledger, 1_800_000_000_000_000)
            rows = ledger.traces.page('-session:"first steps"', limit=1000).rows
            seen.append([(row.trace_id, row.started_us, row.span_count, row.cost_nusd) for row in rows])
    assert seen[0] == seen[1] and len(seen[0]) == 190
