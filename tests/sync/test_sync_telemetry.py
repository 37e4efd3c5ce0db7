"""Calls, steps, renders and prices of real ledgers meet: every sum is the same everywhere, and equal to a recount."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.digest import digest_of
from ledger_tui.domain.sync.records import STREAMS, Record, Stream, derived_rid
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.store import (
    late_prices,
    open_spans,
    recount,
    retention,
    sync_preview,
    sync_refused,
    sync_sharing,
    sync_standing,
    telemetry,
)
from ledger_tui.store.retention import Kinds
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.store.sync_shelves import SHELVES
from ledger_tui.sync.door import Client, Remote
from ledger_tui.sync.engine import FAILPOINTS, Engine, Receipt
from ledger_tui.sync.memory import MemoryServer

from tests.sync.test_sync_facts import Ledger
from tests.sync.test_sync_facts import ledgers as ledgers
from tests.sync.world import Bomb, Crash

NOW_US = 1_795_000_000_000_000
SUMS = {
    "daily_costs": "*",
    "daily_uses": "*",
    "traces": "trace_id, status, started_us, ended_us, span_count, open_count, error_count, input_tokens, output_tokens, "
    "cost_nusd, priced_count, unpriced_count",
}


def sync(ledger: Ledger, remote: Remote, bomb: Bomb | None = None, streams: tuple[Stream, ...] = STREAMS) -> Receipt:
    """One sync of everything."""
    engine = Engine(LedgerLog(ledger.database), remote, Client("here", "1"), streams=streams, at=bomb or Bomb(None))
    return engine.sync()


def write(ledger: Ledger, *spans: SpanRecord, owner: str | None = None) -> list[int]:
    """Store spans as they happen here."""
    with ledger.database.lean_write() as lean:
        return telemetry.write_spans(lean, spans, owner)


def call(trace: str, span: str, **fields: Any) -> SpanRecord:
    """An ended model call."""
    usual = SpanRecord(
        trace, span, "ask", "llm", "succeeded", NOW_US, 2_000_000, provider="openai", model="gpt-x",
        tokens=TokenUsage(input=10, output=5), cost_nusd=7_500, first_token_us=300, environment="prod",
        input="what?", output="that", session_id="s1", user_identifier="ada",
    )  # fmt: skip
    return telemetry.check_span(replace(usual, **fields))


def given_up(ledger: Ledger) -> int:
    """A step with a text that its program left and another one gave up; its key."""
    (key,) = write(ledger, call("t", "a", status="running", duration_us=None), owner="here:1:1")
    with ledger.database.lean_write() as lean:
        found = open_spans.stored(lean, key)
        assert found is not None
        telemetry.end_span(lean, key, open_spans.as_interrupted(*found))
    return key


def share(ledger: Ledger, sharing: Sharing) -> None:
    """Set what may leave."""
    with ledger.database.lean_write() as lean:
        sync_sharing.set_sharing(lean, sharing)


def sums(ledger: Ledger) -> dict[str, list[Any]]:
    """What is added up."""
    with ledger.database.lean() as lean:
        assert not any(recount.differences(lean).values()), "the sums equal a recount"
        return {table: sorted(lean.fetch(f"SELECT {columns} FROM {table}")) for table, columns in SUMS.items()}


def rows(ledger: Ledger, sql: str) -> list[Any]:
    """What a statement reads."""
    with ledger.database.lean() as lean:
        return lean.fetch(sql)


def check(server: MemoryServer, *all_of_them: Ledger) -> None:
    """I1, I14 to I17: every ledger holds the server's records to the byte and shows the same sums."""
    for stream in STREAMS:
        theirs = digest_of(row.record for row in server.histories[stream].rows)
        for ledger in all_of_them:
            assert LedgerLog(ledger.database).digest(stream) == theirs, f"I1 I14 I16: {stream}"
            assert LedgerLog(ledger.database).waiting(stream) == 0, "L1"
    for ledger in all_of_them[1:]:
        for table, found in sums(ledger).items():
            assert found == sums(all_of_them[0])[table], f"I17 {table}"


