"""What a request body says, whichever wire it is for: the model, the messages as a conversation, and the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Wire = Literal["chat", "responses", "anthropic"]
_PATHS: dict[str, Wire] = {"/chat/completions": "chat", "/responses": "responses", "/messages": "anthropic"}
_CONVERSATION = {"messages", "input", "instructions", "system", "model", "stream", "tools"}

_LEFT_OUT = ("Omit", "NotGiven")
"""The libraries' words for a parameter that was not given."""


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One model call as it was sent."""

    wire: Wire
    model: str
    messages: list[dict[str, Any]]
    params: dict[str, Any]
    tools: list[str]
    streams: bool


def is_call(path: str) -> bool:
    """Whether a ``post`` to this path is a call to a model."""
    return path.partition("?")[0].rstrip("/").endswith(tuple(_PATHS))


def seen_call(path: str, options: Mapping[str, Any]) -> SeenCall | None:
    """The model call that a ``post`` makes, None when it is another one."""
    plain_path = path.partition("?")[0].rstrip("/")
    wire = next((wire for end, wire in _PATHS.items() if plain_path.endswith(end)), None)
    body = options.get("body")
    if wire is None or not isinstance(body, Mapping):
        return None
    extra = (options.get("options") or {}).get("extra_json")
    body = {**body, **extra} if isinstance(extra, Mapping) else body
    body = {name: value for name, value in body.items() if type(value).__name__ not in _LEFT_OUT}
    tools = body.get("tools")
    return SeenCall(
        wire,
        str(body.get("model") or ""),
        _messages(wire, body),
        {name: value for name, value in body.items() if name not in _CONVERSATION and value is not None},
        [_tool_name(tool) for tool in tools] if isinstance(tools, list | tuple) else [],
        bool(options.get("stream")),
    )


def _messages(wire: Wire, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if wire == "responses":
        head, turns = body.get("instructions"), body.get("input")
        turns = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns
    else:
        head, turns = body.get("system") if wire == "anthropic" else None, body.get("messages")
    found = [{"role": "system", "text": _text(head)}] if head else []
    return found + [_message(turn) for turn in turns] if isinstance(turns, list | tuple) else found


def _message(turn: Any) -> dict[str, Any]:
    """A turn as runs store theirs, ``{"role", "text"}``, with whatever else it has (tool calls, pictures)."""
    if not isinstance(turn, Mapping):
        return {"role": "", "text": str(turn)}
    content = turn.get("content")
    rest = {name: item for name, item in turn.items() if name not in ("role", "content") and item is not None}
    text = _text(content)
    only_text = content is None or isinstance(content, str) or text != ""
    return {"role": str(turn.get("role") or ""), "text": text, **({} if only_text else {"content": content}), **rest}


def _text(content: Any) -> str:
    """Content that is nothing but text, else ''."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        return ""
    parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
    return "\n".join(str(part) for part in parts) if all(isinstance(part, str) for part in parts) else ""


def _tool_name(tool: Any) -> str:
    if not isinstance(tool, Mapping):
        return ""
    inner = tool.get("function")
    named = inner if isinstance(inner, Mapping) else tool
    return str(named.get("name") or named.get("type") or "")
