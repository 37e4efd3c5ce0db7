"""Panes that nobody sees yet are made after the first frame."""

from __future__ import annotations

from textual.lazy import Lazy
from textual.widget import Widget

DELAY_S = 0.02


class Later(Lazy):
    """Like Textual's Lazy, which often still comes before the first frame; this waits until that was painted."""

    async def mount_composed_widgets(self, widgets: list[Widget]) -> None:
        """Wait for a frame's time, then put the real widget in this one's place."""
        parent = self.parent
        if not isinstance(parent, Widget):
            return

        async def mount() -> None:
            if self.is_attached:
                await parent.mount(self._replace_widget, after=self)
                await self.remove()

        self.set_timer(DELAY_S, mount)
