"""What records inherit from the span they are made in, what reads know, and what a clock that jumps does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger

from tests.sdk.seen import outline
from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, ran, stored


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger of a new workspace."""
    with ledger_in(tmp_path) as opened:
        yield opened


def parties(ledger: PromptLedger, trace_id: str) -> dict[str, tuple[str | None, str | None, str]]:
    """Session, user and environment of each span by its name."""
    assert ledger.flush()
    with ledger.database.lean() as lean:
        rows = lean.fetch(
            "SELECT s.name, s.session_id, s.user_identifier, s.environment FROM spans s "
            "JOIN traces t ON t.id = s.trace_key WHERE t.trace_id = :t",
            {"t": trace_id},
        )
    return {row[0]: row[1:] for row in rows}


def test_records_inherit_who_they_were_for(ledger: PromptLedger) -> None:
    """Session, user and environment of a trace hold for every step in it: spans, observed calls, runs and external ones."""
    ledger.create_prompt("run", "Say hi", model="offline", params={"offline_delay_s": 0})

    @ledger.observe(name="observed")
    def work() -> None:
        ledger.log_external_span("t", name="external")

    with ledger.trace("work", trace_id="t", session_id="s", user_identifier="u", environment="staging"):
        with ledger.span("step"):
            work()
            ledger.execute("run")
        ledger.log_external_span(name="says itself", session_id="own", user_identifier="me", environment="dev")
        ledger.log_external_span("other", name="elsewhere")
    with ledger.span("later", trace_id="t"):
        pass
    mine = ("s", "u", "staging")
    assert parties(ledger, "t") == {
        "work": mine, "step": mine, "observed": mine, "external": mine, "run": mine, "says itself": ("own", "me", "dev"),
        "later": (None, None, "test"),
    }  # fmt: skip
    assert parties(ledger, "other") == {"elsewhere": (None, None, "test")}


def test_an_external_step_belongs_where_it_is_recorded(ledger: PromptLedger) -> None:
    """Inside a span an external step of the same trace, or of none, is its child; a named parent or trace counts."""
    with ledger.trace("work", trace_id="t") as trace:
        with ledger.span("step"):
            ledger.log_external_span("t", name="same trace")
            ledger.log_external_span(name="no trace")
            ledger.log_external_span("t", trace.span_id, name="parent named")
            ledger.log_external_span("u", name="another trace")
        ledger.log_external_span(name="after", span_id="x")
    ledger.log_external_span("t", name="outside")
    assert sorted(outline(ledger, "t")) == sorted(
        [
            (0, "work"),
            (1, "step"),
            (2, "same trace"),
            (2, "no trace"),
            (1, "parent named"),
            (1, "after"),
            (0, "outside"),
        ]
    )
    assert outline(ledger, "u") == [(0, "another trace")]
    assert len(ledger.traces.page().rows) == 2


def test_other_ledgers_do_not_mix(ledger: PromptLedger, tmp_path: Path) -> None:
    """A record goes into the open span of its own ledger, however many of other ledgers are open between."""
    with ledger_in(tmp_path / "other") as other:
        with ledger.trace("mine", trace_id="t"), other.trace("theirs", trace_id="t"):
            ledger.log_external_span(name="mine too")
            other.log_external_span(name="theirs too")
        assert outline(ledger, "t") == [(0, "mine"), (1, "mine too")]
        assert outline(other, "t") == [(0, "theirs"), (1, "theirs too")]


def test_a_step_that_is_ended_from_inside_itself(ledger: PromptLedger) -> None:
    """A record that names the open span's own id is not made its own parent."""
    with ledger.trace("work", trace_id="t") as trace:
        ledger.log_external_span("t", name="again", span_id=trace.span_id)
    assert {depth for depth, _ in outline(ledger, "t")} == {0}


def test_costs_and_analytics_know_what_was_just_recorded(ledger: PromptLedger) -> None:
    """Reads of costs and analytics bring in what this program recorded before."""
    for number in range(1, 4):
        ledger.log_external_span("t", name="call", model="openai/gpt-4o-mini", prompt_tokens=10, completion_tokens=5)
        assert ledger.costs.today().calls == number
        assert ledger.costs.by(("model",))[0].calls == number
    assert ledger.get_trace("t")["span_count"] == 3


FORKS = """
def record(who):
    for number in range(200):
        with ledger.span(f"{who} {number}", trace_id=f"trace of {who}"):
            pass

async def both():
    # Tasks and threads of one process, and a child that is forked in the middle of it all.
    threads = [threading.Thread(target=record, args=(f"thread {n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(record, f"task {n}") for n in range(2)))
    child = os.fork()
    if not child:
        record("child")
        if sys.argv[2] == "child exits hard":
            os._exit(0)
        sys.exit(0)
    record("parent")
    for thread in threads:
        thread.join()
    os.waitpid(child, 0)

import asyncio
ledger.log_external_span("before", name="before the fork")
if sys.argv[2] == "no event loop":
    child = os.fork()
    record("child" if not child else "parent")
    if not child:
        sys.exit(0)
    os.waitpid(child, 0)
    for n in range(2):
        record(f"thread {n}"), record(f"task {n}")
else:
    asyncio.run(both())
# The interpreter exits without close().
"""


@pytest.mark.parametrize("how", ["no event loop", "child exits hard"])
def test_after_fork_in_threads_and_tasks(how: str, tmp_path: Path) -> None:
    """B31: a program that records in threads, tasks and a forked child and never closes anything loses and doubles nothing."""
    ran(FORKS, tmp_path, how)
    with ledger_in(tmp_path) as ledger:
        ledger.prepare()
        assert ledger.flush()
        whose = ("thread 0", "thread 1", "task 0", "task 1", "child", "parent")
        counts = {who: ledger.get_trace(f"trace of {who}")["span_count"] for who in whose}
        assert counts == dict.fromkeys(whose, 200)
        ids = stored(ledger)
        assert len(ids) == len(set(ids)) == 6 * 200 + 1
        assert_sums_are_a_recount(ledger)
