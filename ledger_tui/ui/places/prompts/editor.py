"""The middle of the place: one prompt as fields, a block for each message, and what was found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Button, Input, Static, TextArea

from ledger_tui.domain.content import Message as ChatText
from ledger_tui.ui.places.prompts.edit import Edit
from ledger_tui.ui.places.prompts.fields import Fields
from ledger_tui.ui.places.prompts.findings import Finding, Findings, VariableMark
from ledger_tui.ui.places.prompts.message_block import MessageBlock
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.template_area import Mark, TemplateArea


class Editor(Vertical):
    """Takes an ``Edit`` and gives it back; posts ``Changed`` for every change, ``RoleWanted`` and the buttons' facts."""

    DEFAULT_CSS = """
    Editor {
        .editor-head { height: auto; }
        .banner { height: auto; background: $panel; color: $foreground; padding: 0 1; display: none; }
        .banner.-any { display: block; }
        #description { margin: 0 0 1 0; }
        #messages { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
        #add-message { margin: 0 0 1 0; }
    }
    """

    read_only: reactive[bool] = reactive(False, toggle_class="-read-only")
    """Whether the text can only be read: another version is shown while a draft waits."""

    @dataclass
    class Changed(Message):
        """Something was typed, added, moved or removed."""

    @dataclass
    class RoleWanted(Message):
        """A person wants to choose the role of a message."""

        block: MessageBlock

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.edit = Edit()
        """The edit that was shown last, as it was then."""
        self.fields = Fields()
        """Model and parameters."""
        self._description = Input(compact=True, classes="bar", id="description", placeholder="What is this prompt for?")
        self._blocks = [MessageBlock(ChatText("user", ""), 1)]

    def compose(self) -> ComposeResult:
        """Head, messages, fields, findings, buttons."""
        yield Static("", id="banner", classes="banner", markup=False)
        yield self._description
        with VerticalScroll(id="messages", can_focus=False):
            yield from self._blocks
            yield Button("Add message", compact=True, id="add-message", tooltip="Add a message at the end")
            yield self.fields
        yield Findings(id="findings")
        with Horizontal(classes="toolbar"):
            yield Button("Save", compact=True, variant="primary", name="save", tooltip="Save a version (ctrl+s)")
            yield Button("Run", compact=True, name="run", tooltip="Open the playground with this text (ctrl+r)")
            yield Button("Discard draft", compact=True, name="discard", tooltip="Go back to the saved version")
            yield Button("$EDITOR", compact=True, name="external", tooltip="Edit the message in your editor (ctrl+e)")

    # Values

    @property
    def blocks(self) -> list[MessageBlock]:
        """The messages' blocks in order; the last known ones while the screen is taken down."""
        self._blocks = [block for block in self.query(MessageBlock) if not block.leaving] or self._blocks
        return self._blocks

    @property
    def scroller(self) -> VerticalScroll:
        """What scrolls the messages."""
        return self.query_one("#messages", VerticalScroll)

    def value(self) -> Edit:
        """The edit as it stands; also while the screen is taken down."""
        return Edit(
            self.edit.name,
            self._description.value,
            tuple(block.message for block in self.blocks),
            self.fields.model,
            self.fields.values,
        )

    def show(self, edit: Edit) -> None:
        """Show another edit; blocks are used again where they can be."""
        same_prompt = edit.name == self.edit.name
        self.edit = edit
        self._description.value = edit.description
        self.fields.show(edit.model, edit.fields)
        blocks = self.blocks
        for block, message in zip(blocks, edit.messages, strict=False):
            block.show(message)
        for block in blocks[len(edit.messages) :]:
            self._drop(block)
        for at in range(len(blocks), len(edit.messages)):
            self.scroller.mount(MessageBlock(edit.messages[at], at + 1), before="#add-message")
        self.call_after_refresh(self._number)
        if not same_prompt:
            self.scroller.scroll_home(animate=False)

    def show_banner(self, text: str) -> None:
        """One line above the text, empty for none."""
        banner = self.query_one("#banner", Static)
        banner.update(content(text))
        banner.set_class(bool(text), "-any")

    def show_findings(self, found: Sequence[Finding], variables: Sequence[VariableMark]) -> None:
        """List variables and problems, and mark them where they are in the text."""
        self.query_one(Findings).show_variables(variables, bool(found))
        self.query_one(Findings).show_problems(found)
        unknown = [mark.name for mark in variables if mark.meant]
        new = [mark.name for mark in variables if not mark.known]
        for at, block in enumerate(self.blocks):
            marks = [Mark(f.line, f.column, max(f.end_column, f.column + 1)) for f in found if f.message == at]
            block.area.set_marks(marks, unknown, new)

    def go_to(self, finding: Finding) -> None:
        """Put the cursor at a problem."""
        blocks = self.blocks
        if finding.message < len(blocks):
            blocks[finding.message].area.go_to(finding.line, finding.column)

    @property
    def focused_block(self) -> MessageBlock | None:
        """The message that has focus, else the last one that had, else the first."""
        focused = self.screen.focused
        for block in self.blocks:
            if focused is not None and block in focused.ancestors:
                return block
        return next(iter(self.blocks), None)

    def watch_read_only(self, read_only: bool) -> None:
        """Every text follows."""
        for area in self.query(TemplateArea):
            area.read_only = read_only

    # What a person does

    @on(TextArea.Changed)
    @on(Fields.Changed)
    @on(Input.Changed, "#description")
    def _changed(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(MessageBlock.Wanted)
    def _wanted(self, event: MessageBlock.Wanted) -> None:
        event.stop()
        if event.wish == "role":
            self.post_message(self.RoleWanted(event.block))
        elif not self.read_only:
            self._rearrange(event.block, event.wish)

    def _rearrange(self, block: MessageBlock, wish: str) -> None:
        blocks = self.blocks
        at = blocks.index(block)
        if wish == "up" and at > 0:
            self.scroller.move_child(block, before=blocks[at - 1])
        elif wish == "down" and at < len(blocks) - 1:
            self.scroller.move_child(block, after=blocks[at + 1])
        elif wish == "add":
            self.add_message(after=block)
            return
        elif wish == "remove" and len(blocks) > 1:
            self._drop(block)
            (blocks[at - 1] if at else blocks[1]).area.focus()
        self.call_after_refresh(self._rearranged)

    def _drop(self, block: MessageBlock) -> None:
        block.leaving = True
        block.remove()

    def add_message(self, after: MessageBlock | None = None) -> None:
        """Add an empty message, at the end or after another."""
        blocks = self.blocks
        before = after or (blocks[-1] if blocks else None)
        role = "assistant" if before is not None and before.role == "user" else "user"
        made = MessageBlock(ChatText(role, ""), len(blocks) + 1)
        if before is None:
            self.scroller.mount(made, before="#add-message")
        else:
            self.scroller.mount(made, after=before)
        self.call_after_refresh(self._rearranged, made)

    def _rearranged(self, focus: MessageBlock | None = None) -> None:
        self._number()
        if focus is not None:
            focus.area.focus()
        self.post_message(self.Changed())

    def _number(self) -> None:
        for number, block in enumerate(self.blocks, 1):
            block.number = number
            block.area.read_only = self.read_only

    @on(Button.Pressed, "#add-message")
    def _add(self, event: Button.Pressed) -> None:
        event.stop()
        if not self.read_only:
            self.add_message()

    @on(TextArea.SelectionChanged)
    def _follow(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        if event.text_area.has_focus:
            self.call_after_refresh(self._show_cursor, event.text_area)

    def _show_cursor(self, area: TextArea) -> None:
        """Keep the cursor in view although the text stands in a longer page."""
        window = self.scroller.region
        cursor = area.cursor_screen_offset
        if area.is_attached and not window.contains_point(cursor):
            place = cursor - window.offset + self.scroller.scroll_offset
            self.scroller.scroll_to_region(Region(place.x, place.y, 1, 2), animate=False, force=True, x_axis=False)
