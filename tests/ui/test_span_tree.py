"""Promises of the span tree as a widget: what a line says, where the cursor goes, what folding and searching hide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_tui.domain import clock
from ledger_tui.domain.trace_tree import build_tree
from ledger_tui.domain.values import SpanRow
from ledger_tui.ui.themes import fallback_theme
from ledger_tui.ui.widgets.row_view import RowView
from ledger_tui.ui.widgets.span_bar import bar
from ledger_tui.ui.widgets.span_columns import columns_for
from ledger_tui.ui.widgets.span_tree import SpanTree
from textual.app import App, ComposeResult
from textual.pilot import Pilot


def span(key: int, span_id: str, parent: str | None = None, **fields: Any) -> SpanRow:
    """A span of one second that starts ``key`` seconds in."""
    values: dict[str, Any] = dict.fromkeys(SpanRow._fields)
    values |= {"key": key, "span_id": span_id, "parent_span_id": parent, "name": span_id, "kind": "tool"}
    values |= {
        "status": "succeeded",
        "started_us": key * 1_000_000,
        "duration_us": 1_000_000,
        "unpriced": 0,
        "flags": 0,
    }
    return SpanRow(**(values | fields))


AGENT = [
    span(1, "run", kind="agent", duration_us=9_000_000),
    span(2, "plan", "run", kind="llm", model="gpt-4o", cost_nusd=10_000_000, input_tokens=1000, output_tokens=500),
    span(3, "search", "run", kind="retrieval", duration_us=3_000_000),
    span(4, "fetch", "search", status="failed"),
    span(5, "answer", "run", kind="llm", model="gpt-4o", unpriced=1),
]


class Shown(App[None]):
    """Nothing but a tree."""

    def __init__(self, rows: list[SpanRow]) -> None:
        super().__init__()
        self.register_theme(fallback_theme())
        self.theme = "ledger-dark"
        self.rows = rows
        self.moved: list[int] = []
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        yield SpanTree()

    def on_mount(self) -> None:
        self.query_one(SpanTree).show(build_tree(self.rows))

    def on_row_view_moved(self, event: RowView.Moved) -> None:
        self.moved.append(event.row)

    def on_row_view_chosen(self, event: RowView.Chosen) -> None:
        self.chosen.append(event.row)


@asynccontextmanager
async def shown(rows: list[SpanRow], size: tuple[int, int] = (120, 20)) -> AsyncIterator[tuple[Pilot[None], SpanTree]]:
    """A focused tree."""
    app = Shown(rows)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot, app.query_one(SpanTree)


def lines(tree: SpanTree) -> list[str]:
    """What the tree draws, heading first, as far as there are rows."""
    return [tree.render_line(y).text.rstrip() for y in range(min(tree.size.height, tree.row_count + 1))]


async def test_a_line_says_status_kind_name_time_tokens_and_cost_of_its_subtree() -> None:
    """Every row carries the sums of everything below it, and failures below are counted on it."""
    async with shown(AGENT) as (_, tree):
        drawn = lines(tree)
    assert drawn[0].split() == ["Span", "0", "9.00s", "Time", "Tokens", "Cost"]
    assert "▾ ✓ agent run ✗1" in drawn[1]
    assert drawn[1].split()[-4:] == ["9.00s", "1.50k", "$0.0100", "+?"]
    assert "├── ✓ llm plan gpt-4o" in drawn[2] and drawn[2].split()[-3:] == ["1.00s", "1.50k", "$0.0100"]
    assert "├─▾ ✓ retrieval search ✗1" in drawn[3]
    assert "│ └── ✗ tool fetch" in drawn[4] and "✗  " in drawn[4][40:]
    assert "└── ✓ llm answer gpt-4o" in drawn[5] and drawn[5].endswith("—")


@pytest.mark.parametrize(
    ("status", "start", "end", "width", "drawn"),
    [
        ("succeeded", 0.0, 1.0, 4, (0, "━━━━")),
        ("succeeded", 0.5, 0.5, 4, (2, "╸")),
        ("succeeded", 1.0, 1.0, 4, (3, "╺")),
        ("succeeded", 0.125, 0.875, 4, (0, "╺━━╸")),
        ("failed", 0.0, 0.5, 4, (0, "━✗")),
        ("canceled", 0.9, 0.9, 4, (3, "⊘")),
        ("running", 0.25, 1.0, 4, (1, "━━▸")),
        ("succeeded", 0.0, 1.0, 0, (0, "")),
    ],
)
def test_the_bar_shows_when_and_how_it_ended_without_colour(
    status: str, start: float, end: float, width: int, drawn: tuple[int, str]
) -> None:
    """A bar stands at its place on the axis, is never invisible, and its end tells the status."""
    assert bar(status, start, end, width) == drawn


@pytest.mark.parametrize("width", [1, 5, 12, 20, 30, 45, 60, 80, 140, 500])
def test_columns_never_take_more_than_there_is(width: int) -> None:
    """Whatever the width, the columns and the cells between them fill it exactly."""
    columns = columns_for(width)
    assert sum(columns) + sum(1 for size in columns[1:] if size) == width
    assert columns.name > 0


async def test_folding_hides_what_is_below_and_says_how_much() -> None:
    """Left folds or goes to the parent, right unfolds or goes to the first child, space does either."""
    async with shown(AGENT) as (pilot, tree):
        await pilot.press("down", "down", "left")
        assert tree.row_count == 4 and "▸ ✓ retrieval search ✗1 +1" in lines(tree)[3]
        await pilot.press("right", "right")
        assert tree.span is not None and tree.span.span_id == "fetch"
        await pilot.press("left")
        assert tree.span.span_id == "search"
        await pilot.press("home", "space")
        assert tree.row_count == 1
        await pilot.press("plus")
        assert tree.row_count == 5
        await pilot.press("end", "minus")
        assert [tree.tree_shown.row(line).span_id for line in tree.lines.visible] == ["run", "plan", "search", "answer"]


async def test_cursor_messages_and_paging() -> None:
    """The cursor stops at both ends, a page is what is visible, and enter says which row was chosen."""
    rows = [span(n, str(n)) for n in range(1, 101)]
    async with shown(rows, (80, 12)) as (pilot, tree):
        await pilot.press("up", "pagedown")
        assert tree.cursor == 10 and tree.render_line(11).text.startswith("❯")
        await pilot.press("end", "down", "enter")
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, Shown)
        assert tree.cursor == 99 and app.chosen == [99] and app.moved[-1] == 99
        await pilot.press("home")
        assert tree.cursor == 0 and "1" in lines(tree)[1]


async def test_the_mouse_chooses_folds_and_scrolls() -> None:
    """A click moves the cursor, a click on the sign folds, the wheel scrolls without moving the cursor."""
    rows = AGENT + [span(n, f"more {n}") for n in range(10, 60)]
    async with shown(rows, (80, 12)) as (pilot, tree):
        await pilot.click(SpanTree, offset=(20, 3))
        assert tree.span is not None and tree.span.span_id == "search"
        await pilot.click(SpanTree, offset=(3, 3))
        assert tree.row_count == len(rows) - 1
        before = tree.cursor
        await pilot._post_mouse_events([_wheel()], SpanTree, offset=(5, 5))
        await pilot.pause()
        assert tree.scroll_offset.y > 0 and tree.cursor == before


def _wheel() -> Any:
    from textual.events import MouseScrollDown

    return MouseScrollDown


async def test_a_search_shows_matches_and_what_they_hang_on() -> None:
    """Only matching spans and their parents stay, n and N go around them, and an empty search shows all again."""
    async with shown(AGENT) as (pilot, tree):
        tree.search("llm", tree.tree_shown.find("LLM "))
        assert [tree.tree_shown.row(line).span_id for line in tree.lines.visible] == ["run", "plan", "answer"]
        assert tree.span is not None and tree.span.span_id == "plan"
        await pilot.press("n")
        assert tree.span.span_id == "answer"
        await pilot.press("n")
        assert tree.span.span_id == "plan"
        await pilot.press("N")
        assert tree.span.span_id == "answer"
        tree.search("", [])
        assert tree.row_count == 5 and tree.span.span_id == "answer"
        assert tree.go_to(4) and tree.span.span_id == "fetch" and not tree.go_to(77)


async def test_a_grown_trace_keeps_cursor_and_folds() -> None:
    """When spans are added, the cursor stays on its span and folds stay folded."""
    async with shown(AGENT) as (pilot, tree):
        await pilot.press("down", "down", "left")
        tree.show(build_tree([*AGENT, span(90, "first", started_us=0), span(6, "late", "search")]), keep=True)
        assert tree.span is not None and tree.span.span_id == "search"
        assert tree.cursor == 3 and "+2" in lines(tree)[tree.cursor + 1]


async def test_a_running_span_reaches_to_now() -> None:
    """A span without an end is drawn up to the present, with a sign at its end."""
    rows = [span(1, "run", status="running", duration_us=None), span(2, "step", "run")]
    with clock.stopped(datetime(1970, 1, 1, 0, 0, 21, tzinfo=UTC)):
        async with shown(rows) as (_, tree):
            drawn = lines(tree)
    assert "◌ tool run" in drawn[1] and "━▸" in drawn[1] and "20.0s…" in drawn[1]
    assert "╸" in drawn[2] or "━" in drawn[2]


async def test_foreign_names_are_shown_never_obeyed() -> None:
    """Escape sequences and markup in a name stay text on one line."""
    hostile = "a\x1b[31m[bold]b[/]\nc\x9b2J\x1b]0;x\x07"
    async with shown([span(1, "x", name=hostile, kind="k\x1b[1m")]) as (_, tree):
        drawn = lines(tree)[1]
    assert "\x1b" not in drawn and "\x9b" not in drawn and "\x07" not in drawn
    assert "[bold]b[/]" in drawn


@pytest.mark.parametrize("size", [(1, 1), (4, 2), (20, 5), (500, 60)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    """No size of terminal makes it fail, and every line fills the width."""
    deep = [span(n, str(n), str(n - 1) if n > 1 else None) for n in range(1, 60)]
    async with shown(deep, size) as (pilot, tree):
        await pilot.press("end", "home", "pagedown")
        for y in range(tree.size.height):
            assert tree.render_line(y).cell_length == tree.scrollable_content_region.width


async def test_wide_characters_keep_the_columns() -> None:
    """Names of double width do not push the columns out of line."""
    async with shown([span(1, "名前がとても長いスパンの名前" * 6), span(2, "plain")], (100, 10)) as (_, tree):
        strips = [tree.render_line(y) for y in (1, 2)]
    assert strips[0].cell_length == strips[1].cell_length == 100
    assert strips[0].text.rstrip().endswith("1.00s") and strips[1].text.rstrip().endswith("1.00s")
