"""Promises of the traces place, over the real ledger: find a trace, read it, take a step onward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.places.traces.traces import TracesPlace
from ledger_tui.ui.widgets.tab_row import TabRow
from textual.pilot import Pilot

from tests.ui.conftest import Workstation, screen_text, settle, until


def step(trace: str, span: str, parent: str | None = None, **fields: Any) -> SpanRecord:
    """A finished step of one millisecond, started a minute ago."""
    values: dict[str, Any] = {"name": span, "kind": "tool", "status": "succeeded", "duration_us": 1_000}
    values |= {"started_us": clock.now_us() - 60_000_000, "parent_span_id": parent}
    return SpanRecord(trace_id=trace, span_id=span, **(values | fields))


def record_agent(ledger: PromptLedger, trace: str = "agent-1", **root: Any) -> None:
    """A small workflow: an agent that searches, calls a model and fails a check."""
    call = {"kind": "llm", "provider": "openai", "model": "gpt-4o", "tokens": TokenUsage(1000, 0, 0, 200)}
    now = clock.now_us() - 30_000_000
    ledger.traces.record(
        [
            step(trace, "run", kind="agent", input="Find it", output="# Found\n\n- here", started_us=now, **root),
            step(trace, "search", "run", kind="retrieval", output='{"hits": [1, 2]}', started_us=now + 10),
            step(trace, "answer", "run", cost_nusd=5_000_000, output="the answer", started_us=now + 20, **call),
            step(trace, "check", "run", kind="guardrail", status="failed", error="not grounded", started_us=now + 30),
        ]
    )


def place(pilot: Pilot[None]) -> TracesPlace:
    """The traces place, which has to be on the screen."""
    screen = pilot.app.screen
    assert isinstance(screen, TracesPlace)
    return screen


async def rest(pilot: Pilot[None]) -> None:
    """Wait until the cursor has come to rest and what it stands on is shown."""
    shown = place(pilot)
    await pilot.pause()
    await until(lambda: not shown.resting, pilot, "rest")
    await settle(pilot)


@pytest.fixture
def prepared(ledger: PromptLedger) -> PromptLedger:
    """The ledger with its database made."""
    ledger.prepare()
    return ledger


async def test_an_empty_place_says_how_traces_come_to_be(workstation: Workstation) -> None:
    """Without any trace a newcomer reads what makes one."""
    async with workstation(place="traces") as pilot:
        text = screen_text(pilot)
    assert "No traces yet" in text and "ledger-tui demo" in text and 'execute("my-prompt"' in text


async def test_the_newest_trace_is_open_with_its_tree_and_detail(
    workstation: Workstation, prepared: PromptLedger
) -> None:
    """The place shows the list, the tree of the newest trace and its root's texts at once."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        text = screen_text(pilot)
        assert place(pilot).trace_list.row_count == 1
    for words in ("run", "├── ✓ retrieval search", "└── ✗ guardrail check", "4 spans · 1 failed", "$0.0050", "here"):
        assert words in text


