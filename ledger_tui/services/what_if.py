"""What the same calls would have cost at other prices, beside what they were charged; nothing is written.

Token counts are taken as they are: another model may count the same text differently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from operator import add, gt
from typing import TYPE_CHECKING

from ledger_tui.domain.rate_card import MAX_CALL_NUSD, RateCard, rounded
from ledger_tui.errors import InputError
from ledger_tui.pricing.prices import DAY_US, PriceList
from ledger_tui.store import calls

if TYPE_CHECKING:
    import threading

    from ledger_tui.store.database import Database

MAX_DAYS = 400
"""Prices of a longer time are looked up call by call."""
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
    _steady: dict[tuple[str, str], tuple[int, int, RateCard | None]] = field(default_factory=dict)
    """The longest time, as days, that a model was last found to have one price."""
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

    def steady(self, provider: str, model: str, first: int, last: int) -> tuple[bool, RateCard | None]:
        """Whether all calls between two UTC days (as numbers, both included) get the same rates, and which."""
        key = self.target or (provider, model)
        known = self._steady.get(key)
        if known is not None and known[0] <= first and last <= known[1]:
            return True, known[2]
        found, card = self._look(provider, model, first, last)
        if found:
            self._steady[key] = (first, last, card)
        return found, card

    def _look(self, provider: str, model: str, first: int, last: int) -> tuple[bool, RateCard | None]:
        card = self.card(provider, model, first * DAY_US)
        if self.at_us is not None:
            return True, card
        if last - first > MAX_DAYS:
            return False, None
        known = self.target or (provider, model)
        address = self._addresses.get(known[0])
        for day in range(first, last + 1):
            other = self.card(provider, model, day * DAY_US)
            if other is not card or self.prices.changes(*known, day * DAY_US, address):
                return False, None
        return True, card


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

    wanted = parse_filter(selection, database.now_us())
    sums: dict[tuple[str | None, str], Sums] = {}
    done, canceled = 0, False
    with database.lean() as lean:
        for rows in calls.pages(lean, wanted, None if days is None else day_bounds(*days)):
            _price(rows, rule, sums)
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


def _price(rows: Sequence[calls.Row], rule: Rule, sums: dict[tuple[str | None, str], Sums]) -> None:
    """Add a page of calls to the sums of their models: together where they share their rates, which is nearly always."""
    by_model: defaultdict[str, list[calls.Row]] = defaultdict(list)
    for row in rows:
        by_model[row[2]].append(row)
    for model, of_model in by_model.items():
        providers = {row[1] for row in of_model}
        for provider in providers:
            found = sums.setdefault((provider, model), Sums(provider or "", model))
            group = of_model if len(providers) == 1 else [row for row in of_model if row[1] == provider]
            for card, part in _by_card(rule, provider or "", model, group):
                if card is None:
                    _add(found, part, [None] * len(part))
                elif not _add_at_once(found, part, card):
                    _add(found, part, [_would(card, row) for row in part])


def _by_card(
    rule: Rule, provider: str, model: str, group: Sequence[calls.Row]
) -> Iterable[tuple[RateCard | None, Sequence[calls.Row]]]:
    """Calls of one model by the rates that they get."""
    starts = [row[3] for row in group]
    steady, card = rule.steady(provider, model, min(starts) // DAY_US, max(starts) // DAY_US)
    if steady:
        return [(card, group)]
    parts: dict[int, tuple[RateCard | None, list[calls.Row]]] = {}
    for row in group:
        card = rule.card(provider, model, row[3])
        parts.setdefault(id(card), (card, []))[1].append(row)
    return parts.values()


def _add(found: Sums, group: Sequence[calls.Row], would: Sequence[int | None]) -> None:
    """Add calls and their other prices one by one."""
    pairs = [(row[4], other) for row, other in zip(group, would, strict=True)]
    charged = [cost for cost, _ in pairs if cost is not None]
    known = [other for _, other in pairs if other is not None]
    both = [(cost, other) for cost, other in pairs if cost is not None and other is not None]
    found.calls += len(pairs)
    found.charged_nusd += sum(charged)
    found.unpriced += len(pairs) - len(charged)
    found.would_nusd += sum(known)
    found.unpriceable += len(pairs) - len(known)
    found.both_calls += len(both)
    found.both_charged_nusd += sum(cost for cost, _ in both)
    found.both_would_nusd += sum(other for _, other in both)


def _add_at_once(found: Sums, group: Sequence[calls.Row], card: RateCard) -> bool:
    """Add calls by the sums of their tokens; False, and nothing added, when a call needs a look of its own."""
    costs = [row[4] for row in group]
    without = costs.count(None)
    priced = group if not without else [row for row in group if row[4] is not None]
    total = _total(priced, card)
    other = _total([row for row in group if row[4] is None], card) if without else 0
    if total is None or other is None:
        return False
    charged = sum(row[4] for row in priced) if without else sum(costs)
    found.calls += len(group)
    found.charged_nusd += charged
    found.unpriced += without
    found.would_nusd += total + other
    found.both_calls += len(priced)
    found.both_charged_nusd += charged
    found.both_would_nusd += total
    return True


def _total(rows: Sequence[calls.Row], card: RateCard) -> int | None:
    """What calls come to by a card, each rounded as it would be charged; None when one of them has no such price."""
    meter = card.meter
    if not rows:
        return 0
    if not meter.starts:
        return _sum(rows, meter.rows[0], meter.denominator)
    total, left = 0, [row for row in rows if row[5] is not None]
    if len(left) < len(rows):
        return None
    for start, numerators in zip(reversed(meter.starts), reversed(meter.rows), strict=False):
        part = _sum([row for row in left if row[5] > start], numerators, meter.denominator)
        if part is None:
            return None
        total += part
        left = [row for row in left if row[5] <= start]
    last = _sum(left, meter.rows[0], meter.denominator)
    return None if last is None else total + last


def _sum(rows: Sequence[calls.Row], numerators: tuple[int, ...], denominator: int) -> int | None:
    """What calls come to at one rate a token class (over ``denominator``); None when a count is missing or wrong."""
    if not rows:
        return 0
    first, second, third, fourth, fifth = numerators
    # One column after another: zip(*rows) of many rows takes five times as long.
    given, made = [row[5] for row in rows], [row[8] for row in rows]
    read, written, thought = [row[6] for row in rows], [row[7] for row in rows], [row[9] for row in rows]
    if None in given or None in made:
        return None
    if (max(given) * max(first, second, third) + max(made) * max(fourth, fifth)) // denominator > MAX_CALL_NUSD:
        return None
    parts: list[tuple[Sequence[int], int]] = [(given, first), (made, fourth)]
    if any(read) or any(written):
        reads, writes = [count or 0 for count in read], [count or 0 for count in written]
        if any(map(gt, map(add, reads, writes), given)):
            return None
        parts += [(reads, second - first), (writes, third - first)]
    if any(thought):
        thoughts = [count or 0 for count in thought]
        if any(map(gt, thoughts, made)):
            return None
        parts.append((thoughts, fifth - fourth))
    used = [(counts, rate) for counts, rate in parts if rate]
    if all(rate % denominator == 0 for _, rate in used):
        return sum([sum(counts) * (rate // denominator) for counts, rate in used])
    exact = map(sum, zip(*([count * rate for count in counts] for counts, rate in used), strict=True))
    return sum(rounded(value, denominator) for value in exact)


def _would(card: RateCard | None, row: calls.Row) -> int | None:
    """The other price of one call, None when it is not known."""
    _, _, _, _, _, given, read, written, made, thought = row
    if card is None or given is None or made is None:
        return None
    read, written, thought = read or 0, written or 0, thought or 0
    if read + written > given or thought > made:
        return None
    nusd = card.meter.nusd(given, read, written, made, thought)
    return nusd if nusd <= MAX_CALL_NUSD else None


def _sources(rule: Rule) -> tuple[str, ...]:
    told = {" ".join(part for part in (card.source, card.version) if part) for card in rule.used}
    return tuple(sorted(told))
