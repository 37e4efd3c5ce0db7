"""Which columns of the span tree there is room for."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ledger_tui.ui.widgets.row_view import fit


class Columns(NamedTuple):
    """Widths in cells, 0 for a column that is left out; one cell stands before each but the name."""

    name: int
    bar: int
    time: int
    tokens: int
    cost: int

    def join(self, name: str, bar: str, time: str, tokens: str, cost: str) -> str:
        """A line of texts in these columns."""
        parts = [fit(name, self.name)]
        if self.bar:
            parts.append(fit(bar, self.bar))
        numbers = zip((time, tokens, cost), self[2:], strict=True)
        parts += [fit(text, width, right=True) for text, width in numbers if width]
        return " ".join(parts)


@lru_cache(maxsize=64)
def columns_for(width: int, cost: int = 11) -> Columns:
    """Columns of a tree ``width`` cells wide whose costs take ``cost``: the name always stays, the bar goes first."""
    time, tokens, cost = 7, 6 if width >= 52 else 0, cost if width >= 40 else 0
    rest = width - sum(part + 1 for part in (time, tokens, cost) if part)
    bar = min(60, (rest - 1) * 35 // 100) if width >= 60 else 0
    name = rest - (bar + 1 if bar else 0)
    if name < 8:
        return Columns(max(0, width), 0, 0, 0, 0) if width < 18 else Columns(width - time - 1, 0, time, 0, 0)
    return Columns(name, bar, time, tokens, cost)
