"""What the place says when there is nothing to show: how traces come to be, or which filter hides them."""

from __future__ import annotations

from textual.content import Content

from ledger_tui.ui.safe import line

_KEY = "bold $primary"
_IMPORT = "from ledger_tui import PromptLedger"
_CALL = 'PromptLedger().execute("my-prompt", {"name": "Ada"})'


def no_traces() -> Content:
    """There is no trace at all yet."""
    return Content.assemble(
        "No traces yet. A trace is what happened, step by step, when a prompt or a program ran.\n\n",
        ("f2", _KEY), "  write a prompt      ", ("f3", _KEY), "  run one in the playground\n\n",
        "Or from a program:\n\n",
        (_IMPORT.ljust(len(_CALL)) + "\n" + _CALL + "\n\n", "$foreground"),
        "Or look at a filled workspace first:  ", ("ledger-tui demo", _KEY),
    )  # fmt: skip


def no_match(filter_text: str) -> Content:
    """The filter lets nothing through."""
    return Content.assemble(
        "No trace fits  ", line(filter_text, 120, "bold"), "\n\n",
        ("esc", _KEY), "  clear the filter      ", ("/", _KEY), "  change it",
    )  # fmt: skip
