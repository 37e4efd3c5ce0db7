"""The dialogs of the Sync tab: joining or making a shared ledger, work at the server with its answer, a record as it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.css.query import NoMatches
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ledger_tui.domain.text import printable
from ledger_tui.errors import LedgerError
from ledger_tui.ui.clipboard import copy
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.dialogs.export import free_name, shown_path, start_folder
from ledger_tui.ui.places.settings.sync_asking import AskingDialog
from ledger_tui.ui.places.settings.sync_password import told
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.tab_row import TabRow
from ledger_tui.ui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from ledger_tui.services.sync import SyncService
    from ledger_tui.services.sync_values import Joined

Tell = Callable[[str], None]
"""Says how far work is; raises when nobody waits for it."""
_TELL_S = 0.2
JOIN, MAKE = "Join one", "Make one"
WORDS = {
    JOIN: "A shared ledger that somebody made already. Its owner gave you an account.",
    MAKE: "A new one, in an empty PostgreSQL database (15 or newer). This ledger is its first.",
}


class JoinDialog(AskingDialog["Joined | None"]):
    """Asks for address and password, and does it: what goes wrong is told here, beside what was typed.

    | Key(s) | Description |
    | :- | :- |
    | tab, shift+tab | The next field, the one before. |
    | left, right | Join one or make one. |
    | enter | Do it. |
    | escape | Leave things as they are. |
    """

    HELP = """
# Sharing this ledger
The address looks like `postgresql://name@host/database`. The password is kept in the system's keyring, never in a file; without
a safe keyring it is held until the workstation is left. Beyond this machine the server's certificate is always verified.

Once it is shared the registry goes, and numbers of calls as the rules allow; texts only where you ask for it. The rules can be set
before.
"""
    DEFAULT_CSS = """
    JoinDialog {
        .row { height: 1; margin: 0 0 1 0; }
        .row > .field-label { width: 10; }
        .row > TabRow { width: 1fr; }
        .row > Input { width: 1fr; }
        #sync-script { height: 1; margin: 1 0 0 0; display: none; Button { margin: 0 2 0 0; } }
        #sync-script.-any { display: block; }
    }
    """

    def __init__(self, service: SyncService, address: str = "") -> None:
        super().__init__("Share this ledger", "enter do it · esc cancel")
        self._service = service
        self._address = address
        self._script = ""

    def compose_dialog(self) -> Iterable[Widget]:
        """Which, where, by which password; what went wrong; buttons."""
        with Horizontal(classes="row"):
            yield Static("What", classes="field-label")
            yield TabRow(JOIN, MAKE, id="sync-what")
        yield Static(WORDS[JOIN], id="sync-what-words", classes="dialog-text muted", markup=False)
        with Horizontal(classes="row"):
            yield Static("Address", classes="field-label")
            yield Input(
                self._address,
                placeholder="postgresql://name@host/database",
                compact=True,
                classes="bar",
                id="sync-address",
            )
        with Horizontal(classes="row"):
            yield Static("Password", classes="field-label")
            yield Input(
                password=True,
                placeholder="empty: from the keyring, or none",
                compact=True,
                classes="bar",
                id="sync-password",
            )
        yield Static("", id="sync-said", classes="problem", markup=False)
        with Horizontal(id="sync-script"):
            yield Button("Copy the SQL", id="copy-script", compact=True, tooltip="For the one who may run it")
            yield Button("Save the SQL", id="save-script", compact=True, tooltip="As a file, for psql")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Join", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The address comes first."""
        self.query_one("#sync-address").focus()

    @property
    def _what(self) -> str:
        return self.query_one("#sync-what", TabRow).chosen

    @on(TabRow.Chosen, "#sync-what")
    def _chosen(self, event: TabRow.Chosen) -> None:
        self.query_one("#sync-what-words", Static).update(WORDS[event.name])
        self.query_one("#ok", Button).label = event.name.partition(" ")[0]
        self.say("")

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _asked(self) -> None:
        address = self.query_one("#sync-address", Input).value.strip()
        if self.busy:
            return
        if not address:
            self.say("✗ The address is missing.")
            return
        self.ask(self._work(self._what, address))

    async def _work(self, what: str, address: str) -> None:
        password = self.query_one("#sync-password", Input).value or None
        do = self._service.join if what == JOIN else self._service.init
        try:
            done: Joined = await asyncio.to_thread(do, address, password=password)
        except Exception as error:
            self._failed(error)
        else:
            self.dismiss(done)

    def _failed(self, error: Exception) -> None:
        from ledger_tui.sync.door import PasswordWanted

        self.busy = False
        self._script = str(getattr(error, "script", ""))
        try:
            self.say(told(error, "above"))
            self.query_one("#sync-script").set_class(bool(self._script), "-any")
            if isinstance(error, PasswordWanted):
                self.query_one("#sync-password").focus()
        except NoMatches:
            return

    def say(self, words: str) -> None:
        """As any such dialog; the SQL that was offered goes with its words."""
        super().say(words)
        if not words:
            self.query_one("#sync-script").remove_class("-any")

    @on(Button.Pressed, "#copy-script")
    def _copy(self) -> None:
        copy(self.app, self._script, "the SQL")

    @on(Button.Pressed, "#save-script")
    def _save(self) -> None:
        target = free_name(start_folder(self.app.ledger.paths), "shared-ledger", "sql")
        self.run_worker(self._write(target, self._script), group="script", exclusive=True, exit_on_error=False)

    async def _write(self, target: Path, script: str) -> None:
        from ledger_tui.services.export_file import new_file

        def write() -> None:
            with new_file(target) as file:
                file.write(script.encode())

        try:
            await asyncio.to_thread(write)
        except LedgerError as error:
            self.say(told(error))
        else:
            self.app.notify(printable(f"Saved as {shown_path(target)}"), markup=False)


