"""One row of names to choose from: the tabs of a narrow terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ledger_tui.domain.text import one_line


class TabLine(Widget, can_focus=True):
    """Names on one row; the chosen one is marked. A click, or left and right, choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Before", id="tabs.left", show=False, tooltip="The tab before"),
        Binding("right", "step(1)", "Next", id="tabs.right", show=False, tooltip="The next tab"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tab-line--tab", "tab-line--chosen"}
    DEFAULT_CSS = """
    TabLine {
        height: 1;
        width: 1fr;
        background: $panel;
        .tab-line--tab { color: $text-muted; }
        .tab-line--chosen { color: $primary; text-style: bold; }
        &:focus .tab-line--chosen { text-style: bold reverse; }
    }
    """

    tabs: reactive[tuple[str, ...]] = reactive((), always_update=True)
    """The names; they may hold foreign text."""
    chosen: reactive[int] = reactive(0)
    """The index of the chosen one."""

    @dataclass
    class Chosen(Message):
        """A person chose a tab."""

        line: TabLine
        index: int

        @property
        def control(self) -> TabLine:
            """The row of tabs."""
            return self.line

    def __init__(self, *tabs: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(TabLine.tabs, tabs)

    def render(self) -> Content:
        """The names, shortened alike when they do not fit."""
        room = max(3, self.size.width // max(1, len(self.tabs)) - 5)
        parts: list[Content] = []
        for number, name in enumerate(self.tabs):
            chosen = number == self.chosen
            words = f" {'●' if chosen else '○'} {one_line(name, room)} "
            parts.append(Content.styled(words, self.get_visual_style(f"tab-line--{'chosen' if chosen else 'tab'}")))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        room = max(3, self.size.width // max(1, len(self.tabs)) - 5)
        right = 0
        for number, name in enumerate(self.tabs):
            right += Content(one_line(name, room)).cell_length + 4
            if event.x < right:
                self._choose(number)
                return

    def action_step(self, step: int) -> None:
        """Choose the neighbour."""
        self._choose((self.chosen + step) % max(1, len(self.tabs)))

    def _choose(self, index: int) -> None:
        self.chosen = index
        self.post_message(self.Chosen(self, index))
