"""Budgets and alerts from the command line: setting them, being stopped by them, and being told."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.paths import default_paths
from ledger_tui.settings import write_setting

from tests.cli.conftest import Call, start

OFFLINE = ("--model", "offline", "--param", "offline_delay_s=0", "--var", "name=Ada", "--var", "company=Engines")


def spend(cost: str, environment: str | None = None) -> None:
    """Record a call that cost so many dollars today."""
    with PromptLedger(environment=environment) as ledger:
        ledger.prepare()
        ledger.log_external_span(
            name="call", model="m", prompt_tokens=10, completion_tokens=1, cost=Decimal(cost), environment=environment
        )


def test_a_budget_from_setting_to_removing(call: Call) -> None:
    """set, list, history and remove work on one budget, as tables and as JSON; setting the same scope changes it."""
    spend("4.20")
    first = call("budgets", "set", "--limit", "5", "--reason", "pilot", "--json").json["budget"]
    assert (first["limit_usd"], first["period"], first["warn_percent"]) == (5.0, "day", 80)
    (found,) = call("budgets", "--json").json["budgets"]
    assert (found["state"], found["spent_nusd"], found["id"]) == ("warn", 4_200_000_000, first["id"])
    table = call("budgets", "list").text
    assert "⚠" in table and "$4.20" in table and "84 %" in table
    assert call("budgets", "set", "--limit", "10").text.strip() == first["id"]
    assert call("budgets", "--json").json["budgets"][0]["state"] == "ok"
    assert call("budgets", "remove", first["id"]).code == 0
    assert call("budgets", "--json").json == {"budgets": []}
    words = [fact["words"] for fact in call("budgets", "history", "--json").json["facts"]]
    assert words[0] == "removed" and "$10.00 a day" in words[1] and len(words) == 3


def test_check_holds_until_a_limit_is_reached(call: Call) -> None:
    """``budgets check`` ends with 0 while there is money left and with 3 when one budget has none."""
    call("budgets", "set", "--limit", "2", "--period", "month", "--environment", "prod")
    spend("5")
    assert call("budgets", "check").code == 0
    spend("2", "prod")
    checked = call("budgets", "check", "--json")
    assert checked.code == 3 and checked.json["budgets"][0]["state"] == "over"
    assert "in prod" in checked.err and "next month" in checked.err


@pytest.mark.parametrize(
    "given",
    [("--limit", "a lot"), ("--limit", "-1"), ("--limit", "1", "--warn", "101"), ("--limit", "1", "--prompt", "../x")],
)
def test_a_budget_that_makes_no_sense_is_refused(call: Call, given: tuple[str, ...]) -> None:
    """A wrong limit, share or scope is an error with a way out, and nothing is set."""
    refused = call("budgets", "set", *given)
    assert refused.code in (1, 2) and "→" in refused.err
    assert call("budgets", "--json").json == {"budgets": []}


def test_a_run_past_the_budget_is_not_sent_and_ends_with_3(call: Call, welcome: str) -> None:
    """The call is refused in words with the numbers, nothing of it is stored, and the refusal is told once."""
    call("budgets", "set", "--limit", "1")
    spend("1.50")
    before = call("traces", "list", "--json").json["traces"]
    stopped = call("run", welcome, *OFFLINE)
    assert (stopped.code, stopped.out) == (3, b"")
    assert "$1.00 a day" in stopped.err and "$1.50 is spent" in stopped.err and "Raise or remove" in stopped.err
    assert "stopped by its budget" in stopped.err and "Budget spent" in stopped.err
    again = call("run", welcome, *OFFLINE, "--queue")
    assert again.code == 3 and "stopped by its budget" not in again.err
    assert call("traces", "list", "--json").json["traces"] == before
    kinds = [alert["detail"]["state"] for alert in call("alerts", "--json").json["alerts"]]
    assert sorted(kinds) == ["over", "refused"]


def test_a_run_tells_that_a_budget_is_nearly_spent_once(call: Call, welcome: str) -> None:
    """The first run after the share is reached says so on standard error; the next is quiet; seen alerts are not new."""
    call("budgets", "set", "--limit", "1", "--warn", "50")
    spend("0.60")
    first = call("run", welcome, *OFFLINE)
    assert first.code == 0 and "Budget nearly spent" in first.err and "$0.6000 of $1.00 (60 %)" in first.err
    assert "nearly" not in call("run", welcome, *OFFLINE).err
    assert "new" in call("alerts", "--seen").text
    assert all(alert["seen"] for alert in call("alerts", "--json").json["alerts"])


def test_the_command_for_alerts_gets_the_facts_and_no_shell(call: Call, welcome: str, tmp_path: Path) -> None:
    """The setting's words are run as they are, once for an alert, with its facts in the environment."""
    told = tmp_path / "told.json"
    write = "import json, os, sys; open(sys.argv[1], 'a').write(json.dumps(dict(os.environ, ARG=sys.argv[2])) + '\\n')"
    write_setting(default_paths(), "alert_command", [sys.executable, "-c", write, str(told), "$(touch x); `id`"])
    call("budgets", "set", "--limit", "1")
    spend("0.90")
    for _ in range(2):
        assert call("run", welcome, *OFFLINE).code == 0
    (line,) = told.read_text().splitlines()
    found = json.loads(line)
    assert found["ARG"] == "$(touch x); `id`"
    assert found["LEDGER_ALERT_KIND"] == "budget" and found["LEDGER_ALERT_STATE"] == "warn"
    assert (found["LEDGER_ALERT_SPENT_USD"], found["LEDGER_ALERT_LIMIT_USD"]) == ("0.9", "1")
    assert "everything" in found["LEDGER_ALERT_TEXT"]


