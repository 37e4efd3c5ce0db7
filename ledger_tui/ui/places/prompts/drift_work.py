"""What the Drift page does: looking in a thread with words and a way to stop, marking, comparing, registering, going on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.message import Message

from ledger_tui.domain.diff import ContentDiff, diff_contents
from ledger_tui.domain.drift import DriftRow, Matrix, Place, place_words
from ledger_tui.domain.text import one_line
from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.ask import Confirm
from ledger_tui.ui.place import Place as Screen
from ledger_tui.ui.places.prompts.drift_table import DriftTable
from ledger_tui.ui.places.prompts.drift_words import version_words
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.diff_view import DiffView

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.services.code_prompts import Registration
    from ledger_tui.ui.places.prompts.drift_watch import DriftWatch

MAX_LISTED = 12


class Stopped(Exception):
    """A person does not want to wait."""


class DriftWork(Screen):
    """The doing half of the Drift page."""

    @dataclass
    class Progress(Message):
        """What a thread is doing now."""

        words: str
        asked: threading.Event

    def __init__(self, watch: DriftWatch) -> None:
        super().__init__()
        self.watching = watch
        """What is known, and who keeps it fresh."""
        self.marks: list[tuple[str, str]] = []
        """Up to two (prompt, place) pairs of one prompt."""
        self._stop: threading.Event | None = None

    # What the page shows

    def say(self, words: str) -> None:
        """Say what is being done."""
        raise NotImplementedError

    def say_ground(self, matrix: Matrix) -> None:
        """Say where was looked."""
        raise NotImplementedError

    def say_failure(self, title: str, words: str) -> None:
        """Say why it could not be looked."""
        raise NotImplementedError

    def show_marks(self) -> None:
        """Marks changed."""
        raise NotImplementedError

    @property
    def row(self) -> DriftRow | None:
        """The prompt under the cursor."""
        return self.watching.row(self.query_one(DriftTable).selected_key or "")

    @property
    def place_key(self) -> str:
        """The place under the cursor."""
        return self.query_one(DriftTable).place_key

    # Looking

    @property
    def looking(self) -> bool:
        """Whether a thread is looking now."""
        return self._stop is not None

    def action_look(self) -> None:
        """Look again at code, git and ledger."""
        self.stop_looking()
        stop = self._stop = threading.Event()

        def told(words: str) -> None:
            if stop.is_set():
                raise Stopped
            self.post_message(self.Progress(words, stop))

        self.say("Looking")
        self.load(partial(self.watching.read, told), partial(self._looked, stop), group="drift", failed=self._failed)

    @on(Progress)
    def _progress(self, event: Progress) -> None:
        if event.asked is self._stop:
            self.say(event.words)

    def _looked(self, stop: threading.Event, found: tuple[Matrix, Any]) -> None:
        if stop is self._stop:
            self._stop = None
            self.watching.take(*found)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Stopped):
            return
        self._stop = None
        if self.watching.matrix is not None:
            self.say_ground(self.watching.matrix)
        if isinstance(error, LedgerError):
            self.say_failure(error.title, error.explained)
        else:
            self.say_failure("Something went wrong", f"{type(error).__name__}: {error}")
            self.log.error(error)

    def stop_looking(self) -> None:
        """Do not wait for the thread any more; it ends at its next step."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None
            self.workers.cancel_group(self, "drift")

    def say_stopped(self) -> None:
        """Say again what is known."""
        if self.watching.matrix is not None:
            self.say_ground(self.watching.matrix)
        else:
            self.say_failure("Nothing was looked at", "The look was stopped before it came to an end.")

    # Comparing

    def action_mark(self) -> None:
        """Mark the place under the cursor, or take its mark off."""
        self.mark(self.place_key)

    def mark(self, key: str) -> None:
        """Mark a place of the prompt under the cursor; two of one prompt can be marked."""
        row = self.row
        if row is None or row.at(key) is None:
            return
        mark = (row.name, key)
        if mark in self.marks:
            self.marks.remove(mark)
        else:
            self.marks = [*[one for one in self.marks if one[0] == row.name][-1:], mark]
        self.show_marks()

    def mark_words(self) -> str:
        """What is marked, and what to press."""
        row = self.row
        mine = [place_words(place) for name, key in self.marks if row and name == row.name and (place := row.at(key))]
        if len(mine) == 2:
            return one_line(f"◆ {mine[0]} and {mine[1]}: c compares", 70)
        return one_line(f"◆ {mine[0]}: mark one more, then c", 70) if mine else "space marks · enter compares"

    def action_compare(self) -> None:
        """Compare the two marked places, else this one with its mark or with what the others are held against."""
        row = self.row
        if row is None:
            return
        keys = [key for name, key in self.marks if name == row.name and row.at(key)]
        if len(keys) == 1 and self.place_key != keys[0] and row.at(self.place_key):
            keys.append(self.place_key)
        if len(keys) == 2:
            self._compare(row, *(place for key in keys if (place := row.at(key))))
        else:
            self.compare_with_code(keys[0] if keys else self.place_key)

    def compare_with_code(self, key: str) -> None:
        """Compare a place with what the others are held against; that one with the first that differs."""
        row = self.row
        reference = row.reference if row is not None else None
        if row is None or reference is None:
            return
        place = row.at(key)
        if place is None or place is reference:
            place = next(iter(row.differing()), None) or next((p for p in row.places if p is not reference), None)
        if place is not None:
            self._compare(row, place, reference)

    def _compare(self, row: DriftRow, *two: Place) -> None:
        order = [place.key for place in row.places]
        # What is further from the code stands on the left, as what was before.
        old, new = sorted(two, key=lambda place: -order.index(place.key))
        content = self.ledger.drift.content

        def work() -> ContentDiff:
            return diff_contents(content(row.name, old), content(row.name, new))

        title = f"{row.name}  {_named(old)} → {_named(new)}"
        missing = [place for place in (old, new) if place.sha256 is None]
        if missing:
            self.app.notify(f"Nothing to compare: there is no text in {place_words(missing[0])}.", markup=False)
            return
        self.load(work, partial(self._compared, title), group="diff")

    def _compared(self, title: str, diff: ContentDiff) -> None:
        pane = self.query_one("#compare")
        pane.border_title = line(title, 140)
        words = "nothing differs" if diff.same else f"+{diff.added} -{diff.removed}"
        pane.border_subtitle = " · ".join([words, *diff.notes])
        self.add_class("-comparing")
        self.refresh_bindings()
        view = self.query_one(DiffView)
        view.show_diff(diff)
        view.focus()

    # Registering

    def action_register(self) -> None:
        """Register what the working tree has of this prompt, after a preview."""
        self.register(False)

    def register(self, every: bool) -> None:
        """Ask the ledger what registering would do, show it, and do it when wanted."""
        matrix, row = self.watching.matrix, self.row
        rows = matrix.drifted if every and matrix is not None else [row] if row is not None else []
        wanted = {
            one.name: place.sha256
            for one in rows
            if (place := one.place("working")) is not None and place.sha256 and _is_new(one, place)
        }
        if not wanted:
            self.app.notify(_why_not(rows), markup=False)
            return
        preview = partial(self.ledger.drift.register, self.watching.folder, wanted, dry_run=True)
        self.load(preview, partial(self._preview, wanted), group="register")

    def _preview(self, wanted: dict[str, str], plan: list[Registration]) -> None:
        changing = [one for one in plan if one.action in ("new", "update")]
        if not changing:
            self.app.notify(
                "Nothing to register: the ledger manages this prompt, or has the text already.", markup=False
            )
            return

        def answered(yes: bool | None) -> None:
            if yes:
                register = partial(self.ledger.drift.register, self.watching.folder, wanted)
                self.load(register, self._registered, group="register")

        words = "\n".join(_planned(one) for one in plan[:MAX_LISTED])
        more = f"\nand {len(plan) - MAX_LISTED} more" if len(plan) > MAX_LISTED else ""
        title = "Register the working tree's text"
        ask = Confirm(title, f"{words}{more}\n\nIt can be undone (u).", "Register", danger=False)
        self.app.push_screen(ask, answered)

    def _registered(self, plan: list[Registration]) -> None:
        names = [one.name for one in plan if one.action in ("new", "update")]
        what = f"{one_line(names[0], 60)} v{plan[0].version}" if len(names) == 1 else f"{len(names)} prompts"
        self.app.notify(f"Registered {what} (u to undo)", timeout=3, markup=False)
        self.app.registry_changed()

    # Going on

    def action_open_prompt(self) -> None:
        """Open the prompt, at the version of the place under the cursor where it has one."""
        row = self.row
        if row is None:
            return
        if row.mode == "":
            self.app.notify("The ledger does not know this prompt yet. R registers it.", markup=False)
            return
        place = row.at(self.place_key)
        version_id = None
        if place is not None and place.sha256 and place.version:
            from ledger_tui.domain import ids

            version_id = ids.version_id(ids.prompt_id(row.name), place.sha256)
        self.app.open_prompt(row.name, version_id)

    def action_open_trace(self) -> None:
        """Open the trace of the run under the cursor, else of the newest run that has one."""
        row = self.row
        runs = [place for place in row.places if place.trace_id] if row is not None else []
        here = row.at(self.place_key) if row is not None else None
        chosen = here if here in runs else max(runs, key=lambda place: place.at_us or 0, default=None)
        if chosen is None or chosen.trace_id is None:
            self.app.notify("No trace of a run of this prompt is kept.", markup=False)
        else:
            self.app.open_trace(chosen.trace_id)


def texts_of(content: PromptContent) -> str:
    """The messages' texts, one under the other."""
    return "\n\n".join(message.text for message in content.messages)


def _named(place: Place) -> str:
    return f"{place_words(place)} {version_words(place)}"


def _is_new(row: DriftRow, working: Place) -> bool:
    registered = row.place("registered")
    return registered is None or registered.sha256 != working.sha256


def _why_not(rows: Sequence[DriftRow]) -> str:
    working = rows[0].place("working") if len(rows) == 1 else None
    if len(rows) == 1 and (working is None or working.sha256 is None):
        return "The working tree has no text of this prompt that can be read here."
    return "Nothing to register: the ledger has the texts of the working tree."


def _planned(one: Registration) -> str:
    name = one_line(one.name, 60)
    if one.action == "managed":
        return f"{name}: not taken, because the ledger manages it (mode full)"
    if one.action == "unchanged":
        return f"{name}: v{one.version} already"
    before = f"v{one.previous} → " if one.previous else "new: "
    where = f", from {one_line(one.git.path, 60)}" if one.git.path else ""
    dirty = " (not committed)" if one.git.dirty else ""
    return f"{name}: {before}v{one.version} becomes active{where}{dirty}"
