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
    count_of,
    function_of,
    raw_of,
    schema_of,
    sorted_params,
    text_event,
    text_of,
    told,
)

_NATIVE = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "tool_choice",
    "parallel_tool_calls",
    "logit_bias",
    "response_format",
    "service_tier",
    "verbosity",
    "user",
    "n",
)


class OpenAIChat(WireProvider):
    """A server that speaks Chat Completions."""

    def _new_client(self, base_url: str, http_client: Any) -> Any:
        from openai import AsyncOpenAI

        return AsyncOpenAI(api_key=PLACEHOLDER_KEY, base_url=base_url, max_retries=0, http_client=http_client)

    async def _ask(self, client: Any, request: ModelRequest) -> Any:
        limit = self.endpoint.max_tokens_name
        renamed = {"max_tokens": limit, "max_completion_tokens": limit, "max_output_tokens": limit}
        arguments, further = sorted_params(request.params, renamed, _NATIVE)
        if request.tools:
            arguments["tools"] = [{"type": "function", "function": function_of(tool)} for tool in request.tools]
        if request.response_schema is not None:
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema_of(request.response_schema)}
        if self.endpoint.asks_usage:
            arguments["stream_options"] = {"include_usage": True}
        developer = "system" if self.endpoint.own_address or self.name != "openai" else "developer"
        roles = {"developer": developer}
        return await client.chat.completions.create(
            model=request.model,
            messages=[{"role": roles.get(m.role, m.role), "content": m.text} for m in request.messages],
            stream=True,
            extra_body=further or None,
            timeout=self._timeout(request),
            **arguments,
        )

    def _reader(self) -> Reader:
        return _ChatReader()


class _ChatReader(Reader):
    def __init__(self) -> None:
        self._usage: Any = None
        self._finish_reason = ""
        self._model = ""
        self._id = ""
        self._tools = ToolCalls()

    def read(self, chunk: Any) -> Iterable[ModelEvent]:
        self._model = text_of(chunk, "model") or self._model
        self._id = text_of(chunk, "id") or self._id
        self._usage = getattr(chunk, "usage", None) or self._usage
        choices = getattr(chunk, "choices", None)
        for choice in choices if isinstance(choices, list) else []:
            if count_of(choice, "index"):
                continue
            self._finish_reason = text_of(choice, "finish_reason") or self._finish_reason
            yield from self._delta(getattr(choice, "delta", None))

    def _delta(self, delta: Any) -> Iterable[ModelEvent]:
        thought = text_of(delta, "reasoning_content") or text_of(delta, "reasoning")
        if thought:
            yield ReasoningDelta(thought)
        yield from text_event(getattr(delta, "content", None))
        yield from text_event(getattr(delta, "refusal", None))
        calls = getattr(delta, "tool_calls", None)
        for place, call in enumerate(calls if isinstance(calls, list) else []):
            index = count_of(call, "index")
            function = getattr(call, "function", None)
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
    prompt = getattr(usage, "prompt_tokens_details", None)
    cache_read = count_of(prompt, "cached_tokens")
    if cache_read is None:
        cache_read = count_of(usage, "prompt_cache_hit_tokens")
    reasoning = count_of(getattr(usage, "completion_tokens_details", None), "reasoning_tokens")
    if given is not None and made is not None and total is not None and total > given + made:
        hidden = total - given - made
        made += hidden
        reasoning = hidden if reasoning is None else reasoning
    return TokenUsage(given, cache_read, count_of(prompt, "cache_write_tokens"), made, reasoning)
