"""Markdown laid out as styled rows, so that a model's answer reads well and still cannot do anything.

Links are shown with their full address and never opened, images and HTML stay text, and every character passes
``domain.text.printable`` after the entities were decoded. Meant to run in a thread: it knows no widget and no theme.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from ledger_tui.domain.text import printable
from ledger_tui.ui.widgets import lines
from ledger_tui.ui.widgets.lines import BLANK, Line, Run, line_text, line_width, plain_line, wrap
from ledger_tui.ui.widgets.markdown_table import Table

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_MARKDOWN = 200_000
"""Characters; a longer text is not laid out."""
_INLINE = {
    "strong_open": lines.STRONG,
    "em_open": lines.EMPHASIS,
    "s_open": lines.STRIKE,
    "link_open": lines.LINK,
}
_BULLETS = "•◦▪"


def rendered_lines(text: str, width: int) -> list[Line] | None:
    """Markdown ``text`` as rows of at most ``width`` cells, or None when it has more than MAX_MARKDOWN characters."""
    if len(text) > MAX_MARKDOWN:
        return None
    layout = _Layout(max(8, width))
    try:
        tokens = _parser().parse(text)
    except RecursionError:
        return None
    layout.run(tokens)
    return layout.rows


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "maxNesting": 50}).enable(["table", "strikethrough"])


@dataclass(slots=True)
class _Container:
    """A list item or a quote around blocks: what stands before its first row and before the others."""

    first: Line
    rest: Line
    used: bool = False


class _Layout:
    """One pass over the tokens; block tokens have a method of their name."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[Line] = []
        self.containers: list[_Container] = []
        self.lists: list[int | None] = []
        self.gap = False
        self.look = 0
        self.heading = 0
        self.table: Table | None = None
        self.cells: list[Line] = []

    def run(self, tokens: Sequence[Token]) -> None:
        """Lay out every token."""
        for token in tokens:
            method: Callable[[Any], None] | None = getattr(self, f"do_{token.type}", None)
            if method is not None:
                method(token)
        if not self.rows:
            self.rows.append(BLANK)

    def emit(self, line: Line) -> None:
        """Put one line of text below, wrapped, behind the marks of its containers."""
        if self.gap and self.rows:
            self.rows.append(tuple(run for item in self.containers if item.used for run in item.rest))
        self.gap = False
        first = tuple(run for item in self.containers for run in (item.rest if item.used else item.first))
        rest = tuple(run for item in self.containers for run in item.rest)
        self.rows.extend(wrap(line, self.width, first, rest))
        for item in self.containers:
            item.used = True

    @property
    def room(self) -> int:
        """Cells that are left beside the marks of the containers."""
        return max(8, self.width - sum(line_width(item.rest) for item in self.containers))

    def do_heading_open(self, token: Token) -> None:
        """The text comes as inline."""
        self.gap = True
        self.heading = int(token.tag[1:])

    def do_heading_close(self, token: Token) -> None:
        """The two highest ranks are underlined."""
        if self.heading <= 2 and self.rows:
            mark = "━" if self.heading == 1 else "─"
            size = min(self.room, max(3, line_width(self.rows[-1])))
            self.emit(plain_line(mark * size, lines.RULE))
        self.heading = 0
        self.gap = False

    def do_paragraph_close(self, token: Token) -> None:
        """A gap follows, but not in a tight list."""
        self.gap = not token.hidden

    def do_inline(self, token: Token) -> None:
        """The text of a paragraph, a heading or a cell."""
        parts = inline_lines(token.children or [], (lines.HEADING if self.heading else 0))
        if self.table is not None:
            self.cells.append(tuple(run for part in parts for run in (*part, Run(" ")))[:-1])
            return
        for part in parts:
            self.emit(part)

    def do_bullet_list_open(self, token: Token) -> None:
        """Bullets change with the depth."""
        self.gap = self.gap and not self.lists
        self.lists.append(None)

    def do_ordered_list_open(self, token: Token) -> None:
        """Numbers are kept as written."""
        self.gap = self.gap and not self.lists
        self.lists.append(1)

    def do_bullet_list_close(self, token: Token) -> None:
        """A gap follows the outermost list."""
        self.lists.pop()
        self.gap = self.gap or not self.lists

    do_ordered_list_close = do_bullet_list_close

    def do_list_item_open(self, token: Token) -> None:
        """The mark stands before the first row, blanks before the others."""
        if self.lists and self.lists[-1] is not None:
            mark = f"{token.info or self.lists[-1]}{token.markup} "
        else:
            mark = _BULLETS[(len(self.lists) - 1) % len(_BULLETS)] + " "
        self.containers.append(_Container(plain_line(mark, lines.KEY), plain_line(" " * cell_len(mark))))

    def do_list_item_close(self, token: Token) -> None:
        """An empty item still shows its mark."""
        if not self.containers[-1].used:
            self.emit(BLANK)
        self.containers.pop()

    def do_blockquote_open(self, token: Token) -> None:
        """A bar runs along the quote."""
        bar = plain_line("▎ ", lines.QUOTE)
        if self.gap and self.rows:
            self.rows.append(BLANK)
        self.gap = False
        self.containers.append(_Container(bar, bar))

    def do_blockquote_close(self, token: Token) -> None:
        """A gap follows."""
        self.containers.pop()
        self.gap = True

    def do_fence(self, token: Token) -> None:
        """Code stands behind a bar, under the name of its language."""
        self.emit(plain_line("┌ " + printable(token.info.strip(), keep="")[:40], lines.RULE))
        bar = plain_line("│ ", lines.RULE)
        self.containers.append(_Container(bar, bar))
        for text in printable(token.content).rstrip("\n").replace("\t", lines.TAB).split("\n"):
            self.emit(plain_line(text, lines.CODE))
        self.containers.pop()
        self.emit(plain_line("└", lines.RULE))
        self.gap = True

    do_code_block = do_fence

    def do_hr(self, token: Token) -> None:
        """A line across."""
        self.gap = True
        self.emit(plain_line("─" * self.room, lines.RULE))
        self.gap = True

    def do_table_open(self, token: Token) -> None:
        """Cells are collected until the table ends."""
        self.table = Table()

    def do_th_open(self, token: Token) -> None:
        """A heading cell says how its column is aligned."""
        if self.table is not None:
            self.table.aligns.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))

    def do_tr_close(self, token: Token) -> None:
        """One row of cells is complete."""
        if self.table is not None:
            self.table.rows.append(self.cells)
        self.cells = []

    def do_table_close(self, token: Token) -> None:
        """Now the widths are known."""
        table, self.table = self.table, None
        for row in table.layout(self.room) if table else []:
            self.emit(row)
        self.gap = True


