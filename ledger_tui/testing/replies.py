"""The words in which a test says what models answer, and hears what they were asked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ledger_tui.domain.calls import ChatMessage, ToolCall
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import (
    AuthRefused,
    BadResponse,
    InputError,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)

FailureName = Literal["rate_limit", "timeout", "unavailable", "auth", "bad_request", "bad_response"]
_FAILURES: dict[str, tuple[type[ProviderError], int | None]] = {
    "rate_limit": (RateLimited, 429),
    "timeout": (ProviderTimeout, None),
    "unavailable": (ProviderUnavailable, 503),
    "auth": (AuthRefused, 401),
    "bad_request": (RequestRefused, 400),
    "bad_response": (BadResponse, None),
}
CHARACTERS_PER_TOKEN = 4


def failure(
    name: FailureName,
    cause: str = "as the test asked",
    *,
    status: int | None = None,
    retry_after_s: float | None = None,
) -> ProviderError:
    """A failed call, as a provider's own would come: ``rate_limit`` (429), ``timeout``, ``unavailable`` (5xx), ``auth`` (401),
    ``bad_request`` (400), ``bad_response``. The first three are tried again. Raises InputError for another name.
    """
    if name not in _FAILURES:
        raise InputError(f"{str(name)[:80]!r} is no failure", remedy=f"Failures are {', '.join(_FAILURES)}.")
    kind, usual = _FAILURES[name]
    return kind(cause, provider="script", status_code=status or usual, retry_after_s=retry_after_s)


@dataclass(frozen=True)
class Reply:
    """One answer of a model.

    chunks: the pieces in which the text comes; else it comes word by word. tool_calls: ``ToolCall``, or a name and its
    arguments. tokens: ``TokenUsage`` or (input, output); else counted, four characters a token. latency_s: how long the
    whole answer takes, first_token_s: of that until the first piece; a stopped clock goes on by so much, a running one
    is waited for. error: fail so after what came before it, by name or as an error of ``failure``.
    """

    text: str = ""
    chunks: Sequence[str] = ()
    reasoning: str = ""
    tool_calls: Sequence[ToolCall | tuple[str, Mapping[str, Any]]] = ()
    tokens: TokenUsage | tuple[int, int] | None = None
    latency_s: float = 0.0
    first_token_s: float | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    error: ProviderError | FailureName | None = None

    def __post_init__(self) -> None:
        if self.text and self.chunks and "".join(self.chunks) != self.text:
            raise InputError("the chunks of a reply are not its text", remedy="Give one of them.")
        if min(self.waits_s) < 0 or self.latency_s < 0:
            raise InputError("a reply cannot come before it was asked for")

    @property
    def pieces(self) -> list[str]:
        """The text as it comes."""
        return list(self.chunks) if self.chunks else re.findall(r"\S+\s*|\s+", self.text)

    @property
    def calls(self) -> list[ToolCall]:
        """The tool calls, with ids ``call-1``, ``call-2`` ... where a test gave none."""
        return [
            one
            if isinstance(one, ToolCall)
            else ToolCall(f"call-{number}", one[0], json.dumps(dict(one[1]), ensure_ascii=False))
            for number, one in enumerate(self.tool_calls, 1)
        ]

    @property
    def waits_s(self) -> tuple[float, float]:
        """Seconds before the first piece, and after it."""
        first = self.latency_s if self.first_token_s is None else self.first_token_s
        return first, max(0.0, self.latency_s - first)

    @property
    def failed(self) -> ProviderError | None:
        """The error that ends the answer."""
        return failure(self.error) if isinstance(self.error, str) else self.error

    def usage(self, asked: ScriptedCall) -> TokenUsage:
        """Tokens as the test gave them, else counted."""
        if isinstance(self.tokens, TokenUsage):
            return self.tokens
        if self.tokens is not None:
            given, made = self.tokens
        else:
            given = sum(_count(message.text) for message in asked.messages)
            made = _count("".join(self.pieces)) + sum(_count(call.arguments) for call in self.calls)
        return TokenUsage(input=given, cache_read=0, cache_write=0, output=made, reasoning=0)


@dataclass(frozen=True)
class ScriptedCall:
    """One call that a script was asked to answer; a further try of the same run is a call of its own."""

    provider: str
    model: str
    messages: tuple[ChatMessage, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    response_schema: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The texts of all messages, one after the other."""
        return "\n".join(message.text for message in self.messages)

    @property
    def last(self) -> str:
        """The text of the last message."""
        return self.messages[-1].text if self.messages else ""

    def __str__(self) -> str:
        said = "; ".join(f"{message.role}: {_short(message.text)}" for message in self.messages)
        return f"{self.provider}/{self.model} was asked {said or 'nothing'}"


Answer = str | Reply | ProviderError


@dataclass(frozen=True)
class When:
    """An answer for the calls that fit, however many come."""

    fits: Callable[[ScriptedCall], bool]
    answer: Answer


def when(condition: str | re.Pattern[str] | Callable[[ScriptedCall], bool], answer: Answer) -> When:
    """Answer every call that fits: a text that is somewhere in its messages, a pattern found in them, or a function."""
    if isinstance(condition, str):
        wanted = condition
        return When(lambda call: wanted in call.text, answer)
    if isinstance(condition, re.Pattern):
        pattern = condition
        return When(lambda call: pattern.search(call.text) is not None, answer)
    return When(condition, answer)


def as_reply(answer: Any) -> Reply:
    """An answer in full; raises InputError for what is none."""
    if isinstance(answer, Reply):
        return answer
    if isinstance(answer, str):
        return Reply(answer)
    if isinstance(answer, ProviderError):
        return Reply(error=answer)
    if isinstance(answer, TimeoutError):
        return Reply(error="timeout")
    raise InputError(
        f"a script cannot answer with {type(answer).__name__}",
        remedy="Answer with a text, testing.Reply(...) or testing.failure(...).",
    )


def _count(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else line[:119] + "…")
