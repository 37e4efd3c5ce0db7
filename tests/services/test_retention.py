"""Retention: what is old goes, what was charged and counted stays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.retention import Rule, rules_of
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import InputError
from ledger_tui.paths import Paths
from ledger_tui.services.retention import RetentionService
from ledger_tui.store import recount

DAY_US = 86_400_000_000
SUMS = ("daily_costs", "daily_parties", "daily_latencies", "daily_uses")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, paths: Paths) -> Iterator[PromptLedger]:
    target = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with PromptLedger(target, paths=paths) as made:
        made.prepare()
        yield made


def fill(ledger: PromptLedger, seed: int, traces: int = 40) -> None:
    """Traces of the last hundred days, some of them still running."""
    chance = random.Random(seed)
    for number in range(traces):
        started_us = clock.now_us() - chance.randint(1, 100 * DAY_US)
        ledger.traces.record(
            [step(chance, f"trace-{number}", f"span-{n}", started_us) for n in range(chance.randint(1, 6))]
        )


def step(chance: random.Random, trace_id: str, span_id: str, started_us: int) -> SpanRecord:
    is_call, is_running, priced = chance.random() < 0.6, chance.random() < 0.05, chance.random() < 0.7
    fields: dict[str, Any] = {} if is_running else {"duration_us": chance.randint(1, 3_600_000_000)}
    if is_call and not is_running:
        fields |= {
            "cost_nusd": chance.randint(1, 10**9) if priced else None,
            "unpriced": not priced,
            "tokens": TokenUsage(input=chance.randint(1, 99), output=chance.randint(1, 99)),
        }
    return SpanRecord(
        trace_id,
        span_id,
        "step",
        "llm" if is_call else "tool",
        "running" if is_running else chance.choice(("succeeded", "failed")),
        started_us,
        model="m" if is_call else None,
        provider="p" if is_call else None,
        user_identifier=chance.choice((None, "ann")),
        input="question",
        output=None if is_running else "answer",
        attributes={"a": 1},
        **fields,
    )


def sums(ledger: PromptLedger) -> dict[str, list[Any]]:
    """Everything that was charged and counted."""
    with ledger.database.lean() as lean:
        found = {name: sorted(map(repr, lean.fetch(f"SELECT * FROM {name}"))) for name in SUMS}
        columns = "trace_id, status, span_count, error_count, input_tokens, output_tokens, cost_nusd, unpriced_count"
        found["traces"] = sorted(map(repr, lean.fetch(f"SELECT {columns} FROM traces")))
    return found


def service(ledger: PromptLedger) -> RetentionService:
    return RetentionService(ledger.database)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_charged_and_counted_stays(ledger: PromptLedger, seed: int) -> None:
    """After texts and steps went, the sums of days, users, latencies and traces are what they were, and equal a recount."""
    fill(ledger, seed)
    before = sums(ledger)
    done = service(ledger).apply([Rule("texts", 20), Rule("spans", 50)])
    assert {one.subject for one in done} == {"steps' texts", "steps"}
    assert all(one.done == one.found.rows for one in done if one.subject == "steps")
    assert sums(ledger) == before
    with ledger.database.lean() as lean:
        assert recount.differences(lean) == dict.fromkeys(recount.TABLES, 0)
    assert service(ledger).plan([Rule("texts", 20), Rule("spans", 50)]) == []


def test_only_what_is_old_enough_and_ended_goes(ledger: PromptLedger) -> None:
    """Texts younger than the rule, steps that run, and kinds with a rule of their own keep theirs."""
    now_us = clock.now_us()
    chance = random.Random(1)
    base = step(chance, "t", "s", now_us)
    old, young = now_us - 30 * DAY_US, now_us - 5 * DAY_US
    made = [
        SpanRecord("old", "llm", "a", "llm", "succeeded", old, 5, input="x", output="y"),
        SpanRecord("old", "tool", "a", "tool", "succeeded", old, 5, input="x", output="y"),
        SpanRecord("old", "open", "a", "llm", "running", old, input="x"),
        SpanRecord("young", "llm", "a", "llm", "succeeded", young, 5, input="x", output="y"),
        SpanRecord("young", "tool", "a", "tool", "succeeded", young, 5, input="x", output="y"),
    ]
    keys = ledger.traces.record(made)
    assert base.input
    rules = rules_of(20, 0, ["tool=3", "agent=0"])
    service(ledger).apply(rules)
    kept = [ledger.traces.payload(key).input for key in keys]
    assert kept == [None, None, "x", "x", None]
    assert "texts_removed_us" in ledger.traces.payload(keys[0]).attributes


def test_a_stopped_run_goes_on_where_it_stood(ledger: PromptLedger) -> None:
    """Cancelling between two chunks leaves sums true, and the next run takes the rest."""
    fill(ledger, 5)
    before = sums(ledger)
    rules = [Rule("texts", 1), Rule("spans", 10)]
    service(ledger).apply(rules, cancelled=iter([False, True, True, True]).__next__)
    assert sums(ledger) == before
    service(ledger).apply(rules)
    assert sums(ledger) == before and service(ledger).plan(rules) == []


def test_the_texts_of_runs_go_too(ledger: PromptLedger) -> None:
    """Renders and calls lose what was sent and answered, and keep their numbers."""
    ledger.create_prompt("hello", "hi {{ name }}")
    result = ledger.execute("hello", {"name": "you"}, model="offline")
    ahead = clock.from_us(clock.now_us() + 40 * DAY_US)
    with clock.moved(ahead):
        service(ledger).apply([Rule("texts", 30)])
    row = ledger.traces.execution(result["execution_id"])
    assert (row.messages, row.response, row.variables) == ((), None, {})
    assert row.tokens.output and row.status == "succeeded"


@pytest.mark.parametrize(
    ("texts", "spans", "kinds"),
    [(-1, 0, ()), (0, 10**9, ()), (1, 1, ("tool",)), (1, 1, ("tool=x",)), (1, 1, ("a=1", "a=2"))],
)
def test_rules_that_make_no_sense_are_refused(texts: int, spans: int, kinds: tuple[str, ...]) -> None:
    """Negative or endless days, unreadable kinds and two rules for one kind are refused in words."""
    with pytest.raises(InputError) as refused:
        rules_of(texts, spans, kinds)
    assert refused.value.remedy
