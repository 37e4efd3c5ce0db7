"""A pane for any text from outside: plain, Markdown or foldable JSON, drawn by lines, laid out off the event loop.

::

    pane = TextPane()
    pane.show(text, "auto")     # "auto" | "plain" | "markdown" | "json"; any size, any thread of characters
    pane.source                 # the text as it was given, for copying

The text is never markup and never reaches the terminal but through ``domain.text.printable``. A text that is no JSON
falls back to Markdown or plain and the first row says so. ``m`` shows the source; in JSON, enter and click fold a node.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

from textual import events
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from ledger_tui.domain.text import printable
from ledger_tui.ui.widgets import lines
from ledger_tui.ui.widgets.json_lines import JsonLine, json_lines, json_rows
from ledger_tui.ui.widgets.line_view import LineView
from ledger_tui.ui.widgets.lines import Line, plain_line, wrap_text
from ledger_tui.ui.widgets.markdown_lines import MAX_MARKDOWN, rendered_lines

Kind = Literal["auto", "plain", "markdown", "json"]
MAX_SHOWN = 4_000_000
"""Characters of a text that are laid out; the rest stays in ``source`` and the last row says so."""
_AT_ONCE = 8_000
_MARKDOWN = re.compile(r"^(#{1,6} |\s*[-*+] \S|\s*\d+[.)] \S|```|~~~|> |\|.*\|)|\*\*\S|`[^`\n]+`|\]\(https?://", re.M)


@dataclass(slots=True)
class Layout:
    """A text laid out for one width."""

    rows: list[Line]
    kind: Kind
    document: list[JsonLine] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)


def kind_of(text: str) -> Kind:
    """What a text looks like: json for an object or array, else markdown or plain."""
    head = text[:400].strip()
    if head[:1] in ("{", "["):
        return "json"
    return "markdown" if _MARKDOWN.search(text[:20_000]) else "plain"


def lay_out(text: str, kind: Kind, width: int, folded: set[int] | None = None) -> Layout:
    """Lay ``text`` out in ``width`` cells. Pure, for any thread; ``kind`` of the result says what became of it."""
    notes: list[Line] = []
    wanted = kind_of(text) if kind == "auto" else kind
    if wanted == "json":
        document = json_lines(text)
        if document is not None:
            rows, owners = json_rows(document, folded or set(), width)
            return Layout(rows, "json", document, owners)
        if kind == "json":
            notes = [plain_line("Not readable as JSON; the text as it is:", lines.MUTED)]
        wanted = "markdown" if kind == "auto" and _MARKDOWN.search(text[:20_000]) else "plain"
    if wanted == "markdown":
        laid = rendered_lines(text, width)
        if laid is not None:
            return Layout(laid, "markdown")
        notes = [plain_line(f"Larger than {MAX_MARKDOWN // 1000} kB or too deep to lay out; the source:", lines.MUTED)]
    return Layout(notes + plain_rows(text, width), "plain")


def plain_rows(text: str, width: int) -> list[Line]:
    """The text as it is, wrapped; at most MAX_SHOWN characters."""
    rows = wrap_text(printable(text[:MAX_SHOWN].replace("\r\n", "\n")), width)
    if len(text) > MAX_SHOWN:
        rows.append(plain_line(f"… {len(text) - MAX_SHOWN:,} more characters are not shown", lines.MUTED))
    return rows


class TextPane(LineView):
    """Shows one text.

    | Key | What it does |
    |---|---|
    | m | source or laid out |
    | enter, space | fold or unfold the node under the cursor (JSON) |
    | - + | fold all, unfold all (JSON) |
    """

    HELP = """
# A text

Laid out as Markdown or JSON where it is that, else as it came. Links show their address and are never opened.

