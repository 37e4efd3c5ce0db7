"""Tables, totals, comparisons and spikes of calls equal a count of the calls themselves, on both databases."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.percentiles import ERROR
from ledger_tui.domain.selection import GROUPINGS, Grouping, Selection, last_days
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import InputError, NotFound
from ledger_tui.services.call_groups import ORDERS
from ledger_tui.store.database import Database

NOW = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)
TODAY = NOW.date()
DAY_US = 86_400_000_000
FIRST_US = clock.to_us(NOW.replace(hour=0, minute=0)) - 9 * DAY_US
WEEK = last_days(7, TODAY)
FAST = {"offline_delay_s": 0}
SELECTIONS = [
    WEEK,
    replace(WEEK, since=TODAY),
    replace(WEEK, model="a"),
    replace(WEEK, provider="", environment="prod"),
    replace(WEEK, prompt="mail/bye"),
    replace(WEEK, prompt="mail/welcome", version=2),
    replace(WEEK, prompt="mail/welcome", version=0),
    replace(WEEK, prompt="", environment=""),
    replace(WEEK, user="ann"),
    replace(WEEK, user="ann", model="b"),
    replace(WEEK, session="s3"),
    replace(WEEK, user=""),
]


def calls(ledger: PromptLedger) -> list[SpanRecord]:
    """Calls of ten days: of saved versions and none, with and without prices, users and sessions, of every fate."""
    dice = random.Random(5)
    versions: list[tuple[str, str | None]] = [("mail/bye", None)]
    for name, count in (("mail/welcome", 3), ("mail/bye", 1)):
        for number in range(count):
            saved = ledger.registry.save(name, PromptContent((Message("user", f"text {number}"),)))
            versions.append((name, saved.version.id))
    versions.append(("mail/welcome", None))
    made = []
    for number in range(400):
        status = dice.choice(("succeeded",) * 6 + ("failed", "canceled"))
        cost = dice.choice((None, dice.randrange(10**9)))
        name, version_id = dice.choice(versions)
        made.append(
            SpanRecord(
                trace_id=f"t{number // 3}",
                span_id=f"s{number}",
                name="call",
                kind=dice.choice(("llm", "agent")),
                status=status,
                started_us=FIRST_US + dice.randrange(10 * DAY_US),
                duration_us=dice.randrange(1, 10**8),
                first_token_us=dice.choice((None, dice.randrange(1, 10**7))),
                provider=dice.choice((None, "openai", "anthropic")),
                model=dice.choice((None, "a", "b", "c")),
                prompt_id=None if dice.random() < 0.2 else ids.prompt_id(name),
                environment=dice.choice(("", "dev", "prod")),
                user_identifier=("ann", "ben", None)[number // 3 % 3],
                session_id=dice.choice((None, f"s{number // 30}")),
                tokens=TokenUsage(*(dice.choice((None, dice.randrange(999))) for _ in range(5))),
                cost_nusd=cost,
                unpriced=cost is None,
            )
        )
        if made[-1].prompt_id is not None:
            made[-1] = replace(made[-1], version_id=version_id)
    return made


@pytest.fixture
def ledger(any_database: Database) -> PromptLedger:
    """An empty ledger on each kind of database."""
    made = PromptLedger(paths=any_database.paths)
    made.database = any_database
    return made


def numbers(ledger: PromptLedger) -> dict[str, tuple[str, int]]:
    """Version id to prompt and number."""
    rows = [(row.name, version) for row in ledger.registry.prompts() for version in ledger.registry.versions(row.name)]
    return {version.id: (name, version.number) for name, version in rows}


class Counting:
    """Counts calls in Python, as plainly as can be."""

    def __init__(self, ledger: PromptLedger, spans: list[SpanRecord]) -> None:
        self.spans = [span for span in spans if span.model is not None]
        self.prompts = {ids.prompt_id(row.name): row.name for row in ledger.registry.prompts()}
        self.numbers = {version_id: number for version_id, (_, number) in numbers(ledger).items()}

    def key(self, by: Grouping, span: SpanRecord) -> tuple[str, ...] | None:
        """The key of a call's group, None when it is in none."""
        prompt = self.prompts.get(span.prompt_id or "", "")
        parties = {"user": span.user_identifier, "session": span.session_id}
        if by in parties:
            return None if parties[by] is None else (str(parties[by]),)
        keys: dict[str, tuple[str, ...]] = {
            "day": (clock.from_us(span.started_us).date().isoformat(),),
            "provider": (span.provider or "",),
            "model": (span.provider or "", span.model or ""),
            "prompt": (prompt,),
            "version": (prompt, str(self.numbers.get(span.version_id or "", 0))),
            "environment": (span.environment,),
        }
        return keys[by]

    def selected(self, selection: Selection) -> list[SpanRecord]:
        """The calls of a selection."""
        return [span for span in self.spans if self._fits(selection, span)]

    def _fits(self, selection: Selection, span: SpanRecord) -> bool:
        day = clock.from_us(span.started_us).date()
        wanted = (
            (selection.provider, span.provider or ""), (selection.model, span.model),
            (selection.prompt, self.prompts.get(span.prompt_id or "", "")),
            (selection.version, self.numbers.get(span.version_id or "", 0)),
            (selection.environment, span.environment), (selection.user, span.user_identifier or ""),
            (selection.session, span.session_id or ""),
        )  # fmt: skip
        return selection.since <= day <= selection.until and all(one in (None, has) for one, has in wanted)


