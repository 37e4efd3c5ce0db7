"""What several texts of one prompt have in common: literal parts kept, varying parts left open.

A skeleton is made from one conversation's beginning and generalised by each further one. Two conversations belong
together when their system texts (without one: their first user texts) begin and end alike, numbers and ids aside.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.fitting import Fit, Gap, Shape, fit_messages, is_fitting, shape_of

HEAD_CHARACTERS, TAIL_CHARACTERS = 24 * 1024, 4 * 1024
"""Of a message, what a skeleton may keep; what lies between is left open."""
MAX_MIDDLE = 160
"""Tokens between a common beginning and end that are searched for common runs."""
MIN_RUN_TOKENS, MIN_RUN_CHARACTERS = 5, 12
"""What two middles have in common by more than chance; with a sign in it four tokens are enough, with a line end two."""
ALIKE_CHARACTERS, ALIKE_WORDS = 20, 4
ALIKE_SYSTEM_CHARACTERS = 60
ALIKE_SHARE = 0.6
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b(?=\w*\d)\w+\b")
_DIGIT = re.compile(r"\d")
Part = str | None
"""A literal text, or None for a varying part."""
Token = str | None


@dataclass(frozen=True)
class Skeleton:
    """Roles and parts of the messages up to the first user message."""

    messages: tuple[tuple[str, tuple[Part, ...]], ...]

    @cached_property
    def shapes(self) -> tuple[tuple[str, tuple[Shape, ...]], ...]:
        """As ``fit_messages`` takes them."""
        return tuple(
            (role, (shape_of(Gap() if part is None else part for part in parts),)) for role, parts in self.messages
        )

    @cached_property
    def literal(self) -> int:
        """Characters of literal text."""
        return sum(len(part) for _, parts in self.messages for part in parts if part)

    def fits(self, messages: Sequence[Message]) -> bool:
        """Whether a conversation begins as this says."""
        return len(messages) >= len(self.messages) and all(
            role == message.role and is_fitting(shape, message.text)
            for (role, (shape,)), message in zip(self.shapes, messages, strict=False)
        )

    def fit(self, messages: Sequence[Message]) -> Fit | None:
        """How a conversation fits, as of a template; None also when too little literal text is left."""
        return fit_messages(self.shapes, messages)

    def to_json(self) -> str:
        """As it is stored."""
        document = [{"role": role, "parts": list(parts)} for role, parts in self.messages]
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Skeleton:
        """As it was stored; ValueError for anything else."""
        try:
            return cls(
                tuple(
                    (str(one["role"]), tuple(None if part is None else str(part) for part in one["parts"]))
                    for one in json.loads(text)
                )
            )
        except (KeyError, TypeError) as error:
            raise ValueError("no skeleton") from error

    def templates(self) -> tuple[Message, ...]:
        """The messages as templates: ``{{ value_1 }}`` for each varying part, and literal text that stays literal."""
        number, found = 0, []
        for role, parts in self.messages:
            text = ""
            for part in parts:
                if part is None:
                    number += 1
                    text += f"{{{{ value_{number} }}}}"
                else:
                    text += literal_template(part)
            found.append(Message(role, text))
        return tuple(found)

    def content(self) -> PromptContent:
        """A prompt's content with these messages."""
        return PromptContent(self.templates())


def literal_template(text: str) -> str:
    """A template that gives ``text`` itself, whatever it holds."""
    return re.sub(r"\{(?=[{%#\r]|\Z)", "{{ '{' }}", text).replace("\r", "{{ '\\r' }}")


