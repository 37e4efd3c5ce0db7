"""What a call will cost about, before it is sent: its messages, and an answer as long as this prompt's usual ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain.values import TokenUsage
from ledger_tui.store import answer_lengths, budgets

if TYPE_CHECKING:
    from ledger_tui.domain.calls import ChatMessage, ModelName
    from ledger_tui.services.price_book import PriceBook
    from ledger_tui.store.database import Database

CALLS = 100
"""How many of a prompt's last answers are looked at."""


class Expectation:
    """Works it out where a budget asks for it. Thread-safe."""

    def __init__(self, database: Database, book: PriceBook, address: Callable[[str], str | None]) -> None:
        """address: where a provider is called when that is not its own address."""
        self._database = database
        self._book = book
        self._address = address

    def __call__(self, prompt: str | None, model: ModelName, messages: Sequence[ChatMessage]) -> int | None:
        """Nano-dollars; None without a budget, and where no price is known.

        The answer counts with the median length of the prompt's last ones with this model, as nothing before the first.
        """
        from ledger_tui.domain.tokens import estimate_tokens

        with self._database.lean() as lean:
            if not budgets.entries(lean):
                return None
            lengths = None
            if prompt is not None:
                lengths = answer_lengths.history(lean, prompt, f"{model.provider}/{model.model}", CALLS)
        given = sum(estimate_tokens(message.text) for message in messages)
        tokens = TokenUsage(input=given, output=0 if lengths is None else lengths.median)
        address = self._address(model.provider)
        priced = self._book.price(model.provider, [model.model], tokens, self._database.now_us(), address)
        return None if priced is None else priced.nusd