def test_an_estimate_sends_nothing(call: Call, welcome: str) -> None:
    """--estimate answers tokens and cost for so many runs; the answer is unknown before the first run, then as usual."""
    model = ("--model", "openai/gpt-4o-mini")
    values = OFFLINE[4:]
    first = call("run", welcome, *model, *values, "--estimate", "--json").json
    assert first["output_tokens"] is None and first["cost_nusd"] is None and first["input_cost_nusd"] > 0
    assert "unknown" in call("run", welcome, *model, *values, "--estimate").err
    assert call("traces", "list", "--json").json["traces"] == []
    assert call("run", welcome, *OFFLINE, "--param", "offline_reply=" + "word " * 400).code == 0
    many = call("run", welcome, *model, *values, "--estimate", "--runs", "1000", "--json").json
    assert many["runs"] == 1000 and many["input_tokens"] == 1000 * first["input_tokens"] and many["rendered"]
    assert many["cost_nusd"]["p95"] >= many["cost_nusd"]["median"] > 1000 * first["input_cost_nusd"]
    assert not many["of_this_model"] and many["answers_seen"] == 1
    told = call("run", welcome, *model, "--estimate", "--runs", "1000")
    assert told.code == 0 and "without values" in told.err and "1,000 runs" in told.err
    assert len(call("traces", "list", "--json").json["traces"]) == 1
    assert call("run", welcome, "--runs", "5").code == 2 and call("run", welcome, "--estimate", "--stream").code == 2


@pytest.mark.parametrize("words", [["no-such-program-here"], [sys.executable, "-c", "raise SystemExit('broken')"]])
def test_a_command_that_fails_is_told_and_hurts_nothing(call: Call, welcome: str, words: list[str]) -> None:
    """A command that is missing or fails is one more complaint; the run stays a success."""
    write_setting(default_paths(), "alert_command", words)
    call("budgets", "set", "--limit", "1")
    spend("0.90")
    done = call("run", welcome, *OFFLINE)
    assert done.code == 0 and "command for alerts failed" in done.err


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_at_the_limit_do_not_pass_it_together(
    call: Call, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several processes that call at once, only as many are let through as the budget bears."""
    if kind == "postgresql":
        monkeypatch.setenv("LEDGER_DATABASE_URL", request.getfixturevalue("postgres_url"))
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(5) as threads:
        # The server takes connections and never answers: whoever was let through waits there.
        server.settimeout(60)
        write_setting(default_paths(), "providers.slow.base_url", f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        with PromptLedger() as ledger:
            ledger.prepare()
            ledger.prices.add("slow", "m", {"input": "1000", "output": "1000"}, from_us=0)
            ledger.create_prompt("long", "word " * 8_000)
            content = ledger.registry.content(ledger.registry.version("long").id)
            cost_nusd = ledger.runs.estimate(content, "slow/m").cost_nusd
        assert cost_nusd
        call("budgets", "set", "--limit", f"{Decimal(cost_nusd) * Decimal('2.5') / 10**9:f}")
        started = [start("run", "long", "--model", "slow/m", stderr=subprocess.DEVNULL) for _ in range(5)]
        try:
            held = [server.accept()[0] for _ in range(2)]
            ended = as_completed([threads.submit(process.wait) for process in started], timeout=60)
            assert [next(ended).result() for _ in range(3)] == [3] * 3
            assert sorted(str(process.poll()) for process in started) == ["3"] * 3 + ["None"] * 2 and len(held) == 2
        finally:
            for process in started:
                process.kill()
