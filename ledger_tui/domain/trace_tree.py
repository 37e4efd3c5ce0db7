"""A trace as a tree in display order: what the screen, the CLI and the SDK all show of its spans.

Ten thousand spans have to be a tree in about the time it takes to read them, and nothing about parents can be trusted
(they may be missing, be themselves, or go in circles). So: no recursion, parallel lists instead of nodes, and the sums
of subtrees as differences of running sums, since a subtree is a run of consecutive lines.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from functools import cached_property
from itertools import accumulate
from operator import itemgetter
from typing import Any, NamedTuple

from ledger_tui.domain import clock
from ledger_tui.domain.tree_walk import TreeWalk
from ledger_tui.domain.values import FLAG_DUPLICATE, SpanRow

_COLUMN = {name: number for number, name in enumerate(SpanRow._fields)}
_KEY, _SPAN, _PARENT = _COLUMN["key"], _COLUMN["span_id"], _COLUMN["parent_span_id"]
_STATUS, _STARTED, _DURATION = _COLUMN["status"], _COLUMN["started_us"], _COLUMN["duration_us"]
_INPUT, _OUTPUT, _COST = _COLUMN["input_tokens"], _COLUMN["output_tokens"], _COLUMN["cost_nusd"]
_UNPRICED, _FLAGS = _COLUMN["unpriced"], _COLUMN["flags"]


class Mark(IntFlag):
    """What is odd about a span's place in its tree."""

    ORPHAN = 1
    """It names a parent that is recorded nowhere in this trace; shown as a root."""
    CYCLE = 2
    """Its parents lead back to itself; the circle is cut here and it is shown as a root."""
    SELF_PARENT = 4
    """It names itself as parent; shown as a root."""
    DUPLICATE = 8
    """Another span of the trace has the same id; both are kept, children hang on the first."""
    BACKWARD = 16
    """It ended before it started; counted as lasting no time."""
    EARLY = 32
    """It starts more than a day before the step around it: one of two clocks was wrong."""
    FUTURE = 64
    """It starts more than a day from now: the clock of its program was ahead."""


SKEW_US = 86_400_000_000
"""Clocks of two computers may differ by so much without a word."""

MARK_NOTES: Mapping[Mark, str] = {
    Mark.ORPHAN: "its parent is recorded nowhere, so it is shown at the top",
    Mark.CYCLE: "its parents lead back to itself; the circle is cut here",
    Mark.SELF_PARENT: "it names itself as its parent, so it is shown at the top",
    Mark.DUPLICATE: "another span has the same id; both are kept",
    Mark.BACKWARD: "it ended before it started; its duration is not counted",
    Mark.EARLY: "clock skew: it starts more than a day before the step around it",
    Mark.FUTURE: "clock skew: it starts in the future, so the clock of its program was ahead",
}

"""What a mark means for one span."""
_MARK_SUMS: Mapping[Mark, str] = {
    Mark.ORPHAN: "with a parent that is recorded nowhere",
    Mark.CYCLE: "in a circle of parents",
    Mark.SELF_PARENT: "being its own parent",
    Mark.DUPLICATE: "sharing an id",
    Mark.BACKWARD: "ending before the start",
    Mark.EARLY: "starting days before the step around it",
    Mark.FUTURE: "starting in the future",
}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Sums over the spans that share a model, a kind or a prompt."""

    key: str
    calls: int
    tokens: int
    cost_nusd: int | None
    """None when no span of the group has a price."""
    unpriced: int
    errors: int
    share: float
    """Part of the trace's cost, 0 to 1; part of its tokens when nothing in it has a price."""


class _Calls(NamedTuple):
    """Running sums over the lines that have tokens or money."""

    lines: Sequence[int]
    cost: Sequence[int]
    priced: Sequence[int]
    tokens: Sequence[int]
    unpriced: Sequence[int]

    def between(self, line: int, end: int) -> tuple[int, int]:
        """Positions in the sums of the lines from ``line`` up to but not including ``end``."""
        start = bisect_left(self.lines, line)
        return start, bisect_left(self.lines, end, start)


