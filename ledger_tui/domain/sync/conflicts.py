"""What holds when several people wrote at once: registers with candidates, versions with heads. All from facts in one order.

The order is that of the shared server (``commit_seq``), and after it the local order of what was not accepted yet; no clock
takes part. Every function sorts for itself and counts a repeated fact once, so that the order of arrival cannot matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

PROTECTED = ("production",)
"""Labels that only move by a fact which saw every candidate, unless settings say otherwise."""


class Fact(NamedTuple):
    """One value of a register; ``base`` are the rids of the facts that its writer saw as its present values."""

    rid: str
    value: str
    """JSON text."""
    base: tuple[str, ...]
    commit_seq: int | None
    seq: int
    """The order in the local file, for facts without ``commit_seq``."""


class Register(NamedTuple):
    """What a register holds."""

    rid: str
    """The fact that gave it its value."""
    value: str
    candidates: tuple[str, ...]
    """Rids of the facts that nobody superseded, in order; a fact that resolves names them all as its base."""
    contested: tuple[str, ...]
    """Those of them whose value is not the one that holds: what people have to decide."""


class VersionFact(NamedTuple):
    """One version and the versions it was written on."""

    version_id: str
    parents: tuple[str, ...]
    commit_seq: int | None
    seq: int


class VersionTree(NamedTuple):
    """The versions of one prompt."""

    numbers: dict[str, int]
    """Each version's number: its rank in the order, from 1."""
    provisional: frozenset[str]
    """Versions that the server has not numbered yet: their numbers can still move once."""
    heads: tuple[str, ...]
    """Versions that no version was written on, in order."""
    served: str
    """The head to serve while no label decides: the one with the longest line of ancestors, then the first accepted."""


def order_key(commit_seq: int | None, seq: int) -> tuple[bool, int, int]:
    """What facts are sorted by, everywhere."""
    return (commit_seq is None, commit_seq or 0, seq)


def _in_order(facts: Iterable[Fact]) -> list[Fact]:
    seen: set[str] = set()
    found = []
    for fact in sorted(facts, key=lambda fact: order_key(fact.commit_seq, fact.seq)):
        if fact.rid not in seen:
            seen.add(fact.rid)
            found.append(fact)
    return found


def register(facts: Iterable[Fact], *, protected: bool = False) -> Register | None:
    """What a register of these facts holds; None for no facts.

    An ordinary one holds the last candidate. A protected one keeps what it has until a fact comes that saw every candidate.
    """
    ordered = _in_order(facts)
    if not ordered:
        return None
    named: set[str] = set()
    candidates: list[Fact] = []
    holder = ordered[0]
    for fact in ordered:
        saw_all = {candidate.rid for candidate in candidates} <= set(fact.base)
        named.update(fact.base)
        candidates = [candidate for candidate in [*candidates, fact] if candidate.rid not in named]
        if saw_all and fact.rid not in named:
            holder = fact
    if not protected:
        holder = candidates[-1] if candidates else ordered[-1]
    contested = tuple(candidate.rid for candidate in candidates if candidate.value != holder.value)
    return Register(holder.rid, holder.value, tuple(candidate.rid for candidate in candidates), contested)


def is_protected(kind: str, field: str, labels: Collection[str] = PROTECTED) -> bool:
    """Whether a register of this kind and name keeps its first value."""
    return kind == "label" and field in labels


def versions(facts: Iterable[VersionFact]) -> VersionTree | None:
    """The versions of one prompt; None for no facts.

    A version counts from its first fact. A parent counts when it came before: the same content written again elsewhere, in
    another order, must not make two versions each other's parents.
    """
    numbers: dict[str, int] = {}
    provisional: set[str] = set()
    generation: dict[str, int] = {}
    parents_seen: set[str] = set()
    for fact in sorted(facts, key=lambda fact: order_key(fact.commit_seq, fact.seq)):
        known = [parent for parent in fact.parents if parent in numbers and parent != fact.version_id]
        if fact.version_id not in numbers:
            numbers[fact.version_id] = len(numbers) + 1
            generation[fact.version_id] = 1 + max((generation[parent] for parent in known), default=0)
            if fact.commit_seq is None:
                provisional.add(fact.version_id)
        parents_seen.update(parent for parent in known if numbers[parent] < numbers[fact.version_id])
    if not numbers:
        return None
    heads = tuple(version for version in numbers if version not in parents_seen)
    served = min(heads, key=lambda version: (-generation[version], numbers[version]))
    return VersionTree(numbers, frozenset(provisional), heads, served)
