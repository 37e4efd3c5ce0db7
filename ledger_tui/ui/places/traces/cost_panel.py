"""Where a trace's money went: by model, by kind of step, by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ledger_tui.domain import measure, money
from ledger_tui.domain.text import one_line
from ledger_tui.domain.trace_tree import Breakdown, SpanTree
from ledger_tui.ui.widgets.row_view import fit
from ledger_tui.ui.widgets.span_bar import bar

_BAR = 8
_WITH_BAR = 52
_SHOWN = 50


class CostPanel(VerticalScroll, can_focus=True):
    """Shows the breakdowns of one trace."""

    HELP = """
# What the trace cost

Calls, tokens, cost and share by model, by kind of step and by prompt. The share is of the cost, or of the tokens where
nothing has a price. `+?`: part of it has no known price and is not in the sum. `✗2`: two of the calls failed.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.border_title = "Cost"
        self._tables: list[tuple[str, Sequence[Breakdown]]] = []
        self._names: Mapping[str, str] = {}

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static("", id="cost-text", markup=False)

    def show(self, tree: SpanTree, prompts: Mapping[str, str]) -> None:
        """Show a trace; ``prompts`` gives names by prompt id."""
        self._names = prompts
        self._tables = [("Model", tree.by_model()), ("Kind", tree.by_kind()), ("Prompt", tree.by_prompt())]
        self.border_subtitle = money.show(tree.total_cost, tree.total_unpriced) if len(tree) else ""
        self._draw()

    def on_resize(self) -> None:
        """The columns follow the width."""
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        lines: list[Content] = []
        for title, rows in self._tables:
            if not rows:
                continue
            lines += [Content("")] if lines else []
            lines.append(
                Content.styled(_line(title, "calls", "tokens", "cost", "share", width), "$text-muted underline")
            )
            lines += [self._row(row, width) for row in rows[:_SHOWN]]
            if len(rows) > _SHOWN:
                lines.append(Content.styled(f"… and {len(rows) - _SHOWN} more", "$text-muted"))
        text = Content("\n").join(lines) if lines else Content.styled("Nothing to add up.", "$text-muted")
        self.query_one("#cost-text", Static).update(text)

    def _row(self, row: Breakdown, width: int) -> Content:
        name = one_line(self._names.get(row.key, row.key) or "—", 80)
        if row.errors:
            name += f" ✗{row.errors}"
        cost = money.show(row.cost_nusd, row.unpriced) if row.cost_nusd is not None or row.unpriced else ""
        tokens = measure.count(row.tokens) if row.tokens else ""
        text = _line(name, measure.count(row.calls), tokens, cost, f"{row.share:.0%}" if row.share else "", width)
        drawn = bar("succeeded", 0, row.share, _BAR)[1] if row.share and width >= _WITH_BAR else ""
        return Content.assemble(text, " ", (drawn, "$primary"))


def _line(name: str, calls: str, tokens: str, cost: str, share: str, width: int) -> str:
    right = f" {fit(calls, 5, right=True)} {fit(tokens, 6, right=True)} {fit(cost, 11, right=True)} {fit(share, 5, right=True)}"
    room = width - len(right) - (_BAR + 1 if width >= _WITH_BAR else 0)
    return fit(name, max(4, room)) + right
