"""Two versions beside each other or as one column, with changed words marked; a hundred thousand lines scroll at once.

Nothing is laid out in advance: a row is painted when it comes into view. Signs, bold and underline carry the meaning,
colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ledger_tui.domain.diff import ContentDiff, Row, Section, TextDiff, UnifiedLine
from ledger_tui.domain.diff_match import Marks
from ledger_tui.ui.widgets.template_document import shown_line
from ledger_tui.ui.widgets.template_paint import paint

CONTEXT = 3
"""Unchanged lines kept around a change while the rest is folded."""
MIN_SPLIT_WIDTH = 100
"""Cells below which one column is the better first choice."""
_NAMES = ("added", "removed", "added-word", "removed-word", "head", "fold", "number")


class _Head(NamedTuple):
    title: str
    counts: str


class _Fold(NamedTuple):
    hidden: int


Item = _Head | _Fold | Row | UnifiedLine


class _Styles:
    """The component styles at one moment."""

    def __init__(self, view: DiffView) -> None:
        self.base = view.rich_style
        self._named: dict[str, Style] = {}
        for name in _NAMES:
            full = view.get_component_rich_style(f"diff-view--{name}")
            own = view.get_component_styles(f"diff-view--{name}").text_style
            self._named[name] = Style(color=full.color) + own

    def over(self, below: Style, name: str) -> Style:
        return below + self._named[name]

    def get(self, name: str) -> Style:
        return self.base + self._named[name]


class DiffView(ScrollView, can_focus=True):
    """Shows a ContentDiff or a TextDiff.

    Component classes: ``diff-view--`` and added, removed, added-word, removed-word, head, fold, number.
    """

    HELP = """
### Comparison
`-` lines are in the older version only, `+` lines in the newer one; changed words are underlined.

