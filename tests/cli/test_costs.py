"""Costs and statistics from the command line: what is printed are the sums of the ledger, whole and exact."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock, ids
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.paths import Paths

from tests.cli.conftest import Call

DAY_US = 86_400_000_000
EVIL = '=cmd|"/c calc"!A0'


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ledger of calls of two days, two models, some users, some without a price."""
    folder = tmp_path_factory.mktemp("costs")
    now_us = clock.now_us()
    with PromptLedger(str(folder / "l.db"), paths=Paths(folder, folder / "config")) as ledger:
        ledger.create_prompt("mail/welcome", "x")
        version_id = ledger.registry.version("mail/welcome").id
        spans = []
        for number in range(60):
            cost = None if number % 10 == 9 else 1_000_000 + number
            spans.append(
                SpanRecord(
                    f"t{number}", "s", "call", "llm", "failed" if number % 6 == 5 else "succeeded",
                    now_us - number % 2 * DAY_US, 1_000_000 + number, provider="openai" if number % 3 else "local",
                    model="gpt-4o" if number % 3 else "größe", prompt_id=ids.prompt_id("mail/welcome"),
                    version_id=version_id if number % 4 else None, environment="prod" if number % 2 else "dev",
                    tokens=TokenUsage(input=100, output=number), cost_nusd=cost, unpriced=cost is None,
                    user_identifier=EVIL if number % 5 == 0 else "ann", session_id=f"session {number // 20}",
                )
            )  # fmt: skip
        ledger.traces.record(spans)
        ledger.render("mail/welcome", {})
    yield folder / "l.db"


@pytest.fixture
def ask(call: Call, database: Path) -> Call:
    """The command line over these calls."""
    return lambda *arguments: call("--database-url", str(database), *arguments)


def test_costs_are_the_sums_of_the_calls(ask: Call) -> None:
    """Every table adds up to the totals, to the nano-dollar, with failed and unpriced calls told apart."""
    found = ask("costs", "--days", "2", "--by", "day,model,environment,user,session", "--json").json
    total = found["totals"]
    assert (total["calls"], total["errors"], total["unpriced"]) == (60, 10, 6)
    assert total["cost_nusd"] == sum(1_000_000 + number for number in range(60) if number % 10 != 9)
    assert list(found["by"]) == ["day", "model", "environment", "user", "session"]
    for rows in found["by"].values():
        assert rows
        for name in ("calls", "errors", "unpriced", "cost_nusd", "output_tokens"):
            assert sum(row[name] for row in rows) == total[name]
    assert {row["label"] for row in found["by"]["model"]} == {"openai/gpt-4o", "local/größe"}
    assert found["before"]["calls"] == 0 and found["before"]["cost_nusd"] == 0


def test_each_row_opens_its_traces(ask: Call) -> None:
    """The filter of a row, given to ``traces list``, lists the traces behind it, also one with quotes in it."""
    found = ask("costs", "--days", "2", "--by", "day,model,version,user", "--json").json
    for rows in found["by"].values():
        for row in rows:
            listed = ask("traces", "list", "--limit", "1000", row["filter"], "--json").json["traces"]
            assert len(listed) == row["calls"]


@pytest.mark.parametrize(
    ("limits", "calls"),
    [
        (["--model", "openai/gpt-4o"], 40),
        (["--model", "gpt-4o"], 40),
        (["--provider", "local"], 20),
        (["--env", "prod"], 30),
        (["--prompt", "mail/welcome", "--version", "1"], 45),
        (["--prompt", "mail/welcome", "--version", "0"], 15),
        (["--user", "ann", "--env", "dev"], 24),
        (["--session", "session 1"], 20),
        (["--model", "nobody/knows"], 0),
    ],
)
def test_options_limit_the_calls(limits: list[str], calls: int, ask: Call) -> None:
    """Each option leaves the calls that it names, in the totals and in the table."""
    found = ask("costs", "--days", "2", *limits, "--by", "day", "--json").json
    assert found["totals"]["calls"] == calls == sum(row["calls"] for row in found["by"]["day"])


