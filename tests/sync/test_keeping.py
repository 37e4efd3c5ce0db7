"""What a shared server keeps and what it lets go of, and who is there: the same over the one in memory and the one in Postgres."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import START, Position, extend
from ledger_tui.domain.sync.digest import Cell, digest_of
from ledger_tui.domain.sync.records import Record
from ledger_tui.sync.door import PURGED, Client, Remote, RemoteRefused

from tests.sync.shared import Shared
from tests.sync.test_remote import record, statuses


def of_month(year: int, month: int, **content: object) -> Record:
    """A usage whose id was made in this month."""
    moment = datetime(year, month, 15, tzinfo=UTC)
    return record("usage", "telemetry", rid=ids.new_id(int(moment.timestamp() * 1e6)), **content)


def purge_of(stream: object, rids: object, rid: str = "") -> Record:
    """A purge."""
    return Record(
        "meta",
        rid or ids.new_id(),
        "purge",
        canonical_json({"rv": 1, "stream": stream, "rids": rids, "reason": "leaked"}),
    )


def everything(remote: Remote, limit: int = 100) -> list[tuple[int, Record]]:
    """A telemetry history read from its beginning, page by page."""
    found, after, more = [], START, True
    while more:
        page = remote.pull("telemetry", after, limit)
        found += [(row.seq, row.record) for row in page.rows]
        after, more = page.upto, page.more
    return found


@pytest.fixture
def keeper(shared: Shared) -> Remote:
    """A maintainer's door."""
    return shared.remote("grace", "maintainer")


def test_f23_old_months_go_and_every_position_still_holds(shared: Shared, keeper: Remote) -> None:
    """Records before the horizon are gone, wherever a reader's cursor was; numbers, chain, fences and what is newer stay."""
    old, edge, new = of_month(2020, 1), of_month(2020, 2), record("usage", "telemetry")
    dateless = record("usage", "telemetry", rid="x")
    pushes = [[old, edge], [of_month(2020, 1)], [new, of_month(1999, 12), dateless]]
    ends, chain = [START], ""
    for rows in pushes:
        ends.append(keeper.push("telemetry", rows, ends[-1]).position)
        chain = extend(chain, [row.hash for row in rows])
    assert keeper.retire("telemetry", "2020-02") == 3
    assert everything(keeper) == [(2, edge), (4, new), (6, dateless)]
    assert everything(keeper, 1) == everything(keeper)
    middle = keeper.pull("telemetry", ends[1], 1)
    assert (middle.rows, middle.upto, middle.more) == ((), ends[2], True)
    assert [row.seq for row in keeper.pull("telemetry", ends[2], 9).rows] == [4, 6]
    welcome = shared.remote("ada").hello(Client("d", "1"), {"telemetry": ends[2]})
    assert not welcome.lost and welcome.horizons == {"telemetry": "2020-02"} and welcome.ends["telemetry"] == ends[3]
    more = keeper.push("telemetry", [record("usage", "telemetry")], ends[1])
    assert more.position.seq == 7 and Position(6, chain) == ends[3]


def test_f23_what_is_retired_is_not_missed_and_not_taken_again(keeper: Remote) -> None:
    """Nobody is asked for old records, and one that comes all the same is EXPIRED, without a number and without a trace."""
    old, new = of_month(2020, 1), of_month(2021, 1)
    end = keeper.push("telemetry", [old, new], START).position
    keeper.retire("telemetry", "2020-06")
    late = of_month(2020, 5)
    assert keeper.missing("telemetry", [old.rid, new.rid, late.rid]) == []
    again = keeper.push("telemetry", [old, new, late], end)
    assert statuses(again) == ["EXPIRED", "DUP", "EXPIRED"] and again.position == end
    assert [row.seq for row in again.rows] == [None, 2, None]
    assert statuses(keeper.push("telemetry", [late], end)) == ["EXPIRED"]
    assert statuses(keeper.push("telemetry", [late, of_month(2020, 6)], end)) == ["EXPIRED", "NEW"]


