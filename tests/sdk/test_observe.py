"""``@observe`` on every kind of function."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import ledger_tui
import pytest
from ledger_tui import PromptLedger
from ledger_tui.errors import InputError

from tests.sdk.seen import named, outline, seen


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger over a new file."""
    with PromptLedger(str(tmp_path / "ledger.db")) as opened:
        yield opened


def test_a_function_call_is_a_span(ledger: PromptLedger) -> None:
    """Arguments by name are the input, the result the output; what the function calls is below it."""

    @ledger.observe
    def inner(x: int) -> int:
        return x + 1

    @ledger.observe(kind="tool", name="outer step", attributes={"team": "a"})
    def outer(a: int, b: int = 2, *rest: int, key: str = "k", **more: int) -> dict[str, int]:
        """Adds."""
        return {"sum": inner(a) + b}

    with ledger.trace("all", trace_id="t"):
        assert outer(1, 2, 3, key="v", extra=4) == {"sum": 4}
    assert outline(ledger, "t")[1:] == [(1, "outer step"), (2, inner.__qualname__.replace(".<locals>", ""))]
    span = named(ledger, "t", "outer step")
    assert span.payload.input == '{"a": 1, "b": 2, "rest": [3], "key": "v", "extra": 4}'
    assert (span.payload.output, span.row.kind, span.attributes) == ('{"sum": 4}', "tool", {"team": "a"})
    assert (outer.__name__, outer.__doc__) == ("outer", "Adds.")


def test_arguments_are_kept_as_they_were(ledger: PromptLedger) -> None:
    """What a function does to its arguments does not change what is recorded of them."""

    @ledger.observe(name="changes")
    def changes(items: list[int]) -> None:
        items.clear()

    with ledger.trace("all", trace_id="t"):
        changes([1, 2])
    assert named(ledger, "t", "changes").payload.input == '{"items": [1, 2]}'


def test_capturing_can_be_switched_off(ledger: PromptLedger) -> None:
    """Without capturing, neither arguments nor result are anywhere in the span."""

    @ledger.observe(name="quiet", capture_input=False, capture_output=False)
    def quiet(secret: str) -> str:
        return secret

    @ledger.observe(name="quiet stream", capture_input=False, capture_output=False)
    def quiet_stream(secret: str) -> Iterator[str]:
        yield secret

    with ledger.trace("all", trace_id="t"):
        assert (quiet("hush"), list(quiet_stream("hush"))) == ("hush", ["hush"])
    for one in seen(ledger, "t"):
        assert one.payload.input is None and one.payload.output is None and "hush" not in str(one.attributes)


def test_errors_pass_through(ledger: PromptLedger) -> None:
    """The function's own exception reaches the caller, also for wrong arguments, and is in the span."""

    @ledger.observe(name="fails")
    def fails(x: int) -> None:
        raise KeyError(x)

    with ledger.trace("all", trace_id="t"):
        with pytest.raises(KeyError):
            fails(1)
        with pytest.raises(TypeError):
            fails(1, 2, 3)  # type: ignore[call-arg]
    assert [one.row.error_type for one in seen(ledger, "t")[1:]] == ["KeyError", "TypeError"]


async def test_async_functions_and_generators(ledger: PromptLedger) -> None:
    """Coroutines and async generators stay what they are and nest across await."""

    @ledger.observe(name="numbers")
    async def numbers(n: int) -> AsyncIterator[int]:
        for i in range(n):
            await asyncio.sleep(0)
            yield await double(i)

    @ledger.observe(name="double")
    async def double(i: int) -> int:
        await asyncio.sleep(0)
        return 2 * i

    assert inspect.isasyncgenfunction(numbers) and inspect.iscoroutinefunction(double)
    async with ledger.trace("all", trace_id="t"):
        assert [i async for i in numbers(2)] == [0, 2]
    found = await asyncio.to_thread(seen, ledger, "t")
    assert [(one.depth, one.row.name) for one in found] == [(0, "all"), (1, "numbers"), (2, "double"), (2, "double")]
    assert (found[1].payload.input, found[1].payload.output) == ('{"n": 2}', "[0, 2]")