def test_csv_is_whole_and_harmless(ask: Call) -> None:
    """A spreadsheet gets every row with exact money, and nothing that it would run."""
    answer = ask("costs", "--days", "2", "--by", "model,user", "--csv")
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["by"] for row in rows] == ["model", "model", "user", "user"]
    for row in rows:
        assert Decimal(row["cost_usd"]) * 10**9 == int(row["cost_nusd"])
    labels = [row["label"] for row in rows if row["by"] == "user"]
    assert sorted(labels) == ["'" + EVIL, "ann"]


def test_tables_are_for_people(ask: Call) -> None:
    """A pipe gets aligned lines; totals, the period before and unpriced calls are said beside them."""
    answer = ask("costs", "--days", "2", "--by", "model")
    lines = answer.text.splitlines()
    assert len(lines) == 2 and lines[0].startswith("openai/gpt-4o") and "+?" in lines[0]
    assert "60 calls · 10 failed" in answer.err and "no calls" in answer.err
    assert "6 calls without a price: ledger-tui traces list" in answer.err
    assert "1 more: --limit 2" in ask("costs", "--days", "2", "--by", "model", "--limit", "1").err


def test_stats_of_all_and_of_one(ask: Call) -> None:
    """Without a prompt every prompt is a row; with one its versions are, beside how often it was rendered."""
    every = ask("stats", "--days", "2", "--json").json
    assert [row["label"] for row in every["by"]["prompt"]] == ["mail/welcome"] and every["performance"] is None
    one = ask("stats", "mail/welcome", "--days", "2", "--json").json
    assert {row["label"]: row["calls"] for row in one["by"]["version"]} == {
        "mail/welcome v1": 45,
        "mail/welcome (unsaved)": 15,
    }
    assert one["usage"]["total_uses"] == 1 and one["performance"]["usage_by_version"] == {"1": 1}
    assert one["performance"]["executions_by_version"] == {"0": 15, "1": 45}
    assert "Rendered 1 times." in ask("stats", "mail/welcome").err


def test_days_can_be_named(ask: Call) -> None:
    """``--from`` and ``--until`` include both days."""
    today = clock.now().date().isoformat()
    assert ask("costs", "--from", today, "--json").json["totals"]["calls"] == 30
    assert ask("costs", "--from", "2020-01-01", "--until", "2020-01-31", "--json").json["totals"]["calls"] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["costs", "--by", "colour"], 2),
        (["costs", "--version", "1"], 2),
        (["costs", "--from", "2026-02-01", "--until", "2026-01-01"], 2),
        (["costs", "--from", "someday"], 2),
        (["costs", "--order", "colour"], 1),
        (["stats", "nobody"], 1),
    ],
)
def test_mistakes_are_told(arguments: list[str], code: int, ask: Call) -> None:
    """What cannot be answered is an error with its exit code, and nothing on standard output."""
    answer = ask(*arguments)
    assert (answer.code, answer.out) == (code, b"") and answer.err


def test_what_is_recorded_is_counted_at_once(call: Call, tmp_path: Path) -> None:
    """A span that a program left in its spool as it was killed is in the sums of the next command."""
    target = str(tmp_path / "fresh.db")
    code = (
        "import os, sys; from ledger_tui import PromptLedger; ledger = PromptLedger(sys.argv[1]); "
        "ledger.log_external_span('t', None, 'call', 'llm', model='openai/gpt-4o', prompt_tokens=10, completion_tokens=5); "
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, target], check=True)
    assert call("--database-url", target, "costs", "--json").json["totals"]["calls"] == 1


def test_wrong_sums_are_found_and_made_anew(call: Call, tmp_path: Path) -> None:
    """``doctor --recount`` ends with 3 when a sum is not that of the facts, ``--rebuild`` puts it right."""
    target = str(tmp_path / "l.db")
    with PromptLedger(target) as ledger:
        ledger.create_prompt("p", "x")
        ledger.execute("p", model="offline", params={"offline_delay_s": 0})
        assert call("--database-url", target, "doctor", "--recount", "--json").json["ok"]
        with ledger.database.lean_write() as lean:
            lean.execute("UPDATE daily_costs SET calls = 7")
    answer = call("--database-url", target, "doctor", "--recount")
    assert answer.code == 3 and "daily_costs" in answer.text and "--rebuild" in answer.text
    assert call("--database-url", target, "doctor", "--rebuild").code == 0
    assert call("--database-url", target, "costs", "--json").json["totals"]["calls"] == 1
