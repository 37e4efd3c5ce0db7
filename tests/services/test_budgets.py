"""Budgets: facts that can be taken back, and a gate that no call passes when its money is spent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.budgets import checked, period_of
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import BudgetExceeded, InputError, NotFound
from ledger_tui.paths import Paths
from ledger_tui.store import folds
from ledger_tui.testing import script

NOON = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
CENT = 10_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, paths: Paths) -> Iterator[PromptLedger]:
    target = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with PromptLedger(target, paths=paths) as made:
        made.prepare()
        yield made


def spend(ledger: PromptLedger, nusd: int | None, *, environment: str = "", prompt_id: str | None = None) -> None:
    """Record a model call that ended now and cost so much (None: unpriced)."""
    record = SpanRecord(
        f"t-{clock.now_us()}",
        f"s-{nusd}",
        "call",
        "llm",
        "succeeded",
        clock.now_us(),
        duration_us=1,
        provider="openai",
        model="gpt-4o-mini",
        prompt_id=prompt_id,
        environment=environment,
        tokens=TokenUsage(input=1, output=1),
        cost_nusd=nusd,
        unpriced=nusd is None,
    )
    ledger.traces.record([record])


def test_a_budget_stands_where_its_scope_has_spent(ledger: PromptLedger) -> None:
    """Spending counts by environment, prompt, folder and period, and calls without a price are told, not counted as free."""
    ledger.create_prompt("support/hello", "hi")
    prompt_id = ledger.registry.prompt("support/hello").id
    with clock.stopped(NOON):
        for scope in (
            {},
            {"environment": "prod"},
            {"prompt": "support/*"},
            {"prompt": "support/hello"},
            {"prompt": "support"},
        ):
            ledger.budgets.set("1.00", "month", **scope)
        spend(ledger, 30 * CENT, environment="prod")
        spend(ledger, 50 * CENT, environment="dev", prompt_id=prompt_id)
        spend(ledger, None)
        found = {one.budget.spec.subject: one for one in ledger.budgets.standings()}
    assert {name: one.spent_nusd // CENT for name, one in found.items()} == {
        "everything": 80, "in prod": 30, "support/*": 50, "support/hello": 50, "support": 0,
    }  # fmt: skip
    assert found["everything"].state == "warn" and found["in prod"].state == "ok"
    assert found["everything"].unpriced == 1 and found["everything"].share == 0.8


def test_a_new_period_begins_empty(ledger: PromptLedger) -> None:
    """What was spent on the last day of a month counts neither on the next day nor in the next month."""
    with clock.stopped(NOON):
        ledger.budgets.set(1, "day")
        ledger.budgets.set(1, "month")
        spend(ledger, 90 * CENT)
        assert [one.spent_nusd for one in ledger.budgets.standings()] == [90 * CENT] * 2
        clock.advance(12 * 3_600_000_000)
        assert [one.spent_nusd for one in ledger.budgets.standings()] == [0, 0]


@pytest.mark.parametrize(
    ("period", "moment", "days"),
    [
        ("day", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC), ("2024-02-29", "2024-02-29", "2024-02-29")),
        ("month", datetime(2024, 2, 29, tzinfo=UTC), ("2024-02", "2024-02-01", "2024-02-29")),
        ("month", datetime(2026, 12, 31, tzinfo=UTC), ("2026-12", "2026-12-01", "2026-12-31")),
    ],
)
def test_periods_are_utc_days_and_months(period: str, moment: datetime, days: tuple[str, str, str]) -> None:
    """Leap days and the turn of the year belong to their own month, and the next period begins at midnight UTC."""
    found = period_of(period, clock.to_us(moment))
    assert found[:3] == days
    after = clock.from_us(found.until_us)
    assert after > moment and (after.hour, after.minute) == (0, 0)


def test_budgets_are_facts_that_can_be_taken_back(ledger: PromptLedger) -> None:
    """Setting a budget again changes it, undo brings the former one back, and a replay of the journal gives the same."""
    first = ledger.budgets.set("5", "day")
    assert ledger.budgets.set("7", "day").rid == first.rid
    assert [row.spec.limit_nusd for row in ledger.budgets.entries()] == [700 * CENT]
    assert "everything" in ledger.registry.undo()
    assert [row.spec.limit_nusd for row in ledger.budgets.entries()] == [500 * CENT]
    ledger.budgets.remove(first.rid[:13])
    assert ledger.budgets.entries() == []
    ledger.registry.undo()
    before = ledger.budgets.entries()
    with ledger.database.lean_write() as lean:
        folds.rebuild(lean)
    assert ledger.budgets.entries() == before != []
    assert len(ledger.budgets.history()) == 5


@pytest.mark.parametrize(
    ("limit", "fields"),
    [
        ("-1", {}), ("nan", {}), ("a lot", {}), ("1e30", {}), ("1", {"period": "week"}), ("1", {"warn_percent": 0}),
        ("1", {"warn_percent": 101}), ("1", {"prompt": "../x"}), ("1", {"environment": " "}),
    ],
)  # fmt: skip
def test_budgets_that_make_no_sense_are_refused(limit: str, fields: dict[str, object]) -> None:
    """A negative, endless or unreadable limit, an unknown period and an impossible share are refused in words."""
    with pytest.raises(InputError) as refused:
        checked(limit, **{"period": "day", **fields})  # type: ignore[arg-type]
    assert refused.value.cause


def test_an_unknown_budget_cannot_be_removed(ledger: PromptLedger) -> None:
    """Removing what is not there says so."""
    with pytest.raises(NotFound):
        ledger.budgets.remove("nothing")


def test_a_call_past_the_budget_is_not_sent(ledger: PromptLedger) -> None:
    """At the limit a call is refused before the model hears of it, with nothing stored; another environment goes on."""
    scripted = script(ledger, replies=["one", "two"])
    ledger.create_prompt("hello", "hi {{ name }}")
    ledger.budgets.set("0.01", "day", environment="prod")
    spend(ledger, CENT, environment="prod")
    before = _counts(ledger)
    with pytest.raises(BudgetExceeded, match=r"\$0.01") as refused:
        ledger.execute("hello", {"name": "you"}, model="openai/gpt-4o-mini", environment="prod")
    assert refused.value.remedy and refused.value.limit_nusd == CENT
    assert scripted.calls == [] and _counts(ledger) == before
    assert ledger.execute("hello", {"name": "you"}, model="openai/gpt-4o-mini", environment="dev")["output"] == "one"


def test_what_a_call_will_cost_counts_before_it_is_sent(ledger: PromptLedger) -> None:
    """A call that alone would go past what is left is refused, though the limit is not reached yet."""
    scripted = script(ledger, replies=["never"])
    ledger.create_prompt("long", "word " * 40_000)
    ledger.budgets.set(Decimal("0.001"), "day")
    with pytest.raises(BudgetExceeded, match="would cost about"):
        ledger.execute("long", {}, model="openai/gpt-4o")
    assert scripted.calls == []


def test_calls_at_once_do_not_pass_the_limit_together(ledger: PromptLedger) -> None:
    """Calls that run at the same moment reserve what they will cost, so that only as many start as the budget bears."""
    arrived, go_on = threading.Semaphore(0), threading.Event()

    def slow(request: object) -> str:
        arrived.release()
        assert go_on.wait(30)
        return "done"

    script(ledger, replies=slow)
    ledger.create_prompt("long", "word " * 4_000)
    # Each call costs about $0.0125 for its input; two and a half fit.
    ledger.budgets.set("0.032", "day")
    outcomes: list[str] = []

    def call() -> None:
        try:
            outcomes.append(ledger.execute("long", {}, model="openai/gpt-4o")["status"])
        except BudgetExceeded:
            outcomes.append("refused")
            arrived.release()

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert arrived.acquire(timeout=30)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused"] * 3 + ["succeeded"] * 2


async def test_a_queued_call_past_the_budget_ends_as_failed(ledger: PromptLedger) -> None:
    """What was queued while there was money left is not sent when it is gone, and says why."""
    scripted = script(ledger, replies=["never"])
    await asyncio.to_thread(ledger.create_prompt, "hello", "hi")
    await asyncio.to_thread(ledger.budgets.set, "0.01", "day")
    ticket = await asyncio.to_thread(_queued_for_others, ledger)
    await asyncio.to_thread(spend, ledger, CENT)
    await ledger.queue.work(once=True)
    found = await asyncio.to_thread(ledger.result, ticket)
    assert found["status"] == "failed" and (found["error"] or {})["type"] == "budget"
    assert scripted.calls == []


def _queued_for_others(ledger: PromptLedger) -> str:
    from ledger_tui.services.run_values import RunRequest

    content = ledger.registry.content(ledger.registry.version("hello").id)
    request = RunRequest(content, "openai/gpt-4o-mini", prompt_name="hello")
    return ledger.queue.submit(request, for_anybody=True).execution_id


def _counts(ledger: PromptLedger) -> list[object]:
    with ledger.database.lean() as lean:
        return [lean.one(f"SELECT COUNT(*) FROM {table}") for table in ("usages", "executions", "spans", "traces")]
