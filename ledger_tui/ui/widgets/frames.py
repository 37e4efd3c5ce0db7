"""Turns for widgets that stream: one is drawn at a time, so that no frame of the screen has to draw them all."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol
from weakref import WeakKeyDictionary

TURN_S = 1 / 60


class Drawer(Protocol):
    """Something that wants to be drawn now and then."""

    def draw_frame(self) -> None:
        """Draw what has come since the last turn."""
        ...


class Turns:
    """Who asked first is drawn first, one every 1/60 s: a lone widget at 30 frames a second or more, four at 15."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Drawer] = deque()
        self._running = False
        self._rest_s = 1 / 30

    def ask(self, drawer: Drawer) -> None:
        """Give ``drawer`` one turn soon. The caller asks once a turn."""
        self._queue.append(drawer)
        if not self._running:
            self._running = True
            self._loop.call_later(self._rest_s, self._turn)

    def _turn(self) -> None:
        drawer = self._queue.popleft()
        self._running = bool(self._queue)
        if self._running:
            self._loop.call_later(TURN_S, self._turn)
        drawer.draw_frame()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """The turns of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _turns.get(loop)
    if found is None:
        found = _turns[loop] = Turns(loop)
    return found