def test_i14_i17_calls_count_elsewhere_as_they_do_here(ledgers: Callable[[], Ledger]) -> None:
    """A run, a recorded call with its steps and a render arrive with their numbers in every sum; no text comes along."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    mine.save("team/ask", "Hello {{ name }}")
    mine.door.execute("team/ask", {"name": "canary-one"}, model="offline", trace_id="run")
    write(
        mine,
        call("t", "a", input="canary-two", attributes={"k": "canary-three"}),
        call("t", "b", model=None, kind="tool"),
    )
    sync(mine, server.remote("ada", "maintainer"))
    receipt = sync(theirs, server.remote("bob", "maintainer"))
    check(server, mine, theirs)
    assert receipt.came["telemetry"] == len(server.histories["telemetry"].rows) and receipt.agreed
    assert theirs.door.get_trace("t")["total_cost"] == mine.door.get_trace("t")["total_cost"]
    bodies = "".join(row.record.body for row in server.histories["telemetry"].rows)
    assert "canary" not in bodies and "ada" not in bodies and server.histories["bodies"].rows == []


def test_i1_rates_travel_so_that_a_receipt_can_be_read_elsewhere(ledgers: Callable[[], Ledger]) -> None:
    """The receipt of a priced call is the same on another machine."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    mine.door.prices.add("openai", "gpt-x", {"input": "2.5", "output": "10"}, from_us=1)
    mine.door.log_external_span(
        "t", span_id="a", name="ask", kind="llm", model="openai/gpt-x", prompt_tokens=7, completion_tokens=3
    )
    mine.door.flush()
    sync(mine, server.remote("ada", "maintainer"))
    sync(theirs, server.remote("bob", "maintainer"))
    check(server, mine, theirs)
    texts = rows(theirs, "SELECT c.body FROM spans s JOIN rate_cards c ON c.id = s.card_id")
    assert texts and texts == rows(mine, "SELECT c.body FROM spans s JOIN rate_cards c ON c.id = s.card_id")


def test_i17_two_people_price_one_call_and_the_first_accepted_counts(ledgers: Callable[[], Ledger]) -> None:
    """When two ledgers price the same call late, both end with the price that the server took first, in every sum."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    write(mine, call("t", "a", cost_nusd=None, unpriced=True))
    sync(mine, remotes[0])
    sync(theirs, remotes[1])
    for ledger, nusd in ((mine, 11), (theirs, 22)):
        with ledger.database.lean_write() as lean:
            assert late_prices.take_in(lean, 1, rid=ids.new_id(), at_us=NOW_US, nusd=nusd, card=None)
    for ledger, remote in ((theirs, remotes[1]), (mine, remotes[0]), (theirs, remotes[1]), (mine, remotes[0])):
        sync(ledger, remote)
    check(server, mine, theirs)
    assert rows(mine, "SELECT cost_nusd, unpriced FROM spans") == [(22, 0)]
    assert LedgerLog(mine.database).set_aside() == 0


def test_a_stepgiven_up_and_ended_after_all_counts_once(ledgers: Callable[[], Ledger]) -> None:
    """A step that was shared as interrupted and whose real end came later counts with its end only, on every machine and
    whichever record comes first; both records stay."""
    server, mine, theirs, late = MemoryServer(), ledgers(), ledgers(), ledgers()
    remote, others = server.remote("ada", "maintainer"), server.remote("bob", "maintainer")
    sync(mine, remote)
    given_up(mine)
    sync(mine, remote)
    sync(theirs, others)
    assert rows(theirs, "SELECT status, error_type FROM spans") == [("failed", "interrupted")]
    write(mine, call("t", "a"))
    sync(mine, remote)
    sync(theirs, others)
    sync(late, others)
    check(server, mine, theirs, late)
    for ledger in (mine, theirs, late):
        assert rows(ledger, "SELECT status, cost_nusd FROM spans") == [("succeeded", 7_500)]
    assert len(server.histories["telemetry"].rows) == 2


def test_b17_one_id_used_twice_is_kept_twice(ledgers: Callable[[], Ledger]) -> None:
    """Two ledgers that use the same trace and span id for different calls both keep both, and both count."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    remotes = [server.remote("ada", "maintainer"), server.remote("bob", "maintainer")]
    write(mine, call("my-run-001", "1"))
    write(theirs, call("my-run-001", "1", name="other", cost_nusd=9))
    for _ in range(2):
        sync(mine, remotes[0])
        sync(theirs, remotes[1])
    check(server, mine, theirs)
    assert rows(mine, "SELECT SUM(cost_nusd), COUNT(*) FROM spans") == [(7_509, 2)]


