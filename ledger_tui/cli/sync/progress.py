"""How far an exchange is, as one line on standard error that is written over; nothing where nobody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ledger_tui.cli.progress import ProgressLine
from ledger_tui.cli.sync.words import STREAM_WORDS

if TYPE_CHECKING:
    from ledger_tui.sync.engine import Progress

_DOING = {"send": "sent", "receive": "received", "compare": "compared"}


class SyncLine(ProgressLine):
    """A progress line that is told what an exchange tells."""

    def __init__(self, waiting_for: str) -> None:
        """waiting_for: shown until there is something to count."""
        super().__init__("")
        self._waiting_for = waiting_for

    def __enter__(self) -> Self:
        self.note(self._waiting_for)
        return self

    def __call__(self, progress: Progress) -> None:
        """Show where the exchange stands."""
        self.noun = f"{STREAM_WORDS[progress.stream][1]} {_DOING.get(progress.doing, progress.doing)}"
        self.told(progress.done, progress.total)
