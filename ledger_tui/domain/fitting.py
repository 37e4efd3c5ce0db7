"""Which values a template was rendered with, told from the text that came out.

A template is flattened to shapes: literal texts with gaps between them, one shape for each way through its conditions.
A text fits a shape when the literals stand in it in order, the first at its beginning and the last at its end. The
leftmost and the rightmost way to place them are compared: where both agree a value is certain, else it is left out
and named. Nothing is inverted (filters, loops): such places are gaps without a name. No regular expressions; the work
is bounded by a count of searches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from ledger_tui.domain.template import NO_TEXTS

if TYPE_CHECKING:
    from ledger_tui.domain.content import Message

MAX_SHAPES = 16
MAX_GAPS = 200
MAX_TEMPLATE_CHARACTERS = 64 * 1024
MIN_LITERAL = 8
"""Characters other than white space that a text has to share with a template that has variables."""
_SEARCHES = 400


@dataclass(frozen=True, slots=True)
class Gap:
    """A place that the template leaves open; ``name`` when it is ``{{ name }}`` and nothing else."""

    name: str | None = None
    hidden: int = 0
    """Characters of literal text that lie inside (a loop's body)."""
    lost: frozenset[str] = frozenset()
    """Names that cannot be told apart here."""


Piece = str | Gap


@dataclass(frozen=True)
class Shape:
    """Literals and the gaps between them: always one literal more than gaps; only the outer two may be empty."""

    literals: tuple[str, ...]
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def weight(self) -> int:
        """Characters of literal text without white space."""
        return sum(len("".join(text.split())) for text in self.literals)

    @cached_property
    def trimmed(self) -> Shape:
        """Without white space around it; itself when there is none."""
        first, last = self.literals[0], self.literals[-1]
        if not self.gaps:
            return self if first == first.strip() else Shape((first.strip(),))
        if first == first.lstrip() and last == last.rstrip():
            return self
        return Shape((first.lstrip(), *self.literals[1:-1], last.rstrip()), self.gaps)

    @cached_property
    def hidden(self) -> int:
        """Characters of literal text that a fit does not check."""
        return sum(gap.hidden for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a text fits."""

    values: dict[str, str] = field(default_factory=dict)
    uncertain: frozenset[str] = frozenset()
    """Variables that may have had more than one value."""
    weight: int = 0
    """Characters of literal text that were found."""
    gaps: int = 0


def shape_of(pieces: Iterable[Piece]) -> Shape:
    """The shape of literals and gaps in their order; neighbours of one kind become one."""
    literals = [""]
    gaps: list[Gap] = []
    was_gap = False
    for piece in pieces:
        if isinstance(piece, str):
            literals[-1] += piece
            was_gap = was_gap and not piece
        elif was_gap:
            gaps[-1] = _joined(gaps[-1], piece)
        else:
            gaps.append(piece)
            literals.append("")
            was_gap = True
    return Shape(tuple(literals), tuple(gaps))


def _joined(one: Gap, other: Gap) -> Gap:
    names = {gap.name for gap in (one, other) if gap.name}
    return Gap(None, one.hidden + other.hidden, one.lost | other.lost | names)


def template_shapes(template: str, texts: Mapping[str, str] = NO_TEXTS) -> tuple[Shape, ...]:
    """The shapes of a template, the one with most literal text first; empty when it cannot be read or is too large.

    texts: what the names in its includes stand for; an include of another name is a gap.
    """
    if "{{" not in template and "{%" not in template and "{#" not in template:
        return (Shape((template.replace("\r\n", "\n").replace("\r", "\n"),)),)
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        return ()
    simple = _simple(template)
    if simple is not None:
        return (simple,) if len(simple.gaps) <= MAX_GAPS else ()
    from ledger_tui.domain.template_shapes import flattened

    ways = flattened(template, MAX_SHAPES, texts)
    shapes = dict.fromkeys(shape_of(way) for way in ways)
    found = [shape for shape in shapes if len(shape.gaps) <= MAX_GAPS]
    return tuple(sorted(found, key=lambda shape: (-shape.weight, len(shape.gaps))))


_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_WORDS = frozenset(
    [
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "is",
        "in",
        "if",
        "else",
        "loop",
        "self",
        "super",
        "caller",
        "range",
        "dict",
        "namespace",
    ]
)


def _simple(template: str) -> Shape | None:
    """The shape of a template that has plain variables only, without a parser; None for any other."""
    pieces = _VARIABLE.split(template)
    literals, names = pieces[::2], pieces[1::2]
    if any(sign in text for text in literals for sign in ("{{", "{%", "{#")) or not _WORDS.isdisjoint(names):
        return None
    # A brace before a variable belongs to its tag.
    if any(text.endswith("{") for text in literals[:-1]):
        return None
    found: list[Piece] = []
    for at, piece in enumerate(pieces):
        found.append(Gap(piece) if at % 2 else piece.replace("\r\n", "\n").replace("\r", "\n"))
    return shape_of(found)


def fit_text(shape: Shape, text: str) -> Fit | None:
    """The values with which ``shape`` gives ``text``, or None; white space around both is forgiven when nothing else fits."""
    found = _fit(shape, text)
    if found is not None:
        return found
    trimmed, bare = shape.trimmed, text.strip()
    return None if trimmed is shape and len(bare) == len(text) else _fit(trimmed, bare)


def is_fitting(shape: Shape, text: str) -> bool:
    """Whether ``fit_text`` finds values for a shape whose gaps have no names; in a fraction of its time."""
    if _stands(shape, text):
        return True
    trimmed, bare = shape.trimmed, text.strip()
    return (trimmed is not shape or len(bare) != len(text)) and _stands(trimmed, bare)


def _stands(shape: Shape, text: str) -> bool:
    first, last = shape.literals[0], shape.literals[-1]
    if not shape.gaps:
        return text == first
    begin, end = len(first), len(text) - len(last)
    if begin > end or not text.startswith(first) or not text.endswith(last):
        return False
    return len(shape.gaps) == 1 or _leftmost(shape.literals[1:-1], text, begin, end) is not None


def fit_messages(versions: Sequence[tuple[str, Sequence[Shape]]], messages: Sequence[Message]) -> Fit | None:
    """How (role, shapes) pairs fit the first messages of a conversation; None when they do not, or when too little
    literal text says so."""
    if len(messages) < len(versions):
        return None
    values: dict[str, str] = {}
    uncertain: set[str] = set()
    weight = gaps = hidden = 0
    # From the end: versions of one prompt mostly share how they begin.
    for at in range(len(versions) - 1, -1, -1):
        (role, shapes), message = versions[at], messages[at]
        if role != message.role:
            return None
        for shape in shapes:
            fit = fit_text(shape, message.text)
            if fit is not None:
                break
        else:
            return None
        if values and any(values.get(name, value) != value for name, value in fit.values.items()):
            return None
        values |= fit.values
        uncertain |= fit.uncertain
        weight, gaps, hidden = weight + fit.weight, gaps + fit.gaps, hidden + shape.hidden
    if gaps and (weight < MIN_LITERAL or weight < hidden):
        return None
    return Fit(values, frozenset(uncertain - values.keys()), weight, gaps)


def _fit(shape: Shape, text: str) -> Fit | None:
    first, last = shape.literals[0], shape.literals[-1]
    if not shape.gaps:
        return Fit(weight=shape.weight) if text == first else None
    begin, end = len(first), len(text) - len(last)
    if begin > end or not text.startswith(first) or not text.endswith(last):
        return None
    inner = shape.literals[1:-1]
    left = _leftmost(inner, text, begin, end)
    if left is None:
        return None
    right = _rightmost(inner, text, begin, end)
    low = _spans(inner, left, begin, end)
    high = low if left == right else _spans(inner, right, begin, end)
    names = [gap.name for gap in shape.gaps]
    if len(set(names) - {None}) < sum(name is not None for name in names):
        placed = _agreeing(names, inner, text, begin, end)
        if placed is None:
            return None
        values = {name: text[a:b] for name, (a, b) in zip(names, placed, strict=True) if name}
        certain = _certain(names, inner, placed, low, high, text, begin, end)
    else:
        values = {name: text[a:b] for name, (a, b) in zip(names, low, strict=True) if name}
        certain = {name for name, one, other in zip(names, low, high, strict=True) if name and one == other}
    lost = {name for gap in shape.gaps for name in gap.lost}
    unsure = frozenset((values.keys() - certain) | (lost - certain))
    known = {name: value for name, value in values.items() if name in certain}
    return Fit(known, unsure, shape.weight, len(shape.gaps))


def _leftmost(inner: Sequence[str], text: str, begin: int, end: int) -> list[int] | None:
    places, at = [], begin
    for literal in inner:
        found = text.find(literal, at, end)
        if found < 0:
            return None
        places.append(found)
        at = found + len(literal)
    return places


def _rightmost(inner: Sequence[str], text: str, begin: int, end: int) -> list[int]:
    # From the left in the mirror: searching backwards takes the product of both lengths where texts are hostile.
    mirror, size = text[::-1], len(text)
    mirrored = _leftmost([literal[::-1] for literal in reversed(inner)], mirror, size - end, size - begin) or []
    return [size - place - len(literal) for place, literal in zip(reversed(mirrored), inner, strict=True)]


def _spans(inner: Sequence[str], places: Sequence[int], begin: int, end: int) -> list[tuple[int, int]]:
    """From and to of each gap, when the literals stand at ``places``."""
    starts = [begin, *(place + len(text) for place, text in zip(places, inner, strict=True))]
    return list(zip(starts, [*places, end], strict=True))


def _agreeing(
    names: list[str | None], inner: Sequence[str], text: str, begin: int, end: int
) -> list[tuple[int, int]] | None:
    """The first placing in which gaps of one name hold one text; None without one, or when it takes too many searches."""
    walk = _Walk(names, inner, text, begin, end)
    return walk.next()


def _certain(
    names: list[str | None],
    inner: Sequence[str],
    placed: list[tuple[int, int]],
    low: list[tuple[int, int]],
    high: list[tuple[int, int]],
    text: str,
    begin: int,
    end: int,
) -> set[str]:
    """Names whose text is the same in every placing."""
    walk = _Walk(names, inner, text, begin, end)
    walk.next()
    if walk.next() is None and not walk.tired:
        return {name for name in names if name}
    return {
        name for name, span, one, other in zip(names, placed, low, high, strict=True) if name and span == one == other
    }


class _Walk:
    """Placings of literals from the left, in which gaps of one name agree; a bounded number of searches in all."""

    def __init__(self, names: list[str | None], inner: Sequence[str], text: str, begin: int, end: int) -> None:
        self._inner, self._text, self._begin, self._end = inner, text, begin, end
        self._first = [names.index(name) if name and names.index(name) < at else None for at, name in enumerate(names)]
        self._places: list[int] = []
        self._left = _SEARCHES
        self._started = False

    @property
    def tired(self) -> bool:
        """Whether it gave up."""
        return self._left <= 0

    def next(self) -> list[tuple[int, int]] | None:
        """The next placing; None when there is no other, or no search is left."""
        retry = self._started
        self._started = True
        while self._left > 0:
            if retry:
                if not self._places:
                    return None
                at = self._places.pop() + 1
            else:
                at = self._start()
            retry = not self._place(at, moved=retry)
            if not retry and len(self._places) == len(self._inner):
                if self._ends():
                    return _spans(self._inner, self._places, self._begin, self._end)
                if not self._places:
                    return None
                retry = True
        return None

    def _start(self) -> int:
        """Where the gap begins that comes after the literals placed so far."""
        done = len(self._places)
        return self._places[-1] + len(self._inner[done - 1]) if done else self._begin

    def _place(self, at: int, *, moved: bool) -> bool:
        """Place the next literal at ``at`` or after it; True when it stands, or when all do."""
        index = len(self._places)
        if index == len(self._inner):
            return True
        self._left -= 1
        known = self._known(index)
        if known is None:
            found = self._text.find(self._inner[index], at, self._end)
        else:
            start = self._start()
            found = start + len(known)
            if moved or not self._stands(known, start) or not self._stands(self._inner[index], found):
                return False
        if found < 0:
            return False
        self._places.append(found)
        return True

    def _known(self, index: int) -> str | None:
        first = self._first[index]
        if first is None:
            return None
        a = self._begin if first == 0 else self._places[first - 1] + len(self._inner[first - 1])
        return self._text[a : self._places[first]]

    def _stands(self, literal: str, at: int) -> bool:
        return at + len(literal) <= self._end and self._text.startswith(literal, at)

    def _ends(self) -> bool:
        """Whether the last gap agrees with an earlier one of its name."""
        known = self._known(len(self._inner))
        return known is None or self._text[self._start() : self._end] == known


def ways(parts: Sequence[Sequence[list[Piece]]], limit: int) -> list[list[Piece]] | None:
    """Every combination of one way per part, as one list of pieces each; None when there are more than ``limit``."""
    count = 1
    for part in parts:
        count *= len(part)
        if count > limit:
            return None
    return [[piece for way in chosen for piece in way] for chosen in product(*parts)]
