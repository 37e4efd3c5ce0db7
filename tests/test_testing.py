"""What ``ledger_tui.testing`` promises to other projects' tests."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger, observe, testing
from ledger_tui.domain import clock, ids
from ledger_tui.errors import InputError

GUIDE = Path(__file__).parent.parent / "docs" / "testing.md"
_BLOCK = re.compile(r"<!-- (pytest) -->\n```python\n(.*?)```", re.DOTALL)


def greet(ledger: PromptLedger, name: str = "Ada", **options: Any) -> Any:
    """Run a small prompt that asks a model of a real provider."""
    ledger.create_prompt("greet", "Say hello to {{ name }}", model="openai/gpt-4o-mini")
    return ledger.execute("greet", {"name": name}, **options)


def test_a_ledger_that_leaves_nothing_behind(tmp_path: Path) -> None:
    """Prompts, runs, renders and spans work as in any ledger; no folder of the person has a file more, nor is one left."""
    before = sorted(tmp_path.rglob("*"))
    with testing.memory_ledger() as ledger:
        assert isinstance(ledger, PromptLedger) and ledger.environment == "test"
        ledger.create_prompt("echo", "Say {{ word }}", model="offline", params={"offline_delay_s": 0})
        assert ledger.execute("echo", {"word": "hi"})["status"] == "succeeded"
        assert ledger.render("echo", {"word": "hi"})["messages"][0]["content"] == "Say hi"
        ledger.log_external_span("t", name="tool", kind="tool")
        assert ledger.get_trace("t")["span_count"] == 1
        folder = ledger.paths.data.parent
        assert folder.exists() and ledger.database.path is not None
    assert not folder.exists() and sorted(tmp_path.rglob("*")) == before


def test_each_ledger_is_empty_and_its_own() -> None:
    """Two at a time do not see each other's prompts, and settings are the ones given, else the defaults."""
    from ledger_tui.settings import Settings

    with testing.memory_ledger() as one, testing.memory_ledger(settings=Settings(default_model="local/x")) as other:
        one.create_prompt("only/here", "x")
        assert [row.name for row in one.registry.prompts()] == ["only/here"] and not other.registry.prompts()
        assert (one.settings.default_model, other.settings.default_model) == ("offline", "local/x")


def test_what_is_recorded_is_there_when_it_is_read() -> None:
    """Spans are stored before any read, without a thread: sums, costs and analytics know them at once."""
    import threading

    with testing.memory_ledger() as ledger:
        ledger.log_external_span("t", name="call", model="openai/gpt-4o-mini", prompt_tokens=10, completion_tokens=5)
        assert not [one for one in threading.enumerate() if one.name == "ledger-spool"]
        assert ledger.costs.today().calls == 1
        assert ledger.get_trace("t")["total_tokens"] == 15


def test_code_that_asks_for_the_default_ledger_gets_it() -> None:
    """The module's ``observe`` records into the ledger of the test."""

    @observe(name="work")
    def work() -> int:
        return 3

    with testing.memory_ledger() as ledger:
        work()
        assert [row.name for row in ledger.traces.page().rows] == ["work"]


def test_answers_come_in_order() -> None:
    """Texts, chunks, tool calls and tokens come as written, priced like the named model; calls are noted as they were sent."""
    with testing.memory_ledger() as ledger:
        script = testing.script(
            ledger,
            [
                "Hello Ada",
                testing.Reply(chunks=["Hel", "lo"], tokens=(1000, 500)),
                testing.Reply(tool_calls=[("weather", {"city": "Bonn"})], tokens=testing.TokenUsage()),
            ],
        )
        first, second, third = (
            greet(ledger),
            greet(ledger, params={"temperature": 0.5}),
            greet(ledger, model="anthropic/claude-x"),
        )
        assert (first["output"], first["finish_reason"], first["total_tokens"]) == ("Hello Ada", "stop", 4 + 3)
        assert second["output"] == "Hello" and second["total_tokens"] == 1500
        assert second["cost"] == Decimal("0.00045")
        assert third["tool_calls"] == [{"id": "call-1", "name": "weather", "arguments": '{"city": "Bonn"}'}]
        assert (third["finish_reason"], third["total_tokens"]) == ("tool_calls", None)
        assert str(script.calls[0]) == "openai/gpt-4o-mini was asked user: 'Say hello to Ada'"
        assert script.calls[1].params == {"temperature": 0.5} and script.calls[2].provider == "anthropic"
        assert script.calls[0].last == script.calls[0].text == "Say hello to Ada" and script.left == 0


def test_answers_by_what_was_asked() -> None:
    """A text, a pattern or a function that fits decides, as often as it fits; what nothing fits takes the next in order."""
    with testing.memory_ledger() as ledger:
        testing.script(
            ledger,
            [
                "the next",
                testing.when("Ada", "a text"),
                testing.when(re.compile("b[aeiou]b", re.IGNORECASE), "a pattern"),
                testing.when(lambda call: call.last.endswith("Eve"), "a function"),
            ],
        )
        said = [greet(ledger, name)["output"] for name in ("Ada", "Bob", "Eve", "Ada", "Zoe")]
        assert said == ["a text", "a pattern", "a function", "a text", "the next"]


