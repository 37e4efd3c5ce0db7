"""A span's place on its trace's time axis, drawn so that its shape alone tells how it ended."""

from __future__ import annotations

_ENDS = {"failed": "✗", "canceled": "⊘", "running": "▸", "queued": "▸"}
STATUS_GLYPHS = {"succeeded": "✓", "failed": "✗", "running": "◌", "queued": "◌", "canceled": "⊘"}
STATUS_LOOKS = {"succeeded": "good", "failed": "bad", "running": "warn", "queued": "warn", "canceled": "muted"}
KIND_LOOKS = frozenset({"llm", "tool", "retrieval", "agent", "guardrail"})


def glyph(status: str) -> str:
    """The sign of a status; ``?`` for one that is unknown here."""
    return STATUS_GLYPHS.get(status, "?")


def kind_look(kind: str) -> str:
    """The look of a kind of span."""
    return kind if kind in KIND_LOOKS else "other"


def bar(status: str, start: float, end: float, width: int) -> tuple[int, str]:
    """How many empty cells come first, and the bar. ``start`` and ``end`` are parts of the axis, 0 to 1.

    A bar is at least one cell; half cells are drawn. One that failed, was canceled or still runs ends in a sign.
    """
    if width <= 0:
        return 0, ""
    halves = 2 * width
    first = min(halves - 1, max(0, int(start * halves)))
    last = min(halves, max(first + 1, round(end * halves)))
    left, right = first // 2, (last + 1) // 2
    cells = ["━"] * (right - left)
    if len(cells) > 1 or last - first > 1:
        if first % 2:
            cells[0] = "╺"
        if last % 2:
            cells[-1] = "╸"
    else:
        cells[0] = "╺" if first % 2 else "╸"
    sign = _ENDS.get(status)
    if sign:
        cells[-1] = sign
    return left, "".join(cells)
