"""The row above the playground: what is run, and the buttons for it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input, Static

from ledger_tui.ui.places.playground.session import MAX_REPEAT


class PlayBar(Horizontal):
    """The subject, Run and Stop, how often, Open and one more model. The buttons call the screen's actions."""

    HELP = (
        "### Repeat\nHow often each model is run, 1 to 20 times one after the other; the answers are kept side by side."
    )

    def compose(self) -> ComposeResult:
        """Words and buttons."""
        yield Static("", id="subject", markup=False)
        yield Button("Run", id="run", variant="primary", compact=True, action="screen.run", tooltip="Run all (ctrl+r)")
        yield Button("Stop", id="stop", compact=True, action="screen.stop", tooltip="Stop, keep what came (escape)")
        yield Static("Repeat", id="repeat-label")
        yield Input("1", id="repeat", type="integer", compact=True, max_length=2, tooltip=f"1 to {MAX_REPEAT} times")
        yield Button("Open", id="open", compact=True, action="screen.open", tooltip="Open a prompt (ctrl+o)")
        yield Button("+ Model", id="add-model", compact=True, action="screen.add_model", tooltip="One more (ctrl+n)")

    def tell(self, subject: Content) -> None:
        """Show what is in the playground."""
        self.query_one("#subject", Static).update(subject)

    def set_running(self, running: bool) -> None:
        """Offer to stop while something runs."""
        self.query_one("#stop", Button).disabled = not running

    def set_full(self, full: bool) -> None:
        """Offer another model while there is room."""
        self.query_one("#add-model", Button).disabled = full

    @property
    def repeat(self) -> int:
        """How often each model is run."""
        text = self.query_one("#repeat", Input).value
        return min(MAX_REPEAT, max(1, int(text) if text.isdecimal() else 1))
