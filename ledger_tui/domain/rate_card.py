"""The rates that calls are charged by, and the one arithmetic that makes an amount of them.

A card is everything of a receipt except tokens and amounts: kept once, it gives a call's receipt again from its tokens, to
the nano-dollar. All of it is whole numbers: rates in USD per million become nano-dollars a token over a power of ten, the
call's sum is rounded once, half even.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ledger_tui.domain.values import TokenUsage

CLASSES = ("input", "cache_read", "cache_write", "output", "reasoning")
"""Token classes in the order of a receipt. Input excludes here what was read from or written to a cache; output excludes
reasoning."""
MAX_TOKENS = 2**53
MAX_CALL_NUSD = 10**15
"""A million dollars for one call is a mistake: such a call is unpriced."""
Rates = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
"""USD per million tokens of each of ``CLASSES``."""
Counts = tuple[int, int, int, int, int]
"""Tokens of each of ``CLASSES``; their sum is input and output together."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The price of one call. ``receipt`` is plain JSON; its amounts add up to ``nusd`` exactly."""

    nusd: int
    receipt: dict[str, Any]
    card: RateCard


@dataclass(frozen=True, slots=True)
class RateCard:
    """Rates with where they are from. Equal cards have equal ``body()``."""

    source: str
    """own, genai-prices, offline, or the name of a book file."""
    rates: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()
    """(number of input tokens above which they hold for the whole call, rates), ascending."""
    provider: str = ""
    model: str = ""
    version: str = ""
    """Of the library."""
    price_from: str | None = None
    """ISO day or moment from which the price holds; None: since ever."""
    entry: str = ""
    """The id of the team's own price entry."""
    note: str = ""
    _meter: list[Meter] = field(default_factory=list, compare=False, repr=False)

    @property
    def meter(self) -> Meter:
        """The card's arithmetic, made once."""
        if not self._meter:
            self._meter.append(Meter(self))
        return self._meter[0]

    def body(self) -> dict[str, Any]:
        """The card as plain JSON; what it does not say is left out."""
        told = {
            "version": self.version,
            "provider": self.provider,
            "model": self.model,
            "price_from": self.price_from,
            "entry": self.entry,
            "note": self.note,
        }
        body: dict[str, Any] = {"source": self.source, "rates": _texts(self.rates)}
        if self.tiers:
            body["tiers"] = [{"above": above, "rates": _texts(rates)} for above, rates in self.tiers]
        return body | {name: value for name, value in told.items() if value}

    def price(self, tokens: TokenUsage, at_us: int) -> Priced | None:
        """The price of a call made at ``at_us``; None when its tokens are unknown, contradict each other or are absurd."""
        counts = counted(tokens)
        if counts is None:
            return None
        tier, numerators = self.meter.row(sum(counts[:3]))
        exact, before = 0, 0
        lines: list[dict[str, Any]] = []
        for name, count, rate, numerator in zip(CLASSES, counts, self._rates_of(tier), numerators, strict=True):
            if not count:
                continue
            exact += count * numerator
            total = rounded(exact, self.meter.denominator)
            lines.append({"class": name, "tokens": count, "usd_per_million": f"{rate:f}", "nusd": total - before})
            before = total
        if before > MAX_CALL_NUSD:
            return None
        return Priced(before, self._receipt(tier, lines, before, at_us), self)

    def _rates_of(self, tier: int | None) -> Rates:
        return self.rates if tier is None else next(rates for above, rates in self.tiers if above == tier)

    def _receipt(self, tier: int | None, lines: list[dict[str, Any]], total: int, at_us: int) -> dict[str, Any]:
        """``body`` and what is of this call only; amounts are differences of the rounded running sum, so they add up."""
        receipt = {**self.body(), "currency": "USD", "lines": lines, "total_nusd": total, "priced_at_us": at_us}
        if tier is not None:
            receipt["tier_above"] = tier
        return receipt


def card_of(body: Mapping[str, Any]) -> RateCard | None:
    """The card of a ``body()`` or of a receipt made by ``price``; None for anything else."""
    try:
        return RateCard(
            str(body["source"]),
            _rates(body["rates"]),
            tuple((int(tier["above"]), _rates(tier["rates"])) for tier in body.get("tiers", ())),
            provider=str(body.get("provider") or ""),
            model=str(body.get("model") or ""),
            version=str(body.get("version") or ""),
            price_from=body.get("price_from"),
            entry=str(body.get("entry") or ""),
            note=str(body.get("note") or ""),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


class Meter:
    """A card's rates as whole numbers: nano-dollars a token over ``denominator`` (a power of ten)."""

    __slots__ = ("denominator", "rows", "starts")

    def __init__(self, card: RateCard) -> None:
        tables = [card.rates, *(rates for _, rates in card.tiers)]
        scale = max(0, *(-int(rate.as_tuple().exponent) for table in tables for rate in table)) - 3
        scale = max(0, scale)
        self.denominator = 10**scale
        self.starts = [above for above, _ in card.tiers]
        self.rows: list[Counts] = [_numerators(table, scale) for table in tables]

    def row(self, input_tokens: int) -> tuple[int | None, Counts]:
        """The tier that a call with so many input tokens is in (None: the base), and its numerators."""
        at = bisect_left(self.starts, input_tokens)
        return (self.starts[at - 1] if at else None), self.rows[at]

    def nusd(self, given: int, read: int, written: int, made: int, thought: int) -> int:
        """Nano-dollars of a call with sound counts; ``given`` includes both caches, ``made`` reasoning."""
        first, second, third, fourth, fifth = (
            self.rows[bisect_left(self.starts, given)] if self.starts else self.rows[0]
        )
        exact = (given - read - written) * first + read * second + written * third
        exact += (made - thought) * fourth + thought * fifth
        return exact if self.denominator == 1 else rounded(exact, self.denominator)


def counted(tokens: TokenUsage) -> Counts | None:
    """Tokens by class; None when input or output is unknown, or the counts cannot be true."""
    given = (tokens.input, tokens.cache_read, tokens.cache_write, tokens.output, tokens.reasoning)
    if tokens.input is None or tokens.output is None:
        return None
    for count in given:
        if count is not None and (type(count) is not int or not 0 <= count <= MAX_TOKENS):
            return None
    read, written, thought = tokens.cache_read or 0, tokens.cache_write or 0, tokens.reasoning or 0
    if read + written > tokens.input or thought > tokens.output:
        return None
    return tokens.input - read - written, read, written, tokens.output - thought, thought


def rounded(exact: int, denominator: int) -> int:
    """The whole number nearest to a fraction, the even one of two that are as near."""
    whole, rest = divmod(exact, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))


def _numerators(rates: Rates, scale: int) -> Counts:
    first, second, third, fourth, fifth = (int(rate.scaleb(3 + scale)) for rate in rates)
    return first, second, third, fourth, fifth


def _texts(rates: Sequence[Decimal]) -> dict[str, str]:
    return {name: f"{rate:f}" for name, rate in zip(CLASSES, rates, strict=True)}


def _rates(texts: Mapping[str, Any]) -> Rates:
    first, second, third, fourth, fifth = (Decimal(str(texts[name])) for name in CLASSES)
    if not all(rate.is_finite() and rate >= 0 for rate in (first, second, third, fourth, fifth)):
        raise ValueError("a rate is not an amount of money")
    return first, second, third, fourth, fifth
