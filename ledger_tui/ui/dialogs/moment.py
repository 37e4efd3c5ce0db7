"""Which moment to look back to: written as people write times, or one of those that are likely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.domain import clock
from ledger_tui.domain.moments import moment_of
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content, line
from ledger_tui.ui.widgets.moment_line import moment_words

if TYPE_CHECKING:
    from ledger_tui.domain.values import JournalRow

AGES = (("1h", "an hour ago"), ("1d", "a day ago"), ("7d", "a week ago"), ("30d", "30 days ago"))
ACTIONS = 8
"""How many of the last changes of the registry are offered."""
_FACTS = 60


class MomentDialog(Dialog[None]):
    """Asks for a moment and shows the workstation as of it; it stays open while that is worked out.

    | Key(s) | Description |
    | :- | :- |
    | enter | Show that moment. |
    | up, down | To the moments that are offered, and back to the field. |
    | escape | Leave, also while a moment is being worked out. |
    """

    WIDE = True
    CSS = """
    MomentDialog #means { height: auto; color: $text-muted; margin: 0 0 1 1; }
    MomentDialog #means.-wrong { color: $error; }
    """

    def __init__(self) -> None:
        super().__init__("As of", "enter look back · esc cancel")
        self._offered: list[datetime | None] = []

    def compose_dialog(self) -> Iterable[Widget]:
        """The field, what it means, the likely moments, buttons."""
        yield Static("Show the ledger as it stood at an earlier moment, to read only.", classes="dialog-text")
        yield Input(placeholder="2h, yesterday, 2026-01-31T08:00 (UTC)", compact=True, classes="bar")
        yield Static("", id="means", markup=False)
        yield OptionList(compact=True, classes="dialog-list", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Look back", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Offer what is known at once; the last changes of the registry come when they are read."""
        self._say()
        rows = self.query_one(OptionList)
        if self.app.moment is not None:
            self._offer(rows, None, "the present")
        for age, words in AGES:
            moment = clock.from_us(moment_of(age))
            self._offer(rows, moment, f"{words:<14}{moment_words(moment.replace(second=0, microsecond=0))}")
        self.app.place.load(
            lambda: self.app.present.registry.history(limit=_FACTS),
            lambda facts: self._offer_facts(facts),
            group="moments",
        )
        self.query_one(Input).focus()

    def _offer(self, rows: OptionList, moment: datetime | None, words: str | Content) -> None:
        self._offered.append(moment)
        rows.add_option(Option(words))

    def _offer_facts(self, facts: Iterable[JournalRow]) -> None:
        if not self.is_attached:
            return
        rows = self.query_one(OptionList)
        by_moment: dict[int, list[JournalRow]] = {}
        for fact in sorted(facts, key=lambda fact: -fact.at_us):
            by_moment.setdefault(fact.at_us, []).append(fact)
        for at_us, group in list(by_moment.items())[:ACTIONS]:
            before = clock.from_us(at_us - 1)
            said = (f"before {moment_words(clock.from_us(at_us).replace(microsecond=0))}  ", "$text-muted")
            self._offer(rows, before, Content.assemble(said, _words(group)))

    # What is written

    def _moment(self) -> datetime:
        """The moment in the field; raises InputError."""
        at_us = moment_of(self.query_one(Input).value)
        if not 0 <= at_us <= clock.now_us():
            raise InputError("the moment must lie between 1970 and now")
        return clock.from_us(at_us)

    @on(Input.Changed)
    def _say(self) -> None:
        """Say which moment the field means."""
        means = self.query_one("#means", Static)
        means.remove_class("-wrong")
        if not self.query_one(Input).value.strip():
            means.update("Write a moment, or take one of these (down).")
            return
        try:
            means.update(f"= {moment_words(self._moment())}")
        except InputError as error:
            means.update(content(f"{error.cause}. {error.remedy}".strip()))

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        chosen = self.query_one(OptionList).highlighted
        if not self.query_one(Input).value.strip() and chosen is not None:
            self._look_back(self._offered[chosen])
            return
        try:
            moment = self._moment()
        except InputError as error:
            self._wrong(error)
        else:
            self._look_back(moment)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._look_back(self._offered[event.option_index])

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    def key_down(self) -> None:
        """From the field to the moments that are offered."""
        if self.query_one(Input).has_focus:
            self.query_one(OptionList).focus()

    def _wrong(self, error: LedgerError) -> None:
        means = self.query_one("#means", Static)
        means.add_class("-wrong")
        means.update(content(f"✗ {error.cause}. {error.remedy}".strip()))

    @work(group="look-back", exclusive=True, exit_on_error=False)
    async def _look_back(self, moment: datetime | None) -> None:
        """Work the moment out, show it and leave; stay here when it cannot be shown."""
        means = self.query_one("#means", Static)
        means.remove_class("-wrong")
        asked = clock.now_us()

        def tick() -> None:
            seconds = (clock.now_us() - asked) // 1_000_000
            told = moment_words(moment) if moment is not None else "the present"
            means.update(f"◌ Looking at {told} … {seconds} s   esc cancels")

        tick()
        ticking = self.set_interval(0.5, tick)
        try:
            await self.app.show_moment(moment)
        except LedgerError as error:
            self._wrong(error)
        else:
            self.dismiss(None)
        finally:
            ticking.stop()


def _words(facts: Sequence[JournalRow]) -> Content:
    """What a registry action was about, in short."""
    said = list(dict.fromkeys(f"{'undo ' if fact.undoes else ''}{_word(fact)}" for fact in reversed(facts)))
    first = facts[-1]
    return line(f"{f'{first.prompt_name}: ' if first.prompt_name else ''}{', '.join(said)} ({first.actor})", 66)


def _word(fact: JournalRow) -> str:
    return {"version": "saved", "prompt": "made", "label": f"{fact.field} moved"}.get(
        fact.kind, fact.field or fact.kind
    )
