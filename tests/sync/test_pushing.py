"""Sending a backlog: one batch is settled and the next one read while the server works on a third, and nothing hangs on that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.records import Record, Stream
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import PushAnswer
from ledger_tui.sync.memory import MemoryRemote, MemoryServer

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_facts import ledgers as ledgers
from tests.sync.test_sync_telemetry import call, check, sync, write
from tests.sync.world import Bomb, Crash

ROWS, SPANS = 20, 70


@pytest.fixture
def backlog(ledgers: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger with calls that take four pushes."""
    monkeypatch.setattr("ledger_tui.sync.pushing.PUSH_ROWS", ROWS)
    ledger = ledgers()
    write(ledger, *(call(f"t{number // 10}", f"s{number}") for number in range(SPANS)))
    return ledger


class Watched(MemoryRemote):
    """Notes how large pushes are, and does something before each."""

    def __init__(self, server: MemoryServer, before: Callable[[int], object] = int) -> None:
        """before: called with the number of the push, from 1 on."""
        server.remote("ada")
        super().__init__(server, "ada")
        self.before, self.sizes = before, list[int]()

    def push(self, stream: Stream, rows: Sequence[Record], fence: Position) -> PushAnswer:
        if stream == "telemetry":
            self.sizes.append(len(rows))
            self.before(len(self.sizes))
        return super().push(stream, rows, fence)


@pytest.mark.parametrize("point", ["push.before_send", "push.after_send", "push.settled"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_i2_i3_a_push_cut_off_anywhere_goes_again(backlog: Ledger, point: str, nth: int) -> None:
    """A program that ends at any point of any of four pushes has lost and doubled nothing after the next sync."""
    server = MemoryServer()
    with pytest.raises(Crash):
        sync(backlog, server.remote("ada"), Bomb(point, nth), streams=("telemetry",))
    sync(backlog, server.remote("ada"))
    check(server, backlog)
    assert len(server.histories["telemetry"].rows) == SPANS


def test_i5_a_server_that_goes_back_between_two_pushes_is_noticed(backlog: Ledger) -> None:
    """A server restored to before an answer that is not settled yet does not take the next push; everything goes again."""
    server = MemoryServer()

    def restored(number: int) -> None:
        if number == 4:
            server.restore(2, announced=False)

    receipt = sync(backlog, Watched(server, restored), streams=("telemetry",))
    assert receipt.resyncs == 1
    check(server, backlog)
    assert len(server.histories["telemetry"].rows) == SPANS


def test_all_is_settled_when_a_sync_ends(backlog: Ledger) -> None:
    """A backlog goes in full pushes, the rest in the last; then every call has its number and nothing waits."""
    remote = Watched(MemoryServer())
    receipt = sync(backlog, remote, streams=("telemetry",))
    assert remote.sizes == [20, 20, 20, 10] and receipt.sent == {"telemetry": SPANS}
    assert receipt.kinds == {"span": SPANS}
    assert LedgerLog(backlog.database).waiting("telemetry") == 0
