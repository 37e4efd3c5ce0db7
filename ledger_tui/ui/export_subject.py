"""What the export key writes: one of the things that a place shows, and how to read its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.export import Rows


@dataclass(frozen=True, slots=True)
class ExportSubject:
    """One thing to export. ``read`` runs in a thread; it gets whether texts are wanted too."""

    name: str
    """One or two own words: ``Traces``."""
    title: str
    """What it is, in a sentence; may hold foreign text."""
    stem: str
    """What the file is called, without date and ending."""
    read: Callable[[PromptLedger, bool], Rows]
    has_texts: bool = False
    """Whether there are texts besides numbers and names."""
