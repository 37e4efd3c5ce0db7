"""Identities: two machines that mean the same prompt or version make the same id; facts get time-ordered ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count

from ledger_tui.domain import clock

NAMESPACE = "5f0a4c66-3c0b-5d0e-9a58-6b1f0c7d2e41"


@lru_cache(maxsize=4096)
def prompt_id(name: str) -> str:
    """UUIDv5 of a prompt's name; remembered, for every call and fact of a prompt asks for it."""
    return _uuid5(NAMESPACE, "prompt:" + name)


def version_id(prompt: str, sha256_hex: str) -> str:
    """UUIDv5 of a prompt id and the sha256 of its canonical content."""
    return _uuid5(prompt, sha256_hex)


def _uuid5(namespace: str, name: str) -> str:
    import uuid

    return str(uuid.uuid5(uuid.UUID(namespace), name))


def new_id(now_us: int | None = None) -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds (of ``now_us`` when the caller knows it), 26 bits of this process,
    and a count of 48 bits that begins anywhere, so that ids of one moment keep their order too."""
    # Put together as text: a UUID object costs more than all the rest, and every span has two ids.
    global _latest
    milliseconds = (clock.now_us() if now_us is None else now_us) // 1_000
    moment, head = _latest
    if moment != milliseconds:
        digits = f"{max(0, milliseconds) & _48_BITS:012x}"
        head = f"{digits[:8]}-{digits[8:]}-{_process}"
        _latest = (milliseconds, head)
    return f"{head}{_next() & _48_BITS:012x}"


_48_BITS = (1 << 48) - 1
_latest: tuple[object, str] = (None, "")
"""A millisecond and how its ids begin; replaced as a whole, for threads."""
_process: str
_next: Callable[[], int]


def _begin() -> None:
    """Begin anywhere, in a forked child again: ids must differ from those of every other process."""
    global _latest, _process, _next
    digits = os.urandom(16).hex()
    _process = f"7{digits[:3]}-{'89ab'[int(digits[3], 16) & 3]}{digits[4:7]}-"
    _next = count(int(digits[20:], 16)).__next__
    _latest = (None, "")


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
    global _latest, _next
    counts = {False: count(1), True: count(1)}

    def next_number() -> int:
        caller = sys._getframe(2).f_globals.get("__name__", "")
        own = caller.startswith("ledger_tui.store")
        number: int = next(counts[own]) + (own << 44)
        return number

    before, _next = _next, next_number
    _latest = (_EveryMoment(), "00000000-0000-7000-8000-")
    try:
        yield
    finally:
        _next, _latest = before, (None, "")
