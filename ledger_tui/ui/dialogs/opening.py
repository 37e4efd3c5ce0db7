"""The ledger could not be opened: what happened, what to do, and the keys for it, on a calm page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from textual import on, work
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content

MARKS = {"ok": ("✓", "$success"), "warn": ("⚠", "$warning"), "bad": ("✗", "$error")}


def check_lines(checks: Iterable[object]) -> Content:
    """The doctor's findings, one a line, with what to do about those that are not well."""
    rows: list[Content] = []
    for check in checks:
        mark, style = MARKS.get(str(getattr(check, "status", "")), ("·", "$text-muted"))
        name, detail = content(f"{getattr(check, 'name', '')}: ", "bold"), content(str(getattr(check, "detail", "")))
        row: list[str | Content] = [Content.styled(mark, style), " ", name, detail]
        remedy = str(getattr(check, "remedy", ""))
        if remedy and mark != "✓":
            row += ["\n    ", content(remedy, "$text-muted")]
        rows.append(Content.assemble(*row))
    return Content("\n").join(rows)


class OpeningFailed(Dialog[None]):
    """Title, cause, remedy; try again, look closer, or leave.

    | Key(s) | Description |
    | :- | :- |
    | r | Try again. |
    | d | Run the doctor and show what it finds. |
    | q, escape | Leave the workstation. |
    """

    WIDE = True
    CSS = """
    OpeningFailed { background: $background; }
    OpeningFailed .dialog { border: round $error; border-title-color: $error; overflow-y: auto; }
    """
    BINDINGS = [
        Binding("r", "retry", "Try again", id="opening.retry", tooltip="Open the ledger again"),
        Binding("d", "doctor", "Doctor", id="opening.doctor", tooltip="Check the files and show what is found"),
        Binding("q", "cancel", "Quit", id="opening.quit", tooltip="Leave the workstation"),
    ]

    def __init__(self, error: Exception) -> None:
        super().__init__("✗ The ledger is not open", "r try again · d doctor · q quit")
        self._error = error

    def compose_dialog(self) -> Iterable[Widget]:
        """What happened and what to do."""
        yield Static("", id="what", classes="dialog-text", markup=False)
        yield Static("", id="findings", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Quit", id="quit", compact=True)
            yield Button("Doctor", id="doctor", compact=True)
            yield Button("Try again", id="retry", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Say it; the likeliest wish has focus."""
        self._say(self._error)
        self.query_one("#retry", Button).focus()

    def _say(self, error: Exception) -> None:
        if isinstance(error, LedgerError):
            title, cause, remedy = error.title, error.cause, error.remedy
        else:
            title, cause = "Something went wrong", f"{type(error).__name__}: {error}"
            remedy = "Try again, or run the doctor."
        parts = [content(title, "bold"), content(cause), content(remedy, "$text-muted")]
        self.query_one("#what", Static).update(Content("\n\n").join([part for part in parts if part]))

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        await self.run_action({"quit": "cancel"}.get(event.button.id or "", event.button.id or ""))

    @work(group="retry", exclusive=True, exit_on_error=False)
    async def action_retry(self) -> None:
        """Open the ledger again; stay here when that fails too."""
        findings = self.query_one("#findings", Static)
        findings.update("◌ opening …")
        error = await self.app.try_to_open()
        if error is None:
            self.dismiss(None)
        else:
            self._say(error)
            findings.update(Content.styled("✗ Tried again: it is still so.", "$error"))

    def action_cancel(self) -> None:
        """Leave the workstation."""
        self.app.exit()

    @work(group="doctor", exclusive=True, exit_on_error=False)
    async def action_doctor(self) -> None:
        """Run the doctor in a thread and show its findings."""
        findings = self.query_one("#findings", Static)
        findings.update("◌ checking …")
        try:
            checks = await asyncio.to_thread(self.app.ledger.care.doctor)
        except Exception as error:
            findings.update(content(f"✗ The doctor could not finish: {error}"))
        else:
            findings.update(check_lines(checks))
