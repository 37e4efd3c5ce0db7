"""What was said to a model, read from whatever shape a program recorded it in.

Recorded input is a plain text, or JSON: a list of messages, or a request of one of the three wires (``messages`` with or
without ``system``, ``input`` with ``instructions``, ``prompt``). Anything else is no conversation, and is not guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledger_tui.domain.content import Message

MAX_CHARACTERS = 1024 * 1024
"""Of an input that is looked at."""
MAX_MESSAGES = 200
"""Of a conversation that is looked at; a prompt is its beginning."""
_HEADS = ("system", "instructions")
_TURNS = ("messages", "input", "prompt")
Conversation = tuple[Message, ...]
NOTHING: Conversation = ()


def read_conversation(recorded: str | None) -> Conversation:
    """The messages of a recorded input with their roles (``developer`` counts as ``system``); empty when it has none."""
    if not recorded or len(recorded) > MAX_CHARACTERS:
        return NOTHING
    if recorded[0] in "[{":
        try:
            given = json.loads(recorded)
        except (ValueError, RecursionError):
            given = recorded
        found = _read(given)
        return found if found or not isinstance(given, str) else _plain(given)
    return _plain(recorded)


def same_role(role: str) -> str:
    """The role under which messages are compared."""
    return "system" if role == "developer" else role


def _plain(text: str) -> Conversation:
    return (Message("user", text),)


def _read(given: Any) -> Conversation:
    if isinstance(given, list):
        return _messages(given)
    if not isinstance(given, Mapping):
        return NOTHING
    turns = next((given[name] for name in _TURNS if name in given), None)
    said = _plain(turns) if isinstance(turns, str) else _messages(turns)
    head = next((text for name in _HEADS if (text := _text(given.get(name)))), "")
    return (Message("system", head), *said) if head and said else said


def _messages(turns: Any) -> Conversation:
    if not isinstance(turns, list) or not turns:
        return NOTHING
    found = []
    for turn in turns[:MAX_MESSAGES]:
        if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
            return NOTHING
        text = turn["text"] if isinstance(turn.get("text"), str) else turn.get("content")
        if not text:
            text = turn.get("content")
        found.append(Message(same_role(turn["role"]), _text(text)))
    return tuple(found)


def _text(content: Any) -> str:
    """The text of a message's content: itself, or its blocks of text with a line end between two."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "\n".join(part for part in parts if isinstance(part, str))
