"""One field of the form: a variable, how its value is read, and an editor for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input, Static, TextArea

from ledger_tui.domain.text import printable
from ledger_tui.ui.places.playground.field_values import KIND_WORDS, KINDS, Filled, Kind
from ledger_tui.ui.safe import content, line
from ledger_tui.ui.widgets.template_area import TemplateArea


class ValueArea(TemplateArea):
    """The editor of a value of several lines: nothing in a value is a template, so nothing is coloured."""

    HELP = "### A value of several lines\nIt is put into the template as it stands; `{{ }}` in a value means nothing."

    @property
    def highlighting(self) -> bool:
        """Never."""
        return False


class VariableField(Vertical):
    """A label with the kind, the editor, and what is wrong.

    | Key | What it does |
    |---|---|
    | ctrl+t | the next kind: text, lines, JSON, file |
    """

    HELP = """
### A variable
The value that `{{ name }}` becomes. Its kind says how it is read:

- **text**: one line · **lines**: several lines · **JSON**: numbers, lists, mappings · **file**: the text of a file

**ctrl+t**, or a click on the kind, changes it; what you typed stays.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "kind", "Kind", id="playground.kind", show=False, tooltip="Change how this value is read"),
    ]
    DEFAULT_CSS = """
    VariableField {
        height: auto;
        margin: 0 0 1 0;
        .field-head { height: 1; width: 1fr; }
        .field-head Static { width: 1fr; height: 1; text-style: bold; }
        .field-head Button { min-width: 8; }
        ValueArea { height: auto; min-height: 3; max-height: 10; border: none; padding: 0 1; background: $surface; }
        .problem { display: none; }
        &.-problem .problem { display: block; }
    }
    """

    @dataclass
    class Changed(Message):
        """The value or its kind was changed by a person."""

        field: VariableField

        @property
        def control(self) -> VariableField:
            """The field."""
            return self.field

    def __init__(self, filled: Filled) -> None:
        super().__init__()
        self.filled = self._shown(filled)
        """What the field holds."""

    @staticmethod
    def _shown(filled: Filled) -> Filled:
        """A line editor cannot show line breaks and controls: such a text is edited as lines."""
        if filled.kind == "text" and printable(filled.text, keep="") != filled.text:
            return Filled(filled.name, "lines", filled.text)
        return filled

    def compose(self) -> ComposeResult:
        """Name and kind on one row, the editor below."""
        with Horizontal(classes="field-head"):
            yield Static(line(self.filled.name, 60))
            kind = Button(f"{KIND_WORDS[self.filled.kind]} ▾", compact=True, tooltip="How this value is read (ctrl+t)")
            kind.can_focus = False  # Tab goes from value to value; ctrl+t is the keyboard's way.
            yield kind
        yield self._editor()
        yield Static("", classes="problem", markup=False)

    def _editor(self) -> Input | ValueArea:
        if self.filled.kind in ("lines", "json"):
            return ValueArea(self.filled.text, compact=True, show_line_numbers=False)
        hint = "path of a text file" if self.filled.kind == "file" else ""
        return Input(printable(self.filled.text, keep=""), placeholder=hint, compact=True, classes="bar")

    @property
    def editor(self) -> Input | TextArea:
        """Where the value is typed."""
        return self.query_one("Input, ValueArea")  # type: ignore[return-value]

    def show(self, filled: Filled) -> None:
        """Hold another value or another kind."""
        filled = self._shown(filled)
        if filled != self.filled:
            focused = self.editor.has_focus
            self.filled = filled
            self.problem("")
            self.call_next(self._rebuild, focused)

    async def _rebuild(self, focused: bool) -> None:
        await self.recompose()
        if focused:
            self.editor.focus()

    def problem(self, words: str) -> None:
        """Say what is wrong with the value; nothing for an empty text."""
        self.set_class(bool(words), "-problem")
        self.query_one(".problem", Static).update(content(f"✗ {words}") if words else Content(""))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_kind()

    def action_kind(self) -> None:
        """Take the next kind."""
        kind: Kind = KINDS[(KINDS.index(self.filled.kind) + 1) % len(KINDS)]
        if kind == "text" and "\n" in self.filled.text:
            kind = "lines"
        self.show(Filled(self.filled.name, kind, self.filled.text))
        self.post_message(self.Changed(self))

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _typed(self, event: Input.Changed | TextArea.Changed) -> None:
        event.stop()
        text = event.value if isinstance(event, Input.Changed) else event.text_area.text
        if text != self.filled.text:
            self.filled = Filled(self.filled.name, self.filled.kind, text)
            self.problem("")
            self.post_message(self.Changed(self))
