"""The words in which services and providers speak of one call to a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger_tui.domain.values import TokenUsage

OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A rendered message: a role and its final text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ModelName:
    """``provider/model``; ``offline`` alone is a provider with one model of the same name."""

    provider: str
    model: str

    def __str__(self) -> str:
        return self.provider if self.provider == self.model else f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is sent. ``params`` use the standard names: temperature, max_tokens, top_p, stop, seed, ..."""

    model: str
    messages: tuple[ChatMessage, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    response_schema: Mapping[str, Any] | None = None
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's visible thinking, not part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model asks for; ``arguments`` is the JSON text as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer: what the provider says of it. ``metadata`` is plain JSON (response id, raw usage ...)."""

    usage: TokenUsage = TokenUsage()
    finish_reason: str | None = None
    served_model: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


ModelEvent = TextDelta | ReasoningDelta | ToolCall | Finished


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model that a provider offers."""

    provider: str
    model: str
    title: str = ""
    context_tokens: int | None = None

    @property
    def name(self) -> str:
        """``provider/model`` as a person types it."""
        return str(ModelName(self.provider, self.model))


class Provider(Protocol):
    """The door to one provider. Errors are ``ledger_tui.errors.ProviderError`` only."""

    name: str

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer piece by piece, ``Finished`` last. Cancelling the task closes the connection."""
        ...

    async def models(self) -> list[ModelInfo]:
        """What the provider offers now."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
