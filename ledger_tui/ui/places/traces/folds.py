"""Where the focus goes in the traces place: in a narrow terminal one pane at a time stands behind a tab."""

from __future__ import annotations

from textual import on
from textual.getters import query_one
from textual.widget import Widget

from ledger_tui.ui.places.traces import layout
from ledger_tui.ui.places.traces.browser import TraceBrowser
from ledger_tui.ui.places.traces.cost_panel import CostPanel
from ledger_tui.ui.places.traces.detail import SpanDetail
from ledger_tui.ui.widgets.span_tree import SpanTree
from ledger_tui.ui.widgets.tab_row import TabRow


class TraceFolds(TraceBrowser):
    """The panes of the place, and moving between them."""

    span_tree = query_one("#tree", SpanTree)
    detail = query_one("#detail", SpanDetail)

    @on(TabRow.Chosen, "#folds")
    def _fold_chosen(self, event: TabRow.Chosen) -> None:
        if event.clicked:
            self._go_fold(event.name)
        else:
            self._fold(event.name)

    def _go_fold(self, name: str) -> None:
        """Show a pane in a narrow terminal and give it the focus."""
        panes = (self.trace_list, self.span_tree, self.detail.text_pane, self.query_one(CostPanel))
        self._go(dict(zip(layout.TABS, panes, strict=True))[name], name)

    def _fold(self, name: str) -> None:
        """In a narrow terminal: show the pane of a tab."""
        self.query_one("#folds", TabRow).chosen = name
        for tab in layout.TABS:
            self.set_class(tab == name, f"-at-{tab.lower()}")

    def _go(self, widget: Widget, fold: str | None = None) -> None:
        """Give a widget the focus at once, so that keys typed ahead reach it; ``fold`` is its tab."""
        if fold is not None:
            self._fold(fold)
            if self.has_class("-narrow"):
                self.app.stylesheet.update(self.query_one("#panes"))
        self.set_focus(widget)
