"""What was charged never changes, whatever happens to prices, and all sums follow what is priced late."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.price_entries import moment_us
from ledger_tui.domain.price_words import words
from ledger_tui.errors import Conflict, InputError, LedgerError, NotFound
from ledger_tui.paths import Paths
from ledger_tui.services import prices as service
from ledger_tui.services.run_values import RunRequest
from ledger_tui.store import folds
from ledger_tui.store.database import Database
from tests.services.money import charges, check_receipts, check_sums

DAY = 86_400_000_000
DEAR, CHEAP = {"input": "5", "output": "15"}, {"input": "0.1234567", "output": "0.4"}


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths) as made:
        made.prepare()
        yield made


@pytest.fixture
def any_ledger(any_database: Database, paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths) as made:
        made.database = any_database
        yield made


def call(ledger: PromptLedger, model: str = "m", provider: str = "acme", at_us: int | None = None, **more: Any) -> str:
    """Record a call; returns its trace."""
    started = clock.from_us(clock.now_us() if at_us is None else at_us)
    values: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 100, "duration_ms": 5, **more}
    trace = values.pop("trace", "t")
    ledger.log_external_span(trace, name="call", model=model, provider=provider, started_at=started, **values)
    return str(trace)


def only_receipt(ledger: PromptLedger) -> Any:
    (key,) = charges(ledger)
    return ledger.traces.receipt(key)


def test_an_own_price_wins_over_the_public_book(ledger: PromptLedger) -> None:
    """A call is charged by the entry that held at its start; before and after it by the public book."""
    now = clock.now_us()
    ledger.prices.add("openai", "gpt-4o", {"input": "7", "output": "9"}, from_us=now - 2 * DAY, until_us=now - DAY)
    for number, at_us in enumerate((now - 2 * DAY - 1, now - 2 * DAY, now - DAY - 1, now - DAY)):
        call(ledger, "gpt-4o", "openai", at_us, trace=f"t{number}")
    ledger.flush()
    costs = [ledger.traces.trace(f"t{number}").cost_nusd for number in range(4)]
    assert costs[0] == costs[3] and costs[1] == costs[2] == 1000 * 7000 + 100 * 9000 != costs[0]
    sources = [ledger.traces.receipt(key).receipt["source"] for key in sorted(charges(ledger))]  # type: ignore[index]
    assert sources == ["genai-prices", "own", "own", "genai-prices"]


def test_a_later_price_ends_an_open_one_and_undo_brings_it_back(ledger: PromptLedger) -> None:
    """Entering a later price ends the open one at its start; one undo takes both facts back, and history says all."""
    first = ledger.prices.add("acme", "m", DEAR, from_us=100 * DAY)
    second = ledger.prices.add("acme", "m", CHEAP, from_us=200 * DAY, reason="new contract")
    assert second.ended == (first.entry.rid,)
    assert [(row.spec.from_us, row.spec.until_us) for row in ledger.prices.entries()] == [
        (100 * DAY, 200 * DAY), (200 * DAY, None)
    ]  # fmt: skip
    told = ledger.registry.undo()
    assert "withdrawn" in told and "holds from" in told
    assert [(row.rid, row.spec.until_us) for row in ledger.prices.entries()] == [(first.entry.rid, None)]
    history = [words(fact) for fact in ledger.prices.history()]
    assert len(history) == 5 and history[0].startswith("undo: ") and any("acme/m: $5 in" in line for line in history)


@pytest.mark.parametrize(
    ("start", "until"), [(50, None), (100, None), (100, 150), (50, 101), (150, 160), (199, 300), (50, 250)]
)
def test_overlaps_are_refused_and_name_the_entry(ledger: PromptLedger, start: int, until: int | None) -> None:
    """Two prices of a model never hold at the same time: the error names the one that is there, nothing is written (B14)."""
    there = ledger.prices.add("acme", "m", DEAR, from_us=100 * DAY, until_us=200 * DAY).entry
    with pytest.raises(Conflict) as refused:
        ledger.prices.add("acme", "m", CHEAP, from_us=start * DAY, until_us=until and until * DAY)
    assert "1970-04-11" in str(refused.value) and there.rid in refused.value.remedy
    assert ledger.prices.entries() == [there]
    assert ledger.prices.add("acme", "other", CHEAP, from_us=start * DAY).created
    touching = ledger.prices.add("acme", "m", CHEAP, from_us=200 * DAY)
    assert touching.created and not touching.ended


def test_ending_withdrawing_and_finding(ledger: PromptLedger) -> None:
    """A price ends when it is told to and can be withdrawn; an end before its start and unknown ids are refused."""
    rid = ledger.prices.add("acme", "m", DEAR, from_us=100).entry.rid
    assert ledger.prices.end(rid, 200).spec.until_us == 200
    assert ledger.prices.entries(at=199) and not ledger.prices.entries(at=200)
    assert ledger.prices.end(rid, None).spec.until_us is None
    with pytest.raises(InputError):
        ledger.prices.end(rid, 100)
    ledger.prices.remove(rid, "wrong")
    assert not ledger.prices.entries()
    for act in (lambda: ledger.prices.remove(rid), lambda: ledger.prices.end("", 5)):
        with pytest.raises(NotFound):
            act()
    ledger.registry.undo()
    assert [row.rid for row in ledger.prices.entries()] == [rid]


def test_undo_is_refused_where_another_price_took_the_place(ledger: PromptLedger) -> None:
    """Taking a withdrawal back would let two prices hold at once: it is refused in words."""
    other = service.PriceService(ledger.database, lambda: ledger.models, author=lambda: "b", device=lambda: "other")
    rid = ledger.prices.add("acme", "m", DEAR, from_us=100).entry.rid
    ledger.prices.remove(rid)
    other.add("acme", "m", CHEAP, from_us=50)
    with pytest.raises(Conflict):
        ledger.registry.undo()
    assert [row.spec.from_us for row in ledger.prices.entries()] == [50]


def test_the_seed_and_files_are_imported_once(ledger: PromptLedger, tmp_path: Path) -> None:
    """Importing twice changes nothing; an exported book gives the same prices in an empty ledger; one undo takes it back."""
    assert [one.created for one in ledger.prices.import_seed()] == [True] * 5
    assert [one.created for one in ledger.prices.import_seed()] == [False] * 5
    ledger.prices.add("openai", "gpt-4o", CHEAP, from_us=moment_us("2026-01-01"))
    for kind in ("toml", "json"):
        file = tmp_path / f"book.{kind}"
        file.write_text(ledger.prices.export_text(kind))
        assert not any(one.created for one in ledger.prices.import_file(file))
        with PromptLedger(paths=Paths(data=tmp_path / kind, config=tmp_path / "c")) as other:
            other.prepare()
            assert all(one.created for one in other.prices.import_file(file))
            assert other.prices.export_text() == ledger.prices.export_text()
            other.registry.undo()
            assert not other.prices.entries()


def test_a_file_is_taken_whole_or_not_at_all(ledger: PromptLedger, tmp_path: Path) -> None:
    """One price that overlaps leaves nothing of its file behind."""
    file = tmp_path / "book.toml"
    rows = [("a/x", "2026-01-01"), ("a/y", "2026-01-01"), ("a/x", "2026-01-01")]
    file.write_text(
        "".join(
            f'[[price]]\nmodel = "{m}"\nfrom = {d}\ninput = {n + 1}.5\noutput = 2\n' for n, (m, d) in enumerate(rows)
        )
    )
    with pytest.raises(Conflict):
        ledger.prices.import_file(file)
    assert not ledger.prices.entries() and not ledger.prices.history()


def test_the_fold_is_rebuilt_from_the_journal(any_ledger: PromptLedger) -> None:
    """Replaying the journal gives the same entries as keeping them up did."""
    any_ledger.prices.import_seed()
    any_ledger.prices.add("openai", "gpt-4o", CHEAP, from_us=moment_us("2026-01-01"))
    any_ledger.prices.remove(any_ledger.prices.entries("anthropic")[0].rid)
    any_ledger.registry.undo()
    before = any_ledger.prices.entries()
    with any_ledger.database.lean_write() as lean:
        folds.rebuild(lean)
    assert any_ledger.prices.entries() == before and len(before) == 6


async def test_runs_keep_the_own_price_in_their_receipt(ledger: PromptLedger) -> None:
    """A run is charged by the own price as soon as it is there, and its receipt and its span's card say which one."""
    entry = ledger.prices.add("offline", "offline", DEAR, from_us=clock.now_us() - 1).entry
    from ledger_tui.domain.content import Message, PromptContent

    content = PromptContent((Message("user", "Say something about ledgers."),))
    result = await ledger.runs.run(RunRequest(content, "offline"))
    assert result.receipt is not None and result.cost_nusd
    assert (result.receipt["source"], result.receipt["entry"]) == ("own", entry.rid)
    ledger.prices.remove(entry.rid)
    assert only_receipt(ledger).receipt == ledger.traces.execution(result.execution_id).receipt == result.receipt
    free = await ledger.runs.run(RunRequest(content, "offline"))
    assert free.cost_nusd == 0
    check_sums(ledger)
    check_receipts(ledger)


