"""Positions in a stream's history, proven by a hash chain: two ends at one position have the same past."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class Position(NamedTuple):
    """How far a history is known: the number of its last record, and the chain of everything up to it (hex)."""

    seq: int
    chain: str


START = Position(0, "")
"""Nothing is known; every history begins so."""


def extend(chain: str, hashes: Iterable[str]) -> str:
    """The chain after one push: sha256(chain ‖ sha256(hash₁ ‖ hash₂ ‖ …)) over raw bytes, in hex. '' begins a history."""
    inner = hashlib.sha256()
    for found in hashes:
        inner.update(bytes.fromhex(found))
    return hashlib.sha256(bytes.fromhex(chain) + inner.digest()).hexdigest()


def farther(one: Position, other: Position) -> Position:
    """The position with the higher number."""
    return other if other.seq > one.seq else one
