"""OpenAI's Responses. Answers are not stored on the server unless the parameter ``store`` says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger_tui.domain.calls import Finished, ModelEvent, ModelRequest, ReasoningDelta, ToolCall
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import BadResponse
from ledger_tui.providers.failures import kind_of_text
from ledger_tui.providers.openai_chat import OpenAIChat
from ledger_tui.providers.secrets import scrub
from ledger_tui.providers.wire import (
    Reader,
    body_of,
    count_of,
    function_of,
    list_of,
    part_of,
    raw_of,
    schema_of,
    split_system,
    text_event,
    text_of,
    told,
)

_RENAMED = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_DROPPED = ("stop", "seed", "frequency_penalty", "presence_penalty", "reasoning_effort")
"""The wire has no place for the first four; the effort goes inside ``reasoning``."""
_FINISH = {"max_output_tokens": "length"}
_THOUGHTS = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class OpenAIResponses(OpenAIChat):
    """A server that speaks Responses."""

    path = "/responses"

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body = body_of(request.params, _RENAMED, _DROPPED)
        body.setdefault("store", False)
        if request.params.get("reasoning_effort") is not None:
            body.setdefault("reasoning", {"effort": request.params["reasoning_effort"]})
        if request.tools:
            body["tools"] = [{"type": "function", "strict": False, **function_of(tool)} for tool in request.tools]
        if request.response_schema is not None:
            described = {"type": "json_schema", **schema_of(request.response_schema)}
            body["text"] = {**_mapping(body.get("text")), "format": described}
        instructions, messages = split_system(request.messages)
        if instructions:
            body["instructions"] = instructions
        body["input"] = [{"role": message.role, "content": message.text} for message in messages]
        return body

    def _reader(self) -> Reader:
        return ResponsesReader()


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


class ResponsesReader(Reader):
    """Reads Responses."""

    def __init__(self) -> None:
        self._last: Any = None
        self._spoke = False
        self._tools: list[ToolCall] = []

    def read(self, chunk: Any) -> Iterable[ModelEvent]:
        kind = text_of(chunk, "type")
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            for event in text_event(part_of(chunk, "delta")):
                self._spoke = True
                yield event
        elif kind in _THOUGHTS:
            thought = text_of(chunk, "delta")
            if thought:
                yield ReasoningDelta(thought)
        elif kind == "response.output_item.done":
            self._take_tool(part_of(chunk, "item"))
        elif kind in _ENDS:
            self._last = part_of(chunk, "response")
            if kind == "response.failed":
                raise _failure(part_of(self._last, "error"))
        elif kind == "error":
            raise _failure(chunk)

    def _take_tool(self, item: Any) -> None:
        if text_of(item, "type") == "function_call":
            call = ToolCall(text_of(item, "call_id"), text_of(item, "name"), text_of(item, "arguments"))
            if call not in self._tools:
                self._tools.append(call)

    def end(self) -> Iterable[ModelEvent]:
        if self._last is None:
            raise BadResponse("it was cut off before its end")
        yield from self._unsaid()
        yield from self._tools
        usage = part_of(self._last, "usage")
        reason = text_of(part_of(self._last, "incomplete_details"), "reason")
        yield Finished(
            usage=responses_usage(usage),
            finish_reason=_FINISH.get(reason, reason) or ("tool_calls" if self._tools else "stop"),
            served_model=text_of(self._last, "model") or None,
            metadata=told(response_id=text_of(self._last, "id"), usage=raw_of(usage)),
        )

    def _unsaid(self) -> Iterable[ModelEvent]:
        """What only the last event holds: some servers send no pieces."""
        for item in list_of(self._last, "output"):
            self._take_tool(item)
            for part in [] if self._spoke else list_of(item, "content"):
                if text_of(part, "type") == "output_text":
                    yield from text_event(part_of(part, "text"))


def _failure(error: Any) -> Exception:
    code = text_of(error, "code")
    message = text_of(error, "message") or code or "it failed without a reason"
    return kind_of_text(code)(scrub(message)[:500])


def responses_usage(usage: Any) -> TokenUsage:
    """Token classes of a Responses usage."""
    given = part_of(usage, "input_tokens_details")
    made = part_of(usage, "output_tokens_details")
    return TokenUsage(
        count_of(usage, "input_tokens"),
        count_of(given, "cached_tokens"),
        count_of(given, "cache_write_tokens"),
        count_of(usage, "output_tokens"),
        count_of(made, "reasoning_tokens"),
    )
