"""Prices are exact, receipts add up, and unknown is never zero."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain import clock, money
from ledger_tui.domain.values import TokenUsage
from ledger_tui.pricing.book import price_call, price_rates
from ledger_tui.providers.catalog import PRESETS

AT_US = clock.to_us(datetime(2026, 3, 1, tzinfo=UTC))
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("mistral", "mistral-large-latest"),
    ("cohere", "command-r"),
]
COUNTS = st.integers(0, 3_000_000)


@st.composite
def usages(draw: Any) -> TokenUsage:
    """Usages that a provider could mean: parts are no larger than their whole."""
    given_tokens, made = draw(COUNTS), draw(COUNTS)
    read = draw(st.none() | st.integers(0, given_tokens))
    written = draw(st.none() | st.integers(0, given_tokens - (read or 0)))
    return TokenUsage(given_tokens, read, written, made, draw(st.none() | st.integers(0, made)))


@given(st.sampled_from(MODELS), usages())
def test_receipts_add_up(model: tuple[str, str], tokens: TokenUsage) -> None:
    """The amounts of a receipt are not negative, add up to the total exactly, and their tokens to the call's tokens."""
    priced = price_call(*model, tokens, AT_US)
    assert priced is not None
    lines = priced.receipt["lines"]
    assert all(line["nusd"] >= 0 and line["tokens"] > 0 for line in lines)
    assert sum(line["nusd"] for line in lines) == priced.nusd == priced.receipt["total_nusd"]
    assert sum(line["tokens"] for line in lines) == tokens.total
    assert json.loads(json.dumps(priced.receipt)) == priced.receipt


@given(st.sampled_from(MODELS), usages())
def test_the_price_is_the_books_price(model: tuple[str, str], tokens: TokenUsage) -> None:
    """The total is what genai-prices itself works out for the same usage, rounded once to nano-dollars."""
    priced = price_call(*model, tokens, AT_US)
    usage = Usage(
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cache_read or 0,
        cache_write_tokens=tokens.cache_write or 0,
        output_tokens=tokens.output,
    )
    book = calc_price(usage, model[1], provider_id=model[0], genai_request_timestamp=clock.from_us(AT_US))
    assert priced is not None and priced.nusd == money.to_nusd(book.total_price)


ABSURD = st.one_of(
    st.integers(max_value=-1),
    st.integers(min_value=2**60),
    st.just(float("nan")),
    st.floats(),
    st.text(),
    st.booleans(),
)


@given(st.sampled_from(["input", "output", "cache_read", "cache_write", "reasoning"]), ABSURD)
def test_absurd_counts_have_no_price(name: str, count: Any) -> None:
    """Negative, endless, fractional or text counts make a call unpriced, never free and never a crash."""
    counts: dict[str, Any] = {"input": 10, "output": 10, name: count}
    assert price_call("openai", "gpt-4o", TokenUsage(**counts), AT_US) is None


@pytest.mark.parametrize(
    "tokens",
    [
        TokenUsage(),
        TokenUsage(input=5),
        TokenUsage(output=5),
        TokenUsage(input=5, output=5, cache_read=6),
        TokenUsage(input=5, output=5, cache_read=3, cache_write=3),
        TokenUsage(input=5, output=5, reasoning=6),
    ],
)
def test_unknown_or_contradicting_tokens_have_no_price(tokens: TokenUsage) -> None:
    """A call whose tokens are not known, or whose parts exceed the whole, is unpriced."""
    assert price_call("openai", "gpt-4o", tokens, AT_US) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", ""),
        ("ollama", "llama3"),
        ("llamacpp", "tiny"),
        ("lmstudio", "gpt-4o"),
        ("vllm", "gpt-4o"),
        ("own", "gpt-4o"),
        ("github-copilot", "gpt-4o"),
    ],
)
def test_unknown_models_have_no_price(provider: str, model: str) -> None:
    """A model without a list price, and any model on one's own machine, is unpriced."""
    assert price_call(provider, model, TokenUsage(5, 0, 0, 5, 0), AT_US) is None
    assert price_rates(provider, model, AT_US) is None


