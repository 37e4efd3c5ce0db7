"""Prices of recorded calls: told by the model's name when the caller gave no cost, and never guessed.

The rates that a call is charged by are kept in the transaction that stores it. Until then a card that the database may not
know has a number below zero, which ``intern`` replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.domain.rate_card import RateCard
    from ledger_tui.domain.values import TokenUsage
    from ledger_tui.pricing.prices import PriceList
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.price_book import PriceBook
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

KEEP_US = 60_000_000
"""How long a look-up of a name holds: settings and lists of models change."""
MAX_NAMES = 1_000
MAX_CARDS = 10_000
Named = tuple[str | None, str, str | None]
Known = tuple[str | None, str, int | None, int | None]
"""Provider (None when the name does not tell it), model, nano-dollars and rate card (None when the price is unknown)."""


class SpanPrices:
    """Says of a recorded call which provider and model it was and what it cost. For one thread at a time."""

    def __init__(self, models: Callable[[], ModelService], database: Database) -> None:
        self._models = models
        self._database = database
        self._names: dict[tuple[str | None, str], Named] = {}
        self._until_us = 0
        self._book: PriceBook | None = None
        self._list: PriceList | None = None
        self._cards: dict[int, tuple[RateCard, int]] = {}
        """By object: the card and its key in the database, or a number below zero."""
        self._new: list[RateCard] = []
        self._interned: dict[int, int] = {}
        self._newest = 0
        self._limit_nusd = 0

    def begin(self) -> None:
        """Look at the prices once for the records that follow; raises StoreError."""
        if self._book is None:
            from ledger_tui.domain.rate_card import MAX_CALL_NUSD
            from ledger_tui.services.price_book import PriceBook

            self._limit_nusd = MAX_CALL_NUSD
            self._book = PriceBook(self._database)
        found = self._book.look()
        if found is not self._list or len(self._cards) > MAX_CARDS:
            self._list, self._cards = found, {}
        newest = self._book.last_card
        if self._newest > newest:
            self._cards = {}
        self._newest = newest
        if self._new:
            self._cards = {at: known for at, known in self._cards.items() if known[1] > 0}
            self._new, self._interned = [], {}

    def __call__(self, provider: str | None, model: str, tokens: TokenUsage, at_us: int) -> Known:
        """What a finished call was and cost, by the prices as ``begin`` found them."""
        named, name, address = self._name(provider, model)
        given, made = tokens.input, tokens.output
        if given is None or made is None or self._list is None:
            return named, name, None, None
        card = self._list.card(named or "", name, at_us, address)
        read, written, thought = tokens.cache_read or 0, tokens.cache_write or 0, tokens.reasoning or 0
        if card is None or read + written > given or thought > made:
            return named, name, None, None
        nusd = card.meter.nusd(given, read, written, made, thought)
        if nusd > self._limit_nusd:
            return named, name, None, None
        known = self._cards.get(id(card))
        if known is None:
            self._new.append(card)
            known = self._cards[id(card)] = (card, -len(self._new))
        return named, name, nusd, known[1]

    def intern(self, lean: Lean) -> Mapping[int, int]:
        """The keys of the cards that have numbers below zero, kept now; inside the transaction that stores the calls."""
        if not self._new:
            return {}
        from ledger_tui.store import rate_cards

        self._interned = {-number: rate_cards.card_id(lean, card.body()) for number, card in enumerate(self._new, 1)}
        return self._interned

    def keep(self) -> None:
        """What ``intern`` gave is in the database."""
        for number, key in self._interned.items():
            card = self._new[-number - 1]
            self._cards[id(card)] = (card, key)
        self._newest = max(self._newest, *self._interned.values()) if self._interned else self._newest

    def _name(self, provider: str | None, model: str) -> Named:
        now_us = clock.now_us()
        if not self._until_us - KEEP_US <= now_us < self._until_us or len(self._names) >= MAX_NAMES:
            self._names.clear()
            self._until_us = now_us + KEEP_US
        found = self._names.get((provider, model))
        if found is None:
            found = self._names[provider, model] = self._look_up(provider, model)
        return found

    def _look_up(self, provider: str | None, model: str) -> Named:
        models = self._models()
        if provider is None:
            try:
                name = models.resolve(model)
            except LedgerError:
                return None, model, None
            provider, model = name.provider, name.model
        try:
            return provider, model, models.own_address(provider)
        except LedgerError:
            return provider, model, None
