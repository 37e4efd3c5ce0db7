"""Budgets and alerts: what may be spent and where that stands, and what was worth telling with the numbers behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, DataTable, Static

from ledger_tui.domain import clock, measure, money
from ledger_tui.domain.alerts import SPIKE
from ledger_tui.domain.text import one_line
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.costs.budget_form import BudgetForm, BudgetWish
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.domain.alerts import AlertRow
    from ledger_tui.domain.budgets import Standing
    from ledger_tui.ledger import PromptLedger

REFRESH_S = 4.0
ALERTS = 200
STATES = {"ok": ("✓", ""), "warn": ("⚠", "$warning"), "over": ("✗", "$error")}
BUTTONS = (
    ("new", "New budget", "Set a budget (n)"),
    ("change", "Change", "Change the budget under the cursor (e)"),
    ("remove", "Remove", "Remove the budget under the cursor (delete)"),
)
_TITLES = ("", "for", "period", "spent", ">", ">spent", ">expected", ">limit", ">unpriced", "ends", "by")
_SHORT_TITLES = ("", "for", "period", "spent", ">", ">spent", ">limit", ">left")
_SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows."""

    standings: list[Standing]
    alerts: list[AlertRow]
    prompts: list[str]


def read(ledger: PromptLedger) -> Shown:
    """Budgets, alerts and the names of prompts; in a thread."""
    prompts = [row.name for row in ledger.registry.prompts()]
    return Shown(ledger.budgets.standings(), ledger.alerts.entries(ALERTS), prompts)


