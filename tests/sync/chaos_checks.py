"""What must hold when the chaos is over, by the names of the invariants."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ledger_tui import PromptLedger
from ledger_tui.domain.sync import chain, conflicts, lineage, records
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.conflicts import Fact
from ledger_tui.domain.sync.records import STREAMS, Delivered, Record, Stream
from ledger_tui.paths import Paths
from ledger_tui.store import (
    folds,
    open_spans,
    recount,
    sync_asides,
    sync_facts,
    sync_telemetry,
    sync_texts,
    telemetry,
)
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.store.sync_standing import ASIDE
from ledger_tui.sync.door import Client, Page
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.engine import Engine, Receipt
from ledger_tui.sync.postgres import PostgresRemote

from tests.sync.real_lives import ADDED_UP, SHOWN

if TYPE_CHECKING:
    from tests.sync.chaos import Chaos, Device


@contextmanager
def opened(device: Device) -> Iterator[PromptLedger]:
    """A device's ledger, with what its killed programs left taken in and nothing running any more."""
    ledger = PromptLedger(paths=Paths(data=device.folder / "data", config=device.folder / "config"), environment="test")
    ledger.prepare()
    assert ledger.flush(60.0)
    with ledger.database.lean_write() as lean:
        for one in open_spans.listed(lean):
            found = open_spans.stored(lean, one.key)
            assert found is not None
            telemetry.end_span(lean, one.key, open_spans.as_interrupted(*found))
    try:
        yield ledger
    finally:
        ledger.close()


def engine(chaos: Chaos, device: Device, ledger: PromptLedger) -> Engine:
    """A sync past the line that goes wrong."""
    remote = PostgresRemote(Target(chaos.address(device, direct=True)), chaos.shared.workspace)
    streams: tuple[Stream, ...] = STREAMS if chaos.texts else ("meta", "telemetry")
    return Engine(LedgerLog(ledger.database), remote, Client(device.account, "1"), streams=streams)


def settle(chaos: Chaos, device: Device) -> Receipt:
    """One undisturbed sync of a device."""
    with opened(device) as ledger:
        one = engine(chaos, device, ledger)
        try:
            return one.sync()
        finally:
            one.remote.close()


def check(chaos: Chaos) -> None:
    """Everybody syncs until all are equal, then each invariant is asked for."""
    for _ in range(3):
        receipts = [settle(chaos, device) for device in chaos.devices]
    mine = [receipt.agreed for receipt in receipts if receipt.agreed is not None]
    assert mine and len(set(mine)) == 1, f"I14: all say the same four digits: {receipts}"
    reader = PostgresRemote(Target(chaos.shared.url), chaos.shared.workspace)
    pages = {stream: history(reader, stream) for stream in STREAMS}
    reader.close()
    server = {stream: [row for page in pages[stream] for row in page.rows] for stream in STREAMS}
    check_server(pages)
    check_conflicts([row.record for row in server["meta"]])
    if not chaos.texts:
        check_home(chaos)
    shown: list[Any] = []
    held: set[str] = set()
    for device in chaos.devices:
        with opened(device) as ledger:
            shown.append(check_device(chaos, device, ledger, server))
            held |= records_of(ledger).keys()
    rids = {row.record.rid for stream in STREAMS for row in server[stream]}
    assert rids <= held, "I16 no-ghosts: the server has what no ledger has"
    for one in shown[1:]:
        for table in one:
            assert one[table] == shown[0][table], f"I14 I17 I19: {table}: {_apart(one[table], shown[0][table])}"
    check_notes(chaos, server, held)


def history(remote: PostgresRemote, stream: Stream) -> list[Page]:
    """What the server has, a page for each push."""
    pages: list[Page] = []
    while not pages or pages[-1].more:
        pages.append(remote.pull(stream, pages[-1].upto if pages else START, 1))
    return [page for page in pages if page.rows]


