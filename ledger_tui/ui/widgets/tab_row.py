"""A row of named tabs, one line high, for panes that share a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class TabRow(Widget, can_focus=True):
    """Tabs by name; ``empty`` ones are shown muted and can still be opened.

    | Key(s) | Description |
    | :- | :- |
    | left, right | The tab before, the next tab. |
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Tab before", show=False, id="tabrow.left", tooltip="The tab before"),
        Binding("right", "step(1)", "Next tab", show=False, id="tabrow.right", tooltip="The next tab"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tab-row--tab", "tab-row--chosen", "tab-row--empty"}
    DEFAULT_CSS = """
    TabRow {
        height: 1;
        width: 1fr;
        .tab-row--tab { color: $foreground; }
        .tab-row--empty { color: $text-muted; }
        .tab-row--chosen { color: $primary; text-style: bold underline; }
        &:focus .tab-row--chosen { text-style: bold reverse; }
    }
    """

    names: reactive[tuple[str, ...]] = reactive(())
    """The tabs' names, our own words."""
    chosen: reactive[str] = reactive("")
    """The name of the chosen tab."""
    empty: reactive[frozenset[str]] = reactive(frozenset())
    """Names of tabs that have nothing to show."""

    @dataclass
    class Chosen(Message):
        """A person chose a tab."""

        row: TabRow
        name: str
        clicked: bool = False
        """Whether it was chosen with the mouse."""

        @property
        def control(self) -> TabRow:
            """The row of tabs."""
            return self.row

    def __init__(self, *names: str, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(TabRow.names, names)
        self.set_reactive(TabRow.chosen, names[0] if names else "")

    def render(self) -> Content:
        """The names with a space around each; the chosen one carries a dot, so that no colour is needed."""
        parts: list[Content] = []
        for label, name in self._labels():
            look = "chosen" if name == self.chosen else "empty" if name in self.empty else "tab"
            parts += [Content.styled(label, self.get_visual_style(f"tab-row--{look}")), Content(" ")]
        return Content.assemble(*parts)

    def _labels(self) -> list[tuple[str, str]]:
        length, width = sum(map(len, self.names)), self.size.width
        lead = " " if length + 2 * len(self.names) <= width else ""
        short = 4 if length + len(self.names) >= width else None
        return [(f"●{name}", name) if name == self.chosen else (lead + name[:short], name) for name in self.names]

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        right = 0
        for label, name in self._labels():
            right += len(label) + 1
            if event.x < right:
                self.choose(name, clicked=True)
                return

    def action_step(self, step: int) -> None:
        """Choose the neighbour, around the ends."""
        if self.names:
            place = self.names.index(self.chosen) if self.chosen in self.names else 0
            self.choose(self.names[(place + step) % len(self.names)])

    def choose(self, name: str, *, clicked: bool = False) -> None:
        """Open a tab and say so."""
        self.chosen = name
        self.post_message(self.Chosen(self, name, clicked))
