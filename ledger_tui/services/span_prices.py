"""Prices of recorded calls: told by the model's name when the caller gave no cost, and never guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.domain.values import TokenUsage
    from ledger_tui.services.models import ModelService

KEEP_US = 60_000_000
"""How long a look-up of a name holds: settings and lists of models change."""
MAX_NAMES = 1_000
Named = tuple[str | None, str, str | None]


class SpanPrices:
    """Says of a recorded call which provider and model it was and what it cost. For one thread at a time."""

    def __init__(self, models: Callable[[], ModelService]) -> None:
        self._models = models
        self._names: dict[tuple[str | None, str], Named] = {}
        self._until_us = 0

    def __call__(
        self, provider: str | None, model: str, tokens: TokenUsage, at_us: int
    ) -> tuple[str | None, str, int | None]:
        """Provider (None when the name does not tell it), model, and nano-dollars (None when the price is unknown)."""
        named, name, address = self._name(provider, model)
        if named is None or tokens.input is None or tokens.output is None:
            return named, name, None
        from ledger_tui.pricing.book import price_call

        priced = price_call(named, name, tokens, at_us, base_url=address)
        return named, name, None if priced is None else priced.nusd

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
