"""The editor for templates: a TextArea whose keystroke costs one line, not the document.

Textual's TextArea rebuilds all highlights, joins the whole text and paints every visible line at each key. Here
colours come from ``template_highlight`` line by line, ``template_paint`` paints single rows, which are kept by what
they show, and only rows that look different are sent to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.document._document import EditResult, Location, Selection
from textual.document._document_navigator import DocumentNavigator
from textual.document._edit import Edit
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive, reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import TextArea

from ledger_tui.domain.text import repaired
from ledger_tui.ui.widgets.template_document import TemplateDocument, TemplateWrap
from ledger_tui.ui.widgets.template_highlight import LineStates, highlight, matching_bracket
from ledger_tui.ui.widgets.template_paint import KINDS, PREFIX, Looks, Stretch, clipped, paint, stand_ins

MAX_HIGHLIGHT = 1_000_000
"""Characters of a text that still gets colours."""
_RENAMED = {"end,ctrl+e": "end", "ctrl+y,super+y": "ctrl+shift+z,super+y", "f7": "ctrl+shift+a,super+a"}


def _bindings() -> list[BindingType]:
    """TextArea's keys without those that the workstation uses for itself (f6, f7, ctrl+e, ctrl+y)."""
    made: list[BindingType] = []
    for binding in TextArea.BINDINGS:
        if not isinstance(binding, Binding) or binding.key == "f6":
            continue
        words = binding.description.replace("_", " ")
        action = re.sub(r"\W+", "_", binding.action).strip("_")
        key = _RENAMED.get(binding.key, binding.key)
        made.append(Binding(key, binding.action, words, show=False, id=f"editor.{action}", tooltip=words))
    return made


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text that somebody complains about: 1-based line and columns, the end excluded."""

    line: int
    column: int
    end_column: int


class TemplateArea(TextArea, inherit_bindings=False):
    """A text editor with Jinja2 colours, problems underlined, and control characters shown as stand-ins."""

    HELP = """
### The text of a message
Plain text with Jinja2 inside: `{{ name }}` puts a value in, `{% if ... %}` and `{% for ... %}` choose and repeat,
`{# ... #}` is a note that is not sent.

