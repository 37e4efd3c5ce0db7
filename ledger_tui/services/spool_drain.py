"""From spool files into the database, each record exactly once.

How far a file has come is committed together with the rows that were read from it, and compared inside the same write
transaction: a killed drain, two drains of one file or a restored database neither lose a record nor write it twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ledger_tui.domain import clock, ids
from ledger_tui.domain.values import TERMINAL, SpanRecord, TokenUsage
from ledger_tui.errors import (
    DatabaseFull,
    DatabaseLocked,
    DatabaseUnavailable,
    StoreError,
)
from ledger_tui.services.abandoned import owner_of
from ledger_tui.services.call_linker import CallLinker
from ledger_tui.store import spool, spool_marks, spool_reading, spool_usage, telemetry
from ledger_tui.store.failures import LASTING
from ledger_tui.store.spool import Frame, SpoolFile

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean
    from ledger_tui.store.linking import Seen

log = logging.getLogger("ledger_tui.spool")
BATCH_BYTES = 1024 * 1024
SLICE, BUSY_SLICE = 1024, 8
"""Records worked on in one go; fewer while the program's own threads record, so that they get their turn."""
_OF_THE_DATABASE = (DatabaseLocked, DatabaseFull, DatabaseUnavailable, *LASTING)
_KNOWN_PROMPTS = 10_000
NO_ATTRIBUTES: dict[str, Any] = {}


Known = tuple[str | None, str, int | None, int | None]
"""Provider and model as the ledger names them, nano-dollars and rate card, None when unknown."""


class Price(Protocol):
    """Says what a finished call cost."""

    def begin(self) -> None:
        """Look at the prices for the batch that follows."""

    def __call__(self, provider: str | None, model: str, tokens: TokenUsage, at_us: int) -> Known:
        """What one call was and cost."""

    def intern(self, lean: Lean) -> Mapping[int, int]:
        """The keys of rate cards that have numbers below zero so far."""

    def keep(self) -> None:
        """What ``intern`` gave is in the database."""


@dataclass
class Counts:
    """What this process's drain did."""

    drained: int = 0
    torn: int = 0
    """Records that a killed program had begun to write; their calls never returned."""
    put_aside: int = 0
    """Stretches that could not be stored and lie beside the spool as ``.bad`` files."""
    adopted: int = 0
    """Files taken over from programs that are gone."""


class _Item(NamedTuple):
    frame: Frame
    record: SpanRecord | dict[str, Any] | None
    """A span, a row of ``usages``, or None for what cannot be read."""
    seen: Seen | None = None
    """The group of unregistered prompts that a span is counted into."""


