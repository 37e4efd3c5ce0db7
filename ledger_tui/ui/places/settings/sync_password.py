"""The password of a shared server: asked for in a field that hides it, tried at the server, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ledger_tui.domain.text import printable
from ledger_tui.errors import LedgerError
from ledger_tui.ui.places.settings.sync_asking import AskingDialog
from ledger_tui.ui.safe import content
from ledger_tui.ui.sync_words import here

if TYPE_CHECKING:
    from ledger_tui.services.sync import SyncService
    from ledger_tui.ui.app import LedgerApp

KEPT = {
    "keyring": "The password is kept in the system's keyring.",
    "memory": "The password is NOT kept: this system has no keyring that can be trusted, so it is known until the workstation is "
    "left. For the next start set LEDGER_SYNC_PASSWORD, or LEDGER_SYNC_PASSWORD_FILE to the path of a private file.",
}
"""Where a password is from now on."""


def told(error: Exception, field: str = "") -> str:
    """An error as one paragraph: title, cause, what to do. field: where a password can be typed, for an error that wants one."""
    from ledger_tui.sync.door import PasswordWanted

    if not isinstance(error, LedgerError):
        return f"✗ Something went wrong: {type(error).__name__}."
    shown = here(error)
    if isinstance(error, PasswordWanted) and field:
        shown = LedgerError(error.cause, title=error.title, remedy=f"Enter the password {field}.")
    return f"✗ {shown.title}. {shown.explained}".strip()


def tell_kept(app: LedgerApp, words: str, title: str, kept: str) -> None:
    """Say what was done, and where the password is; that it is not kept is a warning."""
    severity: Any = "warning" if kept == "memory" else "information"
    text = " ".join(part for part in (words, KEPT.get(kept, "")) if part)
    app.notify(printable(text), title=title, severity=severity, timeout=15 if kept == "memory" else 5, markup=False)


class PasswordDialog(AskingDialog["str | None"]):
    """Asks for the password of the ledger's account; the answer is where it is kept, None when it was cancelled.

    | Key(s) | Description |
    | :- | :- |
    | enter | Try and keep it. |
    | escape | Leave things as they are. |
    """

    HELP = """
# The password of the shared ledger
It is tried at the server and kept in the system's keyring when it is right, never in a file. Without a keyring that can be
trusted it is held until the workstation is left.
"""

    def __init__(self, service: SyncService, address: str) -> None:
        super().__init__("Password", "enter try it · esc cancel")
        self._service = service
        self._address = address

    def compose_dialog(self) -> Iterable[Widget]:
        """Whose, the field, what went wrong, buttons."""
        yield Static(content(f"The password for {self._address}:"), classes="dialog-text", markup=False)
        yield Input(password=True, compact=True, classes="bar", id="sync-password")
        yield Static("", id="sync-said", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Try it", id="ok", variant="primary", compact=True)

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _asked(self) -> None:
        password = self.query_one(Input).value
        if not self.busy and password:
            self.ask(self._try(password))

    async def _try(self, password: str) -> None:
        try:
            kept = await asyncio.to_thread(self._service.give_password, password)
        except Exception as error:
            self.busy = False
            self.say(told(error, "again"))
        else:
            self.dismiss(kept)
