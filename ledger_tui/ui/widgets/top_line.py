"""The line above every place: where one is, on which workspace, and what today cost."""

from __future__ import annotations

from textual.widgets import Static


class TopLine(Static):
    """Workspace, environment, the five places, today's spend."""

    def __init__(self, place: str) -> None:
        super().__init__(place, markup=False)
