"""Which of thousands of templates a conversation may come from, by a few look-ups in a dictionary.

Every template gets one anchor: the rarest of the literal texts at the beginning or the end of its messages, cut to one of
a few lengths. A template with no such text has to have one of its inner literals in the conversation.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from ledger_tui.domain.content import Message
from ledger_tui.domain.fitting import MIN_LITERAL, Shape, template_shapes
from ledger_tui.domain.template import NO_TEXTS

T = TypeVar("T")
LENGTHS = (128, 64, 32, 16, 8, 4)
ANCHORED_MESSAGES = 4
MAX_LOOSE = 100
"""Templates without an outer literal that are kept; the newest."""
_TAG = re.compile(r"\{[{%#]-?")
Key = tuple[int, str, int, str]
Place = tuple[int, str, int]


@dataclass
class Pattern(Generic[T]):
    """Templates that a conversation may begin with, and what they belong to; their shapes are read when first needed."""

    owner: T
    messages: tuple[Message, ...]
    """Roles and templates."""
    texts: tuple[Mapping[str, str], ...] = ()
    """For each message what the names in its includes stand for; none when no message includes anything."""

    @cached_property
    def shapes(self) -> tuple[tuple[str, tuple[Shape, ...]], ...]:
        """Role and shapes of each message; a message without shapes fits nothing."""
        texts = self.texts or (NO_TEXTS,) * len(self.messages)
        pairs = zip(self.messages, texts, strict=True)
        return tuple((message.role, template_shapes(message.text, known)) for message, known in pairs)

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """Every anchor it could have."""
        found: list[Key] = []
        for at, message in enumerate(self.messages[:ANCHORED_MESSAGES]):
            composed = bool(self.texts and self.texts[at])
            found += _keys(at, *(_composed_ends(self.shapes[at][1]) if composed else _ends(message.text)))
        return tuple(found)

    @cached_property
    def inner(self) -> tuple[tuple[str, ...], ...]:
        """For each way through it the longest literal; a conversation has to hold one of them."""
        longest = []
        for _, shapes in self.shapes:
            words = tuple(max(shape.literals, key=len) for shape in shapes)
            longest.append(words if words and min(map(len, words)) >= MIN_LITERAL else ())
        return tuple(longest)


def _ends(template: str) -> tuple[str, str, bool]:
    """The literal text that a template begins with, that it ends with, and whether it is nothing else."""
    first = _TAG.search(template)
    if first is None:
        whole = template.replace("\r\n", "\n").replace("\r", "\n").strip()
        return whole, whole, True
    last = max(template.rfind(end) for end in ("}}", "%}", "#}"))
    head = template[: first.start()].replace("\r\n", "\n").strip()
    return head, template[last + 2 :].replace("\r\n", "\n").strip() if last >= 0 else "", False


def _composed_ends(shapes: Sequence[Shape]) -> tuple[str, str, bool]:
    """``_ends`` of a template that includes others: what all ways through it have in common."""
    head = _common_beginning([shape.literals[0].lstrip() for shape in shapes]).strip()
    tail = _common_beginning([shape.literals[-1].rstrip()[::-1] for shape in shapes])[::-1].strip()
    return head, tail, len(shapes) == 1 and not shapes[0].gaps


def _common_beginning(texts: Sequence[str]) -> str:
    first, last = min(texts, default=""), max(texts, default="")
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:same]


def _keys(at: int, head: str, tail: str, is_whole: bool) -> Iterable[Key]:
    if is_whole and head:
        yield at, "=", 0, head
    for length in LENGTHS:
        if len(head) >= length:
            yield at, "<", length, head[:length]
        if len(tail) >= length:
            yield at, ">", length, tail[-length:]


class AnchorIndex(Generic[T]):
    """Patterns by their anchors. Not changed once made."""

    def __init__(self, patterns: Sequence[Pattern[T]]) -> None:
        """patterns: the newest first."""
        counts: Counter[Key] = Counter()
        for pattern in patterns:
            counts.update(pattern.keys)
        self._by_place: dict[Place, dict[str, list[Pattern[T]]]] = defaultdict(dict)
        self._loose: list[Pattern[T]] = []
        for pattern in patterns:
            keys = pattern.keys
            if keys:
                at, side, length, text = min(keys, key=lambda key: (counts[key], key[1] != "=", -key[2]))
                self._by_place[at, side, length].setdefault(text, []).append(pattern)
            elif len(self._loose) < MAX_LOOSE and any(pattern.inner):
                self._loose.append(pattern)

    def candidates(self, messages: Sequence[Message]) -> list[Pattern[T]]:
        """The patterns that may fit a conversation; all that do are among them."""
        found: list[Pattern[T]] = []
        bare: dict[int, str] = {}
        for (at, side, length), patterns in self._by_place.items():
            if at >= len(messages):
                continue
            text = bare.get(at)
            if text is None:
                text = bare[at] = messages[at].text.strip()
            word = text if side == "=" else text[:length] if side == "<" else text[-length:]
            found += patterns.get(word, ())
        for pattern in self._loose:
            if len(pattern.inner) <= len(messages) and all(
                not words or any(word.strip() in message.text for word in words)
                for words, message in zip(pattern.inner, messages, strict=False)
            ):
                found.append(pattern)
        return found
