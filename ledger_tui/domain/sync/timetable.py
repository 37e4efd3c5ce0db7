"""When a program that runs for long exchanges next: pure, by a clock that never goes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger_tui.domain.sync.plan import BACKOFF_LONGEST_S, backoff_s
from ledger_tui.domain.sync.records import Stream


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between exchanges. ``front``: somebody looks at the program; ``behind``: nobody does."""

    front_s: float = 15.0
    behind_s: float = 300.0
    gather_front_s: float = 5.0
    """How long numbers and texts are gathered before they go; what was decided about prompts goes at once."""
    gather_behind_s: float = 30.0
    elsewhere_s: float = 3.0
    """After another program was found at it."""
    heard_s: float = 1.0
    """Up to so long after a colleague was heard: not everybody at once."""
    soonest_s: float = 0.5
    """Between a failure and the next attempt, at least."""


class Timetable:
    """The moment of the next exchange. Not thread-safe."""

    def __init__(self, pace: Pace, chance: Callable[[], float]) -> None:
        """chance: a number from 0 to 1 each time, which spreads many programs out."""
        self.pace = pace
        self.in_front = True
        self.failures = 0
        """Failed exchanges in a row."""
        self.due_s = 0.0
        self._chance = chance
        self._left: Mapping[Stream, int] = {}
        """What waited after the last exchange that ended well: it cannot go, or it would have."""

    @property
    def period_s(self) -> float:
        """Seconds between two exchanges while nothing happens, without their spread."""
        return self.pace.front_s if self.in_front else self.pace.behind_s

    def ask(self, now_s: float) -> None:
        """Somebody wants an exchange now."""
        self.due_s = min(self.due_s, now_s)

    def hear(self, now_s: float) -> None:
        """The server told that a colleague changed something."""
        if not self.failures:
            self.due_s = min(self.due_s, now_s + self.pace.heard_s * self._chance())

    def begin_anew(self, now_s: float) -> None:
        """Earlier failures say nothing any more: the network, the password or the hour are others."""
        self.failures = 0
        self.ask(now_s)

    def come_to_front(self, now_s: float, in_front: bool) -> None:
        """Somebody looks at the program now, or no longer. Coming to the front, what is older than a period is due."""
        was, self.in_front = self.in_front, in_front
        if in_front and not was and not self.failures:
            self.due_s = min(self.due_s, now_s + self._spread(self.pace.front_s))

    def waits(self, now_s: float, waiting: Mapping[Stream, int]) -> None:
        """What waits to go. More than was left over brings the next exchange nearer, unless the last one failed."""
        more = {stream for stream, count in waiting.items() if count > self._left.get(stream, 0)}
        if not more or self.failures:
            return
        gather_s = self.pace.gather_front_s if self.in_front else self.pace.gather_behind_s
        self.due_s = min(self.due_s, now_s + (0.0 if "meta" in more else gather_s))

    def ended(self, now_s: float, left: Mapping[Stream, int]) -> None:
        """An exchange ended well, and this waits still."""
        self.failures = 0
        self._left = dict(left)
        self.due_s = now_s + self._spread(self.period_s)

    def failed(self, now_s: float, *, hopeless: bool) -> None:
        """An exchange failed. hopeless: trying again soon does not help, somebody has to do something."""
        self.failures += 1
        wait_s = self._spread(BACKOFF_LONGEST_S) if hopeless else backoff_s(self.failures, self._chance())
        self.due_s = now_s + max(self.pace.soonest_s, wait_s)

    def elsewhere(self, now_s: float) -> None:
        """Another program is at it."""
        self.due_s = now_s + self._spread(self.pace.elsewhere_s)

    def _spread(self, seconds: float) -> float:
        return seconds * (0.8 + 0.4 * self._chance())
