"""The prompt as the playground edits it: a copy, one block a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message as Fact
from textual.widgets import Button, Static, TextArea

from ledger_tui.domain.content import ROLES, Message
from ledger_tui.domain.template import Analysis
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.template_area import Mark, TemplateArea

PLACEHOLDER = "Write a message: {{ name }} makes a field, ctrl+r runs it. ctrl+o opens a saved prompt."


class MessageBlock(Vertical):
    """One message: its role and its template."""

    DEFAULT_CSS = """
    MessageBlock {
        height: auto;
        .block-head { height: 1; width: 1fr; }
        .block-head Button { margin: 0 1 0 0; }
        TemplateArea { height: auto; min-height: 3; max-height: 24; border: none; padding: 0 1; background: $surface; }
        .problem { display: none; }
    }
    """

    @dataclass
    class Removed(Fact):
        """A person takes this message away."""

        block: MessageBlock

    @dataclass
    class Changed(Fact):
        """The role or the text changed."""

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.role = message.role
        """One of ``ROLES``."""
        self._text = message.text

    def compose(self) -> ComposeResult:
        """The role, a way to take the message away, the text, its problem."""
        with Horizontal(classes="block-head"):
            yield Button(f"{self.role} ▾", id="role", compact=True, tooltip="Change the role")
            yield Button("✕", id="drop", compact=True, tooltip="Take this message away")
        yield TemplateArea(self._text, compact=True, show_line_numbers=False, placeholder=PLACEHOLDER)
        yield Static("", classes="problem", markup=False)

    @property
    def area(self) -> TemplateArea:
        """The editor."""
        return self.query_one(TemplateArea)

    @property
    def message(self) -> Message:
        """The message as it stands."""
        return Message(self.role, self.area.text if self.is_mounted and self.query(TemplateArea) else self._text)

    def mark(self, analysis: Analysis) -> None:
        """Underline what is wrong and say it."""
        self.area.set_marks(Mark(p.line, p.column, p.end_column) for p in analysis.problems)
        words = [f"✗ line {p.line}, column {p.column}: {p.message}" for p in analysis.problems[:3]]
        problem = self.query_one(".problem", Static)
        problem.display = bool(words)
        problem.update(content("\n".join(words)) if words else Content(""))

    @on(Button.Pressed, "#role")
    def _next_role(self, event: Button.Pressed) -> None:
        event.stop()
        self.role = ROLES[(ROLES.index(self.role) + 1) % len(ROLES)] if self.role in ROLES else ROLES[0]
        event.button.label = Content(f"{self.role} ▾")
        event.button.refresh(layout=True)
        self.post_message(self.Changed())

    @on(Button.Pressed, "#drop")
    def _drop(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Removed(self))

    @on(TextArea.Changed)
    def _typed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())


class MessageEditor(Vertical):
    """The messages of the prompt, editable."""

    HELP = """
### The prompt
A copy: what you change here is run, and the saved prompt stays as it is until **ctrl+s** keeps it as a new version.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "add", "Add message", id="playground.add_message", show=False, tooltip="Add a message"),
    ]
    DEFAULT_CSS = """
    MessageEditor {
        VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    }
    """

    @dataclass
    class Changed(Fact):
        """A person changed the prompt."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Prompt"

    def compose(self) -> ComposeResult:
        """The blocks and a button for one more."""
        with VerticalScroll(can_focus=False):
            yield MessageBlock(Message("user", ""))
        with Horizontal(classes="toolbar"):
            yield Button("Add message", id="add-message", compact=True, tooltip="One more message (ctrl+g)")
            yield Button("Save version", compact=True, action="screen.save", tooltip="Keep as a new version (ctrl+s)")
            yield Button("Preview", compact=True, action="screen.preview", tooltip="What would be sent (f12)")

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages as they stand."""
        return tuple(block.message for block in self.query(MessageBlock))

    async def set_messages(self, messages: Sequence[Message]) -> None:
        """Edit these messages."""
        if tuple(messages) == self.messages:
            return
        scroll = self.query_one(VerticalScroll)
        await scroll.remove_children()
        await scroll.mount_all([MessageBlock(message) for message in messages or (Message("user", ""),)])

    def mark(self, analyses: Sequence[Analysis]) -> None:
        """Show the problems of each message; one that is only being put up has none yet."""
        for block, analysis in zip(self.query(MessageBlock), analyses, strict=False):
            if block.query(".problem"):
                block.mark(analysis)

    def focus_first(self) -> None:
        """Put the cursor into the last message."""
        self.query(TemplateArea).last().focus()

    async def action_add(self) -> None:
        """Add a message after the last."""
        messages = self.messages
        role = "assistant" if messages and messages[-1].role == "user" else "user"
        block = MessageBlock(Message(role, ""))
        await self.query_one(VerticalScroll).mount(block)
        block.area.focus()
        self.post_message(self.Changed())

    @on(Button.Pressed, "#add-message")
    async def _add_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        await self.action_add()

    @on(MessageBlock.Removed)
    async def _removed(self, event: MessageBlock.Removed) -> None:
        event.stop()
        if len(self.query(MessageBlock)) > 1:
            await event.block.remove()
        else:
            event.block.area.text = ""
        self.post_message(self.Changed())

    @on(MessageBlock.Changed)
    def _block_changed(self, event: MessageBlock.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())