- **m** switches between the source and the laid out text
- in JSON, **up** and **down** choose a line, **enter** or a click on it folds it, **-** folds all, **+** unfolds all
- drag with the mouse to select
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "toggle_source", "Source", id="text.source", tooltip="Switch between source and laid out text"),
        Binding("enter,space", "fold", "Fold", id="text.fold", show=False, tooltip="Fold or unfold this node"),
        Binding("minus", "fold_all", "Fold all", id="text.fold_all", show=False, tooltip="Fold every node"),
        Binding("plus,equals_sign", "unfold_all", "Unfold all", id="text.unfold_all", show=False, tooltip="Unfold all"),
        Binding("up", "line(-1)", "Line up", id="text.up", show=False, tooltip="One line up"),
        Binding("down", "line(1)", "Line down", id="text.down", show=False, tooltip="One line down"),
    ]

    def __init__(
        self,
        text: str = "",
        kind: Kind = "auto",
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.source = text
        """The text as it was given."""
        self.kind: Kind = kind
        """What was asked for."""
        self._layout_now = Layout([], "plain")
        self._folded: set[int] = set()
        self._as_source = False

    @property
    def shown_kind(self) -> Kind:
        """What the text is shown as now."""
        return self._layout_now.kind

    def show(self, text: str, kind: Kind = "auto") -> None:
        """Show ``text`` from its beginning."""
        if text == self.source and kind == self.kind:
            return
        self.source, self.kind = text, kind
        self._folded = set()
        self.cursor_row = None
        self.scroll_home(animate=False, immediate=True)
        self.room_changed()

    def room_changed(self) -> None:
        """Lay the text out for the width; a long one, or Markdown, in a thread."""
        width = self.room
        if width <= 0:
            return
        kind: Kind = "plain" if self._as_source else self.kind
        work = partial(lay_out, self.source, kind, width, set(self._folded))
        if len(self.source) <= _AT_ONCE and (kind == "plain" or not self.source.strip()):
            self.workers.cancel_group(self, "layout")
            self._laid_out(work())
        else:
            self.run_worker(partial(self._lay_out, work), group="layout", exclusive=True, thread=True)

    def _lay_out(self, work: Callable[[], Layout]) -> None:
        worker = get_current_worker()
        result = work()
        if not worker.is_cancelled and self.is_attached:
            self.app.call_from_thread(self._laid_out, result)

    def _laid_out(self, result: Layout) -> None:
        before = self._layout_now
        line = before.owners[self.cursor_row] if before.owners and self.cursor_row is not None else 0
        self._layout_now = result
        self.cursor_row = result.owners.index(line) if line in result.owners else (0 if result.owners else None)
        self.set_rows(result.rows)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Folding belongs to JSON; else the keys go to whoever wants them."""
        if action in ("fold", "fold_all", "unfold_all"):
            return self.shown_kind == "json"
        return True

    def action_toggle_source(self) -> None:
        """Switch between the source and the laid out text."""
        self._as_source = not self._as_source
        self.room_changed()

    def action_line(self, step: int) -> None:
        """Move the cursor of JSON, or scroll."""
        if self.cursor_row is None:
            (self.action_scroll_down if step > 0 else self.action_scroll_up)()
        elif 0 <= self.cursor_row + step < self.row_count:
            self.move_cursor_row(self.cursor_row + step)

    def action_fold(self) -> None:
        """Fold or unfold the node under the cursor."""
        if self.cursor_row is not None:
            self._toggle(self._layout_now.owners[self.cursor_row])

    def action_fold_all(self) -> None:
        """Fold every node but the outermost."""
        self._folded = {n for n, line in enumerate(self._layout_now.document) if line.summary and n}
        self._fold_changed()

    def action_unfold_all(self) -> None:
        """Unfold every node."""
        self._folded = set()
        self._fold_changed()

    def on_click(self, event: events.Click) -> None:
        """A click chooses a line of JSON, and folds it."""
        owners = self._layout_now.owners
        row = self.scroll_offset.y + event.y
        if self.shown_kind == "json" and row < len(owners) and self.text_selection is None:
            self.move_cursor_row(row)
            self._toggle(owners[row])

    def _toggle(self, line: int) -> None:
        if self._layout_now.document[line].summary:
            self._folded ^= {line}
            self._fold_changed()

    def _fold_changed(self) -> None:
        document = self._layout_now.document
        rows, owners = json_rows(document, self._folded, self.room)
        self._laid_out(Layout(rows, "json", document, owners))
