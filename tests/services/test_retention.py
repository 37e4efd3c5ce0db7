"""Retention: what is old goes, what was charged and counted stays."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.retention import Rule, rules_of
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import Conflict, DatabaseFull, InputError
from ledger_tui.paths import Paths
from ledger_tui.services import retention
from ledger_tui.services.retention import RetentionService
from ledger_tui.settings import Settings
from ledger_tui.store import recount, vacuum

DAY_US = 86_400_000_000
SUMS = ("daily_costs", "daily_parties", "daily_latencies", "daily_uses")


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, empty for the file of the workspace."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger(target: str, paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(target or None, paths=paths) as made:
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
    return ledger.retention


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


def assert_true_sums(ledger: PromptLedger, before: dict[str, list[Any]]) -> None:
    """Nothing that was charged or counted is another figure, and the days equal a recount."""
    assert sums(ledger) == before
    with ledger.database.lean() as lean:
        assert recount.differences(lean) == dict.fromkeys(recount.TABLES, 0)


@pytest.mark.parametrize("seed", range(3))
def test_random_histories_keep_their_sums(ledger: PromptLedger, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of calls, price changes, late pricing and retention: no charged sum changes but by late pricing."""
    chance = random.Random(seed)
    monkeypatch.setattr(retention, "CHUNK", chance.choice((1, 7, 1_000)))
    for turn in range(8):
        if turn in (0, 4):
            fill(ledger, seed * 100 + turn, traces=12)
        before = sums(ledger)
        deed = chance.choice(("price", "late", "texts", "spans", "spans"))
        if deed == "price":
            from_us = clock.now_us() - chance.randint(1, 100 * DAY_US)
            with suppress(Conflict):
                ledger.prices.add("p", "m", {"input": str(chance.randint(1, 9)), "output": "3"}, from_us=from_us)
        elif deed == "late":
            left = ledger.prices.price_unpriced()
            with ledger.database.lean() as lean:
                assert recount.differences(lean) == dict.fromkeys(recount.TABLES, 0)
                days = int(lean.fetch("SELECT SUM(cost_nusd) FROM daily_costs")[0][0])
                assert days == int(lean.fetch("SELECT SUM(cost_nusd) FROM traces")[0][0])
            assert (sums(ledger) == before) == (not left.priced)
            continue
        else:
            service(ledger).apply([Rule("texts" if deed == "texts" else "spans", chance.randint(1, 90))])
        assert_true_sums(ledger, before)
    assert all(check.status != "bad" for check in ledger.care.doctor() if check.name == "sums")


