"""Keeps what is known of the drift of code prompts fresh: looks in a thread, again when HEAD, a file or the registry changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.domain.drift import DriftRow, Matrix
    from ledger_tui.ui.place import Place

EVERY_S = 2.0


class DriftWatch:
    """The last matrix, and who hears of a new one. Nothing runs and nothing is loaded before there is a code prompt."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._wake = asyncio.Event()
        self._stale = True
        self._stamp: Any = None
        self._running = False
        self.matrix: Matrix | None = None
        """What was seen last, None before the first look and where it failed."""
        self.heard: list[Callable[[Matrix | None], Any]] = []
        """Called with each new matrix."""

    @property
    def folder(self) -> Path:
        """Where the code is: the setting's folder, else where the workstation was started."""
        given = str(self._place.ledger.settings.code_folder)
        try:
            return Path(given).expanduser().absolute() if given else Path.cwd()
        except (OSError, RuntimeError):
            return Path("/")

    def row(self, name: str) -> DriftRow | None:
        """What is known of a prompt."""
        rows = self.matrix.rows if self.matrix is not None else ()
        return next((row for row in rows if row.name == name), None)

    def start(self) -> None:
        """Begin to look, and go on as long as the workstation runs; a second call does nothing."""
        if not self._running:
            self._running = True
            # The function, not its coroutine: a worker that never starts leaves nothing behind.
            begin: Any = self._run
            self._place.run_worker(begin, group="watch", exit_on_error=False)

    def look_again(self) -> None:
        """Something changed in the ledger or the settings."""
        self._stale = True
        self._wake.set()

    def take(self, matrix: Matrix | None, stamp: Any = None) -> None:
        """Somebody looked."""
        self.matrix, self._stamp, self._stale = matrix, stamp, False
        for hear in list(self.heard):
            hear(matrix)

    async def _run(self) -> None:
        await self._place.app.opened.wait()
        while True:
            stale, self._stale = self._stale, False
            try:
                found = await asyncio.to_thread(self._look, stale)
            except LedgerError:
                # The page says what is wrong when somebody looks; here it is tried again.
                self._stale = True
            else:
                if found is not None:
                    self.take(*found)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), EVERY_S)
            self._wake.clear()

    def _look(self, stale: bool) -> tuple[Matrix, Any] | None:
        """In a thread: a new matrix with its stamp, None when nothing changed."""
        from ledger_tui.services.drift import stamp

        if not stale and (self.matrix is None or stamp(self.matrix.ground) == self._stamp):
            return None
        return self.read()

    def read(self, told: Callable[[str], None] | None = None) -> tuple[Matrix, Any]:
        """In a thread: look now; a new matrix and the stamp of what was read."""
        from ledger_tui.services.drift import stamp

        matrix = self._place.ledger.drift.matrix(self.folder, told)
        return matrix, stamp(matrix.ground)