def test_l2_a_call_that_cannot_be_is_kept_apart(ledgers: Callable[[], Ledger]) -> None:
    """Telemetry that makes no sense goes to quarantine with its reason, a newer kind is kept, and the rest counts."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    write(mine, call("t", "a"))
    remote = server.remote("ada", "maintainer")
    sync(mine, remote)
    sound = server.histories["telemetry"].rows[0].record
    bent = [
        {"started_us": -5}, {"duration_us": -1}, {"cost_nusd": -1}, {"cost_nusd": 2**53}, {"input_tokens": "7"}, {"status": "odd"},
        {"trace_id": "x" * 129}, {"name": 5}, {"unpriced": 1}, {"card": "0" * 5_000},
    ]  # fmt: skip
    bad = [
        Record("telemetry", f"bad{n}", "span", canonical_json({**sound.content(), **change}))
        for n, change in enumerate(bent)
    ]
    bad.append(Record("telemetry", "0" * 64, "card", '{"card":{"x":1},"rv":1}'))
    newer = [Record("telemetry", "n1", "hologram", '{"rv":1}'), Record("telemetry", "n2", "span", '{"rv":9}')]
    good = Record(
        "telemetry", "good", "span", canonical_json({**sound.content(), "span_id": "b", "hue": "red", "card": "1" * 64})
    )
    remote.push("telemetry", [*bad, *newer, good], server.histories["telemetry"].end)
    receipt = sync(theirs, server.remote("bob", "maintainer"))
    assert (receipt.quarantined, receipt.unread) == (len(bad), 2)
    assert rows(theirs, "SELECT COUNT(*) FROM spans") == [(2,)]
    kept = {held.record for held in _accepted(theirs)}
    assert good in kept and set(newer) <= kept, "I1: to the byte"
    sums(theirs)


def _accepted(ledger: Ledger) -> list[Any]:
    from ledger_tui.store.sync_telemetry import MY_SHELVES

    with ledger.database.lean() as lean:
        return [held for shelf in MY_SHELVES for held in shelf.accepted(lean, None, 1_000)]


def test_i12_what_rules_keep_at_home_never_leaves(ledgers: Callable[[], Ledger]) -> None:
    """Calls of a folder whose numbers are not shared stay, with their texts; when the rule is widened later they go."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    for name, word in (("private/a", "canary"), ("team/a", "canary"), ("quiet/a", "whisper")):
        mine.save(name, "Hi {{ name }}")
        mine.door.execute(name, {"name": word}, model="offline", trace_id=name)
    rules = Sharing().with_rule(None, texts=True).with_rule("private/", numbers=False).with_rule("quiet/", texts=False)
    share(mine, rules)
    sync(mine, remote)
    sent = [row.record for stream in ("telemetry", "bodies") for row in server.histories[stream].rows]
    everything = "".join(record.body for record in sent)
    assert "private/a" not in everything and "quiet/a" in everything and "whisper" not in everything
    assert {record.kind for record in sent} >= {"span", "execution", "usage", "text"}
    assert sum("canary" in record.body for record in sent) == 3, "texts of the shared run: step, call and render"
    with mine.database.lean() as lean:
        assert sync_standing.get(lean, "sync.state") and sync_sharing.withheld(lean) == 3
    share(mine, rules.with_rule("private/", numbers=True))
    sync(mine, remote)
    bodies = "".join(row.record.body for row in server.histories["telemetry"].rows)
    assert "private/a" in bodies and sync(mine, remote).agreed


