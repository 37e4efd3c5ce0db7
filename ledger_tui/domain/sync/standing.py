"""What a ledger remembers of its server, and what became of a page: values of the local end of a sync."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ledger_tui.domain.sync.chain import START, Position, farther
from ledger_tui.domain.sync.records import Stream

Place = int | str | tuple[int, int | str]
"""Where a record stands in the order of a ledger's own records."""
At = Callable[[str], None]
"""Called at named points between two steps, so that a test can end the process there."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """What a ledger remembers of its server."""

    workspace: str | None = None
    """The shared ledger it belongs to; None before the first sync."""
    epoch: str | None = None
    resyncing: str | None = None
    """The name of a resync that has begun and not come to its end; None when there is none."""
    cursors: Mapping[Stream, Position] = field(default_factory=dict)
    """How far each history was read."""
    told: Mapping[Stream, Position] = field(default_factory=dict)
    """The highest position that a push was answered with."""

    def cursor(self, stream: Stream) -> Position:
        """How far a history was read."""
        return self.cursors.get(stream, START)

    def fence(self, stream: Stream) -> Position:
        """The highest position this ledger was ever told."""
        return farther(self.cursor(stream), self.told.get(stream, START))


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a page."""

    new: int = 0
    known: int = 0
    """Records that were here already: most often this ledger's own, come back."""
    unread: int = 0
    """Of the new ones those of a newer release: kept, handed on, not shown."""
    quarantined: int = 0
    moved: bool = False
    """The cursor was no longer where the page began (another process was faster): nothing was written."""