def sums(spans: list[SpanRecord]) -> dict[str, int]:
    """The plain sums of calls."""
    return {
        "calls": len(spans),
        "errors": sum(span.status == "failed" for span in spans),
        "canceled": sum(span.status == "canceled" for span in spans),
        "input_tokens": sum(span.tokens.input or 0 for span in spans),
        "reasoning_tokens": sum(span.tokens.reasoning or 0 for span in spans),
        "cost_nusd": sum(span.cost_nusd or 0 for span in spans),
        "unpriced": sum(span.unpriced for span in spans),
        "duration_us": sum(span.duration_us or 0 for span in spans),
    }


def near(found: int | None, durations: list[int], share: float) -> bool:
    """Whether a percentile is the exact one within the stated error."""
    if not durations:
        return found is None
    true = sorted(durations)[max(1, ceil(share * len(durations))) - 1]
    return found is not None and abs(found - true) <= ERROR * true + 0.5


@pytest.fixture
def filled(ledger: PromptLedger) -> tuple[PromptLedger, Counting]:
    """A ledger with calls, and the same calls to count."""
    spans = calls(ledger)
    ledger.traces.record(spans)
    return ledger, Counting(ledger, spans)


def test_every_table_equals_a_count(filled: tuple[PromptLedger, Counting]) -> None:
    """Sums of every grouping of every selection are exact, percentiles within their error; totals are those of all rows."""
    ledger, counting = filled
    for selection in SELECTIONS:
        chosen = counting.selected(selection)
        total = ledger.analytics.totals(selection)
        assert {name: getattr(total, name) for name in sums([])} == sums(chosen), selection
        for by in GROUPINGS:
            found = ledger.analytics.breakdown(by, selection, limit=1_000, measured=True)
            groups: dict[tuple[str, ...], list[SpanRecord]] = {}
            for span in chosen:
                key = counting.key(by, span)
                if key is not None:
                    groups.setdefault(key, []).append(span)
            assert {row.key for row in found.rows} == set(groups), (selection, by)
            assert found.group_count == len(groups)
            for row in found.rows:
                of = groups[row.key]
                assert {name: getattr(row, name) for name in sums([])} == sums(of), (selection, by, row.key)
                assert {id(span) for span in counting.selected(row.selection)} == set(map(id, of))
                done = [span for span in of if span.status == "succeeded"]
                lasted = [span.duration_us for span in done if span.duration_us is not None]
                first = [span.first_token_us for span in done if span.first_token_us is not None]
                assert near(row.p50_us, lasted, 0.5) and near(row.p95_us, lasted, 0.95)
                assert near(row.first_p50_us, first, 0.5) and near(row.first_p95_us, first, 0.95)


