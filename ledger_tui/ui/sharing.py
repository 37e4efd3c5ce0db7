"""Sharing with a team behind the places: the exchange in its own thread, where it stands, and what came from colleagues."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from textual import on
from textual.message import Message

from ledger_tui.domain import clock
from ledger_tui.errors import Conflict, LedgerError
from ledger_tui.ui.looking_back import LookingBack
from ledger_tui.ui.place import Place

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.arrivals import Look
    from ledger_tui.services.sync import SyncService
    from ledger_tui.services.sync_runner import SyncRunner
    from ledger_tui.services.sync_values import SyncStatus
    from ledger_tui.sync.engine import Progress, Receipt
    from ledger_tui.ui.widgets.top_line import LineFacts

LOOK_EVERY_S = 4.0
AGAIN_S, WAIT_S = 0.2, 30.0
"""How often an exchange that a person asked for tries to begin while another one is under way, and for how long."""
END_S = 3.0
"""How long leaving waits for an exchange to stop; what is cut off goes on with the next one."""


class _Stopped(Exception):
    """Ends an exchange between two of its steps."""


@dataclass(frozen=True, slots=True)
class SyncView:
    """What the places know of sync."""

    status: SyncStatus | None = None
    """None until somebody looked, and while an earlier moment is shown."""
    conflicts: int = 0
    progress: Progress | None = None
    """How far an exchange that runs has come."""
    news: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The prompts that something new came for, and the ids of their new versions."""

    @property
    def is_shared(self) -> bool:
        """Whether there is a server."""
        return self.status is not None and self.status.is_shared