def test_records_of_ones_own_that_were_refused_can_be_looked_at(ledgers: Callable[[], Ledger]) -> None:
    """Whatever the server refuses of calls, steps, renders, rates and texts is still here to the byte; what is not here is None."""
    mine = ledgers()
    share(mine, Sharing().with_rule(None, texts=True))
    mine.save("p", "Hi {{ name }}")
    mine.door.execute("p", {"name": "Ada"}, model="offline")
    (key,) = write(mine, call("t", "a", cost_nusd=None, unpriced=True))
    mine.door.prices.add("openai", "gpt-x", {"input": "2.5", "output": "10"}, from_us=1)
    mine.door.log_external_span("u", span_id="a", name="ask", kind="llm", model="openai/gpt-x", prompt_tokens=7)
    mine.door.flush()
    with mine.database.lean_write() as lean:
        assert late_prices.take_in(lean, key, rid=ids.new_id(), at_us=NOW_US, nusd=7, card=None)
    log = LedgerLog(mine.database)
    rows_here = log.pending("telemetry", 100, 10**6)
    assert {row.kind for row in rows_here} == {"card", "usage", "execution", "span", "late_price"}
    log.settle("telemetry", {row.rid: number for number, row in enumerate(rows_here, 1)}, {}, None)
    assert log.pending("bodies", 100, 10**6)
    with mine.database.lean_write() as lean:
        for shelf in SHELVES:
            lean.execute(f"UPDATE {shelf.table} SET commit_seq = NULL")
    streams: tuple[Stream, Stream] = ("telemetry", "bodies")
    for stream in streams:
        refused = log.pending(stream, 100, 10**6)
        log.settle(stream, {}, {row.rid: "no" for row in refused}, None)
        with mine.database.lean() as lean:
            assert [sync_refused.record(lean, stream, row.rid) for row in refused] == refused
            assert sync_refused.record(lean, stream, ids.new_id()) is None


@pytest.mark.parametrize("folders", [False, True])
def test_what_would_go_counts_texts_that_follow_their_calls(ledgers: Callable[[], Ledger], folders: bool) -> None:
    """The texts of calls, steps and renders that wait themselves are counted as the next sync sends them: by rule, only where there
    are any, and none twice after the server lost its history."""
    server, mine = MemoryServer(), ledgers()
    rules = Sharing().with_rule(None, texts=True)
    if folders:
        rules = rules.with_rule("private/", numbers=False).with_rule("quiet/", texts=False)
    share(mine, rules)

    def counted() -> int:
        with mine.database.lean() as lean:
            return sync_preview.going(lean, sync_sharing.sharing(lean)).texts

    nothing = {"input": None, "output": None, "session_id": None, "user_identifier": None}
    for round, word in enumerate(("one", "sk-" + "a1" * 20)):
        for name in ("private/a", "team/a", "quiet/a"):
            mine.save(name, f"Hi {{{{ name }}}}, {round}")
            mine.door.execute(name, {"name": word}, model="offline", trace_id=f"{name}{round}")
        write(
            mine, call(f"{round}", "a", **nothing), call(f"{round}", "b", **{**nothing, "session_id": "s"}),
            call(f"{round}", "c", **nothing, attributes={"k": word}),
            call(f"{round}", "d", **nothing, attributes={retention.MARK: 1}),
        )  # fmt: skip
        told = counted()
        assert told == (3 if folders else 9) + 2
        assert sync(mine, server.remote("ada", "maintainer")).kinds["text"] == told and counted() == 0
    server.wipe()
    share(mine, rules.with_rule("other/", texts=False))
    log, remote = LedgerLog(mine.database), server.remote("ada", "maintainer")
    bomb = Bomb("resync.offered")
    with pytest.raises(Crash):
        Engine(log, remote, Client("here", "1"), streams=STREAMS, at=bomb).sync()
    told = counted()
    assert sync(mine, remote).kinds["text"] == told > 0