def test_f23_digests_of_both_ends_compare_after_months_went(keeper: Remote) -> None:
    """The server's digest is that of what it holds; a ledger that still has older months leaves them out, or asks by month."""
    rows = [
        of_month(2020, 1, cost_nusd=1),
        of_month(2020, 2, cost_nusd=2),
        of_month(2021, 3),
        record("usage", "telemetry", "x"),
    ]
    keeper.push("telemetry", rows, START)
    assert keeper.digest("telemetry", since="2021-01") == digest_of(rows[2:])
    keeper.retire("telemetry", "2020-02")
    assert keeper.digest("telemetry") == digest_of(rows[1:]) == keeper.digest("telemetry", since="2020-02")
    assert keeper.digest("telemetry", "2020-01") == {} and keeper.digest("telemetry", "0000-00") == digest_of(rows[3:])
    assert keeper.digest("telemetry", "2020-02") == digest_of(rows[1:2])


def test_f23_a_horizon_is_for_keepers_and_never_goes_back(shared: Shared, keeper: Remote) -> None:
    """Members cannot move it, nobody removes the registry or a month to come, and an earlier horizon changes nothing."""
    keeper.retire("bodies", "2021-01")
    for call in (
        lambda: shared.remote("ada").retire("telemetry", "2020-01"),
        lambda: keeper.retire("meta", "2020-01"),
        lambda: keeper.retire("telemetry", "9999-01"),
        lambda: keeper.retire("telemetry", "2020-13"),
    ):
        with pytest.raises(RemoteRefused):
            call()
    assert keeper.retire("bodies", "2020-01") == 0
    assert keeper.hello(Client("d", "1"), {}).horizons == {"bodies": "2021-01"}


def test_i1_i3_a_purged_record_keeps_its_number_and_hash(keeper: Remote) -> None:
    """A maintainer's purge takes the body of what it names, in its stream, and nothing else; the history stays as provable."""
    secret, other = record("span", "telemetry", name="sk-canary", cost_nusd=9), record("span", "telemetry", cost_nusd=4)
    end = keeper.push("telemetry", [secret, other], START).position
    purge = purge_of("telemetry", [secret.rid, "unknown"])
    assert statuses(keeper.push("meta", [purge], START)) == ["NEW"]
    page = keeper.pull("telemetry", START, 9)
    assert page.upto == end and [row.record.body for row in page.rows] == [PURGED, other.body]
    assert [row.hash for row in page.rows] == [secret.hash, other.hash]
    assert (
        statuses(keeper.push("telemetry", [secret], end)) == ["DUP"] and keeper.missing("telemetry", [secret.rid]) == []
    )
    paid = keeper.digest("telemetry")[int(secret.hash[:2], 16)]
    assert paid == Cell(1, int(secret.hash[:16], 16), 0) or secret.hash[:2] == other.hash[:2]
    assert keeper.pull("meta", START, 9).rows[0].record == purge


def test_a_purged_record_that_is_brought_later_comes_blank(shared: Shared, keeper: Remote) -> None:
    """What was purged before it came is numbered and blanked in one: no reader ever gets its text, however it is pushed."""
    late, fine = record("text", "bodies", text="sk-canary"), record("text", "bodies", text="fine")
    keeper.push("meta", [purge_of("bodies", [late.rid])], START)
    assert statuses(shared.remote("ada").push("bodies", [late, fine], START)) == ["NEW", "NEW"]
    rows = keeper.pull("bodies", START, 9).rows
    assert [(row.record.body, row.hash) for row in rows] == [(PURGED, late.hash), (fine.body, fine.hash)]
    assert "sk-canary" not in str(rows)


def test_a_purged_version_still_has_its_children(keeper: Remote) -> None:
    """Versions written on a purged one are taken as before; a purge itself cannot be purged."""
    first = record("version", field="v1", parents=[], version={"content": "secret"})
    purge = purge_of("meta", [first.rid, "later"])
    again = purge_of("meta", [purge.rid], rid="later")
    keeper.push("meta", [first, purge, again], START)
    assert statuses(keeper.push("meta", [record("version", field="v2", parents=["v1"])], START)) == ["NEW"]
    assert [row.record.body for row in keeper.pull("meta", START, 9).rows][:3] == [PURGED, purge.body, again.body]


