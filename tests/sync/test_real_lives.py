"""Real ledgers with everything they share live through random lives; and what those lives found, one promise each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.records import Record
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.store import backup, open_spans, retention, telemetry
from ledger_tui.store.retention import Kinds
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.memory import MemoryRemote, MemoryServer

from tests.sync import real_lives
from tests.sync.real_lives import NOW_US, OPEN, Desk
from tests.sync.real_mutants import MUTANTS
from tests.sync.test_sync_telemetry import call


@pytest.fixture
def desks(tmp_path: Path) -> Callable[[], Desk]:
    """Makes ledgers that share everything."""
    made: list[Desk] = []

    def make(rules: Sharing = OPEN) -> Desk:
        made.append(Desk(tmp_path / str(len(made)), len(made)))
        made[-1].share(rules)
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def engine(desk: Desk, remote: MemoryRemote, at: Callable[[str], object] = lambda _: None) -> Engine:
    """A sync of what a ledger's rules share."""
    return Engine(LedgerLog(desk.database), remote, Client("here", "1"), streams=desk.sharing().streams, at=at)


def record(desk: Desk, *spans: object, owner: str | None = None) -> None:
    """Steps happen."""
    with desk.database.lean_write() as lean:
        telemetry.write_spans(lean, spans, owner)


def copied(source: Desk, target: Desk) -> None:
    """Another machine goes on with a copy of a ledger's file."""
    target.close()
    for path in target.paths.data.glob("ledger.db*"):
        path.unlink()
    backup.copy(source.paths.database, target.paths.database)
    target.open()


@pytest.mark.parametrize("seed", range(6))
def test_i1_to_i17_hold_in_lives_of_real_ledgers(seed: int, tmp_path: Path) -> None:
    """Nothing is lost, doubled or summed differently whatever happens to ledgers that share calls, runs, prices and texts."""
    assert real_lives.story(tmp_path, seed)["sync"] > 15


FOUND_IN = {"cursor_first": 22, "bodies_not_compared": 8, "pending_stays": 8, "settle_everybody": 4}