class SpanTree:
    """Spans as lines in display order. A line number is a position in ``depths``, ``parents`` and ``ends``.

    ``ends[line]`` is the line after the last of its subtree; ``parents[line]`` is -1 for roots.
    """

    def __init__(
        self,
        rows: Sequence[tuple[Any, ...]],
        order: Sequence[int],
        depths: Sequence[int],
        ends: Sequence[int],
        parents: Sequence[int],
        marks: dict[int, Mark],
    ) -> None:
        self._rows = rows
        self._order = order
        self.depths = depths
        self.ends = ends
        self.parents = parents
        self._place_marks = marks

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, line: int) -> SpanRow:
        """The span on a line."""
        return SpanRow._make(self._rows[self._order[line]])

    def rows(self) -> list[SpanRow]:
        """All spans in display order."""
        return list(map(SpanRow._make, map(self._rows.__getitem__, self._order)))

    def mark(self, line: int) -> Mark:
        """What is odd about the span on a line; ``Mark(0)`` for nothing."""
        return self.marks.get(line, Mark(0))

    @cached_property
    def marks(self) -> Mapping[int, Mark]:
        """Marks by line, only of lines that have one."""
        marks = dict(self._place_marks)
        for line, flags in enumerate(self._column(_FLAGS)):
            if flags & FLAG_DUPLICATE:
                marks[line] = marks.get(line, Mark(0)) | Mark.DUPLICATE
        for line, duration in enumerate(self._column(_DURATION)):
            if duration is not None and duration < 0:
                marks[line] = marks.get(line, Mark(0)) | Mark.BACKWARD
        for mark, line in self._skewed(self._column(_STARTED)):
            marks[line] = marks.get(line, Mark(0)) | mark
        return marks

    def _skewed(self, starts: Sequence[int]) -> Iterator[tuple[Mark, int]]:
        """The lines whose clocks were off; a look at two sums where all is well."""
        future_us = clock.now_us() + SKEW_US
        if not starts or (max(starts) <= future_us and max(starts) - min(starts) <= SKEW_US):
            return
        for line, (start, parent) in enumerate(zip(starts, self.parents, strict=True)):
            if start > future_us:
                yield Mark.FUTURE, line
            if parent >= 0 and starts[parent] - start > SKEW_US:
                yield Mark.EARLY, line

    def children(self, line: int) -> int:
        """How many lines are in the subtree below a line."""
        return self.ends[line] - line - 1

    def line_of(self, span_key: int) -> int | None:
        """The line of a span by its key."""
        return self._lines_by_key.get(span_key)

    @cached_property
    def _lines_by_key(self) -> dict[int, int]:
        return {key: line for line, key in enumerate(self._column(_KEY))}

    def find(self, text: str) -> list[int]:
        """Lines whose kind, name, model, status or id holds ``text``, in any case; none for an empty text."""
        sought = text.strip().lower()
        if not sought:
            return []
        return [
            line
            for line, row in enumerate(self.rows())
            if sought in f"{row.kind} {row.name} {row.model or ''} {row.status} {row.span_id}".lower()
        ]

    def _column(self, column: int) -> list[Any]:
        """One column in display order. Rows are read in the order they lie in memory: that is twice as fast."""
        return list(map(list(map(itemgetter(column), self._rows)).__getitem__, self._order))

    # Sums: a running sum per column, so that a subtree's sum is one subtraction.

    @cached_property
    def _calls(self) -> _Calls:
        """The lines that have tokens or money, and the running sums over those."""
        rows = self._rows
        calls: list[int] = []
        costs: list[int | None] = []
        tokens: list[int] = []
        unpriced: list[int] = []
        for line, index in enumerate(self._order):
            row = rows[index]
            given, made, cost = row[_INPUT], row[_OUTPUT], row[_COST]
            if cost is not None or given or made or row[_UNPRICED]:
                calls.append(line)
                costs.append(cost)
                tokens.append((given or 0) + (made or 0))
                unpriced.append(row[_UNPRICED])
        priced = _running(cost is not None for cost in costs)
        return _Calls(calls, _running(cost or 0 for cost in costs), priced, _running(tokens), _running(unpriced))

    @cached_property
    def _failed(self) -> Sequence[int]:
        """The lines that failed."""
        statuses = self._column(_STATUS)
        found: list[int] = []
        for _ in range(statuses.count("failed")):
            found.append(statuses.index("failed", found[-1] + 1 if found else 0))
        return found

    def cost(self, line: int) -> int | None:
        """Nano-dollars of the subtree, None when nothing in it has a price."""
        start, end = self._calls.between(line, self.ends[line])
        calls = self._calls
        return calls.cost[end] - calls.cost[start] if calls.priced[end] > calls.priced[start] else None

    def tokens(self, line: int) -> int:
        """Input and output tokens of the subtree."""
        start, end = self._calls.between(line, self.ends[line])
        return self._calls.tokens[end] - self._calls.tokens[start]

    def unpriced(self, line: int) -> int:
        """How many calls of the subtree have no known price."""
        start, end = self._calls.between(line, self.ends[line])
        return self._calls.unpriced[end] - self._calls.unpriced[start]

    def errors(self, line: int) -> int:
        """How many spans of the subtree failed."""
        start = bisect_left(self._failed, line)
        return bisect_left(self._failed, self.ends[line], start) - start

    def sum_up(self) -> None:
        """Make every sum now (they are otherwise made when first asked for)."""
        _ = self._calls, self._failed

    def settle(self) -> SpanTree:
        """Make every sum and mark, and keep them in flat arrays: a large tree then costs the garbage collector nothing.

        Worth it for a tree that stays on a screen. Returns the tree itself.
        """
        self.sum_up()
        _ = self.marks, self._lines_by_key
        self._rows = tuple(self._rows)
        for name in ("_order", "depths", "ends", "parents", "_failed"):
            self.__dict__[name] = array("q", self.__dict__[name])
        self.__dict__["_calls"] = _Calls(*map(_flat, self._calls))
        return self

    @property
    def total_cost(self) -> int | None:
        """Nano-dollars of the whole trace, None when nothing in it has a price."""
        return self._calls.cost[-1] if self._calls.priced[-1] else None

    @property
    def total_tokens(self) -> int:
        """Input and output tokens of the whole trace."""
        return self._calls.tokens[-1]

    @property
    def total_unpriced(self) -> int:
        """Calls without a known price in the whole trace."""
        return self._calls.unpriced[-1]

    @property
    def total_errors(self) -> int:
        """Failed spans in the whole trace."""
        return len(self._failed)

    # Time.

    @cached_property
    def start_us(self) -> int:
        """The first start, 0 for a trace without spans."""
        return min((row[_STARTED] for row in self._rows), default=0)

    @cached_property
    def last_us(self) -> int:
        """The latest start or end that is recorded."""
        return max((row[_STARTED] + max(0, row[_DURATION] or 0) for row in self._rows), default=0)

    @cached_property
    def open_count(self) -> int:
        """Spans without an end."""
        return sum(row[_DURATION] is None for row in self._rows)

    def end_us(self, now_us: int) -> int:
        """The right end of the time axis: now while a span is open, else the last recorded moment."""
        return max(self.last_us, now_us) if self.open_count else self.last_us

    # What the trace is made of.

    def by_model(self) -> list[Breakdown]:
        """Sums by ``provider/model``, spans without a model left out."""
        return self._breakdown(_model_of)

    def by_kind(self) -> list[Breakdown]:
        """Sums by kind of span."""
        return self._breakdown(itemgetter(_COLUMN["kind"]))

    def by_prompt(self) -> list[Breakdown]:
        """Sums by prompt id, spans without a prompt left out."""
        return self._breakdown(itemgetter(_COLUMN["prompt_id"]))

    def _breakdown(self, key_of: Callable[[tuple[Any, ...]], str | None]) -> list[Breakdown]:
        groups: dict[str, list[int]] = {}
        for row in self._rows:
            key = key_of(row)
            if key is None:
                continue
            sums = groups.setdefault(key, [0, 0, 0, 0, 0, 0])
            sums[0] += 1
            sums[1] += (row[_INPUT] or 0) + (row[_OUTPUT] or 0)
            sums[2] += row[_COST] or 0
            sums[3] += row[_COST] is not None
            sums[4] += bool(row[_UNPRICED])
            sums[5] += row[_STATUS] == "failed"
        by_cost = bool(self.total_cost)
        whole = (self.total_cost or 0) if by_cost else self.total_tokens
        found: list[Breakdown] = []
        for key, (calls, tokens, cost, priced, unpriced, errors) in groups.items():
            share = _share(cost if by_cost else tokens, whole)
            found.append(Breakdown(key, calls, tokens, cost if priced else None, unpriced, errors, share))
        return sorted(found, key=lambda item: (-(item.cost_nusd or 0), -item.tokens, -item.calls, item.key))

    def notes(self) -> list[str]:
        """What is odd in this trace, each with a count, for people; empty when nothing is."""
        counts = Counter(mark for marks in self.marks.values() for mark in Mark if mark in marks)
        return [f"{counts[mark]} {_MARK_SUMS[mark]}" for mark in Mark if counts[mark]]


