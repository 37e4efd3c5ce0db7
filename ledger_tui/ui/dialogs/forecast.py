"""What runs will cost before they are made: in a line for one model, and in a table for several and any number of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from ledger_tui.domain import measure, money
from ledger_tui.domain.text import one_line
from ledger_tui.ui.clipboard import copy
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.services.forecast import Forecast

USUAL_RUNS = 1_000
MAX_RUNS = 1_000_000_000


def answer_words(one: Forecast) -> str:
    """How long answers will be: ``~84 back (95 % up to 210)``; says when nobody knows."""
    if one.output_tokens is None:
        return "answer length unknown"
    return f"~{one.output_tokens.median:,} back (95 % up to {one.output_tokens.p95:,})"


def cost_words(one: Forecast) -> str:
    """What it will cost: ``~$0.0012 (95 % up to $0.0031)``; of the input alone where the answer is not known."""
    if one.cost_nusd is not None:
        return f"~{money.show(one.cost_nusd.median)} (95 % up to {money.show(one.cost_nusd.p95)})"
    if one.input_cost_nusd is None:
        return "price not known"
    return f"~{money.show(one.input_cost_nusd)} without the answer"


class ForecastDialog(Dialog[None]):
    """A row a model, for as many runs as one types.

    | Key(s) | Description |
    | :- | :- |
    | up, down | More and fewer runs. |
    | ctrl+y | Copy the table. |
    | escape | Close. |
    """

    HELP = """
# Forecast
What so many runs will take with each model, before anything is sent. The tokens of the input are counted by a rule of thumb;
the answer is as long as this prompt's last ones: a short one (5th percentile), a middling one (median), a long one (95th
percentile). The figures are of all runs together, as if each answer had that length. *from* says how many answers the length is
from, and `any model` where this model has not answered this prompt yet. Without a history only the input is counted, and a
model without a price has no cost: `—`.
"""
    WIDE = True
    DEFAULT_CSS = """
    ForecastDialog .row { height: 1; margin: 0 0 1 0; }
    ForecastDialog .row Static { width: auto; margin: 0 1 0 0; }
    ForecastDialog .row Input { width: 14; }
    ForecastDialog RowTable { height: auto; max-height: 10; }
    ForecastDialog .note { height: auto; margin: 1 0 0 0; color: $text-muted; }
    """
    BINDINGS = [
        Binding("ctrl+y", "copy", "Copy", id="forecast.copy", tooltip="Copy the table"),
        Binding("up", "scale(10)", "Ten times", show=False, id="forecast.more", tooltip="Ten times as many runs"),
        Binding("down", "scale(-10)", "A tenth", show=False, id="forecast.fewer", tooltip="A tenth of the runs"),
    ]
    TITLES = ("model", ">in", ">out: 5 %", ">median", ">95 %", ">cost: 5 %", ">median", ">95 %", ">from")

    SHORT_TITLES = ("model", ">in", ">out", ">95 %", ">cost", ">95 %", ">from")
    """Where there is little room: no short answers."""

    def __init__(self, title: str, found: Sequence[Forecast], runs: int = USUAL_RUNS) -> None:
        """found: forecasts of one run each."""
        super().__init__(f"Forecast · {one_line(title, 60)}", "ctrl+y copy · esc close")
        self._found = list(found)
        self._runs = runs

    def compose_dialog(self) -> Iterable[Widget]:
        """The number of runs, the table, what it means."""
        with Horizontal(classes="row"):
            yield Static("For")
            yield Input(str(self._runs), type="integer", max_length=10, compact=True, classes="bar", id="runs")
            yield Static("runs of each model (↑ ten times, ↓ a tenth)", classes="muted")
        table = RowTable()
        table.can_focus = False
        yield table
        yield Static(content(self._note()), classes="note")

    def on_mount(self) -> None:
        """Show the usual number of runs."""
        self._fill()
        self.query_one(Input).focus()

    @property
    def runs(self) -> int:
        """How many are asked about; 1 while nothing sensible is typed."""
        text = self.query_one(Input).value
        return min(MAX_RUNS, max(1, int(text))) if text.isdecimal() else 1

    @on(Input.Changed)
    def _fill(self) -> None:
        short = self.app.size.width < 110
        rows = [
            (str(at), (short_cells if short else cells)(one.times(self.runs))) for at, one in enumerate(self._found)
        ]
        self.query_one(RowTable).fill(self.SHORT_TITLES if short else self.TITLES, rows)

    def action_scale(self, factor: int) -> None:
        """Ten times as many, or a tenth."""
        field = self.query_one(Input)
        field.value = str(max(1, min(MAX_RUNS, self.runs * factor if factor > 0 else self.runs // -factor)))
        field.action_end()

    def action_copy(self) -> None:
        """Copy the table as tab-separated text."""
        rows = [
            [cell if isinstance(cell, str) else cell[0] for cell in cells(one.times(self.runs))] for one in self._found
        ]
        head = "\t".join(["runs", *(title.removeprefix(">") for title in self.TITLES)])
        copy(self.app, "\n".join([head, *("\t".join([str(self.runs), *row]) for row in rows)]) + "\n", "the table")

    def _note(self) -> str:
        if not self._found:
            return "No model that is known is chosen."
        notes = ["Nothing is sent. Tokens of the input are counted by a rule of thumb."]
        if any(one.output_tokens is None for one in self._found):
            notes.append("Answer length unknown: this prompt has no finished run yet, so only the input is counted.")
        if any(one.input_cost_nusd is None for one in self._found):
            notes.append("— is a price that nobody knows; b in Costs enters one.")
        return " ".join(notes)


def cells(one: Forecast) -> list[Cell]:
    """A forecast as cells of ``ForecastDialog.TITLES``; unknown is a dash."""
    answer, cost = one.output_tokens, one.cost_nusd
    tokens = ["—"] * 3 if answer is None else [f"{n:,}" for n in (answer.low, answer.median, answer.p95)]
    amounts = ["—"] * 3 if cost is None else [money.show(n) for n in (cost.low, cost.median, cost.p95)]
    if cost is None and one.input_cost_nusd is not None:
        amounts[0] = f"{money.show(one.input_cost_nusd)} +?"
    seen = f"{one.seen:,}" + ("" if one.of_this_model else " any model") if one.seen else "no answers"
    return [one_line(one.model, 30), f"{one.input_tokens:,}", *tokens, *amounts, seen]


def short_cells(one: Forecast) -> list[Cell]:
    """A forecast as cells of ``ForecastDialog.SHORT_TITLES``."""
    answer, cost = one.output_tokens, one.cost_nusd
    tokens = ["—"] * 2 if answer is None else [measure.count(answer.median), measure.count(answer.p95)]
    full = cells(one)
    amounts: list[Cell] = [full[-4], "—"] if cost is None else [money.show(cost.median), money.show(cost.p95)]
    seen = f"{one.seen:,}" + ("" if one.of_this_model else " any") if one.seen else "—"
    return [one_line(one.model, 26), measure.count(one.input_tokens), *tokens, *amounts, seen]