class SharingApp(LookingBack, inherit_bindings=False):
    """An app whose ledger is exchanged while it is open, where it is shared."""

    facts: LineFacts

    @dataclass
    class Exchanged(Message):
        """An exchange ended, well or not."""

    @dataclass
    class Exchanging(Message):
        """An exchange has come so far."""

        progress: Progress

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, SharingApp.Exchanging)

    def __init__(self, ledger: PromptLedger) -> None:
        super().__init__(ledger)
        self.sync_view = SyncView()
        """How sync stands."""
        self._runner: SyncRunner | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._look_now = asyncio.Event()

    # Looking

    def watch_sharing(self) -> None:
        """Follow the present's sharing; an earlier moment has none."""
        if self.moment is None:
            self.run_worker(self._follow(), group="sharing", exclusive=True, exit_on_error=False)
        else:
            self.workers.cancel_group(self, "sharing")
            self._ask_to_stop()
            self._show(SyncView())

    async def _follow(self) -> None:
        await self.opened.wait()
        while True:
            self._look_now.clear()
            try:
                status, conflicts, look = await asyncio.to_thread(_look, self.ledger)
            except LedgerError:
                pass
            else:
                self._take(status, conflicts, look)
            try:
                await asyncio.wait_for(self._look_now.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    def _take(self, status: SyncStatus, conflicts: int, look: Look | None) -> None:
        news = look.news if look is not None else {}
        self._show(replace(self.sync_view, status=status, conflicts=conflicts, news=news))
        self._tell_places("sync_looked")
        if status.is_shared and self._thread is None:
            self._start()
        elif not status.is_shared and self._thread is not None:
            self._ask_to_stop()
        if look is not None and look.changed:
            for place in self.places():
                if isinstance(place, Place):
                    place.registry_arrived(look.came)

    def _show(self, view: SyncView) -> None:
        from ledger_tui.ui.sync_words import line_forms, line_state

        before, self.sync_view = self.sync_view, view
        forms: tuple[str, ...] = ()
        state = "ok"
        if view.status is not None:
            forms = line_forms(view.status, view.conflicts, view.progress, clock.now_us())
            state = line_state(view.status)
        self.facts = replace(self.facts, sync=forms, sync_state=state)
        if before != view:
            self._tell_places("sync_changed")

    def look_at_sharing(self) -> None:
        """Look now: something about it changed here."""
        self._look_now.set()

    def prompt_opened(self, name: str) -> None:
        """A person opened a prompt: nothing of it is new any more."""
        if name in self.sync_view.news:
            self.run_worker(self._opened(name), group="news", exit_on_error=False)

    async def _opened(self, name: str) -> None:
        news = await asyncio.to_thread(self.ledger.arrivals.opened, name)
        self._show(replace(self.sync_view, news=news))

    # Exchanging

    def exchange(self) -> None:
        """Exchange now, where the ledger is shared."""
        if self._runner is not None:
            self._runner.poke()

    def exchange_now(self) -> None:
        """Exchange because a person asks for it: what goes wrong is told."""
        sync, stop = self.ledger.sync, self._stop
        self.place.load(
            lambda: _exchange(sync, stop, self._tell_exchanging),
            lambda _: self.post_message(self.Exchanged()),
            group="sync-now",
            failed=self._not_exchanged,
        )

    def _not_exchanged(self, error: Exception) -> None:
        from ledger_tui.ui.sync_words import here

        self.post_message(self.Exchanged())
        self.place.show_error(here(error) if isinstance(error, LedgerError) else error)

    def _start(self) -> None:
        from ledger_tui.services.sync_runner import SyncRunner

        stop = self._stop = threading.Event()
        runner = self._runner = SyncRunner(
            self.present.sync,
            on_change=self._tell_exchanged,
            on_progress=self._tell_exchanging,
            on_receipt=self._tell_exchanged,
            in_front=self.app_focus,
        )
        self._thread = threading.Thread(target=runner.run, args=(stop,), name="sync", daemon=True)
        self._thread.start()

    def watch_app_focus(self, focus: bool) -> None:
        """A program that nobody looks at exchanges less often."""
        if self._runner is not None:
            self._runner.come_to_front(focus)

    def _tell_exchanged(self, _: SyncStatus | Receipt) -> None:
        """Called in the thread of the exchange."""
        self.post_message(self.Exchanged())

    def _tell_exchanging(self, progress: Progress) -> None:
        """Called in the thread of the exchange."""
        self.post_message(self.Exchanging(progress))

    def _ask_to_stop(self) -> threading.Thread | None:
        """Let the exchange end; the thread that does."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if self._runner is not None:
            self._runner.poke()
            self._runner = None
        return thread

    async def stop_sharing(self) -> None:
        """End the exchange, and wait a moment for it."""
        thread = self._ask_to_stop()
        if thread is not None:
            await asyncio.to_thread(thread.join, END_S)

    @on(Exchanging)
    def _exchanging(self, event: Exchanging) -> None:
        if self._thread is not None:
            self._show(replace(self.sync_view, progress=event.progress))

    @on(Exchanged)
    def _exchanged(self) -> None:
        self._show(replace(self.sync_view, progress=None))
        self.look_at_sharing()


def _exchange(sync: SyncService, stop: threading.Event, tell: Callable[[Progress], None]) -> None:
    """For a thread: one exchange, after the one that is under way; none once it is to stop. Raises LedgerError."""
    until_s = time.monotonic() + WAIT_S

    def tell_or_end(progress: Progress) -> None:
        if stop.is_set():
            raise _Stopped
        tell(progress)

    while not stop.is_set():
        try:
            sync.sync(tell_or_end)
        except _Stopped:
            return
        except Conflict:
            if time.monotonic() > until_s:
                raise
            stop.wait(AGAIN_S)
        else:
            return


def _look(ledger: PromptLedger) -> tuple[SyncStatus, int, Look | None]:
    """For a thread: how sync stands, how many conflicts wait, what came. Loads nothing more for a ledger that is not shared."""
    from ledger_tui.services import sync_server

    if not sync_server.is_shared(ledger.database):
        from ledger_tui.domain.sync.sharing import Sharing
        from ledger_tui.services.sync_values import SyncStatus

        return SyncStatus("", None, Sharing()), 0, None
    status = ledger.sync.status()
    return status, ledger.conflicts.count(), ledger.arrivals.look()
