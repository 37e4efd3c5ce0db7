"""The local end of a sync: what the engine asks of a ledger's file, whatever its tables are.

A record is *pending* until a server said that it has it, *accepted* from then on, and *set aside* when no server will take it.
Positions and what they stand for are written together: a position is never ahead of the records it covers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.digest import Digest
from ledger_tui.domain.sync.records import Delivered, Record, Stream
from ledger_tui.domain.sync.standing import Applied as Applied
from ledger_tui.domain.sync.standing import At as At
from ledger_tui.domain.sync.standing import Place as Place
from ledger_tui.domain.sync.standing import SyncState as SyncState


class LocalLog(Protocol):
    """Records of one ledger. Every call is one transaction; a call that raises has changed nothing."""

    def state(self) -> SyncState:
        """What is remembered of the server."""

    def meet(self, workspace: str, epoch: str) -> None:
        """Remember the server of the first sync; later calls change nothing."""

    def pending(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        """The first pending records in causal order (what was written on a record comes after it), at least one if any."""

    def behind(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        """Pending records behind those handed out last, while the answer to them is awaited: as ``pending``, but may be empty
        although some wait. May be called from another thread than the others, never at the same time as one of them."""

    def waiting(self, stream: Stream) -> int:
        """How many records are pending."""

    def settle(
        self, stream: Stream, accepted: Mapping[str, int], refused: Mapping[str, str], position: Position | None
    ) -> None:
        """Write down a push's answer: rids with their numbers, rids to set aside with a reason, and the history's end.

        Records that meanwhile are no longer pending are left alone. None: nothing was told.
        """

    def apply(self, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, at: At) -> Applied:
        """Take in what follows ``cursor``, and move the cursor to ``upto``, in one transaction.

        A record that is here gets its number and is accepted. A new one is kept (one of a newer release as it is). One that is
        faulty (``records.fault`` with the hash delivered), or whose id is here with another hash, goes to quarantine, and
        the cursor moves on. Everything derived from the records follows. Calls ``at("apply.rows")`` before
        and ``at("apply.cursor")`` after the cursor is written.
        """

    def begin_resync(self, name: str) -> None:
        """Forget positions and numbers, and remember that a resync of this name has begun.

        Records set aside because a parent was missing are pending again.
        """

    def accepted(self, stream: Stream, after: Place | None, limit: int) -> list[tuple[Place, str]]:
        """(place, rid) of records neither pending nor set aside, in causal order, those behind the place ``after``."""

    def offer(self, stream: Stream, rids: Sequence[str]) -> None:
        """Make records pending again; of those that ``accepted`` named last."""

    def end_resync(self, name: str, epoch: str) -> None:
        """The resync of this name is over, and the server's epoch is this one; does nothing when another one has begun."""

    def digests(self, stream: Stream, told: Callable[[int], None] = ...) -> Mapping[str, Digest]:
        """The digest of the accepted records of each month (``records.month_of``). told: hears now and then how many were read;
        what it raises ends the work."""

    def set_aside(self) -> int:
        """How many records are set aside or in quarantine."""
