"""Which lines of a span tree are visible: folds and search, apart from how they are drawn."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ledger_tui.domain.trace_tree import SpanTree


class SpanLines:
    """A tree, what of it is folded, and what was searched for. Rows are positions in ``visible``."""

    def __init__(self, tree: SpanTree) -> None:
        self.tree = tree
        self.folded: set[int] = set()
        """Lines whose subtrees are folded away."""
        self.sought = ""
        """What was searched for; while it is not empty, folds do not count."""
        self.matches: list[int] = []
        self._match_set: frozenset[int] = frozenset()
        self.visible: Sequence[int] = range(len(tree))
        """The lines that are shown, in order."""

    def regrown(self, tree: SpanTree) -> SpanLines:
        """The same folds over a newer tree of the same trace, by span key; the search starts anew."""
        lines = SpanLines(tree)
        keys = (self.tree.row(line).key for line in self.folded)
        lines.folded = {line for line in map(tree.line_of, keys) if line is not None}
        lines.update()
        return lines

    def row_of(self, line: int) -> int:
        """The row that shows a line, or the nearest one."""
        return max(0, min(bisect_left(self.visible, line), len(self.visible) - 1))

    def shows(self, line: int) -> bool:
        """Whether a line is visible."""
        return bool(self.visible) and self.visible[self.row_of(line)] == line

    def matches_search(self, line: int) -> bool:
        """Whether a line fits what was searched for."""
        return line in self._match_set

    def search(self, sought: str, matches: list[int]) -> None:
        """Show only these lines and what they hang on; an empty ``sought`` shows all again."""
        self.sought = sought
        self.matches = matches if sought else []
        self._match_set = frozenset(self.matches)
        self.update()

    def next_match(self, line: int, step: int) -> int | None:
        """The next (1) or previous (-1) match after a line, around the ends; None without matches."""
        if not self.matches:
            return None
        place = bisect_left(self.matches, line)
        if step < 0 or line in self._match_set:
            place += step
        return self.matches[place % len(self.matches)]

    def toggle(self, line: int) -> bool:
        """Fold or unfold a line; False when there is nothing to fold."""
        if self.sought or not self.tree.children(line):
            return False
        self.folded ^= {line}
        self.update()
        return True

    def fold_all(self) -> None:
        """Leave the roots and their children."""
        tree = self.tree
        self.folded = {line for line in range(len(tree)) if tree.depths[line] and tree.children(line)}
        self.update()

    def unfold_all(self) -> None:
        """Show every line."""
        self.folded = set()
        self.update()

    def reveal(self, line: int) -> None:
        """Unfold what hides a line, and end a search that hides it."""
        if self.shows(line):
            return
        self.search("", [])
        above = self.tree.parents[line]
        while above >= 0:
            self.folded.discard(above)
            above = self.tree.parents[above]
        self.update()

    def is_folded(self, line: int) -> bool:
        """Whether a line hides what is below it."""
        return line in self.folded and not self.sought

    def update(self) -> None:
        """Work out the visible lines."""
        if self.sought:
            self.visible = self._matches_and_parents()
        elif self.folded:
            self.visible = self._unfolded()
        else:
            self.visible = range(len(self.tree))

    def _unfolded(self) -> list[int]:
        lines: list[int] = []
        line = 0
        for fold in sorted(self.folded):
            if fold >= line:
                lines.extend(range(line, fold + 1))
                line = self.tree.ends[fold]
        lines.extend(range(line, len(self.tree)))
        return lines

    def _matches_and_parents(self) -> list[int]:
        shown: set[int] = set()
        for line in self.matches:
            here = line
            while here >= 0 and here not in shown:
                shown.add(here)
                here = self.tree.parents[here]
        return sorted(shown)
