"""What a cost is made of: the receipt of one call, or a sum by model and rates whose lines lead to the traces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from ledger_tui.domain import measure, money
from ledger_tui.domain.filter_fields import quoted
from ledger_tui.domain.receipt import receipt_lines
from ledger_tui.domain.text import one_line
from ledger_tui.ui.clipboard import copy
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.services.receipts import CostLine, Receipt
    from ledger_tui.ui.place import Place

_COPY = Binding("y,ctrl+y", "copy", "Copy", id="receipt.copy", tooltip="Copy what is shown")
_CLOSE = Binding("dollar_sign", "cancel", "Close", show=False, id="receipt.close", tooltip="Close the receipt")


def show_receipt(place: Place) -> None:
    """Read what the cost under the cursor of a place is made of, and show it."""
    subject = place.cost_subject()
    if subject is None:
        place.app.notify("There is no cost under the cursor.", markup=False)
        return
    ledger = place.ledger

    def show(found: Receipt | Sequence[CostLine]) -> None:
        dialog = SumDialog(subject.title, found, subject.filter_text) if isinstance(found, Sequence) else None
        place.app.push_screen(dialog or ReceiptDialog(subject.title, found))  # type: ignore[arg-type]

    place.load(lambda: subject.read(ledger), show, group="receipt")


class ReceiptDialog(Dialog[None]):
    """The receipt of one call.

    | Key(s) | Description |
    | :- | :- |
    | y | Copy it. |
    | $, escape | Close. |
    """

    HELP = """
# Receipt
Each class of tokens with its price per million and its amount; the amounts add up to the cost to the nano-dollar. *source* is the
team's own price or the public price book with its version; *price* is the day from which it held. What was charged never changes.
"""
    CLICK_OUT = True
    WIDE = True
    BINDINGS = [_COPY, _CLOSE]

    def __init__(self, title: str, receipt: Receipt) -> None:
        super().__init__(f"Receipt · {one_line(title, 60)}", "y copy · esc close")
        self._text = "\n".join(words(receipt))

    def compose_dialog(self) -> Iterable[Widget]:
        """The lines."""
        with VerticalScroll(can_focus=True) as scroll:
            scroll.styles.height = "auto"
            yield Static(content(self._text))

    def action_copy(self) -> None:
        """Copy the receipt."""
        copy(self.app, self._text, "the receipt")


def words(receipt: Receipt) -> list[str]:
    """A receipt as lines of text."""
    if receipt.how == "running":
        return ["The call still runs: its cost comes with its end."]
    if receipt.how == "free of charge":
        return ["This is not a call that costs anything."]
    lines = receipt_lines(receipt.receipt, receipt.cost_nusd)
    if receipt.how == "told":
        lines.append("The caller gave this receipt; the ledger did not work it out.")
    return lines


class SumDialog(Dialog[None]):
    """A sum by model and rates.

    | Key(s) | Description |
    | :- | :- |
    | enter | The traces behind the line. |
    | y | Copy the table. |
    | $, escape | Close. |
    """

    HELP = """
# What it came to
One line for each model and the rates that its calls were charged by; the lines add up to the sum. Calls whose price is not known
are counted under *unpriced* and are in no sum. `enter` opens the traces.
"""
    CLICK_OUT = True
    WIDE = True
    DEFAULT_CSS = """
    SumDialog RowTable { height: auto; max-height: 16; }
    SumDialog .total { height: auto; margin: 1 0 0 0; }
    """
    BINDINGS = [_COPY, _CLOSE]
    TITLES = ("model", "rates", ">calls", ">in/out", ">cost", ">unpriced")

    def __init__(self, title: str, lines: Sequence[CostLine], filter_text: str) -> None:
        super().__init__(f"Cost · {one_line(title, 60)}", "enter traces · y copy · esc close")
        self._lines = list(lines)
        self._filter = filter_text

    def compose_dialog(self) -> Iterable[Widget]:
        """The table and its sum."""
        yield RowTable(one_click=True)
        yield Static(content(self._total()), classes="total")

    def on_mount(self) -> None:
        """Fill the table."""
        table = self.query_one(RowTable)
        table.fill(self._titles(), [(str(number), self._cells(line)) for number, line in enumerate(self._lines)])
        table.focus()

    def _titles(self) -> tuple[str, ...]:
        """Without rates where the lines are sums over all of them."""
        return tuple(title for title in self.TITLES if title != "rates" or not self._any_rates)

    @property
    def _any_rates(self) -> bool:
        return all(line.any_rates for line in self._lines)

    def _cells(self, line: CostLine) -> list[Cell]:
        name = f"{line.provider}/{line.model}" if line.provider else line.model
        return [
            one_line(name, 34),
            *([] if self._any_rates else [rates(line)]),
            f"{line.calls:,}",
            f"{measure.count(line.input_tokens)}/{measure.count(line.output_tokens)}",
            _exact(line.known_nusd),
            (f"⚠ {line.unpriced:,}", "$warning") if line.unpriced else "",
        ]

    def _total(self) -> str:
        known = [line.known_nusd for line in self._lines if line.known_nusd is not None]
        unpriced = sum(line.unpriced for line in self._lines)
        calls = sum(line.calls for line in self._lines)
        if not calls:
            return "No call here costs anything."
        told = f"{_exact(sum(known)) if known else '—'} in {calls:,} call{'' if calls == 1 else 's'}"
        return f"{told}, ⚠ {unpriced:,} of them unpriced and in no sum" if unpriced else told

    @on(RowTable.RowSelected)
    def _open(self, event: RowTable.RowSelected) -> None:
        line = self._lines[int(event.row_key.value or 0)]
        terms = [self._filter, f"model:{quoted(line.model)}" if line.model else ""]
        terms.append(f"provider:{quoted(line.provider)}" if line.provider else "")
        app = self.app
        self.dismiss(None)
        app.open_traces(" ".join(term for term in dict.fromkeys(terms) if term))

    def action_copy(self) -> None:
        """Copy the table as tab-separated text."""
        rows = [[cell if isinstance(cell, str) else cell[0] for cell in self._cells(line)] for line in self._lines]
        head = "\t".join(title.removeprefix(">") for title in self._titles())
        copy(self.app, "\n".join([head, *("\t".join(row) for row in rows), self._total()]) + "\n", "the table")


def rates(line: CostLine) -> str:
    """By which rates a line was charged, in few characters."""
    if line.any_rates:
        return "all"
    if line.card is None:
        return "given by the caller" if line.known_nusd is not None else "not known"
    card = line.card
    source = "own" if card.source == "own" else " ".join(part for part in (card.source, card.version) if part)
    amounts = f"${card.rates[0].normalize():f}/${card.rates[3].normalize():f}"
    return f"{amounts} {source}" + (f" from {card.price_from[:10]}" if card.price_from else "")


def _exact(nusd: int | None) -> str:
    return "—" if nusd is None else f"${money.to_usd(nusd):,f}"
