"""A list that draws its rows on demand: a hundred thousand of them cost what the visible ones cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

Runs = list[tuple[str, str]]
"""A row: texts and the component class (without the ``row--``) that each one is drawn with; "" for plain."""

_CACHED_ROWS = 1024


def fit(text: str, width: int, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells: cut with an ellipsis, or padded on the right (on the left for ``right``)."""
    cells = cell_len(text)
    if cells == width:
        return text
    if cells < width:
        return " " * (width - cells) + text if right else text + " " * (width - cells)
    return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, max(0, width))


class RowView(ScrollView, can_focus=True):
    """Base of the trace list and the span tree: a cursor, a heading, rows drawn when they are seen.

    A subclass gives ``row_count``, ``draw`` and ``heading``, and calls ``rows_changed`` when they are others.

    | Key(s) | Description |
    | :- | :- |
    | up, down | Move the cursor. |
    | pageup, pagedown, home, end | Move it far. |
    | enter | Choose the row. |
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="rows.up", tooltip="One row up"),
        Binding("down,j", "move(1)", "Down", show=False, id="rows.down", tooltip="One row down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="rows.page_up", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="rows.page_down", tooltip="One page down"),
        Binding("home,g", "first", "First", show=False, id="rows.first", tooltip="To the first row"),
        Binding("end,G", "last", "Last", show=False, id="rows.last", tooltip="To the last row"),
        Binding("enter", "choose", "Open", show=False, id="rows.choose", tooltip="Open the row"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row--heading", "row--cursor", "row--muted", "row--good", "row--bad", "row--warn", "row--strong", "row--found",
        "row--llm", "row--tool", "row--retrieval", "row--agent", "row--guardrail", "row--other",
    }  # fmt: skip
    DEFAULT_CSS = """
    RowView {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        background: transparent;
        color: $foreground;
        .row--heading { color: $text-muted; text-style: underline; }
        .row--cursor { background: $block-cursor-blurred-background; text-style: $block-cursor-blurred-text-style; }
        .row--muted { color: $text-muted; }
        .row--good { color: $success; }
        .row--bad { color: $error; }
        .row--warn { color: $warning; }
        .row--strong { text-style: bold; }
        .row--found { color: $accent; text-style: bold underline; }
        .row--llm { color: $kind-llm; }
        .row--tool { color: $kind-tool; }
        .row--retrieval { color: $kind-retrieval; }
        .row--agent { color: $kind-agent; }
        .row--guardrail { color: $kind-guardrail; }
        .row--other { color: $kind-other; }
        &:focus .row--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """

    @dataclass
    class RowMessage(Message):
        """Something about a row."""

        view: RowView
        row: int

        @property
        def control(self) -> RowView:
            """The list that the row is in."""
            return self.view

    class Moved(RowMessage):
        """The cursor stands on another row."""

        def can_replace(self, message: Message) -> bool:
            """A newer place of the cursor makes an older one moot."""
            return isinstance(message, RowView.Moved) and message.view is self.view

    class Chosen(RowMessage):
        """Enter, or a second click, on a row."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._cursor = 0
        self._strips: LRUCache[int, Strip] = LRUCache(_CACHED_ROWS)
        self._styles: dict[str, Style] = {}
        self._focus_drawn = False

    # What a subclass gives.

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return 0

    def draw(self, row: int, width: int) -> Runs:
        """The row in at most ``width`` cells; one cell before it is the cursor's, one behind it stays free."""
        raise NotImplementedError

    def heading(self, width: int) -> str:
        """The line that stays above the rows."""
        return ""

    # The cursor.

    @property
    def cursor(self) -> int:
        """The row of the cursor, 0-based; 0 without rows."""
        return self._cursor

    def move_cursor(self, row: int, *, tell: bool = True) -> None:
        """Put the cursor on a row (the nearest there is) and bring it into view."""
        row = max(0, min(row, self.row_count - 1))
        before, self._cursor = self._cursor, row
        for changed in {before, row}:
            self._strips.discard(changed)
        self.show_cursor()
        if before != row:
            self.refresh()
            if tell:
                self.post_message(self.Moved(self, row))

    def show_cursor(self) -> None:
        """Scroll as little as needed to see the cursor under the heading."""
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True, immediate=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, force=True, immediate=True)

    def rows_changed(self, cursor: int | None = None) -> None:
        """The rows are others: forget the drawn ones and set the scroll range; ``cursor`` moves without a message."""
        self._strips.clear()
        self.virtual_size = Size(self.size.width, self.row_count + 1)
        self._cursor = max(0, min(self._cursor if cursor is None else cursor, self.row_count - 1))
        self.refresh()

    def redraw(self) -> None:
        """The same rows look different now."""
        self._strips.clear()
        self.refresh()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """Draw line ``y`` of the window: the heading, or a row."""
        width = self.scrollable_content_region.width
        if y == 0:
            text = fit(self.heading(width - 1), width) if width else ""
            return Strip([Segment(text, self._base() + self._style("heading"))])
        row = y - 1 + self.scroll_offset.y
        if row >= self.row_count:
            return Strip.blank(width, self._base())
        strip = self._strips.get(row)
        if strip is None or strip.cell_length != width:
            strip = self._draw_strip(row, width)
            self._strips[row] = strip
        return strip

    def _draw_strip(self, row: int, width: int) -> Strip:
        on_cursor = row == self._cursor
        base = self._base()
        if on_cursor:
            base += self._style("cursor")
        plain = on_cursor and (self.has_focus or self.app.current_theme.ansi)
        marker = "❯" if on_cursor else " "
        segments = [Segment(marker, base)]
        for text, look in self.draw(row, max(0, width - 2)):
            segments.append(Segment(text, base + self._style(look) if look and not plain else base))
        return Strip(segments).adjust_cell_length(width, base)

    def _base(self) -> Style:
        """The widget's own style, worked out once a theme."""
        style = self._styles.get("")
        if style is None:
            style = self._styles[""] = self.rich_style
        return style

    def _style(self, name: str) -> Style:
        """What a component class adds to a row: its colour and text style; the cursor's background too."""
        style = self._styles.get(name)
        if style is None:
            full = self.get_component_rich_style(f"row--{name}")
            rules = self.get_component_styles(f"row--{name}")
            style = Style(color=full.color) if rules.has_rule("color") else Style()
            style += rules.text_style
            if rules.has_rule("background"):
                style += Style(bgcolor=full.bgcolor)
            self._styles[name] = style
        return style

    def notify_style_update(self) -> None:
        """Theme or state changed: forget what was drawn."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def on_resize(self) -> None:
        """Rows are drawn for a width."""
        self.virtual_size = Size(self.size.width, self.row_count + 1)
        self._strips.clear()
        self.call_after_refresh(self.show_cursor)

    def on_focus(self) -> None:
        """The cursor of the focused list is the bright one."""
        self.redraw()

    def on_blur(self) -> None:
        """The cursor of the focused list is the bright one."""
        self.redraw()

    # Keys and mouse.

    def action_move(self, step: int) -> None:
        """Move the cursor by rows."""
        self.move_cursor(self._cursor + step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.move_cursor(self._cursor + pages * max(1, self.size.height - 2))

    def action_first(self) -> None:
        """To the first row."""
        self.move_cursor(0)

    def action_last(self) -> None:
        """To the last row."""
        self.move_cursor(self.row_count - 1)

    def action_choose(self) -> None:
        """Open the row of the cursor."""
        if self.row_count:
            self.post_message(self.Chosen(self, self._cursor))

    def row_at(self, event: events.MouseEvent) -> int | None:
        """The row under the mouse, None for the heading and the space below."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < 1:
            return None
        row = offset.y - 1 + self.scroll_offset.y
        return row if row < self.row_count else None

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; a double click opens the row."""
        row = self.row_at(event)
        if row is None:
            return
        self.move_cursor(row)
        self.row_clicked(row, event)

    def row_clicked(self, row: int, event: events.Click) -> None:
        """After the cursor went to a clicked row."""
        if event.chain == 2:
            self.action_choose()

    def region_of(self, row: int) -> Region:
        """Where a row is drawn, in the coordinates of the widget (for tests and for menus)."""
        return Region(0, row - self.scroll_offset.y + 1, self.size.width, 1)
