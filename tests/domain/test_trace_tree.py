"""Promises of the span tree: order, sums, and never a failure on parents that make no sense."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain import clock
from ledger_tui.domain.trace_tree import Mark, SpanTree, build_tree
from ledger_tui.domain.values import SpanRow


def span(key: int, span_id: str, parent: str | None = None, **fields: Any) -> SpanRow:
    """A span that starts at its key and lasts one microsecond, unless told otherwise."""
    values: dict[str, Any] = dict.fromkeys(SpanRow._fields)
    values |= {"key": key, "span_id": span_id, "parent_span_id": parent, "name": span_id, "kind": "tool"}
    values |= {"status": "succeeded", "started_us": key, "duration_us": 1, "unpriced": False, "flags": 0}
    return SpanRow(**(values | fields))


def shape(tree: SpanTree) -> list[tuple[int, str]]:
    """Depth and id of every line."""
    return [(tree.depths[line], tree.row(line).span_id) for line in range(len(tree))]


def test_children_stand_under_their_parent_by_start_then_key() -> None:
    """Siblings are ordered by start and then by key, whatever the order they come in."""
    rows = [
        span(5, "late", "root", started_us=9),
        span(4, "b", "root", started_us=3),
        span(3, "a", "root", started_us=3),
        span(2, "deep", "a", started_us=4),
        span(1, "root", started_us=1),
    ]
    tree = build_tree(rows)
    assert shape(tree) == [(0, "root"), (1, "a"), (2, "deep"), (1, "b"), (1, "late")]
    assert tree.parents == [-1, 0, 1, 0, 0]
    assert tree.ends == [5, 3, 3, 4, 5]
    assert not tree.marks and not tree.notes()
    assert tree.line_of(2) == 2 and tree.line_of(99) is None


def test_sums_are_of_the_whole_subtree_and_unknown_is_not_zero() -> None:
    """A line carries the cost, tokens, unpriced and failed calls of everything below it; no price at all is None."""
    rows = [
        span(1, "root"),
        span(2, "paid", "root", cost_nusd=70, input_tokens=10, output_tokens=5),
        span(3, "free", "paid", cost_nusd=0, input_tokens=1, status="failed"),
        span(4, "unknown", "root", unpriced=True, output_tokens=7),
        span(5, "plain", "root"),
    ]
    tree = build_tree(rows)
    assert [tree.cost(line) for line in range(5)] == [70, 70, 0, None, None]
    assert [tree.tokens(line) for line in range(5)] == [23, 16, 1, 7, 0]
    assert [tree.unpriced(line) for line in range(5)] == [1, 0, 0, 1, 0]
    assert [tree.errors(line) for line in range(5)] == [1, 1, 1, 0, 0]
    assert (tree.total_cost, tree.total_tokens, tree.total_unpriced, tree.total_errors) == (70, 23, 1, 1)


def test_an_orphan_is_a_root_and_marked() -> None:
    """A span whose parent is recorded nowhere is shown at the top, with its children, and marked."""
    tree = build_tree([span(1, "root"), span(2, "lost", "nowhere"), span(3, "child", "lost")])
    assert shape(tree) == [(0, "root"), (0, "lost"), (1, "child")]
    assert tree.marks == {1: Mark.ORPHAN}
    assert "recorded nowhere" in tree.notes()[0]


def test_cycles_are_cut_at_their_earliest_span() -> None:
    """Spans that are each other's ancestors, or their own, are all shown once, cut at the earliest, and marked."""
    rows = [
        span(1, "hanger", "b"),
        span(2, "a", "c"),
        span(3, "b", "a"),
        span(4, "c", "b"),
        span(5, "self", "self"),
        span(6, "child of self", "self"),
    ]
    tree = build_tree(rows)
    assert shape(tree) == [(0, "a"), (1, "b"), (2, "hanger"), (2, "c"), (0, "self"), (1, "child of self")]
    assert tree.marks == {0: Mark.CYCLE, 4: Mark.SELF_PARENT}


def test_repeated_span_ids_are_all_kept_and_flagged() -> None:
    """Two spans with one id are both shown and marked; children hang on the first."""
    tree = build_tree([span(1, "twin"), span(2, "twin", name="other"), span(3, "child", "twin")])
    assert [tree.row(line).name for line in range(3)] == ["twin", "child", "other"]
    assert tree.marks == {0: Mark.DUPLICATE, 2: Mark.DUPLICATE}


def test_clocks_that_were_wrong_are_marked() -> None:
    """A step that starts days before the step around it, or in the future, is marked and told; hours are not."""
    day = 86_400_000_000
    with clock.stopped(clock.from_us(100 * day)):
        rows = [
            span(1, "root", started_us=99 * day),
            span(2, "fine", "root", started_us=98 * day + 1),
            span(3, "early", "root", started_us=50 * day),
            span(4, "below", "early", started_us=50 * day),
            span(5, "ahead", "below", started_us=4000 * day),
            span(6, "soon", "root", started_us=101 * day),
        ]
        tree = build_tree(rows)
        marks = {tree.row(line).span_id: mark for line, mark in tree.marks.items()}
        assert marks == {"early": Mark.EARLY, "ahead": Mark.FUTURE}
        assert {"1 starting days before the step around it", "1 starting in the future"} <= set(tree.notes())


