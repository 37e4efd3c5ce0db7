"""Alerts: told once, whoever notices first, with the numbers behind; the person's command gets them and cannot hurt."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.alerts import AlertRow, environment_of
from ledger_tui.errors import BudgetExceeded
from ledger_tui.paths import Paths
from ledger_tui.services import alert_command

NOON = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest) -> str | None:
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger(target: str | None, paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(target, paths=paths) as made:
        made.prepare()
        yield made


def spend(ledger: PromptLedger, usd: str) -> None:
    """Record a call that cost so many dollars now."""
    ledger.log_external_span(
        name="call", model="m", prompt_tokens=1, completion_tokens=1, cost=Decimal(usd), started_at=clock.now()
    )


def states(ledger: PromptLedger) -> list[str]:
    """What a look tells."""
    return [str(row.detail["state"]) for row in ledger.alerts.look().new]


def test_an_alert_is_told_once_for_each_step_period_and_limit(ledger: PromptLedger) -> None:
    """The share and the limit are told once each; again in the next period, and for a limit that was raised."""
    with clock.stopped(NOON):
        ledger.budgets.set(10, "day", warn_percent=50)
        assert states(ledger) == []
        spend(ledger, "5")
        assert (states(ledger), states(ledger)) == (["warn"], [])
        spend(ledger, "5")
        assert (states(ledger), states(ledger)) == (["over"], [])
        ledger.budgets.set(12, "day", warn_percent=50)
        assert (states(ledger), states(ledger)) == (["warn"], [])
        clock.advance(timedelta(days=1) // timedelta(microseconds=1))
        assert states(ledger) == []
        spend(ledger, "12")
        assert states(ledger) == ["over"]
    newest = ledger.alerts.entries()[0]
    assert newest.detail["spent_nusd"] == 12 * 10**9 and "$12.00 of $12.00 (100 %)" in newest.words
    assert newest.filter_text == "day:2026-03-31"


def test_of_all_who_notice_at_once_one_tells(ledger: PromptLedger, target: str | None, paths: Paths) -> None:
    """Several ledgers that look at the same moment raise an alert once among them."""
    ledger.budgets.set(1, "month")
    spend(ledger, "2")
    ledger.flush()
    others = [PromptLedger(target, paths=paths) for _ in range(4)]
    start, told = threading.Barrier(len(others)), []

    def look(other: PromptLedger) -> None:
        start.wait(30)
        told.extend(states(other))

    threads = [threading.Thread(target=look, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for other in others:
        other.close()
    assert told == ["over"]


def test_a_stopped_call_is_an_alert_of_its_own(ledger: PromptLedger) -> None:
    """A call that is refused while money is left is told too, once, and seen alerts are not counted as new."""
    ledger.create_prompt("long", "word " * 40_000)
    ledger.budgets.set("0.001", "day")
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            ledger.execute("long", {}, model="openai/gpt-4o")
    ledger.alerts.look()
    assert [row.detail["state"] for row in ledger.alerts.entries()] == ["refused"]
    assert ledger.alerts.unseen() == 1
    ledger.alerts.mark_seen()
    assert ledger.alerts.unseen() == 0 and ledger.alerts.entries()[0].seen_us is not None


def test_without_budgets_nothing_is_told(ledger: PromptLedger) -> None:
    """Spending alone is no alert."""
    spend(ledger, "1000")
    assert ledger.alerts.look().standings == [] and ledger.alerts.entries() == []


def test_a_command_that_does_not_end_is_ended() -> None:
    """Past its time limit the command is killed with what it started, and that is said."""
    row = AlertRow("k", "budget", 0, {})
    words = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    with pytest.raises(alert_command.AlertCommandFailed, match="did not end"):
        alert_command.run(words, _full(row), time_limit_s=0.2)


def test_names_cannot_smuggle_anything_into_the_environment() -> None:
    """Control characters, line ends and NUL of a name reach no variable; money is exact text in dollars."""
    found = environment_of(_full(AlertRow("a\x00b\nc", "budget", 0, {"subject": "x\x1b[31m\x00\ny"})))
    assert not [value for value in found.values() if any(ord(char) < 32 for char in value)]
    assert found["LEDGER_ALERT_LIMIT_USD"] == "0.5" and set(found) >= {"LEDGER_ALERT_TITLE", "LEDGER_ALERT_TEXT"}


def _full(row: AlertRow) -> AlertRow:
    detail = {
        "state": "warn", "subject": "everything", "period": "day", "period_key": "2026-03-30", "spent_nusd": 400_000_000,
        "limit_nusd": 500_000_000, "unpriced": 0, **row.detail,
    }  # fmt: skip
    return AlertRow(row.key, row.kind, row.at_us, detail)
