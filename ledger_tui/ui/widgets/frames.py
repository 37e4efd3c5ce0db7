"""Turns for widgets that stream: one is drawn at a time, and the event loop stays free for most of the time.

Drawing a column that scrolls takes the compositor some milliseconds, all columns at once would take longer than a frame.
So widgets wait in a line, and how busy this thread was since the last turn decides when the next one comes: a lone widget
gets about thirty frames a second, four of them or a slow machine fewer, and keys are heard in any case.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol
from weakref import WeakKeyDictionary

FRAME_S = 1 / 30
SHORTEST_S, LONGEST_S = 1 / 120, 1 / 8
BUSY = 0.4
"""The share of its time that the event loop may work while answers stream."""
_QUIET_S = 1.0


class Drawer(Protocol):
    """Something that wants to be drawn now and then."""

    def draw_frame(self) -> None:
        """Draw what has come since the last turn."""
        ...

    def call_after_refresh(self, callback: Callable[[], None]) -> bool:
        """Call ``callback`` when it is on the screen; False when that will never be."""
        ...


class Turns:
    """Who asked first is drawn first, the next one when that is on the screen.

    While anything streams, objects that were there before are left out of garbage collection: looking at all objects
    of a large program takes ten frames.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Drawer] = deque()
        self._running = self._streaming = False
        self._pause_s = SHORTEST_S
        self._at = self._worked = 0.0

    def ask(self, drawer: Drawer) -> None:
        """Give ``drawer`` one turn soon. The caller asks once a turn."""
        self._queue.append(drawer)
        if not self._running:
            self._begin()
            self._loop.call_later(max(self._pause_s, self._at + FRAME_S - time.monotonic()), self._turn)

    def _begin(self) -> None:
        self._running = True
        if not self._streaming:
            self._streaming = True
            gc.freeze()
            self._loop.call_later(_QUIET_S, self._perhaps_end)

    def _perhaps_end(self) -> None:
        self._streaming = self._running or time.monotonic() - self._at < _QUIET_S
        if self._streaming:
            self._loop.call_later(_QUIET_S, self._perhaps_end)
        else:
            gc.unfreeze()

    def _turn(self) -> None:
        self._pace()
        drawer = self._queue.popleft()
        drawer.draw_frame()
        if not drawer.call_after_refresh(self._painted):
            self._painted()

    def _painted(self) -> None:
        self._running = bool(self._queue)
        if self._running:
            self._loop.call_later(self._pause_s, self._turn)

    def _pace(self) -> None:
        now, worked = time.monotonic(), time.thread_time()
        passed = now - self._at
        if passed < _QUIET_S:
            busy = (worked - self._worked) / passed if passed else 1.0
            self._pause_s = min(LONGEST_S, max(SHORTEST_S, self._pause_s * (1.2 if busy > BUSY else 0.85)))
        else:
            self._pause_s = SHORTEST_S
        self._at, self._worked = now, worked


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """The turns of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _turns.get(loop)
    if found is None:
        found = _turns[loop] = Turns(loop)
    return found
