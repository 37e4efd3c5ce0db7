"""A plain table of rows: a heading, aligned columns, one cursor row that survives a refresh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text
from textual import events
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from ledger_tui.domain.text import one_line

Cell = str | tuple[str, str]
"""Foreign or own text, with a style of theme variables when it is a pair."""


class RowTable(DataTable[Text]):
    """Rows with keys; a column whose title starts with ``>`` is aligned right. Cell texts are made printable here."""

    DEFAULT_CSS = """
    RowTable {
        height: 1fr;
        background: transparent;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        & > .datatable--header { background: transparent; color: $text-muted; text-style: none; }
        &:focus > .datatable--header { background-tint: transparent; }
        &:focus { background-tint: transparent; }
        & > .datatable--cursor { background: $block-cursor-blurred-background; color: $foreground; }
        & > .datatable--hover { background: $block-cursor-blurred-background; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None, one_click: bool = False) -> None:
        """``one_click``: every click chooses its row; else a click on the row of the cursor does."""
        super().__init__(id=id, classes=classes, cursor_type="row", show_row_labels=False, cell_padding=1)
        self.one_click = one_click
        self._titles: tuple[str, ...] = ()

    def fill(self, titles: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]]) -> None:
        """Show ``rows``, (key, cells) pairs; the cursor stays on its key."""
        before = self.selected_key
        if tuple(titles) != self._titles:
            self.clear(columns=True)
            self._titles = tuple(titles)
            for title in titles:
                self.add_column(Text(title.removeprefix(">"), justify="right" if title.startswith(">") else "left"))
        else:
            self.clear()
        for key, cells in rows:
            self.add_row(*(self._cell(title, cell) for title, cell in zip(titles, cells, strict=True)), key=key)
        self._widen()
        keys = [str(key.value) for key in self.rows]
        if before in keys:
            self.move_cursor(row=keys.index(before), scroll=False)

    def renew(self, rows: Iterable[tuple[str, Sequence[Cell]]]) -> None:
        """Write other words into rows that are there; cursor and scrolling stay."""
        known = {key.value for key in self.rows}
        for key, cells in rows:
            for column, title, cell in zip(self.ordered_columns, self._titles, cells, strict=True):
                words = self._cell(title, cell)
                if key in known and self.get_cell(key, column.key) != words:
                    self.update_cell(key, column.key, words)

    def _widen(self) -> None:
        """Make every column as wide as its cells now: DataTable measures new rows only when it next rests."""
        for column in self.ordered_columns:
            cells = [cell.cell_len for cell in self.get_column(column.key)]
            column.content_width = max([column.content_width, *cells])

    def on_click(self, event: events.Click) -> None:
        """The column does not matter for a row: the table chooses when the cursor is on the clicked cell already."""
        row, column = event.style.meta.get("row", -1), event.style.meta.get("column", -1)
        if self.cursor_type == "row" and row >= 0 and column >= 0 and (self.one_click or row == self.cursor_row):
            self.cursor_coordinate = Coordinate(row, column)

    def _cell(self, title: str, cell: Cell) -> Text:
        words, style = cell if isinstance(cell, tuple) else (cell, "")
        justify: Any = "right" if title.startswith(">") else "left"
        return Text(one_line(words, 120), style=self._color(style), justify=justify, no_wrap=True)

    def _color(self, style: str) -> str:
        """A style such as ``bold $primary`` with the theme's colours put in."""
        variables = self.app.theme_variables
        words = [variables.get(word[1:], "") if word.startswith("$") else word for word in style.split()]
        return " ".join(
            "default" if word.startswith(("auto", "ansi_default")) else word.replace("ansi_", "") for word in words
        )

    @property
    def selected_key(self) -> str | None:
        """The key of the row under the cursor."""
        if not self.row_count or not self.is_valid_row_index(self.cursor_row):
            return None
        return str(self.ordered_rows[self.cursor_row].key.value)