@pytest.mark.long
@pytest.mark.parametrize("fault", MUTANTS)
def test_mutation_gate_of_the_real_local_end(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault planted in the tables' side of a sync is found by lives that the right parts pass (the test above)."""
    MUTANTS[fault](monkeypatch)
    # The life that found it first when it was looked for, then others.
    for seed in (FOUND_IN.get(fault, 0), *range(40)):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        try:
            real_lives.story(folder, seed)
        except Exception:
            return
    pytest.fail(f"the fault {fault} went through unseen")


def test_f11_both_copies_of_a_ledger_end_what_ran_in_it(desks: Callable[[], Desk]) -> None:
    """A ledger is copied while a step runs: one copy gives the step up, the other one ends it. Both records stay, its real end
    counts once on both, and nobody's sync is stuck over two records of one id."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    engine(mine, remotes[0]).sync()
    record(mine, call("t", "a", status="running", duration_us=None), owner="here:1:1")
    copied(mine, theirs)
    theirs.give_up_all()
    record(mine, call("t", "a"))
    for first, second in ((theirs, mine), (mine, theirs)):
        for desk in (first, second):
            engine(desk, remotes[desk.number]).sync()
    receipts = [engine(desk, remotes[desk.number]).sync() for desk in (mine, theirs)]
    for desk, receipt in zip((mine, theirs), receipts, strict=True):
        assert desk.rows("SELECT status, cost_nusd FROM spans") == [("succeeded", 7_500)]
        assert receipt.agreed and engine(desk, remotes[desk.number]).verify() == []
    assert len(server.histories["telemetry"].rows) == 2


def test_f11_a_real_end_that_a_wiped_server_had_is_still_one(desks: Callable[[], Desk]) -> None:
    """Several ledgers hold the real end of a step when the server is wiped, and a copy that gave the step up is the first to come
    back, with a record of the same id: the real end goes under another one, the same for all of them, and counts once."""
    server, mine, theirs, third = MemoryServer(), desks(), desks(), desks()
    remotes = [server.remote(name, "maintainer") for name in ("ada", "bob", "eve")]
    engine(mine, remotes[0]).sync()
    record(mine, call("t", "a", status="running", duration_us=None), owner="here:1:1")
    copied(mine, theirs)
    theirs.give_up_all()
    record(mine, call("t", "a"))
    for desk in (mine, third, mine, third):
        engine(desk, remotes[desk.number]).sync()
    server.wipe()
    for _ in range(3):
        for desk in (theirs, third, mine):
            receipt = engine(desk, remotes[desk.number]).sync()
    assert receipt.agreed
    for desk in (mine, theirs, third):
        assert desk.rows("SELECT status, cost_nusd FROM spans") == [("succeeded", 7_500)]
    assert (
        mine.shown({"daily_parties": "*"})
        == third.shown({"daily_parties": "*"})
        == theirs.shown({"daily_parties": "*"})
    )


def test_f11_two_copies_that_give_one_step_up_agree_on_one_end(desks: Callable[[], Desk]) -> None:
    """Both copies of a ledger give up the step that ran in it, at different moments: the sums of both are the same."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    engine(mine, remotes[0]).sync()
    record(mine, call("t", "a", status="running", duration_us=None), owner="here:1:1")
    copied(mine, theirs)
    record(theirs, call("t", "later", started_us=NOW_US + 60_000_000, cost_nusd=1))
    for desk in (mine, theirs):
        desk.give_up_all()
    for _ in range(3):
        for desk in (theirs, mine):
            receipt = engine(desk, remotes[desk.number]).sync()
    assert receipt.agreed and mine.shown(real_lives.ADDED_UP) == theirs.shown(real_lives.ADDED_UP)


def test_f11_both_copies_end_a_run_and_the_first_accepted_counts(desks: Callable[[], Desk]) -> None:
    """A run that was under way when its ledger was copied and ended on both machines is one run, as the server took it first."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    engine(mine, remotes[0]).sync()
    with mine.database.lean_write() as lean:
        row = {"id": ids.new_id(), "provider": "offline", "model": "offline", "status": "running", "created_us": NOW_US}
        usual = {
            "params": "{}",
            "messages": "[]",
            "response_metadata": "{}",
            "mode": "sync",
            "attempts": 1,
            "environment": "",
        }
        telemetry.insert(lean, "executions", {**row, **usual})
    copied(mine, theirs)
    for desk, status in ((mine, "succeeded"), (theirs, "failed")):
        with desk.database.lean_write() as lean:
            telemetry.update_running(lean, "executions", row["id"], {"status": status, "ended_us": NOW_US + 5})
    for _ in range(2):
        for desk in (mine, theirs):
            receipt = engine(desk, remotes[desk.number]).sync()
    assert receipt.agreed
    assert (
        mine.rows("SELECT status FROM executions") == theirs.rows("SELECT status FROM executions") == [("succeeded",)]
    )


def test_b17_steps_of_others_with_the_same_ids_do_not_end_ours(desks: Callable[[], Desk]) -> None:
    """Another ledger's step that uses the ids of one that runs here stands beside it, and every sum is the same on both."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    record(mine, call("run", "1", status="running", duration_us=None, started_us=NOW_US - 5), owner="here:1:1")
    record(theirs, call("run", "1", cost_nusd=9))
    engine(theirs, remotes[1]).sync()
    engine(mine, remotes[0]).sync()
    record(mine, call("run", "1", cost_nusd=4))
    for desk in (mine, theirs, mine):
        receipt = engine(desk, remotes[desk.number]).sync()
    assert receipt.agreed and mine.shown(real_lives.ADDED_UP) == theirs.shown(real_lives.ADDED_UP)
    assert sorted(mine.rows("SELECT cost_nusd FROM spans")) == [(4,), (9,)]


@pytest.mark.parametrize("sharing", [OPEN, Sharing()])
def test_i17_what_a_page_names_is_there_before_it_is_taken(desks: Callable[[], Desk], sharing: Sharing) -> None:
    """A colleague sends a prompt, its run and its texts while we stand between two streams: the render is counted for its prompt
    and the texts are with their calls here too."""
    server, mine, theirs = MemoryServer(), desks(sharing), desks(sharing)
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    chance = random.Random(1)

    def send(after: str) -> Callable[[str], object]:
        left = [after]

        def at(point: str) -> None:
            if left and point == left[0]:
                left.clear()
                theirs.door.registry.save(f"p{chance.random()}", real_lives.PromptContent.of_text("text"))
                record(theirs, call("t", f"s{chance.random()}"))
                for _ in range(4):
                    theirs._run(chance)
                engine(theirs, remotes[1]).sync()

        return at

    record(theirs, call("t", "first"))
    engine(theirs, remotes[1]).sync()
    for point in ("pull.applied", "pull.received", "between"):
        engine(mine, remotes[0], send(point)).sync()
    engine(mine, remotes[0]).sync()
    assert mine.shown({"daily_uses": "*"}) == theirs.shown({"daily_uses": "*"})
    assert mine.rows("SELECT COUNT(*) FROM sync_records WHERE why = 'orphan'") == [(0,)]
    parties = {"daily_parties": "*"}
    assert (
        mine.shown(parties) == theirs.shown(parties) if sharing == OPEN else mine.shown(parties)["daily_parties"] == []
    )


def test_i15_a_stream_that_was_off_while_the_server_was_healed_is_compared_when_it_is_on(
    desks: Callable[[], Desk],
) -> None:
    """Texts are switched off, the server is wiped and healed without them, texts are switched on again: they are offered then."""
    server, mine = MemoryServer(), desks()
    remote = server.remote("ada", "maintainer")
    record(mine, call("t", "a"))
    engine(mine, remote).sync()
    sent = {row.record for row in server.histories["bodies"].rows}
    mine.share(Sharing())
    server.wipe()
    assert engine(mine, remote).sync().resyncs == 1 and sent and server.histories["bodies"].rows == []
    mine.share(OPEN)
    assert engine(mine, remote).outlook().resync
    assert engine(mine, remote).sync().agreed and {row.record for row in server.histories["bodies"].rows} == sent
    assert engine(mine, remote).sync().resyncs == 0, "and then it is done"


def test_texts_that_retention_removed_are_not_queued_again(desks: Callable[[], Desk]) -> None:
    """After texts went and the rules for them changed, what is left of them (sessions, users) is not sent as another text."""
    server, mine = MemoryServer(), desks()
    remote = server.remote("ada", "maintainer")
    record(mine, call("t", "a"))
    for _ in range(2):
        engine(mine, remote).sync()
    with mine.database.lean_write() as lean:
        assert retention.drop_texts(lean, NOW_US * 2, Kinds((), False), 0, 100, NOW_US)[0] == 1
    mine.share(Sharing())
    mine.share(OPEN)
    receipt = engine(mine, remote).sync()
    assert (receipt.refused, receipt.agreed is not None) == ((), True)


def test_f10_a_push_waits_while_another_program_compares(desks: Callable[[], Desk]) -> None:
    """A program that has read a label to send does not send it before its version when another program on the same file begins
    to heal a wiped server meanwhile: nobody ever sees a label that points nowhere."""
    server, mine, late = MemoryServer(), desks(), desks()
    remote = server.remote("ada", "maintainer")
    mine.door.registry.save("p", real_lives.PromptContent.of_text("text"))
    engine(mine, remote).sync()
    mine.door.registry.set_label("p", "staging", 1)

    class Stop(Exception):
        """The second program stands still here."""

    def stop(point: str) -> None:
        if point == "resync.begun":
            raise Stop

    def meddle(point: str) -> None:
        if point == "push.before_send" and server.histories["meta"].rows:
            server.wipe()
            with pytest.raises(Stop):
                engine(mine, remote, stop).sync()

    engine(mine, remote, meddle).sync()
    kinds = [row.record.kind for row in server.histories["meta"].rows]
    assert kinds.index("version") < kinds.index("label")
    assert engine(late, server.remote("bob", "maintainer")).sync().quarantined == 0


def test_i15_a_step_that_ends_while_the_answer_to_its_first_record_is_awaited_goes_too(
    desks: Callable[[], Desk],
) -> None:
    """A step that was given up is on its way to the server when its real end comes: the answer is for the record that was sent,
    and the real end is sent with the next sync."""
    server, mine, theirs = MemoryServer(), desks(), desks()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    engine(mine, remotes[0]).sync()
    record(mine, call("t", "a", status="running", duration_us=None), owner="here:1:1")
    mine.give_up_all()

    def end(point: str) -> None:
        if point == "push.after_send" and mine.rows("SELECT error_type FROM spans") == [(open_spans.INTERRUPTED,)]:
            record(mine, call("t", "a"))

    engine(mine, remotes[0], end).sync()
    for desk in (mine, theirs):
        receipt = engine(desk, remotes[desk.number]).sync()
    assert receipt.agreed and theirs.rows("SELECT status, cost_nusd FROM spans") == [("succeeded", 7_500)]
    assert engine(mine, remotes[0]).verify() == []


def test_b19_another_record_of_an_accepted_step_is_still_refused(desks: Callable[[], Desk]) -> None:
    """What a server has of a step does not make room for another record of its id that comes later."""
    server, mine = MemoryServer(), desks()
    remote = server.remote("ada", "maintainer")
    record(mine, call("t", "a"))
    engine(mine, remote).sync()
    kept = server.histories["telemetry"].rows[-1]
    other = replace(kept.record, body=canonical_json({**kept.record.content(), "cost_nusd": 1}))
    server.histories["telemetry"].replace(
        replace(kept, record=other, hash=Record("telemetry", other.rid, "span", other.body).hash)
    )
    state = LedgerLog(mine.database).state()
    with mine.database.lean_write() as lean:
        from ledger_tui.store import sync_standing

        sync_standing.remember(lean, state, cursors={**state.cursors, "telemetry": START})
    receipt = engine(mine, remote).sync()
    assert receipt.quarantined == 1 and mine.rows("SELECT cost_nusd FROM spans") == [(7_500,)]
