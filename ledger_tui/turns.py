"""How the threads of a workstation take turns, so that work in one never keeps the screen of another waiting.

Python lets one thread run at a time, and takes its turn away after the switch interval. A thread that lets go by itself again and
again for an instant, as one does with every row that SQLite reads or writes, is never asked to: whoever waits begins to wait anew
each time, and wakes up too late. So such a thread stands aside for a moment of its own accord.
"""

from __future__ import annotations

import gc
import math
import sys
import time

_EVERY_S = 0.003
_MOMENT_S = 0.0001
"""Long enough for another thread to wake up."""
_every_s = math.inf


def collect_seldom() -> None:
    """Importing makes many objects and hardly any garbage: the usual threshold would look them through dozens of times."""
    gc.set_threshold(50_000, 20, 50)


def take_turns() -> None:
    """From now on a thread of this process that wants its turn gets it within milliseconds."""
    global _every_s
    sys.setswitchinterval(0.001)
    _every_s = _EVERY_S


class Turn:
    """A thread's turn at work that lets go of the interpreter in between."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def pass_on(self) -> None:
        """Let others in when it is time; costs nothing in programs whose threads do not take turns."""
        if _every_s is not math.inf and time.perf_counter() - self._since > _every_s:
            time.sleep(_MOMENT_S)
            self._since = time.perf_counter()
