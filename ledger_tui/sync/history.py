"""One stream of the server in memory (memory.py): its records, where its pushes ended, and what was taken away."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.chain import START, Position, extend
from ledger_tui.domain.sync.records import NO_MONTH, Delivered, Record, Stream
from ledger_tui.sync.door import PURGED


@dataclass(frozen=True, slots=True)
class Commit:
    """One push that added something: where the history ended after it."""

    stream: Stream
    position: Position
    pusher: str
    device: str = ""
    at_us: int = 0
    rows: int = 0


@dataclass
class History:
    """One stream: the records that are held, in the order of their numbers, and where its pushes ended."""

    rows: list[Delivered] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    """Number of the last record of a push, to the chain there; in order."""
    versions: dict[str, int] = field(default_factory=dict)
    """Each version, and the number of the record that made it first."""
    horizon: str = ""
    """The first month that is kept; empty for all."""

    @property
    def end(self) -> Position:
        """The end of the history."""
        last = next(reversed(self.ends), 0)
        return Position(last, self.ends[last]) if last else START

    def holds(self, position: Position) -> bool:
        """Whether a push ended exactly here; nothing is known at START, so every history holds it."""
        return position == START or self.ends.get(position.seq) == position.chain

    def between(self, after: int, upto: int) -> list[Delivered]:
        """The records held that are numbered above ``after`` and up to ``upto``."""
        first = bisect_right(self.rows, after, key=lambda row: row.seq)
        return self.rows[first : bisect_right(self.rows, upto, key=lambda row: row.seq)]

    def page_end(self, after: int, limit: int) -> int | None:
        """Where a page after a number ends; None at the end of the history."""
        found = None
        for end in list(self.ends)[bisect_right(list(self.ends), after) :]:
            if found is not None and len(self.between(after, end)) > limit:
                break
            found = end
        return found

    def after(self, fresh: Sequence[Delivered]) -> Position:
        """Where the history would end after a push of these rows; each one's number follows the one before it."""
        return Position(fresh[-1].seq, extend(self.end.chain, (row.hash for row in fresh)))

    def add(self, fresh: Sequence[Delivered], end: Position) -> None:
        """Make the history longer by what is held of one push, up to the push's end."""
        self.rows.extend(fresh)
        self.ends[end.seq] = end.chain
        for row in fresh:
            for version in made_version(row.record):
                self.versions.setdefault(version, row.seq)

    def is_expired(self, rid: str) -> bool:
        """Whether a record of this id is of a month that is not kept."""
        return NO_MONTH < records.month_of(rid) < self.horizon

    def expired(self) -> Iterator[Delivered]:
        """The records held that are of months before the horizon."""
        return (row for row in self.rows if self.is_expired(row.record.rid))

    def replace(self, row: Delivered) -> None:
        """Put a row in the place of the one of its number."""
        self.rows[bisect_left(self.rows, row.seq, key=lambda other: other.seq)] = row


def made_version(record: Record) -> tuple[str, ...]:
    """The version that a record makes, if any, and if it was not purged."""
    if record.body == PURGED:
        return ()
    version = records.version_of(record)
    return () if version is None else version[:1]
