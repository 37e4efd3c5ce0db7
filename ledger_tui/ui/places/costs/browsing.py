"""The reading half of Costs: what is chosen, what was read for it, and reading it again when calls end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.timer import Timer

from ledger_tui.errors import InputError, NotFound
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.costs.columns import BY_KEY, NAME
from ledger_tui.ui.places.costs.reading import (
    PARTIES,
    Look,
    More,
    Wish,
    read_look,
    read_measures,
    read_more,
    read_party_measures,
)

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

_LIVE_S = 2.0


class CostBrowser(Place):
    """Keeps ``look`` and ``more`` true. A subclass shows them."""

    def __init__(self) -> None:
        super().__init__()
        self.wish = Wish()
        """What is chosen."""
        self.look: Look | None = None
        """What was read last."""
        self.more = More()
        """What was read after it."""
        self._asking = False
        self._live: Timer | None = None

    def show_look(self) -> None:
        """Show what was read."""

    def show_more(self) -> None:
        """Show what was read after it."""

    def show_wish(self) -> None:
        """Show what is chosen, before it is read."""

    def show_problem(self, error: Exception) -> None:
        """Say why nothing could be read."""

    def show_mistake(self, error: InputError | NotFound) -> None:
        """Say what is wrong with the choice."""

    def begin(self) -> None:
        """Read, and watch for calls that end."""
        self.choose()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.call_after_refresh(self.show_look))
        self._live = self.set_interval(_LIVE_S, self._ask_stamp)

    def choose(self, **changes: Any) -> None:
        """Look at something else; without changes read again."""
        self.wish = replace(self.wish, **changes)
        self.show_wish()
        work = partial(read_look, self.ledger, self.wish, self.look)
        self.load(work, self._read, group="costs", failed=self._failed)

    def sort_key_chosen(self, key: str) -> None:
        """Read the groups that are largest by a column, when not all of them were read."""
        order: Any = "key" if key == NAME else BY_KEY[key].order
        groups = self.look.groups if self.look is not None else None
        if order != self.wish.order and groups is not None and groups.group_count > len(groups.rows):
            self.choose(order=order)
        else:
            self.wish = replace(self.wish, order=order)

    def _read(self, look: Look) -> None:
        before, self.look = self.look, look
        if before is None or before.question != look.question:
            self.more = More(environments=self.more.environments)
        self.show_look()
        self._go_on(read_measures, look, self._measured)

    def _go_on(self, read: Callable[[PromptLedger, Look], Any], look: Look, then: Callable[[Look, Any], None]) -> None:
        """Read more of the same; ``then`` is called with the look and what was read, unless something else was read meanwhile."""

        def done(found: Any) -> None:
            if self.look is look:
                then(look, found)

        self.load(partial(read, self.ledger, look), done, group=f"costs: {read.__name__}", failed=self._failed)

    def _measured(self, _: Look, look: Look) -> None:
        self.look = look
        self.show_look()
        self._go_on(read_more, look, self._read_more)

    def _read_more(self, look: Look, more: More) -> None:
        self.more = more
        self.show_more()
        if look.question.by in PARTIES:
            self._go_on(read_party_measures, look, self._parties_measured)

    def _parties_measured(self, _: Look, look: Look) -> None:
        self.look = look
        self.show_look()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, InputError | NotFound):
            self.show_mistake(error)
            return
        self.look = None
        self.show_problem(error)

    # Calls that end meanwhile

    @on(events.ScreenSuspend)
    def _away(self) -> None:
        if self._live is not None:
            self._live.pause()

    @on(events.ScreenResume)
    def _here(self) -> None:
        if self._live is not None:
            self._live.resume()
            self._ask_stamp()

    def registry_changed(self) -> None:
        """Budgets, prices and names may be others."""
        if self.look is not None:
            self.choose()

    def _ask_stamp(self) -> None:
        if not self._asking and self.look is not None and self.app.opened.is_set() and self.app.moment is None:
            self._asking = True
            self.load(self._news, self._stamped, group="live", failed=self._stamp_failed)

    def _news(self) -> tuple[object, object]:
        return self.ledger.traces.stamp(), self.ledger.analytics.today()

    def _stamped(self, news: tuple[object, object]) -> None:
        self._asking = False
        if self.look is not None and news != (self.look.stamp, self.look.today):
            self.choose()

    def _stamp_failed(self, error: Exception) -> None:
        self._asking = False
        if self._live is not None:
            self._live.pause()
        self._failed(error)
