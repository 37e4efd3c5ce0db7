"""A scrolling view of styled rows that draws only what is visible: a million rows cost what one screen costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from ledger_tui.ui.widgets.lines import LOOKS, Line, line_text


class LineView(ScrollView, can_focus=True):
    """Rows of ``lines.Line``, already wrapped to the width that ``room`` tells.

    A subclass lays out text for ``room`` cells, hands the rows to ``set_rows`` and does so again in ``room_changed``.

    Component classes: ``line-view--`` and a name of ``lines.LOOKS``; ``line-view--cursor`` marks the row of the cursor.
    """

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {"line-view--cursor", *(f"line-view--{look}" for look in LOOKS.values())}
    DEFAULT_CSS = """
    LineView {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        background: transparent;
        color: $foreground;
        .line-view--strong { text-style: bold; }
        .line-view--emphasis { text-style: italic; }
        .line-view--strike { text-style: strike; }
        .line-view--code { color: $text-accent; }
        .line-view--link { color: $text-primary; text-style: underline; }
        .line-view--heading { color: $text-primary; text-style: bold; }
        .line-view--quote { color: $text-secondary; }
        .line-view--muted { color: $text-muted; }
        .line-view--key { color: $text-primary; }
        .line-view--string { color: $text-success; }
        .line-view--number { color: $text-warning; }
        .line-view--word { color: $text-accent; text-style: bold; }
        .line-view--rule { color: $foreground 40%; }
        .line-view--cursor { background: $block-cursor-blurred-background; }
        &:focus .line-view--cursor { background: $primary-muted; }
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._rows: list[Line] = []
        self._strips: LRUCache[int, Strip] = LRUCache(512)
        self._styles: dict[int, Style] = {}
        self._room = 0
        self.cursor_row: int | None = None
        """The row drawn as the cursor's, None without one."""

    @property
    def room(self) -> int:
        """How many cells a row has; while hidden the last width, 0 before the first layout."""
        return self.scrollable_content_region.width or self._room

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @property
    def row_texts(self) -> list[str]:
        """The rows as plain text, as they stand on the screen."""
        return [line_text(row) for row in self._rows]

    def room_changed(self) -> None:
        """The width is another one now: lay out again."""

    def set_rows(self, rows: list[Line]) -> None:
        """Show these rows instead of all others."""
        self._rows = rows
        self._strips.clear()
        self.grown()
        self.refresh()

    def add_rows(self, rows: Sequence[Line], *, keep: int) -> None:
        """Put ``rows`` after the first ``keep`` rows, whose drawing stays."""
        for y in range(keep, len(self._rows)):
            self._strips.discard(y)
        del self._rows[keep:]
        self._rows.extend(rows)
        self.grown()
        top = self.scroll_offset.y
        first, height = max(0, keep - top), self.size.height
        if first < height:
            self.refresh(Region(0, first, self.size.width, min(height - first, len(rows))))

    def grown(self) -> None:
        """Tell the scrollbar how many rows there are; a new layout only where the scrollbar comes or goes."""
        size = Size(self.size.width, len(self._rows))
        if size == self.virtual_size:
            return
        if self.show_vertical_scrollbar == (len(self._rows) > self.size.height) and self.size:
            self.set_reactive(Widget.virtual_size, size)
            if self.scrollbar_due():
                self._scroll_update(size)
        else:
            self.virtual_size = size

    def scrollbar_due(self) -> bool:
        """Whether the scrollbar is drawn anew now; it costs as much as the text beside it."""
        return True

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw the rows that are in view now."""
        if self.show_vertical_scrollbar and self.scrollbar_due():
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.refresh(self.size.region)

    def on_resize(self) -> None:
        """A new width needs new rows."""
        if self.room != self._room:
            self._room = self.room
            self.room_changed()

    def notify_style_update(self) -> None:
        """A theme or a state has changed: forget what was drawn."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the selection."""
        self._strips.clear()
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, as it stands on the screen."""
        return selection.extract("\n".join(self.row_texts)), "\n"

    def move_cursor_row(self, row: int | None) -> None:
        """Draw the cursor on ``row`` and bring it into view."""
        for y in (self.cursor_row, row):
            if y is not None:
                self._strips.discard(y)
                self.refresh_line(y)
        self.cursor_row = row
        if row is not None:
            self.scroll_to_region(Region(0, row, 1, 1), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """Draw the row at ``y`` of the window."""
        row = self.scroll_offset.y + y
        width = self.size.width
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(row)
        if strip is None or strip.cell_length != width:
            strip = self._draw(row, width).apply_offsets(0, row)
            self._strips[row] = strip
        return strip

    def _draw(self, row: int, width: int) -> Strip:
        base = self._style(0)
        plain = False
        if row == self.cursor_row:
            base = base + self.get_component_rich_style("line-view--cursor", partial=True)
            plain = self.app.current_theme.ansi
        segments = [
            Segment(text, base + self._style(look) if look and not plain else base) for text, look in self._rows[row]
        ]
        strip = Strip(segments).adjust_cell_length(width, base)
        selected = self.text_selection
        span = selected.get_span(row) if selected is not None else None
        return strip if span is None else self._mark(strip, *span)

    def _mark(self, strip: Strip, start: int, end: int) -> Strip:
        end = strip.cell_length if end == -1 else min(end, strip.cell_length)
        parts = strip.divide([start, end, strip.cell_length]) if 0 <= start < end else []
        if not parts:
            return strip
        style = self.screen.get_component_rich_style("screen--selection")
        marked = Strip([Segment(text, (old or Style()) + style) for text, old, _ in parts[1]])
        return Strip.join([parts[0], marked, *parts[2:]])

    def _style(self, look: int) -> Style:
        style = self._styles.get(look)
        if style is None:
            if look == 0:
                style = self.rich_style
            else:
                style = Style()
                for flag, name in LOOKS.items():
                    if look & flag:
                        style += self._look_style(name)
            self._styles[look] = style
        return style

    def _look_style(self, name: str) -> Style:
        """What a component class adds: its colour and its text style, never a background."""
        full = self.get_component_rich_style(f"line-view--{name}")
        own = self.get_component_styles(f"line-view--{name}")
        colour = Style(color=full.color) if own.has_rule("color") else Style()
        return colour + own.text_style