def check_server(pages: dict[Stream, list[Page]]) -> None:
    """I2 to I5 of the server's histories."""
    for stream, found in pages.items():
        rows = [row for page in found for row in page.rows]
        assert len({row.record.rid for row in rows}) == len(rows), "I4 no-dup"
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "I2 dense"
        link, known = "", set()
        for page in found:
            link = chain.extend(link, [row.hash for row in page.rows])
            assert page.upto.chain == link, f"I3 chain of {stream}"
        for row in rows:
            assert records.fault(row.record, row.hash) is None, "I1 no-edit: a record is not what its hash says"
            version = records.version_of(row.record)
            if version is not None:
                assert set(version[1]) <= known, "I5 parents-first"
                known.add(version[0])


def check_conflicts(meta: list[Record]) -> None:
    """I18: every version is reachable from a head, and some candidate always stands."""
    versions: dict[str, list[lineage.VersionFact]] = {}
    registers: dict[tuple[str, str, str], list[Fact]] = {}
    for place, record in enumerate(meta):
        content = record.content()
        if record.kind == "version":
            base = json.dumps(content["base"])
            made = lineage.VersionFact.of_row(
                record.rid, content["field"], content["value"], base, place, place, content["device"]
            )
            versions.setdefault(content["prompt"], []).append(made)
        elif record.kind in ("label", "field"):
            value = Fact(record.rid, content["value"], tuple(content["base"]), place, place)
            registers.setdefault((content["prompt"], record.kind, content["field"]), []).append(value)
    for prompt, facts in versions.items():
        tree = lineage.versions(facts)
        assert tree is not None
        below = {fact.rid: fact.base or () for fact in facts}
        reached, left = set(), list(tree.candidates)
        while left:
            one = left.pop()
            if one not in reached and one in below:
                reached.add(one)
                left += below[one]
        assert reached == set(below), f"I18 both-kept: {prompt}"
    for (_, kind, field), facts in registers.items():
        found = conflicts.register(facts, protected=conflicts.is_protected(kind, field))
        assert found is not None and found.candidates, "I18: somebody's value always stands"


def check_home(chaos: Chaos) -> None:
    """I12: no text is in any table of the server, nor in its log, while nobody shares one."""
    tables = chaos.shared.run("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'sync'")
    for (table,) in tables:
        found = chaos.shared.run(f"SELECT COUNT(*) FROM {table} x WHERE x::text LIKE '%canary%'")
        assert found == [(0,)], f"I12 bodies-stay-home: {table}"
    assert "canary" not in chaos.server.log.read_text(errors="replace"), "I12 bodies-stay-home: the server's log"


def records_of(ledger: PromptLedger) -> dict[str, tuple[Record, int | None]]:
    """Every finished record of a ledger, with where it stands."""
    found: dict[str, tuple[Record, int | None]] = {}
    with ledger.database.lean() as lean:
        facts = [row[0] for row in lean.fetch("SELECT rid FROM journal")]
        found.update((fact.record.rid, (fact.record, fact.commit_seq)) for fact in sync_facts.facts_of(lean, facts))
        for shelf in (*sync_telemetry.MY_SHELVES, *sync_texts.MY_SHELVES):
            for held in (*shelf.pending(lean, 10**6), *shelf.accepted(lean, None, 10**6)):
                found[held.record.rid] = (held.record, held.commit_seq)
    return found


def refused_of(device: Device) -> set[str]:
    """Records that the server would not take from this device, which keeps them for itself."""
    with opened(device) as ledger:
        return {rid for rid, (_, standing) in records_of(ledger).items() if standing == ASIDE}


