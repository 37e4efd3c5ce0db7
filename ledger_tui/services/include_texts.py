"""What the includes of saved versions stand for now, where one that cannot be looked up does not spoil the others.

Rendering refuses a text whose include is missing; comparing a conversation with it goes on and leaves that place open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ledger_tui.domain.fitting import MAX_TEMPLATE_CHARACTERS
from ledger_tui.domain.includes import MAX_BYTES, MAX_INCLUDES, Included, message_for, reference
from ledger_tui.domain.template import NO_TEXTS, analyse
from ledger_tui.errors import ContentRefused, IncludeRefused

if TYPE_CHECKING:
    from ledger_tui.domain.content import Message
    from ledger_tui.store.lean import Lean

MAX_REMEMBERED = 4_096


def may_include(text: str) -> bool:
    """Whether a template may have an include; cheap."""
    return "{%" in text and "include" in text


class IncludeTexts:
    """Looks names up, each once between two calls of ``begin``. For one thread at a time."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, ...]] = {}
        """What each text includes itself."""
        self._found: dict[str, Included | None] = {}

    def begin(self) -> None:
        """The registry may have changed."""
        self._found.clear()

    def of(self, lean: Lean, message: Message) -> Mapping[str, str]:
        """The text of every name that a message reaches, itself or through others; without those that mean nothing."""
        if not may_include(message.text):
            return NO_TEXTS
        texts: dict[str, str] = {}
        size = 0
        waiting = list(self._included_by(message.text))
        while waiting and len(texts) < MAX_INCLUDES and size <= MAX_BYTES:
            name = waiting.pop()
            text = None if name in texts else self._text(lean, name, message.role)
            if text is not None:
                texts[name] = text
                size += len(text)
                waiting += self._included_by(text)
        return texts

    def _included_by(self, text: str) -> tuple[str, ...]:
        if len(text) > MAX_TEMPLATE_CHARACTERS or not may_include(text):
            return ()
        found = self._names.get(text)
        if found is None:
            if len(self._names) >= MAX_REMEMBERED:
                self._names.clear()
            found = self._names[text] = tuple(use.name for use in analyse(text).includes)
        return found

    def _text(self, lean: Lean, name: str, role: str) -> str | None:
        if name not in self._found:
            self._found[name] = _looked_up(lean, name)
        included = self._found[name]
        try:
            return None if included is None else message_for(included, role)
        except IncludeRefused:
            return None


def _looked_up(lean: Lean, name: str) -> Included | None:
    from ledger_tui.services.includes import look_up

    try:
        return look_up(lean, reference(name))
    except (IncludeRefused, ContentRefused):
        return None