def test_a_cost_of_the_caller_is_told_as_such(ledger: PromptLedger) -> None:
    """A cost that the caller gave wins over every price, and no receipt is invented for it."""
    ledger.prices.add("acme", "m", DEAR, from_us=0)
    call(ledger, cost="0.5")
    ledger.flush()
    receipt = only_receipt(ledger)
    assert (receipt.how, receipt.cost_nusd, receipt.receipt) == ("given", 500_000_000, None)


def test_late_pricing_is_a_fact_and_changes_every_sum(any_ledger: PromptLedger) -> None:
    """Unpriced calls that have a price by now get it, with all sums over them, once; the fact says so and stays."""
    ledger, now = any_ledger, clock.now_us()
    for number in range(7):
        call(ledger, at_us=now - number * DAY, trace=f"t{number % 2}", session_id="s", user_identifier=f"u{number % 3}")
    call(ledger, "unknown")
    call(ledger, prompt_tokens=None)
    ledger.flush()
    ledger.prices.add("acme", "m", CHEAP, from_us=now - 3 * DAY)
    assert {(row.model, row.calls, row.without_tokens) for row in ledger.prices.unpriced()} == {
        ("m", 8, 1),
        ("unknown", 1, 0),
    }
    before = charges(ledger)
    dry = ledger.prices.price_unpriced(dry_run=True)
    assert (dry.looked_at, dry.priced) == (9, 4) and charges(ledger) == before
    done = ledger.prices.price_unpriced("acme", "m", reason="bill of november")
    assert (done.priced, done.nusd, done.still_unpriced) == (4, dry.nusd, 4)
    check_sums(ledger)
    check_receipts(ledger)
    (fact,) = [fact for fact in ledger.prices.history() if fact.kind == "pricing"]
    assert fact.value["calls"] == 4 and fact.reason == "bill of november" and "priced late" in words(fact)
    late = [ledger.traces.receipt(key) for key in charges(ledger)]
    assert {r.late_rid for r in late if r.how == "charged"} == {fact.rid}
    assert ledger.prices.price_unpriced().priced == 0
    told = ledger.registry.undo()
    assert "stay priced" in told and sum(cost is not None for cost, _, _ in charges(ledger).values()) == 4
    with pytest.raises(NotFound, match="a charge is a fact"):
        ledger.registry.undo()


