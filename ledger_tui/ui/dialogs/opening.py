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
        error = self._error
        if isinstance(error, LedgerError):
            title, cause, remedy = error.title, error.cause, error.remedy
        else:
            title, cause, remedy = (
                "Something went wrong",
                f"{type(error).__name__}: {error}",
                "Try again, or run the doctor.",
            )
        yield Static(content(title, "bold"), classes="dialog-text")
        if cause:
            yield Static(content(cause), classes="dialog-text")
        yield Static(content(remedy), classes="dialog-text muted")
        yield Static("", id="findings", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Quit", id="quit", compact=True)
            yield Button("Doctor", id="doctor", compact=True)
            yield Button("Try again", id="retry", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The likeliest wish has focus."""
        self.query_one("#retry", Button).focus()

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        await self.run_action({"quit": "cancel"}.get(event.button.id or "", event.button.id or ""))

    def action_retry(self) -> None:
        """Open the ledger again."""
        self.dismiss(None)
        self.app.open_ledger()

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
