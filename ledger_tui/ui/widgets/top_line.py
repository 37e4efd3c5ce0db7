"""The line above every place: where one is, on which workspace, and what today cost."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ledger_tui.domain.text import one_line

PLACES = (
    ("prompts", "Prompts"),
    ("playground", "Playground"),
    ("traces", "Traces"),
    ("costs", "Costs"),
    ("settings", "Settings"),
)
"""The five places in order: mode and title."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What the right end of the line says; empty parts are left out."""

    workspace: str = ""
    environment: str = ""
    spend: str = ""
    sync: str = ""
    notable: bool = False
    """A workspace that is not the usual one (a demo, a server) is set off from the rest."""


class TopLine(Widget):
    """The five places, the workspace, its environment, today's spend and the sync state on one line."""

    COMPONENT_CLASSES = {"top-line--place", "top-line--active", "top-line--muted", "top-line--notable"}

    DEFAULT_CSS = """
    TopLine {
        dock: top;
        height: 1;
        background: $panel;
        color: $foreground;
        .top-line--place { color: $text-muted; }
        .top-line--active { color: $primary; text-style: bold underline; }
        .top-line--muted { color: $text-muted; }
        .top-line--notable { color: $warning; text-style: bold; }
    }
    """

    facts: reactive[LineFacts] = reactive(LineFacts())
    """What stands at the right end."""

    @dataclass
    class Chosen(Message):
        """A place was clicked."""

        place: str

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self._spans: list[tuple[int, int, str]] = []

    def render(self) -> Content:
        """Places at the left, facts at the right as far as the width allows."""
        parts: list[Content] = []
        self._spans = []
        narrow = self.size.width < 60
        column = 0
        for number, (mode, title) in enumerate(PLACES, 1):
            active = mode == self.place
            words = f"{'●' if active else number} {title}" if active or not narrow else f"{number}"
            style = self.get_visual_style("top-line--active" if active else "top-line--place")
            parts += [Content(" "), Content.styled(words, style), Content(" ")]
            self._spans.append((column, column + len(words) + 2, mode))
            column += len(words) + 2
        right = self._right(max(0, self.size.width - column - 1))
        gap = max(0, self.size.width - column - right.cell_length - 1)
        return Content.assemble(*parts, " " * gap, right)

    def _right(self, room: int) -> Content:
        facts = self.facts
        muted = self.get_visual_style("top-line--muted")
        name_style = self.get_visual_style("top-line--notable") if facts.notable else muted
        wanted = [
            (facts.workspace, name_style, 2 if facts.notable else 0),
            (facts.environment, muted, 1),
            (facts.spend, self.get_visual_style("top-line--place"), 3),
            (facts.sync, muted, 4),
        ]
        kept = [(Content.styled(one_line(text, 24), style), rank) for text, style, rank in wanted if text]
        while kept and sum(part.cell_length for part, _ in kept) + 3 * (len(kept) - 1) > room:
            kept.remove(min(kept, key=lambda item: item[1]))
        return Content.styled(" · ", muted).join([part for part, _ in kept])

    def on_click(self, event: events.Click) -> None:
        """A click on a place goes there."""
        for start, end, mode in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(mode))
