"""What if: the same calls at other prices, exact beside a recount in Decimal, and unknown is never nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import astuple
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import FilterError, InputError
from ledger_tui.paths import Paths
from ledger_tui.services.what_if import Sums, WhatIf
from ledger_tui.store import calls
from ledger_tui.store.database import Database
from tests.services.money import charges

DAY = 86_400_000_000
START = 20_000 * DAY
MODELS = [
    ("openai", "gpt-4o"),
    ("acme", "m"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    (None, "lost"),
]


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths) as made:
        made.prepare()
        yield made


def fill(ledger: PromptLedger, dice: random.Random, count: int) -> list[SpanRecord]:
    """Calls of several models and days: some with caches, some absurd, some without a price or token counts."""
    made = []
    for number in range(count):
        provider, model = dice.choice(MODELS)
        given, out = dice.choice((None, dice.randrange(400_000))), dice.randrange(5_000)
        read = dice.choice((None, 0, dice.randrange(1 + (given or 0)), 500_000))
        cost = dice.choice((None, dice.randrange(10**7)))
        made.append(
            SpanRecord(
                f"t{number // 5}", f"s{number}", "call", "llm", dice.choice(("succeeded", "succeeded", "failed")),
                START + dice.randrange(5 * DAY), 1000, provider=provider, model=model,
                tokens=TokenUsage(given, read, None, out, dice.choice((None, dice.randrange(1 + out)))),
                cost_nusd=cost, unpriced=cost is None,
            )
        )  # fmt: skip
    ledger.traces.record(made)
    return made


def expected(
    ledger: PromptLedger, spans: list[SpanRecord], book: str | None, target: tuple[str, str] | None, at: int | None
) -> Sums:
    """The sums of one call after the other, each by the receipt that it would get."""
    from ledger_tui.services.price_files import price_list

    prices = ledger.prices.book.look() if book is None else price_list(book, ledger.prices.book.look().own)
    found = Sums()
    for span in spans:
        provider, model = target or (span.provider or "", span.model or "")
        priced = prices.price(provider, [model], span.tokens, span.started_us if at is None else at)
        would = None if priced is None else priced.nusd
        found.calls += 1
        found.charged_nusd += span.cost_nusd or 0
        found.unpriced += span.cost_nusd is None
        found.would_nusd += would or 0
        found.unpriceable += would is None
        if would is not None and span.cost_nusd is not None:
            found.both_calls += 1
            found.both_charged_nusd += span.cost_nusd
            found.both_would_nusd += would
    return found


def total(answer: WhatIf) -> tuple[object, ...]:
    """The sums, and that the rows by model add up to them."""
    added = Sums()
    for row in answer.by_model:
        added.add(row)
    assert astuple(added) == astuple(answer.total)
    return astuple(answer.total)


@pytest.mark.parametrize("seed", range(4))
def test_every_call_costs_what_its_receipt_would_say(
    ledger: PromptLedger, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grouped sums equal those of one receipt after another, for every model, book and moment; nothing is changed."""
    monkeypatch.setattr(calls, "PAGE", 37)
    dice = random.Random(seed)
    spans = fill(ledger, dice, 150)
    for start in (START, START + DAY + 5, START + 3 * DAY):
        prices = {"input": f"0.{dice.randrange(1, 10**7)}", "output": "1.0000001", "cache_read": "0.00003"}
        tiers = [{"above": 100_000, "prices": {"input": "2.5", "output": "3"}}]
        ledger.prices.add("acme", "m", prices, from_us=start, tiers=tiers)
    ledger.prices.add("", "lost", {"input": "1", "output": "2"}, from_us=0)
    file = tmp_path / "book.toml"
    file.write_text('[[price]]\nmodel = "openai/gpt-4o"\nfrom = 2020-01-01\ninput = 1.5\noutput = 3.25\n')
    before = charges(ledger)
    for book in (None, "own", "library", str(file)):
        for target in (None, ("acme", "m"), ("openai", "gpt-4o"), ("nobody", "knows")):
            for at in (None, START + DAY):
                name = None if target is None else "/".join(target)
                answer = ledger.prices.what_if(book=book, model=name, at_us=at)
                assert total(answer) == astuple(expected(ledger, spans, book, target, at)), (book, target, at)
    assert charges(ledger) == before


