"""What a ledger does for itself while it is shared: retention that is killed, backups in the middle of a sync, very long traces."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.store import backup, retention
from ledger_tui.store.sqlite import SqliteLean
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.memory import MemoryServer

from tests.store.helpers import die, in_child
from tests.sync.real_lives import ADDED_UP, Desk
from tests.sync.shared import InPostgres
from tests.sync.test_faults import desks as desks
from tests.sync.test_faults import filled, record, sound, sync
from tests.sync.test_sync_telemetry import call

STEPS = 100_000


def test_f3_i14_retention_killed_anywhere_leaves_both_ends_equal(desks: Callable[[], Desk]) -> None:
    """Killed at any of its statements, retention has removed steps whole or not at all: sums and digests stay, and the next
    comparison with the server finds nothing to send or to bring."""
    server, mine = MemoryServer(), desks()
    remote = server.remote("ada", "maintainer")
    filled(mine, 6)
    sync(mine, remote)
    sums, digests = mine.shown(ADDED_UP), LedgerLog(mine.database).digests("telemetry")
    mine.close()
    for number in range(1, 100):

        def prune(number: int = number) -> None:
            statements = iter(range(1, number))
            for name in ("execute", "executemany"):
                _die_after(name, statements)
            mine.open()
            with mine.database.lean_write() as lean:
                retention.drop_spans(lean, clock.now_us() * 2, retention.FIRST, 100, clock.now_us())

        code = in_child(prune)
        mine.open()
        assert mine.shown(ADDED_UP) == sums and LedgerLog(mine.database).digests("telemetry") == digests, number
        if code == 0:
            break
        assert code == -9 and mine.rows("SELECT COUNT(*) FROM spans") == [(6,)], number
        mine.close()
    assert number > 3 and mine.rows("SELECT COUNT(*) FROM spans") == [(0,)]
    server.restore(len(server.commits), announced=True)
    receipt = sync(mine, remote)
    assert (receipt.resyncs, receipt.sent, receipt.came) == (1, {}, {})


def _die_after(name: str, statements: Any) -> None:
    right = getattr(SqliteLean, name)

    def run(self: SqliteLean, *given: Any) -> Any:
        if next(statements, None) is None:
            die()
        return right(self, *given)

    setattr(SqliteLean, name, run)


@pytest.mark.parametrize("point", ["push.after_send", "push.settled", "pull.received", "apply.rows", "resync.asked"])
def test_f3_i13_a_backup_in_the_middle_of_a_sync_is_a_whole_ledger(desks: Callable[[], Desk], point: str) -> None:
    """A backup made at any point of a sync is sound, and goes on sharing as a ledger of its own without loss or doubling."""
    server, mine, theirs, copy = MemoryServer(), desks(), desks(), desks()
    remotes = [server.remote(name, "maintainer") for name in ("ada", "bob", "eve")]
    for desk, remote in ((mine, remotes[0]), (theirs, remotes[1])):
        filled(desk, 3)
        sync(desk, remote)
    record(mine, call("u", "waits"))
    if point.startswith("resync"):
        server.restore(0, announced=True)
    copy.close()
    for path in copy.paths.data.glob("ledger.db*"):
        path.unlink()
    made = []

    def at(name: str) -> None:
        if name == point and not made:
            made.append(backup.copy(mine.paths.database, copy.paths.database))

    sync(mine, remotes[0], at)
    assert made
    copy.open()
    for desk, remote in zip((copy, theirs, mine, copy), (remotes[2], remotes[1], remotes[0], remotes[2]), strict=True):
        receipt = sync(desk, remote)
    assert receipt.agreed
    sound(mine, theirs, copy)
    rids = [row.record.rid for row in server.histories["telemetry"].rows if row.record.kind == "span"]
    assert len(rids) == len(set(rids)) == 7


@pytest.mark.long
@pytest.mark.timeout(300)
def test_f18_a_trace_of_a_hundred_thousand_steps_travels_in_pages(
    desks: Callable[[], Desk], postgres_shared: InPostgres
) -> None:
    """One trace of 100,000 steps goes and comes whole, with equal sums, and takes less than 300 MB of memory."""
    mine, theirs = desks(), desks()
    for first in range(0, STEPS, 5_000):
        record(mine, *(call("long", f"s{number}") for number in range(first, first + 5_000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sync(mine, postgres_shared.remote("ada")).sent == {"telemetry": STEPS}
    assert sync(theirs, postgres_shared.remote("bob")).came == {"telemetry": STEPS}
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 300
    sound(mine, theirs)
