"""Two windows to look into: the messages as they would be sent, and how two answers differ."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.diff import TextDiff
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.diff_view import DiffView
from ledger_tui.ui.widgets.text_pane import TextPane


class Preview(Dialog[None]):
    """The rendered messages one below the other, and what each model would be sent."""

    WIDE = True
    DEFAULT_CSS = """
    Preview .dialog { height: 92%; }
    Preview TextPane { height: 1fr; }
    Preview .estimates { height: auto; max-height: 6; margin: 1 0 0 0; }
    """

    def __init__(self, messages: Iterable[ChatMessage], estimates: Iterable[Content]) -> None:
        super().__init__("Preview", "esc close")
        self._text = "\n\n".join(f"──── {message.role} ────\n{message.text}" for message in messages)
        self._estimates = list(estimates)

    def compose_dialog(self) -> Iterable[Widget]:
        """The text and the estimates."""
        yield TextPane(self._text, "plain")
        yield Static(Content("\n").join(self._estimates), classes="estimates")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Close", id="close", variant="primary", compact=True)

    def on_button_pressed(self) -> None:
        """Close."""
        self.dismiss(None)


class AnswerDiff(Dialog[None]):
    """Two answers compared."""

    WIDE = True
    DEFAULT_CSS = """
    AnswerDiff .dialog { width: 94%; height: 92%; }
    AnswerDiff .names { height: auto; margin: 0 0 1 0; }
    """

    def __init__(self, old: str, new: str, diff: TextDiff) -> None:
        """old and new: what is compared, in words."""
        super().__init__("Two answers", "esc close")
        self._names = (old, new)
        self._diff = diff

    def compose_dialog(self) -> Iterable[Widget]:
        """Which answers, the comparison, a way out."""
        old, new = self._names
        yield Static(Content.assemble("- ", content(old), "\n+ ", content(new)), classes="names")
        yield DiffView()
        with Horizontal(classes="dialog-buttons"):
            yield Button("Close", id="close", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Show the comparison."""
        view = self.query_one(DiffView)
        view.show_diff(self._diff)
        view.focus()

    def on_button_pressed(self) -> None:
        """Close."""
        self.dismiss(None)
