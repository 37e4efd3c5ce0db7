"""The options of settings.toml, changed in place; names, kinds and words come from the one description."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from ledger_tui.errors import SettingsError
from ledger_tui.settings import OPTIONS, Option, checked
from ledger_tui.ui.dialogs.ask import Ask, Choose
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

DEFAULT = object()
"""What the choice "default" stands for."""


def shown(value: Any) -> str:
    """A value as the table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "—"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or "—"


def parsed(option: Option, text: str) -> Any:
    """What a person typed as the option takes it; raises SettingsError."""
    text = text.strip()
    if option.kind in ("number", "whole number"):
        try:
            return checked(option, float(text) if option.kind == "number" else int(text))
        except ValueError:
            raise SettingsError(f"{text!r} is not a {option.kind}", title="That cannot be set") from None
    if option.kind == "list of texts":
        return checked(option, [part.strip() for part in text.split(",") if part.strip(" —")])
    return checked(option, text)


class General(Section):
    """Every option with its value; enter or a click on the row under the cursor changes it."""

    HELP = """
    ## General
    `enter` changes the option under the cursor. A value that an environment variable gives is marked `$`: the variable
    wins over the file.
    """

    def compose(self) -> ComposeResult:
        """The table, and what the option under the cursor is for."""
        with Vertical(classes="pane") as pane:
            pane.border_title = "Options"
            pane.border_subtitle = "enter change"
            yield RowTable(id="options")
            yield Static("", id="option-doc", markup=False)

    def read(self) -> None:
        """Show every option's value."""
        settings = self.app.ledger.settings
        rows: list[tuple[str, list[Cell]]] = []
        for option in OPTIONS:
            value = settings.value(option)
            given = option.key in settings.from_environment
            changed: Cell = (shown(value), "bold") if value != option.default else shown(value)
            where: Cell = (
                (f"${option.env}", "$warning") if given else "" if value == option.default else "settings.toml"
            )
            rows.append((option.key, [option.key, changed, where]))
        self.query_one(RowTable).fill(["option", "value", "from"], rows)

    @on(RowTable.RowHighlighted)
    def _describe(self, event: RowTable.RowHighlighted) -> None:
        option = next((one for one in OPTIONS if one.key == event.row_key.value), None)
        if option is not None:
            self.query_one("#option-doc", Static).update(content(f"{option.doc}  Default: {shown(option.default)}."))

    @on(RowTable.RowSelected)
    def _change(self, event: RowTable.RowSelected) -> None:
        option = next(one for one in OPTIONS if one.key == event.row_key.value)
        value = self.app.ledger.settings.value(option)
        if option.key == "theme":
            self.app.action_themes()
        elif option.kind == "yes or no":
            self.app.save_setting(option.key, not value)
        elif option.choices:
            choices = [(choice, choice) for choice in option.choices]
            self.app.push_screen(Choose(option.key, choices, value), partial(self._save, option))
        else:
            self._ask(option, value)

    def _ask(self, option: Option, value: Any) -> None:
        def problem(text: str) -> None:
            parsed(option, text)

        text = "" if value in ("", None, ()) else shown(value)
        self.app.push_screen(
            Ask(option.key, option.doc, text, check=problem, ok="Save", placeholder=shown(option.default)),
            lambda answer: self._save(option, None if answer is None else parsed(option, answer)),
        )

    def _save(self, option: Option, value: Any) -> None:
        if value is not None:
            self.app.save_setting(option.key, value)
