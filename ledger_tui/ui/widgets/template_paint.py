"""One row of the template editor as a Strip: text, colours and what lies over them, without Rich's Text in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.widget import Widget

KINDS = (
    "delimiter", "variable", "keyword", "filter", "string", "number", "comment",
    "problem", "unknown", "new", "stand-in", "placeholder",
)  # fmt: skip
PREFIX = "template--"

Stretch = tuple[int, int, str]
"""Columns start to end (excluded) have a look of this name."""


class Overlay(Protocol):
    """Something that knows named styles."""

    def over(self, below: Style, name: str) -> Style:
        """``below`` with the look ``name`` laid over it."""
        ...


class Looks:
    """The styles of one editor at one moment; made anew when theme or focus change."""

    def __init__(self, widget: Widget) -> None:
        base = widget.rich_style
        self.base: Style = base
        """Text without a meaning of its own."""
        self.cursor_line = widget.get_component_rich_style("text-area--cursor-line")
        self.gutter = widget.get_component_rich_style("text-area--gutter")
        self.cursor_gutter = widget.get_component_rich_style("text-area--cursor-gutter")
        self._over: dict[str, Style] = {
            name: widget.get_component_rich_style(f"text-area--{name}")
            for name in ("cursor", "selection", "matching-bracket")
        }
        for kind in KINDS:
            full = widget.get_component_rich_style(PREFIX + kind)
            self._over[kind] = Style(
                color=full.color, bold=full.bold, italic=full.italic, underline=full.underline, dim=full.dim,
                reverse=full.reverse,
            )  # fmt: skip

    def over(self, below: Style, name: str) -> Style:
        """``below`` with the look ``name`` laid over it."""
        return below + self._over[name]


def paint(
    text: str,
    colours: Sequence[Stretch],
    layers: Sequence[Stretch],
    looks: Overlay,
    *,
    line_style: Style,
    fill: Style,
    width: int,
    tab_width: int,
) -> Strip:
    """A row of ``text``: ``colours`` do not overlap and are sorted, ``layers`` lie over them in their order."""
    cuts = {0, len(text)}
    for start, end, _ in (*colours, *layers):
        cuts.add(min(max(start, 0), len(text)))
        cuts.add(min(max(end, 0), len(text)))
    edges = sorted(cuts)
    segments: list[Segment] = []
    cells, index = 0, 0
    for start, end in pairwise(edges):
        while index < len(colours) and colours[index][1] <= start:
            index += 1
        style = line_style
        if index < len(colours) and colours[index][0] <= start:
            style = looks.over(style, colours[index][2])
        for first, last, name in layers:
            if first <= start < last:
                style = looks.over(style, name)
        part = text[start:end]
        if "\t" in part:
            part = _expanded(part, cells, tab_width)
        cells += len(part) if part.isascii() else cell_len(part)
        segments.append(Segment(part, style))
    return Strip(segments, cells).extend_cell_length(width, fill).simplify()


def _expanded(part: str, cells: int, tab_width: int) -> str:
    out: list[str] = []
    for piece in part.split("\t"):
        if out:
            blanks = tab_width - cells % tab_width
            out.append(" " * blanks)
            cells += blanks
        out.append(piece)
        cells += cell_len(piece)
    return "".join(out)


def clipped(stretches: Iterable[Stretch], start: int, end: int) -> tuple[Stretch, ...]:
    """The stretches that touch columns ``start`` to ``end``, counted from ``start``."""
    return tuple((a - start, b - start, name) for a, b, name in stretches if a < end and b > start)


def stand_ins(line: str, shown: str) -> list[Stretch]:
    """Where a shown line differs from its original."""
    if line is shown or line == shown:
        return []
    return [(at, at + 1, "stand-in") for at, (a, b) in enumerate(zip(line, shown, strict=True)) if a != b]
