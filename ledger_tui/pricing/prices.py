"""Which rates a call is charged by: the team's own entry that held at its start, else the public book's.

Pure: entries are handed in. One object answers for one set of entries; whoever learns of other entries makes another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from ledger_tui.domain.price_entries import OwnPrices
from ledger_tui.domain.rate_card import Priced, RateCard, counted
from ledger_tui.domain.values import TokenUsage
from ledger_tui.pricing import book

DAY_US: Final = 86_400_000_000
MAX_KEPT = 50_000
_CHANGES: Final = "changes"
Books = Literal["both", "own", "library"]


class PriceList:
    """Rates by provider, model and moment. Safe for several threads."""

    def __init__(self, own: OwnPrices, books: Books = "both") -> None:
        """books: where to look; in both, an own price wins."""
        self.own = own
        self._books: Books = books
        self._hourly: dict[tuple[str, str, str | None], bool] = {}
        self._same: dict[RateCard, RateCard] = {}
        """One object for equal cards, so that whoever keeps cards can go by the object."""
        self._days: dict[tuple[str, str, str | None, int], RateCard | Literal["changes"] | None] = {}

    def card(self, provider: str, model: str, at_us: int, address: str | None = None) -> RateCard | None:
        """The rates of a model for a call that started at ``at_us``, None when no price is known.

        address: where it was called when that is not the provider's own address; the public book then goes by it.
        """
        key = (provider, model, address, at_us // DAY_US)
        found = self._days.get(key, _CHANGES)
        if found is not _CHANGES:
            return found  # type: ignore[return-value]
        if key in self._days:
            return self._look(provider, model, at_us, address)
        if len(self._days) >= MAX_KEPT:
            self._days.clear()
        card = self._look(provider, model, at_us, address)
        self._days[key] = _CHANGES if self.changes(provider, model, at_us, address) else card
        return card

    def price(
        self, provider: str, models: Iterable[str], tokens: TokenUsage, at_us: int, address: str | None = None
    ) -> Priced | None:
        """The price of a call that goes by several names (the one served, the one asked for); None when unknown.

        An own price of any of them wins over the public book.
        """
        if counted(tokens) is None:
            return None
        cards = [self.card(provider, model, at_us, address) for model in dict.fromkeys(models) if model]
        known = [card for card in cards if card is not None]
        found = next((card for card in known if card.entry), known[0] if known else None)
        return None if found is None else found.price(tokens, at_us)

    def _look(self, provider: str, model: str, at_us: int, address: str | None) -> RateCard | None:
        card = None if self._books == "library" else self.own.card(provider, model, at_us)
        if card is None and self._books != "own":
            card = book.library_card(provider, model, at_us, base_url=address)
        return None if card is None else self._same.setdefault(card, card)

    def changes(self, provider: str, model: str, at_us: int, address: str | None) -> bool:
        """Whether the price changes within the UTC day of ``at_us``."""
        first = at_us // DAY_US * DAY_US
        if self._books != "library" and self.own.changes_between(provider, model, first, first + DAY_US - 1):
            return True
        if self._books == "own":
            return False
        key = (provider, model, address)
        if key not in self._hourly:
            self._hourly[key] = book.changes_within_days(provider, model, base_url=address)
        return self._hourly[key]
