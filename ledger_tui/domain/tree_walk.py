"""Walking a forest given by parent numbers, without recursion and whatever circles the parents make."""

from __future__ import annotations


class TreeWalk:
    """One walk in display order over rows whose parents are known by row number (None for roots).

    The walk fills ``order`` (row number by line), ``depths``, ``ends`` (the line after the last of a subtree) and
    ``parent_lines`` (-1 for roots).
    """

    def __init__(self, parents: list[int | None], by_start: list[int]) -> None:
        count = len(parents)
        self.parents = parents
        self.first_child = first_child = [-1] * count
        self.next_sibling = next_sibling = [-1] * count
        self.roots: list[int] = []
        for index in reversed(by_start):
            parent = parents[index]
            if parent is None:
                self.roots.append(index)
            else:
                next_sibling[index] = first_child[parent]
                first_child[parent] = index
        self.roots.reverse()
        self.order: list[int] = []
        self.depths: list[int] = []
        self.ends: list[int] = []
        self.parent_lines: list[int] = []

    def descend(self, root: int) -> None:
        """Append the root and everything below it, children before the next sibling."""
        order, depths, ends, parent_lines = self.order, self.depths, self.ends, self.parent_lines
        first_child, next_sibling = self.first_child, self.next_sibling
        open_lines: list[int] = []
        line, index, depth, above = len(order), root, 0, -1
        while index >= 0:
            order.append(index)
            depths.append(depth)
            parent_lines.append(above)
            line += 1
            ends.append(line)
            below = first_child[index]
            if below >= 0:
                open_lines.append(above)
                above = line - 1
                depth += 1
                index = below
                continue
            index = next_sibling[index]
            while index < 0 and depth:
                ends[above] = line
                depth -= 1
                index = next_sibling[order[above]]
                above = open_lines.pop()

    def cut(self, index: int) -> None:
        """Make a row a root: take it from among its parent's children."""
        parent = self.parents[index]
        self.parents[index] = None
        if parent is None:
            return
        before, child = -1, self.first_child[parent]
        while child != index:
            before, child = child, self.next_sibling[child]
        if before < 0:
            self.first_child[parent] = self.next_sibling[index]
        else:
            self.next_sibling[before] = self.next_sibling[index]
        self.next_sibling[index] = -1

    def cut_cycles(self, by_start: list[int]) -> list[int]:
        """Cut every circle at its earliest row, append what hangs on it, and return the rows that became roots."""
        reached = bytearray(len(by_start))
        rank = {index: position for position, index in enumerate(by_start)}
        made: list[int] = []
        for index in self.order:
            reached[index] = 1
        for start in by_start:
            if reached[start]:
                continue
            cut = min(_cycle(start, self.parents), key=rank.__getitem__)
            made.append(cut)
            before = len(self.order)
            self.cut(cut)
            self.descend(cut)
            for index in self.order[before:]:
                reached[index] = 1
        return made


def _cycle(start: int, parents: list[int | None]) -> list[int]:
    """The rows of the circle that the parents of ``start`` lead into."""
    seen: set[int] = set()
    here: int | None = start
    while here is not None and here not in seen:
        seen.add(here)
        here = parents[here]
    if here is None:
        return [start]
    circle, step = [here], parents[here]
    while step is not None and step != here:
        circle.append(step)
        step = parents[step]
    return circle
