"""Both ends prove that they hold the same, and say where they do not; what was taken away on purpose is no difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync.records import PURGED, Record
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client, Remote
from ledger_tui.sync.engine import Difference, Engine, Progress
from ledger_tui.sync.memory import MemoryServer

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_telemetry import call, rows, share, sync, write
from tests.sync.test_sync_telemetry import ledgers as ledgers


def differences(ledger: Ledger, remote: Remote) -> list[Difference]:
    """What a proof finds."""
    engine = Engine(LedgerLog(ledger.database), remote, Client("here", "1"), streams=("meta", "telemetry", "bodies"))
    return engine.verify()


def test_verify_names_the_first_range_that_differs(ledgers: Callable[[], Ledger]) -> None:
    """A changed record on the server is found: its stream, month and cell, with how many records each end has there."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    mine.save("p", "one")
    write(mine, call("t", "a"), call("t", "b"))
    sync(mine, remote)
    assert differences(mine, remote) == []
    lost = server.histories["telemetry"].rows.pop()
    (found,) = differences(mine, remote)
    assert (found.stream, found.bucket) == ("telemetry", int(lost.hash[:2], 16)) and found.mine == found.theirs + 1
    assert found.month is not None and found.month >= "2026-11"


def _written_in_2020(ledger: Ledger, key: int) -> None:
    with ledger.database.lean_write() as lean:
        lean.execute(
            "UPDATE spans SET rid = :rid WHERE id = :key", {"rid": ids.new_id(1_600_000_000_000_000), "key": key}
        )


def test_months_that_the_server_let_go_are_no_difference(ledgers: Callable[[], Ledger]) -> None:
    """After the server dropped old months both ends still prove equal, a new machine joins, and what waited for those months
    is done with."""
    server, mine, late = MemoryServer(), ledgers(), ledgers()
    remote, other = server.remote("ada", "maintainer"), server.remote("bob", "maintainer")
    _written_in_2020(mine, write(mine, call("t", "a"))[0])
    sync(mine, remote)
    _written_in_2020(mine, write(mine, call("t", "b"))[0])
    assert remote.retire("telemetry", "2026-01") == 1
    receipt = sync(mine, remote)
    assert receipt.agreed and not receipt.refused and LedgerLog(mine.database).waiting("telemetry") == 0
    assert differences(mine, remote) == [] and sync(late, other).agreed and differences(late, other) == []
    assert rows(mine, "SELECT COUNT(*) FROM spans") == [(2,)] and rows(late, "SELECT COUNT(*) FROM spans") == [(0,)]


def test_a_purged_text_goes_everywhere_and_both_ends_still_agree(ledgers: Callable[[], Ledger]) -> None:
    """A maintainer's purge blanks a text on every machine, also one that joins later; the numbers stay, and nothing is put in
    quarantine."""
    server, mine, theirs, late = MemoryServer(), ledgers(), ledgers(), ledgers()
    remotes = [server.remote(name, "maintainer") for name in ("ada", "bob", "eve")]
    for ledger in (mine, theirs, late):
        share(ledger, Sharing().with_rule(None, texts=True))
    write(mine, call("t", "a", input="canary"))
    for ledger, remote in ((mine, remotes[0]), (theirs, remotes[1])):
        sync(ledger, remote)
    (text,) = server.histories["bodies"].rows
    purge = {"reason": "leaked", "rids": [text.record.rid], "rv": 1, "stream": "bodies"}
    remotes[0].push("meta", [Record("meta", "purge-1", "purge", canonical_json(purge))], server.histories["meta"].end)
    assert server.histories["bodies"].rows[0].record.body == PURGED
    for ledger, remote in zip((mine, theirs, late), remotes, strict=True):
        receipt = sync(ledger, remote)
        assert receipt.agreed and receipt.quarantined == 0 and differences(ledger, remote) == []
        assert rows(ledger, "SELECT input, output FROM span_payloads") == [(None, None)]
        assert rows(ledger, "SELECT cost_nusd FROM spans") == [(7_500,)]


def _watched(ledger: Ledger, remote: Remote, on_progress: Callable[[Progress], None]) -> Engine:
    client = Client("here", "1")
    return Engine(LedgerLog(ledger.database), remote, client, streams=("telemetry",), on_progress=on_progress)


def test_a_comparison_counts_and_can_be_ended(ledgers: Callable[[], Ledger]) -> None:
    """verify says how many records it has read of how many, a thousand at a time; what its watcher raises ends it, and nothing has
    changed."""
    server, mine = MemoryServer(), ledgers()
    write(mine, *(call("t", str(n)) for n in range(2_500)))
    remote = server.remote("ada")
    told: list[Progress] = []
    watched = _watched(mine, remote, told.append)
    watched.sync()
    told.clear()
    assert watched.verify() == []
    assert [(p.done, p.total) for p in told if p.stream == "telemetry"] == [
        (n, 2_500) for n in (0, 1_000, 2_000, 2_500)
    ]

    class Enough(Exception):
        pass

    def enough(progress: Progress) -> None:
        if progress.done >= 1_000:
            raise Enough

    with pytest.raises(Enough):
        _watched(mine, remote, enough).verify()
    assert watched.verify() == []
