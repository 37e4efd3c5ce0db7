"""What a call costs by the public price book (genai-prices), as exact whole nano-dollars with a receipt.

Unknown is never zero: a model without a known price, or a call without token counts, has no price at all (None).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.domain.calls import OFFLINE
from ledger_tui.domain.rate_card import MAX_TOKENS as MAX_TOKENS
from ledger_tui.domain.rate_card import Priced as Priced
from ledger_tui.domain.rate_card import RateCard
from ledger_tui.domain.rate_card import Rates as CardRates
from ledger_tui.domain.values import TokenUsage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice
    from genai_prices.types import Provider as PriceProvider

SOURCE = "genai-prices"
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
_KEYS = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok", "output_reasoning_mtok")
"""As the book calls ``rate_card.CLASSES``."""
_FREE = RateCard(
    OFFLINE, (Decimal(0),) * 5, note="The offline model runs inside this program and costs nothing."
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens; a class without a rate of its own is charged as ``input`` or ``output``."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    reasoning: Decimal


def price_call(
    provider: str, model: str, tokens: TokenUsage, at_us: int, *, base_url: str | None = None
) -> Priced | None:
    """The book's price of a call made at ``at_us``, None when the model, its price or its tokens are unknown or absurd.

    base_url: the address that was called when it is not the provider's own; then the address alone decides.
    """
    card = library_card(provider, model, at_us, base_url=base_url)
    return None if card is None else card.price(tokens, at_us)


def price_rates(provider: str, model: str, at_us: int, *, base_url: str | None = None) -> Rates | None:
    """USD per million tokens of a short call at ``at_us``, None when unknown; for estimates."""
    card = library_card(provider, model, at_us, base_url=base_url)
    if card is None:
        return None
    given, read, written, made, thought = card.rates
    return Rates(given, made, read, written, thought)


def library_card(provider: str, model: str, at_us: int, *, base_url: str | None = None) -> RateCard | None:
    """What the book says of a model at a moment, None when it does not know the model, the price or the moment."""
    if provider == OFFLINE:
        return _FREE
    found = _find(provider, model, base_url)
    prices = None if found is None else _prices(found[1], at_us)
    if found is None or prices is None or _has_other_charges(prices):
        return None
    starts = sorted({tier.start for key in _KEYS for tier in getattr(getattr(prices, key), "tiers", ())})
    rates = _rates(prices, 0)
    tiers = [(start, _rates(prices, start + 1)) for start in starts]
    if rates is None or any(row is None for _, row in tiers):
        return None
    import genai_prices

    return RateCard(
        SOURCE,
        rates,
        tuple((start, row) for start, row in tiers if row is not None),
        provider=found[0].id,
        model=found[1].id,
        version=genai_prices.__version__,
        price_from=_price_from(found[1], at_us),
    )


def changes_within_days(provider: str, model: str, *, base_url: str | None = None) -> bool:
    """Whether the book's price of a model also depends on the time of day; else it changes at UTC midnights only."""
    if provider == OFFLINE:
        return False
    found = _find(provider, model, base_url)
    if found is None or not isinstance(found[1].prices, list):
        return False
    return any(hasattr(conditional.constraint, "start_time") for conditional in found[1].prices)


def _find(provider: str, model: str, base_url: str | None) -> tuple[PriceProvider, ModelInfo] | None:
    book_id = None if base_url else _BOOK_IDS.get(provider)
    if not model or (book_id is None and not base_url):
        return None
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, book_id, base_url or None)
    except LookupError:
        return None


def _prices(model: ModelInfo, at_us: int) -> ModelPrice | None:
    try:
        return model.get_prices(clock.from_us(at_us))
    except (OverflowError, IndexError):
        return None


def _rates(prices: ModelPrice, input_tokens: int) -> CardRates | None:
    """The rates that apply to a call with so many input tokens (dearer tiers begin at a number of input tokens)."""

    def rate(key: str) -> Decimal | None:
        value: Any = getattr(prices, key)
        for tier in reversed(getattr(value, "tiers", ())):
            if input_tokens > tier.start:
                return _sound(tier.price)
        return _sound(getattr(value, "base", value))

    given, read, written, made, thought = (rate(key) for key in _KEYS)
    if given is None or made is None:
        return None
    return (
        given,
        given if read is None else read,
        given if written is None else written,
        made,
        made if thought is None else thought,
    )


def _sound(value: Any) -> Decimal | None:
    return value if isinstance(value, Decimal) and value.is_finite() and value >= 0 else None


def _has_other_charges(prices: ModelPrice) -> bool:
    """Whether each request is charged besides its tokens: then tokens alone do not tell the price."""
    return prices.requests_kcount is not None


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
