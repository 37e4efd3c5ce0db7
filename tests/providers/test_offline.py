"""The model that ships with the product: deterministic, honest, and able to fail on request."""

from __future__ import annotations

import pytest
from ledger_tui.domain.calls import ChatMessage, ModelRequest, TextDelta
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
from ledger_tui.providers.offline import FAILURES, OfflineProvider, count_tokens

from tests.providers.conftest import asking, hear


async def test_same_messages_same_answer() -> None:
    """The answer depends on the messages alone, says that it is the offline model and how much it was given."""
    first = await hear(OfflineProvider(), asking("Tell me a story", offline_delay_s=0))
    again = await hear(OfflineProvider(), asking("Tell me a story", offline_delay_s=0, temperature=2))
    other = await hear(OfflineProvider(), asking("Tell me a joke", offline_delay_s=0))
    assert first == again != other
    assert "offline model" in first.text and "4 words" in first.text and "> Tell me a story" in first.text


async def test_it_streams_and_counts_by_its_rule() -> None:
    """Answers come in pieces of a token, and usage is four characters a token of what was sent and said."""
    request = ModelRequest(
        "offline", (ChatMessage("user", "x" * 41),), {"offline_delay_s": 0, "offline_reply": "y" * 10}
    )
    events = [event async for event in OfflineProvider().stream(request)]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["yyyy", "yyyy", "yy"]
    finished = events[-1]
    assert finished.usage == TokenUsage(input=11, cache_read=0, cache_write=0, output=3, reasoning=0)
    assert finished.finish_reason == "stop" and finished.metadata["token_rule"]
    assert count_tokens("") == 0 and count_tokens("abcde") == 2


async def test_a_limit_is_kept() -> None:
    """max_tokens cuts the answer and says so."""
    heard = await hear(OfflineProvider(), asking(offline_delay_s=0, offline_reply="y" * 100, max_tokens=3))
    assert heard.text == "y" * 12
    assert heard.finished is not None and heard.finished.finish_reason == "length"


EXPECTED: dict[str, type[ProviderError]] = {
    "auth": AuthRefused,
    "rate_limit": RateLimited,
    "timeout": ProviderTimeout,
    "unavailable": ProviderUnavailable,
    "bad_response": BadResponse,
    "cut": BadResponse,
    "nonsense": RequestRefused,
}


@pytest.mark.parametrize("name", EXPECTED)
async def test_it_fails_on_request(name: str) -> None:
    """Each named failure is raised as what it is; only a cut answer has begun before."""
    pieces = []
    with pytest.raises(EXPECTED[name]):
        async for event in OfflineProvider().stream(asking(offline_delay_s=0, offline_error=name)):
            pieces.append(event)
    assert bool(pieces) == (name == "cut")
    assert name in FAILURES or name == "nonsense"


@pytest.mark.parametrize("delay", [-1, 61, float("nan"), "0.1", True, None])
async def test_a_senseless_delay_is_refused(delay: object) -> None:
    """A delay that is no number of seconds from 0 to 60 is refused."""
    with pytest.raises(RequestRefused):
        await hear(OfflineProvider(), asking(offline_delay_s=delay))


async def test_it_lists_itself() -> None:
    """There is one model, named offline."""
    provider = OfflineProvider()
    assert [info.name for info in await provider.models()] == ["offline"]
    await provider.aclose()
