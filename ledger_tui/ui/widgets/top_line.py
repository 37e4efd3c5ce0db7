"""The line above every place: where one is, on which workspace, and what today cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
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
    budget: tuple[str, ...] = ()
    """Where the fullest budget stands, in words and, where there is less room, in fewer."""
    budget_state: str = "ok"
    """ok, warn or over."""
    alerts: int = 0
    """How many alerts nobody has looked at."""
    sync: tuple[str, ...] = ()
    """How sync stands, in words and, where there is less room, in fewer; empty for a ledger that is shared with nobody."""
    sync_state: str = "ok"
    """ok, waits (it goes before words about money) or bad (somebody has to do something)."""
    notable: bool = False
    """A workspace that is not the usual one (a demo, a server) is set off from the rest."""


class TopLine(Widget):
    """The five places, the workspace, its environment, today's spend and the sync state on one line."""

    COMPONENT_CLASSES = {
        "top-line--place",
        "top-line--active",
        "top-line--muted",
        "top-line--notable",
        "top-line--over",
    }

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
        .top-line--over { color: $error; text-style: bold; }
    }
    """

    facts: reactive[LineFacts] = reactive(LineFacts())
    """What stands at the right end."""

    @dataclass
    class Chosen(Message):
        """A place was clicked."""

        place: str

    @dataclass
    class MomentWanted(Message):
        """The line was clicked beside the places and the money: another moment of the workspace is wanted."""

    @dataclass
    class MoneyChosen(Message):
        """The spend, a budget or the count of alerts was clicked."""

    @dataclass
    class SyncChosen(Message):
        """What is said of sync was clicked."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self._spans: list[tuple[int, int, str]] = []
        self._money = (0, 0)
        """The column where the words about money begin, and the one after them."""
        self._sync = (0, 0)
        """The same for sync."""

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
        right, spans = self._right(max(0, self.size.width - column - 1))
        gap = max(0, self.size.width - column - right.cell_length - 1)
        self._money, self._sync = (_around(spans, topic, column + gap) for topic in ("money", "sync"))
        return Content.assemble(*parts, " " * gap, right)

    def _right(self, room: int) -> tuple[Content, list[tuple[str, int, int]]]:
        """The facts that have room, and of what which columns of them speak."""
        kept = self._facts()
        while kept and sum(cell_len(one.forms[0]) for one in kept) + 3 * (len(kept) - 1) > room:
            least = _least(kept)
            if len(least.forms) > 1:
                del least.forms[0]
            else:
                kept.remove(least)
        muted = self.get_visual_style("top-line--muted")
        column, spans = 0, []
        for one in kept:
            width = cell_len(one.forms[0])
            spans.append((one.topic, column, column + width))
            column += width + 3
        words = Content.styled(" · ", muted).join([Content.styled(one.forms[0], one.style) for one in kept])
        return words, spans

    def _facts(self) -> list[_Fact]:
        facts = self.facts
        muted, plain = self.get_visual_style("top-line--muted"), self.get_visual_style("top-line--place")
        notable = self.get_visual_style("top-line--notable")
        by_state = {"warn": notable, "over": self.get_visual_style("top-line--over")}
        alerts = f"{facts.alerts} alert{'' if facts.alerts == 1 else 's'}" if facts.alerts else ""
        sync_rank = 4 if facts.sync_state == "ok" else 7
        wanted = [
            _Fact([facts.workspace], notable if facts.notable else muted, 2 if facts.notable else 0),
            _Fact([facts.environment], muted, 1),
            _Fact([alerts, f"!{facts.alerts}" if alerts else ""], notable, 5, "money"),
            _Fact([facts.spend], plain, 3, "money"),
            _Fact([*facts.budget], by_state.get(facts.budget_state, plain), 6, "money"),
            _Fact([*facts.sync], notable if facts.sync_state == "bad" else muted, sync_rank, "sync"),
        ]
        for one in wanted:
            one.forms = [one_line(form, 60 if one.topic else 24) for form in one.forms if form]
        return [one for one in wanted if one.forms]

    def on_click(self, event: events.Click) -> None:
        """A click on a place goes there, one on what was spent shows the budgets, one on sync shows that, one beside
        them asks for a moment."""
        for (start, end), chosen in ((self._money, self.MoneyChosen), (self._sync, self.SyncChosen)):
            if start <= event.x < end:
                self.post_message(chosen())
                return
        for start, end, mode in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(mode))
                return
        self.post_message(self.MomentWanted())


_KEPT_FORMS = {"money": 3}
"""How many of its shorter forms a topic keeps until something has to go."""


@dataclass
class _Fact:
    """A part of the right end: its words, the longest first, and how long it stays when room is scarce."""

    forms: list[str]
    style: Any
    rank: int
    topic: str = ""
    """``money`` and ``sync`` can be clicked."""


def _least(kept: list[_Fact]) -> _Fact:
    """The fact that gets shorter next, or goes: the words about money are shortened before those about sync go."""
    least = min(kept, key=lambda one: -1 if len(one.forms) > _KEPT_FORMS.get(one.topic, 1) else one.rank)
    if least.topic != "sync" or len(least.forms) > 1:
        return least
    return min((one for one in kept if len(one.forms) > 1), key=lambda one: one.rank, default=least)


def _around(spans: list[tuple[str, int, int]], topic: str, shift: int) -> tuple[int, int]:
    """From where to where a topic is spoken of."""
    found = [(start, end) for one, start, end in spans if one == topic]
    return (shift + found[0][0], shift + found[-1][1]) if found else (0, 0)