def head_of(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The part of a conversation that a prompt makes: up to the first user message; empty when there is none."""
    for at, message in enumerate(messages):
        if message.role == "user":
            return tuple(messages[: at + 1])
        if message.role != "system":
            break
    return ()


def skeleton_of(head: Sequence[Message]) -> Skeleton:
    """The skeleton of one conversation: literal as far as it is kept."""
    return Skeleton(tuple((message.role, _parts(message.text)) for message in head))


def _parts(text: str) -> tuple[Part, ...]:
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return (text,) if text else ()
    return (text[:HEAD_CHARACTERS], None, text[-TAIL_CHARACTERS:])


def masked(text: str) -> str:
    """A text without its numbers and ids, and with single spaces."""
    head = text[:HEAD_CHARACTERS]
    if _DIGIT.search(head):  # Nearly every text without one holds no id; looking for ids takes fifty times as long.
        head = _ID.sub("#", head)
    return " ".join(head.split())


def subject_of(head: Sequence[Message]) -> Message:
    """The message that says which prompt it is: the first system message with text, else the user's."""
    return next((message for message in head if message.role == "system" and message.text.strip()), head[-1])


def fingerprint_of(head: Sequence[Message]) -> str:
    """16 hex digits that name a group after its first conversation."""
    subject = subject_of(head)
    roles = ",".join(message.role for message in head)
    return hashlib.sha256(f"{roles}\n{subject.role}\n{masked(subject.text)}".encode()).hexdigest()[:16]


def keys_of(head: Sequence[Message]) -> tuple[str, ...]:
    """Under which names groups are kept that a conversation may belong to: how its subject begins and how it ends."""
    subject = subject_of(head)
    roles = ",".join(message.role for message in head)
    first = masked(" ".join(subject.text[:400].split(None, 3)[:3])).lower()
    last = masked(" ".join(subject.text[-400:].rsplit(None, 3)[-3:])).lower()
    return (f"{roles}<{first}", f"{roles}>{last}")


def alike(skeleton: Skeleton, head: Sequence[Message]) -> bool:
    """Whether a conversation comes from the same prompt as those of ``skeleton``."""
    if [role for role, _ in skeleton.messages] != [message.role for message in head]:
        return False
    subject = subject_of(head)
    at = next(at for at, message in enumerate(head) if message is subject)
    known, given = skeleton.messages[at][1], _parts(subject.text)
    one, other = _tokens(known), _tokens(given)
    before = _common(one, other)
    after = _common(one[before:][::-1], other[before:][::-1])
    shared = [token for token in one[:before] + one[len(one) - after :] if token is not None]
    characters = sum(len(token) for token in shared)
    if subject.role == "system":
        shortest = min(_length(known), _length(given))
        return characters >= ALIKE_SYSTEM_CHARACTERS or characters >= ALIKE_SHARE * shortest > 0
    words = sum(token.strip() != "" and token[0].isalnum() for token in shared)
    return characters >= ALIKE_CHARACTERS and words >= ALIKE_WORDS


def generalised(skeleton: Skeleton, head: Sequence[Message]) -> Skeleton:
    """The skeleton of what fitted ``skeleton`` and of ``head`` together; both have the same roles."""
    return Skeleton(
        tuple(
            (role, _merged(parts, _parts(message.text)))
            for (role, parts), message in zip(skeleton.messages, head, strict=True)
        )
    )


def _length(parts: Sequence[Part]) -> int:
    return sum(len(part) for part in parts if part)


def _tokens(parts: Sequence[Part]) -> list[Token]:
    found: list[Token] = []
    for part in parts:
        if part is None:
            found.append(None)
        else:
            found += _TOKEN.findall(part)
    return found


def _common(one: Sequence[Token], other: Sequence[Token]) -> int:
    """How many tokens both begin with; a varying part ends it."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right or left is None:
            break
        count += 1
    return count


def _merged(known: Sequence[Part], given: Sequence[Part]) -> tuple[Part, ...]:
    if tuple(known) == tuple(given):
        return tuple(known)
    one, other = _tokens(known), _tokens(given)
    before = _common(one, other)
    rest, others = one[before:], other[before:]
    after = _common(rest[::-1], others[::-1])
    end = one[len(one) - after :] if after else []
    middle = _runs(rest[: len(rest) - after], others[: len(others) - after])
    return _as_parts([*one[:before], *middle, *end])


def _runs(one: Sequence[Token], other: Sequence[Token]) -> list[Token]:
    """What two middles have in common: long runs, each between varying parts."""
    found: list[Token] = [None]
    if not one and not other:
        return []
    if len(one) > MAX_MIDDLE or len(other) > MAX_MIDDLE:
        return found
    for run in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks():
        tokens = [token for token in one[run.a : run.a + run.size] if token is not None]
        if len(tokens) == run.size and _is_fixed("".join(tokens), run.size):
            found += [*tokens, None]
    return found


def _is_fixed(text: str, tokens: int) -> bool:
    if tokens >= MIN_RUN_TOKENS and len(text.strip()) >= MIN_RUN_CHARACTERS:
        return True
    if tokens > 1 and "\n" in text and text.strip():
        return True
    return tokens >= MIN_RUN_TOKENS - 1 and re.search(r"[^\w\s]|\n", text) is not None


def _as_parts(tokens: Sequence[Token]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for token in tokens:
        if parts and token is None and parts[-1] is None:
            continue
        if parts and token is not None and parts[-1] is not None:
            parts[-1] += token
        else:
            parts.append(token)
    return tuple(parts)