async def test_walking_the_tree_shows_each_span(workstation: Workstation, prepared: PromptLedger) -> None:
    """Enter goes from list to tree to text, escape back; the detail follows the cursor, errors first."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        await pilot.press("enter", "end")
        await rest(pilot)
        detail = place(pilot).detail
        assert detail.facts is not None and detail.facts.span.span_id == "check"
        assert detail.tab == "Error" and "not grounded" in screen_text(pilot)
        await pilot.press("up")
        await rest(pilot)
        assert detail.tab == "Output" and detail.shown_text == "the answer"
        await pilot.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await settle(pilot)
        source = place(pilot).copy_source()
        assert detail.tab == "Receipt" and source is not None and source.startswith("$0.0050, given by the caller")
        await pilot.press("enter")
        assert detail.has_focus_within
        await pilot.press("escape")
        assert place(pilot).span_tree.has_focus
        await pilot.press("escape")
        assert place(pilot).trace_list.has_focus and place(pilot).copy_source() == "agent-1"


async def test_the_filter_finds_says_what_is_wrong_and_clears(workstation: Workstation, prepared: PromptLedger) -> None:
    """A filter narrows the list; a wrong one is pointed at; escape shows all again."""
    record_agent(prepared)
    prepared.traces.record([step("quiet", "alone")])
    async with workstation(place="traces") as pilot:
        shown = place(pilot)
        await pilot.press("slash", *"status:failed", "enter")
        await settle(pilot)
        assert [trace.trace_id for trace in shown.trace_list.traces] == ["agent-1"]
        assert shown.trace_list.has_focus
        await pilot.press("slash", "end", *" cost>much", "enter")
        await settle(pilot)
        rows = screen_text(pilot).splitlines()
        caret = next(n for n, row in enumerate(rows) if "▲" in row)
        assert rows[1].index("much") == rows[caret].index("▲")
        assert shown.filter_text == "status:failed" and shown.trace_list.row_count == 1
        await pilot.press("escape")
        await settle(pilot)
        assert shown.trace_list.row_count == 2 and "▲" not in screen_text(pilot)


async def test_a_filter_without_match_says_so(workstation: Workstation, prepared: PromptLedger) -> None:
    """When nothing fits, the place names the filter and the key that clears it, and that key works."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        await pilot.press("slash", *"model:nobody", "enter")
        await settle(pilot)
        assert "No trace fits  model:nobody" in screen_text(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert place(pilot).trace_list.row_count == 1 and "No trace fits" not in screen_text(pilot)


async def test_suggestions_complete_the_filter(workstation: Workstation, prepared: PromptLedger) -> None:
    """While typing, the likeliest terms stand under the field and tab takes the first."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        await pilot.press("slash", *"sta")
        await pilot.pause()
        assert "status: tab" in screen_text(pilot)
        await pilot.press("tab", "f", "tab")
        assert place(pilot).filter_bar.field.value == "status:failed "


async def test_new_traces_appear_without_moving_the_cursor(workstation: Workstation, prepared: PromptLedger) -> None:
    """A trace recorded elsewhere appears by itself; the cursor stays on its trace, and an open trace grows."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        shown = place(pilot)
        prepared.traces.record([step("newer", "other", started_us=clock.now_us())])
        await until(lambda: shown.trace_list.row_count == 2, pilot, "the new trace")
        assert shown.trace_list.trace is not None and shown.trace_list.trace.trace_id == "agent-1"
        assert shown.trace_list.cursor == 1
        prepared.traces.record([step("agent-1", "late", "run")])
        await until(lambda: shown.span_tree.row_count == 5, pilot, "the new span")
        assert shown.opened is not None and shown.opened.row.span_count == 5


async def test_older_traces_are_read_when_the_end_is_near(workstation: Workstation, prepared: PromptLedger) -> None:
    """The list reads a page at a time and goes on until all are there, each once."""
    now = clock.now_us()
    prepared.traces.record([step(f"t{n}", "a", started_us=now - n * 1_000_000) for n in range(250)])
    async with workstation(place="traces") as pilot:
        traces = place(pilot).trace_list
        assert traces.row_count == 100
        for count in (200, 250):
            await pilot.press("end")
            await until(lambda count=count: traces.row_count == count, pilot, f"{count} traces")
        assert [trace.trace_id for trace in traces.traces] == [f"t{n}" for n in range(250)]


async def test_odd_parents_are_shown_with_a_note(workstation: Workstation, prepared: PromptLedger) -> None:
    """Circles, missing parents and repeated ids end in a tree with marks and a sentence, and the span says which."""
    prepared.traces.record(
        [
            step("odd", "a", "b"),
            step("odd", "b", "a"),
            step("odd", "lost", "nowhere"),
            step("odd", "twin"),
            step("odd", "twin", name="twin again"),
            step("odd", "open", status="running", duration_us=None),
        ]
    )
    async with workstation(place="traces") as pilot:
        assert place(pilot).span_tree.row_count == 6
        text = screen_text(pilot)
        assert "1 with a parent that is recorded nowhere" in text and "in a circle of parents" in text
        assert "sharing an id" in text and text.count("⚠") >= 5 and "▸" in text
        place(pilot).span_tree.go_to(3)
        await rest(pilot)
        assert "⚠ its parent is recorded nowhere" in screen_text(pilot)


async def test_a_run_leads_to_its_prompt_and_its_receipt(
    workstation: Workstation, prepared: PromptLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span of a run shows messages and receipt; v opens the prompt version, p the playground with its variables."""
    from ledger_tui.services.runs import RunRequest

    content = PromptContent.of_text("Say {{ word }}", model="offline")
    saved = prepared.registry.save("greet/hello", content)
    request = RunRequest(content, "offline", {"word": "hi"}, prompt_name="greet/hello", version_id=saved.version.id)
    result = await prepared.runs.run(request)
    asked: list[Any] = []
    async with workstation(place="traces") as pilot:
        monkeypatch.setattr(pilot.app, "open_prompt", lambda *given: asked.append(given))
        monkeypatch.setattr(pilot.app, "open_playground", lambda *given: asked.append(given))
        detail = place(pilot).detail
        assert detail.facts is not None and detail.facts.execution is not None
        assert detail.facts.execution.id == result.execution_id
        assert "greet/hello v1" in screen_text(pilot)
        await pilot.press("v", "p")
        await settle(pilot)
        assert asked[0] == ("greet/hello", saved.version.id)
        subject = asked[1][0]
        assert (subject.prompt_name, subject.variables, subject.models) == ("greet/hello", {"word": "hi"}, ("offline",))
        assert subject.content == content and subject.version_id == saved.version.id
        await pilot.click("#to-prompt")
        assert asked[2] == asked[0]


async def test_a_step_without_a_call_cannot_be_run_and_says_why(
    workstation: Workstation, prepared: PromptLedger
) -> None:
    """The playground is refused with a reason for a span that is no call."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        await pilot.press("p", "v")
        await settle(pilot)
        said = " ".join(notice.message for notice in pilot.app._notifications)
        assert "through the ledger" in said and "no prompt version" in said


async def test_costs_by_model_kind_and_prompt(workstation: Workstation, prepared: PromptLedger) -> None:
    """c shows where the money went, c again hides it."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        await pilot.press("c")
        await settle(pilot)
        text = screen_text(pilot)
        assert "openai/gpt-4o" in text and "guardrail ✗1" in text and "100%" in text
        await pilot.press("c")
        await settle(pilot)
        assert "guardrail ✗1" not in screen_text(pilot)


async def test_a_narrow_terminal_folds_panes_into_tabs(workstation: Workstation, prepared: PromptLedger) -> None:
    """At 80x24 one pane is shown at a time; keys and clicks go from one to the next."""
    record_agent(prepared)
    async with workstation(place="traces", size=(80, 24)) as pilot:
        assert "●Traces" in screen_text(pilot) and "retrieval search" not in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "●Spans" in screen_text(pilot) and "retrieval search" in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "●Detail" in screen_text(pilot) and "Found" in screen_text(pilot)
        await pilot.click("#folds", offset=(26, 0))
        await settle(pilot)
        assert "●Cost" in screen_text(pilot) and "openai/gpt-4o" in screen_text(pilot)
        await pilot.click("#folds", offset=(3, 0))
        await settle(pilot)
        assert "●Traces" in screen_text(pilot)


async def test_finding_in_the_tree(workstation: Workstation, prepared: PromptLedger) -> None:
    """The slash in the tree finds spans as one types; escape shows all again."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        await pilot.press("enter", "slash", *"guard")
        await settle(pilot)
        tree = place(pilot).span_tree
        assert tree.row_count == 2
        await pilot.press("enter")
        assert tree.has_focus and tree.span is not None and tree.span.span_id == "check"
        await pilot.press("escape")
        await settle(pilot)
        assert tree.row_count == 4 and tree.has_focus


async def test_another_place_can_send_here(workstation: Workstation, prepared: PromptLedger) -> None:
    """open_trace shows that trace at that span, even when the list has not loaded it."""
    record_agent(prepared, "wanted")
    now = clock.now_us()
    prepared.traces.record([step(f"t{n}", "a", started_us=now + n) for n in range(150)])
    key = next(row.key for row in prepared.traces.tree("wanted").rows() if row.span_id == "answer")
    async with workstation(place="prompts") as pilot:
        pilot.app.open_trace("wanted", key)
        await until(lambda: pilot.app.current_mode == "traces", pilot)
        shown = place(pilot)
        await until(lambda: shown.opened is not None and shown.opened.row.trace_id == "wanted", pilot, "the trace")
        await settle(pilot)
        assert shown.opened is not None and shown.opened.row.trace_id == "wanted"
        assert shown.detail.facts is not None and shown.detail.facts.span.span_id == "answer"
        subject = shown.code_subject()
        assert subject is not None and "traces show wanted" in subject.cli and "'wanted'" in subject.python


async def test_a_trace_that_is_gone_is_said(workstation: Workstation, prepared: PromptLedger) -> None:
    """Being sent to a trace that does not exist ends in words, and the place goes on working."""
    record_agent(prepared)
    async with workstation(place="traces") as pilot:
        pilot.app.open_trace("nowhere")
        await until(lambda: pilot.app._notifications, pilot, "the words")
        assert any("No such trace" in notice.title for notice in pilot.app._notifications)
        assert place(pilot).opened is not None and place(pilot).span_tree.row_count == 4


async def test_hostile_texts_are_shown_not_obeyed(workstation: Workstation, prepared: PromptLedger) -> None:
    """Markup and escape sequences in every column of a span stay text, and nothing crashes."""
    bad = "[/] [bold \x1b]52;c;aGk=\x07 \x9b31m [@click=app.quit]x[/]"
    prepared.traces.record(
        [
            step(bad, bad, None, name=bad, kind=bad[:60], model=bad, error=bad, error_type=bad, input=bad, output=bad,
                 agent_id=bad, environment=bad, attributes={bad: bad}, status="failed"),
        ]
    )  # fmt: skip
    async with workstation(place="traces") as pilot:
        for _ in range(7):
            await pilot.press("right_square_bracket")
            await settle(pilot)
            text = screen_text(pilot)
            assert not {"\x1b", "\x07", "\x9b"} & set(text)
        assert "[/] [bold" in text


def test_the_screen_stays_small() -> None:
    """Screens that grow hide a second thing: at most 250 lines a class."""
    import inspect

    assert len(inspect.getsource(TracesPlace).splitlines()) < 250
    folder = Path(inspect.getfile(TracesPlace)).parent
    assert all(len(file.read_text().splitlines()) < 400 for file in folder.glob("*.py"))


async def test_in_a_narrow_terminal_the_shown_pane_has_the_focus(
    workstation: Workstation, prepared: PromptLedger
) -> None:
    """A clicked tab, the cost key and the detail's brackets lead the keys to the pane that they show."""
    record_agent(prepared)
    async with workstation("traces", (80, 24)) as pilot:
        shown = place(pilot)
        await rest(pilot)
        await pilot.click("#folds", offset=(11, 0))
        assert shown.span_tree.has_focus and shown.has_class("-at-spans")
        await pilot.press("right_square_bracket")
        assert shown.detail.text_pane.has_focus and shown.has_class("-at-detail")
        await pilot.press("c")
        assert shown.query_one("#cost").has_focus and shown.has_class("-at-cost")
        await pilot.press("c")
        assert shown.trace_list.has_focus and shown.has_class("-at-traces")


async def test_a_receipt_reads_like_arithmetic(workstation: Workstation, prepared: PromptLedger) -> None:
    """Tokens, price per million and amount of each class, their sum and the source; no price is said in words."""
    lines = [
        {"class": "input", "tokens": 1000, "usd_per_million": "2.5", "nusd": 2_500_000},
        {"class": "output", "tokens": 200, "usd_per_million": "10", "nusd": 2_000_000},
    ]
    receipt = {"lines": lines, "total_nusd": 4_500_000, "source": "genai-prices", "version": "1"}
    call = {"kind": "llm", "provider": "openai", "model": "gpt-4o", "tokens": TokenUsage(1000, 0, 0, 200)}
    prepared.traces.record([step("free", "own", unpriced=True, **call)])
    prepared.traces.record([step("paid", "call", cost_nusd=4_500_000, attributes={"receipt": receipt}, **call)])
    async with workstation("traces", (160, 48)) as pilot:
        shown = place(pilot)
        for trace, words in (
            (
                "paid",
                ["input    1,000         $2.5  $0.0025", "output     200          $10  $0.0020", "total", "$0.0045"],
            ),
            ("free", ["This call has no known price. It counts as unpriced, not as free."]),
        ):
            shown.open_trace(trace)
            await until(lambda name=trace: shown.opened is not None and shown.opened.row.trace_id == name, pilot)
            await rest(pilot)
            shown.detail.query_one(TabRow).choose("Receipt")
            await settle(pilot)
            text = screen_text(pilot)
            assert all(word in text for word in words), text
