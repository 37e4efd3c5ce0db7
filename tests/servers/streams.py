"""Answers as the three wires stream them: lists of (event name, data) that the server of failures sends or mangles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

SPOKEN = ("Grüße ", "aus ", "日本")
"""The pieces of the usual answer."""
TOOL = {"id": "call_1", "name": "look_up", "arguments": '{"word": "ledger"}'}
COUNTS = {"input": 12, "cached": 4, "output": 5, "reasoning": 2}

Event = tuple[str, dict[str, Any]]


def answer(wire: str, *, spoken: Sequence[str] = SPOKEN, usage: str | None = "good", tool: bool = False) -> list[Event]:
    """A whole answer; usage: good, text, negative or None for missing. A tool answer has no text."""
    makers = {"chat": _chat, "responses": _responses, "anthropic": _anthropic}
    counts: dict[str, Any] | None = None if usage is None else dict(COUNTS)
    if counts is not None and usage == "text":
        counts = {name: str(value) for name, value in counts.items()}
    if counts is not None and usage == "negative":
        counts = {name: -value for name, value in counts.items()}
    return makers[wire](() if tool else spoken, counts, tool)


def as_events(wire: str, events: Sequence[Event]) -> bytes:
    """The events as bytes; whole Chat Completions end with [DONE]."""
    lines = []
    for name, data in events:
        head = "" if wire == "chat" else f"event: {name}\n"
        lines.append(f"{head}data: {json.dumps(data, ensure_ascii=not _is_clean(data))}\n\n".encode())
    if wire == "chat" and events and any(choice["finish_reason"] for _, e in events for choice in e["choices"]):
        lines.append(b"data: [DONE]\n\n")
    return b"".join(lines)


def cut_answer(wire: str) -> bytes:
    """The beginning of an answer up to the first byte of a character of three."""
    whole = as_events(wire, answer(wire))
    return whole[: whole.index("日".encode()) + 1]


def error_body(wire: str, status: int) -> bytes:
    """An error as the wire writes it."""
    kinds = {401: "authentication_error", 429: "rate_limit_error", 400: "invalid_request_error"}
    error = {"type": kinds.get(status, "server_error"), "message": f"the server says {status}"}
    return json.dumps({"type": "error", "error": error} if wire == "anthropic" else {"error": error}).encode()


def model_list() -> bytes:
    """Two models, as OpenAI and Anthropic list them."""
    models = [
        {"id": "m-2", "object": "model", "type": "model", "display_name": "Model Two", "created": 0, "owned_by": "x"},
        {"id": "m-1", "object": "model", "type": "model", "created": 0, "owned_by": "x", "context_length": 8192},
    ]
    return json.dumps({"object": "list", "data": models, "has_more": False}).encode()


def _is_clean(data: dict[str, Any]) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
        return True
    except UnicodeEncodeError:
        return False


def _chat(spoken: Sequence[str], counts: dict[str, Any] | None, tool: bool) -> list[Event]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return "", {"id": "c1", "object": "chat.completion.chunk", "model": "m-1-0613", "choices": [choice]}

    events = [chunk({"role": "assistant", "content": None}), *(chunk({"content": text}) for text in spoken)]
    if tool:
        function = {"name": TOOL["name"], "arguments": ""}
        events.append(chunk({"tool_calls": [{"index": 0, "id": TOOL["id"], "type": "function", "function": function}]}))
        for piece in (TOOL["arguments"][:7], TOOL["arguments"][7:]):
            events.append(chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
    events.append(chunk({}, "tool_calls" if tool else "stop"))
    if counts is not None:
        usage = {
            "prompt_tokens": counts["input"],
            "completion_tokens": counts["output"],
            "total_tokens": counts["input"] + counts["output"],
            "prompt_tokens_details": {"cached_tokens": counts["cached"]},
            "completion_tokens_details": {"reasoning_tokens": counts["reasoning"]},
        }
        events.append(
            ("", {"id": "c1", "object": "chat.completion.chunk", "model": "m-1", "choices": [], "usage": usage})
        )
    return events


def _responses(spoken: Sequence[str], counts: dict[str, Any] | None, tool: bool) -> list[Event]:
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r1", "object": "response", "status": "in_progress"}}
    ]
    events += [{"type": "response.output_text.delta", "item_id": "i1", "delta": text} for text in spoken]
    output: list[dict[str, Any]] = []
    if tool:
        item = {"type": "function_call", "id": "f1", "call_id": TOOL["id"], "status": "completed"}
        output.append({**item, "name": TOOL["name"], "arguments": TOOL["arguments"]})
        events.append({"type": "response.output_item.done", "output_index": 0, "item": output[0]})
    response: dict[str, Any] = {"id": "r1", "object": "response", "status": "completed", "model": "m-1-0613"}
    response["output"] = output
    if counts is not None:
        response["usage"] = {
            "input_tokens": counts["input"],
            "input_tokens_details": {"cached_tokens": counts["cached"]},
            "output_tokens": counts["output"],
            "output_tokens_details": {"reasoning_tokens": counts["reasoning"]},
        }
    events.append({"type": "response.completed", "response": response})
    return [(event["type"], event) for event in events]


def _anthropic(spoken: Sequence[str], counts: dict[str, Any] | None, tool: bool) -> list[Event]:
    message: dict[str, Any] = {"id": "m1", "type": "message", "role": "assistant", "content": [], "model": "m-1-0613"}
    delta: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None},
    }
    if counts is not None:
        given = counts["input"]
        beside = given if isinstance(given, str) else given - counts["cached"]
        message["usage"] = {"input_tokens": beside, "cache_read_input_tokens": counts["cached"], "output_tokens": 0}
        delta["usage"] = {
            "output_tokens": counts["output"],
            "output_tokens_details": {"thinking_tokens": counts["reasoning"]},
        }
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    block = (
        {"type": "tool_use", "id": TOOL["id"], "name": TOOL["name"], "input": {}}
        if tool
        else {"type": "text", "text": ""}
    )
    events.append({"type": "content_block_start", "index": 0, "content_block": block})
    for text in spoken:
        events.append({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
    for piece in (TOOL["arguments"][:7], TOOL["arguments"][7:]) if tool else ():
        events.append(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
        )
    events += [{"type": "content_block_stop", "index": 0}, delta, {"type": "message_stop"}]
    return [(event["type"], event) for event in events]
