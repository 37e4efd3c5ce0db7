"""What fork() and the end of the process mean for spools: a batch ends first, and a child begins with spools of its own."""

from __future__ import annotations

import os
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from ledger_tui.services.spooling import Spooler

_live: weakref.WeakSet[Spooler] = weakref.WeakSet()
_held: list[threading.Lock] = []
_PAIRED = {"logging": ("_lock", "LogRecord"), "concurrent.futures.thread": ("_global_shutdown_lock", "_WorkItem")}
"""Modules that take a lock before every fork() and release it in the parent, and the first name that they define after they
asked for that. One that the drain loads while fork() waits for it comes too late to take its lock, and would fail to release
it."""


def watch(spooler: Spooler) -> None:
    """Tell ``spooler`` of every fork() from now on, and of the end."""
    _live.add(spooler)


def close_all() -> None:
    """Close every spooler of this process."""
    for one in list(_live):
        one.close()


def _before() -> None:
    late = [name for name in _PAIRED if not _is_paired(name)]
    for one in list(_live):
        if (lock := one.before_fork()) is not None:
            _held.append(lock)
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
