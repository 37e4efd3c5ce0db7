"""Records that say what no table can hold: each is refused alone, and everything else arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.records import PURGED, Delivered, Record, Stream
from ledger_tui.errors import DatabaseFull, InputError
from ledger_tui.store import sync_asides, sync_careful
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.store.sync_standing import Taken

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_facts import ledgers as ledgers

HUGE = 10**30
NOW = 1_795_000_000_000_000
USAGE: Mapping[str, Any] = {"created_us": NOW, "rv": 1}
EXECUTION: Mapping[str, Any] = {
    "created_us": NOW, "ended_us": NOW, "model": "m", "provider": "p", "rv": 1, "status": "succeeded",
}  # fmt: skip
SPAN: Mapping[str, Any] = {
    "duration_us": 1, "kind": "llm", "model": "m", "rv": 1, "span_id": "s", "started_us": NOW, "status": "succeeded",
    "trace_id": "t", "unpriced": True,
}  # fmt: skip
LATE: Mapping[str, Any] = {
    "at_us": NOW, "cost_nusd": 1, "fact_rid": "f", "rv": 1, "span_id": "s", "span_rid": "r", "trace_id": "t",
}  # fmt: skip
PRICE = {
    "from_us": 1,
    "model": "m",
    "prices": {"input": "1", "output": "1"},
    "provider": "p",
    "source": "",
    "until_us": None,
}
BUDGET = {"limit_usd": "1", "period": "day", "scope": {}, "warn_percent": 80}


def fact(kind: str, field: str, value: str, **more: Any) -> tuple[Stream, str, str]:
    """A registry fact; ``value`` is a text of JSON."""
    content = {
        "action": "a", "actor": "eve", "at_us": NOW, "base": [], "device": "d", "field": field, "reason": "", "rv": 1,
        "value": value, **more,
    }  # fmt: skip
    return "meta", kind, json.dumps(content, sort_keys=True, separators=(",", ":"))


def numbers(kind: str, usual: Mapping[str, Any], **changed: Any) -> tuple[Stream, str, str]:
    """A record of telemetry."""
    return "telemetry", kind, json.dumps({**usual, **changed}, sort_keys=True, separators=(",", ":"))


BAD = [
    numbers("usage", USAGE, created_us=HUGE),
    numbers("usage", USAGE, created_us=2**62),
    numbers("usage", USAGE, created_us=-62_135_596_800_000_001),
    *(
        numbers("execution", EXECUTION, **{name: HUGE})
        for name in ("created_us", "ended_us", "attempts", "latency_us", "input_tokens", "cost_nusd", "first_token_us")
    ),
    numbers("execution", EXECUTION, created_us=-(2**60)),
    numbers("span", SPAN, flags=HUGE),
    numbers("span", SPAN, started_us=-3 * 10**17),
    numbers("late_price", LATE, cost_nusd=2**62),
    numbers("late_price", LATE, at_us=HUGE),
    fact("field", "description", r'"\ud800"', prompt="mail/x"),
    fact("field", "team", r'"\ud800"', prompt="mail/x"),
    fact("budget", "b", json.dumps({**BUDGET, "warn_percent": HUGE})),
    fact("budget", "b", json.dumps({**BUDGET, "scope": {"prompt": "\ud800"}})),
    fact("price", "p", json.dumps({**PRICE, "source": None})),
    ("meta", "purge", "not json"),
    ("meta", "purge", "[1]"),
    ("meta", "purge", "[" * 100_000 + "]" * 100_000),
    fact("label", "production", '"v"', prompt="\ud800"),
    fact("label", "\ud800", '"v"', prompt="mail/x"),
]


def delivered(stream: Stream, kind: str, body: str, seq: int, **more: Any) -> Delivered:
    """A record as a server hands it out."""
    record = Record(stream, ids.new_id(), kind, body)
    return Delivered(record, seq, **{"hash": record.hash, **more})


def good(stream: Stream, seq: int) -> Delivered:
    """A record that nothing is wrong with."""
    if stream == "telemetry":
        return delivered(*numbers("usage", USAGE), seq)
    kind, body = fact("field", "description", '"words"', prompt="mail/x")[1:]
    return delivered(stream, kind, canonical_json(json.loads(body)), seq)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad[1]} {bad[2][:60]}")
def test_f16_what_no_table_can_hold_is_refused_alone(
    ledgers: Callable[[], Ledger], bad: tuple[Stream, str, str]
) -> None:
    """A record that says what cannot be goes to quarantine, the one behind it is taken, and the cursor moves past both."""
    log, stream = LedgerLog(ledgers().database), bad[0]
    rows = [good(stream, 1), delivered(*bad, 2), good(stream, 3)]
    applied = log.apply(stream, START, rows, Position(3, "c"), lambda point: None)
    assert (applied.new, applied.quarantined) == (2, 1)
    assert log.state().cursor(stream) == Position(3, "c")
    assert log.set_aside() == 1


def test_b44_a_purged_record_with_a_hash_that_is_none_is_refused(ledgers: Callable[[], Ledger]) -> None:
    """A server that hands out a blanked record under a hash that cannot be one stops nothing."""
    log = LedgerLog(ledgers().database)
    rows = [
        delivered("bodies", "text", PURGED, 1, hash="no hash"),
        delivered("bodies", "text", PURGED, 2, hash="0" * 64),
    ]
    applied = log.apply("bodies", START, rows, Position(2, "c"), lambda point: None)
    assert (applied.quarantined, applied.known) == (1, 1)


def test_what_breaks_in_the_tables_is_found_by_halves(ledgers: Callable[[], Ledger]) -> None:
    """Whatever a table will not hold, although the checks let it through, is refused alone, and nothing of it stays."""
    ledger = ledgers()

    def keep(lean: Any, rows: Any) -> Taken:
        for row in rows:
            lean.execute("INSERT INTO workspace (key, value) VALUES (:key, '1')", {"key": f"test.{row.seq}"})
            lean.execute("UPDATE workspace SET value = :value WHERE key = :key", {
                "key": f"test.{row.seq}", "value": HUGE if row.seq in (3, 7) else "2",
            })  # fmt: skip
        return Taken(new=len(rows))

    with ledger.database.lean_write() as lean:
        taken = sync_careful.take(lean, [good("telemetry", seq) for seq in range(10)], keep)
        kept = lean.fetch("SELECT key FROM workspace WHERE key LIKE 'test.%'")
    assert taken.new == 8 and [row.seq for row, _ in taken.refused] == [3, 7] and len(kept) == 8


@pytest.mark.parametrize("error", [DatabaseFull("no room"), KeyboardInterrupt(), MemoryError()])
def test_what_is_wrong_with_the_ledger_is_no_records_fault(ledgers: Callable[[], Ledger], error: BaseException) -> None:
    """A full disk or an end by a signal ends the exchange and puts nothing into quarantine."""

    def breaks(lean: Any, rows: Any) -> Taken:
        raise error

    ledger = ledgers()
    with pytest.raises(type(error)), ledger.database.lean_write() as lean:
        sync_careful.take(lean, [good("telemetry", 1)], breaks)
    with ledger.database.lean() as lean:
        assert sync_asides.count_asides(lean) == 0


def test_what_domain_rules_refuse_is_a_records_fault(ledgers: Callable[[], Ledger]) -> None:
    """A record that a rule of the ledger refuses late is refused like one that is refused at once."""

    def refuses(lean: Any, rows: Any) -> Taken:
        raise InputError("no such thing")

    with ledgers().database.lean_write() as lean:
        assert len(sync_careful.take(lean, [good("telemetry", 1)], refuses).refused) == 1
