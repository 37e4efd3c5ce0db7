"""Traces: newest first and filtered, one as a tree, one span with everything that is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.getters import query_one
from textual.timer import Timer
from textual.widgets import Input, Static

from ledger_tui.domain.values import TracePage
from ledger_tui.ui.places.traces import layout
from ledger_tui.ui.places.traces.cost_panel import CostPanel
from ledger_tui.ui.places.traces.detail import SpanDetail
from ledger_tui.ui.places.traces.filter_bar import FilterBar, FilterField
from ledger_tui.ui.places.traces.folds import TraceFolds
from ledger_tui.ui.places.traces.reading import OpenTrace, SpanFacts, playground_subject, read_span, read_trace
from ledger_tui.ui.widgets.span_tree import SpanTree
from ledger_tui.ui.widgets.trace_list import TraceList

_REST_S = 0.06
"""How long the cursor rests before what it stands on is read."""


class TracesPlace(TraceFolds):
    """The list, the tree of one trace, the detail of one span.

    | Key(s) | Description |
    | :- | :- |
    | / | Filter, or find in the tree. |
    | escape | One step back. |
    | c, v, p | Costs; the prompt version; to the playground. |
    """

    PLACE = "traces"
    AUTO_FOCUS = "#list"
    HELP = layout.HELP
    CSS_PATH = "traces.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="traces.filter", tooltip="Filter the traces, or find in the tree"),
        Binding("c", "costs", "Cost", id="traces.costs", tooltip="Where the money of this trace went"),
        Binding("v", "prompt", "Prompt", id="traces.prompt", tooltip="Open the prompt version of this span"),
        Binding("p", "playground", "Playground", id="traces.playground", tooltip="Run this span again"),
        Binding("escape", "back", "Back", show=False, id="traces.back", tooltip="One step back"),
        Binding(
            "left_square_bracket", "tab(-1)", "Tab before", show=False, id="traces.tab_before", tooltip="Tab before"
        ),
        Binding("right_square_bracket", "tab(1)", "Next tab", show=False, id="traces.tab_next", tooltip="Next tab"),
    ]

    find_field = query_one("#find", Input)

    def __init__(self) -> None:
        super().__init__()
        self._rests: dict[str, Timer] = {}
        self._trace_wanted: str | None = None
        self._span_wanted: int | None = None

    def compose_place(self) -> ComposeResult:
        """Filter, folds, panes."""
        yield from layout.compose_traces()

    def on_mount(self) -> None:
        """Read the newest traces, then watch for new ones."""
        self._go(self.trace_list, "Traces")
        self.begin()

    # One trace.

    @on(TraceList.Moved, "#list")
    def _trace_moved(self) -> None:
        trace = self.trace_list.trace
        if trace is not None and (self.opened is None or self.opened.row.trace_id != trace.trace_id):
            self._rest("trace", partial(self._open, trace.trace_id))

    def newest_shown(self, page: TracePage) -> None:
        """Open the first trace, unless another one is open or on its way."""
        if self.opened is not None:
            self.trace_list.go_to(self.opened.row.trace_id)
        elif page.rows and self._trace_wanted is None:
            self._open(page.rows[0].trace_id)

    def renewed(self, page: TracePage) -> None:
        """The open trace has grown: show it anew, at the same span."""
        before = self.opened.row if self.opened is not None else None
        if before is None:
            self.newest_shown(page)
        elif any(row.key == before.key and row != before for row in page.rows):
            self._open(before.trace_id, keep=True)

    def filter_changed(self) -> None:
        """Another list: nothing of the old one is open."""
        self.opened = self._trace_wanted = None

    @on(TraceList.Chosen, "#list")
    def _trace_chosen(self) -> None:
        self._go(self.span_tree, "Spans")

    def _open(self, trace_id: str, *, keep: bool = False) -> None:
        work = partial(read_trace, self.ledger, trace_id)
        self.load(work, partial(self._show_trace, keep), group="trace", failed=self._open_failed)

    def _open_failed(self, error: Exception) -> None:
        self._trace_wanted = self._span_wanted = None
        self.show_error(error)

    def _show_trace(self, keep: bool, opened: OpenTrace) -> None:
        self.opened = opened
        self._trace_wanted = None
        self.span_tree.show(opened.tree, keep=keep)
        pane = self.query_one("#tree-pane")
        pane.border_title = layout.tree_title(opened)
        pane.border_subtitle = layout.tree_subtitle(opened.row)
        notes = layout.notes_text(opened)
        self.query_one("#notes", Static).update(notes)
        self.set_class(bool(notes), "-notes")
        self.query_one(CostPanel).show(opened.tree, opened.prompts)
        wanted, self._span_wanted = self._span_wanted, None
        if wanted is not None:
            self.span_tree.go_to(wanted)
        self._read_span()

    @property
    def resting(self) -> list[str]:
        """What waits for the cursor to come to rest: trace, span."""
        return list(self._rests)

    def _rest(self, what: str, then: Callable[[], Any]) -> None:
        """Do something once the cursor has come to rest."""
        if what in self._rests:
            self._rests[what].stop()

        def rested() -> None:
            del self._rests[what]
            then()

        self._rests[what] = self.set_timer(_REST_S, rested)

    # One span.

    @on(SpanTree.Moved, "#tree")
    def _span_moved(self) -> None:
        self._rest("span", self._read_span)

    @on(SpanTree.Chosen, "#tree")
    def _span_chosen(self) -> None:
        self._go(self.detail.text_pane, "Detail")

    def _read_span(self) -> None:
        span = self.span_tree.span
        if span is None:
            self.detail.clear()
        else:
            self.load(partial(read_span, self.ledger, span), self._show_span, group="span")

    def _show_span(self, facts: SpanFacts) -> None:
        line = self.span_tree.tree_shown.line_of(facts.span.key)
        if line is not None:
            self.detail.show(facts, self.span_tree.tree_shown.mark(line))

    @on(FilterField.Left)
    def action_focus_list(self) -> None:
        """From the filter to the list."""
        self._go(self.trace_list, "Traces")

    # Actions.

    def action_filter(self) -> None:
        """The filter; in the tree its search."""
        if self.span_tree.has_focus:
            self.find_field.display = True
            self.set_focus(self.find_field)
        else:
            self.set_focus(self.filter_bar.field)

    @on(Input.Changed, "#find")
    def _find_changed(self, event: Input.Changed) -> None:
        tree, text = self.span_tree.tree_shown, event.value
        self.load(partial(tree.find, text), partial(self.span_tree.search, text.strip().lower()), group="find")

    @on(Input.Submitted, "#find")
    def _find_done(self) -> None:
        self._go(self.span_tree)

    def action_back(self) -> None:
        """End the search, or go from the detail to the tree, to the list, clear the filter, or leave the moment."""
        if self.find_field.display:
            self.find_field.value = ""
            self.find_field.display = False
            self._go(self.span_tree)
        elif self.detail.has_focus_within:
            self._go(self.span_tree, "Spans")
        elif self.span_tree.has_focus:
            self.action_focus_list()
        elif self.filter_text:
            self.filter_bar.set_text("")
            self.filter_bar.post_message(FilterBar.Applied(""))
        elif self.app.moment is not None:
            self.app.action_present()

    def action_costs(self) -> None:
        """Show or hide where the money went."""
        shown = self.has_class("-at-cost") if self.has_class("-narrow") else self.has_class("-costs")
        self.set_class(not shown, "-costs")
        if self.has_class("-narrow"):
            self._go_fold("Traces" if shown else "Cost")

    def action_tab(self, step: int) -> None:
        """A neighbouring tab of the detail."""
        if self.has_class("-narrow") and not self.detail.has_focus_within:
            self._go_fold("Detail")
        self.detail.step_tab(step)

    @on(SpanDetail.PromptAsked)
    def _prompt_asked(self, event: SpanDetail.PromptAsked) -> None:
        if event.included is None:
            self.action_prompt()
        else:
            self.app.open_prompt(*event.included)

    def action_prompt(self) -> None:
        """Open the prompt version of the span."""
        facts = self.detail.facts
        if facts is None or facts.version is None:
            self.app.notify("This span used no prompt version of the ledger.", markup=False)
        else:
            self.app.open_prompt(facts.version[0], facts.span.version_id)

    @on(SpanDetail.PlaygroundAsked)
    def action_playground(self) -> None:
        """Take the span to the playground with its variables."""
        span = self.span_tree.span
        if span is not None:
            self.load(partial(playground_subject, self.ledger, span), self.app.open_playground, group="playground")

    # What the shell asks.

    def open_trace(self, trace_id: str, span_key: int | None = None) -> None:
        """Show a trace, at a span when given."""
        self._trace_wanted, self._span_wanted = trace_id, span_key
        self.trace_list.go_to(trace_id)
        self._open(trace_id)
        self._go(self.span_tree, "Spans")

    def copy_source(self) -> str | None:
        """The text of the detail; in the list the id of the trace."""
        if self.trace_list.has_focus and self.trace_list.trace is not None:
            return self.trace_list.trace.trace_id
        return self.detail.shown_text
