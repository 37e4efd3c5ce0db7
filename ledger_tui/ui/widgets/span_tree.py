"""The spans of a trace as a tree of lines: guides, status, kind, time bar, and what each subtree cost.

Nothing is made for a line that is not seen, so that a trace of a hundred thousand spans opens at once.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.timer import Timer

from ledger_tui.domain import clock
from ledger_tui.domain.trace_tree import SpanTree as Tree
from ledger_tui.domain.trace_tree import build_tree
from ledger_tui.domain.values import SpanRow
from ledger_tui.ui.widgets.row_view import RowView, Runs
from ledger_tui.ui.widgets.span_drawing import SpanDrawing
from ledger_tui.ui.widgets.span_lines import SpanLines

_LIVE_S = 0.5


class SpanTree(RowView):
    """Shows one trace's spans. ``show`` gives it a tree; it posts ``Moved`` and ``Chosen`` with the row.

    | Key(s) | Description |
    | :- | :- |
    | space | Fold or unfold. |
    | left, right | Fold, or go to the parent; unfold, or go to the first child. |
    | -, + | Fold all, unfold all. |
    | n, N | Next and previous of what was searched for. |
    """

    HELP = """
# The tree of a trace

Each line is a span: how it ended (✓ ✗ ⊘, ◌ while it runs), its kind and name, its bar on the time axis of the whole
trace, its own duration, and the tokens and cost of **everything below it too**.

- **space** folds and unfolds, **left** and **right** also walk to the parent and the first child
- **-** folds all, **+** unfolds all
- **/** finds spans by kind, name, model, status or id; **n** and **N** go from match to match, **escape** shows all again
- **enter** opens the span's texts

`✗3` after a name: three spans below it failed. `+?` after a cost: part of it has no known price. `⚠`: its place in
the tree is odd (a missing parent, a circle, a repeated id); its details say how. A bar ends in ✗ where the span
failed, in ⊘ where it was canceled, in ▸ while it runs.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Fold", show=False, id="spans.fold", tooltip="Fold or unfold the spans below"),
        Binding("left,h", "out", "Fold", show=False, id="spans.out", tooltip="Fold, or go to the parent"),
        Binding("right,l", "into", "Unfold", show=False, id="spans.into", tooltip="Unfold, or go to the first child"),
        Binding("minus", "fold_all", "Fold all", show=False, id="spans.fold_all", tooltip="Fold every span"),
        Binding("plus,equals_sign", "unfold_all", "Unfold", show=False, id="spans.unfold_all", tooltip="Unfold all"),
        Binding("n", "match(1)", "Next match", show=False, id="spans.next", tooltip="Next span that was searched for"),
        Binding("N", "match(-1)", "Last match", show=False, id="spans.previous", tooltip="Previous span searched for"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines = SpanLines(build_tree([]))
        """The tree and what of it is visible."""
        self._drawing = SpanDrawing(self.lines, clock.seen_from_us())
        self._timer: Timer | None = None

    def show(self, tree: Tree, *, keep: bool = False) -> None:
        """Show a tree from its top; ``keep`` holds cursor, folds and place by span key (the same trace, grown)."""
        key = self.span.key if keep and self.span is not None else None
        search = self.lines.sought if keep else ""
        top = self.scroll_offset.y if keep else 0
        self.lines = self.lines.regrown(tree) if keep else SpanLines(tree)
        if search:
            self.lines.search(search, tree.find(search))
        line = None if key is None else tree.line_of(key)
        self._drawing = SpanDrawing(self.lines, clock.seen_from_us())
        self.rows_changed(0 if line is None else self.lines.row_of(line))
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self._tick_while_open()

    @property
    def tree_shown(self) -> Tree:
        """The tree as it was given."""
        return self.lines.tree

    @property
    def row_count(self) -> int:
        """How many lines are visible."""
        return len(self.lines.visible)

    @property
    def line(self) -> int | None:
        """The tree's line under the cursor."""
        return self.lines.visible[self.cursor] if self.lines.visible else None

    @property
    def span(self) -> SpanRow | None:
        """The span under the cursor."""
        line = self.line
        return None if line is None else self.tree_shown.row(line)

    def go_to(self, span_key: int) -> bool:
        """Put the cursor on a span, unfolding what hides it; False when the tree does not have it."""
        line = self.tree_shown.line_of(span_key)
        if line is None:
            return False
        if not self.lines.shows(line):
            self.lines.reveal(line)
            self.rows_changed()
        self.move_cursor(self.lines.row_of(line))
        return True

    def search(self, sought: str, matches: list[int]) -> None:
        """Show only the lines ``matches`` and what they hang on; an empty ``sought`` shows all again."""
        line = self.line
        self.lines.search(sought, matches)
        if self.lines.matches and (line is None or not self.lines.matches_search(line)):
            line = self.lines.matches[0]
        self._lines_changed(line)

    def heading(self, width: int) -> str:
        """Names of the columns that there is room for."""
        return " " + self._drawing.heading(self._drawing.columns(width - 1))

    def draw(self, row: int, width: int) -> Runs:
        """One span."""
        return self._drawing.row(self.lines.visible[row], self._drawing.columns(width))

    def _tick_while_open(self) -> None:
        open_now = self.tree_shown.open_count > 0
        if open_now and self._timer is None:
            self._timer = self.set_interval(_LIVE_S, self._tick)
        elif not open_now and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _tick(self) -> None:
        self._drawing = SpanDrawing(self.lines, clock.seen_from_us())
        self.redraw()

    def _lines_changed(self, line: int | None) -> None:
        """Other lines are visible: stay on ``line`` or the nearest."""
        self.rows_changed(0 if line is None else self.lines.row_of(line))
        self.show_cursor()
        self.post_message(self.Moved(self, self.cursor))

    def action_match(self, step: int) -> None:
        """To the next or previous match, around the ends."""
        line = None if self.line is None else self.lines.next_match(self.line, step)
        if line is not None:
            self.move_cursor(self.lines.row_of(line))

    def action_fold(self) -> None:
        """Fold or unfold the line of the cursor."""
        line = self.line
        if line is not None and self.lines.toggle(line):
            self._lines_changed(line)

    def action_out(self) -> None:
        """Fold, or go to the parent when there is nothing to fold."""
        line = self.line
        if line is None:
            return
        if not self.lines.is_folded(line) and self.lines.toggle(line):
            self._lines_changed(line)
        elif self.tree_shown.parents[line] >= 0:
            self.move_cursor(self.lines.row_of(self.tree_shown.parents[line]))

    def action_into(self) -> None:
        """Unfold, or go to the first child."""
        line = self.line
        if line is None or not self.tree_shown.children(line):
            return
        if self.lines.is_folded(line):
            self.action_fold()
        else:
            self.move_cursor(self.cursor + 1)

    def action_fold_all(self) -> None:
        """Leave the roots and their children."""
        line = self.line
        while line is not None and self.tree_shown.depths[line] > 1:
            line = self.tree_shown.parents[line]
        self.lines.fold_all()
        self._lines_changed(line)

    def action_unfold_all(self) -> None:
        """Show every span."""
        line = self.line
        self.lines.unfold_all()
        self._lines_changed(line)

    def row_clicked(self, row: int, event: events.Click) -> None:
        """A click on the fold sign folds; a double click opens."""
        offset = event.get_content_offset(self)
        width = self.scrollable_content_region.width - 2
        sign = 1 + cell_len(self._drawing.guides(self.lines.visible[row], self._drawing.columns(width).name))
        if offset is not None and sign <= offset.x <= sign + 1:
            self.action_fold()
        elif event.chain == 2:
            self.action_choose()
