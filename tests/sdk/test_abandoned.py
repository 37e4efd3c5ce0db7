"""Steps that a program had begun when it was killed end; those of living programs, and real ends, are safe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord
from ledger_tui.services import abandoned, processes
from ledger_tui.store import open_spans, telemetry
from ledger_tui.store.database import Database

from tests.sdk.seen import named, outline
from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, program, until

BEGINS = """
with ledger.trace("work", trace_id="t"):
    with ledger.span("done"):
        pass
    ledger.span("open", live=True).begin()
    if sys.argv[2] == "stored":
        ledger.flush()
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A prepared ledger of the workspace that the programs write to."""
    with ledger_in(tmp_path) as opened:
        opened.prepare()
        yield opened


def statuses(ledger: PromptLedger, trace_id: str = "t") -> dict[str, tuple[str, str | None]]:
    """Status and type of error of each span by its name."""
    assert ledger.flush()
    key = ledger.traces.trace(trace_id).key
    return {row.name: (row.status, row.error_type) for row in ledger.traces.spans(key)}


@pytest.mark.parametrize("when", ["stored", "waiting in the spool"])
def test_what_a_killed_program_began_is_ended(when: str, tmp_path: Path, ledger: PromptLedger) -> None:
    """After kill -9 the steps that were running end as interrupted, at the last moment that is known, and so does the trace."""
    running = program(BEGINS, tmp_path, when)
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    running.kill()
    running.communicate()
    with ledger_in(tmp_path) as later:
        later.prepare()
        until(lambda: statuses(later)["open"][0] == "failed")
        gone = ("failed", "interrupted")
        assert statuses(later) == {"work": gone, "done": ("succeeded", None), "open": gone}
        trace = later.traces.trace("t")
        assert (trace.status, trace.error_count) == ("failed", 2)
        rows = {row.name: row for row in later.traces.spans(trace.key)}
        done, work = rows["done"], rows["work"]
        assert work.duration_us is not None and done.duration_us is not None
        assert work.started_us + work.duration_us >= done.started_us + done.duration_us
        assert work.started_us + work.duration_us == trace.ended_us
        assert named(later, "t", "open").payload.error == open_spans.WORDS
        assert_sums_are_a_recount(later)
        with later.database.lean() as lean:
            assert not open_spans.listed(lean)


def test_what_a_living_program_began_goes_on(tmp_path: Path, ledger: PromptLedger) -> None:
    """Opening the workspace beside a running program ends nothing; the program's own end is the one that counts."""
    running = program(BEGINS, tmp_path, "stored")
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    ledger.prepare()
    assert abandoned.end_abandoned(ledger.database, ledger.device(), has_all=True) == 0
    assert statuses(ledger) == {"work": ("running", None), "done": ("succeeded", None), "open": ("running", None)}
    running.communicate("")
    assert running.returncode == 0
    until(lambda: statuses(ledger)["work"] == ("succeeded", None))
    ledger.prepare()
    assert statuses(ledger)["open"] == ("failed", "interrupted")
    assert ledger.traces.trace("t").status == "failed"


def running(trace_id: str = "t", **fields: object) -> SpanRecord:
    """A step that runs."""
    values = {"name": "step", "kind": "llm", "status": "running", "started_us": clock.now_us(), "environment": "test"}
    return SpanRecord(trace_id, "s", **{**values, **fields})  # type: ignore[arg-type]


def begun_by(database: Database, owner: str, span: SpanRecord) -> int:
    """Store a running step of some process; its key."""
    with database.lean_write() as lean:
        return telemetry.write_spans(lean, [span], owner)[0]


ME = "device-1"
DEAD = f"{ME}:4194305:"
"""No process has so high a number."""


def sums(database: Database) -> list[tuple[object, ...]]:
    """What is kept of traces and days."""
    with database.lean() as lean:
        return [
            *lean.fetch(
                "SELECT status, open_count, error_count, span_count, input_tokens, cost_nusd, ended_us FROM traces"
            ),
            *lean.fetch("SELECT model, calls, errors, input_tokens, cost_nusd, duration_us FROM daily_costs"),
        ]


def test_a_real_end_wins(any_database: Database) -> None:
    """When the end of a step that was given up comes after all, everything is as if it had never been given up."""
    started = clock.now_us()
    step = running(model="m", provider="p", started_us=started, user_identifier="u", session_id="x")
    end = running(
        status="succeeded", model="m", provider="p", started_us=started, duration_us=7, output="done", cost_nusd=5,
        user_identifier="u", session_id="x",
    )  # fmt: skip
    begun_by(any_database, DEAD, step)
    with any_database.lean_write() as lean:
        telemetry.write_spans(lean, [running("other", model="m", provider="p", started_us=started, status="failed")])
    before = sums(any_database)
    assert abandoned.end_abandoned(any_database, ME) == 1
    assert sums(any_database) != before
    with any_database.lean_write() as lean:
        (key,) = telemetry.write_spans(lean, [end], DEAD)
        row = lean.one("SELECT status, error_type, duration_us, cost_nusd FROM spans WHERE id = :key", {"key": key})
        texts = lean.one("SELECT output, error FROM span_payloads WHERE span_key = :key", {"key": key})
    assert (row, texts) == (("succeeded", None, 7, 5), ("done", None))
    straight = sums(any_database)
    with any_database.lean_write() as lean:
        for table in ("spans_fts", "span_payloads", "open_spans", "spans", "traces", "daily_costs", "daily_parties"):
            lean.execute(f"DELETE FROM {table}")
        telemetry.write_spans(
            lean, [step, running("other", model="m", provider="p", started_us=started, status="failed")]
        )
        telemetry.write_spans(lean, [end])
    assert sums(any_database) == straight
    assert abandoned.end_abandoned(any_database, ME) == 0


def test_who_is_given_up(any_database: Database) -> None:
    """A dead process of this device: yes. A living one: never. Another device, or unknown processes: after a long lease."""
    owners = {
        "dead": (DEAD, True),
        "living": (processes.this_process(ME), False),
        "adopted by a living one": (processes.this_process(ME) + abandoned.ADOPTED, False),
        "adopted by a dead one": (DEAD + abandoned.ADOPTED, True),
        "another device": ("device-2:1:1.1", False),
        "another device, long ago": ("device-2:1:1.1", True),
    }
    for name, (owner, _) in owners.items():
        ago_us = abandoned.LEASE_US + 1_000_000 if "long ago" in name else 0
        begun_by(any_database, owner, running(name, started_us=clock.now_us() - ago_us))
    abandoned.end_abandoned(any_database, ME)
    with any_database.lean() as lean:
        ended = {row[0] for row in lean.fetch("SELECT trace_id FROM traces WHERE status = 'failed'")}
    assert ended == {name for name, (_, is_ended) in owners.items() if is_ended}
    assert abandoned.end_abandoned(any_database, ME, has_all=True) == 1


def test_a_step_without_an_owner_is_left_alone(any_database: Database) -> None:
    """Running steps that other doors wrote, and runs, which are told by their execution, are not this room's."""
    with any_database.lean_write() as lean:
        telemetry.write_spans(lean, [running()])
        assert not open_spans.listed(lean)
    assert abandoned.end_abandoned(any_database, ME, has_all=True) == 0


def test_steps_around_are_outlined(tmp_path: Path, ledger: PromptLedger) -> None:
    """A given-up trace keeps its shape."""
    started = program(BEGINS, tmp_path, "stored")
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n"
    started.kill()
    started.communicate()
    ledger.prepare()
    assert outline(ledger, "t") == [(0, "work"), (1, "done"), (1, "open")]
