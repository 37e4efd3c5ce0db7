"""The tables of Costs: rows by a figure, sorted by key or by a click on a heading, with cursor and scroll kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message

from ledger_tui.ui.places.costs.columns import NAME, Column
from ledger_tui.ui.widgets.row_table import Cell, RowTable


class CostTable(RowTable):
    """Rows with figures; ``▼`` marks the column they are sorted by.

    | Key(s) | Description |
    | :- | :- |
    | up, down, j, k | Move the cursor. |
    | enter | The traces behind the row. |
    | s, S | Sort by the next column; turn the order round. |
    """

    HELP = """
# The tables
*ok* and *failed* are shares of the calls; canceled calls are neither. *p50* and *p95* are the median and the 95th percentile of the
latency of succeeded calls, *first* of the time to their first token; they are off by 2.5 % at most. *cost* is what the priced calls
cost, *share* its part of the whole, *unpriced* how many calls have no price. *Δ cost* sets it beside as many days before.

`s` sorts by the next column and `S` the other way round; so does a click on a heading.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="costs_table.down", tooltip="One row down"),
        Binding("k", "cursor_up", "Up", show=False, id="costs_table.up", tooltip="One row up"),
    ]

    @dataclass
    class Sorted(Message):
        """A heading was clicked."""

        table: CostTable
        key: str

        @property
        def control(self) -> CostTable:
            """The table."""
            return self.table

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.keys: tuple[str, ...] = ()
        """The columns that are shown, the name first."""
        self._found: object = None

    def show(
        self,
        name: str,
        columns: Sequence[Column],
        rows: Iterable[tuple[str, Sequence[Cell]]],
        sorted_by: str,
        reverse: bool,
    ) -> None:
        """Show rows (key, cells); the cursor stays on its key and the scroll where it was."""
        mark = " ▲" if reverse else " ▼"
        titles = [name, *(column.title for column in columns)]
        self.keys = (NAME, *(column.key for column in columns))
        marked = [title + mark * (key == sorted_by) for title, key in zip(titles, self.keys, strict=True)]
        found = (self.app.theme, marked, list(rows))
        if found == self._found:
            return
        self._found = found
        scroll = self.scroll_offset
        self.fill(marked, found[2])
        self.scroll_to(scroll.x, scroll.y, animate=False, force=True, immediate=True)

    @on(RowTable.HeaderSelected)
    def _heading(self, event: RowTable.HeaderSelected) -> None:
        event.stop()
        if event.column_index < len(self.keys):
            self.post_message(self.Sorted(self, self.keys[event.column_index]))