def test_a_function_answers() -> None:
    """A function gets every call and gives text, a reply or a failure."""
    with testing.memory_ledger() as ledger:
        testing.script(ledger, lambda call: testing.failure("auth") if "Eve" in call.text else call.last.upper())
        assert greet(ledger, "Ada")["output"] == "SAY HELLO TO ADA"
        assert greet(ledger, "Eve")["error"]["type"] == "auth"


@pytest.mark.parametrize("name", ["rate_limit", "timeout", "unavailable"])
def test_failures_in_passing_are_tried_again(name: testing.FailureName) -> None:
    """A failure that may pass is tried again as with a real provider; on a stopped clock nobody waits for it."""
    with testing.memory_ledger() as ledger, testing.stopped_clock():
        script = testing.script(ledger, [testing.failure(name), testing.failure(name, retry_after_s=20), "at last"])
        result = greet(ledger)
        assert (result["output"], result["attempts"], len(script.calls)) == ("at last", 3, 3)
        assert result["latency_ms"] == (1 + 20) * 1000


@pytest.mark.parametrize("name", ["auth", "bad_request", "bad_response"])
def test_failures_that_stay(name: testing.FailureName) -> None:
    """Other failures end the run at once, also in the middle of an answer, and what came is kept."""
    with testing.memory_ledger() as ledger:
        testing.script(ledger, [testing.Reply("half an ans", error=name), "never asked for"])
        result = greet(ledger)
        assert (result["status"], result["output"], result["error"]["type"]) == ("failed", "half an ans", name)


def test_a_script_that_runs_out() -> None:
    """A call without an answer fails in words that name it, and the block of the ledger ends with an AssertionError."""
    expected = pytest.raises(AssertionError, match="call 2: openai/gpt-4o-mini was asked user: 'Say hello to Bob'")
    with expected, testing.memory_ledger() as ledger:
        testing.script(ledger, ["only one"])
        greet(ledger)
        error = greet(ledger, "Bob")["error"]
        assert error["type"] == "script" and "Say hello to Bob" in error["cause"]


def test_an_error_of_the_test_is_not_hidden() -> None:
    """When the test itself fails, that is what is raised."""
    with pytest.raises(ZeroDivisionError), testing.memory_ledger() as ledger:
        testing.script(ledger)
        greet(ledger)
        raise ZeroDivisionError


def test_nothing_leaves_the_machine_without_a_script() -> None:
    """A ledger of a test calls no provider although the program has a key: the call fails and says what is missing."""
    with testing.memory_ledger() as ledger:
        result = greet(ledger)
        assert result["error"]["title"] == "The script has no answer for this call"
        ledger.scripts[0].unanswered.clear()


