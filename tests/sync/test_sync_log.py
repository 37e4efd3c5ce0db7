"""Real ledgers sync their registries through a server: the typed tables behind the same engine, through every accident."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import plan
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.records import Record, Stream
from ledger_tui.errors import LedgerError
from ledger_tui.store import sync_asides
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client, Remote
from ledger_tui.sync.engine import FAILPOINTS, Engine, Receipt
from ledger_tui.sync.local import LocalLog
from ledger_tui.sync.memory import MemoryServer

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_facts import ledgers as ledgers
from tests.sync.world import Bomb, Crash

BROKEN = "its hash does not fit its content"


def sync(ledger: Ledger, remote: Remote, bomb: Bomb | None = None, streams: tuple[Stream, ...] = ("meta",)) -> Receipt:
    """One sync of a ledger's registry."""
    log: LocalLog = LedgerLog(ledger.database)
    return Engine(log, remote, Client("here", "1"), streams=streams, at=bomb or Bomb(None)).sync()


def _deed(ledger: Ledger, chance: random.Random) -> None:
    """Something a person does, as far as it can be done."""
    registry, name = ledger.door.registry, chance.choice(["a", "team/b"])
    deeds: list[Callable[[], object]] = [
        lambda: ledger.save(name, f"text {chance.randrange(6)}"),
        lambda: ledger.save(name, f"text {chance.randrange(6)}", labels=[chance.choice(["production", "staging"])]),
        lambda: registry.set_label(name, chance.choice(["production", "staging"]), 1),
        lambda: registry.set_field(name, "description", f"words {chance.randrange(9)}"),
        lambda: registry.keep_inputs(name, "usual", {"n": chance.randrange(9)}),
        lambda: registry.remove_label(name, "staging"),
        registry.undo,
        lambda: ledger.door.budgets.set(str(chance.randint(1, 9)), "day", prompt=name),
    ]
    try:
        chance.choice(deeds)()
    except LedgerError:
        pass  # There is no such prompt yet, or nothing to take back.


@pytest.mark.parametrize("seed", range(2))
def test_i8_i14_i15_registries_agree_after_any_life(ledgers: Callable[[], Ledger], seed: int) -> None:
    """Three real ledgers work apart, die in their syncs and see the server restored: at rest all hold the same facts and show
    the same, which is what the facts say."""
    chance, server = random.Random(seed), MemoryServer()
    three = [ledgers() for _ in range(3)]
    remotes = [server.remote(str(n), "maintainer") for n in range(3)]
    crashes = 0
    for _ in range(25):
        who = chance.randrange(3)
        _deed(three[who], chance)
        if chance.random() < 0.5:
            try:
                sync(three[who], remotes[who], Bomb(chance.choice(FAILPOINTS)) if chance.random() < 0.5 else None)
            except Crash:
                crashes += 1
        if chance.random() < 0.08:
            server.restore(int(len(server.commits) * chance.random()), announced=chance.random() < 0.5)
    receipts = [sync(three[who], remotes[who]) for _ in range(3) for who in range(3)]
    assert crashes and len({receipt.agreed for receipt in receipts[-3:]}) == 1 and receipts[-1].agreed is not None
    rows = {row.record.rid: row.record for row in server.histories["meta"].rows}
    for ledger in three:
        assert {record.rid: record for record in ledger.facts()} == rows, "I1 I15 I16"
        assert ledger.folds() == three[0].folds() == ledger.rebuilt(), "I8 I14 I19"


def test_f10_l2_refused_facts_count_for_nothing_and_block_nothing(ledgers: Callable[[], Ledger]) -> None:
    """A protected label that this account may not move is set aside and no longer shown; everything else goes, and the next
    sync is quiet. When a maintainer's ledger brings such a fact, it counts."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada")
    mine.save("p", "one")
    mine.door.registry.set_label("p", "production", 1)
    mine.save("p", "two")
    receipt = sync(mine, remote)
    assert [refusal.why for refusal in receipt.refused] == ["this account may not write it"] and not receipt.agreed
    assert mine.door.registry.prompt("p").labels == () and mine.folds() == mine.rebuilt()
    assert sync(mine, remote).refused == () and LedgerLog(mine.database).waiting("meta") == 0


def test_f16_f19_bad_facts_are_kept_apart_and_newer_ones_inside(ledgers: Callable[[], Ledger]) -> None:
    """What cannot be a fact is in quarantine, once, with its reason and its bytes; what is newer than this release is kept."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    remote = server.remote("ada", "maintainer")
    theirs.save("p", "one")
    label = next(record for record in theirs.facts() if record.kind == "label")
    bad = Record("meta", "bad", "label", canonical_json({**label.content(), "value": '"nowhere"'}))
    newer = Record("meta", "newer", "hologram", '{"rv":1}')
    remote.push("meta", [bad, newer, *theirs.facts()], START)
    receipt = sync(mine, remote)
    assert (receipt.quarantined, receipt.unread, receipt.agreed) == (1, 1, None)
    server.restore(1, announced=True)
    assert sync(mine, remote).quarantined == 1 and mine.folds() == theirs.folds()
    with mine.database.lean() as lean:
        kept = sync_asides.asides(lean)
    assert [(one.rid, one.why) for one in kept] == [("bad", "it points to a version that is not here")]
    assert json.loads(kept[0].raw or "")["body"] == bad.body and newer in mine.facts()


