"""Anthropic's Messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger_tui.domain.calls import ChatMessage, Finished, ModelEvent, ModelRequest, ReasoningDelta
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import BadResponse, RequestRefused
from ledger_tui.providers.wire import (
    PLACEHOLDER_KEY,
    Reader,
    ToolCalls,
    WireProvider,
    body_of,
    count_of,
    function_of,
    part_of,
    raw_of,
    schema_of,
    text_event,
    text_of,
    told,
)

DEFAULT_MAX_TOKENS = 4096
_RENAMED = {"max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens", "stop": "stop_sequences"}
_DROPPED = ("seed", "frequency_penalty", "presence_penalty", "reasoning_effort")
"""The wire has no place for the first three; the effort goes inside ``output_config``."""
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicMessages(WireProvider):
    """A server that speaks Messages."""

    auth_header = "X-Api-Key"
    auth_prefix = ""

    path = "/v1/messages"
    models_path = "/v1/models?limit=1000"

    def _new_client(self, base_url: str, http_client: Any) -> tuple[Any, Any]:
        from anthropic import AsyncAnthropic, AsyncStream

        base_url = base_url.removesuffix("/v1")
        client = AsyncAnthropic(api_key=PLACEHOLDER_KEY, base_url=base_url, max_retries=0, http_client=http_client)
        return client, AsyncStream

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body = body_of(request.params, _RENAMED, _DROPPED)
        body.setdefault("max_tokens", DEFAULT_MAX_TOKENS)
        if isinstance(body.get("stop_sequences"), str):
            body["stop_sequences"] = [body["stop_sequences"]]
        if request.tools:
            body["tools"] = [_tool(function_of(tool)) for tool in request.tools]
        config = body.get("output_config")
        config = dict(config) if isinstance(config, dict) else {}
        if request.params.get("reasoning_effort") is not None:
            config.setdefault("effort", request.params["reasoning_effort"])
        if request.response_schema is not None:
            config["format"] = {"type": "json_schema", "schema": schema_of(request.response_schema)["schema"]}
        if config:
            body["output_config"] = config
        system, messages = _split(request.messages)
        if system:
            body["system"] = system
        body["messages"] = messages
        return body

    def _reader(self) -> Reader:
        return MessagesReader()


def _tool(described: dict[str, Any]) -> dict[str, Any]:
    schema = described.pop("parameters")
    return {**described, "input_schema": dict(schema)}


def _split(messages: tuple[ChatMessage, ...]) -> tuple[str, list[dict[str, str]]]:
    """Every system text joined (the wire has one place for them), and the turns."""
    system = "\n\n".join(message.text for message in messages if message.role in ("system", "developer"))
    turns = [
        {"role": message.role, "content": message.text}
        for message in messages
        if message.role not in ("system", "developer")
    ]
    if not turns:
        raise RequestRefused("there is no message of the user", remedy="Add a user message.")
    return system, turns


class MessagesReader(Reader):
    """Reads Messages."""

    def __init__(self) -> None:
        self._counts: dict[str, int | None] = {}
        self._raw: dict[str, Any] = {}
        self._stop_reason = ""
        self._over = False
        self._model = ""
        self._id = ""
        self._tools = ToolCalls()

    def read(self, chunk: Any) -> Iterable[ModelEvent]:
        kind = text_of(chunk, "type")
        if kind == "message_start":
            message = part_of(chunk, "message")
            self._model, self._id = text_of(message, "model"), text_of(message, "id")
            self._take_usage(part_of(message, "usage"))
        elif kind == "content_block_start":
            block = part_of(chunk, "content_block")
            if text_of(block, "type") == "tool_use":
                self._tools.add(count_of(chunk, "index"), id=text_of(block, "id"), name=text_of(block, "name"))
            yield from text_event(part_of(block, "text"))
        elif kind == "content_block_delta":
            yield from self._delta(count_of(chunk, "index"), part_of(chunk, "delta"))
        elif kind == "message_delta":
            self._stop_reason = text_of(part_of(chunk, "delta"), "stop_reason") or self._stop_reason
            self._take_usage(part_of(chunk, "usage"))
        elif kind == "message_stop":
            self._over = True

    def _delta(self, index: int | None, delta: Any) -> Iterable[ModelEvent]:
        kind = text_of(delta, "type")
        if kind == "text_delta":
            yield from text_event(part_of(delta, "text"))
        elif kind == "thinking_delta":
            thought = text_of(delta, "thinking")
            if thought:
                yield ReasoningDelta(thought)
        elif kind == "input_json_delta":
            self._tools.add(index, arguments=text_of(delta, "partial_json"))

    def _take_usage(self, usage: Any) -> None:
        """Counts are cumulative: the newest that is known wins."""
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"):
            if part_of(usage, name) is not None:
                self._counts[name] = count_of(usage, name)
        thinking = count_of(part_of(usage, "output_tokens_details"), "thinking_tokens")
        if thinking is not None:
            self._counts["thinking_tokens"] = thinking
        raw = raw_of(usage)
        self._raw.update(raw or {})

    def end(self) -> Iterable[ModelEvent]:
        if not self._over:
            raise BadResponse("it was cut off before its end")
        yield from self._tools.events()
        yield Finished(
            usage=self._usage(),
            finish_reason=_FINISH.get(self._stop_reason, self._stop_reason) or None,
            served_model=self._model or None,
            metadata=told(response_id=self._id, stop_reason=self._stop_reason, usage=self._raw or None),
        )

    def _usage(self) -> TokenUsage:
        """Anthropic counts cached tokens beside the input; here the input includes them."""
        given = self._counts.get("input_tokens")
        read = self._counts.get("cache_read_input_tokens")
        written = self._counts.get("cache_creation_input_tokens")
        garbled = any(name in self._counts and self._counts[name] is None for name in self._counts)
        total = None if given is None or garbled else given + (read or 0) + (written or 0)
        return TokenUsage(total, read, written, self._counts.get("output_tokens"), self._counts.get("thinking_tokens"))
