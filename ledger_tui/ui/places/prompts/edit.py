"""What stands in the editor, as a value: between a version, a draft and the fields on the screen.

An edit need not be valid. It becomes content only when it is saved or run, and then says what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import InputError

if TYPE_CHECKING:
    from ledger_tui.services.drafts import Draft

NUMBERS = {"temperature": float, "max_tokens": int, "top_p": float, "seed": int}
FIELDS = ("temperature", "max_tokens", "top_p", "stop", "seed")
"""Parameters with a field of their own; all others stand in ``more``, a JSON object on one line."""
MORE = "more"


@dataclass(frozen=True)
class Edit:
    """A prompt as it stands in the editor; ``fields`` holds the parameters as they are typed."""

    name: str = ""
    description: str = ""
    messages: tuple[Message, ...] = (Message("user", ""),)
    model: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_content(cls, name: str, description: str, content: PromptContent) -> Edit:
        """The edit that changes nothing of a version."""
        rest = dict(content.params)
        typed = {key: _typed(rest.pop(key)) for key in FIELDS if key in rest}
        if rest:
            typed[MORE] = json.dumps(rest, ensure_ascii=False, sort_keys=True)
        return cls(name, description, content.messages, content.model or "", typed)

    @classmethod
    def of_draft(cls, draft: Draft) -> Edit:
        """A draft read back; what cannot be understood of it is left out."""
        data = draft.content
        listed = data.get("messages")
        messages = tuple(
            Message(str(item.get("role", "user")), str(item.get("text", "")))
            for item in (listed if isinstance(listed, list) else ())
            if isinstance(item, dict)
        )
        typed = data.get("fields")
        fields = {str(key): str(value) for key, value in typed.items()} if isinstance(typed, dict) else {}
        return cls(draft.name, draft.description, messages or cls().messages, str(data.get("model") or ""), fields)

    def draft_content(self) -> dict[str, Any]:
        """The part of a draft that this edit is, plain JSON."""
        return {
            "messages": [{"role": message.role, "text": message.text} for message in self.messages],
            "model": self.model,
            "fields": dict(self.fields),
        }

    def differs(self, other: Edit) -> bool:
        """Whether a person would call this changed."""
        mine = {key: text.strip() for key, text in self.fields.items() if text.strip()}
        theirs = {key: text.strip() for key, text in other.fields.items() if text.strip()}
        return (
            self.messages != other.messages
            or self.model.strip() != other.model.strip()
            or mine != theirs
            or self.description != other.description
        )

    def params(self) -> dict[str, Any]:
        """The parameters as values; raises InputError that names the field."""
        params = _more(self.fields.get(MORE, ""))
        for key in FIELDS:
            text = self.fields.get(key, "").strip()
            if text:
                params[key] = _value(key, text)
        return params

    def content(self, base: PromptContent | None = None) -> PromptContent:
        """The content to save or run; tools and response schema are those of ``base``. Raises InputError."""
        return PromptContent(
            self.messages,
            self.model.strip() or None,
            self.params(),
            base.tools if base else (),
            base.response_schema if base else None,
        )


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(key: str, text: str) -> Any:
    if key == "stop":
        return _stop(text)
    try:
        number = NUMBERS[key](text)
    except ValueError:
        kind = "a whole number" if NUMBERS[key] is int else "a number"
        raise InputError(f"{key} is {text!r}", remedy=f"Write {kind}, or leave it empty.") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise InputError(f"{key} is {text!r}", remedy="Write a number, or leave it empty.")
    return number


def _stop(text: str) -> Any:
    """A JSON list of texts, else the text itself."""
    if not text.startswith("["):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError("stop is not a list of texts", remedy='Write one text, or a list like ["END", "STOP"].')
    return value


def _more(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the other parameters are not JSON ({error})", remedy='Example: {"top_k": 40}') from error
    if not isinstance(value, dict):
        raise InputError("the other parameters are not a JSON object", remedy='Example: {"top_k": 40}')
    return value