def test_no_listed_model_is_free_by_omission() -> None:
    """No model of the book that lacks a price for its tokens comes out as free."""
    tokens = TokenUsage(1_000_000, 0, 0, 1_000_000, 0)
    ids = {provider.id for provider in get_snapshot().providers} & {preset.name for preset in PRESETS}
    assert len(ids) == 8
    for provider in get_snapshot().providers:
        for model in provider.models if provider.id in ids else []:
            priced = price_call(provider.id, model.id, tokens, AT_US)
            assert priced is None or priced.nusd > 0, (provider.id, model.id)


def test_offline_costs_nothing_and_says_so() -> None:
    """The built-in model has a price of zero with a receipt, which is different from having no price."""
    priced = price_call("offline", "offline", TokenUsage(10, 0, 0, 20, 0), AT_US)
    assert priced is not None and priced.nusd == 0
    assert priced.receipt["source"] == "offline" and priced.receipt["note"]
    assert [(line["class"], line["tokens"]) for line in priced.receipt["lines"]] == [("input", 10), ("output", 20)]


def test_a_receipt_tells_everything() -> None:
    """The receipt names source, release and model, and each class of tokens with its rate and amount."""
    priced = price_call("anthropic", "claude-sonnet-4-5", TokenUsage(1000, 600, 100, 50, 20), AT_US)
    assert priced is not None
    receipt = priced.receipt
    assert receipt["source"] == "genai-prices" and receipt["version"] and receipt["model"] == "claude-sonnet-4-5"
    assert [(line["class"], line["tokens"], line["usd_per_million"], line["nusd"]) for line in receipt["lines"]] == [
        ("input", 300, "3", 900_000),
        ("cache_read", 600, "0.3", 180_000),
        ("cache_write", 100, "3.75", 375_000),
        ("output", 30, "15", 450_000),
        ("reasoning", 20, "15", 300_000),
    ]
    assert priced.nusd == 2_205_000


def test_dearer_tiers_of_long_calls() -> None:
    """A call past a tier's number of input tokens is charged at that tier's rate, and the receipt shows it."""
    short = price_call("google", "gemini-2.5-pro", TokenUsage(200_000, 0, 0, 0, 0), AT_US)
    long = price_call("google", "gemini-2.5-pro", TokenUsage(200_001, 0, 0, 0, 0), AT_US)
    assert short is not None and long is not None
    assert Decimal(long.receipt["lines"][0]["usd_per_million"]) > Decimal(short.receipt["lines"][0]["usd_per_million"])


def test_another_address_is_not_charged_the_makers_price() -> None:
    """With an address of its own, the address decides: a local server is unpriced, a known host has its price."""
    tokens = TokenUsage(1000, 0, 0, 1000, 0)
    assert price_call("openai", "gpt-4o", tokens, AT_US, base_url="http://localhost:8080/v1") is None
    there = price_call("mine", "gpt-4o", tokens, AT_US, base_url="https://api.openai.com/v1")
    assert there is not None and there == price_call("openai", "gpt-4o", tokens, AT_US)


def test_rates_for_estimates() -> None:
    """Rates are Decimals per million tokens; classes without a rate of their own have their parent's."""
    rates = price_rates("openai", "gpt-4o", AT_US)
    assert rates is not None
    assert (rates.input, rates.output, rates.cache_read) == (Decimal("2.5"), Decimal("10"), Decimal("1.25"))
    assert rates.cache_write == rates.input and rates.reasoning == rates.output
    free = price_rates("offline", "offline", AT_US)
    assert free is not None and free.input == 0


@pytest.mark.parametrize("at_us", [-(2**62), 2**62, 0, -1])
def test_absurd_times(at_us: int) -> None:
    """A moment outside the calendar is unpriced, an early one takes the first price; neither crashes."""
    priced = price_call("openai", "gpt-4o", TokenUsage(5, 0, 0, 5, 0), at_us)
    assert (priced is None) == (abs(at_us) > 2**60)