def test_purges_are_for_maintainers_and_well_formed(shared: Shared, keeper: Remote) -> None:
    """A member's purge is DENIED and takes nothing; one that does not say what it means is CORRUPT."""
    row = record()
    keeper.push("meta", [row], START)
    denied = shared.remote("ada").push("meta", [purge_of("meta", [row.rid])], START)
    strange = [purge_of(None, ["x"]), purge_of("moon", ["x"]), purge_of("meta", []), purge_of("meta", "x"),
               purge_of("meta", [1]), purge_of("meta", ["x"] * 1001), purge_of(1, ["x"]), record("purge")]  # fmt: skip
    answer = keeper.push("meta", strange, START)
    assert statuses(denied) == ["DENIED"] and statuses(answer) == ["CORRUPT"] * len(strange)
    assert [found.record for found in keeper.pull("meta", START, 9).rows] == [row]


def test_f7_a_purge_lost_by_a_restore_is_done_again(shared: Shared, keeper: Remote) -> None:
    """A backup from before a purge has the text again, until any device brings the purge back."""
    secret = record(value="sk-canary")
    purge = purge_of("meta", [secret.rid])
    keeper.push("meta", [secret], START)
    keeper.push("meta", [purge], START)
    shared.restore(0, announced=False)
    keeper.push("meta", [secret], START)
    assert keeper.pull("meta", START, 9).rows[0].record == secret
    assert statuses(keeper.push("meta", [purge], START)) == ["NEW"]
    assert keeper.pull("meta", START, 9).rows[0].record.body == PURGED


def test_a_month_is_that_of_the_id(keeper: Remote) -> None:
    """Both ends say the same month of every id, at the edges of months, before 1971, after 9999 and of no moment at all."""
    edges = [
        int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1e6) for year, month in ((2024, 2), (2024, 3), (2106, 3))
    ]
    rids = [ids.new_id(us + shift) for us in edges for shift in (-1_000, 0)]
    rids += [ids.new_id(0), "ffffffff-ffff-7000-8000-000000000000", "e677d21f-dbff-7000-8000-000000000000",
             "e677d21f-dc00-7000-8000-000000000000", "01900000-0000-4000-8000-000000000000", "x"]  # fmt: skip
    rows = {rid: record("usage", "telemetry", rid=rid) for rid in rids}
    keeper.push("telemetry", list(rows.values()), START)
    for rid, row in rows.items():
        month = records.month_of(rid)
        mine = [other for other in rows.values() if records.month_of(other.rid) == month]
        assert row in mine and keeper.digest("telemetry", month) == digest_of(mine)


def test_devices_say_who_brought_what_and_when(shared: Shared) -> None:
    """Each device and account with its role, its last push and how much was new with it; the last one first."""
    ada, ingest = shared.remote("ada"), shared.remote("ci", "ingest")
    ada.hello(Client("laptop", "1"), {})
    end = ada.push("meta", [record(), record()], START).position
    ada.push("telemetry", [record("usage", "telemetry")], START)
    ingest.hello(Client("runner", "1"), {})
    ingest.push("telemetry", [record("usage", "telemetry")], START)
    ada.push("meta", [], end)
    runner, laptop = ada.devices()
    assert (laptop.name, laptop.role, laptop.records) == ("laptop", "member", 3) and laptop.account.startswith("ada")
    assert (runner.name, runner.role, runner.records) == ("runner", "ingest", 1) and runner.last_us >= laptop.last_us
    assert abs(laptop.last_us - ada.hello(Client("laptop", "1"), {}).server_us) < 60_000_000
    for other in (ingest, shared.remote("eve", "reader")):
        with pytest.raises(RemoteRefused):
            other.devices()


def test_l1_a_listener_hears_of_the_registry_only(shared: Shared) -> None:
    """A push to the registry is heard, one of numbers is not; a wait ends with its time and when it should stop."""
    remote, stop = shared.remote("ada"), threading.Event()
    remote.hello(Client("laptop", "1"), {})
    listener = shared.remote("grace").listener()
    assert listener is not None and listener.wait(5, stop), "the first wait says that it listens"
    assert not listener.wait(0, stop)
    remote.push("telemetry", [record("usage", "telemetry")], START)
    assert not listener.wait(0.05, stop)
    remote.push("meta", [record()], START)
    assert listener.wait(5, stop)
    stop.set()
    assert not listener.wait(5, stop)
    listener.close()
