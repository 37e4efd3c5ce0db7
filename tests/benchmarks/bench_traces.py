"""Traces: the tree beside its raw fetch, a hundred thousand spans on the screen, and a page of a million traces.

Rounds of what is compared alternate, medians count. Spans and traces are written raw, with sums that agree; what is
measured goes through the services and the widgets.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ledger_tui.domain.trace_tree import build_tree
from ledger_tui.domain.values import SpanRow
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.store.sqlite import library
from ledger_tui.ui.themes import fallback_theme
from ledger_tui.ui.widgets.span_tree import SpanTree
from textual.app import App, ComposeResult
from textual.widgets import Tree

from tests.benchmarks.result import Result, at_most

TREE_SPANS, SCREEN_SPANS = 10_000, 100_000
FEW_TRACES, MANY_TRACES = 100_000, 1_000_000
TREE_RATIO, FRAME_RATIO, PAGE_DOWN_MS, PAGE_MS, PAGE_RATIO = 1.5, 0.1, 16.0, 5.0, 2.0
ROUNDS = 31
SIZE = (160, 48)
START_US = 1_750_000_000_000_000
_NAMES = ("agent", "plan", "search", "read page", "answer", "check")


def run() -> list[Result]:
    """All three measurements."""
    with tempfile.TemporaryDirectory() as folder:
        results = tree_beside_fetch(Path(folder) / "tree")
        results += first_frame()
        return results + newest_page(Path(folder))


def tree_beside_fetch(folder: Path) -> list[Result]:
    """(a) Reading a trace as a tree with all its sums, beside the plain fetch of the same columns."""
    with ledger_in(folder) as ledger:
        columns = [name if name != "key" else "id" for name in SpanRow._fields]
        rows = [(row.key, f"rid{row.key}", 1, "dev", *row[1:]) for row in spans(TREE_SPANS)]
        path = str(ledger.paths.database)
        connection = library().connect(path)
        connection.execute(*trace_insert(1, "big", TREE_SPANS))
        names = ["id", "rid", "trace_key", "environment", *columns[1:]]
        connection.executemany(f"INSERT INTO spans ({', '.join(names)}) VALUES ({places(len(names))})", rows)
        connection.commit()
        sql = f"SELECT {', '.join(columns)} FROM spans WHERE trace_key = ?"

        def raw() -> Any:
            return connection.execute(sql, (1,)).fetchall()

        def ours() -> Any:
            tree = ledger.traces.tree("big")
            tree.sum_up()
            return tree

        assert len(raw()) == len(ours()) == TREE_SPANS
        fetch_ms, tree_ms = medians(raw, ours)
        connection.close()
    note = f"raw fetch {fetch_ms:.1f} ms, query, tree and sums {tree_ms:.1f} ms"
    return [at_most(f"trace of {TREE_SPANS:,} spans / raw fetch", tree_ms / fetch_ms, "", TREE_RATIO, note)]


class OurScreen(App[None]):
    """Our tree of spans."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        super().__init__()
        self.register_theme(fallback_theme())
        self.theme = "ledger-dark"
        self.rows = rows

    def compose(self) -> ComposeResult:
        yield SpanTree()

    def on_mount(self) -> None:
        self.query_one(SpanTree).show(build_tree(self.rows).settle())


class TheirScreen(App[None]):
    """Textual's tree with as many nodes."""

    def __init__(self, nodes: Sequence[tuple[str, str | None, str]]) -> None:
        super().__init__()
        self.rows = nodes

    def compose(self) -> ComposeResult:
        yield Tree("trace")

    def on_mount(self) -> None:
        tree: Tree[None] = self.query_one(Tree)
        tree.root.expand()
        nodes: dict[str | None, Any] = {None: tree.root}
        for span_id, parent, name in self.rows:
            nodes[span_id] = nodes[parent].add(name, expand=True)


def first_frame() -> list[Result]:
    """(b) From the rows, as the store gives them, to the first frame, beside Textual's Tree; and what a page down takes."""
    rows = tuple(tuple(row) for row in spans(SCREEN_SPANS))
    nodes = [(row[1], row[2], row[3]) for row in rows]
    ours: list[float] = []
    theirs: list[float] = []
    pages: list[float] = []
    for _ in range(3):
        ours.append(asyncio.run(frame(OurScreen(rows), pages)))
        theirs.append(asyncio.run(frame(TheirScreen(nodes), None)))
    our_s, their_s = statistics.median(ours), statistics.median(theirs)
    pages.sort()
    slow_ms = pages[int(len(pages) * 0.95)] * 1000
    note = f"ours {our_s:.2f} s, Textual's Tree {their_s:.2f} s"
    return [
        at_most(f"first frame of {SCREEN_SPANS:,} spans / Textual's Tree", our_s / their_s, "", FRAME_RATIO, note),
        at_most(
            "page down, median",
            statistics.median(pages) * 1000,
            "ms",
            PAGE_DOWN_MS,
            f"95th percentile {slow_ms:.0f} ms",
        ),
    ]


