"""The selected span: what it got, what it gave, what it cost, and the ways onward."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

from ledger_tui.domain import measure, money
from ledger_tui.domain.text import one_line
from ledger_tui.domain.trace_tree import Mark
from ledger_tui.ui.places.traces.reading import SpanFacts
from ledger_tui.ui.places.traces.span_texts import TABS, TabText, best_tab, link_words, tab_texts
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.span_bar import glyph
from ledger_tui.ui.widgets.tab_row import TabRow
from ledger_tui.ui.widgets.text_pane import TextPane

MAX_INCLUDED = 3


class SpanDetail(Vertical):
    """Shows ``SpanFacts``; posts ``PromptAsked`` and ``PlaygroundAsked`` for its buttons."""

    HELP = """
# A span

What it got and gave, the messages that were sent, its attributes, the receipt of its cost and its error. Tabs without
content are muted.

- **[** and **]** go from tab to tab
- **v** opens the prompt version it used, **p** takes it to the playground with its variables
- **y** copies the text that is shown
"""
    DEFAULT_CSS = """
    SpanDetail {
        #span-head { height: auto; max-height: 2; }
        #span-ways { height: 1; Button { margin: 0 1 0 0; } }
        TextPane { height: 1fr; }
        #span-included { height: 1; display: none; Static { width: auto; } Button { margin: 0 0 0 1; } }
        &.-empty #span-ways, &.-empty #span-included { display: none; }
    }
    """

    @dataclass
    class PromptAsked(Message):
        """The button of the prompt version was pressed, or that of a version that was included."""

        included: tuple[str, str] | None = None
        """Prompt name and version id of an included one."""

    @dataclass
    class PlaygroundAsked(Message):
        """The playground's button was pressed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.facts: SpanFacts | None = None
        """What is shown."""
        self._texts: dict[str, TabText] = {}
        self._wanted = ""
        self.border_title = "Span"

    def compose(self) -> ComposeResult:
        """Head, ways onward, tabs, text."""
        yield Static("", id="span-head", markup=False)
        with Horizontal(id="span-ways"):
            yield Button("Playground", id="to-playground", compact=True, tooltip="Run this again (p)")
            yield Button("Prompt", id="to-prompt", compact=True, tooltip="Open the prompt version (v)")
        with Horizontal(id="span-included"):
            yield Static("included", classes="muted")
            for number in range(MAX_INCLUDED):
                yield Button("", id=f"included-{number}", compact=True, tooltip="Open the prompt that was included")
        yield TabRow(*TABS, id="span-tabs")
        yield TextPane(id="span-text")

    def on_mount(self) -> None:
        """Nothing is selected yet."""
        self.clear()

    @property
    def tab(self) -> str:
        """The tab that is open."""
        return self.query_one(TabRow).chosen

    @property
    def shown_text(self) -> str | None:
        """The source of the text that is shown, None without one."""
        text = self._texts.get(self.tab)
        return text.text if text is not None and text.present else None

    def clear(self) -> None:
        """Show nothing."""
        self.facts, self._texts = None, {}
        self.add_class("-empty")
        self.border_title = "Span"
        self.query_one("#span-head", Static).update(Content.styled("No span is selected.", "$text-muted"))
        self.query_one(TabRow).empty = frozenset(TABS)
        self.query_one(TextPane).show("", "plain")

    def show(self, facts: SpanFacts, mark: Mark) -> None:
        """Show a span in the tab that was last chosen, or in the one that tells most."""
        self.facts = facts
        self.remove_class("-empty")
        self._texts = tab_texts(facts, mark)
        span = facts.span
        self.border_title = line(f"{span.kind} {span.name}", 60)
        self.query_one("#span-head", Static).update(self._head(facts, mark))
        prompt = self.query_one("#to-prompt", Button)
        prompt.display = facts.version is not None
        if facts.version is not None:
            prompt.label = line(f"{facts.version[0]} v{facts.version[1]}", 40)
            prompt.refresh(layout=True)
        self.query_one("#to-playground", Button).display = facts.execution is not None or facts.version is not None
        self.query_one("#span-ways").display = facts.version is not None or facts.execution is not None
        self._show_included(facts)
        tabs = self.query_one(TabRow)
        tabs.empty = frozenset(name for name, text in self._texts.items() if not text.present)
        tabs.chosen = best_tab(self._texts, self._wanted)
        self._show_tab()

    def _show_included(self, facts: SpanFacts) -> None:
        """One way to each prompt that the text was made from; where there are more, the facts name them all."""
        self.query_one("#span-included").display = bool(facts.included)
        for number in range(MAX_INCLUDED):
            button = self.query_one(f"#included-{number}", Button)
            button.display = number < len(facts.included)
            if button.display:
                _, name, version = facts.included[number]
                button.label = line(f"{name} v{version}", 40)

    def step_tab(self, step: int) -> None:
        """Open a neighbouring tab."""
        self.query_one(TabRow).action_step(step)

    @property
    def text_pane(self) -> TextPane:
        """Where the text is shown."""
        return self.query_one(TextPane)

    def _head(self, facts: SpanFacts, mark: Mark) -> Content:
        span = facts.span
        parts = [f"{glyph(span.status)} {span.status}"]
        since = measure.moment(span.started_us)
        parts.append(f"since {since}" if span.duration_us is None else measure.duration(span.duration_us))
        if mark & (Mark.EARLY | Mark.FUTURE):
            parts.append("⚠ clock skew")
        if span.model:
            parts.append(one_line(span.model, 40))
        if span.total_tokens:
            parts.append(f"{measure.count(span.input_tokens or 0)} → {measure.count(span.output_tokens or 0)} tokens")
        if span.cost_nusd is not None or span.unpriced:
            parts.append(money.show(span.cost_nusd) if span.cost_nusd is not None else "no known price")
        if span.error_type:
            parts.append(one_line(span.error_type, 40))
        if facts.version is not None and (words := link_words(facts)):
            parts.append(words)
        style = "$error" if span.status == "failed" else ""
        return Content.assemble((parts[0], style), Content.styled("  " + " · ".join(parts[1:]), "$text-muted"))

    def _show_tab(self) -> None:
        text = self._texts.get(self.tab)
        if text is not None:
            self.query_one(TextPane).show(text.text, text.kind)

    @on(TabRow.Chosen)
    def _tab_chosen(self, event: TabRow.Chosen) -> None:
        event.stop()
        self._wanted = event.name
        self._show_tab()

    @on(Button.Pressed, "#span-included Button")
    def _included_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if self.facts is not None:
            version_id, name, _ = self.facts.included[int(str(event.button.id).rpartition("-")[2])]
            self.post_message(self.PromptAsked((name, version_id)))

    @on(Button.Pressed, "#to-prompt")
    def _prompt_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.PromptAsked())

    @on(Button.Pressed, "#to-playground")
    def _playground_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.PlaygroundAsked())
