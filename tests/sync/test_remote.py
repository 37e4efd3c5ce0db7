"""Every kind of shared server keeps what the door promises: the same tests over the one in memory and the one in Postgres."""

from __future__ import annotations

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import chain
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.digest import digest_of
from ledger_tui.domain.sync.records import MAX_BODY_BYTES, Record, Stream
from ledger_tui.sync.door import Client, PushAnswer, Remote, RemoteRefused

from tests.sync.shared import Shared


def record(kind: str = "field", stream: Stream = "meta", rid: str = "", **content: object) -> Record:
    """A record with a canonical body."""
    return Record(stream, rid or ids.new_id(), kind, canonical_json({"rv": 1, **content}))


def statuses(answer: PushAnswer) -> list[str]:
    """What became of each row."""
    return [row.status for row in answer.rows]


@pytest.fixture
def remote(shared: Shared) -> Remote:
    """A member's door to it."""
    return shared.remote("ada")


def test_i2_i3_pushes_are_numbered_densely_and_chained(shared: Shared, remote: Remote) -> None:
    """Numbers go 1, 2, 3 over pushes, each push extends the chain, and what comes out is what went in."""
    first, second = [record(), record()], [record()]
    one = remote.push("meta", first, START)
    two = remote.push("meta", second, one.position)
    assert [row.seq for answer in (one, two) for row in answer.rows] == [1, 2, 3]
    begin = chain.extend("", [r.hash for r in first])
    assert two.position == Position(3, chain.extend(begin, [second[0].hash]))
    page = remote.pull("meta", START, 10)
    assert [row.record for row in page.rows] == first + second and (page.upto, page.more) == (two.position, False)
    assert all(row.pusher.startswith("ada") for row in page.rows)


def test_i4_i9_a_push_again_adds_nothing(shared: Shared, remote: Remote) -> None:
    """The same rows again are DUP with their numbers, also within one push; no commit is written for nothing."""
    row = record()
    one = remote.push("meta", [row, row], START)
    again = remote.push("meta", [row], one.position)
    assert statuses(one) == ["NEW", "DUP"] and statuses(again) == ["DUP"]
    assert [r.seq for r in (*one.rows, *again.rows)] == [1, 1, 1]
    assert again.position == one.position and remote.pull("meta", START, 9).upto == one.position


def test_b19_b21_each_bad_row_is_answered_and_the_others_go_in(remote: Remote) -> None:
    """A conflicting, damaged, huge or orphaned row is refused by name while its neighbours are taken."""
    known = record(rid="twin", value="1")
    remote.push("meta", [known], START)
    rows = [
        record(rid="twin", value="2"),
        Record("meta", "x", "field", "{ }"),
        Record("meta", "y", "field", '{"rv":1,"x":"' + "x" * MAX_BODY_BYTES + '"}'),
        record("version", field="v2", parents=["v1"]),
        record("version", field="v3", parents=["v3"]),
        record("span", "telemetry"),
        record("version", field="v1", parents=[]),
        record("version", field="v4", parents=["v1"]),
    ]
    answer = remote.push("meta", rows, START)
    assert statuses(answer) == [
        "HASH_CONFLICT", "CORRUPT", "TOO_BIG", "MISSING_PARENT", "CORRUPT", "CORRUPT", "NEW", "NEW",
    ]  # fmt: skip
    assert statuses(remote.push("telemetry", [record("usage", "telemetry", rid="twin")], START)) == ["HASH_CONFLICT"]


def test_i5_a_version_comes_after_its_parents(remote: Remote) -> None:
    """A version before its parent in one push is not taken; after it, it is."""
    parent, child = record("version", field="p", parents=[]), record("version", field="c", parents=["p"])
    first = remote.push("meta", [child, parent], START)
    assert statuses(first) == ["MISSING_PARENT", "NEW"]
    assert statuses(remote.push("meta", [child], first.position)) == ["NEW"]