async def test_an_async_generator_that_is_left(ledger: PromptLedger) -> None:
    """Closing an async generator early runs its own clean-up and ends the span as canceled."""
    cleaned = []

    @ledger.observe(name="numbers")
    async def numbers() -> AsyncIterator[int]:
        try:
            for i in range(9):
                yield i
        finally:
            cleaned.append(True)

    async with ledger.trace("all", trace_id="t"):
        items = numbers()
        assert await anext(items) == 0
        await items.aclose()  # type: ignore[attr-defined]
    span = await asyncio.to_thread(named, ledger, "t", "numbers")
    assert (span.row.status, span.payload.output, cleaned) == ("canceled", "[0]", [True])


def test_generators_talk_as_before(ledger: PromptLedger) -> None:
    """What is sent and thrown in reaches the generator, its return value comes out, and code between items is outside."""

    @ledger.observe(name="echo")
    def echo() -> Generator[str, str, str]:
        heard = yield "ready"
        try:
            yield heard.upper()
        except ValueError:
            with ledger.span("recovers"):
                yield "recovered"
        return "bye"

    assert inspect.isgeneratorfunction(echo)
    with ledger.trace("all", trace_id="t"):
        talk = echo()
        assert next(talk) == "ready"
        assert talk.send("hello") == "HELLO"
        with ledger.span("between"):
            assert talk.throw(ValueError()) == "recovered"
        with pytest.raises(StopIteration) as stop:
            next(talk)
    assert stop.value.value == "bye"
    assert sorted(outline(ledger, "t")) == [(0, "all"), (1, "between"), (1, "echo"), (2, "recovers")]
    span = named(ledger, "t", "echo")
    assert (span.payload.output, span.attributes["returned"], span.row.status) == (
        "readyHELLOrecovered",
        "bye",
        "succeeded",
    )


def test_a_generator_that_is_left(ledger: PromptLedger) -> None:
    """A generator that is closed early cleans up and its span is canceled; one that fails fails."""

    @ledger.observe(name="numbers")
    def numbers(fail: bool) -> Iterator[int]:
        yield 1
        if fail:
            raise RuntimeError("x")
        yield 2

    with ledger.trace("all", trace_id="t"):
        items = numbers(False)
        next(items)
        items.close()  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError):
            list(numbers(True))
    assert [one.row.status for one in seen(ledger, "t")[1:]] == ["canceled", "failed"]


def test_methods(ledger: PromptLedger) -> None:
    """Methods of all kinds work as before, and ``self`` and ``cls`` are not recorded."""

    class Agent:
        @ledger.observe(name="plain")
        def plain(self, x: int) -> int:
            return x

        @ledger.observe(name="static")
        @staticmethod
        def static(x: int) -> int:
            return x

        @classmethod
        @ledger.observe(name="of class")
        def of_class(cls, x: int) -> int:
            return x

    with ledger.trace("all", trace_id="t"):
        assert (Agent().plain(1), Agent.static(2), Agent.of_class(3)) == (1, 2, 3)
    assert [one.payload.input for one in seen(ledger, "t")[1:]] == ['{"x": 1}', '{"x": 2}', '{"x": 3}']


def test_what_is_no_function_is_refused(ledger: PromptLedger) -> None:
    """Classes and values are refused when they are decorated, not when they are called."""
    for wrong in (int, 3):
        with pytest.raises(InputError):
            ledger.observe()(wrong)  # type: ignore[type-var]


def test_the_default_ledger(tmp_path: Path) -> None:
    """``ledger_tui.observe`` records to the ledger around the call, else to the one made last."""

    @ledger_tui.observe(name="work")
    def work() -> int:
        return 1

    with PromptLedger(str(tmp_path / "a.db")) as first, PromptLedger(str(tmp_path / "b.db")) as last:
        with first.trace("all", trace_id="t"):
            work()
        assert outline(first, "t") == [(0, "all"), (1, "work")]
        work()
        last.flush()
        assert [row.name for row in last.traces.page().rows] == ["work"]
