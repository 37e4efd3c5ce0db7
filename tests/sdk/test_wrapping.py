"""Clients of openai and anthropic behave as before, and their calls are in the ledger. Real clients, a real server."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from ledger_tui import PromptLedger
from ledger_tui.errors import InputError
from ledger_tui.sdk.wrapping.calls import whom

from tests.sdk.seen import Seen, seen
from tests.servers.failures import FailingServer
from tests.servers.llama import MODEL

KEY = "sk-canary-0123456789abcdef"
ASK: list[Any] = [{"role": "user", "content": "hello"}]
MESSAGES: list[Any] = [{"role": "system", "content": "be brief"}, *ASK]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A ledger over a new file."""
    with PromptLedger(str(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def chat(ledger: PromptLedger, llama_server: str) -> Iterator[openai.OpenAI]:
    """A wrapped OpenAI client of the real server."""
    with openai.OpenAI(api_key=KEY, base_url=f"{llama_server}/v1", max_retries=0) as client:
        yield ledger.wrap(client)


@pytest.fixture
def claude(ledger: PromptLedger, llama_server: str) -> Iterator[anthropic.Anthropic]:
    """A wrapped Anthropic client of the real server."""
    with anthropic.Anthropic(api_key=KEY, base_url=llama_server, max_retries=0) as client:
        yield ledger.wrap(client)


@pytest.fixture
async def async_chat(ledger: PromptLedger, llama_server: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """A wrapped AsyncOpenAI client of the real server."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"{llama_server}/v1", max_retries=0) as client:
        yield ledger.wrap(client)


@pytest.fixture
async def async_claude(ledger: PromptLedger, llama_server: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """A wrapped AsyncAnthropic client of the real server."""
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=llama_server, max_retries=0) as client:
        yield ledger.wrap(client)


def calls(ledger: PromptLedger) -> list[Seen]:
    """The model calls of trace ``t``."""
    return [one for one in seen(ledger, "t") if one.row.kind == "llm"]


def failing(server: FailingServer, behaviour: str) -> openai.OpenAI:
    """An OpenAI client of the failing server."""
    return openai.OpenAI(api_key=KEY, base_url=server.url(behaviour), max_retries=0, timeout=20)


def test_a_chat_call(ledger: PromptLedger, chat: openai.OpenAI) -> None:
    """A call is an llm span with its messages, answer, tokens, parameters and time, under the span around it."""
    with ledger.trace("all", trace_id="t"):
        answer = chat.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=8, temperature=0)
    assert type(answer) is openai.types.chat.ChatCompletion and answer.usage
    (call,) = calls(ledger)
    assert (call.depth, call.row.name, call.row.status) == (1, MODEL, "succeeded")
    assert call.payload.input == '[{"role": "system", "text": "be brief"}, {"role": "user", "text": "hello"}]'
    assert call.payload.output == answer.choices[0].message.content
    assert (call.row.input_tokens, call.row.output_tokens) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert call.attributes["params"] == {"max_tokens": 8, "temperature": 0}
    assert (call.attributes["finish_reason"], call.attributes["response_id"]) == ("length", answer.id)
    assert (call.row.provider, call.row.model, call.row.cost_nusd, call.row.unpriced) == ("local", MODEL, None, True)


def test_a_chat_stream(ledger: PromptLedger, chat: openai.OpenAI) -> None:
    """A stream stays the library's own object; its pieces make the output, its last chunk the tokens."""
    with ledger.trace("all", trace_id="t"):
        stream = chat.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    assert type(stream) is openai.Stream
    chunks = list(stream)
    (call,) = calls(ledger)
    assert call.payload.output == "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    usage = chunks[-1].usage
    assert usage and (call.row.input_tokens, call.row.output_tokens) == (usage.prompt_tokens, usage.completion_tokens)
    assert 0 < call.attributes["first_token_ms"] * 1000 <= (call.row.duration_us or 0)
    with ledger.database.lean() as lean:
        ((first_us,),) = lean.fetch("SELECT first_token_us FROM spans WHERE model IS NOT NULL")
    assert first_us == round(call.attributes["first_token_ms"] * 1000)
    assert ledger.analytics.totals(ledger.analytics.last_days(2)).first_p50_us is not None


def test_responses(ledger: PromptLedger, chat: openai.OpenAI) -> None:
    """``responses.create``, whole and streamed, with instructions and parameters."""
    with ledger.trace("all", trace_id="t"):
        answer = chat.responses.create(model=MODEL, input="hello", instructions="be brief", max_output_tokens=8)
        events = list(chat.responses.create(model=MODEL, input="hello", max_output_tokens=8, stream=True))
    whole, streamed = calls(ledger)
    assert whole.payload.output == answer.output_text and answer.usage
    assert (whole.row.input_tokens, whole.row.output_tokens) == (answer.usage.input_tokens, answer.usage.output_tokens)
    assert whole.payload.input == '[{"role": "system", "text": "be brief"}, {"role": "user", "text": "hello"}]'
    assert streamed.payload.output == "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert streamed.row.output_tokens == 8


def test_messages(ledger: PromptLedger, claude: anthropic.Anthropic) -> None:
    """``messages.create``, whole and streamed, and ``messages.stream`` with its helpers."""
    with ledger.trace("all", trace_id="t"):
        answer = claude.messages.create(model=MODEL, messages=ASK, system="be brief", max_tokens=8)
        events = list(claude.messages.create(model=MODEL, messages=ASK, max_tokens=8, stream=True))
        with claude.messages.stream(model=MODEL, messages=ASK, max_tokens=8) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
    whole, streamed, helped = calls(ledger)
    assert whole.payload.output == answer.content[0].text  # type: ignore[union-attr]
    assert whole.row.input_tokens == answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)
    assert whole.payload.input == '[{"role": "system", "text": "be brief"}, {"role": "user", "text": "hello"}]'
    assert whole.attributes["params"] == {"max_tokens": 8}
    assert streamed.payload.output == "".join(
        e.delta.text for e in events if e.type == "content_block_delta" and e.delta.type == "text_delta"
    )
    assert (helped.payload.output, helped.row.output_tokens) == (text, final.usage.output_tokens)
    assert [call.row.status for call in (whole, streamed, helped)] == ["succeeded"] * 3


async def test_asynchronous_clients(
    ledger: PromptLedger, async_chat: openai.AsyncOpenAI, async_claude: anthropic.AsyncAnthropic
) -> None:
    """The asynchronous clients record the same, also side by side and streaming."""
    async with ledger.trace("all", trace_id="t"):
        await asyncio.gather(
            *(async_chat.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4) for _ in range(3))
        )
        stream = await async_chat.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4, stream=True)
        assert type(stream) is openai.AsyncStream
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        await async_chat.responses.create(model=MODEL, input="hello", max_output_tokens=4)
        async with async_claude.messages.stream(model=MODEL, messages=ASK, max_tokens=4) as helper:
            final = await helper.get_final_text()
        message = await async_claude.messages.create(model=MODEL, messages=ASK, max_tokens=4)
    found = await asyncio.to_thread(calls, ledger)
    assert [call.row.status for call in found] == ["succeeded"] * 7 and {call.depth for call in found} == {1}
    assert found[3].payload.output == text
    assert found[5].payload.output == final and found[6].payload.output == message.content[0].text  # type: ignore[union-attr]
    assert ledger.tracer.door.lost == 0


