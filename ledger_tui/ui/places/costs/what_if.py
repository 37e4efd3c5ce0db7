"""What if: chosen calls at another model's, another book's or another day's prices, beside what they were charged."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from ledger_tui.domain import money
from ledger_tui.domain.filter_fields import quoted
from ledger_tui.domain.text import one_line
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.place import Place
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.what_if import Sums, WhatIf

TITLES = ("model", ">calls", ">charged", ">unpriced", ">would be", ">no price", ">difference", ">of calls")
FIELDS = (
    ("filter", "Calls", "all, or a filter such as: model:gpt-4o prompt:support/* since:7d"),
    ("model", "Model", "each call's own, or provider/model"),
    ("book", "Book", "own prices over the public book, or: own, library, a file"),
    ("at", "Prices of", "each call's own time, or a day or moment: 2026-01-01"),
)


class WhatIfPage(Place):
    """A page of Costs: four fields and a table.

    | Key(s) | Description |
    | :- | :- |
    | enter | In a field: work it out. In the table: the traces behind a line. |
    | /, escape | To the fields; stop, or back. |
    """

    PLACE = "costs"
    HELP = """
# What if
The chosen calls, with the tokens that they used, at other prices: those of another **model**, of one **book** only (your own
prices, the public library, or a file), or of another **day**. Empty fields mean what was charged by. Nothing is written.

*difference* is of the calls that have both prices (*of calls*): calls without a price on one side are counted and never taken
as $0. Another model may count the same text differently; the token counts here are as they were.
"""
    DEFAULT_CSS = """
    WhatIfPage #what-fields { height: auto; }
    WhatIfPage .row { height: 1; }
    WhatIfPage .row Static { width: 12; color: $text-muted; }
    WhatIfPage .row Input { width: 1fr; }
    WhatIfPage #what-said { height: auto; padding: 0 2; }
    WhatIfPage #what-table-pane { height: 1fr; }
    """
    BINDINGS = [
        Binding("slash", "fields", "Fields", id="what_if.fields", tooltip="Go to the fields"),
        Binding("r", "work_out", "Work out", id="what_if.work_out", tooltip="Work it out again"),
        Binding("escape", "back", "Back", id="what_if.back", tooltip="Stop working it out, or go back"),
    ]

    def __init__(self, filter_text: str = "") -> None:
        """filter_text: which calls to begin with."""
        super().__init__()
        self._filter = filter_text
        self._answer: WhatIf | None = None
        self._stop: threading.Event | None = None

    def compose_place(self) -> ComposeResult:
        """The fields, one line about the answer, the table."""
        with Vertical(id="what-fields", classes="pane") as pane:
            pane.border_title = "What if"
            for name, label, hint in FIELDS:
                with Horizontal(classes="row"):
                    yield Static(label)
                    value = self._filter if name == "filter" else ""
                    yield Input(value, placeholder=hint, id=f"what-{name}", compact=True, classes="bar")
            with Horizontal(classes="toolbar"):
                yield Button(
                    "Work out", id="work-out", variant="primary", compact=True, tooltip="Price the calls (enter)"
                )
        yield Static("", id="what-said", markup=False)
        with Vertical(id="what-table-pane", classes="pane") as pane:
            pane.border_title = "By model"
            yield RowTable(id="what-table", one_click=True)

    def on_mount(self) -> None:
        """Work out the question as it stands."""
        self.query_one("#what-model").focus()
        self.action_work_out()

    def on_unmount(self) -> None:
        """Nobody waits for the answer any more."""
        if self._stop is not None:
            self._stop.set()

    @on(Input.Submitted)
    @on(Button.Pressed, "#work-out")
    def _asked(self) -> None:
        self.action_work_out()

    def action_fields(self) -> None:
        """Go to the fields."""
        self.query_one("#what-filter").focus()

    def action_back(self) -> None:
        """Stop what is worked out, else back to the costs."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None
        else:
            self.dismiss(None)

    def action_work_out(self) -> None:
        """Price the chosen calls."""
        if self._stop is not None:
            self._stop.set()
        stop = self._stop = threading.Event()
        texts = {name: self.query_one(f"#what-{name}", Input).value.strip() for name, _, _ in FIELDS}
        said = self.query_one("#what-said", Static)
        said.update("◌ reading the calls …")

        def progress(done: int) -> None:
            if not stop.is_set():
                self.app.call_from_thread(said.update, f"◌ {done:,} calls …  esc stop")

        def failed(error: Exception) -> None:
            self._stop = None
            said.update("")
            self.show_error(error)

        self.load(partial(ask, self.ledger, texts, Slowly(progress), stop), self._show, group="what-if", failed=failed)

    def _show(self, answer: WhatIf) -> None:
        self._stop, self._answer = None, answer
        shown = len(TITLES) - self.has_class("-narrow")
        rows = [(str(number), _cells(row)[:shown]) for number, row in enumerate(answer.by_model)]
        table = self.query_one("#what-table", RowTable)
        table.fill(TITLES[:shown], [*rows, ("total", _cells(answer.total, "total")[:shown])] if rows else [])
        self.query_one("#what-said", Static).update(content(words(answer)))

    @on(RowTable.RowSelected)
    def _open(self, event: RowTable.RowSelected) -> None:
        key = event.row_key.value
        if self._answer is None or key is None:
            return
        terms = [self.query_one("#what-filter", Input).value.strip()]
        if key != "total":
            row = self._answer.by_model[int(key)]
            terms += [f"model:{quoted(row.model)}"] * bool(row.model)
            terms += [f"provider:{quoted(row.provider)}"] * bool(row.provider)
        self.app.open_traces(" ".join(term for term in dict.fromkeys(terms) if term))

    def code_subject(self) -> CodeSubject:
        """The same question in a program and in a shell."""
        texts = {name: self.query_one(f"#what-{name}", Input).value.strip() for name, _, _ in FIELDS}
        options = "".join(f" --{name} {quoted(texts[name])}" for name in ("model", "book", "at") if texts[name])
        named = "".join(f", {name}={texts[name]!r}" for name in ("model", "book") if texts[name])
        python = "\n".join(
            [
                "from ledger_tui import PromptLedger",
                "",
                "with PromptLedger() as ledger:",
                f"    answer = ledger.prices.what_if({texts['filter']!r}{named})",
                "    print(answer.total.charged, answer.total.would, answer.total.difference)",
            ]
        )
        return CodeSubject(python=python, cli=f"ledger-tui what-if {texts['filter']}{options}".replace("  ", " "))


