"""The team's own prices: what an entry is, which of several holds at a moment, and which texts make one.

A price holds from its first moment up to, not including, ``until``. Where two hold at once (entries of two machines that
met later), the one that began later counts, then the one with the greater id: always the same one, and lists mark it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from ledger_tui.domain import clock
from ledger_tui.domain.rate_card import CLASSES, RateCard, Rates
from ledger_tui.errors import InputError

OWN = "own"
MAX_RATE = Decimal(1_000_000)
MAX_PLACES = 12
MAX_NAME = 200
MAX_SOURCE = 500
MAX_TIER = 10**12
_FIRST_US, _LAST_US = 0, 253_402_300_799_999_999
Prices = Mapping[str, Decimal]
"""USD per million tokens by token class; ``input`` and ``output`` are always there."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Prices of the whole call once it has more than ``above`` input tokens."""

    above: int
    prices: Prices


@dataclass(frozen=True, slots=True)
class PriceSpec:
    """What an entry says, checked."""

    provider: str
    """As the ledger names it; empty for calls whose provider is not known."""
    model: str
    prices: Prices
    from_us: int
    until_us: int | None = None
    tiers: tuple[Tier, ...] = ()
    source: str = ""
    """Where the price was read: a page, a contract."""

    @property
    def name(self) -> str:
        """``provider/model``."""
        return f"{self.provider}/{self.model}"

    def value(self) -> dict[str, Any]:
        """The entry as the journal keeps it; prices are exact texts."""
        value: dict[str, Any] = {
            "provider": self.provider,
            "model": self.model,
            "prices": _texts(self.prices),
            "from_us": self.from_us,
            "until_us": self.until_us,
            "source": self.source,
        }
        if self.tiers:
            value["tiers"] = [{"above": tier.above, "prices": _texts(tier.prices)} for tier in self.tiers]
        return value

    def overlaps(self, other: PriceSpec) -> bool:
        """Whether both prices hold at some moment."""
        starts_before = self.until_us is None or other.from_us < self.until_us
        return starts_before and (other.until_us is None or self.from_us < other.until_us)

    def same_price(self, other: PriceSpec) -> bool:
        """Whether both say the same of the same model from the same moment on."""
        mine, its = self.value(), other.value()
        return all(mine.get(name) == its.get(name) for name in ("provider", "model", "prices", "tiers", "from_us"))


@dataclass(frozen=True, slots=True)
class PriceEntryRow:
    """One own price with who entered it."""

    rid: str
    spec: PriceSpec
    actor: str = ""
    at_us: int = 0
    reason: str = ""
    overlapped: bool = False
    """Another entry of the model holds at the same time."""

    @property
    def words(self) -> str:
        """What it is and when it holds."""
        return f"{self.spec.name} {shown_range(self.spec.from_us, self.spec.until_us)}"

    def card(self) -> RateCard:
        """The rates to charge by."""
        spec = self.spec
        return RateCard(
            OWN,
            _filled(spec.prices, spec.prices),
            tuple((tier.above, _filled(tier.prices, spec.prices)) for tier in spec.tiers),
            provider=spec.provider,
            model=spec.model,
            price_from=iso(spec.from_us),
            entry=self.rid,
            note=spec.source,
        )


class OwnPrices:
    """Own entries by model, for the one that holds at a moment."""

    def __init__(self, rows: Iterable[PriceEntryRow] = ()) -> None:
        self.rows = sorted(rows, key=lambda row: (row.spec.from_us, row.rid))
        self._by_model: dict[tuple[str, str], list[PriceEntryRow]] = {}
        for row in self.rows:
            self._by_model.setdefault((row.spec.provider, row.spec.model), []).append(row)
        self._starts = {key: [row.spec.from_us for row in rows] for key, rows in self._by_model.items()}
        self._cards: dict[str, RateCard] = {}

    def __bool__(self) -> bool:
        return bool(self._by_model)

    def entry(self, provider: str, model: str, at_us: int) -> PriceEntryRow | None:
        """The entry that holds at a moment, None when there is none."""
        rows = self._by_model.get((provider, model))
        if rows is None:
            return None
        for row in reversed(rows[: bisect_right(self._starts[provider, model], at_us)]):
            if row.spec.until_us is None or at_us < row.spec.until_us:
                return row
        return None

    def card(self, provider: str, model: str, at_us: int) -> RateCard | None:
        """The rates that hold at a moment, None when no own price does."""
        row = self.entry(provider, model, at_us)
        if row is None:
            return None
        if row.rid not in self._cards:
            self._cards[row.rid] = row.card()
        return self._cards[row.rid]

    def changes_between(self, provider: str, model: str, first_us: int, last_us: int) -> bool:
        """Whether another price begins or ends after ``first_us`` and not after ``last_us``."""
        rows = self._by_model.get((provider, model), ())
        marks = (mark for row in rows for mark in (row.spec.from_us, row.spec.until_us) if mark is not None)
        return any(first_us < mark <= last_us for mark in marks)


def marked(rows: Sequence[PriceEntryRow]) -> list[PriceEntryRow]:
    """The rows, in their order, with those marked that hold at the same time as another one of their model."""
    from dataclasses import replace

    by_model: dict[str, list[PriceEntryRow]] = {}
    for row in rows:
        by_model.setdefault(row.spec.name, []).append(row)

    def is_overlapped(row: PriceEntryRow) -> bool:
        return any(other is not row and row.spec.overlaps(other.spec) for other in by_model[row.spec.name])

    return [replace(row, overlapped=True) if is_overlapped(row) else row for row in rows]