`m` changes between side by side and one column, `n` and `p` go to the next and previous change, `f` shows or folds
lines that are the same. Long lines scroll with the left and right arrow keys.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "toggle_mode", "Columns", id="diff.mode", tooltip="Side by side or in one column"),
        Binding("n", "next_change(1)", "Next change", id="diff.next", tooltip="Go to the next change"),
        Binding("p,N", "next_change(-1)", "Previous", id="diff.previous", tooltip="Go to the previous change"),
        Binding("f", "toggle_fold", "Fold", id="diff.fold", tooltip="Show or fold lines that are the same"),
        Binding("up,k", "scroll_up", "Up", show=False, id="diff.up", tooltip="Scroll up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="diff.down", tooltip="Scroll down"),
        Binding("left", "scroll_sideways(-8)", "Left", show=False, id="diff.left", tooltip="Scroll to the left"),
        Binding("right", "scroll_sideways(8)", "Right", show=False, id="diff.right", tooltip="Scroll to the right"),
        Binding("pageup", "page_up", "Page up", show=False, id="diff.page_up", tooltip="A page up"),
        Binding("pagedown,space", "page_down", "Page down", show=False, id="diff.page_down", tooltip="A page down"),
        Binding("home,g", "scroll_home", "Top", show=False, id="diff.top", tooltip="To the beginning"),
        Binding("end,G", "scroll_end", "End", show=False, id="diff.end", tooltip="To the end"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"diff-view--{name}" for name in _NAMES}
    DEFAULT_CSS = """
    DiffView {
        width: 1fr;
        height: 1fr;
        scrollbar-size-vertical: 1;
        & .diff-view--added { color: $success; }
        & .diff-view--removed { color: $error; }
        & .diff-view--added-word { color: $success; text-style: bold underline; }
        & .diff-view--removed-word { color: $error; text-style: bold underline; }
        & .diff-view--head { color: $primary; text-style: bold; }
        & .diff-view--fold { color: $text-muted; text-style: italic; }
        & .diff-view--number { color: $text-muted; }
    }
    """

    split: reactive[bool | None] = reactive(None)
    """Side by side; None: as the width allows."""
    folded: reactive[bool] = reactive(True)
    """Whether runs of unchanged lines are folded."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._sections: tuple[Section, ...] = ()
        self._items: list[Item] = []
        self._changes: list[int] = []
        self._longest = 0
        self._digits = 3
        self._styles: _Styles | None = None
        self._strips: LRUCache[tuple[int, int, int, bool], Strip] = LRUCache(1024)

    @property
    def side_by_side(self) -> bool:
        """Whether two columns are shown now."""
        return self.size.width >= MIN_SPLIT_WIDTH if self.split is None else self.split

    @property
    def changes(self) -> int:
        """How many runs of changed lines there are."""
        return len(self._changes)

    def show_diff(self, diff: ContentDiff | TextDiff) -> None:
        """Show this comparison from its beginning."""
        if isinstance(diff, TextDiff):
            self._sections = (Section("", "same" if diff.same else "changed", diff),)
        else:
            self._sections = diff.sections
        rows = [row for section in self._sections for row in section.diff.rows]
        self._longest = _longest(rows)
        self._digits = len(str(max((row.old_number or row.new_number or 0 for row in rows), default=0)))
        self._lay_out()
        self.scroll_to(0, 0, animate=False)
        if self._changes:
            self.call_after_refresh(self._show_row, self._changes[0])

    def _lay_out(self) -> None:
        self._items = []
        for section in self._sections:
            if section.title:
                self._items.append(_Head(section.title, _counts(section)))
            lines: Iterable[Row | UnifiedLine] = section.diff.rows
            if not self.side_by_side:
                lines = section.diff.unified()
            self._items.extend(_folded(list(lines)) if self.folded else lines)
        changed = [_is_change(item) for item in self._items]
        self._changes = [at for at, now in enumerate(changed) if now and not (at and changed[at - 1])]
        self._strips.clear()
        longest = _longest(self._items) if self.folded else self._longest
        self.virtual_size = Size(self.size.width + max(0, longest - self._room()), len(self._items))
        self.refresh()

    def _room(self) -> int:
        """Cells for text in one column."""
        margin = self._digits + 3
        if self.side_by_side:
            return max(1, (self.size.width - 1) // 2 - margin)
        return max(1, self.size.width - margin - self._digits - 1)

    def on_resize(self) -> None:
        """The width decides between one column and two."""
        self._lay_out()

    def watch_split(self) -> None:
        """Lay out anew."""
        self._lay_out()

    def watch_folded(self) -> None:
        """Lay out anew."""
        self._lay_out()

    def notify_style_update(self) -> None:
        """Colours changed."""
        self._styles = None
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Paint one visible row."""
        if self._styles is None:
            self._styles = _Styles(self)
        scroll_x, scroll_y = self.scroll_offset
        at, width = y + scroll_y, self.size.width
        if not 0 <= at < len(self._items):
            return Strip.blank(width, self._styles.base)
        key = (at, scroll_x, width, self.side_by_side)
        strip = self._strips.get(key)
        if strip is None:
            self._strips[key] = strip = self._paint(self._items[at], scroll_x, width, self._styles)
        return strip

    def _paint(self, item: Item, scroll_x: int, width: int, styles: _Styles) -> Strip:
        if isinstance(item, _Head):
            text = f"── {shown_line(item.title)} {item.counts} ".ljust(width, "─")
            return Strip([Segment(text, styles.get("head"))]).adjust_cell_length(width, styles.base)
        if isinstance(item, _Fold):
            text = f"{'':{self._digits}} ⋯ {item.hidden:,} lines are the same"
            return Strip([Segment(text, styles.get("fold"))]).adjust_cell_length(width, styles.base)
        room = self._room()
        if isinstance(item, UnifiedLine):
            numbers = f"{item.old_number or '':>{self._digits}} {item.new_number or '':>{self._digits}} "
            return self._side(numbers, item.sign, item.text, item.marks, (scroll_x, room), styles)
        changed = item.kind != "same"
        left = self._side(
            f"{item.old_number or '':>{self._digits}} ",
            "-" if changed and item.old is not None else " ", item.old, item.old_marks, (scroll_x, room), styles,
        )  # fmt: skip
        right = self._side(
            f"{item.new_number or '':>{self._digits}} ",
            "+" if changed and item.new is not None else " ", item.new, item.new_marks, (scroll_x, room), styles,
        )  # fmt: skip
        bar = Strip([Segment("│", styles.get("number"))], 1)
        return Strip.join([left, bar, right]).adjust_cell_length(width, styles.base)

    def _side(
        self, number: str, sign: str, text: str | None, marks: Marks, window: tuple[int, int], styles: _Styles
    ) -> Strip:
        name = {"-": "removed", "+": "added"}.get(sign)
        style = styles.get(name) if name else styles.base
        scroll_x, room = window
        cut = 2 * (scroll_x + room) + 64
        line = shown_line((text or "")[:cut])
        layers = [(start, end, f"{name}-word") for start, end in marks if start < cut]
        body = paint(line, (), layers, styles, line_style=style, fill=styles.base, width=0, tab_width=4)
        body = body.crop(scroll_x, scroll_x + room).adjust_cell_length(room, styles.base)
        margin = Strip([Segment(number, styles.get("number")), Segment(f"{sign} ", style)])
        return Strip.join([margin, body])

    def action_toggle_mode(self) -> None:
        """Change between two columns and one."""
        self.split = not self.side_by_side

    def action_toggle_fold(self) -> None:
        """Fold unchanged lines, or show them."""
        self.folded = not self.folded

    def action_next_change(self, step: int) -> None:
        """Go to the next change, or the previous one for a negative step."""
        at = self.scroll_offset.y + min(CONTEXT, self.scroll_offset.y)
        wanted = [row for row in self._changes[::step] if (row - at) * step > 0]
        if wanted:
            self._show_row(wanted[0])

    def action_scroll_sideways(self, cells: int) -> None:
        """Scroll long lines."""
        self.scroll_relative(x=cells, animate=False)

    def _show_row(self, row: int) -> None:
        if row < self.size.height - 1 and not self.scroll_offset.y:
            self.refresh(Region(0, 0, self.size.width, self.size.height))
        self.scroll_to(y=max(0, row - CONTEXT), animate=False)


def _longest(items: Iterable[Item]) -> int:
    """Cells of the longest line."""
    longest = 0
    for item in items:
        if isinstance(item, Row):
            longest = max(longest, _measure(item.old or ""), _measure(item.new or ""))
        elif isinstance(item, UnifiedLine):
            longest = max(longest, _measure(item.text))
    return longest


def _measure(text: str) -> int:
    return len(text) + 3 * text.count("\t") if text.isascii() else cell_len(text) + 3 * text.count("\t")


def _is_change(item: Item) -> bool:
    return (isinstance(item, Row) and item.kind != "same") or (isinstance(item, UnifiedLine) and item.sign != " ")


def _counts(section: Section) -> str:
    if section.kind == "same":
        return "same"
    if section.kind in ("added", "removed"):
        return section.kind
    return f"+{section.diff.added} -{section.diff.removed}"


def _folded(lines: Sequence[Row | UnifiedLine]) -> list[Item]:
    """The lines with long runs of unchanged ones replaced by a note."""
    out: list[Item] = []
    run: list[Row | UnifiedLine] = []
    for line in lines:
        if not _is_change(line):
            run.append(line)
            continue
        out.extend(_fold_run(run, head=CONTEXT if out else 0, tail=CONTEXT))
        run = []
        out.append(line)
    out.extend(_fold_run(run, head=CONTEXT if out else 0, tail=0))
    return out


def _fold_run(run: list[Row | UnifiedLine], head: int, tail: int) -> list[Item]:
    hidden = len(run) - head - tail
    if hidden <= 1 or len(run) <= 2:
        return list(run)
    return [*run[:head], _Fold(hidden), *run[len(run) - tail :]]
