"""The three small questions: a line of text, one of several, and yes or no for what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content, line

Value = TypeVar("Value")
Check = Callable[[str], str | None]
"""Returns what is wrong with a text, or None; may raise a LedgerError instead."""


class Ask(Dialog[str | None]):
    """Asks for one line of text; the answer is None when it was cancelled."""

    def __init__(
        self,
        title: str,
        label: str = "",
        value: str = "",
        *,
        check: Check | None = None,
        ok: str = "OK",
        placeholder: str = "",
        password: bool = False,
    ) -> None:
        """``check`` says what is wrong with a text; the dialog stays open until nothing is."""
        super().__init__(title, "enter accept · esc cancel")
        self._label, self._value, self._check, self._ok = label, value, check, ok
        self._placeholder, self._password = placeholder, password

    def compose_dialog(self) -> Iterable[Widget]:
        """Label, field, problem line, buttons."""
        if self._label:
            yield Static(content(self._label), classes="dialog-text")
        yield Input(self._value, placeholder=self._placeholder, password=self._password, compact=True, classes="bar")
        yield Static("", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button(self._ok, id="ok", variant="primary", compact=True)

    def problem(self, text: str) -> str | None:
        """What is wrong with ``text``, None when it can be taken."""
        if self._check is None:
            return None
        try:
            return self._check(text)
        except LedgerError as error:
            return " ".join(part for part in (str(error) + ".", error.remedy) if part)

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one(".problem", Static).update("")

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        text = self.query_one(Input).value
        wrong = self.problem(text)
        if wrong is None:
            self.dismiss(text)
        else:
            self.query_one(".problem", Static).update(content(f"✗ {wrong}"))

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


class Choose(Dialog[Any]):
    """Asks for one of several values; the answer is None when it was cancelled."""

    def __init__(
        self,
        title: str,
        choices: Sequence[tuple[Value, str | Content]],
        current: Value | None = None,
        *,
        text: str = "",
    ) -> None:
        """``choices`` are (value, label) pairs; labels may hold foreign text."""
        super().__init__(title, "enter choose · esc cancel")
        self._choices, self._current, self._text = list(choices), current, text

    def compose_dialog(self) -> Iterable[Widget]:
        """The list, with the current value marked, and a way out."""
        if self._text:
            yield Static(content(self._text), classes="dialog-text")
        rows = OptionList(*self._options(), compact=True, classes="dialog-list")
        yield rows
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Choose", id="ok", variant="primary", compact=True)

    def _options(self) -> Iterable[Option]:
        for value, label in self._choices:
            shown = label if isinstance(label, Content) else line(label)
            yield Option(Content.assemble("● " if value == self._current else "  ", shown))

    def on_mount(self) -> None:
        """Start at the current value."""
        values = [value for value, _ in self._choices]
        rows = self.query_one(OptionList)
        rows.highlighted = values.index(self._current) if self._current in values else (0 if values else None)
        rows.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index][0])

    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        index = self.query_one(OptionList).highlighted
        self.dismiss(None if index is None else self._choices[index][0])

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


class Confirm(Dialog[bool]):
    """Asks before something that matters; only the named button or ``y`` says yes."""

    BINDINGS = [
        Binding("y", "yes", "Yes", show=False, id="confirm.yes", tooltip="Do it"),
        Binding("n", "cancel", "No", show=False, id="confirm.no", tooltip="Leave it"),
    ]

    def __init__(self, title: str, text: str, ok: str = "Delete", *, danger: bool = True) -> None:
        """``text`` says what will be gone, ``ok`` names the deed; without ``danger`` the deed can be undone."""
        super().__init__(title, "y yes · esc no")
        self._text, self._ok, self._danger = text, ok, danger

    def compose_dialog(self) -> Iterable[Widget]:
        """What will happen, and two buttons; the harmless one has focus."""
        yield Static(content(self._text), classes="dialog-text")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button(self._ok, id="ok", variant="error" if self._danger else "primary", compact=True)

    def action_yes(self) -> None:
        """Say yes."""
        self.dismiss(True)

    def action_cancel(self) -> None:
        """Say no."""
        self.dismiss(False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "ok")
