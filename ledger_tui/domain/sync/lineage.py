"""Which versions of a prompt stand beside each other: their facts, each with the facts it was written on, as one graph.

A version's id says its content only, so the graph is one of facts: whoever keeps a version that is there already, against
another one, writes a fact of that version which names both. **Heads** are the versions of facts that no other names.
Facts of before ledgers could be shared name nothing; those of one device form one line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ledger_tui.domain.sync import bodies
from ledger_tui.domain.sync.conflicts import order_key


class VersionFact(NamedTuple):
    """One saving of a version."""

    rid: str
    version_id: str
    base: tuple[str, ...] | None
    """Rids of the facts that its writer saw: those of the versions it stands on, and of the prompt's archiving. None for a
    fact of before."""
    commit_seq: int | None
    seq: int
    """The order in the local file, for facts without ``commit_seq``."""
    based_on: str | None = None
    """The version whose text was edited."""
    device: str = ""

    @classmethod
    def of_row(
        cls, rid: str, version_id: str, value: str, base: str, commit_seq: int | None, seq: int, device: str
    ) -> VersionFact:
        """From the columns of a row of `journal`; ``value`` and ``base`` are its JSON texts."""
        said = bodies.version_lineage(value)
        named = None if said is None else tuple(json.loads(base))
        based_on = bodies.edited_from(value) if said is None else said.base
        return cls(rid, version_id, named, commit_seq, seq, based_on, device)


class VersionTree(NamedTuple):
    """The versions of one prompt."""

    numbers: dict[str, int]
    """Each version's number: its rank in the order, from 1."""
    provisional: frozenset[str]
    """Versions that the server has not numbered yet: their numbers can still move once."""
    heads: tuple[str, ...]
    """Versions of facts that no fact was written on, in order."""
    candidates: tuple[str, ...]
    """Rids of those facts, in order: two people may have written one head."""
    served: str
    """The head to serve while no label decides: the one with the longest line of ancestors, then the first accepted."""


class Lineage:
    """The facts of one prompt's versions in order, and what each stands on."""

    def __init__(self, facts: Iterable[VersionFact]) -> None:
        self.facts: dict[str, VersionFact] = {}
        for fact in sorted(facts, key=lambda fact: order_key(fact.commit_seq, fact.seq)):
            self.facts.setdefault(fact.rid, fact)
        self._on = self._edges()
        named = {rid for below in self._on.values() for rid in below}
        # Facts that name each other in a circle, which only a hostile writer makes, must not leave a prompt without a head.
        self.candidates = tuple(rid for rid in self.facts if rid not in named) or tuple(list(self.facts)[-1:])

    def _edges(self) -> dict[str, tuple[str, ...]]:
        edges: dict[str, tuple[str, ...]] = {}
        before = _Before()
        for fact in self.facts.values():
            if fact.base is None:
                edges[fact.rid] = before.of(fact)
                before.add(fact)
            else:
                edges[fact.rid] = tuple(rid for rid in fact.base if rid in self.facts and rid != fact.rid)
        return edges

    def heads(self) -> tuple[str, ...]:
        """Versions of the candidates, each once."""
        return tuple(dict.fromkeys(self.facts[rid].version_id for rid in self.candidates))

    def seen(self, rids: Iterable[str]) -> set[str]:
        """These facts and all they stand on, directly or not."""
        found: set[str] = set()
        left = [rid for rid in rids if rid in self.facts]
        while left:
            rid = left.pop()
            if rid not in found:
                found.add(rid)
                left += self._on[rid]
        return found

    def depths(self) -> dict[str, int]:
        """How long the line below each fact is, itself included."""
        depths: dict[str, int] = {}
        for rid in self.facts:
            depths[rid] = 1 + max((depths.get(below, 0) for below in self._on[rid]), default=0)
        return depths

    def tree(self) -> VersionTree:
        """Numbers, heads and the head to serve. There is a fact at least."""
        numbers: dict[str, int] = {}
        provisional: set[str] = set()
        for fact in self.facts.values():
            if fact.version_id not in numbers:
                numbers[fact.version_id] = len(numbers) + 1
                if fact.commit_seq is None:
                    provisional.add(fact.version_id)
        depths, heads = self.depths(), self.heads()
        deepest: dict[str, int] = {}
        for rid in self.candidates:
            version_id = self.facts[rid].version_id
            deepest[version_id] = max(depths[rid], deepest.get(version_id, 0))
        served = min(heads, key=lambda version: (-deepest[version], numbers[version]))
        return VersionTree(numbers, frozenset(provisional), heads, self.candidates, served)

    def common(self, mine: str, theirs: str) -> str | None:
        """The nearest version that both heads (ids of versions) stand on; None where they have nothing in common."""
        both = self.seen(self._of(mine)) & self.seen(self._of(theirs))
        # Where each was kept against the other once, both stand on both: what they had in common before is what helps.
        shared = {rid for rid in both if self.facts[rid].version_id not in (mine, theirs)}
        if not shared:
            return None
        depths, places = self.depths(), {rid: place for place, rid in enumerate(self.facts)}
        return self.facts[max(shared, key=lambda rid: (depths[rid], places[rid]))].version_id

    def line_of(self, based_on: str | None, active: str | None) -> tuple[str, ...]:
        """The candidates that a version written now stands on: of the head whose text was edited, or the only one above it, or
        the active one; else of the last."""
        if len(self.heads()) <= 1:
            return self.candidates
        above = {
            self.facts[rid].version_id
            for rid in self.candidates
            if any(self.facts[below].version_id == based_on for below in self.seen([rid]))
        }
        chosen = self.facts[self.candidates[-1]].version_id
        if based_on in self.heads():
            chosen = str(based_on)
        elif len(above) == 1:
            chosen = above.pop()
        elif active in self.heads():
            chosen = str(active)
        return tuple(self._of(chosen))

    def _of(self, version_id: str) -> list[str]:
        """The candidates of a version."""
        return [rid for rid in self.candidates if self.facts[rid].version_id == version_id]

    def written_meanwhile(self, archivings: Mapping[str, Collection[str]]) -> tuple[str, ...]:
        """Facts whose writers did not see that the prompt was archived, and which those who archived it did not see.

        archivings: what each of these facts (by rid) named. One that names no version was written before ledgers could be shared
        and saw everything.
        """
        if any(not self.facts.keys() & set(base) for base in archivings.values()):
            return ()
        known = self.seen(rid for base in archivings.values() for rid in base)
        aware = {rid for rid, fact in self.facts.items() if not archivings.keys().isdisjoint(fact.base or ())}
        return tuple(rid for rid in self.facts if rid not in known and not aware & self.seen([rid]))


def versions(facts: Iterable[VersionFact]) -> VersionTree | None:
    """The versions of one prompt; None for no facts."""
    lineage = Lineage(facts)
    return lineage.tree() if lineage.facts else None


class _Before:
    """What facts of before stand on: the last one of their device, the last one while a ledger has no server, what was edited."""

    def __init__(self) -> None:
        self._of_device: dict[str, str] = {}
        self._of_version: dict[str, str] = {}
        self._alone: str | None = None

    def add(self, fact: VersionFact) -> None:
        self._of_device[fact.device] = self._of_version[fact.version_id] = fact.rid
        self._alone = fact.rid if fact.commit_seq is None else self._alone

    def of(self, fact: VersionFact) -> tuple[str, ...]:
        found = [self._of_device.get(fact.device), self._of_version.get(fact.based_on or "")]
        if fact.commit_seq is None:
            found.append(self._alone)
        return tuple(dict.fromkeys(rid for rid in found if rid is not None))