def build_tree(rows: Sequence[tuple[Any, ...]]) -> SpanTree:
    """The tree of one trace's spans: ``SpanRow`` values or plain tuples with the same columns, in any order.

    Children stand by start, then key. Never fails: missing parents, circles and repeated ids are marked.
    """
    count = len(rows)
    by_start = sorted(range(count), key=list(map(itemgetter(_KEY), rows)).__getitem__)
    by_start.sort(key=list(map(itemgetter(_STARTED), rows)).__getitem__)
    ids = list(map(itemgetter(_SPAN), rows))
    first = dict(zip(ids, range(count), strict=True))
    odd: dict[int, Mark] = {}
    if len(first) < count:
        first = {ids[index]: index for index in reversed(by_start)}
        counts = Counter(ids)
        odd.update((index, Mark.DUPLICATE) for index, span_id in enumerate(ids) if counts[span_id] > 1)
    parent_ids = list(map(itemgetter(_PARENT), rows))
    walk = TreeWalk(list(map(first.get, parent_ids)), by_start)
    if parent_ids.count(None) != len(walk.roots):
        _mark(odd, Mark.ORPHAN, (index for index in walk.roots if parent_ids[index] is not None))
    for root in walk.roots:
        walk.descend(root)
    if len(walk.order) < count:
        for index in walk.cut_cycles(by_start):
            _mark(odd, Mark.SELF_PARENT if parent_ids[index] == ids[index] else Mark.CYCLE, (index,))
    marks = {line: odd[index] for line, index in enumerate(walk.order) if index in odd} if odd else {}
    return SpanTree(rows, walk.order, walk.depths, walk.ends, walk.parent_lines, marks)


def _mark(odd: dict[int, Mark], mark: Mark, indices: Iterable[int]) -> None:
    for index in indices:
        odd[index] = odd.get(index, Mark(0)) | mark


def _flat(numbers: Sequence[int]) -> Sequence[int]:
    """The same numbers in an array, where they fit."""
    try:
        return array("q", numbers)
    except OverflowError:
        return numbers


def _running(values: Iterable[int]) -> list[int]:
    return list(accumulate(values, initial=0))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _model_of(row: tuple[Any, ...]) -> str | None:
    model = row[_COLUMN["model"]]
    if model is None:
        return None
    provider = row[_COLUMN["provider"]]
    return str(model) if not provider or provider == model else f"{provider}/{model}"
