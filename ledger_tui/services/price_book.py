"""The one place where calls get their price: own entries as the journal has them now, over the public book.

Entries are read once and again when the journal has grown. Whoever prices says when to look: a run looks each time, the
drain of recorded spans once a batch; so a price entered by another program counts from its commit on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ledger_tui.domain.price_entries import OwnPrices
from ledger_tui.errors import LedgerError, StoreError

if TYPE_CHECKING:
    from ledger_tui.domain.rate_card import Priced
    from ledger_tui.domain.values import TokenUsage
    from ledger_tui.pricing.prices import PriceList
    from ledger_tui.services.models import ModelService
    from ledger_tui.store.database import Database


class PriceBook:
    """Prices of this database. Thread-safe: what is read is replaced as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._list: PriceList | None = None
        self._seq = -1
        self.last_card = -1
        """The newest rate card as of the last look; it only grows while the database is the same one."""

    def look(self) -> PriceList:
        """The prices as they stand now: one small read, more when the journal has grown. Raises StoreError."""
        from ledger_tui.store import prices as reads

        with self._database.lean() as lean:
            seq, card = reads.stamp(lean)
            known = self._list
            if known is None or seq != self._seq:
                own = OwnPrices(reads.entries(lean))
                known = None if known is None or own.rows != known.own.rows else known
                if known is None:
                    from ledger_tui.pricing.prices import PriceList

                    known = PriceList(own)
            self._list, self._seq, self.last_card = known, seq, card
        return known

    def price(
        self, provider: str, models: Iterable[str], tokens: TokenUsage, at_us: int, address: str | None = None
    ) -> Priced | None:
        """The price of a call by the names it goes by; None when unknown.

        Where the database cannot be read now, the prices are those of the last look.
        """
        try:
            found: PriceList | None = self.look()
        except StoreError:
            found = self._list
        return None if found is None else found.price(provider, models, tokens, at_us, address)


def own_address(models: ModelService, provider: str) -> str | None:
    """The address that a provider is called at when it is not its own; None also for one that is not set up."""
    try:
        return models.own_address(provider)
    except LedgerError:
        return None
