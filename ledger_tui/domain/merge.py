"""What two people made of one text, hunk by hunk: three texts side by side, and the text that comes of taking from either.

Pure, and bounded on any input as ``diff_match`` is. A **hunk** is a run of lines that both left alone, that one changed, that
both changed alike, or that both changed differently: only the last needs a person. No two neighbours are both unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from typing import Literal, NamedTuple

from ledger_tui.domain.diff_match import Work, matching

HunkKind = Literal["unchanged", "mine", "theirs", "alike", "conflict"]
Choice = Literal["mine", "theirs", "both", "base"]
"""``both``: mine, and theirs after it."""

MARKS = ("<<<<<<< mine", "||||||| base", "=======", ">>>>>>> theirs")
"""The lines around what nobody decided yet."""


class Hunk(NamedTuple):
    """One run of lines in the three texts."""

    kind: HunkKind
    base: tuple[str, ...]
    mine: tuple[str, ...]
    theirs: tuple[str, ...]

    def lines(self, choice: Choice | None) -> tuple[str, ...]:
        """The lines that a choice takes; None: those of whoever changed them, all three between marks where both did."""
        if choice == "both":
            return self.mine + self.theirs if self.kind == "conflict" else self.lines(None)
        if choice is not None:
            return {"mine": self.mine, "theirs": self.theirs, "base": self.base}[choice]
        if self.kind == "conflict":
            return (MARKS[0], *self.mine, MARKS[1], *self.base, MARKS[2], *self.theirs, MARKS[3])
        return self.theirs if self.kind == "theirs" else self.mine


@dataclass(frozen=True)
class Merge:
    """Three texts as hunks, in order; ``note`` says where they are compared only coarsely."""

    hunks: tuple[Hunk, ...]
    note: str = ""

    @cached_property
    def changed(self) -> tuple[int, ...]:
        """Places of the hunks that somebody changed."""
        return tuple(place for place, hunk in enumerate(self.hunks) if hunk.kind != "unchanged")

    @cached_property
    def conflicts(self) -> tuple[int, ...]:
        """Places of the hunks that a person has to decide."""
        return tuple(place for place, hunk in enumerate(self.hunks) if hunk.kind == "conflict")

    def undecided(self, choices: Mapping[int, Choice]) -> tuple[int, ...]:
        """Conflicts without a choice."""
        return tuple(place for place in self.conflicts if place not in choices)

    def all_of(self, choice: Choice) -> dict[int, Choice]:
        """The choices that take every change from one side."""
        return dict.fromkeys(self.changed, choice)

    def text(self, choices: Mapping[int, Choice]) -> str:
        """The text that the choices (by place of the hunk) make; changes of one side are taken where nothing was chosen."""
        lines = [line for place, hunk in enumerate(self.hunks) for line in hunk.lines(choices.get(place))]
        return "\n".join(lines)


def has_marks(text: str) -> bool:
    """Whether a text still holds the marks of something undecided."""
    return any(line in (MARKS[0], MARKS[1], MARKS[3]) for line in text.split("\n"))


def merge(base: str | None, mine: str, theirs: str) -> Merge:
    """The hunks of two texts that came from ``base``; None where they have nothing in common but what is equal in both."""
    work = Work()
    ours, others = mine.split("\n"), theirs.split("\n")
    root = _shared(ours, others, work) if base is None else base.split("\n")
    return Merge(tuple(_joined(_hunks(root, ours, others, work))), work.note)


def _shared(mine: Sequence[str], theirs: Sequence[str], work: Work) -> list[str]:
    return [line for at, _, count in matching(mine, theirs, work) for line in mine[at : at + count]]


def _hunks(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str], work: Work) -> Iterator[Hunk]:
    done = (0, 0, 0)
    end = (len(base), len(mine), len(theirs))
    for at, count in [*_in_all(base, mine, theirs, work), (end, 0)]:
        parts = (tuple(base[done[0] : at[0]]), tuple(mine[done[1] : at[1]]), tuple(theirs[done[2] : at[2]]))
        if any(parts):
            yield Hunk(_kind(*parts), *parts)
        if count:
            lines = tuple(base[at[0] : at[0] + count])
            yield Hunk("unchanged", lines, lines, lines)
        done = (at[0] + count, at[1] + count, at[2] + count)


def _joined(hunks: Iterable[Hunk]) -> Iterator[Hunk]:
    """The hunks with unchanged neighbours as one."""
    for unchanged, run in groupby(hunks, lambda hunk: hunk.kind == "unchanged"):
        if unchanged:
            lines = tuple(chain.from_iterable(hunk.base for hunk in run))
            yield Hunk("unchanged", lines, lines, lines)
        else:
            yield from run


def _kind(base: tuple[str, ...], mine: tuple[str, ...], theirs: tuple[str, ...]) -> HunkKind:
    if mine == theirs:
        return "unchanged" if mine == base else "alike"
    if mine == base:
        return "theirs"
    return "mine" if theirs == base else "conflict"


Place = tuple[int, int, int]


def _in_all(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str], work: Work) -> Iterator[tuple[Place, int]]:
    """Runs that are in all three texts, as ((base, mine, theirs), length), in order."""
    ours, others = list(matching(base, mine, work)), list(matching(base, theirs, work))
    i = j = 0
    while i < len(ours) and j < len(others):
        at_mine, my_place, my_count = ours[i]
        at_theirs, their_place, their_count = others[j]
        start = max(at_mine, at_theirs)
        stop = min(at_mine + my_count, at_theirs + their_count)
        if start < stop:
            yield (start, my_place + start - at_mine, their_place + start - at_theirs), stop - start
        if at_mine + my_count <= at_theirs + their_count:
            i += 1
        else:
            j += 1
