"""What syncing tells its front ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_tui.domain.sync.records import Stream
    from ledger_tui.domain.sync.sharing import Sharing
    from ledger_tui.sync.engine import Difference


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Where a ledger stands with its shared server, as far as the ledger itself knows: nobody is asked."""

    address: str
    """``user@host:port/database`` for people; empty for a ledger that is shared with nobody."""
    workspace: str | None
    """The id of the shared ledger."""
    sharing: Sharing
    waiting: Mapping[Stream, int] = field(default_factory=dict)
    """Records that may go and that the server does not have."""
    aside: int = 0
    """Records set aside or in quarantine."""
    last_us: int | None = None
    """When the last exchange ended well, by this machine's clock."""
    agreed: str | None = None
    """Four hex digits while both ends hold the same and nothing waits; else None."""
    agreed_us: int | None = None
    """When both ends last agreed."""
    error: str = ""
    """Why the last attempt failed (title and cause); empty when it did not."""
    remedy: str = ""
    failing_since_us: int | None = None
    resyncing: bool = False
    numbers: Mapping[Stream, int] = field(default_factory=dict)
    """The last number of each stream's history that is here."""

    @property
    def is_shared(self) -> bool:
        """Whether there is a server."""
        return bool(self.address)

    @property
    def pending(self) -> int:
        """Everything that waits."""
        return sum(self.waiting.values())


@dataclass(frozen=True, slots=True)
class SyncReceiptRow:
    """What one exchange did."""

    at_us: int
    sent: Mapping[str, int]
    """Records the server did not have, by kind (label, span, text …)."""
    came: Mapping[str, int]
    """Records this ledger did not have, by stream."""
    refused: int = 0
    quarantined: int = 0
    resyncs: int = 0
    agreed: str | None = None
    why_not: str = ""

    @classmethod
    def of(cls, at_us: int, detail: Mapping[str, Any]) -> SyncReceiptRow:
        """The row of a kept receipt."""
        names = ("sent", "came", "refused", "quarantined", "resyncs", "agreed", "why_not")
        return cls(at_us, **{name: detail[name] for name in names if name in detail})


@dataclass(frozen=True, slots=True)
class Proof:
    """What comparing both ends found."""

    differences: tuple[Difference, ...]
    """Empty when both hold the same."""
    records: Mapping[Stream, int]
    """How many records the server holds of what this account may read."""
    digits: str
    """Four hex digits of what both ends hold: every ledger that agrees with the server shows the same."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What making or joining a shared ledger found. ``made``: it is new, with this ledger as its first."""

    workspace: str
    address: str
    made: bool
    password_kept: str
    """``keyring``, ``memory`` (gone with this process), ``environment``, ``file``, or empty for none needed."""
