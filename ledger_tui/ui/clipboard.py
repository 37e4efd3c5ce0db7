"""Copying: the source text goes to the terminal's clipboard (OSC 52), and a toast says how much it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger_tui.domain.text import one_line, repaired

if TYPE_CHECKING:
    from textual.app import App

COMMON_LIMIT = 74_000
"""Bytes that widespread terminals take at once (100,000 of base64)."""


def copy(app: App[Any], text: str, what: str = "") -> None:
    """Copy ``text`` unchanged; ``what`` names it in the toast."""
    if not text:
        app.notify("There is nothing to copy here.", severity="warning", markup=False)
        return
    text = repaired(text)[0]
    app.copy_to_clipboard(text)
    size = len(text.encode())
    count = f"{len(text):,} character{'s' if len(text) != 1 else ''}"
    words = f"Copied {one_line(what, 60) + ': ' if what else ''}{count}"
    if size > COMMON_LIMIT:
        app.notify(
            f"{words}. Many terminals take only 74 kB at once: paste and look at the end.",
            severity="warning",
            markup=False,
        )
    else:
        app.notify(words + ".", timeout=2.5, markup=False)
