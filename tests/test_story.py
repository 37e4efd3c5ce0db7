"""One story over both databases: write a prompt, run it, read its trace and what it cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.paths import Paths
from ledger_tui.services.run_values import RunRequest


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, paths: Paths) -> Iterator[PromptLedger]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with PromptLedger(url, paths=paths, environment="story") as made:
        made.prepare()
        made.prepare()
        yield made


async def test_the_whole_story_reads_the_same_on_both_databases(ledger: PromptLedger) -> None:
    """A prompt is written, labelled, restored, undone, run, traced, searched and paid for, alike on SQLite and Postgres."""
    registry = ledger.registry
    first = PromptContent.of_text("Summarise {{ text }}", system="Be brief: 100% 'quoted' :name ::cast")
    second = first.with_changes(
        messages=(*first.messages, Message("assistant", "مرحبا 👩‍👩‍👧 ünï")), params={"temperature": 0.25}
    )
    one = registry.save("docs/summary", first, message="start", description="Shortens documents").version
    two = registry.save("docs/summary", second, message="greets", labels=["staging"]).version
    registry.set_label("docs/summary", "production", 1)
    registry.set_field("docs/summary", "tags", ["docs", "short"])
    registry.keep_inputs("docs/summary", "kurz", {"text": "Ein Satz."})
    registry.restore("docs/summary", 1)
    assert "v2" in registry.undo()
    assert registry.content(two.id) == second
    row = registry.prompt("docs/summary")
    assert (row.active_number, row.labels, row.tags) == (2, (("production", 1), ("staging", 2)), ("docs", "short"))
    assert [v.number for v in registry.versions("docs/summary")] == [2, 1]
    assert registry.version("docs/summary", one.short_hash).message == "start"
    assert [hit.name for hit in registry.search("shortens")] == ["docs/summary"]

    request = RunRequest(
        second, "offline", {"text": "colour: 50% :off"}, prompt_name="docs/summary", version_id=two.id,
        params={"offline_delay_s": 0, "offline_reply": "A summary about quokkas."}, trace_id="story-run", user_identifier="ada",
    )  # fmt: skip
    result = await ledger.runs.run(request)
    assert (result.status, result.unsaved) == ("succeeded", None)
    assert ledger.traces.execution(result.execution_id).variables == {"text": "colour: 50% :off"}

    now = clock.now_us()
    call = SpanRecord(
        "story-run", "judge", "judge", "llm", "failed", now, 2_000_000, parent_span_id=result.span_id, provider="openai",
        model="gpt-4o-mini", tokens=TokenUsage(1_000, 400, 0, 50, 10), cost_nusd=123_456_789, error="went [bold]wrong",
    )  # fmt: skip
    ledger.traces.record([call, SpanRecord("story-run", "open", "open", "tool", "running", now)])
    trace = ledger.traces.trace("story-run")
    assert (trace.status, trace.span_count, trace.error_count, trace.cost_nusd) == ("running", 3, 1, 123_456_789)
    ledger.traces.record([SpanRecord("story-run", "open", "open", "tool", "succeeded", now, 5)])
    assert ledger.traces.trace("story-run").status == "failed"

    for words in (
        "quokkas",
        "status:failed model:gpt-4o* cost>0.1",
        "prompt:docs/* user:ada",
        '"bold wrong"',
        "errors>0 since:1h",
    ):
        assert [t.trace_id for t in ledger.traces.page(words).rows] == ["story-run"], words
    for words in ("wombats", "status:succeeded", "-quokkas", "cost>1"):
        assert ledger.traces.page(words).rows == (), words

    spent = {row.key: row for row in ledger.costs.by(("model", "prompt"))}
    assert spent["gpt-4o-mini", ""].cost_nusd == 123_456_789
    assert spent["offline", "docs/summary"].calls == 1
    assert ledger.costs.today().cost_nusd == 123_456_789
    assert registry.versions("docs/summary")[0].run_count == 1
    assert registry.history("docs/summary")[0].kind == "label"
