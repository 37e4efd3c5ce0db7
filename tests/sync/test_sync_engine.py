"""The engine against servers, accounts and records of every kind, good and bad."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import plan
from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.records import Delivered, Record, Stream
from ledger_tui.sync.door import (
    BadAnswer,
    BatchRefused,
    Client,
    OtherLedger,
    Page,
    PushAnswer,
    RemoteUnavailable,
    Welcome,
)
from ledger_tui.sync.engine import Engine, Progress
from ledger_tui.sync.memory import MemoryRemote, MemoryServer

from tests.sync.file_log import FileLog


def record(kind: str = "field", stream: Stream = "meta", rid: str = "", **content: object) -> Record:
    """A record with a canonical body."""
    return Record(stream, rid or ids.new_id(), kind, canonical_json({"rv": 1, **content}))


class Counting(MemoryRemote):
    """Counts round trips."""

    trips = 0

    def hello(self, client: Client, fences: Mapping[Stream, Position]) -> Welcome:
        self.trips += 1
        return super().hello(client, fences)

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        self.trips += 1
        return super().push(stream, rows, fence)

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        self.trips += 1
        return super().pull(stream, after, limit)


class Bending(MemoryRemote):
    """A server that breaks the door's promises in one way."""

    bend: Callable[[Page], Page]

    def pull(self, stream: Stream, after: Position, limit: int) -> Page:
        return self.bend(super().pull(stream, after, limit))


class Choking(MemoryRemote):
    """A server whose database cannot take one value, and says so of the whole batch."""

    poison = ""

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        if any(row.rid == self.poison for row in rows):
            raise BatchRefused("invalid value")
        return super().push(stream, rows, fence)


@pytest.fixture
def server() -> MemoryServer:
    """An empty server with two members."""
    made = MemoryServer()
    made.remote("ada", "maintainer")
    made.remote("grace", "maintainer")
    return made


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[tuple[FileLog, FileLog]]:
    """Two ledgers."""
    pair = FileLog(tmp_path / "ada.db"), FileLog(tmp_path / "grace.db")
    yield pair
    for log in pair:
        log.close()


def engine(log: FileLog, remote: MemoryRemote, **settings: object) -> Engine:
    """An engine for a ledger."""
    return Engine(log, remote, Client("here", "1"), **settings)  # type: ignore[arg-type]


