"""What a call costs by the public price book (genai-prices), as exact whole nano-dollars with a receipt.

Unknown is never zero: a model without a known price, or a call without token counts, has no price at all (None).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock, money
from ledger_tui.domain.calls import OFFLINE
from ledger_tui.domain.values import TokenUsage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice
    from genai_prices.types import Provider as PriceProvider

MAX_TOKENS = 2**53
_MILLION = 1_000_000
_BOOK_IDS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "openrouter": "openrouter",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "google": "google",
    "cohere": "cohere",
}
"""Our presets as the price book calls them; servers on one's own machine are not there, they have no known price."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The price of one call. ``receipt`` is plain JSON; its amounts add up to ``nusd`` exactly."""

    nusd: int
    receipt: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens; a class without a rate of its own is charged as ``input`` or ``output``."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    reasoning: Decimal


@dataclass(frozen=True, slots=True)
class _Line:
    """One token class of a receipt, before rounding."""

    token_class: str
    tokens: int
    rate: Decimal


def price_call(
    provider: str, model: str, tokens: TokenUsage, at_us: int, *, base_url: str | None = None
) -> Priced | None:
    """The price of a call made at ``at_us``, None when the model, its price or its tokens are unknown or absurd.

    base_url: the address that was called when it is not the provider's own; then the address alone decides.
    """
    counts = _counts(tokens)
    if counts is None:
        return None
    if provider == OFFLINE:
        return _free(counts)
    found = _find(provider, model, base_url)
    if found is None:
        return None
    book_provider, book_model = found
    prices = _prices(book_model, at_us)
    rates = None if prices is None else _rates(prices, counts["input"])
    if prices is None or rates is None or _has_other_charges(prices):
        return None
    return _priced(list(_lines(rates, counts)), _source(book_provider, book_model, at_us))


def price_rates(provider: str, model: str, at_us: int, *, base_url: str | None = None) -> Rates | None:
    """USD per million tokens of a short call at ``at_us``, None when unknown; for estimates."""
    if provider == OFFLINE:
        return Rates(*(Decimal(0),) * 5)
    found = _find(provider, model, base_url)
    prices = None if found is None else _prices(found[1], at_us)
    return None if prices is None else _rates(prices, 0)


def _counts(tokens: TokenUsage) -> dict[str, int] | None:
    given = {
        "input": tokens.input,
        "output": tokens.output,
        "cache_read": tokens.cache_read,
        "cache_write": tokens.cache_write,
        "reasoning": tokens.reasoning,
    }
    if given["input"] is None or given["output"] is None:
        return None
    counts: dict[str, int] = {}
    for name, count in given.items():
        if count is None:
            counts[name] = 0
        elif isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_TOKENS:
            counts[name] = count
        else:
            return None
    if counts["cache_read"] + counts["cache_write"] > counts["input"] or counts["reasoning"] > counts["output"]:
        return None
    return counts


def _find(provider: str, model: str, base_url: str | None) -> tuple[PriceProvider, ModelInfo] | None:
    from genai_prices.data_snapshot import get_snapshot

    book_id = None if base_url else _BOOK_IDS.get(provider)
    if not model or (book_id is None and not base_url):
        return None
    try:
        return get_snapshot().find_provider_model(model, None, book_id, base_url or None)
    except LookupError:
        return None


def _prices(model: ModelInfo, at_us: int) -> ModelPrice | None:
    try:
        return model.get_prices(clock.from_us(at_us))
    except (OverflowError, IndexError):
        return None


def _rates(prices: ModelPrice, input_tokens: int) -> Rates | None:
    """The rates that apply to a call with so many input tokens (dearer tiers begin at a number of input tokens)."""

    def rate(key: str) -> Decimal | None:
        value: Any = getattr(prices, key)
        for tier in reversed(getattr(value, "tiers", ())):
            if input_tokens > tier.start:
                return _sound(tier.price)
        return _sound(getattr(value, "base", value))

    given, made = rate("input_mtok"), rate("output_mtok")
    if given is None or made is None:
        return None
    classes = [rate(key) for key in ("cache_read_mtok", "cache_write_mtok", "output_reasoning_mtok")]
    read, write, reasoning = classes
    return Rates(
        given,
        made,
        cache_read=given if read is None else read,
        cache_write=given if write is None else write,
        reasoning=made if reasoning is None else reasoning,
    )


def _sound(value: Any) -> Decimal | None:
    return value if isinstance(value, Decimal) and value.is_finite() and value >= 0 else None


def _has_other_charges(prices: ModelPrice) -> bool:
    """Whether each request is charged besides its tokens: then tokens alone do not tell the price."""
    return prices.requests_kcount is not None


def _lines(rates: Rates, counts: dict[str, int]) -> Iterator[_Line]:
    yield _Line("input", counts["input"] - counts["cache_read"] - counts["cache_write"], rates.input)
    yield _Line("cache_read", counts["cache_read"], rates.cache_read)
    yield _Line("cache_write", counts["cache_write"], rates.cache_write)
    yield _Line("output", counts["output"] - counts["reasoning"], rates.output)
    yield _Line("reasoning", counts["reasoning"], rates.reasoning)


def _priced(lines: list[_Line], source: dict[str, Any]) -> Priced | None:
    """Round the running sum, not each amount, so that the amounts add up to the rounded total."""
    shown: list[dict[str, Any]] = []
    exact, before = Decimal(0), 0
    with localcontext() as context:
        context.prec = 60
        for line in lines:
            if not line.tokens:
                continue
            exact += line.rate * line.tokens / _MILLION
            try:
                total = money.to_nusd(exact)
            except ValueError:
                return None
            shown.append(
                {
                    "class": line.token_class,
                    "tokens": line.tokens,
                    "usd_per_million": f"{line.rate:f}",
                    "nusd": total - before,
                }
            )
            before = total
    return Priced(before, {**source, "currency": "USD", "lines": shown, "total_nusd": before})


def _source(provider: PriceProvider, model: ModelInfo, at_us: int) -> dict[str, Any]:
    import genai_prices

    return {
        "source": "genai-prices",
        "version": genai_prices.__version__,
        "provider": provider.id,
        "model": model.id,
        "price_from": _price_from(model, at_us),
        "priced_at_us": at_us,
    }


def _price_from(model: ModelInfo, at_us: int) -> str | None:
    """The day from which the price holds as the book says (ISO), None when it holds since ever."""
    if not isinstance(model.prices, list):
        return None
    in_force = model.get_prices(clock.from_us(at_us))
    for conditional in model.prices:
        start = getattr(conditional.constraint, "start_date", None)
        if conditional.prices is in_force and start is not None:
            return str(start.isoformat())
    return None


def _free(counts: dict[str, int]) -> Priced:
    rates = Rates(*(Decimal(0),) * 5)
    source = {"source": OFFLINE, "note": "The offline model runs inside this program and costs nothing."}
    priced = _priced(list(_lines(rates, counts)), source)
    assert priced is not None
    return priced
