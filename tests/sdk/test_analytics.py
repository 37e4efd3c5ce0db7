"""What ran how often: sums by mode and by prompt that agree with the calls themselves."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import ids
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import InputError
from ledger_tui.store.database import Database

FAST = {"offline_delay_s": 0}
TEXTS = {"in_code": "x"}


@pytest.fixture
def ledger(any_database: Database) -> PromptLedger:
    """A ledger on each kind of database, with a prompt of each mode that ran."""
    made = PromptLedger(paths=any_database.paths, mode="tracking_only", code_registry=TEXTS)
    made.database = any_database
    made.create_prompt("full_one", "x")
    made.create_prompt("never_ran", "x")
    made.register_code_prompts()
    for name, params in (
        ("full_one", FAST),
        ("full_one", {"offline_error": "auth"}),
        ("in_code", FAST),
        ("in_code", FAST),
        ("in_code", FAST),
    ):
        made.execute(name, model="offline", params=params)
    return made


def test_sums_by_mode_agree_with_the_executions(ledger: PromptLedger) -> None:
    """Counts, failures, tokens and mean latency of each mode are those of its executions."""
    with ledger:
        analytics = ledger.get_analytics(mode="all")
        with ledger.database.lean() as lean:
            sql = (
                "SELECT s.mode, COUNT(*), SUM(CASE WHEN e.status = 'failed' THEN 1 ELSE 0 END), "
                "SUM(COALESCE(e.input_tokens, 0) + COALESCE(e.output_tokens, 0)), SUM(e.latency_us) "
                "FROM executions e JOIN prompt_states s ON s.prompt_id = e.prompt_id GROUP BY s.mode"
            )
            rows = {row[0]: [int(value) for value in row[1:]] for row in lean.fetch(sql)}
    assert analytics["summary"]["total_executions"] == 5
    assert (analytics["summary"]["full_mode_prompts"], analytics["summary"]["tracking_mode_prompts"]) == (2, 1)
    for mode, (count, errors, tokens, latency_us) in rows.items():
        sums = analytics["by_mode"][mode]
        assert (sums["execution_count"], sums["error_count"], sums["total_tokens"]) == (count, errors, tokens)
        assert sums["avg_latency_ms"] == pytest.approx(latency_us / count / 1000)
    assert {row["name"]: row["execution_count"] for row in analytics["prompts"]} == {
        "full_one": 2,
        "in_code": 3,
        "never_ran": 0,
    }


def test_one_mode_alone(ledger: PromptLedger) -> None:
    """Only that mode's prompts count; a mode that there is not is refused."""
    with ledger:
        only = ledger.get_analytics(mode="tracking")
        assert list(only["by_mode"]) == ["tracking"] and only["summary"]["total_executions"] == 3
        with pytest.raises(InputError):
            ledger.get_analytics(mode="half")


def test_an_empty_ledger_has_no_latency(tmp_path: Path) -> None:
    """Nothing ran: counts are zero, the mean latency is unknown."""
    with PromptLedger(str(tmp_path / "l.db")) as ledger:
        analytics = ledger.get_analytics()
    assert analytics["summary"]["total_executions"] == 0
    assert analytics["by_mode"]["full"]["avg_latency_ms"] is None


def test_money_is_exact_and_unpriced_calls_are_counted(tmp_path: Path) -> None:
    """Nano-dollars add up without rounding; a call without a known price is told apart from a free one."""
    with PromptLedger(str(tmp_path / "l.db")) as ledger:
        ledger.create_prompt("p", "x")
        for n, cost in enumerate((1, 2, None)):
            ledger.traces.record(
                [
                    SpanRecord(
                        trace_id="t", span_id=str(n), name="call", kind="llm", status="succeeded", started_us=10**15,
                        duration_us=1, model="m", provider="x", prompt_id=ids.prompt_id("p"),
                        tokens=TokenUsage(input=1, output=1), cost_nusd=cost, unpriced=cost is None,
                    )
                ]
            )  # fmt: skip
        summary = ledger.get_analytics()["summary"]
    assert (summary["total_cost"], summary["unpriced_count"]) == (Decimal("0.000000003"), 1)


def test_archived_prompts_leave_the_count_but_not_the_sums(tmp_path: Path) -> None:
    """What ran, ran; a prompt that is put away is no longer one of the prompts."""
    with PromptLedger(str(tmp_path / "l.db")) as ledger:
        ledger.create_prompt("p", "x")
        ledger.execute("p", model="offline", params=FAST)
        ledger.registry.set_field("p", "archived", True)
        summary = ledger.get_analytics()["summary"]
    assert (summary["full_mode_prompts"], summary["total_executions"]) == (0, 1)
