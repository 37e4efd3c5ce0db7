"""What fork() and the end of the process mean for spools: a batch ends first, and a child begins with spools of its own."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from ledger_tui.services.spooling import Spooler

_live: weakref.WeakSet[Spooler] = weakref.WeakSet()
_held: list[threading.Lock] = []


def watch(spooler: Spooler) -> None:
    """Tell ``spooler`` of every fork() from now on, and of the end."""
    _live.add(spooler)


def close_all() -> None:
    """Close every spooler of this process."""
    for one in list(_live):
        one.close()


def _before() -> None:
    for one in list(_live):
        if (lock := one.before_fork()) is not None:
            _held.append(lock)


def _after_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_in_child() -> None:
    _held.clear()
    for one in list(_live):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