def check_device(chaos: Chaos, device: Device, ledger: PromptLedger, server: dict[Stream, list[Delivered]]) -> Any:
    """I1, I6 to I9, I13, I17 and L1 of one ledger; what it shows."""
    name, database = device.account, ledger.database
    with database.lean() as lean:
        assert lean.fetch("PRAGMA integrity_check") == [("ok",)] and not lean.fetch("PRAGMA foreign_key_check"), "I13"
        assert not any(recount.differences(lean).values()), f"I17: the sums of {name} equal no recount"
        aside = sync_asides.asides(lean)
    for path in device.database.parent.glob("ledger.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, f"I13: {path.name}"
    assert device.role == "member" or not aside, f"nothing is wrong with any record: {aside[:3]}"
    assert {one.why for one in aside} <= {"this account may not write it"}, f"{name}: {aside[:3]}"
    mine = records_of(ledger)
    for stream in STREAMS if chaos.texts else STREAMS[:2]:
        theirs = {row.record.rid: row.record for row in server[stream]}
        here = {rid: record for rid, (record, seq) in mine.items() if record.stream == stream and (seq or 0) >= 0}
        assert here == theirs, f"I1 I6 I7 I14: {name} {stream}: {_some(here, theirs)}"
        assert LedgerLog(database).waiting(stream) == 0, f"L1: {name} {stream}"
    one = engine(chaos, device, ledger)
    try:
        assert one.verify() == [], f"I14: {name} cannot prove it"
        again = one.sync()
        assert not again.did_something, f"I9 idempotent: {name} {again}"
        some = [row.record for row in server["telemetry"][:50]]
        answers = one.remote.push("telemetry", some, one.local.state().fence("telemetry"))
        assert {row.status for row in answers.rows} <= {"DUP"}, "I9 idempotent: a push again adds nothing"
    finally:
        one.remote.close()
    tables = {**SHOWN, **ADDED_UP, **({"daily_parties": "*"} if chaos.texts else {})}
    before = _shown(ledger, tables)
    with database.lean_write() as lean:
        folds.rebuild(lean)
    assert _shown(ledger, SHOWN) == {table: before[table] for table in SHOWN}, f"I8 view = fold(records): {name}"
    return before


def _some(mine: dict[str, Record], theirs: dict[str, Record]) -> str:
    only = [sorted(mine.keys() - theirs.keys())[:3], sorted(theirs.keys() - mine.keys())[:3]]
    other = [(mine[rid].body, theirs[rid].body) for rid in mine.keys() & theirs.keys() if mine[rid] != theirs[rid]][:1]
    return f"only here {only[0]}, only there {only[1]}, different {other}"


def _apart(mine: list[Any], theirs: list[Any]) -> str:
    return f"only there {sorted(set(mine) - set(theirs))[:4]}, only in the first {sorted(set(theirs) - set(mine))[:4]}"


def _shown(ledger: PromptLedger, tables: dict[str, str]) -> dict[str, list[Any]]:
    with ledger.database.lean() as lean:
        return {
            table: sorted(lean.fetch(f"SELECT {columns} FROM {table}"), key=repr) for table, columns in tables.items()
        }


def check_notes(chaos: Chaos, server: dict[Stream, list[Delivered]], held: set[str]) -> None:
    """I15 nothing-lost and I20 orphans, by what the programs noted; counts what they did."""
    facts, spans, runs = set(), set(), set()
    told: Counter[str] = Counter()
    for path in sorted(chaos.folder.glob("*.notes")):
        for line in path.read_text().split("\n")[:-1]:
            what, _, rest = line.partition(" ")
            told[what] += 1
            if what == "fact":
                facts.add(rest)
            elif what == "span":
                spans.add(tuple(rest.split("\t")))
            elif what == "run":
                runs.add(rest)
            elif what == "synced":
                told["resynced"] += rest != "0"
            elif what == "broke":
                raise AssertionError(f"a program broke: {rest}")
            elif what == "failed":
                told["failed: " + re.sub(r"\d+", "N", rest)[:60]] += 1
    chaos.counts.update({name: told[name] for name in told if name not in ("fact", "span", "run")})
    chaos.counts["noted"] += len(facts) + len(spans) + len(runs)
    there = {row.record.rid for row in server["meta"]}
    refused = facts & (held - there)
    lost = facts - there - refused - chaos.set_aside
    assert not lost, f"I15 nothing-lost: {len(lost)} of {len(facts)} facts: {sorted(lost)[:3]}"
    places = set()
    for row in server["telemetry"]:
        if row.record.kind == "span":
            content = json.loads(row.record.body)
            places.add((content["trace_id"], content["span_id"]))
    assert spans <= places, (
        f"I15 nothing-lost: {len(spans - places)} of {len(spans)} steps: {sorted(spans - places)[:3]}"
    )
    rids = {row.record.rid for row in server["telemetry"]}
    assert runs <= rids, f"I15 nothing-lost: {len(runs - rids)} of {len(runs)} runs"
