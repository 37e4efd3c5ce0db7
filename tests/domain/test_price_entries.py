"""Own prices: exact amounts, moments without doubt, and always the same choice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain import clock
from ledger_tui.domain.price_entries import (
    OwnPrices,
    PriceEntryRow,
    PriceSpec,
    amount,
    checked,
    from_value,
    iso,
    marked,
    moment_us,
)
from ledger_tui.domain.rate_card import CLASSES, RateCard, card_of
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import InputError
from ledger_tui.services.price_files import parse, seed, text

RATES = st.decimals(0, 1_000, places=6, allow_nan=False).map(abs)
COUNTS = st.integers(0, 3_000_000)


@st.composite
def usages(draw: Any) -> TokenUsage:
    """Usages that a provider could mean."""
    whole, made = draw(COUNTS), draw(COUNTS)
    read = draw(st.none() | st.integers(0, whole))
    written = draw(st.none() | st.integers(0, whole - (read or 0)))
    return TokenUsage(whole, read, written, made, draw(st.none() | st.integers(0, made)))


@st.composite
def specs(draw: Any) -> PriceSpec:
    """Prices of one model, some with tiers and ends."""
    prices = {"input": draw(RATES), "output": draw(RATES)}
    for name in ("cache_read", "cache_write", "reasoning"):
        if draw(st.booleans()):
            prices[name] = draw(RATES)
    above = draw(st.lists(st.integers(1, 2_000_000), max_size=2, unique=True))
    tiers = [{"above": start, "prices": {"input": draw(RATES), "output": draw(RATES)}} for start in above]
    start = draw(st.integers(0, 100))
    until = draw(st.none() | st.integers(start + 1, 120))
    return checked(
        "p", "m", prices, from_us=start, until_us=until, tiers=tiers, source=draw(st.sampled_from(["", "x"])), free=True
    )


def recount(card: RateCard, tokens: TokenUsage) -> int:
    """The price of a call in Decimal, rounded once half even."""
    rates = card.rates
    for above, row in card.tiers:
        rates = row if (tokens.input or 0) > above else rates
    given, read, written, made, thought = (
        getattr(tokens, n) or 0 for n in ("input", "cache_read", "cache_write", "output", "reasoning")
    )
    counts = (given - read - written, read, written, made - thought, thought)
    with localcontext(prec=60):
        usd = sum((Decimal(count) * rate for count, rate in zip(counts, rates, strict=True)), Decimal(0)) / 1_000_000
        return int((usd * 10**9).to_integral_value(rounding=ROUND_HALF_EVEN))


@given(specs(), usages())
def test_a_card_charges_what_decimals_say(spec: PriceSpec, tokens: TokenUsage) -> None:
    """A call's price is the Decimal sum rounded once, its receipt adds up to it, and its card gives the receipt again."""
    card = PriceEntryRow("rid", spec).card()
    priced = card.price(tokens, 5)
    assert priced is not None and priced.nusd == recount(card, tokens)
    assert sum(line["nusd"] for line in priced.receipt["lines"]) == priced.nusd
    assert sum(line["tokens"] for line in priced.receipt["lines"]) == tokens.total
    counts = [getattr(tokens, name) or 0 for name in ("input", "cache_read", "cache_write", "output", "reasoning")]
    assert card.meter.nusd(*counts) == priced.nusd
    again = card_of(priced.receipt)
    assert again == card and again is not None and again.body() == card.body()
    rewritten = again.price(tokens, 5)
    assert rewritten is not None and rewritten.receipt == priced.receipt


@given(specs())
def test_an_entry_survives_the_journal_and_a_file(spec: PriceSpec) -> None:
    """What the journal or a book file keeps of a price is the same price again."""
    assert from_value(spec.value()) == spec
    for kind in ("toml", "json"):
        assert parse(text([spec], kind), "book") == [spec]


@given(st.lists(specs(), max_size=5), st.integers(0, 130))
def test_one_price_holds_and_always_the_same(found: list[PriceSpec], at_us: int) -> None:
    """Of overlapping prices the one that began last counts, whatever order they are given in; all of them are marked."""
    rows = [PriceEntryRow(f"r{number}", spec) for number, spec in enumerate(found)]
    chosen = OwnPrices(rows).entry("p", "m", at_us)
    assert chosen == OwnPrices(reversed(rows)).entry("p", "m", at_us)
    holding = [r for r in rows if r.spec.from_us <= at_us and (r.spec.until_us is None or at_us < r.spec.until_us)]
    assert chosen == max(holding, key=lambda row: (row.spec.from_us, row.rid), default=None)
    if len(holding) > 1:
        assert all(row.overlapped for row in marked(rows) if row.rid in [other.rid for other in holding])


