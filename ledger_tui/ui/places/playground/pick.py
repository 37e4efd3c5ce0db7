"""A list to choose from by typing: prompts, models, kept input sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import line

_SHOWN = 500


class Pick(Dialog[str | None]):
    """Filters as one types; enter takes the highlighted value, or with ``free`` what was typed. None: cancelled.

    | Key | What it does |
    |---|---|
    | up, down | move in the list |
    | enter | take it |
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", show=False, id="pick.down", tooltip="One down"),
        Binding("up", "move(-1)", "Up", show=False, id="pick.up", tooltip="One up"),
    ]
    DEFAULT_CSS = (
        "Pick OptionList { height: auto; max-height: 16; border: none; background: $surface; margin: 1 0 0 0; }"
    )

    def __init__(
        self,
        title: str,
        choices: Sequence[tuple[str, str]],
        *,
        free: bool = False,
        placeholder: str = "",
        nothing: str = "Nothing here.",
        drop: str = "",
    ) -> None:
        """choices: (value, words) pairs. free: what is typed may be taken too. drop: a button that answers ``-value``."""
        super().__init__(title, "enter choose · esc cancel")
        self._choices, self._free, self._drop = list(choices), free, drop
        self._placeholder, self._nothing = placeholder, nothing
        self._listed: list[str] = []

    def compose_dialog(self) -> Iterable[Widget]:
        """Field, list, buttons."""
        yield Input(placeholder=self._placeholder or "type to filter", compact=True, classes="bar")
        yield OptionList(compact=True)
        yield Static("", classes="muted")
        with Horizontal(classes="dialog-buttons"):
            if self._drop:
                yield Button(self._drop, id="drop", compact=True)
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Choose", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """List everything."""
        self.query_one(OptionList).can_focus = False
        self._filter("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        found = [(value, said) for value, said in self._choices if all(word in said.casefold() for word in words)]
        listed = [(value, line(said, 90)) for value, said in found[:_SHOWN]]
        typed = text.strip()
        if self._free and typed and all(value != typed for value, _ in listed):
            listed.append((typed, Content.assemble("use ", line(typed, 60))))
        rows = self.query_one(OptionList)
        rows.clear_options()
        rows.add_options(Option(said) for _, said in listed)
        rows.highlighted = 0 if listed else None
        self._listed = [value for value, _ in listed]
        more = f"{len(found) - _SHOWN} more, type to find them" if len(found) > _SHOWN else ""
        self.query_one(Static).update(Content(more if listed else self._nothing))

    def action_move(self, step: int) -> None:
        """Move the highlight."""
        rows = self.query_one(OptionList)
        (rows.action_cursor_down if step > 0 else rows.action_cursor_up)()

    @property
    def _value(self) -> str | None:
        index = self.query_one(OptionList).highlighted
        return self._listed[index] if index is not None and index < len(self._listed) else None

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        if self._value is not None:
            self.dismiss(self._value)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._listed[event.option_index])

    @on(Button.Pressed, "#drop")
    def _dropped(self) -> None:
        if self._value is not None:
            self.dismiss(f"-{self._value}")

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
