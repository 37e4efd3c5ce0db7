"""What programs get: typed dictionaries from runs, versions and traces."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_tui import PromptLedger
from ledger_tui.errors import NotFound, UndefinedVariable


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger over a new file, as a program makes it."""
    with PromptLedger(str(tmp_path / "ledger.db")) as opened:
        yield opened


NOW = {"offline_delay_s": 0}


def test_a_workflow_is_one_trace(ledger: PromptLedger) -> None:
    """Runs that name a trace and a parent stand in one tree, in order, with sums."""
    ledger.create_prompt("document_retrieval", "Find: {{ query }}", model="offline", params=NOW)
    ledger.create_prompt("policy_response", "{{ query }}\n{{ context }}", model="offline", params=NOW)
    trace_id = str(uuid.uuid4())
    found = ledger.execute(
        "document_retrieval",
        variables={"query": "What is our PTO policy?"},
        trace_id=trace_id,
        span_name="rag_retrieval",
        span_kind="retrieval",
    )
    ledger.execute(
        "policy_response",
        variables={"query": "What is our PTO policy?", "context": found["output"]},
        trace_id=trace_id,
        parent_span_id=found["span_id"],
        span_name="response_generation",
    )
    tree = ledger.get_trace_tree(trace_id)
    assert [(span["depth"], span["name"], span["kind"]) for span in tree] == [
        (0, "rag_retrieval", "retrieval"),
        (1, "response_generation", "llm"),
    ]
    trace = ledger.get_trace(trace_id)
    assert trace["span_count"] == 2 and trace["error_count"] == 0 and trace["total_cost"] == Decimal(0)
    assert trace["total_tokens"] == sum((s["input_tokens"] or 0) + (s["output_tokens"] or 0) for s in tree) > 0


def test_saving_tells_whether_something_changed(ledger: PromptLedger) -> None:
    """``version_change`` is false for content that is active already; update needs a prompt that is there."""
    first = ledger.create_prompt("mail", "Hello {{ name }}", description="A greeting")
    assert (first["version"]["version_number"], first["version_change"]) == (1, True)
    assert first["prompt"]["description"] == "A greeting"
    assert ledger.create_prompt("mail", "Hello {{ name }}")["version_change"] is False
    assert ledger.update_prompt("mail", "Hi {{ name }}")["version"]["version_number"] == 2
    with pytest.raises(NotFound):
        ledger.update_prompt("other", "x")


def test_versions_labels_and_messages_can_be_named(ledger: PromptLedger) -> None:
    """A version by number or label runs that version; messages give more than one role."""
    ledger.create_prompt("p", "one {{ x }}", labels=["old"], params=NOW)
    ledger.create_prompt(
        "p", "", messages=[{"role": "system", "text": "Be kind."}, {"role": "user", "text": "two"}], params=NOW
    )
    assert ledger.execute("p", {"x": 1}, label="old")["version"] == 1
    assert ledger.execute("p", {"x": 1}, version=1)["version"] == 1
    assert ledger.execute("p")["version"] == 2


def test_a_failed_call_is_a_result(ledger: PromptLedger) -> None:
    """A provider's failure does not raise: the status, the type and words for people are in the result."""
    ledger.create_prompt("p", "x", params=NOW)
    result = ledger.execute("p", params={"offline_error": "auth"})
    assert result["status"] == "failed" and result["cost"] is None
    assert result["error"] is not None and result["error"]["type"] == "auth" and result["error"]["remedy"]


def test_what_is_wrong_before_sending_raises(ledger: PromptLedger) -> None:
    """A missing variable or prompt raises, and nothing is stored."""
    ledger.create_prompt("p", "{{ x }}", params=NOW)
    with pytest.raises(UndefinedVariable):
        ledger.execute("p")
    with pytest.raises(NotFound):
        ledger.execute("q")
    assert ledger.traces.page().rows == ()


async def test_both_kinds_work_inside_an_event_loop(ledger: PromptLedger) -> None:
    """``aexecute`` is awaited; ``execute`` also works where a loop runs, as in a notebook."""
    await asyncio.to_thread(ledger.create_prompt, "p", "x", params=NOW)
    assert (await ledger.aexecute("p"))["status"] == "succeeded"
    assert ledger.execute("p")["status"] == "succeeded"


async def test_cancelling_the_task_stores_what_came(ledger: PromptLedger) -> None:
    """A cancelled ``aexecute`` leaves a cancelled span in its trace."""
    await asyncio.to_thread(ledger.create_prompt, "p", "x", params={"offline_delay_s": 0.05})
    task = asyncio.create_task(ledger.aexecute("p", trace_id="t"))
    while not ledger.traces.page().rows:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ledger.get_trace("t")["status"] == "canceled"
