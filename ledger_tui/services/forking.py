"""What fork() means for a process with threads: work at a bad moment ends first, and a child begins with services of its own.

Threads of ours load modules when they first need them. A child gets whatever is loaded at that moment: a module that is half
loaded stays so for ever. fork() therefore waits until no other thread loads one.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import weakref
from typing import Protocol

LOADING_WAIT_S = 10.0
"""How long fork() waits at most for modules that other threads load."""
_LOOK_S = 0.001
_PAIRED = {"logging": ("_lock", "LogRecord"), "concurrent.futures.thread": ("_global_shutdown_lock", "_WorkItem")}
"""Modules that take a lock before every fork() and release it in the parent, and the first name that they define after they
asked for that. One that is loaded while fork() waits comes too late to take its lock, and would fail to release it."""


class Forking(Protocol):
    """Something that holds threads, locks or descriptors."""

    def before_fork(self) -> threading.Lock | None:
        """Get ready; a lock, acquired, that is to be held until the fork is done."""

    def after_fork(self) -> None:
        """In a child: begin anew."""


_live: weakref.WeakSet[Forking] = weakref.WeakSet()
_held: list[threading.Lock] = []


def watch(one: Forking) -> None:
    """Tell ``one`` of every fork() from now on, as long as it lives."""
    _live.add(one)


def loading_elsewhere() -> list[str]:
    """Names of the modules that other threads are loading.

    The interpreter tells nobody, but keeps a lock with an owner for each (``importlib._bootstrap``, since Python 3.3).
    """
    locks: dict[str, weakref.ref[threading.Lock]] = getattr(getattr(importlib, "_bootstrap", None), "_module_locks", {})
    me = threading.get_ident()
    owners = ((name, getattr(lock(), "owner", None)) for name, lock in list(locks.items()))
    return [name for name, owner in owners if owner not in (None, me)]


def _before() -> None:
    late = [name for name in _PAIRED if not _is_paired(name)]
    for one in list(_live):
        if (lock := one.before_fork()) is not None:
            _held.append(lock)
    until = time.monotonic() + LOADING_WAIT_S
    while loading_elsewhere() and time.monotonic() < until:
        time.sleep(_LOOK_S)
    for name in late:
        if _is_paired(name):
            getattr(sys.modules[name], _PAIRED[name][0]).acquire()


def _is_paired(name: str) -> bool:
    """Whether a module, though it may still be loading, has asked to be told of every fork()."""
    return hasattr(sys.modules.get(name), _PAIRED[name][1])


def _after_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_in_child() -> None:
    _held.clear()
    for one in list(_live):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
