"""What a version of a prompt is: canonical content, whose sha256 is its identity.

The canonical form is JSON with sorted keys, no spaces, UTF-8, no NaN, whole-valued floats as integers. A message holds
a list of parts, so that images find their place without a new format; tools and a response schema are part of the hash.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ledger_tui.domain.text import nul_position
from ledger_tui.errors import ContentRefused

FORMAT = 1
ROLES = ("system", "developer", "user", "assistant")
MAX_TEMPLATE_BYTES = 256 * 1024
MAX_CONTENT_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_KEYS = 10_000
_SAFE_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt: a role of ``ROLES`` and a Jinja2 template."""

    role: str
    text: str


@dataclass(frozen=True)
class PromptContent:
    """The content of a version. Mappings are treated as immutable."""

    messages: tuple[Message, ...] = ()
    model: str | None = None
    """``provider/model``, or None to choose at run time."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """temperature, max_tokens, top_p, stop, seed ... as the provider's standard names."""
    tools: tuple[Mapping[str, Any], ...] = ()
    response_schema: Mapping[str, Any] | None = None

    @classmethod
    def of_text(cls, template: str, *, system: str | None = None, **fields: Any) -> PromptContent:
        """Content with one user message, and a system message when given."""
        head = (Message("system", system),) if system else ()
        return cls(messages=(*head, Message("user", template)), **fields)

    @classmethod
    def from_json(cls, text: str) -> PromptContent:
        """Read the canonical form back; raises ContentRefused for anything else."""
        try:
            data = json.loads(text)
            messages = tuple(
                Message(item["role"], "".join(part["text"] for part in item["content"] if part["type"] == "text"))
                for item in data["messages"]
            )
            found = cls(messages, data["model"], data["params"], tuple(data["tools"]), data["response_schema"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ContentRefused(f"not a prompt's canonical content ({error})") from error
        if not found._well_formed():
            raise ContentRefused("not a prompt's canonical content (a field has the wrong type)")
        return found

    def _well_formed(self) -> bool:
        return (
            isinstance(self.model, str | None)
            and all(isinstance(message.role, str) for message in self.messages)
            and all(isinstance(item, Mapping) for item in (self.params, *self.tools))
            and isinstance(self.response_schema, Mapping | None)
        )

    @cached_property
    def canonical(self) -> str:
        """The canonical JSON text; raises ContentRefused for content that cannot be stored."""
        if not self.messages:
            raise ContentRefused("it has no message", remedy="Write at least one message.")
        for number, message in enumerate(self.messages, 1):
            _check_message(number, message)
        document = {
            "format": FORMAT,
            "messages": [{"role": m.role, "content": [{"type": "text", "text": m.text}]} for m in self.messages],
            "model": self.model,
            "params": dict(self.params),
            "tools": [dict(tool) for tool in self.tools],
            "response_schema": None if self.response_schema is None else dict(self.response_schema),
        }
        text = canonical_json(document)
        if len(text.encode()) > MAX_CONTENT_BYTES:
            raise ContentRefused(f"it is larger than {MAX_CONTENT_BYTES // 1024} kB")
        return text

    @cached_property
    def sha256(self) -> str:
        """Hex sha256 of the canonical form: the identity of the version."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def templates(self) -> tuple[str, ...]:
        """The messages' templates in order."""
        return tuple(message.text for message in self.messages)

    def with_changes(self, **changes: Any) -> PromptContent:
        """A copy with some fields replaced."""
        return replace(self, **changes)


def content_of_mapping(given: Mapping[str, Any]) -> PromptContent:
    """The content of plain data: ``template`` and ``system``, or ``messages`` of ``role`` and ``text`` (or ``content``).

    ``model``, ``params``, ``tools`` and ``response_schema`` as in PromptContent. Raises ContentRefused for other messages.
    """
    keys = ("model", "params", "tools", "response_schema")
    parts = {key: given[key] for key in keys if given.get(key) is not None}
    if "tools" in parts:
        parts["tools"] = tuple(parts["tools"])
    if given.get("messages") is None:
        return PromptContent.of_text(str(given["template"]), system=given.get("system"), **parts)
    try:
        messages = tuple(Message(m["role"], m["text"] if "text" in m else m["content"]) for m in given["messages"])
    except (TypeError, KeyError) as error:
        raise ContentRefused("each message has a 'role' and a 'text'") from error
    return PromptContent(messages, **parts)


def _check_message(number: int, message: Message) -> None:
    if message.role not in ROLES:
        raise ContentRefused(f"message {number} has the role {message.role!r}", remedy=f"Roles are {', '.join(ROLES)}.")
    check_text(f"message {number}", message.text)
    size = len(message.text.encode())
    if size > MAX_TEMPLATE_BYTES:
        raise ContentRefused(f"message {number} has {size} bytes, {MAX_TEMPLATE_BYTES} are allowed")


def check_text(what: str, text: str) -> str:
    """Return ``text``, or raise ContentRefused for a NUL (with its position) or a lone surrogate in ``what``."""
    position = nul_position(text)
    if position >= 0:
        raise ContentRefused(f"{what} holds a NUL character at position {position}", remedy="Remove it and save again.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ContentRefused(f"{what} holds a broken character at position {error.start}") from error
    return text


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Canonical JSON text of ``value``; raises ContentRefused for NaN, infinity, too much depth or other types."""
    try:
        return _ENCODER.encode(_plain(value, 0, _Budget()))
    except (ValueError, RecursionError) as error:
        raise ContentRefused(str(error)) from error


class _Budget:
    """Counts the values of one document, so that a bomb ends before memory does."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_KEYS


def _plain(value: Any, depth: int, budget: _Budget) -> Any:
    """The value of plain types. Documents are mostly short texts in mappings: those are told by their exact types first."""
    budget.left -= 1
    if budget.left < 0:
        raise ContentRefused(f"it has more than {MAX_KEYS} values")
    if depth > MAX_DEPTH:
        raise ContentRefused(f"it is nested deeper than {MAX_DEPTH} levels")
    kind = type(value)
    if kind is str:
        return _plain_text("a value", value)
    if kind is dict:
        return _plain_mapping(value, depth, budget)
    if kind is list:
        return [_plain(item, depth + 1, budget) for item in value]
    return _plain_other(value, depth, budget)


def _plain_other(value: Any, depth: int, budget: _Budget) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text("a value", value)
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ContentRefused("a whole number in it is too large", remedy="Write it as text.")
        return value
    if isinstance(value, float):
        return _plain_float(value)
    if isinstance(value, Mapping):
        return _plain_mapping(value, depth, budget)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, depth + 1, budget) for item in value]
    raise ContentRefused(
        f"a value of type {type(value).__name__} cannot be stored", remedy="Use text, numbers, lists and mappings."
    )


def _plain_text(what: str, text: str) -> str:
    return text if text.isascii() and "\0" not in text else check_text(what, text)


def _plain_mapping(value: Mapping[Any, Any], depth: int, budget: _Budget) -> dict[str, Any]:
    found = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise ContentRefused(f"the key {key!r} is not text")
        found[_plain_text("a key", key)] = _plain(item, depth + 1, budget)
    return found


def _plain_float(value: float) -> int | float:
    if not math.isfinite(value):
        raise ContentRefused(f"{value} is not a number that can be stored")
    return int(value) if value.is_integer() and abs(value) <= _SAFE_INTEGER else value
