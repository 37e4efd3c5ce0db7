"""Hearing colleagues in a thread of its own, on a connection that nothing else uses."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.sync.door import Listener

LISTEN_AGAIN_S = 30.0
"""After something went wrong."""
log = logging.getLogger("ledger_tui")


class Ear:
    """Listens in a thread of its own while it is wanted; what goes wrong there is nobody's concern."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._hush: threading.Event | None = None

    def listen(self, make: Callable[[], Listener | None]) -> None:
        """Listen, if that is not done yet; ``make`` is called here and now."""
        if self._hush is not None:
            return
        listener = make()
        if listener is None:
            return
        self._hush = threading.Event()
        threading.Thread(target=self._work, args=(listener, self._hush), name="sync ear", daemon=True).start()

    def close(self) -> None:
        """Listen no more; the thread ends by itself."""
        hush, self._hush = self._hush, None
        if hush is not None:
            hush.set()

    def _work(self, listener: Listener, hush: threading.Event) -> None:
        try:
            while not hush.is_set():
                try:
                    heard = listener.wait(60.0, hush)
                except LedgerError as error:
                    log.debug("nothing can be heard: %s", error)
                    hush.wait(LISTEN_AGAIN_S)
                    continue
                except Exception:
                    log.exception("listening broke")
                    return
                # What came before it began to listen is brought by the exchange that began it, or by the next by the clock.
                if heard and not hush.is_set():
                    self._heard()
        finally:
            listener.close()
