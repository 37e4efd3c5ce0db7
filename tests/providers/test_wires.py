"""Every wire against a real llama.cpp server, and against scripted answers."""

from __future__ import annotations

import asyncio

import pytest
from ledger_tui.domain.calls import ChatMessage, ModelRequest
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import RequestRefused

from tests.providers.conftest import WIRES, DoorMaker, asking, hear
from tests.servers.failures import FailingServer
from tests.servers.streams import SPOKEN, TOOL

EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)


@EVERY_WIRE
async def test_real_server_streams_an_answer(llama_server: str, open_door: DoorMaker, wire: str) -> None:
    """A real llama.cpp server answers over each wire with text, token counts and the reason why it ended."""
    provider = open_door(f"{llama_server}/v1", wire)
    heard = await hear(provider, asking("Count to ten", model="tiny", max_tokens=12, temperature=0.5))
    await provider.aclose()
    assert heard.text and heard.finished is not None
    assert heard.finished.served_model == "tiny"
    assert heard.finished.finish_reason in ("length", "stop")
    usage = heard.finished.usage
    assert usage.input and usage.input > 10 and usage.output and usage.output <= 12
    assert usage.cache_read is not None and usage.cache_read <= usage.input


async def test_real_server_counts_the_same_on_every_wire(llama_server: str, open_door: DoorMaker) -> None:
    """The same messages have the same number of input tokens on each wire, cached ones included."""
    counts = set()
    for wire in WIRES:
        provider = open_door(f"{llama_server}/v1", wire)
        for _ in range(2):
            messages = (ChatMessage("user", "the same words"),)
            heard = await hear(provider, ModelRequest("tiny", messages, {"max_tokens": 2}))
            assert heard.finished is not None
            counts.add(heard.finished.usage.input)
        await provider.aclose()
    assert len(counts) == 1


@EVERY_WIRE
async def test_real_server_lists_its_model(llama_server: str, open_door: DoorMaker, wire: str) -> None:
    """The list of models comes from the server, with the length of its context."""
    provider = open_door(f"{llama_server}/v1", wire)
    models = await provider.models()
    await provider.aclose()
    assert [(info.provider, info.model, info.context_tokens) for info in models] == [("own", "tiny", 4096)]


@EVERY_WIRE
async def test_answer_and_token_classes(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """Text comes whole, and input includes what was cached on every wire, although Anthropic counts it beside."""
    provider = open_door(failing_server.url("ok"), wire)
    heard = await hear(provider, asking())
    await provider.aclose()
    assert heard.text == "".join(SPOKEN)
    assert heard.finished is not None and heard.finished.finish_reason == "stop"
    assert heard.finished.usage == TokenUsage(input=12, cache_read=4, cache_write=None, output=5, reasoning=2)
    assert heard.finished.metadata["response_id"]


@EVERY_WIRE
async def test_request_as_it_arrives(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """Standard parameter names, system texts, tools and schemas take the place that each wire has for them."""
    provider = open_door(failing_server.url("ok"), wire)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tool = {"name": "look_up", "description": "d", "parameters": {"type": "object", "properties": {}}}
    request = ModelRequest(
        "m-1",
        (ChatMessage("system", "be brief"), ChatMessage("user", "hi")),
        {"max_tokens": 9, "temperature": 0.1, "offline_delay_s": 0, "own_field": {"a": 1}},
        tools=(tool,),
        response_schema=schema,
    )
    await hear(provider, request)
    await provider.aclose()
    body = failing_server.requests[-1].body
    assert body["stream"] is True and body["temperature"] == 0.1 and body["own_field"] == {"a": 1}
    assert "offline_delay_s" not in body
    expected = {
        "chat": {
            "max_tokens": 9,
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
            "stream_options": {"include_usage": True},
            "tools": [{"type": "function", "function": tool}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        },
        "responses": {
            "max_output_tokens": 9,
            "instructions": "be brief",
            "input": [{"role": "user", "content": "hi"}],
            "store": False,
            "tools": [{"type": "function", "strict": False, **tool}],
            "text": {"format": {"type": "json_schema", "name": "answer", "schema": schema}},
        },
        "anthropic": {
            "max_tokens": 9,
            "system": "be brief",
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"name": "look_up", "description": "d", "input_schema": tool["parameters"]}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
        },
    }[wire]
    assert {name: body[name] for name in expected} == expected


async def test_anthropic_needs_a_limit_and_a_user(failing_server: FailingServer, open_door: DoorMaker) -> None:
    """Messages has no default limit, so one is sent; a prompt without a user message is refused before it is sent."""
    provider = open_door(failing_server.url("ok"), "anthropic")
    await hear(provider, asking())
    assert failing_server.requests[-1].body["max_tokens"] == 4096
    with pytest.raises(RequestRefused):
        await hear(provider, ModelRequest("m-1", (ChatMessage("system", "alone"),)))
    await provider.aclose()
    assert len(failing_server.requests) == 1


@EVERY_WIRE
async def test_tool_calls_alone(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """An answer that only asks for a tool is an answer: the call comes whole although its arguments came in pieces."""
    provider = open_door(failing_server.url("tool-only"), wire)
    heard = await hear(provider, asking())
    await provider.aclose()
    assert heard.text == ""
    assert [(call.id, call.name, call.arguments) for call in heard.tools] == [
        (TOOL["id"], TOOL["name"], TOOL["arguments"])
    ]
    assert heard.finished is not None and heard.finished.finish_reason == "tool_calls"


@EVERY_WIRE
@pytest.mark.parametrize("behaviour", ["no-usage", "text-usage", "negative-usage"])
async def test_unknown_usage_is_none(
    failing_server: FailingServer, open_door: DoorMaker, wire: str, behaviour: str
) -> None:
    """Token counts that are missing, texts or negative are unknown, never zero, and the answer still counts."""
    provider = open_door(failing_server.url(behaviour), wire)
    heard = await hear(provider, asking())
    await provider.aclose()
    assert heard.text == "".join(SPOKEN)
    assert heard.finished is not None and heard.finished.usage == TokenUsage()


@EVERY_WIRE
async def test_cancelling_closes_the_connection(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """Cancelling the task in the middle of an answer closes the connection, so the server can stop working."""
    provider = open_door(failing_server.url("hangs-after-a-piece"), wire)
    heard: list[object] = []
    first = asyncio.Event()

    async def listen() -> None:
        async for event in provider.stream(asking()):
            heard.append(event)
            first.set()

    task = asyncio.create_task(listen())
    await asyncio.wait_for(first.wait(), 20)
    assert not failing_server.client_left.is_set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(failing_server.client_left.wait, 20)
    await provider.aclose()
    assert heard


@EVERY_WIRE
async def test_leaving_closes_the_connection(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """Closing the stream after its first piece closes the connection too."""
    provider = open_door(failing_server.url("hangs-after-a-piece"), wire)
    stream = provider.stream(asking())
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert await asyncio.to_thread(failing_server.client_left.wait, 20)
    await provider.aclose()


@EVERY_WIRE
async def test_a_broken_character_is_handed_on(failing_server: FailingServer, open_door: DoorMaker, wire: str) -> None:
    """A lone surrogate in a provider's JSON arrives as it is; whoever stores the text mends and marks it."""
    provider = open_door(failing_server.url("surrogate"), wire)
    heard = await hear(provider, asking())
    await provider.aclose()
    assert heard.text == "lone \ud800 half"
