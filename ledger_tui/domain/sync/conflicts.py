"""What holds when several people wrote one register at once: candidates, and which of them counts. All from facts in one order.

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
