"""Uses of the public API that must type-check: ``mypy`` reads this file, nobody runs it."""

from __future__ import annotations

import threading
import types
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import assert_type

from ledger_tui import PromptLedger, testing
from ledger_tui.sdk.results import (
    Analytics,
    ExecuteResult,
    GitInfo,
    MessageInfo,
    MigrateResult,
    PromptHistory,
    RegisterResult,
    RenderResult,
    SavedPrompt,
    SpanInfo,
    SubmitResult,
    TraceInfo,
    UsageStats,
)
from ledger_tui.services.sync_runner import SyncRunner
from ledger_tui.services.sync_values import Joined, SyncStatus
from ledger_tui.sync.engine import Difference, Receipt
from ledger_tui.sync.memory import MemoryServer


class Prompts:
    """A class of code prompts."""

    WELCOME = "Hello {{name}}"

    @classmethod
    def get_template(cls, name: str) -> str:
        """The template of a name."""
        return str(getattr(cls, name))


def ways_to_make_one(module: types.ModuleType) -> None:
    """Every kind of code registry, and the context manager."""
    PromptLedger()
    PromptLedger("ledger.db", environment="dev")
    PromptLedger(mode="full", database_url="postgresql://host/name")
    PromptLedger(mode="tracking_only", code_registry=Prompts.get_template)
    PromptLedger(mode="tracking_only", code_registry=Prompts)
    PromptLedger(mode="tracking_only", code_registry=module)
    PromptLedger(mode="tracking_only", code_registry={"a": "text", "b": {"messages": []}})
    PromptLedger(mode="tracking_only", code_registry=Path("prompts"))
    PromptLedger(mode="tracking_only", code_registry="prompts")
    PromptLedger(mode="half")  # type: ignore[arg-type]
    PromptLedger(code_registry=3)  # type: ignore[arg-type]
    with PromptLedger() as ledger:
        assert_type(ledger, PromptLedger)


def saving(ledger: PromptLedger) -> None:
    """What saving takes and gives."""
    saved = ledger.create_prompt("a", "Hello {{name}}", description="A greeting", labels=["production"])
    assert_type(saved, SavedPrompt)
    assert_type(saved["version"]["version_number"], int)
    assert_type(saved["version_change"], bool)
    ledger.create_prompt(name="a", messages=[{"role": "user", "content": "x"}], model="offline", params={"seed": 1})
    ledger.update_prompt("a", "Hi", message="shorter", system="Be kind.", activate=False)
    ledger.create_prompt("a", "x", colour="red")  # type: ignore[call-arg]
    ledger.create_prompt("a", 3)  # type: ignore[arg-type]


def running(ledger: PromptLedger) -> None:
    """What a run takes and gives."""
    result = ledger.execute(
        "a", variables={"name": "Sarah"}, version=2, model="offline", params={"temperature": 0.2}, trace_id="my-run-001",
        parent_span_id=None, span_name="step", span_kind="retrieval", environment="dev", session_id="s",
        user_identifier="u", metadata={"k": 1},
    )  # fmt: skip
    assert_type(result, ExecuteResult)
    assert_type(result["output"], str)
    assert_type(result["span_id"], str)
    assert_type(result["version"], int | None)
    assert_type(result["cost"], Decimal | None)
    assert_type(result["latency_ms"], float)
    ledger.execute("a", {"name": "Sarah"}, label="production")
    ledger.execute("a", temperature=1)  # type: ignore[call-arg]
    result["spam_id"]  # type: ignore[typeddict-item]
    rendered = ledger.render("a", {"name": "Sarah"}, session_id="s")
    assert_type(rendered, RenderResult)
    assert_type(rendered["messages"], list[MessageInfo])


async def in_an_event_loop(ledger: PromptLedger) -> None:
    """The same, awaited."""
    assert_type(await ledger.aexecute("a", {"name": "Sarah"}, trace_id="t"), ExecuteResult)
    assert_type(await ledger.arender("a", {"name": "Sarah"}), RenderResult)


def queueing(ledger: PromptLedger) -> None:
    """Calls that are made later."""
    ticket = ledger.submit("a", {"name": "Sarah"}, model="offline", idempotency_key="k", session_id="s")
    assert_type(ticket, SubmitResult)
    assert_type(ticket["execution_id"], str)
    assert_type(ledger.result(ticket["execution_id"]), ExecuteResult)
    assert_type(ledger.result(ticket["execution_id"], wait=2.5)["status"], str)
    assert_type(ledger.cancel(ticket["execution_id"]), ExecuteResult)
    ledger.execute("a", idempotency_key="k")
    ledger.submit("a", wait=3)  # type: ignore[call-arg]
    ledger.result(3)  # type: ignore[arg-type]


