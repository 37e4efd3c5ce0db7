"""What an answer says, whole or in pieces, read by the same readers that the ledger's own calls use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledger_tui.domain.calls import Finished, ModelEvent, ReasoningDelta, TextDelta, ToolCall
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import LedgerError, ProviderError
from ledger_tui.providers.wire import Reader, list_of, part_of, text_of
from ledger_tui.sdk.plain import MAX_TEXT_BYTES
from ledger_tui.sdk.wrapping.requests import Wire


class Answer:
    """What is known of one answer so far."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._reader: Reader = _reader(wire)
        self._texts: list[str] = []
        self._left = MAX_TEXT_BYTES
        self._others: list[str] = []
        self._tools: list[ToolCall] = []
        self.finished = Finished()
        self.failure: ProviderError | None = None
        self.spoke = False
        """Whether the first piece of text, thought or a tool call has come."""

    def take(self, chunk: Any) -> None:
        """A chunk of a stream, as the library gave it to its caller."""
        for event in self._reader.read(as_json(chunk)):
            self._take(event)
        self.spoke = self.spoke or bool(self._texts)

    def end(self) -> None:
        """The stream is over."""
        try:
            for event in self._reader.end():
                self._take(event)
        except ProviderError as error:
            self.failure = error

    def whole(self, answer: Any) -> None:
        """An answer that came in one piece."""
        data = as_json(answer)
        if self._wire == "chat":
            self._whole_chat(data)
        for chunk in _as_chunks(self._wire, data):
            for event in self._reader.read(chunk):
                self._take(event)
        self.end()

    @property
    def output(self) -> Any:
        """The text; several choices as a list; tool calls when there is no text, else beside it."""
        text: Any = "".join(self._texts)
        if self._others:
            text = [text, *self._others]
        tools = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in self._tools]
        if not tools:
            return text or None
        return {"text": text, "tool_calls": tools} if text else tools

    @property
    def tokens(self) -> TokenUsage:
        """Tokens by class, as far as they were told."""
        return self.finished.usage

    def _take(self, event: ModelEvent) -> None:
        if isinstance(event, TextDelta):
            if self._left > 0:
                self._texts.append(event.text)
                self._left -= len(event.text)
        elif isinstance(event, ReasoningDelta):
            self.spoke = True
        elif isinstance(event, ToolCall):
            self._tools.append(event)
        else:
            self.finished = event

    def _whole_chat(self, data: Any) -> None:
        for choice in list_of(data, "choices")[1:]:
            self._others.append(text_of(part_of(choice, "message"), "content"))


def as_json(item: Any) -> Any:
    """What a library's object was made of, as plain JSON; None when it cannot be told."""
    if isinstance(item, Mapping):
        return item
    dump = getattr(item, "model_dump", None)
    if callable(dump):
        return dump(exclude_unset=True, by_alias=True, warnings=False)
    return None


def raw_json(answer: Any) -> Any:
    """The body of a raw response (``with_raw_response``) that was read whole, else None."""
    response = getattr(answer, "http_response", None)
    if response is None or not getattr(response, "is_stream_consumed", False):
        return None
    try:
        return json.loads(response.content)
    except (ValueError, RuntimeError, LedgerError):
        return None


def _reader(wire: Wire) -> Reader:
    if wire == "anthropic":
        from ledger_tui.providers.anthropic_messages import MessagesReader

        return MessagesReader()
    if wire == "responses":
        from ledger_tui.providers.openai_responses import ResponsesReader

        return ResponsesReader()
    from ledger_tui.providers.openai_chat import ChatReader

    return ChatReader()


def _as_chunks(wire: Wire, data: Any) -> list[dict[str, Any]]:
    """A whole answer as the stream that would have brought it."""
    if not isinstance(data, Mapping):
        return []
    if wire == "responses":
        kind = "response.failed" if data.get("status") == "failed" else "response.completed"
        return [{"type": kind, "response": data}]
    if wire == "chat":
        choices = [
            {**choice, "delta": choice.get("message")}
            for choice in list_of(data, "choices")
            if isinstance(choice, Mapping)
        ]
        return [{**data, "choices": choices}]
    blocks = list_of(data, "content")
    chunks: list[dict[str, Any]] = [{"type": "message_start", "message": data}]
    for index, block in enumerate(blocks):
        chunks.append({"type": "content_block_start", "index": index, "content_block": block})
        if text_of(block, "type") == "tool_use":
            arguments = json.dumps(part_of(block, "input"), ensure_ascii=False)
            delta = {"type": "input_json_delta", "partial_json": arguments}
            chunks.append({"type": "content_block_delta", "index": index, "delta": delta})
    end = {"type": "message_delta", "delta": {"stop_reason": data.get("stop_reason")}}
    return [*chunks, end, {"type": "message_stop"}]
