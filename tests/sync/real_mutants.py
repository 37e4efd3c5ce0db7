"""Faults planted in the tables' side of a sync: lives that pass with any of them prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.records import Delivered, Stream
from ledger_tui.domain.sync.standing import Applied, At
from ledger_tui.store import late_prices, sync_facts, sync_log, sync_shelves, sync_standing, sync_telemetry
from ledger_tui.store.sync_log import LedgerLog

Plant = Callable[[pytest.MonkeyPatch], None]


def cursor_first(patch: pytest.MonkeyPatch) -> None:
    """The cursor is committed before the rows it covers."""
    right = LedgerLog.apply

    def apply(
        self: LedgerLog, stream: Stream, cursor: Position, rows: Sequence[Delivered], upto: Position, at: At
    ) -> Applied:
        with self._database.lean_write() as lean:
            known = sync_standing.state(lean)
            if known.cursor(stream) == cursor:
                sync_standing.remember(lean, known, cursors={**known.cursors, stream: upto})
        at("apply.cursor")
        return right(self, stream, upto, rows, upto, at)

    patch.setattr(LedgerLog, "apply", apply)


def no_tombstones(patch: pytest.MonkeyPatch) -> None:
    """Retention does not remember what it removed."""
    patch.setattr(sync_standing, "note_pruned", lambda *_: None)


def late_price_twice(patch: pytest.MonkeyPatch) -> None:
    """A price that arrives is added to the sums without asking whether the call has one."""
    right = late_prices.take_in

    def take_in(lean: Any, key: int, **price: Any) -> bool:
        found = right(lean, key, **price)
        if found:
            lean.execute("UPDATE daily_costs SET cost_nusd = cost_nusd + :nusd", {"nusd": price["nusd"]})
        return found

    patch.setattr(late_prices, "take_in", take_in)


def settle_everybody(patch: pytest.MonkeyPatch) -> None:
    """An answer is written down for every row that waits, also for those that were not sent."""
    right = sync_shelves.Shelf.mark

    def mark(self: Any, lean: Any, standings: Any, before: str = "IS NULL") -> None:
        answered = list(standings)
        right(self, lean, answered, before)
        if before == "IS NULL" and any(seq for _, seq in answered):
            lean.execute(f"UPDATE {self.table} SET commit_seq = 1 WHERE commit_seq IS NULL")

    patch.setattr(sync_shelves.Shelf, "mark", mark)


def settle_blind(patch: pytest.MonkeyPatch) -> None:
    """An answer is written down for rows that became other records while it was awaited."""
    patch.setattr(sync_log, "_renamed", lambda *_: set())


def bodies_not_compared(patch: pytest.MonkeyPatch) -> None:
    """A record whose id is here counts as known, whatever it says."""
    right = sync_telemetry._without_known

    def without_known(lean: Any, rows: Sequence[Delivered], taken: Any) -> list[Delivered]:
        known = sync_telemetry._find(lean, [row.record for row in rows])
        mine = {rid: held.record for rid, (_, held) in known.items()}
        same = [Delivered(mine.get(r.record.rid, r.record), r.seq, mine.get(r.record.rid, r.record).hash) for r in rows]
        return right(lean, same, taken)

    patch.setattr(sync_telemetry, "_without_known", without_known)


def no_offer(patch: pytest.MonkeyPatch) -> None:
    """What a restored server lacks is not made pending again."""
    patch.setattr(LedgerLog, "offer", lambda *_: None)


def pending_stays(patch: pytest.MonkeyPatch) -> None:
    """Registry facts that come back in a page are not numbered."""
    right = sync_facts._Page._known

    def known(self: Any, mine: Any, row: Any) -> Any:
        before = len(self._numbers)
        found = right(self, mine, row)
        del self._numbers[before:]
        return found

    patch.setattr(sync_facts._Page, "_known", known)


MUTANTS: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        cursor_first, no_tombstones, late_price_twice, settle_everybody, settle_blind, bodies_not_compared, no_offer,
        pending_stays,
    )
}  # fmt: skip