class BudgetsPage(Place):
    """A page of Costs: limits on spending, and alerts.

    | Key(s) | Description |
    | :- | :- |
    | n, e, delete | Set a budget; change one; remove one. |
    | enter | The traces behind the budget or the alert. |
    | u, escape | Undo; back. |
    """

    PLACE = "costs"
    AUTO_FOCUS = "#budget-table"
    WRITES = frozenset({"new", "change", "remove"})
    HELP = """
# Budgets and alerts
A budget limits what calls may cost in a UTC day or month: all calls, those of a prompt or of a folder of prompts (`support/*`),
those of an environment. A call that would go past the limit is **not sent**, whoever makes it: the workstation, a program, the
command line.

*expected* is what calls that wait or run will cost about; it counts until they end. Calls without a known price count as nothing
and are told under *unpriced*. Each change is a fact: `u` takes the last one back.

Alerts are told once: a budget that comes to its share or its limit, a call that was stopped, and a day whose error rate, latency or
cost stands out from the days before. `enter` opens the traces behind.
"""
    DEFAULT_CSS = """
    BudgetsPage #budgets-pane { height: auto; min-height: 7; max-height: 60%; }
    BudgetsPage #budget-table { height: auto; max-height: 30; }
    BudgetsPage.-short #budget-table { max-height: 7; }
    BudgetsPage #alerts-pane { height: 1fr; min-height: 6; }
    BudgetsPage .toolbar Button { margin: 0 1 0 0; }
    BudgetsPage .nothing { height: auto; padding: 1 2; }
    BudgetsPage #alert-detail { height: auto; max-height: 4; color: $text-muted; }
    """
    BINDINGS = [
        Binding("n", "new", "New", id="budgets.new", tooltip="Set a budget"),
        Binding("e", "change", "Change", id="budgets.change", tooltip="Change the budget under the cursor"),
        Binding("delete", "remove", "Remove", id="budgets.remove", tooltip="Remove the budget under the cursor"),
        Binding("r", "reload", "Reload", show=False, id="budgets.reload", tooltip="Read the budgets again"),
        Binding("escape", "back", "Back", id="budgets.back", tooltip="Back to the costs"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown: Shown | None = None
        self._fresh: set[str] = set()
        """Alerts that were not seen before this visit."""

    def compose_place(self) -> ComposeResult:
        """Budgets, then alerts."""
        with Vertical(id="budgets-pane", classes="pane") as pane:
            pane.border_title = "Budgets"
            with Horizontal(classes="toolbar"):
                for name, label, tooltip in BUTTONS:
                    yield Button(label, name=name, compact=True, tooltip=tooltip)
            yield Static(_NO_BUDGETS, id="no-budgets", classes="nothing")
            yield RowTable(id="budget-table", one_click=True)
        with Vertical(id="alerts-pane", classes="pane") as pane:
            pane.border_title = "Alerts"
            yield Static(_NO_ALERTS, id="no-alerts", classes="nothing muted")
            yield RowTable(id="alert-table", one_click=True)
            yield Static("", id="alert-detail", markup=False)

    def on_mount(self) -> None:
        """Read, and keep reading: others spend too."""
        self.action_reload()
        self.set_interval(REFRESH_S, self.action_reload)

    def registry_changed(self) -> None:
        """An undo may have changed budgets."""
        self.action_reload()

    def action_reload(self) -> None:
        """Read the budgets again."""
        ledger = self.ledger
        self.load(lambda: read(ledger), self._show, group="budgets")

    def action_back(self) -> None:
        """Back to the costs."""
        self.dismiss(None)

    @on(events.Resize)
    def _resized(self) -> None:
        if self._shown is not None:
            self._show(self._shown)

    def _show(self, shown: Shown) -> None:
        self._shown = shown
        self._fresh |= {row.key for row in shown.alerts if row.seen_us is None}
        width = self.app.size.width
        short = width < 110
        rows = [(one.budget.rid, _cells(one, width, short)) for one in shown.standings]
        table = self.query_one("#budget-table", RowTable)
        table.fill(_SHORT_TITLES if short else _TITLES, rows)
        table.display = bool(rows)
        # A table measures its rows only when it next rests; a pane as high as its table waits for that.
        self.call_after_refresh(table.refresh, layout=True)
        self.query_one("#no-budgets").display = not rows
        over = sum(one.state == "over" for one in shown.standings)
        told = f"{len(rows)} budget{'' if len(rows) == 1 else 's'}" + (f" · ✗ {over} spent" if over else "")
        self.query_one("#budgets-pane").border_subtitle = told
        alerts = self.query_one("#alert-table", RowTable)
        now_us = clock.seen_from_us()
        alerts.fill(("", "when", "what"), [(row.key, self._alert_cells(row, now_us)) for row in shown.alerts])
        alerts.display = bool(shown.alerts)
        self.query_one("#no-alerts").display = not shown.alerts
        unseen = sum(row.seen_us is None for row in shown.alerts)
        self.query_one("#alerts-pane").border_subtitle = f"{len(self._fresh)} new" if self._fresh else ""
        if self.focused is None:
            (table if rows else alerts if shown.alerts else self.query_one("Button")).focus()
        if unseen and self.ledger.as_of is None:
            newest = max(row.at_us for row in shown.alerts)
            self.load(partial(self.ledger.alerts.mark_seen, newest), self._seen, group="alerts-seen")

    def _seen(self, _: None) -> None:
        self.app.refresh_facts(alerts=0)
        self.app.clear_notifications()

    def _alert_cells(self, row: AlertRow, now_us: int) -> list[Cell]:
        style = "$error" if row.glyph == "✗" else "$warning"
        mark: Cell = (f"{row.glyph} new" if row.key in self._fresh else row.glyph, style)
        return [mark, measure.age(row.at_us, now_us), one_line(row.words, max(20, self.app.size.width - 22))]

    @on(DataTable.RowHighlighted, "#alert-table")
    def _explain(self, event: DataTable.RowHighlighted) -> None:
        row = self._alert(event.row_key.value)
        self.query_one("#alert-detail", Static).update(content("" if row is None else numbers(row)))

    # What a person does

    def action_new(self) -> None:
        """Set a budget."""
        self.app.push_screen(BudgetForm(prompts=self._shown.prompts if self._shown else ()), self._entered)

    def action_change(self) -> None:
        """Change the budget under the cursor."""
        one = self._current()
        if one is not None:
            self.app.push_screen(BudgetForm(one.budget.spec), self._entered)

    def _entered(self, wish: BudgetWish | None) -> None:
        if wish is not None:
            self._do(partial(wish.enter, self.ledger), "Set (u to undo)")

    def action_remove(self) -> None:
        """Remove the budget under the cursor; it can be undone, so nothing is asked."""
        one = self._current()
        if one is not None:
            self._do(partial(self.ledger.budgets.remove, one.budget.rid), "Removed (u to undo)")

    def _do(self, work: Callable[[], Any], words: str) -> None:
        def done(_: Any) -> None:
            self.app.notify(words, markup=False)
            self.action_reload()

        self.load(work, done, group="budget-change")

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "reload")

    @on(RowTable.RowSelected)
    def _open(self, event: RowTable.RowSelected) -> None:
        """The traces behind the budget or the alert."""
        if event.data_table.id == "alert-table":
            row = self._alert(event.row_key.value)
            text = row.filter_text if row else ""
        else:
            one = self._current()
            text = one.filter_text if one else ""
        if text:
            self.app.open_traces(text)

    def _current(self) -> Standing | None:
        key = self.query_one("#budget-table", RowTable).selected_key
        found = self._shown.standings if self._shown else []
        return next((one for one in found if one.budget.rid == key), None)

    def _alert(self, key: str | None) -> AlertRow | None:
        return next((row for row in (self._shown.alerts if self._shown else ()) if row.key == key), None)

    def code_subject(self) -> CodeSubject:
        """The budget under the cursor from a program and a shell."""
        one = self._current()
        spec = one.budget.spec if one else None
        limit, period = (spec.value()["limit_usd"], spec.period) if spec else ("5", "day")
        scope = spec.scope() if spec else {}
        given = "".join(f", {name}={value!r}" for name, value in scope.items())
        python = "\n".join(
            [
                "from ledger_tui import PromptLedger",
                "",
                "with PromptLedger() as ledger:",
                f"    ledger.budgets.set({limit!r}, {period!r}{given})",
                "    for one in ledger.budgets.standings():",
                "        print(one.words, one.state)",
            ]
        )
        options = "".join(f" --{name} '{value}'" for name, value in scope.items())
        return CodeSubject(python=python, cli=f"ledger-tui budgets set --limit {limit} --period {period}{options}")

    def copy_source(self) -> str | None:
        """The alert under the cursor with its numbers, or where the budget stands."""
        table = self.query_one("#alert-table", RowTable)
        row = self._alert(table.selected_key) if table.has_focus else None
        if row is not None:
            return numbers(row)
        one = self._current()
        return None if one is None else one.words


def _cells(one: Standing, width: int, short: bool) -> list[Cell]:
    spec = one.budget.spec
    glyph, style = STATES[one.state]
    ends = measure.age(2 * clock.seen_from_us() - one.period.until_us, clock.seen_from_us())
    cells: list[Cell] = [
        (glyph, style),
        one_line(spec.subject, 14 if short else 40),
        spec.period if short else f"{spec.period} {one.period.key}",
        (bar(one.share, 8 if short else min(40, width // 7)), style or "$success"),
        (f"{one.percent} %", style),
        money.show(one.spent_nusd, one.unpriced if short else 0),
    ]
    if not short:
        cells.append(money.show(one.reserved_nusd) if one.reserved_nusd else "")
    cells.append(money.show(spec.limit_nusd))
    if not short:
        cells.append((f"⚠ {one.unpriced:,}", "$warning") if one.unpriced else "")
    return [*cells, ends] if short else [*cells, f"in {ends}", one_line(one.budget.actor, 16)]


def bar(share: float, width: int) -> str:
    """A share as a bar of eighths on a dotted ground: ``██████▍···``."""
    eighths = max(0, min(width * 8, int(share * width * 8)))
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
    return drawn + "·" * (width - len(drawn))


def numbers(row: AlertRow) -> str:
    """An alert with what lies behind it, in two lines or three."""
    if row.kind != SPIKE:
        share = f"warning at {row.detail.get('warn_percent')} %"
        unpriced = int(row.detail.get("unpriced") or 0)
        told = f"; {unpriced:,} calls without a price are not in it" if unpriced else ""
        return f"{row.title}: {row.words}\n{share}{told} · enter traces"
    history = [float(value) for value in row.detail.get("history", ())]
    value = float(row.detail["value"])
    behind = f"the days before and this one {sparks([*history, value])} · {row.detail['calls']:,} calls that day"
    return f"{row.title}: {row.words}\n{behind} · enter traces"


def sparks(values: Sequence[float]) -> str:
    """Values as a line of small columns, the highest full."""
    top = max(values, default=0)
    return "".join(_SPARKS[min(7, int(value / top * 7.999))] if top > 0 else _SPARKS[0] for value in values)


_KEY = "bold $primary"
_NO_BUDGETS = Content.assemble(
    "No budgets: calls may cost whatever they cost.\n\n",
    ("n", _KEY), "  set one: a limit in US dollars for a day or a month, of all calls, of a prompt or of an environment",
)  # fmt: skip
_NO_ALERTS = Content(
    "No alerts. A budget that comes near its limit is told here, and a day that stands out from those before."
)
