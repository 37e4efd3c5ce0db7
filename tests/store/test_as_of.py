"""Looking back: the ledger as of a moment is what one saw at that moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import Conflict, InputError, LedgerError, NotFound, ReadOnlyMoment
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database

START = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
NAMES = ("mail/welcome", "mail/bye", "code/review")
TABLES = (
    "prompt_states", "labels", "version_numbers", "input_sets", "price_entries", "budgets", "traces", "daily_costs",
    "daily_parties", "daily_uses", "late_prices", "usages", "prompts", "prompt_versions", "journal",
)  # fmt: skip
LATENCIES = """
SELECT l.day, k.provider, k.model, k.prompt_id, k.version_id, k.environment,
       l.latency_lowest, l.latency_counts, l.first_lowest, l.first_counts
FROM daily_latencies l JOIN call_keys k ON k.id = l.key_id
"""
SPANS = "SELECT id, status, duration_us, cost_nusd, unpriced, input_tokens, output_tokens, card_id FROM spans"
TEXTS = "SELECT span_key, input, output, error FROM span_payloads"


def content(text: str) -> PromptContent:
    return PromptContent((Message("user", text),))


class History:
    """A ledger to which things happen, one after another, by a seeded chance."""

    def __init__(self, ledger: PromptLedger, seed: int) -> None:
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.running: list[SpanRecord] = []
        self.count = 0
        self.passed_us = 0
        self.priced_late = 0

    def happen(self) -> None:
        """Let some time pass, and one thing happen."""
        self.passed_us = self.chance.randint(1, 5 * 3_600_000_000)
        clock.advance(self.passed_us)
        try:
            self.chance.choice(
                (
                    self.save,
                    self.label,
                    self.field,
                    self.undo,
                    self.inputs,
                    self.call,
                    self.call,
                    self.begin,
                    self.end,
                    self.end,
                    self.price,
                    self.price_late,
                    self.budget,
                )
            )()
        except (NotFound, InputError, Conflict):
            pass

    def save(self) -> None:
        self.ledger.registry.save(self.chance.choice(NAMES), content(f"text {self.chance.randint(1, 6)} {{{{ x }}}}"))

    def label(self) -> None:
        name = self.chance.choice(NAMES)
        if self.chance.random() < 0.3:
            self.ledger.registry.remove_label(name, "production")
        else:
            self.ledger.registry.set_label(name, "production", self.chance.randint(1, 4))

    def field(self) -> None:
        field, value = self.chance.choice(
            (
                ("description", f"d{self.chance.random()}"),
                ("archived", self.chance.random() < 0.5),
                ("tags", ["a", "b"]),
            )
        )
        self.ledger.registry.set_field(self.chance.choice(NAMES), field, value)

    def inputs(self) -> None:
        self.ledger.registry.keep_inputs(self.chance.choice(NAMES), "usual", {"x": self.chance.randint(1, 9)})

    def undo(self) -> None:
        self.ledger.registry.undo()

    def price(self) -> None:
        """A price of the team's own, from some time ago on, or the end of one."""
        entries = self.ledger.prices.entries()
        if entries and self.chance.random() < 0.4:
            self.ledger.prices.remove(self.chance.choice(entries).rid)
        else:
            dollars = str(self.chance.randint(1, 50))
            since = clock.now_us() - self.chance.randint(0, 40 * 3_600_000_000)
            model = self.chance.choice(("m1", "m2"))
            self.ledger.prices.add("somebody", model, {"input": dollars, "output": dollars}, from_us=since)

    def price_late(self) -> None:
        """Calls without a price get one, where one is known by now."""
        self.priced_late += self.ledger.prices.price_unpriced().priced

    def price_everything(self) -> None:
        """Whatever is unpriced gets a price now."""
        for entry in self.ledger.prices.entries():
            self.ledger.prices.remove(entry.rid)
        for model in ("m1", "m2"):
            self.ledger.prices.add("somebody", model, {"input": "3", "output": "4"}, from_us=0)
        self.price_late()
        assert self.priced_late

    def budget(self) -> None:
        entries = self.ledger.budgets.entries()
        if entries and self.chance.random() < 0.3:
            self.ledger.budgets.remove(self.chance.choice(entries).rid)
        else:
            self.ledger.budgets.set(self.chance.randint(1, 9), self.chance.choice(("day", "month")))

    def call(self) -> None:
        """A step of a trace that ends now and began when nobody looked; most of them are model calls."""
        lasted = self.chance.randint(0, self.passed_us - 1)
        self._record(self._step(clock.now_us() - lasted, duration_us=lasted, **self._outcome()))

    def begin(self) -> None:
        span = self._step(clock.now_us(), status="running", input="question")
        self.running.append(span)
        self._record(span)

    def end(self) -> None:
        if self.running:
            span = self.running.pop(self.chance.randrange(len(self.running)))
            self._record(
                replace(span, duration_us=clock.now_us() - span.started_us, output="answer", **self._outcome())
            )

    def _record(self, span: SpanRecord) -> None:
        self.ledger.traces.record([span])

    def _step(self, started_us: int, **fields: Any) -> SpanRecord:
        self.count += 1
        return SpanRecord(
            f"trace-{self.chance.randint(1, 6)}",
            f"span-{self.count}",
            **{
                "name": "step",
                "kind": "llm",
                "status": "succeeded",
                "started_us": started_us,
                "provider": "somebody",
                "model": self.chance.choice(("m1", "m2", None)),
                "environment": self.chance.choice(("dev", "prod")),
                "user_identifier": self.chance.choice((None, "ann")),
                **fields,
            },
        )

    def _outcome(self) -> dict[str, Any]:
        priced = self.chance.random() < 0.6
        return {
            "status": self.chance.choice(("succeeded", "succeeded", "failed", "canceled")),
            "tokens": TokenUsage(input=self.chance.randint(1, 900), output=self.chance.randint(1, 300)),
            "cost_nusd": self.chance.randint(1, 10**9) if priced else None,
            "unpriced": not priced,
            "first_token_us": 900,
        }