def test_texts_arrive_with_sessions_and_users_where_they_are_shared(ledgers: Callable[[], Ledger]) -> None:
    """Shared texts fill what the numbers left out: input, output, attributes, session and user, also in their sums; a key in
    a text is hidden on the way, and the text here stays whole."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    share(mine, Sharing().with_rule(None, texts=True))
    share(theirs, Sharing().with_rule(None, texts=True))
    key = "sk-" + "a1" * 20
    write(mine, call("t", "a", attributes={"k": "v"}), call("t", "b", input=f"use {key}", session_id=None))
    for ledger, who in ((mine, "ada"), (theirs, "bob"), (mine, "ada")):
        sync(ledger, server.remote(who, "maintainer"))
    check(server, mine, theirs)
    texts = (
        "SELECT s.span_id, p.input, p.output, p.attributes, s.session_id, s.user_identifier "
        "FROM spans s JOIN span_payloads p ON p.span_key = s.id ORDER BY 1"
    )
    first, second = rows(theirs, texts)
    assert first == rows(mine, texts)[0] and key in rows(mine, texts)[1][1]
    assert key not in second[1] and second[1].startswith("use ") and second[5] == "ada"
    parties = "SELECT kind, party, calls FROM daily_parties ORDER BY 1, 2"
    assert rows(theirs, parties) == rows(mine, parties)


def test_a_text_that_comes_before_its_call_is_given_to_it(ledgers: Callable[[], Ledger]) -> None:
    """Texts whose call is not here yet are kept, and put to it when it comes: input, session and user, counted for them."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    share(mine, Sharing().with_rule(None, texts=True))
    write(mine, call("t", "a"), call("t", "b", input="use sk-" + "a1" * 20))
    sync(mine, server.remote("ada", "maintainer"))
    log, remote = LedgerLog(theirs.database), server.remote("bob", "maintainer")
    kept = "SELECT COUNT(*) FROM sync_records WHERE why = 'orphan'"
    streams: tuple[Stream, Stream] = ("bodies", "telemetry")
    for stream, waiting in zip(streams, (2, 0), strict=True):
        page = remote.pull(stream, START, 100)
        log.apply(stream, START, page.rows, page.upto, lambda _: None)
        assert rows(theirs, kept) == [(waiting,)]
        assert log.digest(stream) == digest_of(row.record for row in server.histories[stream].rows)
    told = "SELECT span_id, session_id, user_identifier FROM spans ORDER BY 1"
    assert rows(theirs, told) == rows(mine, told) == [("a", "s1", "ada"), ("b", "s1", "ada")]
    assert rows(theirs, "SELECT input FROM span_payloads ORDER BY span_key")[0] == ("what?",)
    parties = "SELECT * FROM daily_parties ORDER BY 1, 2, 3"
    assert rows(theirs, parties) == rows(mine, parties)
    sums(theirs)