def test_the_selection_is_of_calls(ledger: PromptLedger) -> None:
    """Terms of the grammar that tell of a call choose calls, the others their traces; days are the calls' own."""
    spans = fill(ledger, random.Random(7), 120)

    def count(text: str, **more: tuple[str, str]) -> int:
        return ledger.prices.what_if(text, **more).total.calls  # type: ignore[arg-type]

    assert count("model:gpt-4o") == sum(span.model == "gpt-4o" for span in spans)
    assert count("-model:gpt-* provider:acme,google") == sum(span.provider in ("acme", "google") for span in spans)
    assert count("status:failed kind:llm") == sum(span.status == "failed" for span in spans)
    assert count("trace:t3 model:m") == sum(span.trace_id == "t3" and span.model == "m" for span in spans)
    day = clock.from_us(START + 2 * DAY).date().isoformat()
    inside = [span for span in spans if START + 2 * DAY <= span.started_us < START + 3 * DAY]
    assert count("", days=(day, day)) == len(inside)
    assert count(f"since:{day} until:{clock.from_us(START + 3 * DAY).date()}") == len(inside)
    assert count("since:2020-01-01") == len(spans) and count("until:2020-01-01") == 0
    with pytest.raises(FilterError):
        count("colour:red")
    with pytest.raises(InputError):
        count("", days=("2024-02-30", day))


def test_unknown_is_counted_and_never_nothing(ledger: PromptLedger) -> None:
    """Where no price is known on a side, that side is None and its calls are counted; only both sides are compared."""
    ledger.traces.record(
        [
            SpanRecord("t", f"s{n}", "c", "llm", "succeeded", START, 1, provider="acme", model="m",
                       tokens=TokenUsage(1_000_000, None, None, 0, None), cost_nusd=cost, unpriced=cost is None)
            for n, cost in enumerate((None, 5 * 10**9))
        ]
    )  # fmt: skip
    answer = ledger.prices.what_if()
    assert (answer.total.would, answer.total.unpriceable, answer.total.difference) == (None, 2, None)
    assert (answer.total.charged, answer.total.unpriced, answer.sources) == (5 * 10**9, 1, ())
    ledger.prices.add("acme", "m", {"input": "3", "output": "1"}, from_us=0)
    answer = ledger.prices.what_if()
    assert (answer.total.would, answer.total.unpriceable) == (6 * 10**9, 0)
    assert (answer.total.both_calls, answer.total.difference) == (1, -2 * 10**9)
    assert Decimal(answer.total.would or 0) / 10**9 == Decimal("3") * 2


def test_it_can_be_stopped(ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how far it is, and a stop gives the sums of the part that was looked at, marked as such."""
    monkeypatch.setattr(calls, "PAGE", 10)
    fill(ledger, random.Random(1), 50)
    stop, seen = threading.Event(), []

    def progress(done: int) -> None:
        seen.append(done)
        if done >= 20:
            stop.set()

    answer = ledger.prices.what_if(progress=progress, cancel=stop)
    assert answer.canceled and seen == [10, 20] and answer.total.calls == 20


def test_both_databases_agree(any_database: Database, paths: Paths) -> None:
    """The same calls give the same answer on both databases, also through a filter."""
    with PromptLedger(paths=paths) as ledger:
        ledger.database = any_database
        spans = fill(ledger, random.Random(3), 60)
        assert total(ledger.prices.what_if()) == astuple(expected(ledger, spans, None, None, None))
        some = ledger.prices.what_if("model:gpt-4o since:2020-01-01", model="openai/gpt-4o-mini")
        chosen = [span for span in spans if span.model == "gpt-4o"]
        assert total(some) == astuple(expected(ledger, chosen, None, ("openai", "gpt-4o-mini"), None))