class Slowly:
    """Passes on every tenth page, so that telling does not take longer than working."""

    def __init__(self, tell: partial[None] | object) -> None:
        self._tell = tell
        self._pages = 0

    def __call__(self, done: int) -> None:
        self._pages += 1
        if self._pages % 10 == 0 and callable(self._tell):
            self._tell(done)


def ask(ledger: PromptLedger, texts: dict[str, str], progress: Slowly, stop: threading.Event) -> WhatIf:
    """Work out what the fields say; in a thread. Raises LedgerError."""
    from ledger_tui.domain.price_entries import moment_us

    return ledger.prices.what_if(
        texts["filter"],
        model=texts["model"] or None,
        book=texts["book"] or None,
        at_us=moment_us(texts["at"]) if texts["at"] else None,
        progress=progress,
        cancel=stop,
    )


def words(answer: WhatIf) -> str:
    """The answer in one line."""
    total = answer.total
    if not total.calls:
        return "No call fits."
    parts = [
        f"charged {money.show(total.charged, total.unpriced)}",
        f"would be {money.show(total.would, total.unpriceable)}",
    ]
    if total.difference is not None:
        share = f" ({total.difference / total.both_charged_nusd:+.1%})" if total.both_charged_nusd else ""
        parts.append(f"{_signed(total.difference)}{share} over {total.both_calls:,} calls with both prices")
    parts.append(f"prices from {', '.join(answer.sources) or 'nowhere'}")
    return ("stopped early: " if answer.canceled else "") + " · ".join(parts)


def _cells(row: Sums, name: str = "") -> list[Cell]:
    model = name or one_line(f"{row.provider}/{row.model}" if row.provider else row.model, 40)
    style = "" if row.difference is None or row.difference == 0 else "$success" if row.difference < 0 else "$error"
    return [
        model,
        f"{row.calls:,}",
        money.show(row.charged),
        (f"⚠ {row.unpriced:,}", "$warning") if row.unpriced else "",
        money.show(row.would),
        (f"⚠ {row.unpriceable:,}", "$warning") if row.unpriceable else "",
        (_signed(row.difference), style),
        f"{row.both_calls:,}",
    ]


def _signed(nusd: int | None) -> str:
    if nusd is None:
        return "—"
    return ("+" if nusd > 0 else "-" if nusd < 0 else "") + money.show(abs(nusd))