def test_retention_keeps_what_waits_and_knows_what_it_removed(ledgers: Callable[[], Ledger]) -> None:
    """Steps that no server has stay; those that go are not taken for new when everything is read again, and sums and digests
    stay as they were."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    share(mine, Sharing().with_rule(None, texts=True))
    sync(mine, remote)
    write(mine, call("t", "a"), call("u", "b"))
    with mine.database.lean_write() as lean:
        assert retention.drop_spans(lean, NOW_US * 2, retention.FIRST, 100, NOW_US)[0] == 0, "they wait"
        assert retention.drop_texts(lean, NOW_US * 2, Kinds((), False), 0, 100, NOW_US)[0] == 0, "their texts wait"
    sync(mine, remote)
    before = sums(mine)["daily_costs"]
    with mine.database.lean_write() as lean:
        assert retention.drop_texts(lean, NOW_US * 2, Kinds((), False), 0, 100, NOW_US)[0] == 2
        assert retention.drop_spans(lean, NOW_US * 2, retention.FIRST, 100, NOW_US)[0] == 2
    check(server, mine)
    server.restore(len(server.commits), announced=True)
    receipt = sync(mine, remote)
    check(server, mine)
    assert receipt.resyncs == 1 and receipt.came == {} and sums(mine)["daily_costs"] == before
    assert rows(mine, "SELECT COUNT(*) FROM spans") == [(0,)]


@pytest.mark.parametrize("who_registers", ["the sender", "the receiver"])
def test_i14_what_came_before_its_prompt_is_linked_when_that_comes(
    ledgers: Callable[[], Ledger], who_registers: str
) -> None:
    """Renders and calls of a prompt that only their sender has (an account that may not share prompts) count with it as soon
    as anybody registers it, and keep their bytes."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    mine.save("team/ask", "Hello {{ name }}")
    mine.door.execute("team/ask", {"name": "Ada"}, model="offline")
    sync(mine, server.remote("ci", "ingest"), streams=("telemetry",))
    sync(theirs, server.remote("bob", "maintainer"))
    named = "SELECT prompt_id, version_id FROM {}"
    assert rows(theirs, named.format("usages")) == rows(theirs, named.format("executions")) == [(None, None)]
    if who_registers == "the receiver":
        theirs.save("team/ask", "Hello {{ name }}")
    else:
        sync(mine, server.remote("ada", "maintainer"))
    sync(theirs, server.remote("bob", "maintainer"))
    if who_registers == "the receiver":
        sync(mine, server.remote("ada", "maintainer"))
        sync(theirs, server.remote("bob", "maintainer"))
    check(server, mine, theirs)
    for table in ("usages", "executions"):
        assert rows(theirs, named.format(table)) == rows(mine, named.format(table)) != [(None, None)]
    assert rows(theirs, "SELECT extra FROM usages UNION ALL SELECT extra FROM executions") == [(None,), (None,)]
    assert rows(theirs, "SELECT 1 FROM workspace WHERE key = 'sync.unlinked'") == [], "nothing is looked for any more"


def test_i17_a_late_price_counts_where_its_call_is_gone(ledgers: Callable[[], Ledger]) -> None:
    """A price that a call gets after retention removed it elsewhere is added there to the day, the prompt, the trace and the
    run, once: also after the server was restored and everything was read again."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    remote, others = server.remote("ada", "maintainer"), server.remote("bob", "maintainer")
    mine.save("team/ask", "Hello {{ name }}")
    ((prompt, version),) = rows(mine, "SELECT prompt_id, id FROM prompt_versions")
    unpriced: dict[str, Any] = {"cost_nusd": None, "unpriced": True}
    write(mine, call("t", "a", prompt_id=prompt, version_id=version, **unpriced), call("t", "b", **unpriced))
    sync(mine, remote)
    sync(theirs, others)
    with theirs.database.lean_write() as lean:
        assert retention.drop_spans(lean, NOW_US * 2, retention.FIRST, 100, NOW_US)[0] == 2
    with mine.database.lean_write() as lean:
        assert late_prices.take_in(lean, 1, rid=ids.new_id(), at_us=NOW_US, nusd=11, card=None)
    sync(mine, remote)
    assert sync(theirs, others).agreed
    check(server, mine, theirs)
    assert rows(theirs, "SELECT sum(cost_nusd), sum(unpriced) FROM daily_costs") == [(11, 1)]
    server.restore(0, announced=False)
    for _ in range(2):
        sync(mine, remote)
        sync(theirs, others)
    check(server, mine, theirs)
    assert rows(theirs, "SELECT cost_nusd, priced_count, unpriced_count FROM traces") == [(11, 1, 1)]


def test_i1_a_late_price_that_says_other_things_of_its_call_keeps_its_bytes(ledgers: Callable[[], Ledger]) -> None:
    """Where a late price and its call differ in day, model or prompt, the call is charged as it is, and the record stays."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    write(mine, call("t", "a", cost_nusd=None, unpriced=True))
    sync(mine, server.remote("ada", "maintainer"))
    said = {
        "at_us": NOW_US, "cost_nusd": 11, "fact_rid": ids.new_id(), "model": "another", "rv": 1, "span_id": "a",
        "span_rid": rows(mine, "SELECT rid FROM spans")[0][0], "trace_id": "t", "environment": "",
    }  # fmt: skip
    record = Record("telemetry", derived_rid(said["span_rid"], "late_price"), "late_price", canonical_json(said))
    server.remote("eve", "maintainer").push("telemetry", [record], server.histories["telemetry"].end)
    sync(mine, server.remote("ada", "maintainer"))
    sync(theirs, server.remote("bob", "maintainer"))
    check(server, mine, theirs)
    assert rows(theirs, "SELECT model, cost_nusd FROM spans") == [("gpt-x", 11)]


