"""The questions of this place: a name for a prompt, and a label for a version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.domain.names import check_label, check_prompt_name
from ledger_tui.errors import NameRefused
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content, line


class NameDialog(Dialog[str | None]):
    """Asks for the name of a prompt, says at once what is wrong with it, and completes folders with the right arrow."""

    def __init__(self, title: str, taken: Sequence[str], value: str = "") -> None:
        """``taken`` are the names of all prompts."""
        super().__init__(title, "enter accept · → complete · esc cancel")
        self._taken = frozenset(taken)
        self._value = value
        folders = {"/".join(name.split("/")[:depth]) + "/" for name in taken for depth in range(1, name.count("/") + 1)}
        self._folders = sorted(folders)

    def compose_dialog(self) -> Iterable[Widget]:
        """Field, problem, buttons."""
        yield Static("Folders are parted by /, for example support/answer.", classes="dialog-text", markup=False)
        yield Input(
            self._value, compact=True, classes="bar", placeholder="support/answer",
            suggester=SuggestFromList(self._folders, case_sensitive=True),
        )  # fmt: skip
        yield Static("", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Create", id="ok", variant="primary", compact=True)

    def problem(self, name: str) -> str:
        """What is wrong with a name, empty when it can be used."""
        try:
            check_prompt_name(name)
        except NameRefused as error:
            return f"{error.cause}. {error.remedy}"
        return "there is a prompt of this name already" if name in self._taken else ""

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        wrong = self.problem(event.value) if event.value else ""
        typing = event.value.endswith("/") and not self.problem(event.value + "x")
        self.query_one(".problem", Static).update(content(f"✗ {wrong}") if wrong and not typing else "")

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        name = self.query_one(Input).value.strip()
        wrong = self.problem(name)
        if wrong:
            self.query_one(".problem", Static).update(content(f"✗ {wrong}"))
        else:
            self.dismiss(name)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


class LabelDialog(Dialog[str | None]):
    """Asks for a label: type a new one, or pick one that is in use."""

    def __init__(self, title: str, known: Sequence[tuple[str, str]]) -> None:
        """``known`` are (label, where it points now) pairs."""
        super().__init__(title, "enter accept · esc cancel")
        self._known = list(known)

    def compose_dialog(self) -> Iterable[Widget]:
        """Field, problem, labels in use, buttons."""
        yield Input(compact=True, classes="bar", placeholder="production")
        yield Static("", classes="problem", markup=False)
        rows = [Option(line(f"{label}  ({where})")) for label, where in self._known]
        yield OptionList(*rows, compact=True, classes="dialog-list")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Set label", id="ok", variant="primary", compact=True)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._known[event.option_index][0])

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._check(event.value) if event.value else self.query_one(".problem", Static).update("")

    def _check(self, label: str) -> bool:
        try:
            check_label(label)
        except NameRefused as error:
            self.query_one(".problem", Static).update(content(f"✗ {error.cause}. {error.remedy}"))
            return False
        self.query_one(".problem", Static).update("")
        return True

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        label = self.query_one(Input).value.strip()
        if self._check(label):
            self.dismiss(label)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
