"""A model that needs nothing: deterministic answers for first steps, demonstrations and tests.

It says what it is, streams like a real one, counts tokens by a stated rough rule (four characters a token, rounded up)
and costs nothing. Parameters of its own: ``offline_delay_s`` (seconds before each piece of about one token, default
1/200, 0 allowed), ``offline_reply`` (this text, word for word) and ``offline_error`` (fail in a way of ``FAILURES``).
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ledger_tui.domain.calls import (
    OFFLINE,
    ChatMessage,
    Finished,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    TextDelta,
)
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import (
    AuthRefused,
    BadResponse,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)

CHARACTERS_PER_TOKEN = 4
DEFAULT_DELAY_S = 1 / 200
MAX_DELAY_S = 60.0
FAILURES = ("auth", "rate_limit", "timeout", "unavailable", "bad_response", "cut")
"""What ``offline_error`` takes; ``cut`` fails in the middle of the answer, the others before its first piece."""

_REMARKS = (
    "A real model would have more to say here.",
    "Everything around this answer is real: the run, its trace and its record.",
    "The same messages always get this same answer.",
    "Change a word above and this sentence may change.",
    "Choose another model to hear a second opinion.",
    "Nothing left this machine for this answer.",
)


class OfflineProvider:
    """The door to the built-in model ``offline``."""

    name = OFFLINE

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer in pieces of about one token, or raise the ProviderError that ``offline_error`` names."""
        delay_s = _delay(request.params)
        failure = request.params.get("offline_error")
        if failure and failure != "cut":
            await asyncio.sleep(delay_s)
            raise _failure(str(failure))
        reply, finish_reason = _limited(_reply(request), request.params)
        pieces = _pieces(reply)
        for number, piece in enumerate(pieces):
            if failure and number * 2 >= len(pieces):
                break
            await asyncio.sleep(delay_s)
            yield TextDelta(piece)
        if failure:
            raise _failure("cut")
        given = sum(count_tokens(message.text) for message in request.messages)
        yield Finished(
            usage=TokenUsage(input=given, cache_read=0, cache_write=0, output=count_tokens(reply), reasoning=0),
            finish_reason=finish_reason,
            served_model=OFFLINE,
            metadata={"offline": True, "token_rule": f"{CHARACTERS_PER_TOKEN} characters a token"},
        )

    async def models(self) -> list[ModelInfo]:
        """The one model."""
        return [ModelInfo(OFFLINE, OFFLINE, "Built in: deterministic answers, no network")]

    async def aclose(self) -> None:
        """Nothing to close."""


def count_tokens(text: str) -> int:
    """Tokens of ``text`` by the rough rule: four characters each, rounded up."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _reply(request: ModelRequest) -> str:
    given = request.params.get("offline_reply")
    return given if isinstance(given, str) else _written(request.messages)


def _written(messages: tuple[ChatMessage, ...]) -> str:
    asked = next((message.text for message in reversed(messages) if message.role == "user"), "")
    words = asked.split()
    head = " ".join(words[:12])[:120]
    digest = hashlib.sha256("\x1e".join(f"{m.role}\x1f{m.text}" for m in messages).encode("utf-8", "replace")).digest()
    remark = _REMARKS[digest[0] % len(_REMARKS)]
    count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
    said = f"> {head}{' …' if len(head) < len(' '.join(words)) else ''}" if head else "> (nothing)"
    return (
        "**This is the offline model**, built into Prompt Ledger. It does not think: it reports what it was given.\n\n"
        f"- {count}, the last from the user has {len(words)} words and {len(asked)} characters\n"
        f"- fingerprint of the messages: `{digest.hex()[:12]}`\n\n"
        f"{said}\n\n{remark}\n"
    )


def _limited(reply: str, params: Mapping[str, Any]) -> tuple[str, str]:
    limit = params.get("max_tokens")
    if isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit < count_tokens(reply):
        return reply[: limit * CHARACTERS_PER_TOKEN], "length"
    return reply, "stop"


def _pieces(text: str) -> list[str]:
    return re.findall(rf"(?s).{{1,{CHARACTERS_PER_TOKEN}}}", text)


def _delay(params: Mapping[str, Any]) -> float:
    given = params.get("offline_delay_s", DEFAULT_DELAY_S)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= MAX_DELAY_S:
        raise RequestRefused(
            f"offline_delay_s is {given!r}"[:100], provider=OFFLINE, remedy=f"Give seconds from 0 to {MAX_DELAY_S:g}."
        )
    return float(given)


def _failure(name: str) -> ProviderError:
    said = "as the parameter offline_error asked"
    errors: dict[str, ProviderError] = {
        "auth": AuthRefused(said, provider=OFFLINE, status_code=401),
        "rate_limit": RateLimited(said, provider=OFFLINE, status_code=429, retry_after_s=0.0),
        "timeout": ProviderTimeout(said, provider=OFFLINE),
        "unavailable": ProviderUnavailable(said, provider=OFFLINE, status_code=503),
        "bad_response": BadResponse(said, provider=OFFLINE),
        "cut": BadResponse(f"the answer was cut off in the middle, {said}", provider=OFFLINE),
    }
    unknown = RequestRefused(
        f"offline_error cannot be {name!r}"[:100], provider=OFFLINE, remedy=f"One of: {', '.join(FAILURES)}."
    )
    return errors.get(name, unknown)