async def test_a_cancelled_call(ledger: PromptLedger, failing_server: FailingServer) -> None:
    """Cancelling a task that waits for an answer records the call as canceled and goes on cancelling."""
    async with openai.AsyncOpenAI(api_key=KEY, base_url=failing_server.url("timeout"), max_retries=0) as client:
        ledger.wrap(client)

        async def ask() -> None:
            with ledger.trace("all", trace_id="t"):
                await client.chat.completions.create(model="m-1", messages=ASK)

        task = asyncio.create_task(ask())
        await asyncio.to_thread(failing_server.waiting.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [one.row.status for one in await asyncio.to_thread(calls, ledger)] == ["canceled"]


def test_a_stream_closed_early(ledger: PromptLedger, chat: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """A stream that is closed, left through its block or dropped ends its span as canceled, with what had come."""
    with ledger.trace("all", trace_id="t"):
        with chat.chat.completions.create(model=MODEL, messages=ASK, max_tokens=64, stream=True) as left:
            next(left)
        closed = claude.messages.create(model=MODEL, messages=ASK, max_tokens=64, stream=True)
        closed.close()
        dropped = chat.chat.completions.create(model=MODEL, messages=ASK, max_tokens=64, stream=True)
        del dropped
        gc.collect()
    assert left.response.is_closed and closed.response.is_closed
    assert [one.row.status for one in calls(ledger)] == ["canceled"] * 3


@pytest.mark.parametrize(
    ("behaviour", "raised", "error_type"),
    [
        ("401", openai.AuthenticationError, "auth"),
        ("429", openai.RateLimitError, "rate_limit"),
        ("500", openai.InternalServerError, "unavailable"),
        ("400", openai.BadRequestError, "bad_request"),
    ],
)
def test_refused_calls(
    ledger: PromptLedger, failing_server: FailingServer, behaviour: str, raised: type[Exception], error_type: str
) -> None:
    """The library's own exception reaches the caller; the span failed with the ledger's type of it."""
    client = ledger.wrap(failing(failing_server, behaviour))
    with pytest.raises(raised), ledger.trace("all", trace_id="t"):
        client.chat.completions.create(model="m-1", messages=ASK)
    (call,) = calls(ledger)
    assert (call.row.status, call.row.error_type) == ("failed", error_type) and behaviour in (call.payload.error or "")


@pytest.mark.parametrize("behaviour", ["cut", "error-inside", "garbled"])
def test_streams_that_break(ledger: PromptLedger, failing_server: FailingServer, behaviour: str) -> None:
    """A stream that breaks raises what it raised before, and its span failed."""
    plain, watched = failing(failing_server, behaviour), ledger.wrap(failing(failing_server, behaviour))

    def listen(client: openai.OpenAI) -> str:
        try:
            return str(len(list(client.chat.completions.create(model="m-1", messages=ASK, stream=True))))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    expected = listen(plain)
    with ledger.trace("all", trace_id="t"):
        assert listen(watched) == expected
    assert [one.row.status for one in calls(ledger)] == ["failed"]


@pytest.mark.parametrize("wire", ["chat", "responses", "anthropic"])
def test_tool_calls_and_token_classes(ledger: PromptLedger, failing_server: FailingServer, wire: str) -> None:
    """Tool calls are the output when there is no text; cached and reasoning tokens are told apart."""
    with ledger.trace("all", trace_id="t"):
        if wire == "anthropic":
            base = failing_server.url("tool-only").removesuffix("/v1")
            client = ledger.wrap(anthropic.Anthropic(api_key=KEY, base_url=base))
            list(client.messages.create(model="m-1", messages=ASK, max_tokens=9, stream=True, tools=[TOOL]))
        elif wire == "chat":
            other = ledger.wrap(failing(failing_server, "tool-only"))
            list(other.chat.completions.create(model="m-1", messages=ASK, stream=True))
        else:
            other = ledger.wrap(failing(failing_server, "tool-only"))
            list(other.responses.create(model="m-1", input="hello", stream=True))
    (call,) = calls(ledger)
    assert call.payload.output is not None and '"name": "look_up"' in call.payload.output
    row = call.row
    assert (row.input_tokens, row.cache_read_tokens, row.output_tokens, row.reasoning_tokens) == (12, 4, 5, 2)
    assert call.attributes.get("tools") == (["look_up"] if wire == "anthropic" else None)


TOOL: Any = {"name": "look_up", "input_schema": {"type": "object", "properties": {}}}


def test_every_way_to_call(ledger: PromptLedger, chat: openai.OpenAI) -> None:
    """Raw responses, streamed bodies, copies with options and resources made before wrapping are recorded once each."""
    with ledger.trace("all", trace_id="t"):
        raw = chat.chat.completions.with_raw_response.create(model=MODEL, messages=ASK, max_tokens=4)
        text = raw.parse().choices[0].message.content
        with chat.chat.completions.with_streaming_response.create(model=MODEL, messages=ASK, max_tokens=4) as body:
            assert body.read()
        chat.with_options(timeout=60).chat.completions.create(model=MODEL, messages=ASK, max_tokens=4)
    first, second, third = calls(ledger)
    assert first.payload.output == text and first.row.output_tokens == 4
    assert second.row.status == "succeeded" and second.payload.output is None and second.attributes["note"]
    assert third.row.output_tokens == 4


def test_resources_made_before(ledger: PromptLedger, llama_server: str) -> None:
    """A resource that a program took from its client before wrapping is watched as well."""
    client = openai.OpenAI(api_key=KEY, base_url=f"{llama_server}/v1", max_retries=0)
    create = client.chat.completions.create
    ledger.wrap(client)
    with ledger.trace("all", trace_id="t"):
        create(model=MODEL, messages=ASK, max_tokens=4)
    assert len(calls(ledger)) == 1


def test_wrapping_twice_is_harmless(ledger: PromptLedger, chat: openai.OpenAI) -> None:
    """The same object comes back, and a call is recorded once; what is no client is refused."""
    assert ledger.wrap(chat) is chat
    with ledger.trace("all", trace_id="t"):
        chat.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4)
        chat.models.list()
    assert len(calls(ledger)) == 1 and isinstance(chat, openai.OpenAI)
    with pytest.raises(InputError):
        ledger.wrap(object())


def test_no_key_is_written(ledger: PromptLedger, failing_server: FailingServer, tmp_path: Path) -> None:
    """Neither the client's key nor one in a message, a parameter or the server's error is anywhere on disk."""
    client = ledger.wrap(failing(failing_server, "echo-key"))
    with pytest.raises(openai.AuthenticationError), ledger.trace("all", trace_id="t"):
        client.chat.completions.create(
            model="m-1", messages=[{"role": "user", "content": f"use {KEY}"}], user=KEY, extra_headers={"X-Other": KEY}
        )
    (call,) = calls(ledger)
    assert call.payload.error and "•••" in call.payload.error and "•••" in (call.payload.input or "")
    ledger.close()
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert b"canary" not in file.read_bytes(), file


def test_recording_that_fails_is_not_noticed(ledger: PromptLedger, chat: openai.OpenAI) -> None:
    """When the hook of a program fails, the call goes on and the field is withheld with the reason."""
    broken = PromptLedger(str(ledger.paths.data / "other.db"), redact=[lambda kind, field, text: 1 / 0])  # type: ignore[list-item]
    with broken:
        broken.wrap(chat)
        with broken.trace("all", trace_id="t"):
            assert chat.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4).choices
        call = seen(broken, "t")[1]
    assert call.payload.input is None and call.payload.output is None
    assert call.attributes["withheld"]["input"] == "the redaction hook <lambda> raised ZeroDivisionError"


