"""A ledger's own tables as the local end of a sync (``LocalLog`` of sync/local.py), for all three streams.

The registry's facts are the journal (sync_facts.py), telemetry the typed tables (sync_telemetry.py), texts what belongs to its rows
(sync_texts.py). Only ledgers in SQLite files are synced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain.sync import plan
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.digest import Digest, digest_of_hashes, merged
from ledger_tui.domain.sync.records import PURGED, Delivered, Record, Stream, cost_of, is_hash, month_of
from ledger_tui.domain.sync.sharing import Sharing, sharing_of
from ledger_tui.domain.sync.standing import Applied, At, Place, SyncState
from ledger_tui.store import (
    changes,
    sync_asides,
    sync_careful,
    sync_facts,
    sync_links,
    sync_orphans,
    sync_purge,
    sync_restored,
    sync_shelves,
    sync_standing,
    sync_telemetry,
    sync_texts,
)
from ledger_tui.store.sync_owners import OWNERS
from ledger_tui.store.sync_pruning import SHARING
from ledger_tui.store.sync_shelves import SPANS, Held, KeptShelf, Key, Shelf
from ledger_tui.store.sync_standing import ASIDE, FORGOTTEN, Taken

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

_PAGE = 1_000
AnyShelf = Shelf | KeptShelf | sync_texts.TextShelf


@dataclass(frozen=True)
class Handed:
    """Where records that were handed out are: by rid, for the answer to them."""

    latest: Mapping[str, tuple[AnyShelf, Key]] = field(default_factory=dict)
    before: Mapping[str, tuple[AnyShelf, Key]] = field(default_factory=dict)
    """Those handed out before the latest, whose answer is still to come."""
    last: tuple[AnyShelf, Key] | None = None

    @classmethod
    def of(
        cls, found: Sequence[tuple[AnyShelf, Held]], before: Mapping[str, tuple[AnyShelf, Key]] | None = None
    ) -> Handed:
        """The places of records."""
        places = {held.record.rid: (shelf, held.key) for shelf, held in found}
        return cls(places, before or {}, (found[-1][0], found[-1][1].key) if found else None)

    def place(self, rid: str) -> tuple[AnyShelf, Key] | None:
        """Where a record is; None for one that was not handed out."""
        return self.latest.get(rid) or self.before.get(rid)


class LedgerLog:
    """The records of one ledger, for ``sync.engine``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handed: dict[Stream, Handed] = {}
        """Where the records handed out last are, by stream."""

    def state(self) -> SyncState:
        with self._database.lean() as lean:
            return sync_standing.state(lean)

    def meet(self, workspace: str, epoch: str) -> None:
        with self._database.lean_write() as lean:
            known = sync_standing.state(lean)
            if known.workspace is None:
                sync_standing.remember(lean, known, workspace=workspace, epoch=epoch)

    def pending(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        while True:
            with self._database.lean() as lean:
                found, home = self._pending(lean, stream, max_rows)
            if home:
                with self._database.lean_write() as lean:
                    sync_telemetry.withhold(lean, home)
            if found or not home:
                return list(next(plan.batches(found, max_rows, max_bytes), ()))

    def _pending(self, lean: Lean, stream: Stream, limit: int) -> tuple[list[Record], list[tuple[Shelf, Key]]]:
        home: list[tuple[Shelf, Key]] = []
        self._handed[stream] = Handed()
        if stream == "meta":
            return [record for _, record in sync_facts.facts_after(lean, 0, limit, "waiting")], home
        if stream == "telemetry":
            found, home = sync_telemetry.pending(lean, limit, _sharing(lean))
            self._handed[stream] = Handed.of(found)
            return [held.record for _, held in found], home
        texts = [(shelf, held) for shelf in sync_texts.MY_SHELVES for held in shelf.pending(lean, limit)][:limit]
        self._handed[stream] = Handed.of(texts)
        return [held.record for _, held in texts], home

    def behind(self, stream: Stream, max_rows: int, max_bytes: int) -> list[Record]:
        handed = self._handed.get(stream, Handed())
        if handed.last is None or handed.last[0] is not SPANS:
            return []
        with self._database.lean() as lean:
            if not _sharing(lean).is_uniform:
                return []
            found = [(SPANS, held) for held in SPANS.pending(lean, max_rows, handed.last[1])]
        batch = next(plan.batches((held.record for _, held in found), max_rows, max_bytes), ())
        self._handed[stream] = Handed.of(found[: len(batch)], handed.latest)
        return list(batch)

    def waiting(self, stream: Stream) -> int:
        with self._database.lean() as lean:
            return waiting(lean, stream)

    def settle(
        self, stream: Stream, accepted: Mapping[str, int], refused: Mapping[str, str], position: Position | None
    ) -> None:
        with self._database.lean_write() as lean:
            lost = sync_restored.lost(lean, refused) if stream == "meta" and refused else {}
            standings = {**accepted, **dict.fromkeys(refused, ASIDE), **dict.fromkeys(lost, FORGOTTEN)}
            refused = {**refused, **lost}
            if stream == "meta":
                sync_facts.settle(lean, standings)
                sync_links.close(lean)
            else:
                self._settle_rows(lean, stream, standings)
            sync_asides.refuse(lean, stream, refused)
            known = sync_standing.state(lean)
            if position is not None and position.seq > known.told.get(stream, START).seq:
                sync_standing.remember(lean, known, told={**known.told, stream: position})
        changes.note()

    def _settle_rows(self, lean: Lean, stream: Stream, standings: Mapping[str, int]) -> None:
        by_shelf: dict[AnyShelf, list[tuple[Key, int | None]]] = {}
        handed = self._handed.get(stream, Handed())
        places = {rid: place for rid in standings if (place := handed.place(rid)) is not None}
        renamed = _renamed(lean, {rid: int(key) for rid, (shelf, key) in places.items() if shelf is SPANS})
        for rid, (shelf, key) in places.items():
            if rid not in renamed:
                by_shelf.setdefault(shelf, []).append((key, standings[rid]))
        sharing = _sharing(lean)
        for shelf, rows in by_shelf.items():
            shelf.mark(lean, rows)
            if isinstance(shelf, Shelf) and shelf.kind in OWNERS and "bodies" in sharing.streams:
                keys = [key for key, seq in rows if seq is not None and seq > FORGOTTEN]
                sync_texts.queue(lean, shelf, keys, sharing)

    def apply(self, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, at: At) -> Applied:
        try:
            return self._apply(stream, cursor, rows, upto, at, _taken)
        except Exception as error:
            if not sync_careful.is_of_a_record(error):
                raise
        return self._apply(stream, cursor, rows, upto, at, sync_careful.take)

    def _apply(
        self,
        stream: Stream,
        cursor: Position,
        rows: Sequence[Delivered],
        upto: Position,
        at: At,
        take: sync_careful.How,
    ) -> Applied:
        with self._database.lean_write() as lean:
            known = sync_standing.state(lean)
            if known.cursor(stream) != cursor:
                return Applied(moved=True)
            blanked = [row for row in rows if row.record.body == PURGED and is_hash(row.hash)]
            sync_purge.take_blanked(lean, stream, blanked)
            whole = [row for row in rows if row.record.body != PURGED or not is_hash(row.hash)] if blanked else rows
            taken = take(lean, whole, _TAKE[stream])
            refused = {row.record.rid for row, _ in taken.refused}
            if stream == "meta":
                if taken.new:
                    sync_facts.take_again(lean)
                    sync_links.close(lean)
                sync_purge.obey(lean, [row.record for row in whole if row.record.rid not in refused])
            elif stream == "telemetry":
                sync_orphans.adopt(lean, [row.record.rid for row in rows])
            sync_asides.forget_quarantined(lean, stream, {row.record.rid for row in rows} - refused)
            sync_asides.quarantine(lean, stream, taken.refused)
            sync_asides.forget_refusals(lean, [row.record.rid for row in rows])
            at("apply.rows")
            sync_standing.remember(lean, known, cursors={**known.cursors, stream: upto})
            at("apply.cursor")
        changes.note()
        return Applied(taken.new, taken.known + len(blanked), taken.unread, len(taken.refused))

    def begin_resync(self, name: str) -> None:
        with self._database.lean_write() as lean:
            sync_standing.remember(lean, sync_standing.state(lean), resyncing=name, cursors={}, told={})
            sync_restored.begin(lean)
            sync_facts.forget(lean)
            for shelf in (*sync_telemetry.MY_SHELVES, *sync_texts.MY_SHELVES):
                shelf.forget(lean)
            sync_facts.mark(lean, sync_asides.orphans(lean), ASIDE, None)
            sync_asides.forget_quarantined_numbers(lean)

    def accepted(self, stream: Stream, after: Place | None, limit: int) -> list[tuple[Place, str]]:
        with self._database.lean() as lean:
            if stream == "meta":
                return list(sync_facts.accepted(lean, after if isinstance(after, int) else 0, limit))
            return self._accepted(lean, stream, after, limit)

    def _accepted(self, lean: Lean, stream: Stream, after: Place | None, limit: int) -> list[tuple[Place, str]]:
        shelves = _shelves(stream)
        first, key = after if isinstance(after, tuple) else (0, None)
        found: list[tuple[Place, str]] = []
        places: list[tuple[AnyShelf, Held]] = []
        for number in range(first, len(shelves)):
            above = key if number == first else None
            for held in shelves[number].accepted(lean, above, limit - len(found)):
                found.append(((number, held.key), held.record.rid))
                places.append((shelves[number], held))
            if len(found) >= limit:
                break
        self._handed[stream] = Handed.of(places)
        return found

    def offer(self, stream: Stream, rids: Sequence[str]) -> None:
        with self._database.lean_write() as lean:
            if stream == "meta":
                sync_restored.note_offered(lean, rids)
                sync_facts.mark(lean, rids, FORGOTTEN, None)
                return
            for place in map(self._handed.get(stream, Handed()).place, rids):
                if place is not None:
                    place[0].mark(lean, [(place[1], None)], f"= {FORGOTTEN}")

    def end_resync(self, name: str, epoch: str) -> None:
        with self._database.lean_write() as lean:
            known = sync_standing.state(lean)
            if known.resyncing == name:
                sync_standing.remember(lean, known, resyncing=None, epoch=epoch)

    def digests(self, stream: Stream, told: Callable[[int], None] = lambda done: None) -> dict[str, Digest]:
        with self._database.lean() as lean:
            found: dict[str, Digest] = dict(sync_standing.pruned_digests(lean, stream))
            done = 0
            for page in _accepted_pages(lean, stream):
                by_month: dict[str, list[tuple[str, int]]] = {}
                for record in page:
                    by_month.setdefault(month_of(record.rid), []).append((record.hash, cost_of(record)))
                for month, pairs in by_month.items():
                    found[month] = merged([found.get(month, {}), digest_of_hashes(pairs)])
                done += len(page)
                told(done)
        return dict(sorted(found.items()))

    def digest(self, stream: Stream) -> Digest:
        """The digest of all that is accepted."""
        return merged(self.digests(stream).values())

    def set_aside(self) -> int:
        with self._database.lean() as lean:
            return sync_asides.count_asides(lean)


def _taken(lean: Lean, rows: Sequence[Delivered], kind: sync_careful.Take) -> Taken:
    return kind(lean, rows)


_TAKE = {"meta": sync_facts.take, "telemetry": sync_telemetry.take, "bodies": sync_texts.take}


def _shelves(stream: Stream) -> Sequence[AnyShelf]:
    return sync_telemetry.MY_SHELVES if stream == "telemetry" else sync_texts.MY_SHELVES


def _renamed(lean: Lean, keys: Mapping[str, int]) -> set[str]:
    """Records whose rows are others meanwhile: steps that ended after all while the answer to their first record was awaited."""
    now = sync_shelves.span_rids(lean, list(keys.values()))
    return {rid for rid, key in keys.items() if now.get(key) != rid}


def _sharing(lean: Lean) -> Sharing:
    return sharing_of(sync_standing.get(lean, SHARING))


def waiting(lean: Lean, stream: Stream) -> int:
    """How many records of a stream no server has."""
    if stream == "meta":
        return sync_facts.waiting(lean)
    return sum(shelf.waiting(lean) for shelf in _shelves(stream))


def _accepted_pages(lean: Lean, stream: Stream) -> Iterator[list[Record]]:
    """Every record of a stream that a server has or had, some at a time."""
    if stream == "meta":
        after = 0
        while facts := sync_facts.facts_after(lean, after, _PAGE, "accepted"):
            after = facts[-1][0]
            yield [record for _, record in facts]
        return
    for shelf in _shelves(stream):
        key: Key | None = None
        while page := shelf.accepted(lean, key, _PAGE):
            key = page[-1].key
            yield [held.record for held in page]
