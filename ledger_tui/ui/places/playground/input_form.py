"""The form made from a prompt's variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

from ledger_tui.ui.places.playground.field_values import Filled
from ledger_tui.ui.places.playground.variable_field import VariableField
from ledger_tui.ui.safe import line


class InputForm(Vertical):
    """One field a variable, in the order in which the prompt uses them. Values of variables that went are remembered."""

    HELP = """
### Inputs
One field for each variable of the prompt. Kept input sets bring back values: **ctrl+l** loads one, **ctrl+b** keeps these.
"""
    DEFAULT_CSS = """
    InputForm {
        VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
        .toolbar { margin: 0; }
    }
    """

    @dataclass
    class Changed(Message):
        """A person changed a value."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.border_title = "Inputs"
        self._known: dict[str, Filled] = {}
        self._names: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """The fields, and the buttons of the input sets."""
        with VerticalScroll(can_focus=False):
            yield Static("", classes="empty")
        with Horizontal(classes="toolbar"):
            yield Button("Load set", compact=True, action="screen.load_set", tooltip="Load kept values (ctrl+l)")
            yield Button("Keep set", compact=True, action="screen.keep_set", tooltip="Keep these values (ctrl+b)")

    def on_mount(self) -> None:
        """Say what would be here."""
        self._tell_empty()

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that have a field."""
        return self._names

    @property
    def filled(self) -> list[Filled]:
        """What the fields hold, in order."""
        return [self._known.get(name, Filled(name)) for name in self._names]

    def know(self, values: Mapping[str, Filled]) -> None:
        """Take values, for fields that are there and for those that may come."""
        self._known.update(values)
        for field in self.query(VariableField):
            if field.filled.name in values:
                field.show(self._known[field.filled.name])

    def start_over(self, values: Mapping[str, Filled]) -> None:
        """Another prompt comes, with these values."""
        self._known = {}
        self.tell_set("")
        self.know(values)

    async def set_names(self, names: Sequence[str]) -> None:
        """Have exactly these fields, keeping those that are there."""
        wanted = tuple(dict.fromkeys(names))
        if wanted == self._names:
            return
        self._names = wanted
        scroll = self.query_one(VerticalScroll)
        there = {field.filled.name: field for field in self.query(VariableField)}
        await scroll.remove_children([field for name, field in there.items() if name not in wanted])
        new = [VariableField(self._known.get(name, Filled(name))) for name in wanted if name not in there]
        await scroll.mount_all(new)
        order = {name: number for number, name in enumerate(wanted)}
        scroll.sort_children(key=lambda w: order.get(w.filled.name, -1) if isinstance(w, VariableField) else -1)
        self._tell_empty()

    def _tell_empty(self) -> None:
        self.border_subtitle = f"{len(self._names)}" if self._names else ""
        empty = self.query_one(".empty", Static)
        empty.display = not self._names
        empty.update(
            Content.assemble(
                "No variables.\n\nWrite ", ("{{ name }}", "bold $primary"), " in the prompt to get a field."
            )
        )

    def tell_set(self, name: str) -> None:
        """Show which input set the values came from."""
        self.border_title = Content.assemble("Inputs · ", line(name, 30)) if name else "Inputs"

    def problems(self, found: Iterable[tuple[str, str]]) -> None:
        """Show what is wrong, at the fields, and go to the first."""
        said = dict(found)
        for field in self.query(VariableField):
            field.problem(said.get(field.filled.name, ""))
        first = next((field for field in self.query(VariableField) if field.filled.name in said), None)
        if first is not None:
            first.editor.focus()

    def focus_first(self) -> bool:
        """Put the cursor into the first field, if there is one."""
        first = next(iter(self.query(VariableField)), None)
        if first is not None:
            first.editor.focus()
        return first is not None

    @on(VariableField.Changed)
    def _field_changed(self, event: VariableField.Changed) -> None:
        event.stop()
        self._known[event.field.filled.name] = event.field.filled
        self.post_message(self.Changed())