def test_a_span_that_ends_before_it_starts_is_marked_and_lasts_no_time() -> None:
    """A negative duration does not stretch the time axis backwards."""
    tree = build_tree([span(1, "a", started_us=100, duration_us=-50), span(2, "b", started_us=110, duration_us=5)])
    assert tree.marks == {0: Mark.BACKWARD}
    assert (tree.start_us, tree.last_us) == (100, 115)


def test_a_running_span_ends_now() -> None:
    """With a span open, the time axis reaches to the present; without one, to the last recorded moment."""
    still = span(1, "a", started_us=100, duration_us=None, status="running")
    rows = [still, span(2, "b", started_us=110, duration_us=5)]
    assert build_tree(rows).end_us(500) == 500
    assert build_tree(rows).end_us(1) == 115
    assert build_tree(rows[1:]).end_us(500) == 115


def test_depth_of_ten_thousand_is_no_recursion() -> None:
    """A chain as deep as 10,000 spans becomes a tree."""
    rows = [span(n, str(n), str(n - 1) if n else None, cost_nusd=1) for n in range(10_000)]
    random.Random(7).shuffle(rows)
    tree = build_tree(rows)
    assert tree.depths == list(range(10_000))
    assert tree.cost(0) == 10_000 and tree.cost(9_999) == 1


def test_an_empty_trace_has_an_empty_tree() -> None:
    """No spans: no lines, no sums, no failure."""
    tree = build_tree([])
    assert len(tree) == 0 and tree.total_cost is None and tree.by_model() == [] and tree.end_us(5) == 0


def test_a_settled_tree_says_the_same() -> None:
    """Settling changes how a tree is kept, not what it says, even when its cost outgrows 64 bits."""
    huge = 2**62
    rows = [span(n, str(n), str(n // 2) if n else None, cost_nusd=huge, input_tokens=n) for n in range(1, 8)]
    rows.append(span(8, "1", status="failed"))
    plain, settled = build_tree(rows), build_tree(rows).settle()
    assert settled.settle() is settled
    for line in range(len(rows)):
        assert settled.row(line) == plain.row(line) and settled.mark(line) == plain.mark(line)
        assert settled.cost(line) == plain.cost(line) and settled.tokens(line) == plain.tokens(line)
        assert settled.errors(line) == plain.errors(line) and settled.depths[line] == plain.depths[line]
    assert settled.total_cost == 7 * huge and settled.by_kind() == plain.by_kind()


def test_breakdowns_say_where_the_money_went() -> None:
    """Groups by model, kind and prompt carry calls, tokens, cost, unpriced, errors and their share of the cost."""
    call = {"kind": "llm", "provider": "openai", "model": "gpt-4o"}
    rows = [
        span(1, "root", kind="agent"),
        span(2, "a", "root", cost_nusd=75, input_tokens=10, prompt_id="p", **call),
        span(3, "b", "root", cost_nusd=25, status="failed", provider="offline", model="offline", kind="llm"),
        span(4, "c", "root", unpriced=True, **call),
    ]
    tree = build_tree(rows)
    models = tree.by_model()
    assert [(m.key, m.calls, m.tokens, m.cost_nusd, m.unpriced, m.errors, m.share) for m in models] == [
        ("openai/gpt-4o", 2, 10, 75, 1, 0, 0.75),
        ("offline", 1, 0, 25, 0, 1, 0.25),
    ]
    assert [(k.key, k.calls, k.cost_nusd) for k in tree.by_kind()] == [("llm", 3, 100), ("agent", 1, None)]
    assert [(p.key, p.calls) for p in tree.by_prompt()] == [("p", 1)]


@given(st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 15), st.integers(0, 5)), max_size=40))
def test_any_parents_give_every_span_exactly_once(spans: list[tuple[int, int | None, int]]) -> None:
    """Whatever the ids and parents are, each span is on one line, below its parent's line, and the sums agree."""
    rows = [
        span(key, str(span_id), None if parent is None else str(parent), started_us=start, cost_nusd=1)
        for key, (span_id, parent, start) in enumerate(spans)
    ]
    tree = build_tree(rows)
    assert sorted(row.key for row in tree.rows()) == list(range(len(rows)))
    for line, parent in enumerate(tree.parents):
        assert tree.depths[line] == (tree.depths[parent] + 1 if parent >= 0 else 0)
        assert parent < line < tree.ends[line]
        assert parent < 0 or tree.ends[line] <= tree.ends[parent]
        assert tree.cost(line) == tree.ends[line] - line
    roots = [line for line, parent in enumerate(tree.parents) if parent < 0]
    assert all(tree.mark(line) or tree.row(line).parent_span_id is None for line in roots)
