"""--as-of on the command line: reading answers for the moment, writing is refused, mistakes are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord, TokenUsage

from tests.cli.conftest import Call

START = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
HOUR_US = 3_600_000_000


def call_of(name: str, cost_nusd: int) -> SpanRecord:
    """A model call that just ended."""
    return SpanRecord(
        f"trace-{name}", f"span-{name}", name=name, kind="llm", status="succeeded", started_us=clock.now_us() - 1_000,
        duration_us=1_000, provider="openai", model="gpt-4o", environment="dev", cost_nusd=cost_nusd,
        tokens=TokenUsage(input=1_000, output=100),
    )  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Path]:
    """A folder, and a ledger in which one thing happened four hours ago and another an hour ago."""
    with clock.stopped(START):
        with PromptLedger() as ledger:
            ledger.prepare()
            ledger.create_prompt("mail/welcome", "first text", labels=["production"])
            ledger.traces.record([call_of("early", 2_000_000_000)])
            clock.advance(3 * HOUR_US)
            ledger.update_prompt("mail/welcome", "second text")
            ledger.create_prompt("mail/bye", "bye")
            ledger.prices.add("openai", "gpt-4o", {"input": "7", "output": "9"})
            ledger.traces.record([call_of("late", 3_000_000_000)])
        clock.advance(HOUR_US)
        (tmp_path / "text.txt").write_text("other")
        yield tmp_path


@pytest.mark.usefixtures("history")
def test_prompts_are_those_of_the_moment(call: Call) -> None:
    """Lists, versions, history and differences of prompts end at the moment, and ages are told from it."""
    then = ("--as-of", "2h", "prompts")
    assert [row["name"] for row in call("prompts", "list", "--json").json["prompts"]] == ["mail/bye", "mail/welcome"]
    assert [(row["name"], row["active"]) for row in call(*then, "list", "--json").json["prompts"]] == [
        ("mail/welcome", 1)
    ]
    assert " 2h" in call(*then, "list").text and " 1h" in call("prompts", "list").text
    assert "first text" in call(*then, "show", "mail/welcome").text
    assert "v2" not in call(*then, "history", "mail/welcome").text
    missing = call(*then, "diff", "mail/welcome", "1", "2")
    assert missing.code == 1 and "version 2" in missing.err
    assert call(*then, "show", "mail/bye").code == 1


@pytest.mark.usefixtures("history")
def test_traces_and_costs_are_those_of_the_moment(call: Call) -> None:
    """Traces, costs, statistics, prices and what-if know nothing that came later; "since:" counts back from the moment."""
    assert [row["trace_id"] for row in call("--as-of", "2h", "traces", "list", "--json").json["traces"]] == [
        "trace-early"
    ]
    for since, found in (("90m", 0), ("150m", 1)):
        assert len(call("--as-of", "2h", "traces", "list", f"since:{since}", "--json").json["traces"]) == found
    assert call("--as-of", "2h", "traces", "show", "trace-late").code == 1
    assert call("--as-of", "2h", "traces", "show", "trace-early").code == 0
    assert "$5" in call("costs").text
    text = call("--as-of", "2h", "costs").text
    assert "$2" in text and "$5" not in text
    assert "gpt-4o" in call("prices").text
    assert "No own prices" in call("--as-of", "2h", "prices").err
    assert call("--as-of", "2h", "what-if", "since:3h", "--json").json != call("what-if", "since:5h", "--json").json
    assert call("--as-of", "2h", "stats").code == 0


def test_nothing_is_written_into_the_past(call: Call, history: Path) -> None:
    """Commands that write end with 1, say that an earlier moment cannot be changed, and change nothing."""
    file = str(history / "text.txt")
    before = call("prompts", "history", "mail/welcome", "--json").json
    for command in (
        ("prompts", "save", "mail/new", "--file", file),
        ("prompts", "label", "mail/welcome", "production", "1"),
        ("prices", "add", "openai/gpt-4o", "--input", "1", "--output", "2"),
        ("budgets", "set", "--limit", "5", "--period", "day"),
        ("run", "mail/welcome", "--model", "offline"),
        ("worker", "--once"),
    ):
        refused = call("--as-of", "2h", *command)
        assert refused.code == 1, (command, refused)
        assert "An earlier moment cannot be changed" in refused.err and "Come back to the present" in refused.err, (
            command
        )
    assert call("prompts", "history", "mail/welcome", "--json").json == before
    assert len(call("traces", "list", "--json").json["traces"]) == 2


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("moment", ["tomorrow", "2999-01-01", "", "1960-01-01"])
def test_what_is_no_moment_is_refused_in_words(call: Call, moment: str) -> None:
    """A moment that cannot be shown ends with 1 and says how to write one, or which there are."""
    refused = call("--as-of", moment, "prompts", "list")
    assert refused.code == 1 and refused.err.startswith("✗") and "\n" in refused.err.strip()