def test_i11_protected_labels_are_for_maintainers(shared: Shared) -> None:
    """A member's move of production is DENIED, a maintainer's is taken; other labels are anybody's."""
    member, maintainer = shared.remote("ada"), shared.remote("grace", "maintainer")
    assert statuses(member.push("meta", [record("label", field="production")], START)) == ["DENIED"]
    assert statuses(member.push("meta", [record("label", field="staging")], START)) == ["NEW"]
    assert statuses(maintainer.push("meta", [record("label", field="production")], START)) == ["NEW"]


def test_i2_a_page_holds_whole_pushes(remote: Remote) -> None:
    """Pages end where pushes ended: below the limit if they can, else after one whole push."""
    for count in (3, 2, 1):
        remote.push("meta", [record() for _ in range(count)], START)
    ends, after, more = [], START, True
    while more:
        page = remote.pull("meta", after, 4)
        assert [row.seq for row in page.rows] == list(range(after.seq + 1, page.upto.seq + 1))
        ends.append(page.upto.seq)
        after, more = page.upto, page.more
    assert ends == [3, 6]
    assert remote.pull("meta", START, 1).upto.seq == 3
    assert remote.pull("meta", after, 4) == type(page)((), after, more=False)


@pytest.mark.parametrize("announced", [True, False])
def test_f7_a_restored_server_does_not_hold_later_positions(shared: Shared, remote: Remote, announced: bool) -> None:
    """After a restore the lost position is refused by push and pull, also when as many records came again; nothing is written."""
    remote.push("meta", [record()], START)
    lost = [record(), record()]
    far = remote.push("meta", lost, START).position
    epoch = remote.hello(Client("d", "1"), {}).epoch
    shared.restore(1, announced=announced)
    assert (remote.hello(Client("d", "1"), {}).epoch != epoch) == announced
    assert remote.missing("meta", [r.rid for r in lost]) == [r.rid for r in lost]
    assert remote.push("meta", [record(), record()], START).position.seq == far.seq
    refused = remote.push("meta", [record()], far)
    assert refused.fence_lost and refused.rows == () and len(remote.pull("meta", START, 9).rows) == 3
    assert remote.pull("meta", far, 9).fence_lost


def test_f8_a_wiped_server_has_another_epoch_and_nothing(shared: Shared, remote: Remote) -> None:
    """A wiped server says so by its epoch, and holds no position but the start."""
    end = remote.push("meta", [record()], START).position
    before = remote.hello(Client("d", "1"), {})
    shared.wipe()
    after = remote.hello(Client("d", "1"), {"meta": end})
    assert (
        after.lost == {"meta"}
        and not before.lost
        and after.workspace == before.workspace
        and after.epoch != before.epoch
    )
    assert remote.pull("meta", end, 5).fence_lost and remote.pull("meta", START, 5).upto == START


def test_i14_the_digest_is_that_of_the_records(remote: Remote) -> None:
    """The digest of a history is that of its records, also of one month of it."""
    old = record("usage", "telemetry", rid=ids.new_id(0), cost_nusd=5)
    new = record("usage", "telemetry", cost_nusd=7)
    remote.push("telemetry", [old, new], START)
    assert remote.digest("telemetry") == digest_of([old, new])
    assert remote.digest("telemetry", "1970-01") == digest_of([old])


def test_b22_f21_each_role_may_do_what_it_says(shared: Shared) -> None:
    """A reader reads the registry, an ingesting account only sends numbers, a stranger learns nothing at all."""
    reader, ingest = shared.remote("eve", "reader"), shared.remote("ci", "ingest")
    with pytest.raises(RemoteRefused):
        reader.push("meta", [record()], START)
    with pytest.raises(RemoteRefused):
        ingest.push("meta", [record()], START)
    for call in (lambda: ingest.pull("telemetry", START, 1), lambda: ingest.missing("telemetry", ["x"])):
        with pytest.raises(RemoteRefused):
            call()
    assert statuses(ingest.push("telemetry", [record("usage", "telemetry")], START)) == ["NEW"]
    assert reader.pull("meta", START, 1).upto == START and not reader.hello(Client("d", "1"), {}).pushes
    with pytest.raises(RemoteRefused):
        shared.stranger().hello(Client("d", "1"), {})
