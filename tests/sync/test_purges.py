"""What a purge takes away stays away, whatever machines that did not know of it do meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from ledger_tui.domain import ids
from ledger_tui.domain.retention import MARK, PURGE, removed_words
from ledger_tui.domain.sync.records import STREAMS
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.store import purge_targets, sync_purge
from ledger_tui.store.registry import Pen
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.memory import MemoryServer

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_facts import ledgers as ledgers
from tests.sync.test_sync_telemetry import call, given_up, rows, share, sync, write

SECRET = "what?"
"""The text of every call of these tests."""


def ask_for(ledger: Ledger, trace: str) -> None:
    """Ask that the texts of a trace go, as ``PromptLedger().sync.purge`` does."""
    with ledger.database.lean_write() as lean:
        targets = purge_targets.of_id(lean, trace)
        assert targets
        pen = Pen("ada", "here", ids.new_id())
        sync_purge.write(lean, pen, targets.text_rids(), trace, "", steps=list(targets.steps(lean).values()))


def has_secret(ledger: Ledger) -> bool:
    """Whether the text is in a step of the ledger."""
    return bool(rows(ledger, f"SELECT 1 FROM span_payloads WHERE input = '{SECRET}'"))


@pytest.mark.parametrize("heard", [True, False], ids=["hears first", "sends first"])
def test_the_text_of_a_step_that_ended_once_more_goes_too(ledgers: Callable[[], Ledger], heard: bool) -> None:
    """A step was given up and its text shared; while its machine was away it ended after all, and its text was purged. When the
    machine comes back, the text is nowhere: it hears of the purge before it sends, and what it sent all the same nobody takes."""
    server, mine, theirs, third = MemoryServer(), ledgers(), ledgers(), ledgers()
    maintainer, bob, eve = server.remote("ada", "maintainer"), server.remote("bob"), server.remote("eve")
    for ledger in (mine, theirs, third):
        share(ledger, Sharing().with_rule(None, texts=True))
    sync(theirs, bob)
    given_up(theirs)
    for ledger, remote in ((theirs, bob), (mine, maintainer), (third, eve)):
        sync(ledger, remote)
    write(theirs, call("t", "a"))
    ask_for(mine, "t")
    sync(mine, maintainer)
    sync(third, eve)
    assert not has_secret(mine) and not has_secret(third) and has_secret(theirs)
    if not heard:
        engine = Engine(LedgerLog(theirs.database), bob, Client("here", "1"), streams=STREAMS)
        engine._hear_of_purges = lambda welcome: None  # type: ignore[method-assign]
        engine.push_only()
    for _ in range(2):
        for ledger, remote in ((theirs, bob), (mine, maintainer), (third, eve)):
            sync(ledger, remote)
    assert not any(map(has_secret, (mine, theirs, third)))
    for ledger, remote in ((theirs, bob), (mine, maintainer), (third, eve)):
        engine = Engine(LedgerLog(ledger.database), remote, Client("here", "1"), streams=STREAMS)
        assert engine.verify() == [] and engine.sync().agreed
    at_server = "".join(row.record.body for row in server.histories["bodies"].rows)
    assert (SECRET in at_server) is not heard


def test_what_its_own_machine_never_shared_goes_with_the_purge_however_that_is_cut_off(
    ledgers: Callable[[], Ledger],
) -> None:
    """Texts that the rules keep at home are named by steps and runs, and go when the purge comes back from the server."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    mine.save("team/ask", SECRET)
    mine.door.execute("team/ask", {}, model="offline", trace_id="t")
    sync(mine, remote)
    with mine.database.lean_write() as lean:
        targets = purge_targets.of_id(lean, "t")
        whose = {"steps": list(targets.steps(lean).values()), "runs": list(targets.runs().values())}
        sync_purge.write(
            lean, Pen("ada", "here", ids.new_id()), targets.text_rids(), "t", "key of the mail service", **whose
        )
    assert server.histories["bodies"].rows == []
    sync(mine, remote)
    assert rows(mine, "SELECT rendered FROM usages") == rows(mine, "SELECT messages FROM executions") == [("[]",)]
    assert rows(mine, "SELECT input, output FROM span_payloads") == [(None, None)]
    (attributes,) = rows(mine, "SELECT attributes FROM span_payloads")[0]
    found = json.loads(attributes)
    words = removed_words(found[MARK], "its texts were", found[PURGE])
    assert words.endswith("everywhere by ada: key of the mail service"), "whose wish it was"