def test_i15_a_step_that_ends_while_a_wiped_server_is_filled_again_keeps_its_first_record(
    ledgers: Callable[[], Ledger],
) -> None:
    """What was known to others of a step that had been given up is offered to the wiped server, also when the step ends in the
    middle of that: one who has removed it since can still prove that both ends are equal."""
    server, mine, theirs = MemoryServer(), ledgers(), ledgers()
    remote, others = server.remote("ada", "maintainer"), server.remote("bob", "maintainer")
    for ledger in (mine, theirs):
        share(ledger, Sharing().with_rule(None, texts=True))
    sync(mine, remote)
    given_up(mine)
    sync(mine, remote)
    sync(theirs, others)
    with theirs.database.lean_write() as lean:
        assert retention.drop_spans(lean, NOW_US * 2, retention.FIRST, 100, NOW_US)[0] == 1
    server.wipe()

    def ends(point: str) -> None:
        if point == "push.after_send" and rows(mine, "SELECT status FROM spans") == [("failed",)]:
            write(mine, call("t", "a"))

    Engine(LedgerLog(mine.database), remote, Client("here", "1"), streams=STREAMS, at=ends).sync()
    assert rows(mine, "SELECT status FROM spans") == [("succeeded",)]
    for _ in range(2):
        sync(mine, remote)
        sync(theirs, others)
    for stream in STREAMS:
        held = digest_of(row.record for row in server.histories[stream].rows)
        for ledger in (mine, theirs):
            assert LedgerLog(ledger.database).digest(stream) == held, stream


