"""The sums of days are always what counting the facts gives, on both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.percentiles import count, unpack
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.store import day_sums, recount, telemetry
from ledger_tui.store.database import Database
from ledger_tui.store.lean import Lean

DAY_US = 86_400_000_000
START_US = 1_767_225_600_000_000


def call(number: int, **fields: Any) -> SpanRecord:
    """A finished call to a model."""
    made: dict[str, Any] = {
        "trace_id": f"t{number // 4}", "span_id": f"s{number}", "name": "call", "kind": "llm", "status": "succeeded",
        "started_us": START_US, "duration_us": 1_000_000, "provider": "openai", "model": "gpt-4o", "environment": "dev",
        "tokens": TokenUsage(input=10, output=5), "cost_nusd": 7,
    }  # fmt: skip
    return SpanRecord(**{**made, **fields})


def story(seed: int, size: int = 120) -> list[SpanRecord]:
    """Spans of every fate over some days: calls and steps, running ones and their ends, known and unknown numbers."""
    dice = random.Random(seed)
    spans: list[SpanRecord] = []
    for number in range(size):
        status = dice.choice(("succeeded", "succeeded", "failed", "canceled", "running"))
        tokens = TokenUsage(*(dice.choice((None, dice.randrange(9_999))) for _ in range(5)))
        cost = dice.choice((None, 0, dice.randrange(10**9)))
        spans.append(
            telemetry.check_span(
                call(
                    number,
                    status=status,
                    started_us=START_US + dice.randrange(5 * DAY_US),
                    duration_us=dice.choice((None, dice.randrange(10**8))),
                    first_token_us=dice.choice((None, dice.randrange(10**7))),
                    provider=dice.choice((None, "openai", "anthropic")),
                    model=dice.choice((None, "a", "b")),
                    version_id=dice.choice((None, "v1", "v2")),
                    environment=dice.choice(("", "dev", "prod")),
                    user_identifier=dice.choice((None, "ann", "ben")),
                    session_id=dice.choice((None, f"s{number % 7}")),
                    tokens=tokens,
                    cost_nusd=cost,
                    unpriced=cost is None and dice.random() < 0.5,
                )
            )
        )
    open_ones = [span for span in spans if span.status == "running"]
    ends = [replace(span, status="succeeded", duration_us=5_000, environment="", session_id=None) for span in open_ones]
    return spans + ends[::2]


def assert_right(lean: Lean) -> None:
    """All kept sums equal a recount."""
    assert recount.differences(lean) == dict.fromkeys(recount.TABLES, 0)


@pytest.mark.parametrize("seed", range(3))
def test_sums_equal_a_recount(any_database: Database, seed: int) -> None:
    """Whatever comes in batches of whatever size, running first and ended later, the sums are those of the spans."""
    dice = random.Random(seed)
    spans = story(seed)
    while spans:
        size = dice.randrange(1, 40)
        with any_database.lean_write() as lean:
            telemetry.write_spans(lean, spans[:size])
        spans = spans[size:]
    with any_database.lean() as lean:
        assert_right(lean)
        assert lean.fetch("SELECT COUNT(*) FROM daily_parties WHERE kind = 'session'") != [(0,)]


def test_a_call_counts_for_where_it_began(database: Database) -> None:
    """An end that names no environment, session or user is counted under those of the beginning."""
    begun = call(1, status="running", environment="prod", user_identifier="ann", session_id="s", duration_us=None)
    with database.lean_write() as lean:
        (key,) = telemetry.write_spans(lean, [telemetry.check_span(begun)])
        telemetry.end_span(lean, key, call(1, environment="", started_us=START_US + DAY_US))
    with database.lean() as lean:
        assert lean.fetch("SELECT environment, day FROM daily_costs") == [("prod", day_sums.day_of(START_US))]
        assert lean.fetch("SELECT kind, party FROM daily_parties") == [("session", "s"), ("user", "ann")]
        assert_right(lean)


def test_a_changed_call_moves(any_database: Database) -> None:
    """A call that gets a version and a price later leaves no trace in the sums it was part of before."""
    before = call(1, cost_nusd=None, unpriced=True, user_identifier="ann")
    after = replace(before, cost_nusd=42, unpriced=False, version_id="v")
    with any_database.lean_write() as lean:
        (key,) = telemetry.write_spans(lean, [before])
        sql = "UPDATE spans SET cost_nusd = 42, unpriced = FALSE, version_id = 'v' WHERE id = :key"
        lean.execute(sql, {"key": key})
        day_sums.add(lean, [after], gone=[before])
    with any_database.lean() as lean:
        assert_right(lean)
        assert lean.fetch("SELECT version_id, calls, cost_nusd, unpriced FROM daily_costs") == [("v", 1, 42, 0)]
        assert lean.fetch("SELECT COUNT(*) FROM daily_latencies") == [(1,)]


def test_what_was_taken_back_was_never_counted(any_database: Database) -> None:
    """After a transaction that failed, its keys and sums are gone, and the next one counts from nothing."""
    with pytest.raises(ZeroDivisionError), any_database.lean_write() as lean:
        telemetry.write_spans(lean, [call(1, model="gone")])
        raise ZeroDivisionError
    with any_database.lean_write() as lean:
        telemetry.write_spans(lean, [call(2, model="kept")])
    with any_database.lean() as lean:
        assert_right(lean)
        assert lean.fetch("SELECT model FROM call_keys") == [("kept",)]


def test_processes_that_count_at_once_lose_nothing(any_database: Database) -> None:
    """Writers of the same day and model at the same time add up to all their calls."""
    from concurrent.futures import ThreadPoolExecutor

    def write(worker: int) -> None:
        for turn in range(5):
            number = worker * 100 + turn
            with any_database.lean_write() as lean:
                telemetry.write_spans(lean, [call(number, trace_id=f"w{worker}", duration_us=1000 * worker + turn)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with any_database.lean() as lean:
        assert_right(lean)
        lowest, counts = lean.fetch("SELECT latency_lowest, latency_counts FROM daily_latencies")[0]
        assert unpack(lowest, counts) == count(1000 * worker + turn for worker in range(4) for turn in range(5))


def test_sums_too_large_for_the_database_stay_at_its_end(any_database: Database) -> None:
    """Amounts that no sum can hold neither stop a write nor turn negative."""
    row = dict.fromkeys(day_sums.CALL_SUMS, 0) | dict.fromkeys(day_sums.COST_KEYS, "x") | {"cost_nusd": 2**62}
    sql = day_sums.upsert("daily_costs", day_sums.COST_KEYS, day_sums.CALL_SUMS)
    with any_database.lean_write() as lean:
        for _ in range(3):
            lean.execute(sql, row)
        assert lean.fetch("SELECT cost_nusd FROM daily_costs") == [(2**63 - 1,)]


def test_sums_can_be_made_anew(any_database: Database) -> None:
    """Wrong sums are noticed, and rebuilding gives those of the facts and of what retention kept."""
    with any_database.lean_write() as lean:
        telemetry.write_spans(lean, story(9))
        lean.execute("UPDATE daily_costs SET calls = calls + 1")
        lean.execute("DELETE FROM daily_parties WHERE party = 'ann'")
        lean.execute("DELETE FROM daily_latencies")
        wrong = recount.differences(lean)
        assert wrong["daily_costs"] and wrong["daily_parties"] and wrong["daily_latencies"] and not wrong["daily_uses"]
        recount.rebuild(lean)
        assert_right(lean)


def test_a_recount_knows_what_retention_removed(any_database: Database) -> None:
    """Days equal the spans that are left and the sums kept of those that are not."""
    names = ", ".join((*day_sums.COST_KEYS, *day_sums.CALL_SUMS))
    with any_database.lean_write() as lean:
        telemetry.write_spans(
            lean, [call(1, user_identifier="ann"), call(2, cost_nusd=5, started_us=START_US + DAY_US)]
        )
        lean.execute(f"INSERT INTO pruned_costs ({names}) SELECT {names} FROM daily_costs WHERE cost_nusd = 7")
        for table in ("span_payloads WHERE span_key", "spans WHERE id"):
            lean.execute(f"DELETE FROM {table} IN (SELECT id FROM spans WHERE cost_nusd = 7)")
        assert_right(lean)
        before = lean.fetch(f"SELECT {names} FROM daily_costs ORDER BY day")
        recount.rebuild(lean)
        assert lean.fetch(f"SELECT {names} FROM daily_costs ORDER BY day") == before
        assert lean.fetch("SELECT party FROM daily_parties") == [("ann",)]


def test_days_are_utc() -> None:
    """The last microsecond of a day is of that day."""
    day = day_sums.day_of(START_US + DAY_US - 1)
    assert (day, day_sums.day_of(START_US + DAY_US)) == ("2026-01-01", "2026-01-02")
    assert clock.from_us(START_US).date().isoformat() == day
