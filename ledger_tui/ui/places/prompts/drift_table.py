"""The two lists of the Drift page: prompts by places as a table, and the places of one prompt in full."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.coordinate import Coordinate
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ledger_tui.domain.drift import DriftRow, Matrix, Place
from ledger_tui.ui.places.prompts.drift_words import cell, column_title, name_cell, place_line
from ledger_tui.ui.widgets.row_table import RowTable

SCROLLBAR = 2
"""The columns that a list's scroll bar may take, with one to spare."""


class DriftTable(RowTable):
    """Prompts as rows, places as columns; the cursor is on one cell."""

    HELP = """
### The table
A row is a prompt that lives in code, a column a place that has a version of it. `●` is what the others are held against:
the working tree, or what is registered where the working tree is not known. `=` is the same text, `≠` another one, `—` none;
a version's number says which one, the beginning of a hash stands for a text that was never registered. What differs comes first.

Arrow keys go from cell to cell. `enter` (or a second click) compares the place under the cursor with `●`. `space` marks a place;
with two marked, `c` compares those two.
"""
    DEFAULT_CSS = """
    DriftTable {
        & > .datatable--fixed { background: transparent; color: $foreground; }
        & > .datatable--fixed-cursor { background: $block-cursor-blurred-background; color: $foreground; }
        &:focus > .datatable--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="drift.down", tooltip="One prompt down"),
        Binding("k", "cursor_up", "Up", show=False, id="drift.up", tooltip="One prompt up"),
        Binding("l", "cursor_right", "Right", show=False, id="drift.right", tooltip="One place to the right"),
        Binding("h", "cursor_left", "Left", show=False, id="drift.left", tooltip="One place to the left"),
        Binding("enter", "select_cursor", "Compare", show=False, id="drift.enter", tooltip="Compare this place with ●"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor_type = "cell"
        self._keys: tuple[str, ...] = ()

    def show(self, matrix: Matrix, rows: Sequence[DriftRow], marks: Collection[tuple[str, str]]) -> None:
        """Show these rows; the cursor stays on its prompt and place."""
        key, place = self.selected_key, self.place_key
        self._keys = matrix.columns
        titles = ["code prompt", *(column_title(key, matrix.ground) for key in self._keys)]
        self.fixed_columns = 1
        self.fill(
            titles,
            (
                (row.name, [name_cell(row), *(cell(row, key, (row.name, key) in marks) for key in self._keys)])
                for row in rows
            ),
        )
        names = [row.name for row in rows]
        at = names.index(key) if key in names else 0
        column = (
            self._keys.index(place) + 1 if place in self._keys else self._first_difference(rows[at] if rows else None)
        )
        self.move_cursor(row=at, column=column)

    def _first_difference(self, row: DriftRow | None) -> int:
        different = {place.key for place in row.differing()} if row is not None else set()
        return next((at for at, key in enumerate(self._keys, 1) if key in different), 1)

    @property
    def place_key(self) -> str:
        """The key of the place under the cursor, '' on the prompt's name."""
        at = self.cursor_column - 1
        return self._keys[at] if 0 <= at < len(self._keys) else ""

    def go_to_place(self, key: str) -> None:
        """Put the cursor on a place of its prompt."""
        if key in self._keys and key != self.place_key:
            self.cursor_coordinate = Coordinate(self.cursor_row, self._keys.index(key) + 1)


class PlaceList(OptionList):
    """The places of one prompt; a click on ``◇`` marks, elsewhere it compares."""

    HELP = """
### Places
Every place of the prompt with its whole hash, the version's number, how old it is, and the commit and file that it is in or was
registered from (`changed`: the file was not what that commit holds). `space`, or a click on `◇`, marks one; `enter` compares.
"""

    @dataclass
    class Pointed(Message):
        """The cursor is on another place."""

        key: str

    @dataclass
    class Marked(Message):
        """A person marked a place with the mouse."""

        key: str

    @dataclass
    class Opened(Message):
        """A person wants to see what differs in a place."""

        key: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True)
        self._places: tuple[Place, ...] = ()
        self._row: DriftRow | None = None
        self._marks: Collection[tuple[str, str]] = ()

    def show(self, row: DriftRow | None, marks: Collection[tuple[str, str]], key: str) -> None:
        """Show the places of a prompt; the cursor stands on ``key``."""
        self._row, self._marks = row, marks
        self._places = () if row is None else row.places
        self.set_options([Option(content) for content in self._places_shown()])
        self.point_at(key)

    def _places_shown(self) -> list[Content]:
        row, width = self._row, max(40, self.size.width - SCROLLBAR)
        if row is None:
            return []
        # The 16 colours of a terminal have no grey that can be read on the cursor's row too.
        muted = "" if self.app.current_theme.ansi else "$text-muted"
        return [place_line(row, place, (row.name, place.key) in self._marks, width, muted) for place in self._places]

    def on_resize(self) -> None:
        """Lines break anew."""
        at = self.highlighted
        self.set_options([Option(content) for content in self._places_shown()])
        self.highlighted = at if at is not None and at < len(self._places) else None

    def point_at(self, key: str) -> None:
        """Put the cursor on a place."""
        at = next((at for at, place in enumerate(self._places) if place.key == key), None)
        if at != self.highlighted:
            self.highlighted = at

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self.has_focus:
            self.post_message(self.Pointed(self._places[event.option_index].key))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Opened(self._places[event.option_index].key))

    def on_click(self, event: events.Click) -> None:
        """A click on the column of marks marks."""
        at = event.style.meta.get("option")
        if at is not None and event.x < 2:
            event.prevent_default()
            self.post_message(self.Marked(self._places[at].key))