def test_every_row_opens_the_traces_behind_it(filled: tuple[PromptLedger, Counting]) -> None:
    """The filter of a row finds exactly the traces that have one of its calls, also those whose price is unknown."""
    ledger, counting = filled
    for selection in (SELECTIONS[0], SELECTIONS[4], SELECTIONS[7]):
        for by in GROUPINGS:
            for row in ledger.analytics.breakdown(by, selection).rows:
                if by in ("user", "session"):
                    continue
                behind = counting.selected(row.selection)
                found = {trace.trace_id for trace in ledger.traces.page(row.filter_text, limit=1_000).rows}
                assert found == {span.trace_id for span in behind}, row.filter_text
                unpriced = ledger.traces.page(row.unpriced_filter_text, limit=1_000).rows
                assert {trace.trace_id for trace in unpriced} == {span.trace_id for span in behind if span.unpriced}
    for row in ledger.analytics.breakdown("user", WEEK).rows:
        found = {trace.trace_id for trace in ledger.traces.page(row.filter_text, limit=1_000).rows}
        assert found == {span.trace_id for span in counting.selected(row.selection)}


@pytest.mark.parametrize("order", ORDERS)
def test_orders_and_limits(order: str, filled: tuple[PromptLedger, Counting]) -> None:
    """The first rows of an order are those of the whole table in that order."""
    ledger, _ = filled
    for by in ("model", "prompt", "user", "session"):
        if by in ("user", "session") and "p95" in order:
            with pytest.raises(InputError):
                ledger.analytics.breakdown(by, WEEK, order=order)  # type: ignore[arg-type]
            continue
        whole = ledger.analytics.breakdown(by, WEEK, order=order).rows  # type: ignore[arg-type]
        first = ledger.analytics.breakdown(by, WEEK, order=order, limit=2)  # type: ignore[arg-type]
        assert (first.rows, first.group_count) == (whole[:2], len(whole))
        if order == "cost":
            assert [row.cost_nusd for row in whole] == sorted((row.cost_nusd for row in whole), reverse=True)


def test_days_and_groups_in_one_reading_are_what_two_say(filled: tuple[PromptLedger, Counting]) -> None:
    """Read together, days and groups are the same as one after the other, of every selection and in every order."""
    stats = filled[0].analytics
    for by in GROUPINGS:
        for selection in SELECTIONS:
            days, groups = stats.days_and_groups(by, selection, limit=3)
            assert days.rows and days == stats.breakdown("day", selection)
            assert groups == stats.breakdown(by, selection, limit=3)
    for order in ORDERS:
        found = stats.days_and_groups("model", WEEK, order=order, limit=2)
        assert found == (stats.breakdown("day", WEEK), stats.breakdown("model", WEEK, order=order, limit=2))


def test_groups_without_percentiles_are_the_same_groups(filled: tuple[PromptLedger, Counting]) -> None:
    """Unmeasured, the same rows come in the same order, only without percentiles; an order by one brings its own."""
    stats = filled[0].analytics
    bare = {"p50_us": None, "p95_us": None, "first_p50_us": None, "first_p95_us": None}
    for order in ORDERS:
        days, groups = stats.days_and_groups("model", WEEK, order=order, limit=2)
        quick_days, quick = stats.days_and_groups("model", WEEK, order=order, limit=2, measured=False)
        assert any(row.p95_us for row in days.rows) and any(row.p95_us for row in groups.rows)
        assert quick_days.rows == tuple(replace(row, **bare) for row in days.rows)
        assert quick == (
            groups if "p95" in order else replace(groups, rows=tuple(replace(row, **bare) for row in groups.rows))
        )


def test_a_period_beside_the_last(filled: tuple[PromptLedger, Counting]) -> None:
    """The period before has as many days and ends the day before."""
    ledger, counting = filled
    selection = replace(last_days(3, TODAY), model="a")
    found = ledger.analytics.compare(selection)
    assert found.now == ledger.analytics.totals(selection)
    before = counting.selected(replace(selection, since=TODAY - timedelta(5), until=TODAY - timedelta(3)))
    assert found.before.calls == len(before) > 0
    assert found.before.cost_nusd == sum(span.cost_nusd or 0 for span in before)


def test_mixed_traces_of_a_user_are_counted(ledger: PromptLedger) -> None:
    """A call of another user inside somebody's trace counts for the other user."""
    call = SpanRecord(
        "t",
        "a",
        "call",
        "llm",
        "succeeded",
        FIRST_US + 9 * DAY_US,
        1_000,
        provider="p",
        model="m",
        user_identifier="ann",
    )
    ledger.traces.record([call, replace(call, span_id="b", user_identifier="ben", duration_us=5_000)])
    (row,) = ledger.analytics.breakdown("model", replace(WEEK, user="ben")).rows
    assert (row.calls, row.p50_us) == (1, 5_000)