class _Closed(Exception):
    """Nobody waits for the answer any more."""


class AnswerDialog(Dialog[None]):
    """Does something that may wait for the server, says how far it is, and shows what came of it; escape ends it."""

    CLICK_OUT = True
    DEFAULT_CSS = """
    AnswerDialog { #answer { height: auto; max-height: 16; } }
    """

    class Told(Message):
        """How far the work is."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, title: str, doing: str, work: Callable[[Tell], Sequence[str]]) -> None:
        """work: for a thread; gives lines to show, and tells meanwhile how far it is. doing: what is said before it does."""
        super().__init__(title, "esc close")
        self._nobody_waits = Event()
        self._next = 0.0
        self._doing = doing
        self._work = work

    def compose_dialog(self) -> Iterable[Widget]:
        """The answer, and a way out."""
        yield Static(content(f"◌ {self._doing}"), id="answer", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Close", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Begin."""
        self.run_worker(self._run(), group="answer", exclusive=True, exit_on_error=False)

    async def _run(self) -> None:
        try:
            lines = await asyncio.to_thread(self._work, self._tell)
        except _Closed:
            return
        except Exception as error:
            lines = [told(error)]
        try:
            self.query_one("#answer", Static).update(Content("\n").join([content(line) for line in lines]))
        except NoMatches:
            return

    def _tell(self, words: str) -> None:
        """Show how far the work is, a few times a second; called in its thread. Raises when nobody waits for it any more."""
        if self._nobody_waits.is_set():
            raise _Closed
        if (now := time.monotonic()) >= self._next:
            self._next = now + _TELL_S
            self.post_message(self.Told(words))

    @on(Told)
    def _show_told(self, event: Told) -> None:
        self.query_one("#answer", Static).update(content(f"◌ {event.words}"))

    def on_unmount(self) -> None:
        """Whatever closed it, the work ends."""
        self._nobody_waits.set()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close."""
        self.dismiss(None)


class RecordDialog(Dialog[None]):
    """A record as it came, for eyes only."""

    CLICK_OUT = True
    WIDE = True
    DEFAULT_CSS = """
    RecordDialog {
        .dialog { height: 80%; }
        TextPane { height: 1fr; }
    }
    """

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title, "↑ ↓ scroll · esc close")
        self._text = text

    def compose_dialog(self) -> Iterable[Widget]:
        """The text."""
        yield TextPane(id="record-text")

    def on_mount(self) -> None:
        """Show and focus it."""
        pane = self.query_one(TextPane)
        pane.show(self._text, "auto")
        pane.focus()
