"""What runs will cost before they are made: tokens of the input, and answers as long as this prompt's were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import InputError
from ledger_tui.store import answer_lengths

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import LengthHistory
    from ledger_tui.domain.calls import ChatMessage
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.price_book import PriceBook
    from ledger_tui.store.database import Database

CALLS = 500
"""How many of a prompt's last answers are looked at."""
MAX_RUNS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """A figure for short answers (5th percentile), middling ones (median) and long ones (95th percentile)."""

    low: int
    median: int
    p95: int

    def times(self, factor: int) -> Range:
        """The figures of so many times as many runs."""
        return Range(self.low * factor, self.median * factor, self.p95 * factor)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What ``runs`` calls of one model will take; approximate, for input tokens are counted by a rule.

    Ranges are of all runs together, as if every answer had that length. None is unknown and never zero: no answer's
    length without a call of the prompt, no cost without a price.
    """

    model: str
    """provider/model."""
    runs: int
    input_tokens: int
    """Of all runs."""
    output_tokens: Range | None
    cost_nusd: Range | None
    input_cost_nusd: int | None
    """What the input alone costs: the least there is to pay."""
    seen: int
    """How many answers the lengths are from."""
    of_this_model: bool
    """Whether those were this model's; else any model's with this prompt."""

    def times(self, factor: int) -> Forecast:
        """The forecast of so many times as many runs."""
        return replace(
            self,
            runs=self.runs * factor,
            input_tokens=self.input_tokens * factor,
            output_tokens=self.output_tokens and self.output_tokens.times(factor),
            cost_nusd=self.cost_nusd and self.cost_nusd.times(factor),
            input_cost_nusd=None if self.input_cost_nusd is None else self.input_cost_nusd * factor,
        )


class ForecastService:
    """Works out forecasts. Thread-safe; one read each."""

    def __init__(
        self, database: Database, models: ModelService, book: PriceBook, *, before_read: Callable[[], None]
    ) -> None:
        """before_read: called before each read; brings in what is recorded but not stored yet."""
        self._database = database
        self._models = models
        self._book = book
        self._before_read = before_read

    def forecast(
        self,
        subject: PromptContent | Sequence[ChatMessage],
        models: Sequence[str],
        *,
        prompt: str | None = None,
        runs: int = 1,
    ) -> list[Forecast]:
        """A forecast for each model, in their order; raises InputError for a model or a number of runs that is none.

        subject: rendered messages, or a content whose templates are counted as they are. prompt: whose answers tell the
        length.
        """
        from ledger_tui.domain.tokens import estimate_tokens

        if not 1 <= runs <= MAX_RUNS:
            raise InputError(f"{runs} runs cannot be forecast", remedy=f"Give 1 to {MAX_RUNS} runs.")
        texts = subject.templates if isinstance(subject, PromptContent) else [message.text for message in subject]
        given = sum(estimate_tokens(text) for text in texts)
        self._before_read()
        return [self._of_model(given, model, prompt, runs) for model in models]

    def _of_model(self, given: int, model: str, prompt: str | None, runs: int) -> Forecast:
        name = self._models.resolve(model)
        full = f"{name.provider}/{name.model}"
        lengths, own = self._lengths(prompt, full)

        def cost(output: int) -> int | None:
            tokens = TokenUsage(input=given, output=output)
            at_us, address = self._database.now_us(), self._models.own_address(name.provider)
            priced = self._book.price(name.provider, [name.model], tokens, at_us, address)
            return None if priced is None else priced.nusd * runs

        costs = None if lengths is None else [cost(length) for length in (lengths.low, lengths.median, lengths.p95)]
        known = None if costs is None or None in costs else Range(*(one for one in costs if one is not None))
        return Forecast(
            model=full,
            runs=runs,
            input_tokens=given * runs,
            output_tokens=None
            if lengths is None
            else Range(lengths.low * runs, lengths.median * runs, lengths.p95 * runs),
            cost_nusd=known,
            input_cost_nusd=cost(0),
            seen=lengths.calls if lengths else 0,
            of_this_model=own,
        )

    def _lengths(self, prompt: str | None, model: str) -> tuple[LengthHistory | None, bool]:
        if prompt is None:
            return None, False
        with self._database.lean() as lean:
            own = answer_lengths.history(lean, prompt, model, CALLS)
            return (own, True) if own else (answer_lengths.history(lean, prompt, None, CALLS), False)
