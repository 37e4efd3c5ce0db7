"""What calls cost and how they went, by any grouping: tables, totals, periods side by side, days that stand out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.domain.call_stats import Breakdown, CallStats, Comparison
from ledger_tui.domain.selection import Grouping, Selection, last_days
from ledger_tui.services.call_groups import Order, asked_of, breakdowns_of, totals, wanted, with_measures

if TYPE_CHECKING:
    from datetime import date

    from ledger_tui.domain.call_stats import LengthHistory, Spike
    from ledger_tui.store.database import Database


class CallStatsService:
    """Reading the sums of finished model calls. Thread-safe; every call is one read transaction."""

    def __init__(self, database: Database, *, before_read: Callable[[], None]) -> None:
        """before_read: called before each read; brings in what is recorded but not stored yet."""
        self._database = database
        self._before_read = before_read

    def today(self) -> date:
        """The UTC day that it is in this ledger (an earlier one when it is looked at as of a moment)."""
        return clock.from_us(self._database.now_us()).date()

    def last_days(self, days: int = 30) -> Selection:
        """All calls of the last days, today included; raises InputError."""
        return last_days(days, self.today())

    def breakdown(
        self,
        by: Grouping,
        selection: Selection,
        *,
        order: Order | None = None,
        limit: int = 100,
        measured: bool = False,
    ) -> Breakdown:
        """The groups of a selection, largest first (days and keys ascending); raises InputError and NotFound.

        order: one of ``ORDERS``; None is by cost, and by day for days. Users and sessions have percentiles when the
        selection is limited further or with ``measured``: then calls are read one by one, seconds for a million of them.
        """
        asked = asked_of(by, order, limit)
        self._before_read()
        with self._database.lean() as lean:
            chosen = wanted(lean, selection)
            (found,) = breakdowns_of(lean, chosen, asked)
            return with_measures(lean, chosen, found) if measured else found

    def days_and_groups(
        self,
        by: Grouping,
        selection: Selection,
        *,
        order: Order | None = None,
        limit: int = 100,
        measured: bool = True,
    ) -> tuple[Breakdown, Breakdown]:
        """Two breakdowns of one moment: by day, all days that have a call, and by another grouping.

        Faster than one after the other, since they share a reading. measured: without, percentiles are left out, which
        takes half as long; groups ordered by one have theirs. Raises InputError and NotFound.
        """
        asked = asked_of("day", None, selection.days), asked_of(by, order, limit)
        self._before_read()
        with self._database.lean() as lean:
            days, groups = breakdowns_of(lean, wanted(lean, selection), *asked, measured=measured)
            return days, groups

    def totals(self, selection: Selection) -> CallStats:
        """All calls of a selection together; raises NotFound for a prompt or version that there is not."""
        self._before_read()
        with self._database.lean() as lean:
            return totals(lean, wanted(lean, selection))

    def compare(self, selection: Selection) -> Comparison:
        """A period beside the one of the same length before it; raises NotFound, and InputError where there is none."""
        before = selection.previous
        self._before_read()
        with self._database.lean() as lean:
            chosen = wanted(lean, selection)
            return Comparison(totals(lean, chosen), totals(lean, chosen._replace(selection=before)))

    def spikes(self, selection: Selection, *, history_days: int = 14) -> list[Spike]:
        """What stands out on the last day of the selection from the days before it, the farthest first.

        Error rate, 95th percentile of latency and cost, of all calls, each model and each prompt, beside the median of
        ``history_days`` days before; groups and days with few calls are left out. Raises NotFound.
        """
        from ledger_tui.services.spikes import find

        self._before_read()
        with self._database.lean() as lean:
            return find(lean, wanted(lean, selection), history_days)

    def length_history(self, prompt: str, model: str | None = None, *, calls: int = 500) -> LengthHistory | None:
        """How long the last answers of a prompt were; None when none is known. model: ``provider/model`` or a bare name."""
        from ledger_tui.store.answer_lengths import history

        self._before_read()
        with self._database.lean() as lean:
            return history(lean, prompt, model, calls)