Underlined places have a problem; the list below the editor says which. `ctrl+e` opens `$EDITOR`, `ctrl+s` saves a
version, `ctrl+z` takes a change back, `ctrl+shift+z` brings it again.
"""
    BINDINGS = _bindings()
    COMPONENT_CLASSES: ClassVar[set[str]] = {PREFIX + kind for kind in KINDS}
    DEFAULT_CSS = """
    TemplateArea {
        & .template--delimiter { color: $accent; }
        & .template--variable { color: $primary; text-style: bold; }
        & .template--keyword { color: $accent; text-style: bold; }
        & .template--filter { color: $accent; text-style: italic; }
        & .template--string { color: $success; }
        & .template--number { color: $warning; }
        & .template--comment { color: $text-muted; text-style: italic; }
        & .template--problem { color: $error; text-style: underline bold; }
        & .template--unknown { color: $warning; text-style: underline bold; }
        & .template--new { color: $success; text-style: underline bold; }
        & .template--stand-in { color: $warning; text-style: reverse; }
        & .template--placeholder { color: $text-muted; }
    }
    """

    selection: Reactive[Selection] = reactive(Selection(), init=False, always_update=True, repaint=False)
    """The selection; its end is the cursor. Rows that look different are repainted by the watcher."""

    @dataclass
    class Highlighting(Message):
        """Colours were switched off because the text is large, or on again."""

        area: TemplateArea
        on: bool

        @property
        def control(self) -> TemplateArea:
            """The editor."""
            return self.area

    def __init__(self, text: str = "", **options: Any) -> None:
        self._states = LineStates()
        self._rows: LRUCache[tuple[Any, ...], Strip] = LRUCache(2048)
        self._looks: Looks | None = None
        self._problems: dict[int, list[Stretch]] = {}
        self._names: dict[str, str] = {}
        self._chars = 0
        super().__init__("", **options)
        if text:
            self._set_document(text, None)

    @property
    def highlighting(self) -> bool:
        """Whether the text is small enough to get colours."""
        return self._chars <= MAX_HIGHLIGHT

    def set_marks(self, problems: Iterable[Mark], unknown: Iterable[str] = (), new: Iterable[str] = ()) -> None:
        """Underline problems, and every use of a variable named in ``unknown`` (a warning) or ``new``."""
        found: dict[int, list[Stretch]] = {}
        for mark in problems:
            start = max(0, mark.column - 1)
            found.setdefault(mark.line - 1, []).append((start, max(start + 1, mark.end_column - 1), "problem"))
        names = {**dict.fromkeys(new, "new"), **dict.fromkeys(unknown, "unknown")}
        if found != self._problems or names != self._names:
            self._problems, self._names = found, names
            self.refresh()

    def go_to(self, line: int, column: int) -> None:
        """Put the cursor at a 1-based place and show it."""
        self.focus()
        self.move_cursor((max(0, line - 1), max(0, column - 1)), center=True)

    # Text in and out

    def _set_document(self, text: str, language: str | None) -> None:
        before = self.highlighting
        self.document = document = TemplateDocument(text)
        self.wrapped_document = TemplateWrap(document, tab_width=self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self._chars = len(text)
        self._problems = {}
        self._build_highlight_map()
        self.move_cursor((0, 0))
        self._rewrap_and_refresh_virtual_size()
        self._tell_highlighting(before)

    def _build_highlight_map(self) -> None:
        """Forget what is known of lines: called by TextArea after anything but a single edit."""
        self._states = LineStates()
        document = self.document
        if isinstance(document, TemplateDocument):
            self._chars = sum(map(len, document.lines)) + len(document.newline) * (document.line_count - 1)
        self.refresh()

    def _tell_highlighting(self, before: bool) -> None:
        if before != self.highlighting:
            self._rows.clear()
            self.refresh()
            self.post_message(self.Highlighting(self, self.highlighting))

    def edit(self, edit: Edit) -> EditResult:
        """Make an edit; wraps, colours and repaints what it touched only."""
        wrapped = self._wrapped
        lit, height, gutter = self.highlighting, wrapped.height, self.gutter_width
        result = edit.do(self)
        self.history.record(edit)
        self._chars += len(edit.text) - len(result.replaced_text)
        if gutter != self.gutter_width:
            wrapped.wrap(self.wrap_width, self.indent_width)
        else:
            wrapped.wrap_range(edit.top, edit.bottom, result.end_location)
        top, bottom = edit.top[0], max(edit.top[0], result.end_location[0])
        below = self._states.edited(
            wrapped.document.lines, top, max(top, edit.bottom[0]), bottom, self._last_visible_line()
        )
        if below or wrapped.height != height or gutter != self.gutter_width:
            self._refresh_rows(wrapped.rows_of(top)[0], max(wrapped.height, height))
        else:
            self._refresh_rows(wrapped.rows_of(top)[0], wrapped.rows_of(bottom)[1])
        edit.after(self)
        self.post_message(self.Changed(self))
        self._refresh_size()
        self._tell_highlighting(lit)
        return result

    async def _on_paste(self, event: events.Paste) -> None:
        """Insert pasted text; terminals send its line ends as carriage returns."""
        event.prevent_default()
        event.stop()
        if self.read_only:
            return
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        if result := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(result.end_location)
            self.focus()

    def action_copy(self) -> None:
        """Copy the selection, or leave the key to others when there is none."""
        if self.selection.is_empty:
            super().action_copy()
        else:
            self.app.copy_to_clipboard(repaired(self.selected_text)[0])

    def action_cut(self) -> None:
        """Remove the selection, or the line, and copy it."""
        start, end = self.selection
        made = self._delete_cursor_line() if start == end else self._delete_via_keyboard(start, end)
        if made is not None:
            self.app.copy_to_clipboard(repaired(made.replaced_text)[0])

    # What to repaint

    @property
    def _wrapped(self) -> TemplateWrap:
        wrapped = self.wrapped_document
        assert isinstance(wrapped, TemplateWrap)
        return wrapped

    def _last_visible_line(self) -> int:
        row = self._wrapped.row(min(self.scroll_offset.y + self.size.height, self._wrapped.height - 1))
        return row[0] if row else 0

    def _refresh_rows(self, first: int, last: int) -> None:
        """Repaint rows ``first`` to ``last`` of the wrapped text as far as they are visible."""
        top, size = self.scroll_offset.y, self.size
        first, last = max(first, top), min(last, top + size.height - 1)
        if first <= last and size.width:
            self.refresh(Region(0, first - top, size.width, last - first + 1))

    def _refresh_lines_of(self, *selections: Selection) -> None:
        wrapped = self._wrapped
        newest = wrapped.document.line_count - 1
        for selection in selections:
            rows = sorted(min(max(0, location[0]), newest) for location in selection)
            self._refresh_rows(wrapped.rows_of(rows[0])[0], wrapped.rows_of(rows[-1])[1])

    def _watch_selection(self, previous_selection: Selection, selection: Selection) -> None:
        if not self.is_mounted:
            return
        if self.screen.selections:
            self.app.clear_selection()
        old_bracket = self._matching_bracket_location
        self.scroll_cursor_visible()
        row, column = selection.end
        line = self.document[row] if row < self.document.line_count else ""
        bracket = line[column : column + 1] if selection.is_empty and self.highlighting else ""
        match = self.find_matching_bracket(bracket, selection.end) if bracket and bracket in "()[]{}" else None
        self._matching_bracket_location = match
        self._refresh_lines_of(previous_selection, selection)
        for location in (old_bracket, match):
            if location is not None:
                self._refresh_lines_of(Selection.cursor(location))
        self.app.cursor_position = self.cursor_screen_offset
        if previous_selection != selection:
            self.post_message(self.SelectionChanged(selection, self))

    def find_matching_bracket(self, bracket: str, search_from: Location) -> Location | None:
        """Where the partner of the bracket at a location is, if it is near enough."""
        return matching_bracket(self.document.lines, *search_from)

    def _refresh_size(self) -> None:
        size = Size(0, self._wrapped.height) if self.soft_wrap else self._unwrapped_size()
        if size != self.virtual_size:
            self.virtual_size = size
            self._refresh_scrollbars()

    def _unwrapped_size(self) -> Size:
        width, height = self.document.get_size(self.indent_width)
        return Size(width + self.gutter_width + 1, height)

    # Looks

    def notify_style_update(self) -> None:
        """Colours changed: paint everything anew."""
        self._looks = None
        super().notify_style_update()

    def _app_theme_changed(self) -> None:
        self._looks = None
        super()._app_theme_changed()

    def _watch_read_only(self, read_only: bool) -> None:
        self._looks = None
        super()._watch_read_only(read_only)

    def _look(self) -> Looks:
        if self._looks is None:
            self._looks = Looks(self)
            self._rows.clear()
        return self._looks

    def render_lines(self, crop: Region) -> list[Strip]:
        """The visible rows, from the cache where nothing changed; wrapped anew when the room changed unnoticed."""
        if self.soft_wrap and self._wrapped.width != self.wrap_width > 0:
            self._rewrap_and_refresh_virtual_size()
        return ScrollView.render_lines(self, crop)

    def render_line(self, y: int) -> Strip:
        """Row ``y`` of what is visible."""
        looks, wrapped = self._look(), self._wrapped
        width = self.scrollable_content_region.size.width
        row = wrapped.row(y + self.scroll_offset.y)
        if row is None:
            return Strip.blank(self.size.width, looks.base)
        line, part, start, end = row
        shown = wrapped.document.shown[line]
        last = end is None
        stop = len(shown) if end is None else end
        current = self._has_cursor and self.highlight_cursor_line and line == self.selection.end[0] and self.has_focus
        text = shown[start:stop] + " " if last else shown[start:stop]
        colours = clipped(self._colours(line), start, stop)
        if not shown and wrapped.document.line_count == 1 and self.placeholder:
            text = str(self.placeholder)
            colours = ((0, len(text), "placeholder"),)
        layers = clipped(self._layers(line, len(shown)), start, stop + last)
        key = (text, colours, layers, current, width, line if self.show_line_numbers else 0, part, last)
        strip = self._rows.get(key)
        if strip is None:
            style = looks.cursor_line if current else looks.base
            gutter = self._gutter(line, part, current, looks)
            strip = paint(
                text, colours, layers, looks,
                line_style=style, fill=style, width=width - gutter.cell_length, tab_width=self.indent_width,
            )  # fmt: skip
            self._rows[key] = strip = Strip.join([gutter, strip]) if gutter.cell_length else strip
        return strip

    def _gutter(self, line: int, part: int, current: bool, looks: Looks) -> Strip:
        width = self.gutter_width
        if not width:
            return Strip([], 0)
        number = str(line + self.line_number_start) if part == 0 else ""
        style = looks.cursor_gutter if current else looks.gutter
        return paint(f"{number:>{width - 2}}  ", (), (), looks, line_style=style, fill=style, width=width, tab_width=4)

    def _colours(self, line: int) -> Sequence[Stretch]:
        document = self._wrapped.document
        source = document.lines[line]
        colours: list[Stretch] = []
        if self.highlighting:
            names = self._names
            spans, _ = highlight(source, self._states.begin(document.lines, line))
            if not names:
                colours = list(spans)
            else:
                colours = [(a, b, names.get(source[a:b], kind) if kind == "variable" else kind) for a, b, kind in spans]
        return colours

    def _layers(self, line: int, length: int) -> list[Stretch]:
        document = self._wrapped.document
        layers: list[Stretch] = stand_ins(document.lines[line], document.shown[line])
        layers += self._problems.get(line, ())
        selection = self.selection
        row, column = selection.end
        if not selection.is_empty:
            (top, first), (bottom, final) = sorted(selection)
            if top <= line <= bottom:
                end = final if line == bottom else length + 1
                layers.append((first if line == top else 0, end, "selection"))
        elif self._matching_bracket_location is not None and self._has_cursor:
            for at, place in (selection.end, self._matching_bracket_location):
                if at == line:
                    layers.append((place, place + 1, "matching-bracket"))
        if row == line and self._draw_cursor:
            layers.append((column, column + 1, "cursor"))
        return layers
