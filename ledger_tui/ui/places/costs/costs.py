"""Costs: what was spent, by day and by model. Every sum says how many of its calls have no price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from ledger_tui.domain import clock, money
from ledger_tui.domain.filter_fields import quoted
from ledger_tui.domain.text import one_line
from ledger_tui.domain.values import CostRow
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.cost_subject import CostSubject, line_of
from ledger_tui.ui.place import Place
from ledger_tui.ui.widgets.row_table import Cell, RowTable

PERIODS = (7, 30, 90)
FIGURES = (">calls", ">failed", ">tokens in/out", ">cost", ">unpriced")
NARROW_FIGURES = (">calls", ">failed", ">in/out", ">cost", ">unpriced")
_SIDE_BY_SIDE = 136
"""So many columns put the tables beside each other."""
_PANE_CELLS = 5
"""Border, padding and scroll bar of a pane."""
_NARROW = 76
"""A table that is narrower says less in its headings and shortens the names of models."""
_SHORTEST_NAME = 12


@dataclass(frozen=True, slots=True)
class Spending:
    """The sums of one period."""

    days: int
    by_day: list[CostRow]
    by_model: list[CostRow]


def known_cost(row: CostRow) -> int | None:
    """The priced part of a row, None when no call of it has a price."""
    return row.cost_nusd if row.calls > row.unpriced else None


def short_count(number: int) -> str:
    """A count for a narrow column: 950, 12.3k, 195k, 2.1M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}" if number < 100 * size else f"{number // size}{letter}"
    return str(number)


def figures(row: CostRow) -> list[Cell]:
    """The cells of ``FIGURES``; nothing unpriced and nothing failed stay quiet."""
    return [
        f"{row.calls:,}",
        (f"✗ {row.errors:,}", "$error") if row.errors else "",
        f"{short_count(row.input_tokens)}/{short_count(row.output_tokens)}",
        money.show(known_cost(row)),
        (f"⚠ {row.unpriced:,}", "$warning") if row.unpriced else "",
    ]


def day_filter(key: tuple[str, ...]) -> str:
    """The filter for the traces of a day."""
    day = date.fromisoformat(key[0])
    return f"since:{day} until:{day + timedelta(days=1)}"


def model_filter(key: tuple[str, ...], days: int) -> str:
    """The filter for the traces that called a model (provider, model) in the last ``days`` days."""
    first = clock.now().date() - timedelta(days=days - 1)
    provider, model = key
    return " ".join(
        [f"model:{quoted(model)}"] * bool(model)
        + [f"provider:{quoted(provider)}"] * bool(provider)
        + [f"since:{first}"]
    )


class CostsPlace(Place):
    """Two tables over one period.

    | Key(s) | Description |
    | :- | :- |
    | enter | Open the traces behind the row. |
    | [ and ] | A shorter and a longer period. |
    | r | Read the sums again. |
    | $, w, b | The receipt; the same calls at other prices; the price book. |
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_SIDE_BY_SIDE, "-wide"), (180, "-very-wide")]
    """Below 136 columns the tables stand one above the other."""
    PLACE = "costs"
    CSS_PATH = "costs.tcss"
    HELP = """
    # Costs
    What finished calls to models cost, by day and by model, in US dollars. Days are UTC.

    A call whose model has no known price is **unpriced**: it is counted under *unpriced* and never as $0, so a sum
    with unpriced calls is the least that was spent. Failed calls that were charged count too.

    `enter`, or a click, on a day or a model opens the traces behind it.
    """
    BINDINGS = [
        Binding("left_square_bracket", "period(-1)", "Shorter", id="costs.shorter", tooltip="Look at a shorter period"),
        Binding("right_square_bracket", "period(1)", "Longer", id="costs.longer", tooltip="Look at a longer period"),
        Binding("r", "reload", "Reload", id="costs.reload", tooltip="Read the sums again"),
        Binding("b", "price_book", "Price book", id="costs.price_book", tooltip="The prices that calls are charged by"),
        Binding("w", "what_if", "What if", id="costs.what_if", tooltip="The same calls at other prices"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.days = 30
        self._shown: Spending | None = None

    def compose_place(self) -> ComposeResult:
        """Period and sum, then the two tables, or what to do when nothing was spent."""
        with Horizontal(id="costs-bar"):
            for days in PERIODS:
                yield Button(f"{days} d", tooltip=f"The last {days} days", id=f"days-{days}", compact=True)
            yield Static("", id="costs-sum", markup=False)
        with Container(id="costs-tables"):
            with Vertical(classes="pane", id="by-day") as pane:
                pane.border_title = "By day"
                yield RowTable(id="day-table", one_click=True)
            with Vertical(classes="pane", id="by-model") as pane:
                pane.border_title = "By model"
                yield RowTable(id="model-table", one_click=True)
        yield Static(
            Content.assemble(
                "No call to a model in this period.\n\n",
                ("f3", "bold $primary"),
                "  run a prompt in the playground      ",
                ("]", "bold $primary"),
                "  look further back",
            ),
            id="costs-empty",
            classes="empty",
        )

    def on_mount(self) -> None:
        """Read the sums of the usual period."""
        self.action_reload()

    def on_screen_resume(self) -> None:
        """Coming back shows what was spent meanwhile."""
        if self._shown is not None:
            self.action_reload()

    def action_reload(self) -> None:
        """Read the sums again."""
        days = self.days
        for period in PERIODS:
            self.query_one(f"#days-{period}", Button).variant = "primary" if period == days else "default"
        costs = self.ledger.costs
        self.load(
            lambda: Spending(days, costs.by_day(days), costs.by(("provider", "model"), days)), self._show, group="costs"
        )

    def action_period(self, step: int) -> None:
        """The next longer or shorter period."""
        at = PERIODS.index(self.days) + step
        if 0 <= at < len(PERIODS):
            self.days = PERIODS[at]
            self.action_reload()

    @on(Button.Pressed)
    def _period_pressed(self, event: Button.Pressed) -> None:
        self.days = int((event.button.id or "").removeprefix("days-"))
        self.action_reload()

    def _show(self, spending: Spending) -> None:
        self._shown = spending
        empty = not any(row.calls for row in spending.by_day)
        focused = self.focused is not None and not isinstance(self.focused, Button)
        self.query_one("#costs-tables").display = not empty
        self.query_one("#costs-empty").display = empty
        self.query_one("#costs-sum", Static).update(summary(spending.by_day))
        days = sorted(spending.by_day, key=lambda row: row.key, reverse=True)
        models = sorted(spending.by_model, key=lambda row: (-row.cost_nusd, row.key))
        self._fill("#day-table", "day", days)
        self._fill("#model-table", "model", models)
        if not empty and not focused:
            self.query_one("#day-table").focus()

    @on(events.Resize)
    def _resized(self) -> None:
        """Names are cut for a width."""
        if self._shown is not None:
            self._show(self._shown)

    def _fill(self, name: str, title: str, rows: Sequence[CostRow]) -> None:
        table = self.query_one(name, RowTable)
        width = self.app.size.width
        room = (width if width < _SIDE_BY_SIDE else width // 2) - _PANE_CELLS
        titles = FIGURES if room >= _NARROW else NARROW_FIGURES
        cells = [figures(row) for row in rows]
        taken = sum(
            max([len(head) - 1, *(len(_words(row[column])) for row in cells)]) + 2 for column, head in enumerate(titles)
        )
        name_room = max(_SHORTEST_NAME, room - taken - 2)
        names = [one_line("/".join(row.key), name_room) for row in rows]
        found = zip(rows, names, cells, strict=True)
        table.fill([title, *titles], [("/".join(row.key), [shown, *sums]) for row, shown, sums in found])
        pane = table.parent
        if isinstance(pane, Vertical):
            count = f"{len(rows)} {title}{'' if len(rows) == 1 else 's'}"
            pane.border_subtitle = f"{count}{'' if title == 'model' else f' of {self.days}'} · enter traces"

    @on(RowTable.RowSelected)
    def _open_traces(self, event: RowTable.RowSelected) -> None:
        """The traces behind a day or a model."""
        shown = self._shown
        if shown is None:
            return
        by_day = event.data_table.id == "day-table"
        rows = shown.by_day if by_day else shown.by_model
        key = next((row.key for row in rows if "/".join(row.key) == event.row_key.value), None)
        if key is not None:
            self.app.open_traces(day_filter(key) if by_day else model_filter(key, shown.days))

    def action_price_book(self) -> None:
        """The prices that calls are charged by."""
        from ledger_tui.ui.places.costs.prices import PriceBookPage

        self.app.push_screen(PriceBookPage())

    def action_what_if(self) -> None:
        """The calls under the cursor, or all of the period, at other prices."""
        from ledger_tui.ui.places.costs.what_if import WhatIfPage

        subject = self.cost_subject()
        self.app.push_screen(WhatIfPage(subject.filter_text if subject else f"since:{self.days}d"))

    def cost_subject(self) -> CostSubject | None:
        """The day or the model under the cursor."""
        shown, focused = self._shown, self.focused
        if shown is None or not isinstance(focused, RowTable):
            return None
        by_day = focused.id == "day-table"
        rows = shown.by_day if by_day else shown.by_model
        row = next((row for row in rows if "/".join(row.key) == focused.selected_key), None)
        if row is None:
            return None
        if not by_day:
            return CostSubject("/".join(row.key), lambda ledger: [line_of(row)], model_filter(row.key, shown.days))
        day = date.fromisoformat(row.key[0])
        return CostSubject(
            row.key[0],
            lambda ledger: [line_of(found) for found in ledger.costs.between(("provider", "model"), day, day)],
            day_filter(row.key),
        )

    def code_subject(self) -> CodeSubject:
        """The sums of this period from a program."""
        python = "\n".join(
            [
                "from ledger_tui import PromptLedger",
                "",
                "with PromptLedger() as ledger:",
                f'    for row in ledger.costs.by(("day", "model"), days={self.days}):',
                "        print(*row.key, row.calls, row.cost_nusd / 1e9, row.unpriced)",
            ]
        )
        return CodeSubject(python=python)

    def copy_source(self) -> str | None:
        """The table by day as tab-separated text."""
        if self._shown is None:
            return None
        head = "day\tcalls\terrors\tinput_tokens\toutput_tokens\tcost_nano_usd\tunpriced"
        rows = []
        for row in self._shown.by_day:
            sums = (row.calls, row.errors, row.input_tokens, row.output_tokens, row.cost_nusd, row.unpriced)
            rows.append("\t".join(map(str, (*row.key, *sums))))
        return "\n".join([head, *rows]) + "\n"


def _words(cell: Cell) -> str:
    return cell[0] if isinstance(cell, tuple) else cell


def summary(rows: Sequence[CostRow]) -> Content:
    """The period in one line: spent, calls, failures, and what has no price."""
    calls, errors = sum(row.calls for row in rows), sum(row.errors for row in rows)
    unpriced = sum(row.unpriced for row in rows)
    spent = sum(row.cost_nusd for row in rows) if calls > unpriced else None
    if not calls:
        return Content("")
    parts = [
        Content.styled(money.show(spent, unpriced if spent is not None else 0), "bold"),
        Content(f"{calls:,} call{'' if calls == 1 else 's'}"),
    ]
    if errors:
        parts.append(Content.styled(f"✗ {errors:,} failed", "$error"))
    if unpriced:
        parts.append(Content.styled(f"⚠ {unpriced:,} unpriced", "$warning"))
    return Content(" · ").join(parts)
