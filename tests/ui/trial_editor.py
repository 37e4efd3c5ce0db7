"""The workstation that opens the person's editor on a text at once, says what came back and ends."""

from __future__ import annotations

import sys
from pathlib import Path

from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.external import EditorFailed, edit_text


class Trial(LedgerApp):
    """Edits ``one`` and leaves."""

    CSS_PATH = Path(sys.modules[LedgerApp.__module__].__file__ or "").with_name("app.tcss")

    def _after_first_frame(self) -> None:
        try:
            answer = repr(edit_text(self, "one\n"))
        except EditorFailed as error:
            answer = f"failed: {error} / {error.remedy}"
        self.exit(message=answer)


if __name__ == "__main__":
    Trial(PromptLedger(paths=Paths(data=Path(sys.argv[1]), config=Path(sys.argv[2]))), place="costs").run()