async def queueing_in_an_event_loop(ledger: PromptLedger) -> None:
    """The same, awaited."""
    ticket = await ledger.asubmit("a", {"name": "Sarah"}, trace_id="t")
    assert_type(ticket, SubmitResult)
    assert_type(await ledger.aresult(ticket["execution_id"], wait=3), ExecuteResult)
    assert_type(await ledger.acancel(ticket["execution_id"]), ExecuteResult)


def reading(ledger: PromptLedger) -> None:
    """Traces, history and analytics."""
    assert_type(ledger.get_trace("t"), TraceInfo)
    assert_type(ledger.get_trace("t")["total_cost"], Decimal | None)
    assert_type(ledger.get_trace_tree("t"), list[SpanInfo])
    indents = ["  " * span["depth"] + span["name"] for span in ledger.get_trace_tree("t")]
    assert_type(indents, list[str])
    assert_type(ledger.get_prompt_history("a", mode="tracking"), PromptHistory)
    assert_type(ledger.get_prompt_history("a")["versions"][0]["git"], GitInfo)
    analytics = ledger.get_analytics(mode="all")
    assert_type(analytics, Analytics)
    assert_type(analytics["summary"]["total_executions"], int)
    assert_type(analytics["by_mode"]["full"]["avg_latency_ms"], float | None)
    assert_type(ledger.get_usage_stats("a", date_range=7), UsageStats)
    assert_type(ledger.get_usage_stats(date_range=("2026-01-01", None))["total_cost"], Decimal)
    assert_type(ledger.get_prompt_performance("a")["usage_by_version"], dict[int, int])


def code_prompts(ledger: PromptLedger) -> None:
    """Registering and migrating."""
    registered = ledger.register_code_prompts(["WELCOME"], dry_run=True)
    assert_type(registered, RegisterResult)
    assert_type(registered["registered"][0]["previous_version"], int | None)
    ledger.register_code_prompts()
    assert_type(ledger.migrate_to_full_mode([("WELCOME", Prompts.WELCOME)]), MigrateResult)


def in_tests_of_programs(prompt_ledger: testing.MemoryLedger) -> None:
    """A ledger of a test, what its models answer, and time."""
    with testing.memory_ledger(
        environment="ci", mode="tracking_only", code_registry=Prompts, redact=["emails"]
    ) as ledger:
        assert_type(ledger, testing.MemoryLedger)
        script = testing.script(
            ledger, ["a", testing.Reply("b", tokens=(1, 2), error="timeout"), testing.failure("auth")]
        )
        assert_type(script, testing.Script)
        assert_type(script.calls[0].messages[0].text, str)
        testing.script(ledger, lambda call: call.text)
        testing.script(ledger, lambda call: testing.Reply(tool_calls=[("name", {"a": 1})]))
        testing.script(
            ledger, [testing.when(lambda call: "x" in call.last, "y"), testing.when("x", testing.Reply("y"))]
        )
        testing.script(ledger, [3])  # type: ignore[list-item]
        testing.Reply(error="tired")  # type: ignore[arg-type]
        ledger.answer_with(None)
    testing.script(prompt_ledger).add("one more")
    with testing.stopped_clock() as time, testing.counted_ids():
        assert_type(time.advance(2.5), datetime)


def sharing(ledger: PromptLedger) -> None:
    """What sharing takes and gives."""
    joined = ledger.sync.join("postgresql://ada@db.example.org/prompts", password="x")
    assert_type(joined, Joined)
    assert_type(ledger.sync.sync(), Receipt)
    assert_type(ledger.sync.sync().agreed, str | None)
    assert_type(ledger.sync.status(), SyncStatus)
    assert_type(ledger.sync.verify(), list[Difference])
    ledger.sync.set_sharing(ledger.sync.sharing().with_rule("support/", texts=True))
    ledger.sync.sync_once(MemoryServer().remote("ada"))
    runner = SyncRunner(ledger.sync, on_change=lambda status: print(status.pending))
    runner.run(threading.Event())
    ledger.sync.join(3)  # type: ignore[arg-type]