@pytest.mark.parametrize("amount", [10**15])
def test_sums_past_sqlites_numbers_are_added_up(amount: int, any_database: Database, ledger: PromptLedger) -> None:
    """Days whose amounts together pass what SQL can add up are added up exactly all the same."""
    call = SpanRecord("t", "a", "call", "llm", "succeeded", FIRST_US, 1, provider="p", model="m", cost_nusd=amount)
    spans = [
        replace(call, span_id=str(n), started_us=FIRST_US + n * DAY_US, user_identifier="ann", session_id="long")
        for n in range(3)
    ]
    ledger.traces.record(spans + [replace(call, span_id=f"of {n}", session_id=f"s{n}") for n in range(5)])
    with any_database.lean_write() as lean:
        lean.execute("UPDATE daily_costs SET cost_nusd = 4611686018427387904")
        lean.execute("UPDATE daily_parties SET cost_nusd = 4611686018427387904")
    selection = last_days(20, TODAY)
    assert ledger.analytics.totals(selection).cost_nusd == 3 * 2**62
    for by in ("model", "user"):
        (row,) = ledger.analytics.breakdown(by, selection).rows
        assert row.cost_nusd == 3 * 2**62
    (largest,) = ledger.analytics.breakdown("session", selection, limit=1).rows
    assert (largest.key, largest.cost_nusd) == (("long",), 3 * 2**62)


def spiky(day: int, number: int, **fields: Any) -> SpanRecord:
    """A call of a quiet history."""
    made: dict[str, Any] = {
        "duration_us": 900_000 + 1_000 * (number % 7), "status": "succeeded", "cost_nusd": 20_000_000 + day * 1_000,
        "model": "m", "provider": "p",
    }  # fmt: skip
    return SpanRecord(
        f"t{day}", f"s{day}-{number}", "call", "llm", started_us=FIRST_US + day * DAY_US + number, **{**made, **fields}
    )


@pytest.mark.parametrize(
    ("measure", "fields"),
    [("error_rate", {"status": "failed"}), ("p95", {"duration_us": 4_000_000}), ("cost", {"cost_nusd": 90_000_000})],
)
def test_a_day_that_stands_out_is_found(measure: str, fields: dict[str, Any], ledger: PromptLedger) -> None:
    """More errors, slower or dearer than its own history: the day is named with the numbers behind, and no quiet one is."""
    quiet = [spiky(day, number) for day in range(9) for number in range(30)]
    ledger.traces.record([*quiet, *(spiky(9, number) for number in range(30))])
    assert ledger.analytics.spikes(WEEK) == []
    ledger.traces.record([spiky(9, 100 + number, **fields) for number in range(30)])
    found = [spike for spike in ledger.analytics.spikes(WEEK) if spike.measure == measure]
    assert {(spike.by, spike.stats.label) for spike in found} == {("all", "all"), ("model", "p/m"), ("prompt", "")}
    for spike in found:
        assert spike.value > spike.limit >= 1.5 * spike.median and len(spike.history) == 9
        assert spike.stats.selection.since == TODAY and spike.stats.calls == 60
    assert {spike.measure for spike in ledger.analytics.spikes(WEEK)} <= {measure, "cost"}


def test_few_calls_say_nothing(ledger: PromptLedger) -> None:
    """A day with a handful of calls, or a history of a few days, is no spike."""
    ledger.traces.record([spiky(day, number) for day in range(9) for number in range(30)])
    ledger.traces.record([spiky(9, number, status="failed") for number in range(10)])
    assert ledger.analytics.spikes(WEEK) == []
    early = replace(WEEK, since=TODAY - timedelta(6), until=TODAY - timedelta(6))
    ledger.traces.record([spiky(3, 100 + number, status="failed") for number in range(30)])
    assert ledger.analytics.spikes(early) == []