def test_a_trace_larger_than_a_chunk_goes_in_several(ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its steps go a chunk at a time, a stop in between loses nothing, and it says when they went."""
    monkeypatch.setattr(retention, "CHUNK", 10)
    old = clock.now_us() - 50 * DAY_US
    ledger.traces.record([step(random.Random(n), "large", f"s{n}", old + n) for n in range(35)])
    ledger.traces.record([SpanRecord("small", "s", "a", "llm", "succeeded", old, 5)])
    with ledger.database.lean_write() as lean:
        lean.execute("UPDATE spans SET status = 'succeeded', duration_us = 1 WHERE status = 'running'")
        lean.execute("UPDATE traces SET open_count = 0")
        recount.rebuild(lean)
    before = sums(ledger)
    told: list[retention.Step] = []
    service(ledger).apply([Rule("spans", 10)], told.append, cancelled=lambda: len(told) == 2)
    assert [one.done for one in told] == [10, 20] and sums(ledger) == before
    assert ledger.traces.trace("large").pruned_us is not None and ledger.traces.trace("small").pruned_us is None
    service(ledger).apply([Rule("spans", 10)])
    assert_true_sums(ledger, before)
    assert len(ledger.traces.tree("large").parents) == 0 and ledger.traces.trace("small").pruned_us is not None


def test_steps_that_come_after_their_trace_was_emptied_go_too(ledger: PromptLedger) -> None:
    """A late step of a trace that was emptied is counted, and goes with the next run."""
    old = clock.now_us() - 50 * DAY_US
    ledger.traces.record([SpanRecord("t", "a", "a", "llm", "succeeded", old, 5, model="m", provider="p", cost_nusd=1)])
    service(ledger).apply([Rule("spans", 10)])
    ledger.traces.record([SpanRecord("t", "b", "b", "llm", "succeeded", old, 5, model="m", provider="p", cost_nusd=2)])
    before = sums(ledger)
    assert [check.status for check in ledger.care.doctor() if check.name == "sums"] == ["ok"]
    assert [one.found.rows for one in service(ledger).plan([Rule("spans", 10)])] == [1]
    service(ledger).apply([Rule("spans", 10)])
    assert_true_sums(ledger, before)
    assert ledger.traces.trace("t").cost_nusd == 3


_WORKER = """
import sys
from pathlib import Path
from ledger_tui import PromptLedger
from ledger_tui.domain.retention import Rule
from ledger_tui.paths import Paths
from ledger_tui.services import retention
retention.CHUNK = 9
with PromptLedger(sys.argv[1] or None, paths=Paths(Path(sys.argv[2]), Path(sys.argv[3]))) as ledger:
    ledger.prepare()
    ledger.retention.apply([Rule("texts", 5), Rule("spans", 20)], lambda step: (print(step.done, flush=True), sys.stdin.readline()))
"""


@pytest.mark.long
def test_killed_between_chunks_it_goes_on(ledger: PromptLedger, target: str, paths: Paths) -> None:
    """kill -9 between two chunks or in one leaves true sums, and the next run takes what is left."""
    fill(ledger, 9)
    chunks = 0
    before = sums(ledger)
    rules = [Rule("texts", 5), Rule("spans", 20)]
    for kills in range(1, 6):
        command = [sys.executable, "-c", _WORKER, target, str(paths.data), str(paths.config)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            for chunk in range(kills):
                if not process.stdout.readline():
                    break
                chunks += 1
                if chunk < kills - 1 or kills % 2:  # every other process is killed while it works on the next chunk
                    process.stdin.write(b"\n")
                    process.stdin.flush()
            process.send_signal(signal.SIGKILL)
        assert_true_sums(ledger, before)
    assert chunks >= 8
    service(ledger).apply(rules)
    assert_true_sums(ledger, before)
    assert service(ledger).plan(rules) == []


def test_the_rules_of_the_settings_run_once_a_day(ledger: PromptLedger) -> None:
    """Without rules nothing ever runs; with rules once a day, whoever asks; malformed ones are said."""
    fill(ledger, 4)
    assert ledger.retention.run_daily() is None
    rules = Settings(retention_texts_days=10, retention_spans_days=40, retention_texts_by_kind=("tool=3",))
    daily = RetentionService(ledger.database, lambda: rules)
    found = daily.plan(daily.rules())
    done = daily.run_daily()
    assert done is not None and [(s.subject, s.done) for s in done] == [(s.subject, s.found.rows) for s in found]
    assert daily.run_daily() is None and daily.last_run_us() is not None
    with clock.moved(clock.from_us(clock.now_us() + DAY_US + 1)):
        assert daily.run_daily() is not None
    with pytest.raises(InputError):
        RetentionService(ledger.database, lambda: Settings(retention_texts_by_kind=("tool",))).run_daily()


def test_a_dry_run_says_what_how_much_and_from_when(ledger: PromptLedger) -> None:
    """Rows, characters, and the oldest and newest moment of what would go; nothing is changed."""
    now_us = clock.now_us()
    for days in (40, 30, 2):
        ledger.traces.record(
            [SpanRecord(f"t{days}", "s", "a", "llm", "succeeded", now_us - days * DAY_US, 5, input="x" * 10)]
        )
    before = sums(ledger)
    texts, steps = service(ledger).plan([Rule("texts", 20), Rule("spans", 35)])
    assert texts.found == (2, 24, now_us - 40 * DAY_US, now_us - 30 * DAY_US)
    assert steps.found.rows == 1 and steps.found.newest_us == now_us - 40 * DAY_US
    assert sums(ledger) == before and service(ledger).plan([Rule("texts", 20)]) == [texts]


def test_space_is_given_back(ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unused parts of the file go back to the disk; without room for the copy nothing is touched."""
    old = clock.now_us() - 50 * DAY_US
    for number in range(20):
        ledger.traces.record([SpanRecord(f"t{number}", "s", "a", "llm", "succeeded", old, 5, input="x" * 100_000)])
    service(ledger).apply([Rule("spans", 10)])
    if ledger.database.path is not None:
        assert ledger.retention.unused_bytes() > 1_000_000
        monkeypatch.setattr(vacuum, "_SPARE", 2**62)
        with pytest.raises(DatabaseFull):
            ledger.retention.give_back()
        monkeypatch.undo()
    freed = ledger.retention.give_back()
    assert ledger.retention.unused_bytes() == 0 and freed.after > 0
    # A server compresses such texts, and the rewriting adds a page or two to its own tables.
    assert ledger.database.path is None or freed.before - freed.after > 1_000_000
    assert ledger.traces.trace("t3").span_count == 1