@pytest.mark.parametrize(
    "price",
    ["NaN", "-1", "-0", "inf", "1e400", "", "cheap", True, float("nan"), "1000001", "0.0000000000001", None, []],
)
def test_what_is_no_price_is_refused(price: Any) -> None:
    """NaN, infinity, negative zero, absurd amounts and words are refused (B11, B12)."""
    with pytest.raises(InputError):
        amount(price)


def test_free_has_to_be_said() -> None:
    """All prices zero is refused unless it is said that it is meant; a missing class price is refused (B12)."""
    with pytest.raises(InputError, match="free"):
        checked("p", "m", {"input": "0", "output": "0.0"}, from_us=1)
    assert checked("p", "m", {"input": "0", "output": "0"}, from_us=1, free=True)
    for prices in ({"input": "1"}, {"output": "1"}, {"input": "1", "output": "1", "video": "1"}):
        with pytest.raises(InputError):
            checked("p", "m", prices, from_us=1)


@pytest.mark.parametrize(("start", "until"), [(10, 10), (10, 9), (-1, None), (2**62, None), (0, 2**62)])
def test_ranges_that_cannot_be(start: int, until: int | None) -> None:
    """An end at or before the beginning, and moments outside 1970 to 9999, are refused (B14, B15)."""
    with pytest.raises(InputError):
        checked("p", "m", {"input": "1", "output": "1"}, from_us=start, until_us=until)


@pytest.mark.parametrize(
    ("given_text", "wanted"),
    [
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2026-11-01T00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
        # The hour that New York's clocks show twice: the offset says which one is meant.
        ("2026-11-01T01:30:00-04:00", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("2026-11-01T01:30:00-05:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_moments_are_without_doubt(given_text: str, wanted: datetime) -> None:
    """A day is its first UTC moment, a moment has its zone; the text of it means it again (B14)."""
    found = moment_us(given_text)
    assert found == clock.to_us(wanted) and moment_us(iso(found)) == found


@pytest.mark.parametrize("given_text", ["2026-11-01T01:30:00", "2023-02-29", "yesterday", "", "2026-13-01"])
def test_doubtful_moments_are_refused(given_text: str) -> None:
    """A time without a zone could be one of two hours, and the 29th of February is not of every year (B14)."""
    with pytest.raises(InputError):
        moment_us(given_text)


def test_the_seed_prices_are_per_million() -> None:
    """The five cost configs are dated and priced as there: USD per thousand tokens become USD per million."""
    found = {spec.name: (spec.prices["input"], spec.prices["output"], iso(spec.from_us)) for spec in seed()}
    assert found == {
        "openai/gpt-4o": (Decimal("5"), Decimal("15"), "2024-01-01"),
        "openai/gpt-4o-mini": (Decimal("0.15"), Decimal("0.6"), "2024-01-01"),
        "openai/gpt-3.5-turbo": (Decimal("0.5"), Decimal("1.5"), "2024-01-01"),
        "anthropic/claude-3-5-sonnet-20241022": (Decimal("3"), Decimal("15"), "2024-01-01"),
        "anthropic/claude-3-haiku-20240307": (Decimal("0.25"), Decimal("1.25"), "2024-01-01"),
    }


@pytest.mark.parametrize(
    "raw",
    ["", "not toml", "[1]", "{}", '[[price]]\nmodel = "m"', '[[price]]\nmodel = "p/m"\nfrom = "2024-01-01"\ninput = "1"',
     '{"price": [{"model": "p/m", "from": "2024-01-01", "input": NaN, "output": 1}]}', "[" * 5000],
)  # fmt: skip
def test_a_broken_book_is_refused_in_words(raw: str) -> None:
    """A file that is no price book is an InputError that names the place, never a crash."""
    with pytest.raises(InputError):
        parse(raw, "book.toml")


def test_every_class_has_a_rate() -> None:
    """A class without its own price is charged as input or output, in a tier as in the base."""
    tiers = [{"above": 10, "prices": {"input": "4", "output": "8"}}]
    spec = checked("p", "m", {"input": "1", "output": "2", "cache_read": "0.5"}, from_us=0, tiers=tiers)
    card = PriceEntryRow("r", spec).card()
    assert dict(zip(CLASSES, map(str, card.rates), strict=True)) == {
        "input": "1", "cache_read": "0.5", "cache_write": "1", "output": "2", "reasoning": "2"
    }  # fmt: skip
    assert [str(rate) for rate in card.tiers[0][1]] == ["4", "0.5", "4", "8", "8"]
