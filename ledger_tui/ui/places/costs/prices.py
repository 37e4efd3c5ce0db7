"""The price book: the team's own prices by model and time, with the public price beside, and the ways to change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from ledger_tui.domain import money
from ledger_tui.domain.text import one_line
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.dialogs.ask import Ask, Confirm
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.costs.price_form import PriceForm, PriceWish
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.domain.price_entries import PriceEntryRow
    from ledger_tui.domain.rate_card import RateCard
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.prices import Priceable, UnpricedRow

TITLES = ("model", ">input", ">output", "from", "until", ">public in/out", "by", "")
NARROW_TITLES = ("model", ">input", ">output", "from", "until", "")
UNPRICED = ("model", ">calls", ">no tokens", "first", "last", "")
BUTTONS = (
    ("new", "New price", "Enter a price (n)"),
    ("end", "End", "Let the price under the cursor end (e)"),
    ("withdraw", "Withdraw", "Withdraw the price under the cursor (delete)"),
    ("seed", "Import five", "Enter the five prices of the old engine, from 2024-01-01 (i)"),
    ("price", "Price unpriced", "Price calls that have a price by now (p)"),
)


@dataclass(frozen=True, slots=True)
class Book:
    """What the page shows."""

    rows: list[tuple[PriceEntryRow, RateCard | None]]
    """Own prices, each with what the public book said as it began."""
    unpriced: list[UnpricedRow]


def read_book(ledger: PromptLedger) -> Book:
    """Own prices and the calls without one; in a thread."""
    prices = ledger.prices
    rows = [(row, prices.library_card(row.spec.provider, row.spec.model, row.spec.from_us)) for row in prices.entries()]
    return Book(rows, prices.unpriced())


class PriceBookPage(Place):
    """A page of Costs: own prices, and calls without a price.

    | Key(s) | Description |
    | :- | :- |
    | n, e, delete | Enter a price; let one end; withdraw one. |
    | i | Enter the five prices of the old engine. |
    | p | Price the calls that have a price by now. |
    | u, escape | Undo; back. |
    """

    WRITES = frozenset({"new", "end", "withdraw", "seed", "price"})
    PLACE = "costs"
    AUTO_FOCUS = "#price-table"
    HELP = """
# Price book
A call is charged by the own price that held at its start, else by the public price book. Prices are US dollars per million tokens.

A price holds from its moment (UTC) until another begins or it ends. Entering, ending and withdrawing change nothing that was
charged: each cost keeps its receipt. `u` takes the last change of prices back.

