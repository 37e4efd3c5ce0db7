"""The list half of the traces place: pages, filter, and what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from textual import events, on
from textual.getters import query_one
from textual.timer import Timer
from textual.widgets import Static

from ledger_tui.domain.filter_fields import quoted
from ledger_tui.domain.values import TracePage
from ledger_tui.errors import FilterError
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.cost_subject import CostSubject
from ledger_tui.ui.export_subject import ExportSubject
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.traces.code import list_code, trace_code
from ledger_tui.ui.places.traces.empty import no_match, no_traces
from ledger_tui.ui.places.traces.exporting import trace_subjects
from ledger_tui.ui.places.traces.filter_bar import FilterBar
from ledger_tui.ui.places.traces.reading import OpenTrace
from ledger_tui.ui.widgets.span_tree import SpanTree
from ledger_tui.ui.widgets.trace_list import TraceList

PAGE = 100
MOST_RENEWED = 1_000
_LIVE_S = 0.5


class TraceBrowser(Place):
    """Keeps the list filled. A subclass says what a new list means for what is open."""

    trace_list = query_one("#list", TraceList)
    filter_bar = query_one("#filter", FilterBar)

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        """The filter in use."""
        self.opened: OpenTrace | None = None
        """The trace whose tree is shown."""
        self._next: str | None = None
        self._stamp: object = None
        self._asking = False
        self._live: Timer | None = None

    def newest_shown(self, page: TracePage) -> None:
        """The first page of a list is there."""

    def renewed(self, page: TracePage) -> None:
        """Rows of the list have changed."""

    def filter_changed(self) -> None:
        """Another filter is in use; its first page is about to be shown."""

    def action_focus_list(self) -> None:
        """Go to the list."""
        self.trace_list.focus()

    def begin(self) -> None:
        """Read the newest traces and watch for new ones."""
        self._load_newest("")
        self._live = self.set_interval(_LIVE_S, self._ask_stamp)

    def ledger_changed(self) -> None:
        """Another moment: read the list as it stood; the past needs no watching."""
        self.opened = None
        self._load_newest(self.filter_text)
        if self._live is not None:
            (self._live.resume if self.app.moment is None else self._live.pause)()

    def filter_by(self, text: str) -> None:
        """Use a filter."""
        self.filter_bar.set_text(text)
        self.filter_bar.post_message(FilterBar.Applied(text))

    @on(events.ScreenSuspend)
    def _away(self) -> None:
        if self._live is not None:
            self._live.pause()

    @on(events.ScreenResume)
    def _here(self) -> None:
        if self._live is not None and self.app.moment is None:
            self._live.resume()

    def _load_newest(self, text: str) -> None:
        work = partial(self._stamped_page, text)
        self.load(work, partial(self._show_newest, text), group="page", failed=self._page_failed)

    def _page(self, text: str, cursor: str | None, limit: int) -> TracePage:
        return self.ledger.traces.page(text, cursor=cursor, limit=limit)

    def _stamped_page(self, text: str) -> tuple[object, TracePage]:
        """The stamp is read first: what is written in between shows as a change, never as a loss."""
        return self.ledger.traces.stamp(), self._page(text, None, PAGE)

    def _show_newest(self, text: str, found: tuple[object, TracePage]) -> None:
        other = text != self.filter_text
        if other:
            self.filter_text = text
            self.filter_changed()
        self._stamp, page = found
        self._next = page.next_cursor
        self.trace_list.show(page.rows)
        self._count()
        if other and page.rows:
            self.action_focus_list()
        elif not page.rows:
            self.set_focus(None)
        self.newest_shown(page)

    def _page_failed(self, error: Exception) -> None:
        if isinstance(error, FilterError):
            self.filter_bar.show_problem(error)
            self.set_focus(self.filter_bar.field)
        else:
            self.show_error(error)

    def _count(self) -> None:
        count = self.trace_list.row_count
        words = f"{count}{'+' if self._next else ''} trace{'s' if count != 1 else ''}"
        self.filter_bar.set_count(words)
        self.set_class(not count, "-empty")
        if not count:
            self.query_one("#nothing", Static).update(no_match(self.filter_text) if self.filter_text else no_traces())

    @on(TraceList.NearEnd)
    def _near_end(self) -> None:
        if self._next is not None:
            cursor, text = self._next, self.filter_text
            self.load(partial(self._page, text, cursor, PAGE), partial(self._add_older, text), group="more")

    def _add_older(self, text: str, page: TracePage) -> None:
        if text == self.filter_text:
            self._next = page.next_cursor
            self.trace_list.add(page.rows)
            self._count()

    @on(FilterBar.Applied)
    def _applied(self, event: FilterBar.Applied) -> None:
        self._load_newest(event.text.strip())

    def _ask_stamp(self) -> None:
        if not self._asking and self.app.opened.is_set() and self.app.moment is None:
            self._asking = True
            self.load(self.ledger.traces.stamp, self._stamped, group="live", failed=self._stamp_failed)

    def _stamped(self, stamp: object) -> None:
        self._asking = False
        before, self._stamp = self._stamp, stamp
        if before is not None and before != stamp:
            limit = max(PAGE, min(MOST_RENEWED, self.trace_list.row_count))
            text = self.filter_text
            self.load(partial(self._page, text, None, limit), partial(self._renew, text), group="renew")

    def _stamp_failed(self, error: Exception) -> None:
        self._asking = False
        if self._live is not None:
            self._live.pause()
        self.show_error(error)

    def _renew(self, text: str, page: TracePage) -> None:
        if text != self.filter_text:
            return
        if self.trace_list.row_count <= len(page.rows):
            self._next = page.next_cursor
        self.trace_list.renew(page.rows, page.next_cursor is None)
        self._count()
        self.renewed(page)

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Common filters."""
        for title, text in (("Failed traces", "status:failed"), ("Running traces", "status:running")):
            yield title, f"Filter the traces by {text}", partial(self.filter_by, text)
        yield "All traces", "Clear the filter", partial(self.filter_by, "")

    def cost_subject(self) -> CostSubject | None:
        """The call under the cursor of the tree, else the whole trace."""
        if self.opened is None:
            return None
        tree, trace = self.query_one("#tree", SpanTree), self.opened.row
        span = tree.span if tree.has_focus or self.query_one("#detail").has_focus_within else None
        if span is not None and span.model is not None and (span.cost_nusd is not None or span.unpriced):
            key = span.key
            return CostSubject(span.name, lambda ledger: ledger.traces.receipt(key))
        return CostSubject(
            trace.name, lambda ledger: ledger.traces.cost_lines(trace.trace_id), f"trace:{quoted(trace.trace_id)}"
        )

    def export_subjects(self) -> Sequence[ExportSubject]:
        """The list, its spans, and the open trace."""
        opened = self.opened.row if self.opened is not None else None
        return trace_subjects(self.filter_text, opened, self.trace_list.has_focus)

    def code_subject(self) -> CodeSubject | None:
        """The open trace, or the list as it is filtered."""
        if self.opened is not None and not self.filter_bar.has_focus_within:
            return trace_code(self.opened.row.trace_id)
        return list_code(self.filter_text)
