"""Help belongs to what has focus: its own words, its ancestors', then the keys that work there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from textual.screen import Screen
from textual.widget import Widget

from ledger_tui.ui.actions import Action, group_title, here
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.widgets.text_pane import TextPane


def help_of(screen: Screen[object]) -> str:
    """The help for the focused widget of ``screen`` and everything around it, as Markdown of our own words."""
    start = screen.focused or screen
    texts: list[str] = []
    for node in start.ancestors_with_self:
        words = joined(inspect.cleandoc(str(getattr(node, "HELP", "") or "")))
        if words and words not in texts:
            texts.append(words)
    return "\n\n".join([*texts, keys_table(here(screen))])


def joined(text: str) -> str:
    """Markdown whose paragraphs are one line each, so that they fill the width there is."""
    rows: list[str] = []
    for row in text.splitlines():
        before = rows[-1] if rows else ""
        starts_block = re.match(r"\s*(#|\||[-+*] |\d+[.)] |>|```)", row)
        if row.strip() and before.strip() and not starts_block and not re.match(r"\s*(#|\||```)", before):
            rows[-1] = f"{before} {row.strip()}"
        else:
            rows.append(row)
    return "\n".join(rows)


def keys_table(actions: Iterable[Action]) -> str:
    """The keys that work, grouped as the places are, as Markdown tables."""
    groups: dict[str, list[Action]] = {}
    for action in actions:
        groups.setdefault(group_title(action.id), []).append(action)
    parts: list[str] = []
    for title, members in groups.items():
        rows = [f"| `{_cell(a.shown_keys)}` | {_cell(a.tooltip or a.title)} |" for a in members if a.enabled]
        parts.append("\n".join([f"## Keys: {title}", "", "| key | what it does |", "| :- | :- |", *rows]))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "grave accent")


class HelpDialog(Dialog[None]):
    """A page to read; any of the usual ways leaves it."""

    CLICK_OUT = True
    WIDE = True
    BINDINGS = [("f1", "cancel", "Close"), ("q", "cancel", "Close")]

    def __init__(self, text: str) -> None:
        """``text`` is Markdown."""
        super().__init__("Help", "↑ ↓ scroll · esc close")
        self._text = text

    def compose_dialog(self) -> Iterable[Widget]:
        """The text, scrolled by keys and wheel."""
        yield TextPane(id="help-text")

    def on_mount(self) -> None:
        """Show and focus the text."""
        pane = self.query_one(TextPane)
        pane.show(self._text, "markdown")
        pane.focus()
