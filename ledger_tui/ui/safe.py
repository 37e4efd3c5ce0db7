"""Foreign text on its way to a widget: made printable, never parsed as markup."""

from __future__ import annotations

from textual.content import Content
from textual.style import Style

from ledger_tui.domain.text import one_line, printable


def content(text: str, style: Style | str = "") -> Content:
    """Foreign text of any number of lines as Content."""
    return Content.styled(printable(text), style) if style else Content(printable(text))


def line(text: str, limit: int = 200, style: Style | str = "") -> Content:
    """Foreign text as Content on one line of at most ``limit`` characters."""
    shown = one_line(text, limit)
    return Content.styled(shown, style) if style else Content(shown)
