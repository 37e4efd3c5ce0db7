"""Looking back: the whole workstation shows the ledger as it stood at a moment, and comes back to the present."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.dom import DOMNode

from ledger_tui.domain import clock
from ledger_tui.errors import LedgerError
from ledger_tui.ui.personal import PersonalApp

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger


class LookingBack(PersonalApp, inherit_bindings=False):
    """An app whose ``ledger`` can be another moment of the same workspace. Drafts and settings are of no moment."""

    def __init__(self, ledger: PromptLedger) -> None:
        super().__init__(ledger)
        self._given = ledger
        self.present = ledger if ledger.as_of is None else ledger.at(None)
        """The ledger as it is."""
        look_from(ledger)
        self.opened = asyncio.Event()
        """Set once the database is ready; slow work of the places waits for it."""

    @property
    def moment(self) -> datetime | None:
        """The moment that is shown, None in the present."""
        return self.ledger.as_of

    def watch_ledger(self) -> None:
        """The ledger is another one: start again what looks at it quietly."""

    async def show_moment(self, moment: datetime | None) -> None:
        """Show the ledger as it stood at an aware moment, None: as it is.

        The places stay, and with them what is being written. Raises LedgerError when the moment cannot be shown; then, and
        when it is cancelled, everything stays as it was.
        """
        if moment == self.moment:
            return
        shown = self.present if moment is None else self.present.at(moment)
        opening = asyncio.ensure_future(asyncio.to_thread(_open, shown))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda done: _close_later(shown, self.present, done))
            raise
        before, self.ledger = self.ledger, shown
        look_from(shown)
        self.opened.set()
        self.refresh_facts()
        self.watch_ledger()
        self._tell_places("moment_changed")
        self._tell_places("ledger_changed")
        if before not in (self.present, self._given):
            await asyncio.to_thread(before.close)

    def reload_settings(self) -> None:
        """Read settings.toml again, for every moment."""
        for ledger in {id(one): one for one in (self.present, self._given) if one is not self.ledger}.values():
            ledger.reload_settings()
        super().reload_settings()

    async def run_action(
        self, action: Any, default_namespace: DOMNode | None = None, namespaces: Mapping[str, DOMNode] | None = None
    ) -> bool:
        """Do something, unless it would write and an earlier moment is shown: then say why not."""
        if self.moment is not None:
            target, name, _ = self._parse_action(action, default_namespace or self, namespaces)
            if name in getattr(target, "WRITES", ()):
                self.tell_read_only()
                return True
        return await super().run_action(action, default_namespace, namespaces)

    def tell_read_only(self) -> bool:
        """Say that nothing can be changed, in an earlier moment; returns whether one is shown."""
        try:
            self.ledger.database.check_writable()
        except LedgerError as error:
            self.place.show_error(error)
            return True
        return False

    def action_as_of(self) -> None:
        """Choose a moment; from an earlier one, come back to the present."""
        if self.moment is None:
            self.choose_moment()
        else:
            self.action_present()

    def choose_moment(self) -> None:
        """Ask for a moment and show it."""
        from ledger_tui.ui.dialogs.moment import MomentDialog

        self.push_screen(MomentDialog())

    def action_present(self) -> None:
        """Come back to the present."""
        self.run_worker(self._come_back(), group="moment", exclusive=True, exit_on_error=False)

    async def _come_back(self) -> None:
        try:
            await self.show_moment(None)
        except LedgerError as error:
            self.place.show_error(error)
        else:
            self.notify("This is the present again.", timeout=3, markup=False)

    async def close_moments(self) -> None:
        """Close the ledgers that were opened here; the one that was given belongs to whoever gave it."""
        look_from(None)
        for ledger in {id(one): one for one in (self.ledger, self.present) if one is not self._given}.values():
            await asyncio.to_thread(ledger.close)


def look_from(ledger: PromptLedger | None) -> None:
    """Let ages be told from a ledger's moment; None: from now."""
    clock.look_from(None if ledger is None or ledger.as_of is None else ledger.database.now_us())


def _open(ledger: PromptLedger) -> None:
    """Prepare a ledger and make a first connection: for an earlier moment, that works out what was otherwise."""
    try:
        ledger.prepare()
        with ledger.database.lean():
            pass
    except BaseException:
        if ledger.as_of is not None:
            ledger.close()
        raise


def _close_later(ledger: PromptLedger, present: PromptLedger, done: asyncio.Future[None]) -> None:
    """Nobody waits for this moment any more."""
    if not done.cancelled() and done.exception() is None and ledger is not present:
        ledger.close()