def test_f7_i11_members_keep_what_a_restored_server_lost_and_only_a_maintainer_may_write(
    ledgers: Callable[[], Ledger],
) -> None:
    """A move of production and a purge that a restored server lost count on for members, who may not bring them back and are told
    so; equality is not claimed meanwhile. A maintainer's exchange brings them back, and everybody agrees."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    maintainer, member = server.remote("ada", "maintainer"), server.remote("bob")
    theirs.save("p", "one", labels=["production"])
    theirs.save("p", "two")
    sync(theirs, maintainer)
    before = len(server.commits)
    theirs.door.registry.set_label("p", "production", 2)
    sync(theirs, maintainer)
    sync(mine, member)
    server.restore(before, announced=False)
    receipt = sync(mine, member)
    assert [one.why for one in receipt.refused] == ["this account may not write it"] and receipt.agreed is None
    assert mine.door.registry.version("p", "production").number == 2 and mine.folds() == mine.rebuilt()
    with mine.database.lean() as lean:
        assert [one.why for one in sync_asides.asides(lean)] == [plan.LOST]
    assert sync(mine, member).agreed is None
    sync(theirs, maintainer)
    assert sync(mine, member).agreed and LedgerLog(mine.database).set_aside() == 0
    assert theirs.folds() == mine.folds() == mine.rebuilt()


def test_what_is_forgotten_in_quarantine_is_known_as_removed(ledgers: Callable[[], Ledger]) -> None:
    """After a damaged record that came was forgotten, both ends count as equal, and comparing them says so."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    bad = Record("telemetry", ids.new_id(), "span", '{"cost_nusd":7,"rv":1}')
    remote.push("telemetry", [bad], START)
    assert sync(mine, remote, streams=("telemetry",)).agreed is None
    with mine.database.lean_write() as lean:
        sync_asides.remove(lean, [one.key for one in sync_asides.asides(lean)])
    assert sync(mine, remote, streams=("telemetry",)).agreed
    engine = Engine(LedgerLog(mine.database), remote, Client("here", "1"), streams=("telemetry",))
    assert engine.verify() == []


def test_l2_a_label_whose_version_comes_later_is_taken_then(ledgers: Callable[[], Ledger]) -> None:
    """A label that came while its version was damaged waits in quarantine; when the version comes whole, it points there, and
    nothing is set aside any more. After the server was wiped meanwhile it has the number of the new history."""
    for wiped in (False, True):
        server, mine, theirs = MemoryServer(), ledgers(), ledgers()
        remotes = [server.remote(name, "maintainer") for name in ("ada", "bob")]
        theirs.save("p", "one")
        theirs.door.registry.set_label("p", "staging", 1)
        sync(theirs, remotes[1])
        history = server.histories["meta"].rows
        place = next(n for n, row in enumerate(history) if row.record.kind == "version")
        whole = history[place]
        history[place] = replace(whole, record=replace(whole.record, body=whole.record.body + " "))
        assert sync(mine, remotes[0]).quarantined == 3, "the version, the active label and staging"
        if wiped:
            server.wipe()
            sync(theirs, remotes[1])
        else:
            history[place] = whole
            body = canonical_json({**whole.record.content(), "base": [whole.record.rid]})
            again = Record("meta", ids.new_id(), "version", body)
            remotes[1].push("meta", [again], server.histories["meta"].end)
        sync(mine, remotes[0]), sync(theirs, remotes[1])
        assert (
            mine.folds() == theirs.folds() == mine.rebuilt() and mine.door.registry.version("p", "staging").number == 1
        )
        with mine.database.lean() as lean:
            assert [one.why for one in sync_asides.asides(lean)] == ([] if wiped else [BROKEN])
            numbers = dict(lean.fetch("SELECT rid, commit_seq FROM journal"))
        assert {row.record.rid: row.seq for row in server.histories["meta"].rows}.items() >= numbers.items()