def seen(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that readers of a ledger can see."""
    with database.lean() as lean:
        found = {name: lean.fetch(f"SELECT {_columns(name)} FROM {name}") for name in TABLES}
        for name, sql in (("latencies", LATENCIES), ("spans", SPANS), ("texts", TEXTS)):
            found[name] = lean.fetch(sql)
    return {name: sorted((tuple(map(_plain, row)) for row in rows), key=repr) for name, rows in found.items()}


def _columns(table: str) -> str:
    from ledger_tui.store.as_of_registry import columns

    return ", ".join(name for name in columns(table))


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool | Decimal) else value


@pytest.fixture
def stopped() -> Iterator[None]:
    with clock.stopped(START):
        yield


def replayed(target: str | Path, paths: Paths, seed: int, steps: int) -> None:
    """Let a history happen, look at it now and then, and later look back to the same moments."""
    with PromptLedger(str(target), paths=paths) as ledger:
        ledger.prepare()
        history = History(ledger, seed)
        looks: list[tuple[int, dict[str, list[tuple[Any, ...]]]]] = []
        for step in range(steps):
            history.happen()
            if step % 7 == 3:
                looks.append((clock.now_us(), seen(ledger.database)))
        clock.advance(1)
        history.price_everything()
        for at_us, then in looks:
            with PromptLedger(str(target), paths=paths, as_of=clock.from_us(at_us)) as past:
                past.prepare()
                now = seen(past.database)
            assert {name: rows for name, rows in now.items() if rows != then[name]} == {
                name: rows for name, rows in then.items() if rows != now[name]
            }


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("seed", range(4))
def test_the_past_is_what_was_seen_then(paths: Paths, seed: int) -> None:
    """Prompts, labels, traces, spans, texts and sums as of a moment are those that one saw at that moment."""
    replayed(paths.database, paths, seed, 60)


@pytest.mark.usefixtures("stopped")
def test_the_past_is_what_was_seen_then_on_postgres(paths: Paths, postgres_url: str) -> None:
    """A shared database looks back as a file does."""
    replayed(postgres_url, paths, 11, 40)


def test_the_past_cannot_be_written(paths: Paths) -> None:
    """Saving, running, recording and keeping are refused while an earlier moment is shown, and change nothing."""
    with PromptLedger(paths=paths) as ledger:
        ledger.prepare()
        ledger.registry.save("a", content("text"))
        before = seen(ledger.database)
        with PromptLedger(paths=paths, as_of=clock.now()) as past:
            past.prepare()
            for attempt in (
                lambda: past.registry.save("a", content("other")),
                lambda: past.registry.set_label("a", "production", 1),
                lambda: past.registry.undo(),
                lambda: past.execute("a", {}, model="offline"),
                lambda: past.render("a", {}),
                lambda: past.log_external_span("t", name="s"),
                lambda: past.create_prompt("b", "text"),
            ):
                with pytest.raises(ReadOnlyMoment) as refused:
                    attempt()
                assert refused.value.remedy
        assert seen(ledger.database) == before


def test_a_change_of_the_present_is_not_seen_in_the_past(paths: Paths) -> None:
    """A view of the past that stays open stays what it is while the present goes on."""
    with PromptLedger(paths=paths) as ledger:
        ledger.prepare()
        ledger.registry.save("a", content("first"))
        with PromptLedger(paths=paths, as_of=clock.now()) as past:
            past.prepare()
            assert [row.active_number for row in past.registry.prompts()] == [1]
            ledger.registry.save("a", content("second"))
            ledger.registry.save("b", content("new"))
            assert [(row.name, row.active_number) for row in past.registry.prompts()] == [("a", 1)]


@pytest.mark.parametrize(
    "moment", [datetime(1960, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)]
)
def test_moments_that_cannot_be_shown_are_refused(paths: Paths, moment: datetime) -> None:
    """A moment to come, one before 1970 and one without a zone are refused in words."""
    with pytest.raises(LedgerError) as refused:
        PromptLedger(paths=paths, as_of=moment)
    assert refused.value.title


def test_there_is_no_past_without_a_ledger(paths: Paths) -> None:
    """Looking back where nothing was ever kept says so and makes no file."""
    with PromptLedger(paths=paths, as_of=clock.now()) as past, pytest.raises(LedgerError, match="no ledger"):
        past.prepare()
    assert not paths.database.exists()


def searched_then_and_later(target: str | Path, paths: Paths) -> None:
    """Search at a moment, change everything, and search again as of it."""
    with PromptLedger(str(target), paths=paths) as ledger:
        ledger.prepare()
        ledger.registry.save("mail/welcome", content("Hello Ünïcode friend, good morning"))
        ledger.registry.save("mail/bye", content("farewell"), description="says goodbye % kindly")
        ledger.registry.save("code/review", content("never searched"))
        start = clock.now_us()
        step = SpanRecord("t1", "s1", name="early", kind="llm", status="succeeded", started_us=start, duration_us=5)
        running = SpanRecord("t2", "s2", name="slow", kind="llm", status="running", started_us=start, input="question")
        ledger.traces.record([replace(step, output="early answer"), running])
        clock.advance(1_000_000)
        asked = ("unicode fri", '"good morning"', '"morning good"', "goodbye", "%", "farew", "mail", "later", "")
        words = ("answer", "question", "late", "early", '"early answer"')
        then = [ledger.registry.search(text) for text in asked], [found(ledger, word) for word in words]
        at_us = clock.now_us()
        clock.advance(1_000_000)
        ledger.registry.save("mail/welcome", content("later text"))
        ledger.registry.set_field("mail/bye", "archived", True)
        ledger.registry.set_field("code/review", "description", "goodbye")
        ledger.registry.save("mail/later", content("Hello unicode friend"))
        ended = replace(running, status="succeeded", duration_us=1_500_000, output="late answer")
        ledger.traces.record(
            [ended, replace(step, trace_id="t3", span_id="s3", started_us=clock.now_us(), input="late")]
        )
        assert found(ledger, "late") == ["t2", "t3"]
        with PromptLedger(str(target), paths=paths, as_of=clock.from_us(at_us)) as past:
            past.prepare()
            now = [past.registry.search(text) for text in asked], [found(past, word) for word in words]
        assert now == then
        assert [hit.name for hit in then[0][0]] == ["mail/welcome"] and then[1][0] == ["t1"]


def found(ledger: PromptLedger, word: str) -> list[str]:
    return sorted(row.trace_id for row in ledger.traces.page(word).rows)


@pytest.mark.usefixtures("stopped")
def test_search_finds_what_it_found_then(paths: Paths) -> None:
    """Prompts and traces found as of a moment are those found at it: nothing later by its text, nothing changed missed."""
    searched_then_and_later(paths.database, paths)


@pytest.mark.usefixtures("stopped")
def test_search_finds_what_it_found_then_on_postgres(paths: Paths, postgres_url: str) -> None:
    """A shared database searches its past as a file does."""
    searched_then_and_later(postgres_url, paths)