Calls without a price are below; once their model has a price that held at their time, `p` prices them. That is a fact of its own
and cannot be undone. `⚠ overlaps` marks prices that hold at the same time: the one that began last counts.
"""
    DEFAULT_CSS = """
    PriceBookPage #own-prices { height: 2fr; }
    PriceBookPage #without-price { height: 1fr; min-height: 6; }
    PriceBookPage .toolbar Button { margin: 0 1 0 0; }
    PriceBookPage #no-prices { height: auto; padding: 1 2; }
    """
    BINDINGS = [
        Binding("n", "new", "New", id="prices.new", tooltip="Enter a price"),
        Binding("e", "end", "End", id="prices.end", tooltip="Let the price under the cursor end"),
        Binding("delete", "withdraw", "Withdraw", id="prices.withdraw", tooltip="Withdraw the price under the cursor"),
        Binding("i", "seed", "Import five", show=False, id="prices.seed", tooltip="Enter the old engine's five prices"),
        Binding("p", "price", "Price unpriced", id="prices.price", tooltip="Price calls that have a price by now"),
        Binding("r", "reload", "Reload", show=False, id="prices.reload", tooltip="Read the prices again"),
        Binding("escape", "back", "Back", id="prices.back", tooltip="Back to the costs"),
    ]

    def __init__(self, model: str = "") -> None:
        """model: to price calls of, ``provider/model``: the form for it opens unless it has a price by now."""
        super().__init__()
        self._book: Book | None = None
        self._model = model

    def compose_place(self) -> ComposeResult:
        """Own prices, then what has none."""
        with Vertical(id="own-prices", classes="pane") as pane:
            pane.border_title = "Own prices, USD per million tokens"
            with Horizontal(classes="toolbar"):
                for name, label, tooltip in BUTTONS:
                    yield Button(label, name=name, compact=True, tooltip=tooltip)
            yield Static(
                Content.assemble(
                    "No own prices: calls are charged by the public price book.\n",
                    ("n", "bold $primary"),
                    "  enter one      ",
                    ("i", "bold $primary"),
                    "  the five of the old engine",
                ),
                id="no-prices",
                classes="muted",
            )
            yield RowTable(id="price-table")
        with Vertical(id="without-price", classes="pane") as pane:
            pane.border_title = "Calls without a price"
            yield RowTable(id="unpriced-table")

    def on_mount(self) -> None:
        """Read the prices."""
        self.action_reload()

    def registry_changed(self) -> None:
        """An undo may have changed prices."""
        self.action_reload()

    def action_reload(self) -> None:
        """Read the prices again."""
        ledger = self.ledger
        self.load(lambda: read_book(ledger), self._show, group="prices")

    @on(events.Resize)
    def _resized(self) -> None:
        """A narrow terminal shows fewer columns."""
        if self._book is not None:
            self._show(self._book)

    def action_back(self) -> None:
        """Back to the costs."""
        self.dismiss(None)

    def _show(self, book: Book) -> None:
        self._book = book
        self.query_one("#no-prices").display = not book.rows
        narrow = self.has_class("-narrow")
        rows = [(row.rid, _cells(row, card, narrow)) for row, card in book.rows]
        self.query_one("#price-table", RowTable).fill(NARROW_TITLES if narrow else TITLES, rows)
        self.query_one("#own-prices").border_subtitle = f"{len(book.rows)} price{'' if len(book.rows) == 1 else 's'}"
        calls = sum(row.calls for row in book.unpriced)
        pane = self.query_one("#without-price")
        pane.border_subtitle = f"⚠ {calls:,} calls" if calls else "every call has a price"
        missing = [(f"{row.provider}/{row.model}", _unpriced_cells(row)) for row in book.unpriced]
        self.query_one("#unpriced-table", RowTable).fill(UNPRICED, missing)
        model, self._model = self._model, ""
        if model:
            self.load(
                partial(self.ledger.prices.price_unpriced, dry_run=True), partial(self._found, model), group="ask"
            )

    def _found(self, model: str, would: Priceable) -> None:
        """Price what has a price by now; else ask for the price of the model, then price."""
        if would.priced:
            self.action_price()
            return

        def priced(_: Any) -> None:
            self.action_reload()
            self.action_price()

        def entered(wish: PriceWish | None) -> None:
            if wish is not None:
                self.load(partial(wish.enter, self.ledger), priced, group="price-change")

        self.app.push_screen(PriceForm(model), entered)

    # What a person does

    def action_new(self) -> None:
        """Enter a price, of the unpriced model when the cursor is on one."""
        table = self.query_one("#unpriced-table", RowTable)
        model = table.selected_key if table.has_focus else None
        own = self._current()
        if model is None and own is not None:
            model = own.spec.name
        self.app.push_screen(PriceForm(model or ""), self._entered)

    def _entered(self, wish: PriceWish | None) -> None:
        if wish is not None:
            self._change(partial(wish.enter, self.ledger), "Entered (u to undo). What was charged stays as it is.")

    def action_end(self) -> None:
        """Ask when the price under the cursor ends."""
        row = self._current()
        if row is None:
            return
        from ledger_tui.domain import clock
        from ledger_tui.domain.price_entries import iso, moment_us

        def check(text: str) -> str | None:
            moment_us(text)
            return None

        def ended(text: str | None) -> None:
            if text is not None:
                self._change(partial(self.ledger.prices.end, row.rid, moment_us(text)), "Ended (u to undo)")

        today = iso(clock.now_us() // 86_400_000_000 * 86_400_000_000)
        self.app.push_screen(
            Ask(f"End {row.words}", "Its first moment without this price (UTC)", today, check=check), ended
        )

    def action_withdraw(self) -> None:
        """Withdraw the price under the cursor; it can be undone, so nothing is asked."""
        row = self._current()
        if row is not None:
            words = "Withdrawn (u to undo). What was charged stays as it is."
            self._change(partial(self.ledger.prices.remove, row.rid), words)

    def action_seed(self) -> None:
        """Enter the old engine's five prices."""
        self._change(self.ledger.prices.import_seed, "Five prices from 2024-01-01 on (u to undo)")

    def action_price(self) -> None:
        """Say what would be priced, and price it when that is wanted."""
        prices = self.ledger.prices

        def found(would: Priceable) -> None:
            if not would.priced:
                self.app.notify(f"None of {would.looked_at:,} calls has a price as of its own time.", markup=False)
                return
            text = (
                f"{would.priced:,} of {would.looked_at:,} calls would be charged {money.show(would.nusd)} in all. "
                "A charge is a fact: it cannot be undone."
            )
            self.app.push_screen(Confirm("Price what had no price", text, "Price them"), confirmed)

        def confirmed(yes: bool | None) -> None:
            if yes:
                self.load(prices.price_unpriced, done, group="price-unpriced")

        def done(priced: Priceable) -> None:
            self.app.notify(f"{priced.priced:,} calls priced, {money.show(priced.nusd)}", markup=False)
            self.action_reload()

        self.load(partial(prices.price_unpriced, dry_run=True), found, group="price-unpriced")

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "reload")

    def _current(self) -> PriceEntryRow | None:
        key = self.query_one("#price-table", RowTable).selected_key
        rows = self._book.rows if self._book is not None else []
        return next((row for row, _ in rows if row.rid == key), None)

    def _change(self, work: Callable[[], Any], words: str) -> None:
        def done(_: Any) -> None:
            self.app.notify(words, markup=False)
            self.action_reload()

        self.load(work, done, group="price-change")

    def code_subject(self) -> CodeSubject | None:
        """The price under the cursor from a program and a shell."""
        row = self._current()
        if row is None:
            return CodeSubject(python="ledger.prices.import_seed()", cli="ledger-tui prices import seed")
        from ledger_tui.domain.price_entries import iso

        spec = row.spec
        given, made = f"{spec.prices['input']:f}", f"{spec.prices['output']:f}"
        python = "\n".join(
            [
                "from ledger_tui import PromptLedger",
                "",
                "with PromptLedger() as ledger:",
                f"    prices = {{'input': {given!r}, 'output': {made!r}}}",
                f"    ledger.prices.add({spec.provider!r}, {spec.model!r}, prices, from_us={spec.from_us})",
            ]
        )
        cli = f"ledger-tui prices add {spec.name} --input {given} --output {made} --from {iso(spec.from_us)}"
        return CodeSubject(python=python, cli=cli)

    def copy_source(self) -> str | None:
        """The id of the price under the cursor."""
        row = self._current()
        return None if row is None else row.rid


