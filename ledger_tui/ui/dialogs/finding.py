"""Fuzzy finding for the palette: pure, quick enough to run on every keystroke over some thousand entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """Something the palette offers. ``title`` and ``detail`` may hold foreign text."""

    kind: str
    title: str
    detail: str
    run: Callable[[], Any]
    folded: str = field(default="", compare=False)

    @classmethod
    def of(cls, kind: str, title: str, detail: str, run: Callable[[], Any]) -> Entry:
        """An entry with its text ready for finding."""
        return cls(kind, title, detail, run, f"{title} {detail}".casefold())


def score(needle: str, hay: str) -> float:
    """How well ``needle`` is found in ``hay`` (both folded): 0 for not at all; a whole word beats a part, a part beats letters."""
    if not needle:
        return 1.0
    at = hay.find(needle)
    if at >= 0:
        starts_word = at == 0 or not hay[at - 1].isalnum()
        return (60.0 if starts_word else 40.0) + 20.0 * len(needle) / len(hay) - min(at, 40) / 8
    position, runs, gaps, before = 0, 0, 0, -2
    for char in needle:
        if char == " ":
            continue
        position = hay.find(char, position)
        if position < 0:
            return 0.0
        if position != before + 1:
            runs += 1
            gaps += 0 if position == 0 or not hay[position - 1].isalnum() else 1
        before = position
        position += 1
    return max(0.5, 20.0 - 3 * runs - 4 * gaps)


def find(text: str, entries: Iterable[Entry], limit: int = 80) -> list[Entry]:
    """The best ``limit`` entries; every word of ``text`` has to be found. Equal scores keep the given order."""
    words = text.casefold().split()
    if not words:
        return list(entries)[:limit]
    scored: list[tuple[float, int, Entry]] = []
    for number, entry in enumerate(entries):
        total = 0.0
        for word in words:
            one = score(word, entry.folded)
            if not one:
                break
            total += one
        else:
            scored.append((-total, number, entry))
    scored.sort(key=lambda item: item[:2])
    return [entry for _, _, entry in scored[:limit]]
