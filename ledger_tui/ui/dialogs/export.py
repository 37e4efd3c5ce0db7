"""Writing what is on the screen into a file: what, in which format, where to; progress, and a way to stop it."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.css.query import NoMatches
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ledger_tui.domain import clock
from ledger_tui.domain.exporting import Format, format_of
from ledger_tui.domain.text import printable
from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.tab_row import TabRow

if TYPE_CHECKING:
    from ledger_tui.paths import Paths
    from ledger_tui.services.export import Exported
    from ledger_tui.ui.export_subject import ExportSubject
    from ledger_tui.ui.place import Place

KINDS: dict[str, Format] = {"CSV": "csv", "JSON": "json", "JSON Lines": "jsonl"}
WITHOUT, WITH = "Numbers and names", "What was said too"
REFUSE, REPLACE = "Leave the file", "Replace it"
_EVERY_S = 0.1
_BAR = 30


def show_export(place: Place) -> None:
    """Ask what of a place is to be written and where, and write it."""
    subjects = place.export_subjects()
    if not subjects:
        place.app.notify("There is nothing here to export yet.", markup=False)
        return

    def told(done: Exported | None) -> None:
        if done is not None:
            rows = f"{done.rows:,} row{'s' if done.rows != 1 else ''}"
            place.app.notify(printable(f"{rows} in {done.path}"), title="Exported", timeout=10, markup=False)

    place.app.push_screen(ExportDialog(subjects, place.ledger.paths), told)


class ExportDialog(Dialog["Exported | None"]):
    """What, as what, and where to.

    | Key(s) | Description |
    | :- | :- |
    | tab, shift+tab | The next field, the one before. |
    | left, right | Choose what, and the format. |
    | enter | Export. |
    | escape | Stop, or leave. |
    """

    HELP = """