def test_lengths_of_answers_are_exact(ledger: PromptLedger) -> None:
    """Median and 95th percentile of the newest answers of a prompt, by model; nothing is guessed where there is none."""
    ledger.create_prompt("p", "x")
    call = SpanRecord("t", "a", "call", "llm", "succeeded", FIRST_US, 1, provider="openai", model="m")
    call = replace(call, prompt_id=ids.prompt_id("p"))
    made = [replace(call, trace_id=f"t{n}", tokens=TokenUsage(input=1, output=n)) for n in range(1, 201)]
    made.append(replace(call, trace_id="x", model="other", tokens=TokenUsage(output=10_000)))
    made += [
        replace(call, trace_id="f", span_id="f", status="failed", tokens=TokenUsage(output=7)),
        replace(call, span_id="n"),
    ]
    ledger.traces.record(made)
    history = ledger.analytics.length_history("p", "openai/m", calls=100)
    assert history is not None
    assert (history.calls, history.low, history.median, history.p95) == (100, 105, 150, 195)
    assert ledger.analytics.length_history("p", "m") is not None
    every = ledger.analytics.length_history("p", calls=1)
    assert every is not None and every.median == 10_000
    assert ledger.analytics.length_history("p", "unknown") is None
    assert ledger.analytics.length_history("nobody") is None


def test_usage_stats_of_the_second_seed(ledger: PromptLedger) -> None:
    """Renders and calls are told apart; rates, costs, models, environments, days and versions are those of the facts."""
    with ledger:
        ledger.create_prompt("p", "Hello {{ name }}")
        ledger.create_prompt("q", "x")
        ledger.render("p", {"name": "a"}, environment="staging")
        ledger.execute("p", {"name": "a"}, model="offline", params=FAST)
        ledger.update_prompt("p", "Bye {{ name }}")
        ledger.execute("p", {"name": "b"}, model="offline", params=FAST)
        ledger.execute("p", {"name": "c"}, model="offline", params={"offline_error": "auth"})
        ledger.execute("q", {}, model="offline", params=FAST)
        stats = ledger.get_usage_stats("p")
        today = clock.now().date().isoformat()
        assert (stats["total_uses"], stats["total_executions"]) == (4, 3)
        assert (stats["success_rate"], stats["error_rate"]) == (2 / 3, 1 / 3)
        assert stats["total_cost"] == 0 and stats["unpriced_count"] == 0
        assert stats["by_environment"] == {ledger.environment: 3, "staging": 1}
        assert list(stats["by_model"].values()) == [3] and stats["cost_by_day"] == {today: Decimal(0)}
        assert stats["usage_by_version"] == {"p v1": 2, "p v2": 2}
        assert ledger.get_usage_stats()["total_uses"] == 5
        assert ledger.get_usage_stats(date_range=(None, date(2020, 1, 1)))["total_uses"] == 0
        assert ledger.get_usage_stats("p", (clock.now() - timedelta(1), clock.now()))["total_uses"] == 4
        done = ledger.get_prompt_performance("p", 7)
        assert (done["total_uses"], done["total_executions"]) == (4, 3)
        assert done["usage_by_version"] == {1: 2, 2: 2} and done["executions_by_version"] == {1: 1, 2: 2}
        assert done["average_latency_ms"] is not None and done["p50_latency_ms"] is not None
        assert done["p50_latency_ms"] <= (done["p95_latency_ms"] or 0)
        nothing = ledger.get_prompt_performance("q", ("2020-01-01", "2020-12-31"))
        assert (nothing["success_rate"], nothing["average_latency_ms"], nothing["average_tokens"]) == (None, None, None)


def test_what_there_is_not_is_refused(ledger: PromptLedger) -> None:
    """Unknown prompts, groupings, orders and days are errors, not empty tables."""
    with ledger:
        ledger.create_prompt("p", "x")
        with pytest.raises(NotFound):
            ledger.get_usage_stats("nobody")
        with pytest.raises(NotFound):
            ledger.analytics.totals(replace(WEEK, prompt="p", version=9))
        for wrong in (
            lambda: ledger.analytics.breakdown("colour", WEEK),  # type: ignore[arg-type]
            lambda: ledger.analytics.breakdown("day", WEEK, order="colour"),  # type: ignore[arg-type]
            lambda: ledger.get_usage_stats(date_range=0),
            lambda: ledger.get_usage_stats(date_range=("soon", None)),
            lambda: ledger.get_usage_stats(date_range=("2026-02-01", "2026-01-01")),
            lambda: Selection(TODAY, TODAY, version=1),
            lambda: Selection(date(1, 1, 1), date(1, 1, 2)).previous,
        ):
            with pytest.raises(InputError):
                wrong()