def test_i14_two_ledgers_agree_and_say_so(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """What one writes the other has; receipts count it, both say the same four digits, and verify finds no difference."""
    ada, grace = (
        engine(log, server.remote(name, "maintainer")) for log, name in zip(logs, ("ada", "grace"), strict=True)
    )
    logs[0].write(record(field="x"))
    logs[0].write(record("usage", "telemetry", cost_nusd=5))
    sent = ada.sync()
    assert (sent.sent, sent.came, sent.refused) == ({"meta": 1, "telemetry": 1}, {}, ())
    outlook = grace.outlook()
    assert (outlook.sending, outlook.coming) == ({"meta": 0, "telemetry": 0}, {"meta": 1, "telemetry": 1})
    came = grace.sync()
    assert came.came == {"meta": 1, "telemetry": 1} and came.agreed == sent.agreed is not None
    assert grace.verify() == [] and logs[0].rids() == logs[1].rids()
    logs[1].write(record(field="y"))
    assert grace.outlook().sending["meta"] == 1
    grace.push_only()
    found = ada.verify()
    assert len(found) == 1 and found[0].stream == "meta" and found[0].theirs == found[0].mine + 1


def test_a_sync_with_nothing_to_do_is_one_round_trip(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """When both ends are equal, meeting says so."""
    remote = Counting(server, "ada")
    logs[0].write(record())
    engine(logs[0], remote).sync()
    remote.trips = 0
    receipt = engine(logs[0], remote).sync()
    assert remote.trips == 1 and receipt.agreed is not None and receipt.sent == receipt.came == {}


def test_i15_a_silent_restore_is_noticed_without_writing(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """A device that was told of what the server forgot brings it back at its next sync, although it has nothing new, also
    when the server's numbers have meanwhile gone beyond."""
    ada, grace = (engine(log, MemoryRemote(server, name)) for log, name in zip(logs, ("ada", "grace"), strict=True))
    kept = logs[0].write(record())
    ada.sync()
    lost = logs[0].write(record())
    ada.push_only()
    server.restore(1, announced=False)
    for _ in range(3):
        logs[1].write(record())
    grace.sync()
    receipt = ada.sync()
    assert receipt.resyncs == 1 and receipt.sent == {"meta": 1}
    grace.sync()
    assert {kept, lost} < logs[0].rids() == logs[1].rids()


def test_i15_anybody_heals_a_wiped_server(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """After a wipe a device also offers what others wrote; the server tells who brought it."""
    theirs = logs[0].write(record())
    engine(logs[0], MemoryRemote(server, "ada")).sync()
    grace = engine(logs[1], MemoryRemote(server, "grace"))
    grace.sync()
    server.wipe()
    assert grace.sync().resyncs == 1
    row = server.histories["meta"].rows[0]
    assert (row.record.rid, row.pusher) == (theirs, "grace")


def test_f8_another_ledger_behind_the_address_is_left_alone(
    server: MemoryServer, logs: tuple[FileLog, FileLog]
) -> None:
    """A ledger that belongs to one shared ledger neither sends to another one nor reads from it."""
    engine(logs[0], MemoryRemote(server, "ada")).sync()
    logs[0].write(record())
    other = MemoryServer()
    with pytest.raises(OtherLedger):
        engine(logs[0], other.remote("ada")).sync()
    assert other.commits == [] and logs[0].waiting("meta") == 1


def test_l2_a_record_that_chokes_the_server_is_set_aside_alone(
    server: MemoryServer, logs: tuple[FileLog, FileLog]
) -> None:
    """A batch is halved until the record in the way stands alone; all others go, and the next sync does not meet it again."""
    remote = Choking(server, "ada")
    rids = [logs[0].write(record()) for _ in range(21)]
    remote.poison = rids[13]
    receipt = engine(logs[0], remote).sync()
    assert receipt.sent == {"meta": 20} and [r.rid for r in receipt.refused] == [rids[13]]
    assert receipt.agreed is None and engine(logs[0], remote).sync().refused == ()


def test_b19_b21_refused_records_are_named_and_block_nothing(
    server: MemoryServer, logs: tuple[FileLog, FileLog]
) -> None:
    """A conflicting id and a version whose parent nobody has are set aside with their reasons; the queue goes on."""
    member = server.remote("eve")
    server.remote("ada", "maintainer").push("meta", [record(rid="twin", value="1")], Position(0, ""))
    logs[0].write(record(rid="twin", value="2"))
    logs[0].write(record("version", rid="orphan", field="v2", parents=["gone"]))
    logs[0].write(record("label", rid="shut", field="production"))
    fine = logs[0].write(record())
    receipt = engine(logs[0], member).sync()
    assert {refusal.rid: refusal.why for refusal in receipt.refused} == {
        "twin": plan.REASONS["HASH_CONFLICT"],
        "orphan": plan.REASONS["MISSING_PARENT"],
        "shut": plan.REASONS["DENIED"],
    }
    assert receipt.quarantined == 1, "the other record of the id"
    assert fine in {row.record.rid for row in server.histories["meta"].rows} and logs[0].waiting("meta") == 0


def test_b21_an_orphan_goes_when_its_parent_comes(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """A version set aside for want of its parent is tried again by the next comparison of both ends."""
    ada = engine(logs[0], MemoryRemote(server, "ada"))
    logs[0].write(record("version", rid="child", field="c", parents=["p"]))
    assert [refusal.rid for refusal in ada.sync().refused] == ["child"]
    MemoryRemote(server, "grace").push("meta", [record("version", field="p", parents=[])], Position(0, ""))
    server.restore(1, announced=True)
    assert ada.sync().refused == () and logs[0].set_aside() == 0


def test_f16_a_damaged_record_goes_to_quarantine(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """A row changed on the server, or kept with another hash, is not taken; what comes after it is, and the cursor moves."""
    ada = MemoryRemote(server, "ada")
    ada.push("meta", [record(field="a"), record(field="b"), record(field="c")], Position(0, ""))
    rows = server.histories["meta"].rows
    rows[0] = replace(rows[0], record=replace(rows[0].record, body='{"field":"forged","rv":1}'))
    rows[1] = replace(rows[1], hash="0" * 64)
    receipt = engine(logs[0], ada).sync()
    assert (receipt.came, receipt.quarantined, receipt.agreed) == ({"meta": 1}, 2, None)
    assert logs[0].state().cursor("meta").seq == 3 and engine(logs[0], ada).sync().quarantined == 0


def test_f19_a_newer_kind_is_kept_and_handed_on(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """Records that this release cannot read are counted, kept to the byte, and given back to a server that lost them."""
    newer = [record("hologram", extra=1), replace(record("label"), body='{"rv":99,"z":[1,2]}')]
    MemoryRemote(server, "grace").push("meta", newer, Position(0, ""))
    ada = engine(logs[0], MemoryRemote(server, "ada"))
    assert ada.sync().unread == 2
    server.wipe()
    ada.sync()
    assert [row.record for row in server.histories["meta"].rows] == newer


def _doubled(page: Page) -> Page:
    return replace(
        page, rows=page.rows + tuple(replace(row, seq=row.seq + 2) for row in page.rows), upto=Position(9, "0" * 64)
    )


BENT: dict[str, Callable[[Page], Page]] = {
    "not in order": lambda page: replace(page, rows=page.rows[::-1]),
    "below the cursor": lambda page: replace(page, rows=tuple(replace(row, seq=0) for row in page.rows)),
    "beyond its end": lambda page: replace(page, rows=tuple(replace(row, seq=row.seq + 7) for row in page.rows)),
    "twice": _doubled,
    "another stream": lambda page: replace(
        page, rows=tuple(Delivered(replace(row.record, stream="bodies"), row.seq, row.hash) for row in page.rows)
    ),
    "backwards": lambda page: replace(page, rows=(), upto=Position(-1, "")),
    "nowhere": lambda page: replace(page, rows=(), upto=Position(0, ""), more=True),
}


@pytest.mark.parametrize("how", BENT)
def test_b38_l3_an_impossible_page_is_refused_whole(
    how: str, server: MemoryServer, logs: tuple[FileLog, FileLog]
) -> None:
    """A page that breaks the door's promises ends the sync with an error; nothing of it is taken and the cursor stays."""
    MemoryRemote(server, "grace").push("meta", [record(), record()], Position(0, ""))
    remote = Bending(server, "ada")
    remote.bend = BENT[how]
    with pytest.raises(BadAnswer):
        engine(logs[0], remote).sync()
    assert logs[0].rids() == set() and logs[0].state().cursor("meta") == Position(0, "")
    assert engine(logs[0], MemoryRemote(server, "ada")).sync().came == {"meta": 2}


def test_l3_a_server_that_always_forgets_ends_the_sync(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """A history that is lost again and again ends the sync after a few rounds, with everything still here."""
    remote = Bending(server, "ada")
    remote.bend = lambda page: replace(page, rows=(), fence_lost=True)
    logs[0].write(record())
    with pytest.raises(BadAnswer):
        engine(logs[0], remote).sync()
    assert len(logs[0].rids()) == 1 and engine(logs[0], MemoryRemote(server, "ada")).sync().agreed is not None


def test_f20_accounts_that_may_do_less_do_what_they_may(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """An account for programs sends numbers and keeps the rest; a reader reads the registry; both are told why. A wiped
    server gets the numbers again, although that account cannot ask what is missing."""
    logs[0].write(record())
    logs[0].write(record("usage", "telemetry"))
    ingest = engine(logs[0], server.remote("ci", "ingest"))
    receipt = ingest.sync()
    assert receipt.sent == {"telemetry": 1} and receipt.unsent == {"meta": 1} and receipt.why_not and not receipt.agreed
    server.wipe()
    assert ingest.sync().sent == {"telemetry": 1}
    MemoryRemote(server, "ada").push("meta", [record()], Position(0, ""))
    logs[1].write(record())
    reader = engine(logs[1], server.remote("eve", "reader")).sync()
    assert (reader.came, reader.sent, reader.unsent) == ({"meta": 1}, {}, {"meta": 1})


def test_i12_streams_that_were_not_asked_for_stay_home(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """Texts go only when asked for, and then they come only where they were asked for."""
    logs[0].write(record("text", "bodies", text="canary"))
    assert engine(logs[0], MemoryRemote(server, "ada")).sync().unsent == {"bodies": 1}
    assert server.commits == []
    engine(logs[0], MemoryRemote(server, "ada"), streams=("bodies",)).sync()
    assert engine(logs[1], MemoryRemote(server, "grace")).sync().came == {}


def test_l1_a_cut_connection_leaves_everything_for_the_next_time(
    server: MemoryServer, logs: tuple[FileLog, FileLog]
) -> None:
    """An answer that never arrives after the server committed: nothing is lost or doubled, and nothing waits afterwards."""

    class Cut(MemoryRemote):
        def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
            super().push(stream, rows, fence)
            raise RemoteUnavailable("the connection ended")

    logs[0].write(record())
    with pytest.raises(RemoteUnavailable):
        engine(logs[0], Cut(server, "ada")).sync()
    assert logs[0].waiting("meta") == 1
    receipt = engine(logs[0], MemoryRemote(server, "ada")).sync()
    assert receipt.sent == {} and receipt.agreed and len(server.histories["meta"].rows) == 1


def test_f10_two_engines_on_one_file(server: MemoryServer, tmp_path: Path) -> None:
    """Two programs sync one ledger at once without a lock between them: every record arrives once, nothing waits."""
    path = tmp_path / "shared.db"
    FileLog(path).close()
    MemoryRemote(server, "grace").push("meta", [record() for _ in range(50)], Position(0, ""))
    start, errors = threading.Barrier(2), []

    def work() -> None:
        log = FileLog(path)
        try:
            start.wait()
            for _ in range(20):
                log.write(record())
                engine(log, MemoryRemote(server, "ada")).sync()
        except BaseException as error:
            errors.append(error)
        finally:
            log.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = FileLog(path)
    assert errors == [] and engine(log, MemoryRemote(server, "ada")).sync().agreed is not None
    rids = [row.record.rid for row in server.histories["meta"].rows]
    assert len(rids) == len(set(rids)) == 90 and set(rids) == log.rids()
    log.close()


def test_progress_counts_up_to_what_there_is(server: MemoryServer, logs: tuple[FileLog, FileLog]) -> None:
    """A long sync says how far it is, in batches and pages, up to the end."""
    for _ in range(2_500):
        logs[0].write(record())
    told: list[Progress] = []
    engine(logs[0], MemoryRemote(server, "ada"), on_progress=told.append).sync()
    sends = [progress.done for progress in told if progress.doing == "send"]
    assert sends == [1_000, 2_000, 2_500] and all(p.done <= p.total for p in told)
    assert [p.done for p in told if p.doing == "receive"][-1] == 2_500


def test_f19_an_older_client_may_only_work_alone_and_is_told(logs: tuple[FileLog, FileLog]) -> None:
    """A server that needs a newer protocol says so before anything is written; what waits keeps waiting."""
    server = MemoryServer(protocol=2)
    logs[0].write(record())
    receipt = engine(logs[0], server.remote("ada")).sync()
    assert "upgrade" in receipt.why_not and receipt.unsent == {"meta": 1} and server.commits == []
