"""The line in which Costs are narrowed: terms and words, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from ledger_tui.domain.text import one_line


class CostFilter(Input):
    """The field of the line.

    | Key(s) | Description |
    | :- | :- |
    | enter, down | To the table. |
    | escape | Clear the filter, or leave the field. |
    """

    HELP = """
# The filter of Costs
Words leave the rows whose names hold them. Terms limit the calls that everything on the screen counts, with one value each:
`provider:openai` `model:gpt-4o` `prompt:support/reply` `version:3` `env:production` `user:anna` `session:s-42`. `-user:*` means
calls without a user. `n` on a row of a table writes its terms here.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Clear", id="cost_filter.leave", tooltip="Clear the filter, or leave the field"),
        Binding(
            "down", "screen.focus_groups", "To the table", show=False, id="cost_filter.table", tooltip="To the table"
        ),
    ]

    async def action_leave(self) -> None:
        """Clear, or leave when there is nothing to clear."""
        if self.value:
            self.value = ""
        await self.action_submit()


class FilterLine(Vertical):
    """Shown while it is asked for or holds something; posts what it should be."""

    DEFAULT_CSS = """
    FilterLine {
        height: auto;
        display: none;
        &.-asked { display: block; }
        Horizontal { height: 1; }
        .sign { width: 3; content-align: right middle; color: $text-muted; padding: 0 1 0 0; }
        CostFilter { width: 1fr; }
        .problem { padding: 0 0 0 4; display: none; }
        &.-wrong .problem { display: block; }
    }
    """

    @dataclass
    class Changed(Message):
        """What the line holds now."""

        text: str
        done: bool
        """Whether the person is done with writing."""

    def compose(self) -> ComposeResult:
        """Sign and field, and below what is wrong."""
        with Horizontal():
            yield Static("/", classes="sign")
            yield CostFilter(
                placeholder="words, or provider: model: prompt: version: env: user: session:",
                compact=True,
                classes="bar",
            )
        yield Static("", classes="problem", markup=False)

    @property
    def field(self) -> CostFilter:
        """The field."""
        return self.query_one(CostFilter)

    def ask(self) -> None:
        """Show the line and write into it."""
        self.add_class("-asked")
        self.field.focus()

    def set_text(self, text: str) -> None:
        """Put a filter into the field without a message."""
        with self.prevent(Input.Changed):
            self.field.value = text
        self.set_class(bool(text), "-asked")

    def say(self, words: str) -> None:
        """Say what is wrong; an empty text when nothing is."""
        self.set_class(bool(words), "-wrong")
        self.query_one(".problem", Static).update(Content(one_line(words, 300)))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value, False))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value:
            self.remove_class("-asked")
        self.post_message(self.Changed(event.value, True))
