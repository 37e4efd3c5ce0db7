"""How long texts and steps are kept: the rules, what they would take now, and taking it with progress and a way to stop."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches
from textual.widgets import Button, Static

from ledger_tui.domain import clock, measure
from ledger_tui.errors import LedgerError
from ledger_tui.settings import OPTIONS, Option
from ledger_tui.ui.dialogs.ask import Ask, Confirm
from ledger_tui.ui.dialogs.export import bar
from ledger_tui.ui.places.settings.general import parsed, shown
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.services.retention import Step
    from ledger_tui.store.vacuum import Freed

RULES = tuple(option for option in OPTIONS if option.key.startswith("retention_"))
TITLES = {
    "retention_texts_days": "Texts go after",
    "retention_spans_days": "Steps go after",
    "retention_texts_by_kind": "Texts of kinds",
}
PLAN = (">how many", "what", "by the rule", ">chars", "oldest", "newest")
_EVERY_S = 0.1


class Retention(Section):
    """The rules, and what they would take; enter changes a rule.

    | Key(s) | Description |
    | :- | :- |
    | enter | Change the rule under the cursor. |
    """

    HELP = """
    ## Retention
    Nothing goes unless a rule says so. With a rule this workstation applies it once a day while it is open; so does
    `ledger-tui retention`, which has a `--dry-run`. Texts go first if you like, numbers, names and times stay; later the steps
    of whole traces may go. What was charged and counted stays, to the nano-dollar, and a place where something was removed
    says so.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._stop: threading.Event | None = None
        self._now: Step | None = None

    def compose(self) -> ComposeResult:
        """Rules, what they would take, deeds."""
        with Vertical(classes="pane", id="rules-pane") as pane:
            pane.border_title = "Rules"
            pane.border_subtitle = "enter change"
            yield RowTable(id="rules")
            yield Static("", id="rules-doc", markup=False)
        with Vertical(classes="pane", id="plan-pane") as pane:
            pane.border_title = "What would go now"
            yield RowTable(id="plan")
            yield Static("", id="plan-said", markup=False)
        with Horizontal(classes="toolbar"):
            yield Button(
                "Show what would go",
                id="look",
                compact=True,
                tooltip="Count what the rules would take; changes nothing",
            )
            yield Button("Apply now", id="apply", compact=True, tooltip="Take it, after a question")
            yield Button("Stop", id="stop", compact=True, tooltip="Stop; what is gone stays gone, the rest stays")
            yield Button(
                "Give space back", id="vacuum", compact=True, tooltip="Rewrite the file without its unused parts"
            )

    def on_mount(self) -> None:
        """Nothing runs."""
        self.query_one("#stop").display = False
        self.set_interval(_EVERY_S, self._show_progress)

    def read(self) -> None:
        """Show the rules, and say when they were applied."""
        settings = self.app.ledger.settings
        rows: list[tuple[str, list[Cell]]] = []
        for option in RULES:
            value = settings.value(option)
            words = "never" if value == 0 else f"{value} days" if isinstance(value, int) else shown(value)
            rows.append(
                (option.key, [TITLES.get(option.key, option.key), (words, "bold") if value else words, option.key])
            )
        self.query_one("#rules", RowTable).fill(["rule", "value", "setting"], rows)
        self.load(self.app.ledger.retention.last_run_us, self._say_last)

    def focus_first(self) -> None:
        """The rules."""
        self.query_one("#rules", RowTable).focus()

    def _say_last(self, last_us: int | None) -> None:
        pane = self.query_one("#rules-pane")
        pane.border_subtitle = f"applied {measure.moment(last_us)} · enter change" if last_us else "enter change"
        if self._stop is None and not self.query_one("#plan", RowTable).row_count:
            self._say("Applied once a day while a workstation is open. Sums are never changed.")

    def _say(self, words: str) -> None:
        try:
            self.query_one("#plan-said", Static).update(content(words))
        except NoMatches:
            return

    @on(RowTable.RowHighlighted, "#rules")
    def _describe(self, event: RowTable.RowHighlighted) -> None:
        option = _option(event.row_key.value)
        if option is not None:
            self.query_one("#rules-doc", Static).update(content(option.doc))

    @on(RowTable.RowSelected, "#rules")
    def _change(self, event: RowTable.RowSelected) -> None:
        option = _option(event.row_key.value)
        if option is None:
            return
        value = self.app.ledger.settings.value(option)

        def problem(text: str) -> None:
            from ledger_tui.domain.retention import rules_of

            given = parsed(option, text)
            if isinstance(given, tuple):
                rules_of(0, 0, given)

        def save(answer: str | None) -> None:
            if answer is not None:
                self.app.save_setting(option.key, parsed(option, answer))

        text = shown(value) if value else ""
        ask = Ask(
            TITLES[option.key], option.doc, text or ("0" if isinstance(value, int) else ""), check=problem, ok="Save"
        )
        self.app.push_screen(ask, save)

    # Looking and taking

    @on(Button.Pressed, "#look")
    def look(self) -> None:
        """Count what the rules would take."""
        self._say("◌ counting …")
        ledger = self.app.ledger
        self.load(lambda: ledger.retention.plan(ledger.retention.rules()), self._show_plan, deed="plan")

    def _show_plan(self, steps: list[Step]) -> None:
        self._fill("What would go now", steps, [step.found.rows for step in steps])
        if not self.app.ledger.retention.rules():
            self._say("No rule is set: everything is kept.")
        else:
            self._say("" if steps else "Nothing is old enough.")

    def _fill(self, title: str, steps: list[Step], counts: list[int]) -> None:
        self.query_one("#plan-pane").border_title = title
        rows: list[tuple[str, list[Cell]]] = [
            (
                str(number),
                [
                    f"{count:,}",
                    step.subject,
                    f"{step.rule.kind or ''} after {step.rule.days} days".strip(),
                    measure.count(step.found.characters),
                    _day(step.found.oldest_us),
                    _day(step.found.newest_us),
                ],
            )
            for number, (step, count) in enumerate(zip(steps, counts, strict=True))
        ]
        self.query_one("#plan", RowTable).fill(PLAN, rows)

    @on(Button.Pressed, "#apply")
    def apply(self) -> None:
        """Ask with what would go before the eyes."""
        if self._stop is None:
            ledger = self.app.ledger
            self.load(lambda: ledger.retention.plan(ledger.retention.rules()), self._ask_apply, deed="plan")

    def _ask_apply(self, steps: list[Step]) -> None:
        self._show_plan(steps)
        if not steps:
            return
        parts = "\n".join(f"· {step.found.rows:,} {step.subject}: {step.rule}" for step in steps)
        words = f"{parts}\n\nThis cannot be undone. What was charged and counted stays."
        self.app.push_screen(Confirm("Apply the rules now?", words, ok="Remove"), self._apply)

    def _apply(self, yes: bool | None) -> None:
        if not yes or self._stop is not None:
            return
        stop = self._stop = threading.Event()
        self._now = None
        self.query_one("#stop").display = True
        ledger = self.app.ledger

        def work() -> list[Step]:
            return ledger.retention.apply(ledger.retention.rules(), self._told, stop.is_set)

        self.place.load(work, partial(self._applied, stop), group="retention-apply", failed=self._failed)

    def _told(self, step: Step) -> None:
        self._now = step

    def _show_progress(self) -> None:
        if self._stop is not None and self._now is not None:
            step = self._now
            share = step.done / step.found.rows if step.found.rows else 1
            self._say(f"◌ {bar(share)} {step.done:,} of {step.found.rows:,} {step.subject}")

    def _applied(self, stop: threading.Event, steps: list[Step]) -> None:
        self._ended()
        self._fill("What went", steps, [step.done for step in steps])
        done = ", ".join(f"{step.done:,} {step.subject}" for step in steps if step.done) or "nothing"
        self._say(f"{'⊘ Stopped. ' if stop.is_set() else '✓ '}Removed: {done}.")

    def _failed(self, error: Exception) -> None:
        self._ended()
        self._say(f"✗ {error.title}." if isinstance(error, LedgerError) else "✗ It failed.")
        self.place.show_error(error)

    def _ended(self) -> None:
        self._stop = None
        self.query_one("#stop").display = False

    @on(Button.Pressed, "#stop")
    def stop(self) -> None:
        """Stop after the chunk that is being taken."""
        if self._stop is not None:
            self._stop.set()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        self.stop()

    @on(Button.Pressed, "#vacuum")
    def vacuum(self) -> None:
        """Give unused space back to the disk."""
        self._say("◌ giving space back …")
        self.place.load(self.app.ledger.retention.give_back, self._freed, group="retention-apply", failed=self._failed)

    def _freed(self, freed: Freed) -> None:
        back = max(0, freed.before - freed.after)
        self._say(f"✓ {back / 1e6:,.1f} MB given back; the ledger has {freed.after / 1e6:,.1f} MB now.")


def _option(key: str | None) -> Option | None:
    return next((option for option in RULES if option.key == key), None)


def _day(moment_us: int | None) -> str:
    return "" if moment_us is None else clock.from_us(moment_us).date().isoformat()
