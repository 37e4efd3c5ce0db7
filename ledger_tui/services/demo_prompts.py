"""How the demo's prompts are written down: each version as an edit of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger_tui.domain.content import Message, PromptContent

ANNA, BEN, MEI, TOM = "Anna Keller", "Ben Okafor", "Mei Tanaka", "Tom Ruiz"
FAST, SMART = "openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5"


@dataclass(frozen=True)
class Edit:
    """One version: what it changes in the version before. ``replace`` pairs apply to every message text."""

    days_ago: float
    author: str
    message: str
    replace: tuple[tuple[str, str], ...] = ()
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoPrompt:
    """A prompt with its first texts and everything that happened to it."""

    name: str
    description: str
    team: str
    tags: tuple[str, ...]
    messages: tuple[tuple[str, str], ...]
    edits: tuple[Edit, ...]
    labels: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    active: int | None = None
    archived: bool = False

    def contents(self) -> Iterator[tuple[Edit, PromptContent]]:
        """Every version's edit and full content, oldest first."""
        messages, model = self.messages, None
        params: dict[str, Any] = {}
        for edit in self.edits:
            for old, new in edit.replace:
                if not any(old in text for _, text in messages):
                    raise ValueError(f"{self.name}: {old!r} is not in the version before {edit.message!r}")
                messages = tuple((role, text.replace(old, new)) for role, text in messages)
            model, params = edit.model or model, {**params, **edit.params}
            yield edit, PromptContent(tuple(Message(*message) for message in messages), model, params)
