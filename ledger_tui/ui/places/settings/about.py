"""Where things are, which versions run, and what the doctor says."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from ledger_tui import __version__
from ledger_tui.domain.text import printable
from ledger_tui.services.care import Check
from ledger_tui.ui.clipboard import copy
from ledger_tui.ui.dialogs.opening import check_lines
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.safe import content


class About(Section):
    """Facts for a person who looks for a file or asks for help."""

    HELP = """
    ## About
    Where the files of this workspace are, and the doctor's findings: what it checks, what it found, and what to do.
    """

    def compose(self) -> ComposeResult:
        """Facts, findings, and three deeds."""
        with VerticalScroll(classes="pane", id="about-pane") as pane:
            pane.border_title = "About"
            yield Static("", id="facts", markup=False)
            yield Static("◌ checking …", id="findings", markup=False)
        with Horizontal(classes="toolbar"):
            yield Button("Check again", id="check", compact=True, tooltip="Run the doctor again")
            yield Button("Back up now", id="backup", compact=True, tooltip="Make a verified copy in the backups folder")
            yield Button("Copy all", id="copy", compact=True, tooltip="Copy everything that stands here")

    def read(self) -> None:
        """Show the facts and run the doctor."""
        rows = [Content.assemble((f"{name:<14}", "$text-muted"), content(value)) for name, value in self._facts()]
        self.query_one("#facts", Static).update(Content("\n").join(rows))
        self.load(self.app.ledger.care.doctor, self._show)

    def _facts(self) -> list[tuple[str, str]]:
        ledger = self.app.ledger
        return [
            ("Prompt Ledger", __version__),
            ("Textual", version("textual")),
            ("Python", f"{platform.python_version()} on {platform.system()}"),
            ("ledger", ledger.database.label),
            ("settings", str(ledger.paths.settings)),
            ("keymap", str(ledger.paths.keymap)),
            ("your themes", str(ledger.paths.themes)),
            ("drafts", str(ledger.paths.drafts)),
            ("backups", str(ledger.paths.backups)),
            ("author", ledger.settings.author_setting or "git's user.name, else the login"),
        ]

    def _show(self, checks: list[Check]) -> None:
        self.query_one("#findings", Static).update(Content.assemble(("\nDoctor\n", "bold"), check_lines(checks)))

    def _backed_up(self, path: Path) -> None:
        self.app.notify(printable(f"Copied to {path}"), markup=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "check":
            self.read()
        elif event.button.id == "backup":
            self.load(self.app.ledger.care.backup, self._backed_up, deed="backup")
        else:
            copy(self.app, "\n".join(f"{name}: {value}" for name, value in self._facts()), "facts")
