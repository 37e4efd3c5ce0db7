"""What one place hands to another when it sends a person there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger_tui.domain.content import PromptContent


@dataclass(frozen=True, slots=True)
class PlaygroundSubject:
    """What the playground shall run."""

    content: PromptContent
    prompt_name: str | None = None
    """The prompt the content belongs to, None for a loose text."""
    version_id: str | None = None
    """The saved version, None when the content was edited."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    """``provider/model`` names to run side by side; empty: the content's own or the default."""