def test_a_script_that_itself_fails() -> None:
    """An error in a test's function, or an answer that is none, is told with the call; nothing keeps running."""
    with testing.memory_ledger() as ledger:
        script = testing.script(ledger, lambda call: 3 if "Bob" in call.text else str(1 // 0))  # type: ignore[arg-type, return-value]
        assert "ZeroDivisionError" in greet(ledger)["error"]["cause"]
        assert "cannot answer with int" in greet(ledger, "Bob")["error"]["cause"]
        assert [row.status for row in ledger.traces.page().rows] == ["failed", "failed"]
        script.unanswered.clear()


@pytest.mark.parametrize("wrong", [3, None, b"x", ValueError()])
def test_what_is_no_answer_is_refused(wrong: Any) -> None:
    """A list with something that cannot be an answer is refused when it is written down."""
    with testing.memory_ledger() as ledger, pytest.raises(InputError):
        testing.script(ledger, [wrong])


def test_replies_that_cannot_be() -> None:
    """Chunks that are not the text, times before the question and unknown failures are refused."""
    for wrong in ({"text": "a", "chunks": ["b"]}, {"latency_s": -1}, {"latency_s": 1, "first_token_s": -1}):
        with pytest.raises(InputError):
            testing.Reply(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is no failure"):
        testing.failure("tired")  # type: ignore[arg-type]


def test_latency_on_the_stopped_clock() -> None:
    """A reply takes as long as it says, without anybody waiting: latency, first token and the trace's duration are exact."""
    with testing.memory_ledger() as ledger, testing.stopped_clock() as time:
        testing.script(ledger, [testing.Reply("Hello", latency_s=2.5, first_token_s=0.5)])
        with ledger.trace("work", trace_id="t") as trace:
            result = greet(ledger)
            assert (result["latency_ms"], result["first_token_ms"]) == (2500, 500)
            assert time.advance(timedelta(minutes=1)) == time.now == testing.START + timedelta(seconds=62.5)
        assert trace.age_us() == 62_500_000
        assert ledger.get_trace("t")["duration_ms"] == 62_500
        assert [span["duration_ms"] for span in ledger.get_trace_tree("t")] == [62_500, 2_500]


def test_the_clock_is_moved_by_nobody_else() -> None:
    """A stopped clock goes forward by what it is told only; a running one cannot be moved, and one can stop another."""
    with testing.stopped_clock(datetime(2030, 1, 1, tzinfo=UTC)) as outer:
        with testing.stopped_clock() as inner:
            ticks = clock.ticks_us()
            inner.advance(1)
            assert clock.ticks_us() - ticks == 1_000_000
        assert outer.now == datetime(2030, 1, 1, tzinfo=UTC)
        with pytest.raises(InputError):
            outer.advance(-1)
    with pytest.raises(RuntimeError):
        outer.advance(1)


def picture(ledger: PromptLedger) -> list[Any]:
    """All that a program can see of a small piece of work."""
    testing.script(ledger, ["Hello", testing.failure("rate_limit"), "again"])
    with ledger.trace("work") as trace:
        first = greet(ledger)
        ledger.log_external_span(trace.trace_id, trace.span_id, "tool", "tool")
        second = greet(ledger)
    return [first, second, ledger.get_trace(trace.trace_id), ledger.get_trace_tree(trace.trace_id)]


def test_pictures_are_the_same_in_every_run() -> None:
    """With counted ids and a stopped clock everything a program sees is equal, whenever spans are stored."""
    seen = []
    for reads_between in (False, True):
        with testing.memory_ledger() as ledger, testing.stopped_clock(), testing.counted_ids():
            ledger.log_external_span("before", name="x")
            if reads_between:
                ledger.traces.page()
            seen.append(picture(ledger))
    assert seen[0] == seen[1]
    assert seen[0][0]["span_id"].startswith("00000000-0000-7000-8000-0000000000")


def test_counted_ids_end_with_their_block() -> None:
    """Inside they count from one without repeating any, also in threads; afterwards they are drawn again."""
    with testing.counted_ids():
        assert ids.new_id() == "00000000-0000-7000-8000-000000000001"
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: ids.new_id(), range(400)))
        assert len(set(made)) == 400
    assert ids.new_id() > "01000000" and ids.new_id() != ids.new_id()


async def test_in_an_event_loop_and_from_threads() -> None:
    """One script answers runs that are awaited side by side, each call once."""
    with testing.memory_ledger() as ledger:
        script = testing.script(ledger, [f"answer {number}" for number in range(8)])
        ledger.create_prompt("greet", "Say hello to {{ name }}", model="local/x")
        runs = [ledger.aexecute("greet", {"name": str(number)}) for number in range(8)]
        results = await asyncio.gather(*runs)
        assert sorted(result["output"] for result in results) == sorted(f"answer {number}" for number in range(8))
        assert len(script.calls) == 8 and script.left == 0


def test_an_ordinary_ledger_can_be_scripted(tmp_path: Path) -> None:
    """A script answers for any ledger, until another takes its place; None gives the providers back."""
    with PromptLedger(str(tmp_path / "ledger.db")) as ledger:
        testing.script(ledger, ["scripted"])
        assert greet(ledger)["output"] == "scripted"
        testing.script(ledger, ["another"])
        assert greet(ledger)["output"] == "another"
        ledger.answer_with(None)
        assert "offline model" in greet(ledger, model="offline")["output"]


def test_the_fixture_is_there(prompt_ledger: testing.MemoryLedger) -> None:
    """With the package installed, a test that names ``prompt_ledger`` gets an empty ledger."""
    assert not prompt_ledger.registry.prompts()


def test_the_steady_fixture(steady_prompt_ledger: testing.MemoryLedger) -> None:
    """``steady_prompt_ledger`` is one with a clock that stands and ids that count."""
    assert clock.now() == testing.START
    assert steady_prompt_ledger.log_external_span("t", name="x") == "00000000-0000-7000-8000-000000000001"


LIGHT = """
import sys

WHEN_PYTEST_STARTED = sorted(name for name in sys.modules if name.startswith("ledger_tui."))

def test_nothing_is_loaded():
    assert WHEN_PYTEST_STARTED == ["ledger_tui.testing", "ledger_tui.testing.plugin"]
"""
UNANSWERED = """
from ledger_tui import testing

def test_asks_too_much(prompt_ledger):
    testing.script(prompt_ledger, [])
    prompt_ledger.create_prompt("a", "Say {{ word }}", model="openai/gpt-4o-mini")
    prompt_ledger.execute("a", {"word": "hi"})
"""


def test_a_project_of_its_own(tmp_path: Path) -> None:
    """In a project that knows nothing of this one, pytest finds the fixtures and loads two small modules for them; the examples
    of docs/testing.md pass as they are; and a test that ignores an unanswered call ends with an error that names the call.
    """
    guide = [found[2] for found in _BLOCK.finditer(GUIDE.read_text())]
    assert len(guide) == 2
    for number, text in enumerate((LIGHT, *guide, UNANSWERED)):
        (tmp_path / f"test_{number}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    said = done.stdout + done.stderr
    count = sum(text.count("def test_") for text in (LIGHT, *guide, UNANSWERED))
    assert done.returncode == 1 and f"{count} passed, 1 error" in said, said
    assert "no script answered call 1: openai/gpt-4o-mini was asked user: 'Say hi'" in said
