"""A dialog that asks the shared server: busy while it does, and says beside the fields what became of it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from textual import on
from textual.css.query import NoMatches
from textual.widgets import Button, Input, Static

from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content

Result = TypeVar("Result")


class AskingDialog(Dialog[Result]):
    """A form of which the server is asked in a worker; it has a ``#sync-said`` for words and a button ``#cancel``."""

    busy = False
    """Whether the server is being asked."""

    def ask(self, work: Coroutine[Any, Any, None]) -> None:
        """Ask the server by ``work``, which dismisses the dialog or ends by saying why not and being no longer busy."""
        self.busy = True
        self.say("◌ asking the server …")
        self.run_worker(work, group="asking", exclusive=True, exit_on_error=False)

    def say(self, words: str) -> None:
        """Show words in place of those before; nothing once the dialog is gone."""
        try:
            self.query_one("#sync-said", Static).update(content(words))
        except NoMatches:
            return

    @on(Input.Changed)
    def _typed(self) -> None:
        if not self.busy:
            self.say("")

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Leave, unless the server is being asked."""
        if self.busy:
            self.say("◌ asking the server, a few seconds more …")
        else:
            self.dismiss(None)
