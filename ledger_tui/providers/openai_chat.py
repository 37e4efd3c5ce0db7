"""OpenAI's Chat Completions, which most servers speak."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger_tui.domain.calls import Finished, ModelEvent, ModelRequest, ReasoningDelta
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import BadResponse
from ledger_tui.providers.wire import (
    PLACEHOLDER_KEY,
    Reader,
    ToolCalls,
    WireProvider,
    body_of,
    count_of,
    function_of,
    list_of,
    part_of,
    raw_of,
    schema_of,
    text_event,
    text_of,
    told,
)


class OpenAIChat(WireProvider):
    """A server that speaks Chat Completions."""

    path = "/chat/completions"

    def _new_client(self, base_url: str, http_client: Any) -> tuple[Any, Any]:
        from openai import AsyncOpenAI, AsyncStream

        client = AsyncOpenAI(api_key=PLACEHOLDER_KEY, base_url=base_url, max_retries=0, http_client=http_client)
        return client, AsyncStream

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        limit = self.endpoint.max_tokens_name
        renamed = {"max_tokens": limit, "max_completion_tokens": limit, "max_output_tokens": limit}
        body = body_of(request.params, renamed)
        if request.tools:
            body["tools"] = [{"type": "function", "function": function_of(tool)} for tool in request.tools]
        if request.response_schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": schema_of(request.response_schema)}
        if self.endpoint.asks_usage:
            body["stream_options"] = {"include_usage": True}
        developer = "system" if self.endpoint.own_address or self.name != "openai" else "developer"
        roles = {"developer": developer}
        body["messages"] = [{"role": roles.get(m.role, m.role), "content": m.text} for m in request.messages]
        return body

    def _reader(self) -> Reader:
        return ChatReader()


class ChatReader(Reader):
    """Reads Chat Completions."""

    def __init__(self) -> None:
        self._usage: Any = None
        self._finish_reason = ""
        self._model = ""
        self._id = ""
        self._tools = ToolCalls()

    def read(self, chunk: Any) -> Iterable[ModelEvent]:
        self._model = text_of(chunk, "model") or self._model
        self._id = text_of(chunk, "id") or self._id
        self._usage = part_of(chunk, "usage") or self._usage
        for choice in list_of(chunk, "choices"):
            if count_of(choice, "index"):
                continue
            self._finish_reason = text_of(choice, "finish_reason") or self._finish_reason
            yield from self._delta(part_of(choice, "delta"))

    def _delta(self, delta: Any) -> Iterable[ModelEvent]:
        thought = text_of(delta, "reasoning_content") or text_of(delta, "reasoning")
        if thought:
            yield ReasoningDelta(thought)
        yield from text_event(part_of(delta, "content"))
        yield from text_event(part_of(delta, "refusal"))
        for place, call in enumerate(list_of(delta, "tool_calls")):
            index = count_of(call, "index")
            function = part_of(call, "function")
            self._tools.add(
                place if index is None else index,
                id=text_of(call, "id"),
                name=text_of(function, "name"),
                arguments=text_of(function, "arguments"),
            )

    def end(self) -> Iterable[ModelEvent]:
        if not self._finish_reason:
            raise BadResponse("it was cut off before its end")
        yield from self._tools.events()
        yield Finished(
            usage=chat_usage(self._usage),
            finish_reason=self._finish_reason,
            served_model=self._model or None,
            metadata=told(response_id=self._id, usage=raw_of(self._usage)),
        )


def chat_usage(usage: Any) -> TokenUsage:
    """Token classes of a Chat Completions usage; reasoning that is only in the total belongs to the output."""
    given, made, total = (count_of(usage, f"{name}_tokens") for name in ("prompt", "completion", "total"))
    prompt = part_of(usage, "prompt_tokens_details")
    cache_read = count_of(prompt, "cached_tokens")
    if cache_read is None:
        cache_read = count_of(usage, "prompt_cache_hit_tokens")
    reasoning = count_of(part_of(usage, "completion_tokens_details"), "reasoning_tokens")
    if given is not None and made is not None and total is not None and total > given + made:
        hidden = total - given - made
        made += hidden
        reasoning = hidden if reasoning is None else reasoning
    return TokenUsage(given, cache_read, count_of(prompt, "cache_write_tokens"), made, reasoning)