async def frame(app: App[None], pages: list[float] | None) -> float:
    """Seconds until the app has drawn; then page down with every line drawn anew, seconds into ``pages``."""
    gc.collect()
    start = time.perf_counter()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.screen._compositor.render_strips(app.size)
        passed = time.perf_counter() - start
        if pages is not None:
            tree = app.query_one(SpanTree)
            for _ in range(100):
                await pilot.pause()
                before = time.perf_counter()
                tree.action_page(1)
                app.screen._compositor.render_strips(app.size)
                pages.append(time.perf_counter() - before)
    return passed


def newest_page(folder: Path) -> list[Result]:
    """(c) The newest 100 of a million traces, beside those of a hundred thousand."""
    with ledger_in(folder / "few") as few, ledger_in(folder / "many") as many:
        for ledger, count in ((few, FEW_TRACES), (many, MANY_TRACES)):
            fill(ledger, count)
        few_ms, many_ms = medians(lambda: few.traces.page(limit=100), lambda: many.traces.page(limit=100))
    note = f"of {FEW_TRACES:,}: {few_ms:.2f} ms"
    return [
        at_most(f"newest 100 of {MANY_TRACES:,} traces", many_ms, "ms", PAGE_MS),
        at_most(f"… / newest 100 of {FEW_TRACES:,}", many_ms / few_ms, "", PAGE_RATIO, note),
    ]


def fill(ledger: PromptLedger, count: int) -> None:
    """Traces with the sums of one span each, and that span: enough for the list to be what it would be."""
    connection = library().connect(str(ledger.paths.database))
    connection.execute("PRAGMA synchronous=OFF")
    sql, _ = trace_insert(0, "", 0)
    connection.executemany(sql, (trace_insert(key, f"trace-{key}", 1)[1] for key in range(1, count + 1)))
    columns = "id, rid, trace_key, span_id, name, kind, status, started_us, duration_us, unpriced, environment, flags"
    rows = (
        (key, str(key), key, "root", "agent", "agent", "succeeded", START_US + key * 1000, 900, 0, "", 0)
        for key in range(1, count + 1)
    )
    connection.executemany(f"INSERT INTO spans ({columns}) VALUES ({places(12)})", rows)
    connection.commit()
    connection.close()


def trace_insert(key: int, trace_id: str, span_count: int) -> tuple[str, tuple[Any, ...]]:
    """A statement and its values for one row of ``traces``."""
    values = {
        "id": key, "trace_id": trace_id, "name": "agent", "status": "succeeded", "started_us": START_US + key * 1000,
        "ended_us": START_US + key * 1000 + 900, "span_count": span_count, "open_count": 0, "error_count": 0,
        "canceled_count": 0, "input_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 0,
        "reasoning_tokens": 0, "cost_nusd": 0, "priced_count": 0, "unpriced_count": 0, "environment": "dev",
    }  # fmt: skip
    return f"INSERT INTO traces ({', '.join(values)}) VALUES ({places(len(values))})", tuple(values.values())


def spans(count: int) -> list[SpanRow]:
    """A trace of nested steps, a third of them calls to a model, some failed, some without a price."""
    dice = random.Random(5)
    empty = dict.fromkeys(SpanRow._fields)
    found: list[SpanRow] = []
    ids: list[str] = []
    depths: list[int] = []
    for number in range(count):
        parent = dice.randrange(max(0, number - 60), number) if number else -1
        while parent >= 0 and depths[parent] >= 30:
            parent = parent // 2
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
        ids.append(f"{dice.getrandbits(64):016x}")
        fields: dict[str, Any] = empty | {
            "key": number + 1, "span_id": ids[number], "parent_span_id": ids[parent] if parent >= 0 else None,
            "name": f"{_NAMES[number % 6]} {number}", "kind": "tool", "status": "failed" if number % 50 == 7 else "succeeded",
            "started_us": START_US + number * 700 + dice.randrange(2_000), "duration_us": dice.randrange(400_000),
            "unpriced": int(number % 90 == 1), "flags": 0,
        }  # fmt: skip
        if number % 3 == 1:
            fields |= {"kind": "llm", "provider": "openai", "model": "gpt-4o-mini", "execution_id": f"e{number}"}
            fields |= {"input_tokens": 900, "cache_read_tokens": 0, "output_tokens": 120}
            fields["cost_nusd"] = None if fields["unpriced"] else 207_000
        found.append(SpanRow(**fields))
    return found


class ledger_in:
    """A ledger over a prepared, empty workspace in a folder."""

    def __init__(self, folder: Path) -> None:
        self.ledger = PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"))
        self.ledger.paths.data.mkdir(parents=True, mode=0o700)

    def __enter__(self) -> PromptLedger:
        self.ledger.prepare()
        return self.ledger

    def __exit__(self, *_: object) -> None:
        self.ledger.close()


def medians(*works: Callable[[], Any]) -> list[float]:
    """Milliseconds of each work, median of rounds in which they take turns."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, taken, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) * 1000 for times in taken]


def places(count: int) -> str:
    """So many question marks."""
    return ", ".join("?" * count)
