"""What the same calls would have cost at other prices, beside what they were charged; nothing is written.

Token counts are taken as they are: another model may count the same text differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain import clock
from ledger_tui.domain.rate_card import MAX_CALL_NUSD, RateCard
from ledger_tui.errors import InputError
from ledger_tui.pricing.prices import DAY_US, PriceList
from ledger_tui.store import calls

if TYPE_CHECKING:
    import threading

    from ledger_tui.store.database import Database

Progress = Callable[[int], None]
"""Gets the calls looked at so far."""


@dataclass(slots=True)
class Sums:
    """Sums over some calls; money in nano-dollars. An unknown price is counted and is in no sum."""

    provider: str = ""
    model: str = ""
    calls: int = 0
    charged_nusd: int = 0
    unpriced: int = 0
    """Calls that were charged nothing, as their price is not known."""
    would_nusd: int = 0
    unpriceable: int = 0
    """Calls that the other prices do not tell either."""
    both_calls: int = 0
    """Calls with both prices: only these can be compared."""
    both_charged_nusd: int = 0
    both_would_nusd: int = 0

    @property
    def charged(self) -> int | None:
        """What was charged, None when no call has a price."""
        return self.charged_nusd if self.calls > self.unpriced else None

    @property
    def would(self) -> int | None:
        """What the other prices come to, None when they price no call."""
        return self.would_nusd if self.calls > self.unpriceable else None

    @property
    def difference(self) -> int | None:
        """How much more (or less, below zero) the calls with both prices would cost; None when there is none."""
        return self.both_would_nusd - self.both_charged_nusd if self.both_calls else None

    def add(self, other: Sums) -> None:
        """Add another's sums."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_ADDED = (
    "calls", "charged_nusd", "unpriced", "would_nusd", "unpriceable", "both_calls", "both_charged_nusd",
    "both_would_nusd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The answer: the sums of all calls, and by the model that was called, dearest first."""

    total: Sums
    by_model: tuple[Sums, ...]
    sources: tuple[str, ...]
    """Where the other prices are from."""
    canceled: bool = False
    """Stopped before all calls were looked at: the sums are of a part."""


@dataclass(slots=True)
class Rule:
    """Which price each call gets."""

    prices: PriceList
    address: Callable[[str], str | None]
    target: tuple[str, str] | None = None
    """Provider and model whose prices are used for every call; None: the call's own."""
    at_us: int | None = None
    """The moment whose prices are used for every call; None: the call's own."""
    used: dict[RateCard, None] = field(default_factory=dict)
    _addresses: dict[str, str | None] = field(default_factory=dict)

    def card(self, provider: str, model: str, started_us: int) -> RateCard | None:
        """The rates for a call."""
        provider, model = self.target or (provider, model)
        if provider not in self._addresses:
            self._addresses[provider] = self.address(provider)
        moment = started_us if self.at_us is None else self.at_us
        found = self.prices.card(provider, model, moment, self._addresses[provider])
        if found is not None:
            self.used[found] = None
        return found

    def holds_all_day(self, provider: str, model: str, started_us: int) -> bool:
        """Whether every call of that UTC day has the same rates."""
        provider, model = self.target or (provider, model)
        return self.at_us is not None or not self.prices.changes(
            provider, model, started_us, self._addresses.get(provider)
        )


def work_out(
    database: Database,
    selection: str,
    rule: Rule,
    days: tuple[str, str] | None,
    progress: Progress | None,
    cancel: threading.Event | None,
) -> WhatIf:
    """Price the selected calls by the rule, beside what was charged; one consistent look at the database."""
    from ledger_tui.domain.filter import parse_filter

    wanted = parse_filter(selection, clock.now_us())
    sums: dict[tuple[str | None, str], Sums] = {}
    tariffs: dict[tuple[str | None, str, int], _Tariff] = {}
    done, canceled = 0, False
    with database.lean() as lean:
        for rows in calls.pages(lean, wanted, None if days is None else day_bounds(*days)):
            _price(rows, rule, sums, tariffs)
            done += len(rows)
            if progress is not None:
                progress(done)
            if canceled := cancel is not None and cancel.is_set():
                break
    total = Sums()
    for found in sums.values():
        total.add(found)
    ordered = sorted(sums.values(), key=lambda row: (-max(row.charged_nusd, row.would_nusd), row.provider, row.model))
    return WhatIf(total, tuple(ordered), _sources(rule), canceled)


def day_bounds(first: str, last: str) -> tuple[int, int]:
    """The moments between which a range of ISO days lies (UTC, both days included); InputError for no such days."""
    try:
        start, stop = date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{first} to {last} are no days", remedy="Write days as 2026-11-01.") from error
    epoch = date(1970, 1, 1)
    return (start - epoch).days * DAY_US, (stop - epoch).days * DAY_US


class _Tariff(NamedTuple):
    """The rates of a model's calls of one day."""

    sums: Sums
    card: RateCard | None
    all_day: bool


def _price(
    rows: Sequence[tuple[Any, ...]],
    rule: Rule,
    sums: dict[tuple[str | None, str], Sums],
    tariffs: dict[tuple[str | None, str, int], _Tariff],
) -> None:
    for _, provider, model, started, cost, given, read, written, made, thought in rows:
        key = (provider, model, started // DAY_US)
        tariff = tariffs.get(key)
        if tariff is None:
            tariff = tariffs[key] = _tariff(rule, sums, provider, model, started)
        found = tariff.sums
        found.calls += 1
        card = tariff.card if tariff.all_day else rule.card(provider or "", model, started)
        would = None
        if card is not None and given is not None and made is not None:
            read, written, thought = read or 0, written or 0, thought or 0
            if read + written <= given and thought <= made:
                would = card.meter.nusd(given, read, written, made, thought)
                if would > MAX_CALL_NUSD:
                    would = None
        if cost is None:
            found.unpriced += 1
        else:
            found.charged_nusd += cost
        if would is None:
            found.unpriceable += 1
            continue
        found.would_nusd += would
        if cost is not None:
            found.both_calls += 1
            found.both_charged_nusd += cost
            found.both_would_nusd += would


def _tariff(
    rule: Rule, sums: dict[tuple[str | None, str], Sums], provider: str | None, model: str, started: int
) -> _Tariff:
    found = sums.setdefault((provider, model), Sums(provider or "", model))
    card = rule.card(provider or "", model, started)
    return _Tariff(found, card, rule.holds_all_day(provider or "", model, started))


def _sources(rule: Rule) -> tuple[str, ...]:
    told = {" ".join(part for part in (card.source, card.version) if part) for card in rule.used}
    return tuple(sorted(told))
