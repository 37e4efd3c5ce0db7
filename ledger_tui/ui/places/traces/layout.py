"""How the traces place is put together, its help, and the words in the borders of its panes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from ledger_tui.domain import measure, money
from ledger_tui.domain.filter import FIELDS
from ledger_tui.domain.retention import removed_words
from ledger_tui.domain.values import TraceRow
from ledger_tui.ui.places.traces.cost_panel import CostPanel
from ledger_tui.ui.places.traces.detail import SpanDetail
from ledger_tui.ui.places.traces.filter_bar import FilterBar
from ledger_tui.ui.places.traces.reading import OpenTrace
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.span_bar import glyph
from ledger_tui.ui.widgets.span_tree import SpanTree
from ledger_tui.ui.widgets.tab_row import TabRow
from ledger_tui.ui.widgets.trace_list import TraceList

TABS = ("Traces", "Spans", "Detail", "Cost")
"""The panes that share a narrow terminal."""

HELP = "\n".join(
    (
        "# Traces",
        "",
        "What happened, newest first. The list shows the traces, the tree the steps of one of them, the detail everything",
        "that is kept of one step.",
        "",
        "- **/** the filter; in the tree: find steps",
        "- **enter** goes on: from the list to the tree, from the tree to the detail; **escape** goes back",
        "- **c** where the money went, **v** the prompt version of a step, **p** the step in the playground",
        "- **[** **]** the tabs of the detail",
        "",
        "## The filter",
        "",
        *(f"- `{field.example}` {field.help}" for field in FIELDS),
    )
)


def compose_traces() -> ComposeResult:
    """Filter, tabs for a narrow terminal, what to say when there is nothing, and the panes."""
    yield FilterBar(id="filter")
    yield TabRow(*TABS, id="folds")
    yield Static("", id="nothing", classes="empty", markup=False)
    with Container(id="panes"):
        with Vertical(id="left"):
            traces = TraceList(id="list", classes="pane")
            traces.border_title = "Traces"
            yield traces
            yield CostPanel(id="cost", classes="pane")
        with Container(id="right"):
            with Vertical(id="tree-pane", classes="pane") as pane:
                pane.border_title = "Spans"
                yield Static("", id="notes", markup=False)
                yield SpanTree(id="tree")
                find = Input(placeholder="find spans", compact=True, classes="bar", id="find")
                find.display = False
                yield find
            yield SpanDetail(id="detail", classes="pane")


def tree_title(opened: OpenTrace) -> Content:
    """The title over the tree of a trace."""
    return line(f"{glyph(opened.row.status)} {opened.row.name or opened.row.trace_id}", 80)


def tree_subtitle(row: TraceRow) -> str:
    """The sums of a trace in one line, our own words."""
    parts = [f"{row.span_count} span{'s' if row.span_count != 1 else ''}"]
    if row.error_count:
        parts.append(f"{row.error_count} failed")
    parts.append("running" if row.open_count else measure.duration(row.duration_us))
    if row.total_tokens:
        parts.append(f"{measure.count(row.total_tokens)} tokens")
    if row.priced_count or row.unpriced_count:
        parts.append(money.show(row.known_cost_nusd, row.unpriced_count))
    return " · ".join(parts)


def notes_text(opened: OpenTrace) -> Content:
    """What is odd about the parents in a trace, and when retention took its steps; empty when there is nothing to say."""
    if gone := removed_words(opened.row.pruned_us, "its steps were"):
        return Content.styled(f"⊘ {gone}; the sums stay", "$text-muted")
    notes = opened.tree.notes()
    return Content.styled("⚠ spans: " + ", ".join(notes), "$warning") if notes else Content("")
