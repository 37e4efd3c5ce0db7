"""Sharing with a team: where it stands, what left and what may leave, what was set aside, and who brings what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding
from textual.css.query import NoMatches
from textual.widgets import Button

from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.ask import Confirm
from ledger_tui.ui.places.settings import sync_reading as words
from ledger_tui.ui.places.settings.sync_dialogs import AnswerDialog, JoinDialog, Tell
from ledger_tui.ui.places.settings.sync_password import PasswordDialog, tell_kept
from ledger_tui.ui.places.settings.sync_rules import SyncRules
from ledger_tui.ui.places.settings.sync_views import STREAMS
from ledger_tui.ui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from ledger_tui.services.sync_values import Joined


class Sync(SyncRules):
    """Five views of sharing.

    | Key(s) | Description |
    | :- | :- |
    | s, o, v | Sync now, what would go, verify. |
    | p | Type the password, while the server asks for one. |
    | n, t, a, enter | What may leave: numbers, texts, another folder, choose. |
    | delete | Remove a rule, drop a record. |
    | [, ] | The view before, the next view. |
    | j, L | Share this ledger, leave the shared one. |
    """

    HELP = """
    ## Sync
    One ledger for a team. Every machine has a whole ledger of its own and works offline for as long as it likes; a server
    keeps what they exchange. The workstation exchanges by itself. The top line says how it stands: `▲ 12` records wait,
    `= 9f3c` both ends hold the same (four digits that two people can compare), `3 m` since they last did, `Ψ 2` things to
    decide, `! 1` set aside; `! no access`, `! no password` and the like stay until somebody does something.

    **Rules** say what may leave: the registry always, numbers of calls if allowed, texts only if asked for, by folder of
    prompts too. **Receipts** say what did. `o` shows what would go, `v` proves that both ends hold the same or names the first
    place where they differ.

    **Set aside** is what the server would not take from here (*refused*) and what came and cannot be right (*quarantine*);
    `enter` shows a record as it came. Neither holds up anything else; `delete` forgets it, and then both ends count as equal.
    """
    WRITES = frozenset({"sync_now", "password", "join", "leave", "numbers", "texts", "add", "remove"})
    BINDINGS = [
        Binding("s", "sync_now", "Sync", id="settings.sync_now", tooltip="Exchange with the shared server now"),
        Binding(
            "o",
            "outlook",
            "Would go",
            id="settings.outlook",
            tooltip="What an exchange would send and bring; changes nothing",
        ),
        Binding(
            "v",
            "verify",
            "Verify",
            id="settings.verify",
            tooltip="Prove that both ends hold the same, or find where they differ",
        ),
        Binding("p", "password", "Password", id="settings.password", tooltip="Type the password of this account"),
        Binding("j", "join", "Share", id="settings.join", tooltip="Join a shared ledger, or make one"),
        Binding(
            "n",
            "numbers",
            "Numbers",
            id="settings.numbers",
            tooltip="Whether numbers of these calls may leave this machine",
        ),
        Binding(
            "t", "texts", "Texts", id="settings.texts", tooltip="Whether texts of these calls may leave this machine"
        ),
        Binding("a", "add", "Add", id="settings.add_rule", tooltip="Another rule for a folder of prompts"),
        Binding(
            "delete",
            "remove",
            "Remove",
            id="settings.remove",
            tooltip="Remove the rule of this folder, or drop this record",
        ),
        Binding(
            "L",
            "leave",
            "Leave",
            show=False,
            id="settings.leave",
            tooltip="Forget the shared server; what was exchanged stays",
        ),
        Binding(
            "left_square_bracket",
            "view(-1)",
            "View before",
            show=False,
            id="settings.view_before",
            tooltip="The view before",
        ),
        Binding(
            "right_square_bracket", "view(1)", "Next view", show=False, id="settings.view_next", tooltip="The next view"
        ),
    ]

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        await self.run_action(event.button.id or "")

    def action_sync_now(self) -> None:
        """Exchange now; the head says what becomes of it, a toast why it failed."""
        self.app.exchange_now()
        self.app.notify("◌ Exchanging with the server …", timeout=2, markup=False)

    def action_outlook(self) -> None:
        """Show what an exchange would send and bring."""
        ledger = self.app.ledger

        def work(_: Tell) -> list[str]:
            return words.outlook_lines(ledger.sync.outlook(), ledger.sync.going())

        self.app.push_screen(AnswerDialog("What would go", "asking the server …", work))

    def action_verify(self) -> None:
        """Prove that both ends hold the same."""
        ledger = self.app.ledger

        def work(tell: Tell) -> list[str]:
            found = ledger.sync.verify(on_progress=lambda progress: tell(words.far(progress)))
            return words.verdict(found, ledger.sync.status())

        self.app.push_screen(AnswerDialog("Verify", "counting both ends record by record …", work))

    def action_join(self) -> None:
        """Ask for a server and share this ledger through it."""

        def joined(done: Joined | None) -> None:
            if done is None:
                return
            made = "A shared ledger was made" if done.made else "Joined"
            tell_kept(self.app, f"{made}: {done.address}.", "Shared", done.password_kept)
            self._again()

        self.app.push_screen(JoinDialog(self.app.ledger.sync), joined)

    def action_password(self) -> None:
        """Ask for the password of this account, try and keep it, and exchange."""
        reading = self._reading
        if reading is None:
            return

        def given(kept: str | None) -> None:
            if kept is not None:
                tell_kept(self.app, "The server takes it.", "Password", kept)
                self.app.exchange_now()

        self.app.push_screen(PasswordDialog(self.app.ledger.sync, reading.status.address), given)

    def action_leave(self) -> None:
        """Forget the server, after a question."""
        reading = self._reading
        if reading is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.place.run_worker(self._leave(), group="settings-leave", exclusive=True, exit_on_error=False)

        waits = f" {reading.status.pending:,} records that wait stay here only." if reading.status.pending else ""
        text = (
            f"This ledger forgets {reading.status.address} and its password, and exchanges nothing more.{waits} Everything "
            "that was exchanged stays, here and there. Joining again goes on from here."
        )
        self.app.push_screen(Confirm("Leave the shared ledger", text, "Leave"), answered)

    async def _leave(self) -> None:
        await self.app.stop_sharing()
        try:
            await asyncio.to_thread(self.app.ledger.sync.leave)
        except LedgerError as error:
            self.place.show_error(error)
        self._devices = None
        self._again()

    def _again(self) -> None:
        """What counts here changed: read it, and let the workstation follow."""
        try:
            self.query_one(TabLine).chosen = STREAMS
        except NoMatches:
            return
        self.app.look_at_sharing()
        self.read()
