"""Identities: two machines that mean the same prompt or version make the same id; facts get time-ordered ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from random import Random

from ledger_tui.domain import clock

NAMESPACE = "5f0a4c66-3c0b-5d0e-9a58-6b1f0c7d2e41"


def prompt_id(name: str) -> str:
    """UUIDv5 of a prompt's name."""
    return _uuid5(NAMESPACE, "prompt:" + name)


def version_id(prompt: str, sha256_hex: str) -> str:
    """UUIDv5 of a prompt id and the sha256 of its canonical content."""
    return _uuid5(prompt, sha256_hex)


def _uuid5(namespace: str, name: str) -> str:
    import uuid

    return str(uuid.uuid5(uuid.UUID(namespace), name))


def new_id(now_us: int | None = None) -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds (of ``now_us`` when the caller knows it), then random bits."""
    # Put together as text: a UUID object costs more than all the rest, and every span has two ids.
    global _latest
    milliseconds = (clock.now_us() if now_us is None else now_us) // 1_000
    moment, head = _latest
    if moment != milliseconds:
        digits = f"{max(0, milliseconds) & ((1 << 48) - 1):012x}"
        head = f"{digits[:8]}-{digits[8:]}-7"
        _latest = (milliseconds, head)
    digits = f"{_random_bits(76):019x}"
    return f"{head}{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:]}"


_latest: tuple[object, str] = (None, "")
"""A millisecond and how its ids begin; replaced as a whole, for threads."""
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_random_bits: Callable[[int], int]


def _begin() -> None:
    """Seed from the system, in a forked child again: ids must differ from those of every other process."""
    global _random_bits
    _random_bits = Random(int.from_bytes(os.urandom(64), "big")).getrandbits


_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


class _EveryMoment:
    """A millisecond that is like any other."""

    def __ne__(self, other: object) -> bool:
        return False


@contextmanager
def counted() -> Iterator[None]:
    """Count ids instead of drawing them inside the block: they are the same in every run of a test.

    Ids that the store makes for itself are counted apart, so that moving a span into the database changes no other.
    """
    global _latest, _random_bits
    counts = {False: count(1), True: count(1)}

    def next_number(bits: int) -> int:
        caller = sys._getframe(2).f_globals.get("__name__", "")
        own = caller.startswith("ledger_tui.store")
        return next(counts[own]) + (own << 64)

    before, _random_bits = _random_bits, next_number
    _latest = (_EveryMoment(), "00000000-0000-7")
    try:
        yield
    finally:
        _random_bits, _latest = before, (None, "")