# Export
The file is written whole or not at all, readable by you alone, and never over another one unless you allow it. Money is exact: USD
as decimal text and whole nano-dollars beside it. Moments are UTC. In CSV a cell that a spreadsheet would take for a formula gets an
apostrophe in front. The command line does the same: `ledger-tui export --help`.
"""
    DEFAULT_CSS = """
    ExportDialog {
        .row { height: 1; margin: 0 0 1 0; }
        .row > .field-label { width: 10; }
        .row > TabRow { width: 1fr; }
        .row > Input { width: 1fr; }
        #export-title { height: auto; max-height: 2; margin: 0 0 1 10; color: $text-muted; }
    }
    """

    def __init__(self, subjects: Sequence[ExportSubject], paths: Paths) -> None:
        """subjects: what there is, the first one chosen. paths: where the folder is remembered."""
        super().__init__("Export", "enter export · esc cancel")
        self._subjects = {subject.name: subject for subject in subjects}
        self._paths = paths
        self._folder = start_folder(paths)
        self._given = ""
        self._stop: threading.Event | None = None
        self._progress: tuple[int, int | None] = (0, None)

    def compose_dialog(self) -> Iterable[Widget]:
        """What, format, file, two choices, progress, buttons."""
        with Horizontal(classes="row"):
            yield Static("What", classes="field-label")
            yield TabRow(*self._subjects, id="export-what")
        yield Static("", id="export-title", markup=False)
        with Horizontal(classes="row"):
            yield Static("Format", classes="field-label")
            yield TabRow(*KINDS, id="export-format")
        with Horizontal(classes="row", id="texts-row"):
            yield Static("Texts", classes="field-label")
            yield TabRow(WITHOUT, WITH, id="export-texts")
        with Horizontal(classes="row"):
            yield Static("File", classes="field-label")
            yield Input(id="export-path", compact=True, classes="bar")
        with Horizontal(classes="row"):
            yield Static("If there", classes="field-label")
            yield TabRow(REFUSE, REPLACE, id="export-replace")
        yield Static("", id="export-said", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Export", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Offer a name that is free."""
        self.set_interval(_EVERY_S, self._show_progress)
        self._chosen()
        self.query_one("#export-path").focus()

    @property
    def subject(self) -> ExportSubject:
        """What is chosen."""
        return self._subjects[self.query_one("#export-what", TabRow).chosen]

    @on(TabRow.Chosen, "#export-what")
    def _chosen(self) -> None:
        subject = self.subject
        self.query_one("#export-title", Static).update(content(subject.title))
        self.query_one("#texts-row").display = subject.has_texts
        self._offer()

    @on(TabRow.Chosen, "#export-format")
    def _format_chosen(self, event: TabRow.Chosen) -> None:
        field = self.query_one("#export-path", Input)
        if field.value == self._given:
            self._offer()
        elif format_of(field.value):
            field.value = f"{field.value.rpartition('.')[0]}.{KINDS[event.name]}"

    def _offer(self) -> None:
        """A free name, unless the person wrote one."""
        field = self.query_one("#export-path", Input)
        if field.value == self._given:
            kind = KINDS[self.query_one("#export-format", TabRow).chosen]
            field.value = self._given = shown_path(free_name(self._folder, self.subject.stem, kind))
            field.cursor_position = len(field.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#export-said", Static).update("")
        kind = format_of(event.value)
        if kind is not None:
            self.query_one("#export-format", TabRow).chosen = next(name for name, one in KINDS.items() if one == kind)

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _asked(self) -> None:
        text = self.query_one("#export-path", Input).value.strip()
        if self._stop is not None:
            return
        if not text:
            self.query_one("#export-said", Static).update("✗ Name a file.")
            return
        self._stop, self._progress = threading.Event(), (0, None)
        self.query_one("#ok", Button).disabled = True
        start = partial(self._work, Path(text), self._stop)
        self.run_worker(start, group="export", exclusive=True, exit_on_error=False)  # type: ignore[arg-type]

    async def _work(self, target: Path, stop: threading.Event) -> None:
        kind = KINDS[self.query_one("#export-format", TabRow).chosen]
        subject, ledger = self.subject, self.app.ledger
        texts = subject.has_texts and self.query_one("#export-texts", TabRow).chosen == WITH
        replace = self.query_one("#export-replace", TabRow).chosen == REPLACE

        def write() -> Exported | None:
            from ledger_tui.services import export

            export.check(target.expanduser().absolute(), replace=replace)
            rows = subject.read(ledger, texts)
            return export.write(rows, target, kind, replace=replace, on_progress=self._told, cancelled=stop.is_set)

        try:
            done = await asyncio.to_thread(write)
        except LedgerError as error:
            self._ended(f"✗ {error.title}. {error.explained}")
            return
        if done is None:
            self._ended("⊘ Stopped; nothing was written.")
            return
        await asyncio.to_thread(keep_folder, self._paths, done.path.parent)
        self.dismiss(done)

    def _told(self, done: int, total: int | None) -> None:
        self._progress = (done, total)

    def _ended(self, words: str) -> None:
        self._stop = None
        try:
            self.query_one("#ok", Button).disabled = False
            self.query_one("#export-said", Static).update(content(words))
        except NoMatches:
            return

    def _show_progress(self) -> None:
        if self._stop is None:
            return
        done, total = self._progress
        words = (
            f"◌ {done:,} rows  esc stops" if not total else f"◌ {bar(done / total)} {done:,} of {total:,}  esc stops"
        )
        self.query_one("#export-said", Static).update(words)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Stop what is written, else leave."""
        if self._stop is not None:
            self._stop.set()
        else:
            self.dismiss(None)

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        if self._stop is not None:
            self._stop.set()


def bar(share: float) -> str:
    """A bar of a share of 1."""
    full = round(max(0.0, min(1.0, share)) * _BAR)
    return "█" * full + "░" * (_BAR - full)


def free_name(folder: Path, stem: str, kind: str) -> Path:
    """A file in the folder that is not there yet, named by what it holds and today's date (UTC)."""
    safe = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:80] or "export"
    first = f"{safe}-{clock.now().date().isoformat()}"
    for number in range(1, 1_000):
        found = folder / f"{first}{'' if number == 1 else f'-{number}'}.{kind}"
        if not os.path.lexists(found):
            return found
    return folder / f"{first}.{kind}"


def shown_path(path: Path) -> str:
    """A path as a person writes it, with ~ for the own folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def start_folder(paths: Paths) -> Path:
    """The folder of the last export, else where the workstation was started, else the own folder."""
    try:
        kept = Path(paths.export_folder.read_text("utf-8").strip())
        if kept.is_absolute() and kept.is_dir():
            return kept
    except (OSError, ValueError):
        pass
    try:
        here = Path.cwd()
    except OSError:
        return Path.home()
    return here if os.access(here, os.W_OK) else Path.home()


def keep_folder(paths: Paths, folder: Path) -> None:
    """Remember the folder; where that fails, the next export begins elsewhere."""
    part = paths.export_folder.with_suffix(f".{os.getpid()}")
    try:
        part.touch(0o600)
        part.write_text(str(folder), encoding="utf-8")
        part.replace(paths.export_folder)
    except (OSError, ValueError):
        return