def test_i6_the_text_of_a_step_that_makes_room_for_a_twin_is_a_record_of_its_own(ledgers: Callable[[], Ledger]) -> None:
    """Of two ends of one id (a file was copied while a step ran) the one that the server did not take gets another id, and so
    does its text, which no server has yet."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    share(mine, Sharing().with_rule(None, texts=True))
    sync(mine, remote)
    given_up(mine)
    sync(mine, remote)
    (twin,) = [row.record for row in server.histories["telemetry"].rows if row.record.kind == "span"]
    server.wipe()
    other = Record("telemetry", twin.rid, "span", canonical_json({**twin.content(), "duration_us": 1}))
    server.remote("eve", "maintainer").push("telemetry", [other], server.histories["telemetry"].end)
    for _ in range(2):
        sync(mine, remote)
    check(server, mine)


@pytest.mark.parametrize("first", [0, 1])
def test_i4_a_step_that_gets_another_id_is_not_taken_once_more_under_it(
    ledgers: Callable[[], Ledger], first: int
) -> None:
    """When a step of this ledger has to make room for a twin, and another ledger has brought the same step under the id that it
    gets then, in whatever order both come, it is here once."""
    server, mine = MemoryServer(), ledgers()
    remote = server.remote("ada", "maintainer")
    write(mine, call("t", "a"))
    sync(mine, remote)
    (record,) = [row.record for row in server.histories["telemetry"].rows if row.record.kind == "span"]
    server.wipe()
    twin = Record("telemetry", record.rid, "span", canonical_json({**record.content(), "duration_us": 1}))
    moved = Record("telemetry", derived_rid(record.rid, record.hash), "span", record.body)
    both = [twin, moved] if first == 0 else [moved, twin]
    server.remote("eve", "maintainer").push("telemetry", both, server.histories["telemetry"].end)
    for _ in range(2):
        sync(mine, remote)
    check(server, mine)
    assert sorted(rows(mine, "SELECT rid FROM spans")) == sorted((one.rid,) for one in both)


def _deed(ledger: Ledger, chance: random.Random) -> None:
    """Something that happens to a ledger's calls."""
    trace, span = f"t{chance.randrange(4)}", f"s{chance.randrange(6)}"
    with ledger.database.lean_write() as lean:
        deed = chance.random()
        if deed < 0.35:
            telemetry.write_spans(
                lean, [call(trace, span, cost_nusd=chance.randrange(100), input=f"text {chance.random()}")]
            )
        elif deed < 0.5:
            telemetry.write_spans(lean, [call(trace, span, cost_nusd=None, unpriced=True)])
        elif deed < 0.65:
            telemetry.write_spans(lean, [call(trace, span, status="running", duration_us=None)], "here:1:1")
        elif deed < 0.8:
            for one in open_spans.listed(lean)[:1]:
                found = open_spans.stored(lean, one.key)
                assert found is not None
                telemetry.end_span(lean, one.key, open_spans.as_interrupted(*found))
        else:
            unpriced = late_prices.unpriced(lean, None, None, 0, 2)
            for one in unpriced:
                price = {"nusd": chance.randrange(1, 50), "card": None}
                late_prices.take_in(lean, one.key, rid=ids.new_id(), at_us=clock.now_us(), **price)


@pytest.mark.parametrize("seed", range(3))
def test_i14_i15_i17_telemetry_agrees_after_any_life(ledgers: Callable[[], Ledger], seed: int) -> None:
    """Three real ledgers record, price, give up and end calls apart, die in their syncs and see the server restored: at rest all
    hold the same records to the byte, and every sum equals a recount and the others'."""
    chance, server = random.Random(seed), MemoryServer()
    three = [ledgers() for _ in range(3)]
    for ledger in three:
        share(ledger, Sharing().with_rule(None, texts=True))
    remotes = [server.remote(str(n), "maintainer") for n in range(3)]
    crashes = 0
    for _ in range(60):
        who = chance.randrange(3)
        _deed(three[who], chance)
        if chance.random() < 0.5:
            try:
                sync(three[who], remotes[who], Bomb(chance.choice(FAILPOINTS)) if chance.random() < 0.4 else None)
            except Crash:
                crashes += 1
        if chance.random() < 0.05:
            server.restore(int(len(server.commits) * chance.random()), announced=chance.random() < 0.5)
    for ledger in three:
        with ledger.database.lean_write() as lean:
            for one in open_spans.listed(lean):
                found = open_spans.stored(lean, one.key)
                assert found is not None
                telemetry.end_span(lean, one.key, open_spans.as_interrupted(*found))
    receipts = [sync(three[who], remotes[who]) for _ in range(3) for who in range(3)]
    aside = [rows(ledger, "SELECT way, stream, rid, why, raw FROM sync_asides") for ledger in three]
    assert aside == [[], [], []], "nothing is wrong with any record"
    assert crashes and len({receipt.agreed for receipt in receipts[-3:]}) == 1 and receipts[-1].agreed
    check(server, *three)
