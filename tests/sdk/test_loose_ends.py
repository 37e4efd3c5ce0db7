"""What records inherit from the span they are made in, what reads know, and what a clock that jumps does."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.trace_tree import Mark
from ledger_tui.settings import Settings
from ledger_tui.store import spool

from tests.sdk.seen import outline
from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, program, ran, stored


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


NOW = datetime.now(UTC)
JUMPS = [
    NOW,
    NOW - timedelta(days=3650),
    NOW + timedelta(days=3650),
    NOW,
    NOW + timedelta(days=3650),
    NOW - timedelta(days=3650),
]


def test_a_clock_that_jumps(ledger: PromptLedger) -> None:
    """B33: with a clock that jumps ten years to and fro, ids are unique, rows are in the order of recording, nothing lasts less
    than no time, and the steps whose clock was wrong say so.
    """
    made: list[str] = []

    def record(number: int) -> None:
        for _ in range(20):
            made.append(
                ledger.log_external_span(
                    name=f"jump {number}", model="openai/gpt-4o-mini", prompt_tokens=1, completion_tokens=1
                )
            )

    with ledger.trace("work", trace_id="t") as trace:
        for number, moment in enumerate(JUMPS):
            with clock.moved(moment), ledger.span(f"step {number}") as step:
                record(number)
            made.append(step.span_id)
    made.append(trace.span_id)
    assert ledger.flush()
    assert len(set(made)) == len(made)
    ended = [one for one in stored(ledger) if one != trace.span_id]
    assert ended == made[:-1]
    tree = ledger.traces.tree("t")
    rows = tree.rows()
    assert all(row.duration_us is None or row.duration_us >= 0 for row in rows)
    skewed = {tree.row(line).name: mark for line, mark in tree.marks.items()}
    assert {name: mark for name, mark in skewed.items() if name.startswith("step")} == {
        "step 1": Mark.EARLY, "step 2": Mark.FUTURE, "step 4": Mark.FUTURE, "step 5": Mark.EARLY,
    }  # fmt: skip
    assert_sums_are_a_recount(ledger)
    with ledger.database.lean() as lean:
        assert lean.one("SELECT sum(calls) FROM daily_costs") == (120,)


JUMPING = """
from datetime import UTC, datetime, timedelta
from ledger_tui.domain import clock
now = datetime.now(UTC)
trace = ledger.trace("work", trace_id="t").begin()
ledger._recorder.spooler._writer.finish()  # The files that follow have names of another time.
with clock.moved(now - timedelta(days=3650)):
    trace.end()
    ledger.log_external_span("t", name="last")
    os.kill(os.getpid(), 9)
"""


def test_files_of_a_clock_that_jumped_are_read_in_any_order(tmp_path: Path) -> None:
    """When the end of a step is read before its beginning, the step has ended once and nothing runs."""
    ledger = ledger_in(tmp_path)
    ledger.prepare()
    with ledger.database.session():  # The program can store nothing itself: everything waits in its files.
        program(JUMPING, tmp_path).wait(60)
    ledger.prepare()
    assert ledger.flush()
    (work,) = [row for row in ledger.traces.tree("t").rows() if row.name == "work"]
    assert (work.status, work.error_type, work.flags) == ("succeeded", None, 0)
    assert ledger.traces.trace("t").open_count == 0
    assert_sums_are_a_recount(ledger)
    ledger.close()


class SlowDisk:
    """Another writer whose every commit takes 50 ms, as on a disk that is slow to say that it has written."""

    def __init__(self, ledger: PromptLedger) -> None:
        self._ledger = ledger
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        connection = sqlite3.connect(self._ledger.database.path or "", isolation_level=None, timeout=30)
        while not self._over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            self._over.wait(0.05)
            connection.execute("COMMIT")
            self._over.wait(0.005)
        connection.close()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._thread.join()


def test_a_slow_disk_and_a_full_queue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """B32: faster than the disk takes it, and with a full queue, recording waits, which is counted and said; all of it arrives."""
    ledger = ledger_in(tmp_path, settings=Settings(spool_mb=1))
    ledger.prepare()
    count, text = 3_000, "word " * 200
    with caplog.at_level(logging.WARNING, "ledger_tui.spool"), SlowDisk(ledger):
        for number in range(count):
            ledger.log_external_span("t", name="n", span_id=f"s{number}", input_data=text)
        state = ledger.spool_state()
        assert state["written"] == count and state["refused"] == 0
        assert state["waits"] > 0 and "is full, recording waits" in caplog.text
        assert spool.total_bytes(ledger.paths.spool) <= 1024 * 1024
        assert ledger.flush()
    assert stored(ledger) == [f"s{number}" for number in range(count)]
    assert ledger.spool_state()["drained"] == count
    assert_sums_are_a_recount(ledger)
    ledger.close()
