"""Budgets: set, changed and removed as facts, and where spending stands against them."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from ledger_tui.domain import ids
from ledger_tui.domain.budgets import DEFAULT_WARN_PERCENT, BudgetRow, BudgetSpec, Standing, checked
from ledger_tui.domain.values import JournalRow
from ledger_tui.errors import InputError, NotFound
from ledger_tui.store import budgets as reads

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.registry import Pen


class BudgetService:
    """Limits on spending. Thread-safe; every change is one transaction and one action that ``registry.undo`` takes back."""

    def __init__(
        self,
        database: Database,
        *,
        author: Callable[[], str],
        device: Callable[[], str],
        before_read: Callable[[], None] = lambda: None,
    ) -> None:
        """before_read: called before spending is read; brings in what is recorded but not stored yet."""
        self._database = database
        self._author = author
        self._device = device
        self._settle = before_read

    def entries(self) -> list[BudgetRow]:
        """Every budget by scope and period."""
        with self._database.lean() as lean:
            return reads.entries(lean)

    def entry(self, rid: str) -> BudgetRow:
        """One budget by its id or the beginning of it that only it has; raises NotFound, InputError."""
        found = [row for row in self.entries() if rid and row.rid.startswith(rid)]
        if len(found) > 1:
            raise InputError(f"{len(found)} budgets have ids that begin with {rid}", remedy="Give more of it.")
        if not found:
            raise NotFound(f"there is no budget {rid}", title="No such budget", remedy="See: ledger-tui budgets")
        return found[0]

    def standings(self) -> list[Standing]:
        """Where every budget stands now, the fullest first."""
        if not self.entries():
            return []
        self._settle()
        now_us = self._database.now_us()
        with self._database.lean() as lean:
            found = [reads.standing(lean, row, now_us) for row in reads.entries(lean)]
        return sorted(found, key=lambda one: -one.share)

    def history(self, limit: int = 100) -> list[JournalRow]:
        """The newest facts about budgets."""
        with self._database.lean() as lean:
            rows = reads.history(lean, limit)
        return [JournalRow(*(*row[:6], json.loads(row[6]), *row[7:])) for row in rows]

    def set(
        self,
        limit: Decimal | str | float,
        period: str = "day",
        *,
        prompt: str | None = None,
        environment: str | None = None,
        warn_percent: int = DEFAULT_WARN_PERCENT,
        reason: str = "",
    ) -> BudgetRow:
        """Set the budget of a scope and period, in USD; the one that is there already is changed. Raises InputError.

        prompt: a name, or ``folder/*`` for all below it; None for all. A limit of 0 allows nothing that has a price.
        """
        from ledger_tui.store import budget_facts as writes

        spec = checked(limit, period, prompt=prompt, environment=environment, warn_percent=warn_percent)
        known = next((row for row in self.entries() if _same_place(row.spec, spec)), None)
        if known is not None and known.spec == spec:
            return known
        with self._database.session() as session:
            if known is None:
                rid = writes.add(session, self._pen(), spec, reason)
            else:
                rid = known.rid
                writes.write(session, self._pen(), rid, spec, reason)
        return self.entry(rid)

    def remove(self, rid: str, reason: str = "") -> BudgetRow:
        """Remove a budget by its id or a clear beginning of it; what it was. Raises NotFound, InputError."""
        from ledger_tui.store import budget_facts as writes

        known = self.entry(rid)
        with self._database.session() as session:
            writes.write(session, self._pen(), known.rid, None, reason)
        return known

    def _pen(self) -> Pen:
        from ledger_tui.store.registry import Pen

        return Pen(actor=self._author(), device=self._device(), action=ids.new_id())


def _same_place(a: BudgetSpec, b: BudgetSpec) -> bool:
    return (a.prompt, a.environment, a.period) == (b.prompt, b.environment, b.period)
