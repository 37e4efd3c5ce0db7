"""One message of a prompt in the editor: its role, its text, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Button, Static

from ledger_tui.domain.content import ROLES
from ledger_tui.domain.content import Message as ChatText
from ledger_tui.domain.text import one_line
from ledger_tui.ui.widgets.template_area import TemplateArea

Wish = Literal["role", "up", "down", "add", "remove"]
WISHES: Sequence[tuple[Wish, str, str]] = (
    ("up", "Up", "Move this message up"),
    ("down", "Down", "Move this message down"),
    ("add", "Add below", "Add a message below this one"),
    ("remove", "Remove", "Remove this message"),
)


class MessageBlock(Vertical):
    """A row with role and buttons, and the text under it. Posts ``Wanted``; the text posts ``TextArea.Changed``."""

    DEFAULT_CSS = """
    MessageBlock {
        height: auto;
        margin: 0 0 1 0;
        .message-head { height: 1; background: $panel; }
        .message-head Button { margin: 0; background: transparent; color: $text-muted; text-style: none; }
        .message-head Button:focus { text-style: reverse; }
        .message-head Button:hover { color: $primary; }
        .message-number { width: auto; min-width: 3; color: $text-muted; padding: 0 0 0 1; }
        .message-note { width: 1fr; color: $warning; text-align: right; }
        .message-head .role { text-style: bold; margin: 0; }
        &.-system .role { color: $role-system; }
        &.-developer .role { color: $role-developer; }
        &.-user .role { color: $role-user; }
        &.-assistant .role { color: $role-assistant; }
        TemplateArea {
            height: auto;
            min-height: 3;
            max-height: 60vh;
            border: none;
            border-left: outer $border-blurred;
            padding: 0 1;
            background: $background;
            &:focus { border: none; border-left: outer $border; }
        }
    }
    """

    number: reactive[int] = reactive(1)
    """Which message this is, from 1."""
    role: reactive[str] = reactive("user")
    """One of the roles; others come from drafts and are refused when saved."""

    @dataclass
    class Wanted(Message):
        """A person wants something done with this message."""

        block: MessageBlock
        wish: Wish

        @property
        def control(self) -> MessageBlock:
            """The message's block."""
            return self.block

    def __init__(self, message: ChatText, number: int) -> None:
        super().__init__()
        self.leaving = False
        """Whether the block is being removed."""
        self.area = TemplateArea(message.text, placeholder="Write the message. {{ name }} puts a value in.")
        """The text's editor."""
        self.set_reactive(MessageBlock.number, number)
        self.set_reactive(MessageBlock.role, message.role)

    def compose(self) -> ComposeResult:
        """The head and the text."""
        with Horizontal(classes="message-head"):
            yield Static(str(self.number), classes="message-number", markup=False)
            yield Button(f"{self.role} ▾", compact=True, classes="role", name="role", tooltip="Choose the role")
            yield Static("", classes="message-note", markup=False)
            for wish, label, tooltip in WISHES:
                yield Button(label, compact=True, name=wish, tooltip=tooltip)
        yield self.area

    @property
    def message(self) -> ChatText:
        """The message as it stands."""
        return ChatText(self.role, self.area.text)

    def show(self, message: ChatText) -> None:
        """Show another message in this block."""
        self.role = message.role
        if message.text != self.area.text:
            self.area.load_text(message.text)

    def on_mount(self) -> None:
        """Colour the role."""
        self.watch_role("", self.role)

    def watch_role(self, before: str, role: str) -> None:
        """The role is a class, a word on the button and a colour."""
        for known in ROLES:
            self.set_class(role == known, f"-{known}")
        for button in self.query(".role").results(Button):
            button.label = f"{one_line(role, 20)} ▾"
            # A button keeps the width of its first label until the next layout.
            button.refresh(layout=True)

    def watch_number(self, number: int) -> None:
        """Show the new number."""
        for shown in self.query(".message-number").results(Static):
            shown.update(str(number))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        wish: Wish = event.button.name  # type: ignore[assignment]
        self.post_message(self.Wanted(self, wish))

    @on(TemplateArea.Highlighting)
    def _highlighting(self, event: TemplateArea.Highlighting) -> None:
        note = "" if event.on else "⚠ colours are off: this text is large "
        self.query_one(".message-note", Static).update(note)