def _cells(row: PriceEntryRow, card: RateCard | None, narrow: bool) -> list[Cell]:
    spec = row.spec
    public = f"{card.rates[0].normalize():f}/{card.rates[3].normalize():f}" if card is not None else "—"
    mark: Cell = ("⚠ overlaps", "$warning") if row.overlapped else "tiers" if spec.tiers else ""
    until = "open" if spec.until_us is None else _moment(spec.until_us, narrow)
    cells: list[Cell] = [
        one_line(spec.name, 28 if narrow else 40), f"{spec.prices['input']:f}", f"{spec.prices['output']:f}",
        _moment(spec.from_us, narrow), until,
    ]  # fmt: skip
    return [*cells, mark] if narrow else [*cells, public, one_line(row.actor, 16), mark]


def _moment(moment_us: int, narrow: bool) -> str:
    """A day, with the minute where the moment is not its beginning and there is room."""
    from ledger_tui.domain import clock

    found = clock.from_us(moment_us)
    return f"{found:%Y-%m-%d}" if narrow or moment_us % 86_400_000_000 == 0 else f"{found:%Y-%m-%d %H:%M}"


def _unpriced_cells(row: UnpricedRow) -> list[Cell]:
    from ledger_tui.domain import clock

    first, last = (clock.from_us(moment).date().isoformat() for moment in (row.first_us, row.last_us))
    name = one_line(f"{row.provider}/{row.model}" if row.provider else row.model, 48)
    return [name, f"{row.calls:,}", f"{row.without_tokens:,}" if row.without_tokens else "", first, last, ""]