def test_late_pricing_stops_and_goes_on(ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop leaves whole chunks behind, and a second call goes on where the first one stopped."""
    monkeypatch.setattr(service, "CHUNK", 3)
    for number in range(10):
        call(ledger, trace=f"t{number}")
    ledger.flush()
    ledger.prices.add("acme", "m", DEAR, from_us=0)
    stop, seen = threading.Event(), []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        if done >= 6:
            stop.set()

    done = ledger.prices.price_unpriced(progress=progress, cancel=stop)
    assert done.canceled and done.priced == 6 and seen == [(3, 10), (6, 10)]
    check_sums(ledger)
    assert ledger.prices.price_unpriced().priced == 4
    check_sums(ledger)
    check_receipts(ledger)


async def test_a_run_without_a_price_is_priced_late(ledger: PromptLedger) -> None:
    """The execution of a late-priced run has the cost and a receipt that names the fact."""
    from ledger_tui.domain.content import Message, PromptContent

    ledger.answer_with(None)
    content = PromptContent((Message("user", "Hello."),))
    result = await ledger.runs.run(RunRequest(content, "offline"))
    with ledger.database.lean_write() as lean:
        lean.execute(
            "UPDATE spans SET cost_nusd = NULL, unpriced = :yes, card_id = NULL, provider = 'acme'", {"yes": True}
        )
        lean.execute("UPDATE executions SET cost_nusd = NULL, receipt = NULL, served_model = NULL")
        lean.execute("UPDATE traces SET priced_count = 0, unpriced_count = 1")
        lean.execute("UPDATE daily_costs SET unpriced = 1, provider = 'acme'")
    ledger.prices.add("acme", "offline", DEAR, from_us=0)
    assert ledger.prices.price_unpriced().priced == 1
    execution = ledger.traces.execution(result.execution_id)
    receipt = only_receipt(ledger)
    assert execution.cost_nusd == receipt.cost_nusd and execution.receipt == receipt.receipt
    assert receipt.receipt["late_rid"] == receipt.late_rid is not None
    check_sums(ledger)


def test_another_programs_price_counts_at_once(ledger: PromptLedger, paths: Paths) -> None:
    """A price that another program entered is used for the next batch of recorded calls."""
    call(ledger, trace="before")
    ledger.flush()
    with PromptLedger(paths=paths) as other:
        other.prices.add("acme", "m", DEAR, from_us=0)
    call(ledger, trace="after")
    ledger.flush()
    assert ledger.traces.trace("before").known_cost_nusd is None
    assert ledger.traces.trace("after").known_cost_nusd == 1000 * 5000 + 100 * 15000


def history(ledger: PromptLedger, dice: random.Random, steps: int) -> None:
    """Random prices, calls, late pricing, withdrawals and undos; after each step what was charged is as it was."""
    now = clock.now_us()
    known: dict[int, tuple[Any, ...]] = {}

    def add() -> None:
        start = now - dice.randrange(0, 40) * DAY + dice.choice((0, 1, DAY // 2))
        prices = {name: f"{dice.randrange(1, 10**7)}e-{dice.randrange(3, 7)}" for name in ("input", "output")}
        tiers = [{"above": dice.randrange(1, 2000), "prices": prices}] * dice.randrange(2)
        until = dice.choice((None, start + dice.randrange(1, 10) * DAY))
        prices |= {"cache_read": "0.333333"} if dice.random() < 0.3 else {}
        ledger.prices.add("acme", dice.choice("mn"), prices, from_us=start, until_us=until, tiers=tiers)

    def some(act: Any) -> None:
        if rows := ledger.prices.entries():
            act(dice.choice(rows))

    def record() -> None:
        for _ in range(dice.randrange(1, 6)):
            given = dice.choice((None, dice.randrange(0, 3000)))
            call(
                ledger, dice.choice("mnx"), at_us=now - dice.randrange(0, 40 * DAY), trace=f"t{dice.randrange(4)}",
                prompt_tokens=given, cached_tokens=given and dice.randrange(0, given + 1),
                session_id=dice.choice((None, "s")), cost=dice.choice((None, None, None, "0.25")),
            )  # fmt: skip
        ledger.flush()

    acts = [
        add, add, record, record, ledger.prices.price_unpriced, ledger.registry.undo,
        lambda: some(lambda row: ledger.prices.end(row.rid, row.spec.from_us + dice.randrange(1, 20 * DAY))),
        lambda: some(lambda row: ledger.prices.remove(row.rid)),
        lambda: ledger.prices.what_if(dice.choice(("", "model:m")), book=dice.choice((None, "own", "library"))),
    ]  # fmt: skip
    for _ in range(steps):
        try:
            dice.choice(acts)()
        except LedgerError:
            pass
        found = charges(ledger)
        assert {key: found[key] for key in known} == known, "what was charged has changed"
        known = {key: value for key, value in found.items() if value[0] is not None}
        rows = ledger.prices.entries()
        assert not any(row.overlapped for row in rows)
    check_sums(ledger)
    check_receipts(ledger)
    with ledger.database.lean_write() as lean:
        folds.rebuild(lean)
    assert ledger.prices.entries() == rows


@pytest.mark.parametrize("seed", range(6))
def test_what_was_charged_never_changes(ledger: PromptLedger, seed: int) -> None:
    """In random histories charged costs stay, sums equal a recount in Decimal, receipts add up, folds equal a replay."""
    history(ledger, random.Random(seed), 40)


def test_what_was_charged_never_changes_on_both_databases(any_ledger: PromptLedger) -> None:
    """The same on PostgreSQL."""
    history(any_ledger, random.Random(99), 40)


def test_facts_say_who_and_what(ledger: PromptLedger) -> None:
    """A price fact has exact texts, actor, device and the fact it supersedes."""
    rid = ledger.prices.add("acme", "m", {"input": "2.50", "output": "10"}, from_us=5, reason="contract").entry.rid
    ledger.prices.end(rid, 50)
    with ledger.database.lean() as lean:
        rows = lean.fetch(
            "SELECT rid, kind, field, value, base, actor, device, reason, prompt_id FROM journal ORDER BY seq"
        )
    first, second = rows
    assert first[:3] == (rid, "price", rid) and json.loads(first[3])["prices"] == {"input": "2.50", "output": "10"}
    assert json.loads(first[4]) == [] and json.loads(second[4]) == [rid] and first[7] == "contract"
    assert first[5] == ledger.author() and first[6] == ledger.device() and first[8] is None


def test_equal_rates_are_kept_once(ledger: PromptLedger, paths: Paths) -> None:
    """However many batches and programs record calls of a model and day after day, its rates are one card."""
    ledger.prices.add("acme", "m", DEAR, from_us=0)
    for number in range(3):
        call(ledger, trace=f"a{number}")
        call(ledger, "gpt-4o", "openai", clock.now_us() - number * DAY)
        ledger.flush()
    with PromptLedger(paths=paths) as other:
        call(other, trace="b")
        other.flush()
    with ledger.database.lean() as lean:
        assert lean.one("SELECT COUNT(*) FROM rate_cards") == (2,)
    assert all(card for _, _, card in charges(ledger).values())
    check_receipts(ledger)