def checked(
    provider: str,
    model: str,
    prices: Mapping[str, Any],
    *,
    from_us: int,
    until_us: int | None = None,
    tiers: Sequence[Mapping[str, Any]] = (),
    source: str = "",
    free: bool = False,
) -> PriceSpec:
    """A price entry of what a person or a file gave; InputError says what cannot be taken.

    free: that every price is zero is meant.
    """
    for what, name in (("provider", provider), ("model", model)):
        if len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
            raise InputError(f"{name[:40]!r} is no name of a {what}")
    if len(source) > MAX_SOURCE or not source.isprintable():
        raise InputError(f"a source is one line of at most {MAX_SOURCE} characters")
    if not model or "/" in provider:
        raise InputError("a price is of one model", remedy="Write PROVIDER/MODEL.")
    if not _FIRST_US <= from_us <= _LAST_US or (until_us is not None and not _FIRST_US <= until_us <= _LAST_US):
        raise InputError("a price holds in the years 1970 to 9999")
    if until_us is not None and until_us <= from_us:
        raise InputError(
            f"it would end ({iso(until_us)}) before it begins ({iso(from_us)})", title="The price never holds"
        )
    found = _prices(prices)
    steps = tuple(sorted((_tier(tier) for tier in tiers), key=lambda tier: tier.above))
    if len({tier.above for tier in steps}) < len(steps):
        raise InputError("two tiers begin at the same number of tokens")
    if not free and not any(found.values()):
        raise InputError(
            "every price is zero", title="Is this model free?", remedy="Say so (--free), or give its prices."
        )
    return PriceSpec(provider, model, found, from_us, until_us, steps, source)


def from_value(value: Mapping[str, Any]) -> PriceSpec:
    """The entry that ``PriceSpec.value`` gave; raises InputError, KeyError, TypeError for anything else."""
    return checked(
        value["provider"],
        value["model"],
        value["prices"],
        from_us=value["from_us"],
        until_us=value.get("until_us"),
        tiers=value.get("tiers") or (),
        source=value.get("source") or "",
        free=True,
    )


def amount(text: Any) -> Decimal:
    """USD per million tokens of a text, a Decimal or a whole number; InputError when it is no such price."""
    try:
        value = Decimal(repr(text) if isinstance(text, float) else str(text).strip().removeprefix("$"))
    except InvalidOperation:
        value = Decimal("NaN")
    if isinstance(text, bool) or not value.is_finite() or value < 0 or value.is_signed():
        raise InputError(f"{str(text)[:40]!r} is no price", remedy="Give US dollars per million tokens, such as 2.50.")
    if value > MAX_RATE or -int(value.normalize().as_tuple().exponent) > MAX_PLACES:
        raise InputError(
            f"a price of {str(text)[:40]} cannot be true", remedy=f"At most {MAX_RATE} and {MAX_PLACES} decimals."
        )
    return value


def moment_us(text: str) -> int:
    """Microseconds since 1970 of a day (its first UTC moment) or of a moment with its zone; InputError otherwise."""
    text = text.strip()
    try:
        if len(text) <= 10:
            return clock.to_us(datetime.combine(date.fromisoformat(text), time(), UTC))
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{text[:40]!r} is no moment", remedy="Write a day, 2026-11-01, or a moment, 2026-11-01T09:30:00Z."
        ) from error
    if moment.tzinfo is None:
        raise InputError(
            f"{text[:40]!r} says no zone, and a clock shows some hours twice a year",
            remedy="Add Z for UTC or an offset such as +01:00.",
        )
    return clock.to_us(moment)


def iso(moment: int) -> str:
    """A moment as a person reads and writes it: the day alone where the day begins, else with its UTC time."""
    found = clock.from_us(moment)
    if moment % 86_400_000_000 == 0:
        return found.date().isoformat()
    return found.isoformat(timespec="auto").replace("+00:00", "Z")


def shown_range(from_us: int, until_us: int | None) -> str:
    """``from 2026-11-01`` or ``2026-11-01 to 2026-12-01``."""
    return f"from {iso(from_us)}" if until_us is None else f"{iso(from_us)} to {iso(until_us)}"


def _prices(given: Mapping[str, Any]) -> dict[str, Decimal]:
    unknown = set(given) - set(CLASSES)
    if unknown:
        raise InputError(
            f"there is no token class {sorted(unknown)[0][:40]!r}", remedy=f"Classes: {', '.join(CLASSES)}."
        )
    found = {name: amount(given[name]) for name in CLASSES if given.get(name) is not None}
    if "input" not in found or "output" not in found:
        raise InputError("a price of input and a price of output are needed")
    return found


def _tier(given: Mapping[str, Any]) -> Tier:
    above, prices = given.get("above"), given.get("prices")
    if type(above) is not int or not 0 < above <= MAX_TIER or not isinstance(prices, Mapping):
        raise InputError("a tier says above how many input tokens it begins, and its prices")
    return Tier(above, _prices(prices))


def _filled(prices: Prices, base: Prices) -> Rates:
    """A rate for every class: its own, else the base's own, else that of input or output."""

    def rate(name: str, parent: str) -> Decimal:
        return prices[name] if name in prices else base[name] if name in base else prices[parent]

    return (
        prices["input"],
        rate("cache_read", "input"),
        rate("cache_write", "input"),
        prices["output"],
        rate("reasoning", "output"),
    )


def _texts(prices: Prices) -> dict[str, str]:
    return {name: f"{price:f}" for name, price in prices.items()}