def inline_lines(children: Sequence[Token], look: int = 0) -> list[Line]:
    """The inside of a paragraph as unwrapped lines; the author's line breaks are kept."""
    result: list[list[Run]] = [[]]
    links: list[tuple[str, int]] = []
    for child in children:
        kind = child.type
        if kind in ("softbreak", "hardbreak"):
            result.append([])
        elif kind == "text":
            result[-1].append(Run(_clean(child.content), look))
        elif kind == "code_inline":
            result[-1].append(Run(_clean(child.content), look | lines.CODE))
        elif kind == "image":
            result[-1].append(Run(_clean(f"[image: {child.content}] ({child.attrs.get('src', '')})"), look))
        elif kind in _INLINE:
            look |= _INLINE[kind]
            if kind == "link_open":
                links.append((str(child.attrs.get("href", "")), len(result[-1])))
        elif (opened := kind.replace("_close", "_open")) in _INLINE:
            look &= ~_INLINE[opened]
            if kind == "link_close" and links:
                _show_address(result[-1], *links.pop(), look)
    return [tuple(run for run in runs if run.text) for runs in result]


def _show_address(runs: list[Run], address: str, start: int, look: int) -> None:
    shown = _clean(address)
    if line_text(runs[start:]) not in (shown, shown.removeprefix("mailto:")):
        runs.append(Run(f" ({shown})", look | lines.MUTED))


def _clean(text: str) -> str:
    return printable(text.replace("\t", lines.TAB), keep="")
