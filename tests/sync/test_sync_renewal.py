"""What a newer release wrote is kept by an older one as it came, and read after the upgrade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.records import KINDS, Stream
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.services.sync import SyncService
from ledger_tui.store import sync_asides, sync_purge, sync_renewal
from ledger_tui.store.registry import Pen
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.memory import MemoryServer

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_facts import ledgers as ledgers
from tests.sync.test_sync_telemetry import call, check, rows, share, sync, write

OLDER: Mapping[Stream, Mapping[str, int]] = {
    "meta": {kind: rv for kind, rv in KINDS["meta"].items() if kind not in ("budget", "inputs")},
    "telemetry": {kind: rv for kind, rv in KINDS["telemetry"].items() if kind != "span"},
    "bodies": {},
}
"""An older release: it has no budgets, no input sets, no steps and no texts."""


def _lives(ledger: Ledger) -> None:
    ledger.save("p", "Hello {{ name }}")
    ledger.door.registry.keep_inputs("p", "usual", {"name": "Ada"})
    ledger.door.budgets.set("5", "month", prompt="p")
    share(ledger, Sharing().with_rule(None, texts=True))
    write(ledger, call("t", "a"), call("t", "b", model=None, kind="tool"))


def purged(ledger: Ledger, rid: str) -> None:
    """Ask that a text goes everywhere."""
    with ledger.database.lean_write() as lean:
        sync_purge.write(lean, Pen("ada", "here", ids.new_id()), [rid], "t", "")


def _upgraded(ledger: Ledger, server: MemoryServer) -> SyncService:
    """The ledger as a program of this release syncs it."""
    return SyncService(
        ledger.database, ledger.paths, device=lambda: "here", open_remote=lambda _: server.remote("bob", "maintainer")
    )


def test_f19_records_of_a_newer_release_count_after_the_upgrade(
    ledgers: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts, numbers and texts that an older release only kept count after its upgrade as if they had come to the new one: same
    view, same sums, the same bytes; and it is done once."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    _lives(theirs)
    sync(theirs, server.remote("ada", "maintainer"))
    share(mine, Sharing().with_rule(None, texts=True))
    monkeypatch.setattr(records, "KINDS", OLDER)
    receipt = sync(mine, server.remote("bob", "maintainer"))
    assert receipt.unread == 6 and not mine.door.budgets.entries() and rows(mine, "SELECT * FROM spans") == []
    monkeypatch.setattr(records, "KINDS", KINDS)
    assert _upgraded(mine, server).sync().agreed
    check(server, theirs, mine)
    assert mine.folds() == theirs.folds() == mine.rebuilt()
    assert [one.spec.prompt for one in mine.door.budgets.entries()] == ["p"]
    texts = (
        "SELECT s.span_id, p.input, s.user_identifier FROM spans s JOIN span_payloads p ON p.span_key = s.id ORDER BY 1"
    )
    assert rows(mine, texts) == rows(theirs, texts) and rows(
        mine, "SELECT COUNT(*) FROM sync_records WHERE why = 'newer'"
    ) == [(0,)]
    with mine.database.lean() as lean:
        assert not sync_renewal.is_due(lean)


def test_f19_what_makes_no_sense_after_the_upgrade_is_put_aside(
    ledgers: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was kept for later, and cannot be true, is in quarantine with its reason after the upgrade; what waits for
    the server's answer is read after that."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    _lives(theirs)
    sync(theirs, server.remote("ada", "maintainer"))
    server.histories["meta"].rows[:] = [
        replace(row, record=bent, hash=bent.hash) if row.record.kind == "budget" else row
        for row in server.histories["meta"].rows
        for bent in [replace(row.record, body=row.record.body.replace('\\"month\\"', '\\"moon\\"'))]
    ]
    monkeypatch.setattr(records, "KINDS", OLDER)
    sync(mine, server.remote("bob", "maintainer"))
    with mine.database.lean_write() as lean:
        lean.execute("UPDATE journal SET commit_seq = NULL WHERE kind = 'inputs@1'")
    monkeypatch.setattr(records, "KINDS", KINDS)
    upgraded = _upgraded(mine, server)
    upgraded.sync()
    with mine.database.lean() as lean:
        assert [one.why for one in sync_asides.asides(lean)] == ["what it says makes no sense"] and sync_renewal.is_due(
            lean
        )
    upgraded.sync()
    with mine.database.lean() as lean:
        assert not sync_renewal.is_due(lean)
    assert (
        "usual" in [one.name for one in mine.door.registry.input_sets("p")]
        and LedgerLog(mine.database).waiting("meta") == 0
    )


def test_f19_a_purge_and_a_label_of_a_newer_release_count_after_the_upgrade(
    ledgers: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge that an older release only kept takes the texts away after its upgrade, and a label that waited for a version that
    it could not read points there."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    remote, others = server.remote("ada", "maintainer"), server.remote("bob", "maintainer")
    for ledger in (mine, theirs):
        share(ledger, Sharing().with_rule(None, texts=True))
    write(theirs, call("t", "a"))
    sync(theirs, remote)
    sync(mine, others)
    older = {**KINDS, "meta": {kind: rv for kind, rv in KINDS["meta"].items() if kind not in ("purge", "version")}}
    monkeypatch.setattr(records, "KINDS", older)
    theirs.save("p", "Hello")
    theirs.door.registry.set_label("p", "staging", 1)
    purged(theirs, server.histories["bodies"].rows[0].record.rid)
    monkeypatch.setattr(records, "KINDS", KINDS)
    sync(theirs, remote)
    monkeypatch.setattr(records, "KINDS", older)
    assert sync(mine, others).quarantined == 2, "the labels active and staging"
    monkeypatch.setattr(records, "KINDS", KINDS)
    with mine.database.lean_write() as lean:
        sync_renewal.read_again(lean)
    assert mine.door.registry.version("p", "staging").number == 1
    assert rows(mine, "SELECT input FROM span_payloads") == [(None,)]
    assert _upgraded(mine, server).sync().agreed
