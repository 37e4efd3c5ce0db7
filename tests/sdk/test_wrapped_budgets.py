"""Wrapped clients and budgets: a call is stopped before it is sent, and asking costs the caller no database."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from ledger_tui import PromptLedger
from ledger_tui.errors import BudgetExceeded
from ledger_tui.paths import Paths
from ledger_tui.settings import Settings


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(data=tmp_path / "data", config=tmp_path / "config")


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths, environment="prod") as made:
        made.prepare()
        yield made


def spend(ledger: PromptLedger, usd: str) -> None:
    ledger.log_external_span(name="call", model="m", prompt_tokens=1, completion_tokens=1, cost=Decimal(usd))
    ledger.flush()


def ask(client: Any) -> Any:
    """One call; the address answers nobody, so that a call that is sent fails as the client's own error."""
    return client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])


def openai_client() -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-x", base_url="http://127.0.0.1:9/v1", max_retries=0)


def test_a_spent_budget_stops_wrapped_calls_before_they_are_sent(ledger: PromptLedger) -> None:
    """Both libraries' calls raise BudgetExceeded with the figures, nothing of them is recorded, and it is told once."""
    ledger.budgets.set(1, "day", environment="prod")
    spend(ledger, "1.50")
    client = ledger.wrap(openai_client())
    claude = ledger.wrap(anthropic.Anthropic(api_key="sk-x", base_url="http://127.0.0.1:9", max_retries=0))
    ledger.budget_watch.look()
    for one in (client, client.with_options(timeout=1)):
        with pytest.raises(BudgetExceeded, match=r"\$1.50 is spent"):
            ask(one)
    with pytest.raises(BudgetExceeded):
        claude.messages.create(model="claude-x", max_tokens=1, messages=[{"role": "user", "content": "hi"}])
    assert len(ledger.traces.page(limit=10).rows) == 1
    ledger.alerts.look()
    states = [row.detail["state"] for row in ledger.alerts.entries()]
    assert sorted(states) == ["over", "refused"]


async def test_async_clients_are_stopped_too(ledger: PromptLedger) -> None:
    """The gate is the same for asynchronous calls."""
    ledger.budgets.set(1, "month")
    spend(ledger, "1")
    client = ledger.wrap(openai.AsyncOpenAI(api_key="sk-x", base_url="http://127.0.0.1:9/v1", max_retries=0))
    ledger.budget_watch.look()
    with pytest.raises(BudgetExceeded):
        await ask(client)


def test_a_raised_budget_lets_calls_pass_at_once(ledger: PromptLedger) -> None:
    """Nobody is stopped by figures of before: a budget that was raised by somebody else counts with the next call."""
    ledger.budgets.set(1, "day")
    spend(ledger, "1.50")
    client = ledger.wrap(openai_client())
    ledger.budget_watch.look()
    with pytest.raises(BudgetExceeded):
        ask(client)
    ledger.budgets.set(5, "day")
    with pytest.raises(openai.APIConnectionError):
        ask(client)


def test_budgets_of_others_stop_nobody(ledger: PromptLedger) -> None:
    """A budget of another environment, and one of a prompt that the call does not name, let it pass."""
    ledger.create_prompt("p", "hi")
    ledger.budgets.set(0, "day", environment="dev")
    ledger.budgets.set(0, "day", prompt="p")
    client = ledger.wrap(openai_client())
    ledger.budget_watch.look()
    with pytest.raises(openai.APIConnectionError):
        ask(client)


def test_the_setting_lets_wrapped_calls_pass(paths: Paths) -> None:
    """With ``budgets_stop_wrapped_calls`` off a spent budget is only told."""
    with PromptLedger(paths=paths, settings=Settings(budgets_stop_wrapped_calls=False)) as ledger:
        ledger.prepare()
        ledger.budgets.set(1, "day")
        spend(ledger, "2")
        client = ledger.wrap(openai_client())
        ledger.budget_watch.look()
        with pytest.raises(openai.APIConnectionError):
            ask(client)
    with PromptLedger(paths=paths) as ledger:
        assert [row.detail["state"] for row in ledger.alerts.entries()] == ["over"]


def test_asking_waits_for_no_database(ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is money left, the calling thread reads nothing: the figures come from the background."""
    ledger.budgets.set(5, "day")
    client = ledger.wrap(openai_client())
    ledger.budget_watch.look()
    readers: list[str] = []
    lean = ledger.database.lean

    def noted() -> Any:
        readers.append(threading.current_thread().name)
        return lean()

    monkeypatch.setattr(ledger.database, "lean", noted)
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    assert threading.current_thread().name not in readers


def test_a_program_that_ends_has_told_what_it_spent(paths: Paths) -> None:
    """Closing the ledger looks once more, so that a short program raises its alert without anybody watching."""
    with PromptLedger(paths=paths) as ledger:
        ledger.prepare()
        ledger.budgets.set(1, "day")
        ledger.create_prompt("p", "hi")
        spend(ledger, "0.90")
        ledger.execute("p", {}, model="offline", params={"offline_delay_s": 0})
    with PromptLedger(paths=paths) as ledger:
        assert [row.detail["state"] for row in ledger.alerts.entries()] == ["warn"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_program_watches_for_itself(ledger: PromptLedger) -> None:
    """A child of fork() is stopped by budgets as its parent is, and ends."""
    ledger.budgets.set(1, "day")
    spend(ledger, "2")
    client = ledger.wrap(openai_client())
    ledger.budget_watch.look()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ask(client)
        except BudgetExceeded:
            ledger.budget_watch.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