def test_whom_a_client_asks() -> None:
    """Known addresses are their providers; this machine is local; any other address is named by its host."""
    assert whom("openai", "https://api.openai.com/v1/") == ("openai", None)
    assert whom("anthropic", "https://api.anthropic.com") == ("anthropic", None)
    assert whom("openai", "https://openrouter.ai/api/v1") == ("openrouter", None)
    assert whom("openai", "http://127.0.0.1:9999/v1") == ("local", None)
    assert whom("openai", "http://[::1]:9999/v1") == ("local", None)
    assert whom("openai", "https://me@proxy.example:8443/v1") == (
        "proxy.example:8443",
        "https://me@proxy.example:8443/v1",
    )


@pytest.mark.parametrize(
    ("address", "provider", "priced"), [(None, "openai", True), ("https://proxy.example/v1", "proxy.example", False)]
)
def test_prices_follow_the_address(ledger: PromptLedger, address: str | None, provider: str, priced: bool) -> None:
    """A call to the library's own provider gets that provider's price, the same model at a stranger's address none."""
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=answer))
    client = openai.OpenAI(api_key=KEY, base_url=address, http_client=httpx2.Client(transport=transport))
    with ledger.trace("all", trace_id="t"):
        ledger.wrap(client).chat.completions.create(model="gpt-4o-mini", messages=ASK)
    (one,) = calls(ledger)
    assert (one.row.provider, one.row.cost_nusd is not None, one.row.unpriced) == (provider, priced, not priced)
