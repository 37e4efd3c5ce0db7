"""Digests: what is in a stream, in 256 small cells, so that two ends find in one exchange whether and where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ledger_tui.domain.sync.chain import Position
from ledger_tui.domain.sync.records import Record, Stream, cost_of


class Cell(NamedTuple):
    """Records whose hash begins with one byte: how many, the exclusive or of their hashes' first 8 bytes, their cost.

    ``xor`` is an unsigned 64-bit number, big end first; ``cost_nusd`` adds ``records.cost_of``.
    """

    records: int
    xor: int
    cost_nusd: int


Digest = Mapping[int, Cell]
"""The first byte of the hash (0 to 255) to its cell; an empty cell is left out."""


def digest_of(records: Iterable[Record]) -> dict[int, Cell]:
    """The digest of records; their order does not matter."""
    return digest_of_hashes((record.hash, cost_of(record)) for record in records)


def digest_of_hashes(pairs: Iterable[tuple[str, int]]) -> dict[int, Cell]:
    """The digest of (hash, cost in nano-dollars) pairs."""
    found: dict[int, list[int]] = {}
    for record_hash, cost in pairs:
        cell = found.setdefault(int(record_hash[:2], 16), [0, 0, 0])
        cell[0] += 1
        cell[1] ^= int(record_hash[:16], 16)
        cell[2] += cost
    return {bucket: Cell(*cell) for bucket, cell in sorted(found.items())}


def merged(digests: Iterable[Digest]) -> dict[int, Cell]:
    """The digest of everything that several digests are of."""
    found: dict[int, Cell] = {}
    for digest in digests:
        for bucket, cell in digest.items():
            was = found.get(bucket, Cell(0, 0, 0))
            found[bucket] = Cell(was.records + cell.records, was.xor ^ cell.xor, was.cost_nusd + cell.cost_nusd)
    return dict(sorted(found.items()))


def differing(mine: Digest, theirs: Digest) -> list[int]:
    """The first bytes of hashes where the two ends differ, in order; empty when they agree."""
    return [bucket for bucket in range(256) if mine.get(bucket) != theirs.get(bucket)]


def short(digests: Mapping[str, Digest]) -> str:
    """Four hex digits for people: equal on two ends that hold the same records in these streams."""
    lines = [
        f"{stream} {bucket} {cell.records} {cell.xor} {cell.cost_nusd}"
        for stream, digest in sorted(digests.items())
        for bucket, cell in sorted(digest.items())
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:4]


def agreement(positions: Mapping[Stream, Position]) -> str:
    """Four hex digits of a common past: equal on all devices that are at the same positions of the same histories.

    For a device that has nothing pending and nothing in quarantine it says what ``short`` says, without reading a record.
    """
    lines = [f"{stream} {position.seq} {position.chain}" for stream, position in sorted(positions.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:4]
