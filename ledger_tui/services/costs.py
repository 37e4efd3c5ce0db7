"""What was spent, from the maintained sums of days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.domain.values import CostRow
from ledger_tui.errors import InputError
from ledger_tui.store import costs as reads

if TYPE_CHECKING:
    from ledger_tui.store.database import Database


class CostService:
    """Sums of finished model calls. Days are UTC."""

    def __init__(self, database: Database, *, before_read: Callable[[], None] | None = None) -> None:
        """before_read: called before each read; brings in what is recorded but not stored yet."""
        self._database = database
        self._before_read = before_read or (lambda: None)

    def by(self, grouping: tuple[str, ...], days: int = 30) -> list[CostRow]:
        """Sums of the last ``days`` days (today included) by day, provider, model, prompt or environment."""
        today = clock.from_us(self._database.now_us()).date()
        return self.between(grouping, today - timedelta(days=max(0, days - 1)), today)

    def between(self, grouping: tuple[str, ...], since: date, until: date) -> list[CostRow]:
        """Sums of UTC days, both included, grouped as ``by`` does; raises InputError for another grouping."""
        unknown = [name for name in grouping if name not in reads.GROUPS]
        if unknown:
            raise InputError(f"costs are not grouped by {unknown[0]}", remedy=f"Group by {', '.join(reads.GROUPS)}.")
        self._before_read()
        with self._database.lean() as lean:
            return reads.by(lean, grouping, since.isoformat(), until.isoformat())

    def by_day(self, days: int = 30) -> list[CostRow]:
        """Sums by day; days without a call are left out."""
        return self.by(("day",), days)

    def today(self) -> CostRow:
        """The sum of this UTC day."""
        return self.by((), 1)[0]