class Drain:
    """Moves batches. One thread at a time."""

    def __init__(self, database: Database, device: str, price: Price, pause: Callable[[], bool]) -> None:
        """pause: called between slices, lets the program's threads go on if they are busy, and says whether they are."""
        self.counts = Counts()
        self._database = database
        self._device = device
        self._price = price
        self._pause = pause
        self._prices_fail = False
        """Looking at the prices failed for this batch."""
        self._told = False
        """That prices fail was logged."""
        self._prompts: set[str] = set()
        self.in_database = False
        """Inside a transaction, which may have to wait for others."""
        self._linker = CallLinker(database)

    def begin(self, file: SpoolFile) -> None:
        """Ask how far a file of another program has come already."""
        with self._database.lean() as lean:
            file.done = spool_marks.done_bytes(lean, file.name)

    def move(self, file: SpoolFile, upto: int) -> None:
        """Bring one batch of ``file`` into the database, not beyond byte ``upto``; raises StoreError, then nothing moved."""
        start = file.done
        frames, torn = self._frames(file, start, upto)
        if torn and not file.orphan:
            frames, torn = [*frames, Frame(frames[-1].stop if frames else start, upto, None)], False
        items: list[_Item] = []
        self._linker.begin_batch()
        self._look_at_prices()
        for first, last in self._slices(len(frames)):
            items += self._items(frames[first:last])
        if items:
            self._store(file, start, items)
        if torn and file.done == (items[-1].frame.stop if items else start):
            self.counts.torn += 1
            file.end = file.done

    def remove(self, file: SpoolFile) -> None:
        """Delete a file that is in the database as a whole, and its mark after it."""
        file.remove()
        if file.done:
            with self._database.lean_write() as lean:
                spool_marks.forget(lean, [file.name])

    def sweep(self, existing: Callable[[], Sequence[str]]) -> None:
        """Drop this device's marks of files that are gone (a program was killed between removing and forgetting)."""
        with self._database.lean() as lean:
            marked = spool_marks.of_device(lean, self._device)
        if set(marked) - set(existing()):
            with self._database.lean_write() as lean:
                marked = spool_marks.of_device(lean, self._device)
                spool_marks.forget(lean, sorted(set(marked) - set(existing())))

    def _frames(self, file: SpoolFile, start: int, upto: int) -> tuple[list[Frame], bool]:
        """The frames of the next batch, and whether the file ends in a torn one after them."""
        frames, torn = spool.read_frames(
            file.read(start, min(BATCH_BYTES, upto - start)), start, whole=start + BATCH_BYTES >= upto
        )
        if frames or torn:
            return frames, torn
        # A record larger than a batch.
        size = 2 * spool.MAX_BODY
        return spool.read_frames(file.read(start, min(size, upto - start)), start, whole=start + size >= upto)

    def _slices(self, count: int) -> Iterator[tuple[int, int]]:
        """From and to of one slice after another, with a pause between two."""
        first = 0
        while first < count:
            last = first + (BUSY_SLICE if self._pause() else SLICE)
            yield first, min(last, count)
            first = last

    def _items(self, frames: Sequence[Frame]) -> list[_Item]:
        """What frames hold, model calls linked to their prompts."""
        read = [self._record(frame) for frame in frames]
        self._linker.learn([record for record in read if isinstance(record, dict)])
        linked = iter(self._linker.link([record for record in read if isinstance(record, SpanRecord)]))
        return [
            _Item(frame, *next(linked)) if isinstance(record, SpanRecord) else _Item(frame, record)
            for frame, record in zip(frames, read, strict=True)
        ]

    def _record(self, frame: Frame) -> SpanRecord | dict[str, Any] | None:
        if frame.body is None:
            return None
        try:
            if spool_usage.is_usage(frame.body):
                return spool_usage.decode(frame.body)
            return telemetry.check_span(self._span(frame.body))
        except Exception as error:  # Whatever a record holds, the records after it go on.
            log.warning("a record cannot be read: %s", type(error).__name__)
            return None

    def _span(self, body: bytes) -> SpanRecord:
        started_us, duration_us, counts, cost, flags, texts, attributes, first_us = spool_reading.decode(body)
        (
            trace_id, span_id, parent, kind, status, provider, model, agent, environment, error_type, prompt, prompt_id,
            version_id, execution_id, name, session, user, error, given, made,
        ) = texts  # fmt: skip
        tokens = telemetry.NO_TOKENS if counts is spool_reading.UNKNOWN else TokenUsage(*counts)
        unpriced, card = False, None
        if model is not None and status in TERMINAL:
            provider, model, known, priced_by = self._priced(provider, model, tokens, started_us)
            if cost is None:
                cost, card = known, priced_by
            unpriced = cost is None and (status == "succeeded" or tokens.total is not None)
        if prompt is not None and prompt_id is None:
            prompt_id = ids.prompt_id(prompt)
        return SpanRecord(
            trace_id or "", span_id or "", name or "", kind or "", status or "", started_us, duration_us, parent,
            provider, model, prompt_id, version_id, execution_id, tokens, cost, unpriced, agent, environment or "",
            session, user, error_type, error, given, made, NO_ATTRIBUTES, flags, attributes,
            first_us, card,
        )  # fmt: skip

    def _look_at_prices(self) -> None:
        """Raises StoreError; whatever else goes wrong, calls are stored without a price."""
        self._prices_fail = False
        try:
            self._price.begin()
        except StoreError:
            raise
        except Exception as error:
            self._prices_fail = True
            self._tell_of_prices(error)

    def _priced(self, provider: str | None, model: str, tokens: TokenUsage, at_us: int) -> Known:
        if not self._prices_fail:
            try:
                return self._price(provider, model, tokens, at_us)
            except Exception as error:  # A call that cannot be priced is still a call.
                self._tell_of_prices(error)
        return provider, model, None, None

    def _with_cards(self, lean: Lean, records: list[SpanRecord]) -> list[SpanRecord]:
        """The records with the keys of rate cards that are new to the database, without a price where that fails."""
        try:
            keys = self._price.intern(lean)
        except _OF_THE_DATABASE:
            raise
        except Exception as error:
            self._tell_of_prices(error)
            return [_unpriced(r) if r.card_id is not None and r.card_id < 0 else r for r in records]
        if not keys:
            return records
        return [r if (card := r.card_id) is None or card > 0 else replace(r, card_id=keys[card]) for r in records]

    def _tell_of_prices(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            log.warning("calls are stored without a price: %s", type(error).__name__)

    def _store(self, file: SpoolFile, start: int, items: list[_Item]) -> None:
        for item in items:
            if item.record is None:
                self._put_aside(file, item.frame)
        self.in_database = True
        try:
            self._commit(file, start, items)
        except _OF_THE_DATABASE:
            raise
        except Exception:
            self._store_singly(file, items)
        finally:
            self.in_database = False

    def _store_singly(self, file: SpoolFile, items: list[_Item]) -> None:
        """Find out which record the database refuses, and leave only that one out."""
        for item in items:
            try:
                self._commit(file, item.frame.start, [item])
            except _OF_THE_DATABASE:
                raise
            except Exception as error:
                log.warning("a record cannot be stored: %s", type(error).__name__)
                self._put_aside(file, item.frame)
                # Were it the database that is at fault, this would fail as well.
                self._commit(file, item.frame.start, [_Item(item.frame, None)])

    def _commit(self, file: SpoolFile, start: int, items: list[_Item]) -> None:
        """Write the records and how far the file has come with them, all or nothing."""
        stop = items[-1].frame.stop
        records = [item.record for item in items if isinstance(item.record, SpanRecord)]
        seen = [item.seen for item in items if isinstance(item.record, SpanRecord)]
        usages = [item.record for item in items if isinstance(item.record, dict)]
        owner = owner_of(self._device, adopted=file.orphan)
        with self._database.lean_write() as lean:
            done = spool_marks.done_bytes(lean, file.name)
            if done == start:
                for first, last in self._slices(len(usages)):
                    spool_usage.insert(lean, usages[first:last])
                records = self._with_cards(lean, records)
                for first, last in self._slices(len(records)):
                    keys = telemetry.write_spans(lean, self._with_prompts(lean, records[first:last]), owner)
                    self._linker.count(lean, seen[first:last], keys)
                spool_marks.advance(lean, file.name, self._device, stop, clock.now_us())
        if done != start:
            # Another process drained it meanwhile, or the database is an older copy.
            file.done = done
            return
        file.done = stop
        self._price.keep()
        stored = len(records) + len(usages)
        self.counts.drained += stored
        self.counts.put_aside += len(items) - stored

    def _with_prompts(self, lean: Lean, records: list[SpanRecord]) -> list[SpanRecord]:
        """The records, without the ids of prompts that the ledger does not know."""
        return [
            record
            if record.prompt_id is None or self._is_prompt(lean, record.prompt_id)
            else replace(record, prompt_id=None)
            for record in records
        ]

    def _is_prompt(self, lean: Lean, prompt_id: str) -> bool:
        if prompt_id in self._prompts:
            return True
        if not telemetry.is_prompt(lean, prompt_id):
            return False
        if len(self._prompts) >= _KNOWN_PROMPTS:
            self._prompts.clear()
        self._prompts.add(prompt_id)
        return True

    def _put_aside(self, file: SpoolFile, frame: Frame) -> None:
        try:
            path = spool.put_aside(file, frame)
        except OSError as error:
            raise StoreError(f"a record that cannot be stored cannot be put aside either ({error})") from error
        log.warning("put aside what could not be stored: %s", path)


def _unpriced(record: SpanRecord) -> SpanRecord:
    return replace(record, cost_nusd=None, card_id=None, unpriced=True)
