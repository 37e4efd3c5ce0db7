"""The team's own prices, and pricing later what had no price: facts, each with who, when and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock, ids
from ledger_tui.domain.price_entries import PriceEntryRow, checked, iso
from ledger_tui.domain.values import JournalRow
from ledger_tui.errors import InputError, NotFound
from ledger_tui.services.price_book import PriceBook, own_address
from ledger_tui.store import late_prices
from ledger_tui.store import prices as reads

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from ledger_tui.domain.calls import ModelName
    from ledger_tui.domain.price_entries import PriceSpec
    from ledger_tui.domain.rate_card import Priced, RateCard
    from ledger_tui.pricing.prices import PriceList
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.what_if import Progress, WhatIf
    from ledger_tui.store.database import Database
    from ledger_tui.store.registry import Pen

CHUNK = 500
"""Calls that one transaction prices: a few hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What entering a price did."""

    entry: PriceEntryRow
    created: bool
    """False: it was there already."""
    ended: tuple[str, ...] = ()
    """Ids of open entries of the model that end where this one begins."""


@dataclass(frozen=True, slots=True)
class UnpricedRow:
    """Calls of one model that have no price."""

    provider: str
    """Empty when it is not known."""
    model: str
    calls: int
    without_tokens: int
    """Of them: calls that nobody can price, as their tokens are not known."""
    first_us: int
    last_us: int


@dataclass(slots=True)
class Priceable:
    """What pricing late did, or would do."""

    dry_run: bool
    looked_at: int = 0
    priced: int = 0
    nusd: int = 0
    canceled: bool = False
    by_model: dict[str, tuple[int, int]] = field(default_factory=dict)
    """``provider/model`` to calls and nano-dollars."""

    @property
    def still_unpriced(self) -> int:
        """Calls that were looked at and have no price."""
        return self.looked_at - self.priced


class PriceService:
    """Own prices. Thread-safe; every change is one transaction and one action that ``registry.undo`` takes back."""

    def __init__(
        self,
        database: Database,
        models: Callable[[], ModelService],
        *,
        author: Callable[[], str],
        device: Callable[[], str],
        before_read: Callable[[], None] | None = None,
    ) -> None:
        """before_read: called before calls are read; brings in what is recorded but not stored yet."""
        self._database = database
        self._models = models
        self._author = author
        self._device = device
        self._settle = before_read or (lambda: None)
        self.book = PriceBook(database)

    # Reading

    def entries(
        self, provider: str | None = None, model: str | None = None, at: int | None = None
    ) -> list[PriceEntryRow]:
        """Own prices by model and time, of a provider or model, or only those that hold at a moment (microseconds)."""
        with self._database.lean() as lean:
            rows = reads.entries(lean)
        return [
            row
            for row in rows
            if provider in (None, row.spec.provider)
            and model in (None, row.spec.model)
            and (at is None or (row.spec.from_us <= at and (row.spec.until_us is None or at < row.spec.until_us)))
        ]

    def entry(self, rid: str) -> PriceEntryRow:
        """One own price by its id or the beginning of it that only it has; raises NotFound, InputError."""
        found = [row for row in self.entries() if rid and row.rid.startswith(rid)]
        if len(found) > 1 and rid not in [row.rid for row in found]:
            raise InputError(f"{len(found)} prices have ids that begin with {rid}", remedy="Give more of it.")
        if not found:
            raise NotFound(f"there is no own price {rid}", title="No such price", remedy="See: ledger-tui prices")
        return next((row for row in found if row.rid == rid), found[0])

    def card(self, model: str, at_us: int | None = None) -> RateCard | None:
        """The rates of a model (``provider/model``) at a moment, now by default; None when no price is known."""
        name = self.name(model)
        return self.book.look().card(*name, self._database.now_us() if at_us is None else at_us, self._address(name[0]))

    def keep_card(self, receipt: Mapping[str, Any]) -> int | None:
        """Keep the rates of a receipt and give their key, for a record that says by what it was charged; None: not ours."""
        from ledger_tui.store import rate_cards

        with self._database.lean_write() as lean:
            return rate_cards.of_receipt(lean, receipt)

    def library_card(self, provider: str, model: str, at_us: int | None = None) -> RateCard | None:
        """The rates that the public book knows, whatever the own prices are."""
        from ledger_tui.pricing.book import library_card

        return library_card(
            provider, model, self._database.now_us() if at_us is None else at_us, base_url=self._address(provider)
        )

    def history(self, limit: int = 100) -> list[JournalRow]:
        """The newest facts about prices: entered, changed, withdrawn, and calls priced late."""
        with self._database.lean() as lean:
            rows = reads.history(lean, limit)
        return [JournalRow(*(*row[:6], json.loads(row[6]), *row[7:])) for row in rows]

    def unpriced(self) -> list[UnpricedRow]:
        """The calls without a price by model, most first."""
        self._settle()
        with self._database.lean() as lean:
            return [UnpricedRow(*row) for row in late_prices.counts(lean)]

    def name(self, model: str) -> tuple[str, str]:
        """Provider and model of what a person writes: ``provider/model``, any provider; ``/model``: of no known one.

        A bare name is resolved as everywhere; raises InputError when that is not clear.
        """
        provider, slash, rest = model.strip().partition("/")
        if slash and rest:
            return provider, rest
        found: ModelName = self._models().resolve(model)
        return found.provider, found.model

    # Writing

    def add(
        self,
        provider: str,
        model: str,
        prices: Mapping[str, Any],
        *,
        from_us: int | None = None,
        until_us: int | None = None,
        tiers: Iterable[Mapping[str, Any]] = (),
        source: str = "",
        reason: str = "",
        free: bool = False,
    ) -> Entered:
        """Enter a price: USD per million tokens of input, output, and, where they differ, cache_read, cache_write, reasoning.

        It holds from a moment (now by default) until another, or until a later price begins. An open earlier price of the
        model ends where this one begins. tiers: ``{"above": input tokens, "prices": {...}}``. Calls that were charged stay
        as they are. Raises InputError, and Conflict where two prices would hold at the same time.
        """
        start = clock.now_us() if from_us is None else from_us
        spec = checked(
            provider, model, prices, from_us=start, until_us=until_us, tiers=tuple(tiers), source=source, free=free
        )
        return self.add_all([spec], reason=reason)[0]

    def add_all(self, specs: Iterable[PriceSpec], *, reason: str = "") -> list[Entered]:
        """Enter prices as one action, all or none, earlier ones first; what was done, in the order given."""
        from ledger_tui.store import price_facts

        given = list(specs)
        order = sorted(range(len(given)), key=lambda number: given[number].from_us)
        with self._database.session() as session:
            pen = self._pen()
            found = {number: price_facts.add(session, pen, given[number], reason) for number in order}
        done = [found[number] for number in range(len(given))]
        known = {row.rid: row for row in self.entries()}
        return [Entered(known[rid], created, tuple(ended)) for rid, created, ended in done]

    def end(self, rid: str, at_us: int | None) -> PriceEntryRow:
        """Let a price end at a moment (None: stay open); raises InputError, Conflict, NotFound."""
        from dataclasses import replace

        row = self.entry(rid)
        if at_us is not None and at_us <= row.spec.from_us:
            raise InputError(f"it begins at {iso(row.spec.from_us)} only", remedy="Withdraw it to let it never hold.")
        self._write(row, replace(row.spec, until_us=at_us), "" if at_us is None else f"ends at {iso(at_us)}")
        return self.entry(row.rid)

    def remove(self, rid: str, reason: str = "") -> PriceEntryRow:
        """Withdraw a price; what calls were charged by it stays. Returns what it was."""
        row = self.entry(rid)
        self._write(row, None, reason or "withdrawn")
        return row

    def import_seed(self) -> list[Entered]:
        """The five prices that every new workspace of the old engine began with, from 2024-01-01 on."""
        from ledger_tui.services.price_files import seed

        return self.add_all(seed(), reason="imported")

    def import_file(self, path: Path) -> list[Entered]:
        """The prices of a book file, as one action; those that are there already change nothing."""
        from ledger_tui.services.price_files import read

        return self.add_all(read(path), reason=f"imported from {path.name}")

    def export_text(self, kind: str = "toml") -> str:
        """All own prices as the text of a book file, ``toml`` or ``json``."""
        from ledger_tui.services.price_files import text

        return text([row.spec for row in self.entries()], kind)

    def price_unpriced(
        self,
        provider: str | None = None,
        model: str | None = None,
        *,
        dry_run: bool = False,
        reason: str = "",
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Priceable:
        """Price the calls without a price that now have one as of their own time, of a provider and model or all.

        Each chunk is a fact of its own and whole, so that a stop, or a crash, leaves nothing half done, and a second call
        goes on. Never changes what was charged. progress: gets calls looked at and all there are; cancel: stops it.
        """
        wanted = [r for r in self.unpriced() if provider in (None, r.provider) and model in (None, r.model)]
        total, done = sum(row.calls for row in wanted), Priceable(dry_run)
        writer = late_prices.Writer(self._author(), self._device(), ids.new_id(), reason)
        after, book = 0, self.book.look()
        while not done.canceled:
            with self._database.lean() as lean:
                rows = late_prices.unpriced(lean, provider, model, after, CHUNK)
            if not rows:
                break
            after = rows[-1].key
            found = [(row, price) for row in rows if (price := self._price(book, row)) is not None]
            self._charge(writer, found, done)
            done.looked_at += len(rows)
            if progress is not None:
                progress(done.looked_at, max(total, done.looked_at))
            done.canceled = cancel is not None and cancel.is_set()
        return done

    def what_if(
        self,
        selection: str = "",
        *,
        model: str | None = None,
        book: str | None = None,
        at_us: int | None = None,
        days: tuple[str, str] | None = None,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> WhatIf:
        """The same calls at another model's, another book's or another moment's prices, beside what was charged.

        selection: the grammar of traces, meant for calls. model: ``provider/model`` whose prices are used for all. book:
        ``own``, ``library`` or the path of a book file. at_us: prices as of this moment, else of each call's own.
        days: first and last ISO day (UTC) of the calls, both included.
        """
        from ledger_tui.services import what_if
        from ledger_tui.services.price_files import price_list

        prices = self.book.look() if book is None else price_list(book, self.book.look().own)
        target = None if model is None else self.name(model)
        rule = what_if.Rule(prices, partial(self._address), target, at_us)
        self._settle()
        return what_if.work_out(self._database, selection, rule, days, progress, cancel)

    # Inside

    def _charge(self, writer: late_prices.Writer, found: list[tuple[Any, Priced]], done: Priceable) -> None:
        calls, nusd = len(found), sum(price.nusd for _, price in found)
        if found and not done.dry_run:
            with self._database.lean_write() as lean:
                calls, nusd = late_prices.charge(lean, writer, [(row.key, price) for row, price in found])
        done.priced += calls
        done.nusd += nusd
        for row, price in found:
            name = f"{row.provider or ''}/{row.model}"
            before = done.by_model.get(name, (0, 0))
            done.by_model[name] = (before[0] + 1, before[1] + price.nusd)

    def _price(self, book: PriceList, row: late_prices.Unpriced) -> Priced | None:
        names = [row.served_model or "", row.model]
        return book.price(row.provider or "", names, row.tokens, row.started_us, self._address(row.provider or ""))

    def _address(self, provider: str) -> str | None:
        return own_address(self._models(), provider) if provider else None

    def _write(self, row: PriceEntryRow, spec: PriceSpec | None, reason: str) -> None:
        from ledger_tui.store import price_facts

        with self._database.session() as session:
            price_facts.write(session, self._pen(), row.rid, spec, reason)

    def _pen(self) -> Pen:
        from ledger_tui.store.registry import Pen

        return Pen(actor=self._author(), device=self._device(), action=ids.new_id())
