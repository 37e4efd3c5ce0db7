"""Doors of the three wires to any address, and a helper that listens to a whole answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from ledger_tui.domain.calls import (
    ChatMessage,
    Finished,
    ModelRequest,
    Provider,
    ReasoningDelta,
    TextDelta,
    ToolCall,
)
from ledger_tui.providers import catalog, door
from ledger_tui.settings import ProviderSettings, Settings

CANARY = "sk-canary-0123456789abcdef"
WIRES = ("chat", "responses", "anthropic")


@dataclass
class Heard:
    """What came of one answer."""

    text: str = ""
    reasoning: str = ""
    tools: list[ToolCall] = field(default_factory=list)
    finished: Finished | None = None


async def hear(provider: Provider, request: ModelRequest) -> Heard:
    """Listen to the end."""
    heard = Heard()
    async for event in provider.stream(request):
        assert heard.finished is None, "nothing comes after Finished"
        if isinstance(event, TextDelta):
            heard.text += event.text
        elif isinstance(event, ReasoningDelta):
            heard.reasoning += event.text
        elif isinstance(event, ToolCall):
            heard.tools.append(event)
        else:
            heard.finished = event
    return heard


def asking(text: str = "hello", model: str = "m-1", timeout_s: float = 30.0, **params: object) -> ModelRequest:
    """A small request."""
    return ModelRequest(
        model, (ChatMessage("system", "be brief"), ChatMessage("user", text)), params, timeout_s=timeout_s
    )


DoorMaker = Callable[..., Provider]


@pytest.fixture
def open_door(monkeypatch: pytest.MonkeyPatch) -> DoorMaker:
    """Makes a door named ``own`` to an address over a wire, with the canary as its key."""

    def make(base_url: str, wire: str, **settings: object) -> Provider:
        monkeypatch.setenv("OWN_API_KEY", CANARY)
        table = ProviderSettings("own", base_url, wire, **settings)  # type: ignore[arg-type]
        return door.open_provider(catalog.endpoint("own", Settings(providers={"own": table})))

    return make
