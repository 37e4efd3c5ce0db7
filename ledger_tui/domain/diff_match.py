"""Which lines and words of two texts belong together, with limits that hold for any input.

Matching works between lines that are unique on both sides; only small blocks between them are matched exactly, and
words only while a budget lasts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Marks = tuple[tuple[int, int], ...]
"""Changed stretches of one line as (start, end) columns, end excluded."""

MAX_BLOCK_PAIRS = 250_000
"""Old lines times new lines of one block that is still matched exactly."""
MAX_WORD_PAIRS = 1_000_000
"""Old words times new words of one pair of lines that is still matched word by word."""
WORD_BUDGET = 50_000_000
"""Word pairs that one diff may look at in all."""
LINE_BUDGET = 10_000
"""Changed lines of one diff that are compared by words at all."""
MAX_WORD_LINE = 20_000
"""Characters of a line that is still cut into words."""
MIN_LIKENESS = 0.3
"""Two lines less alike than this are shown as one removed and one added line without marked words."""

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass
class Work:
    """The budget of one diff and what was given up."""

    words_left: int = WORD_BUDGET
    lines_left: int = LINE_BUDGET
    coarse_lines: bool = False
    coarse_words: bool = False

    @property
    def note(self) -> str:
        parts = []
        if self.coarse_lines:
            parts.append("large blocks are compared as a whole")
        if self.coarse_words:
            parts.append("words are compared only roughly")
        return "; ".join(parts)


def matching(old: Sequence[str], new: Sequence[str], work: Work) -> Iterator[tuple[int, int, int]]:
    """(old index, new index, length) of equal runs, in order."""
    head = _common_head(old, new)
    tail = _common_tail(old, new, head)
    if head:
        yield 0, 0, head
    end_old, end_new = len(old) - tail, len(new) - tail
    i, j = head, head
    anchors = anchors_of(range(head, end_old), range(head, end_new), old, new)
    for anchor_old, anchor_new in [*anchors, (end_old, end_new)]:
        yield from _block(old, new, (i, anchor_old, j, anchor_new), work)
        if anchor_old < end_old:
            yield anchor_old, anchor_new, 1
        i, j = anchor_old + 1, anchor_new + 1
    if tail:
        yield end_old, end_new, tail


def _block(
    old: Sequence[str], new: Sequence[str], span: tuple[int, int, int, int], work: Work
) -> Iterator[tuple[int, int, int]]:
    i1, i2, j1, j2 = span
    if i1 >= i2 or j1 >= j2:
        return
    if (i2 - i1) * (j2 - j1) > MAX_BLOCK_PAIRS:
        work.coarse_lines = True
        return
    for match in _matcher(old[i1:i2], new[j1:j2]).get_matching_blocks():
        if match.size:
            yield i1 + match.a, j1 + match.b, match.size


def _matcher(old: Sequence[str], new: Sequence[str]) -> Any:
    from cydifflib import SequenceMatcher

    return SequenceMatcher(None, old, new, autojunk=False)


def _common_head(old: Sequence[Any], new: Sequence[Any]) -> int:
    limit = min(len(old), len(new))
    if old[:limit] == new[:limit]:
        return limit
    return next(at for at in range(limit) if old[at] != new[at])


def _common_tail(old: Sequence[Any], new: Sequence[Any], head: int) -> int:
    limit = min(len(old), len(new)) - head
    at = 0
    while at < limit and old[-1 - at] == new[-1 - at]:
        at += 1
    return at


def anchors_of(
    old_at: Sequence[int], new_at: Sequence[int], old: Sequence[Any], new: Sequence[Any]
) -> list[tuple[int, int]]:
    """Pairs of lines that occur once on both sides, as many as stand in the same order on both."""
    old_counts = Counter(old[i] for i in old_at)
    new_counts = Counter(new[j] for j in new_at)
    place = {new[j]: j for j in new_at if new_counts[new[j]] == 1}
    pairs = [(i, place[old[i]]) for i in old_at if old_counts[old[i]] == 1 and old[i] in place]
    tails: list[int] = []
    tail_pairs: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        at = bisect_left(tails, j)
        before.append(tail_pairs[at - 1] if at else -1)
        tails[at : at + 1] = [j]
        tail_pairs[at : at + 1] = [index]
    chain: list[tuple[int, int]] = []
    index = tail_pairs[-1] if tail_pairs else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def paired(old: Sequence[str], new: Sequence[str], work: Work) -> Iterator[tuple[int | None, int | None]]:
    """Which removed line became which added one: by likeness in small blocks, else in order."""
    pairs = len(old) * len(new)
    if pairs <= 1 or pairs > 400 or work.lines_left <= 0:
        both = min(len(old), len(new))
        yield from ((at, at) for at in range(both))
        yield from ((at, None) for at in range(both, len(old)))
        yield from ((None, at) for at in range(both, len(new)))
        return
    likeness = _likenesses(old, new)
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            best[i][j] = max(likeness[i][j] + best[i + 1][j + 1], best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and likeness[i][j] and best[i][j] == likeness[i][j] + best[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif j >= len(new) or (i < len(old) and best[i][j] == best[i + 1][j]):
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def _likenesses(old: Sequence[str], new: Sequence[str]) -> list[list[float]]:
    """How alike each pair of lines is: 0 for little in common, else up to 1, by its first words."""
    befores = [Counter(_WORDS.findall(line[:2000])) for line in old]
    afters = [Counter(_WORDS.findall(line[:2000])) for line in new]
    sizes = [after.total() for after in afters]
    table = []
    for before in befores:
        size = before.total()
        shares = (
            2 * (before & after).total() / (size + other) if size + other else 0.0
            for after, other in zip(afters, sizes, strict=True)
        )
        table.append([share if share >= MIN_LIKENESS else 0.0 for share in shares])
    return table


def mark_words(old: str, new: str, work: Work) -> tuple[Marks, Marks]:
    """The changed stretches of two lines that became each other."""
    work.lines_left -= 1
    if work.lines_left < 0 or max(len(old), len(new)) > MAX_WORD_LINE:
        work.coarse_words = True
        return _mark_middle(old, new)
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    head = _common_head(before, after)
    tail = _common_tail(before, after, head)
    middle_old, middle_new = before[head : len(before) - tail], after[head : len(after) - tail]
    start_old = start_new = sum(map(len, before[:head]))
    pairs = len(middle_old) * len(middle_new)
    if pairs > min(MAX_WORD_PAIRS, work.words_left):
        work.coarse_words = True
        opcodes = [("replace", 0, len(middle_old), 0, len(middle_new))]
    else:
        work.words_left -= pairs
        opcodes = _matcher(middle_old, middle_new).get_opcodes()
    old_marks: list[tuple[int, int]] = []
    new_marks: list[tuple[int, int]] = []
    for tag, i1, i2, j1, j2 in opcodes:
        end_old = start_old + sum(map(len, middle_old[i1:i2]))
        end_new = start_new + sum(map(len, middle_new[j1:j2]))
        if tag != "equal":
            _add_mark(old_marks, start_old, end_old, old)
            _add_mark(new_marks, start_new, end_new, new)
        start_old, start_new = end_old, end_new
    return tuple(old_marks), tuple(new_marks)


def _add_mark(marks: list[tuple[int, int]], start: int, end: int, line: str) -> None:
    """Add a stretch; one that is parted from the last by blanks only continues it."""
    if start >= end:
        return
    if marks and not line[marks[-1][1] : start].strip():
        marks[-1] = (marks[-1][0], end)
    else:
        marks.append((start, end))


def _mark_middle(old: str, new: str) -> tuple[Marks, Marks]:
    """Everything between the common beginning and the common end of two lines."""
    limit = min(len(old), len(new))
    head = _longest(limit, lambda size: old[:size] == new[:size])
    tail = _longest(limit - head, lambda size: size == 0 or old[-size:] == new[-size:])
    old_end, new_end = len(old) - tail, len(new) - tail
    return ((head, old_end),) if head < old_end else (), ((head, new_end),) if head < new_end else ()


def _longest(limit: int, holds: Callable[[int], bool]) -> int:
    """The largest size up to ``limit`` for which ``holds``, which holds for all smaller ones too."""
    low = 0
    while low < limit:
        middle = (low + limit + 1) // 2
        if holds(middle):
            low = middle
        else:
            limit = middle - 1
    return low
