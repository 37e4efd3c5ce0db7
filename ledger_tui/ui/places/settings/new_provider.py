"""Adding a provider of one's own: any server that speaks the protocol of OpenAI, by name and address."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")


class NewProvider(Dialog[tuple[str, str] | None]):
    """Asks for name and address; the answer is both, checked, or None."""

    def __init__(self, taken: Collection[str]) -> None:
        """``taken`` are the names that there are."""
        super().__init__("New provider", "enter accept · tab next field · esc cancel")
        self._taken = taken

    def compose_dialog(self) -> Iterable[Widget]:
        """Two fields, what is wrong, two buttons."""
        yield Static("A server of your own that speaks the protocol of OpenAI.", classes="dialog-text")
        yield Static("Name", classes="field-label")
        yield Input(placeholder="my-server", compact=True, classes="bar", id="provider-name")
        yield Static("Address", classes="field-label")
        yield Input(placeholder="http://127.0.0.1:8080/v1", compact=True, classes="bar", id="provider-address")
        yield Static("", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Add", id="ok", variant="primary", compact=True)

    def wrong_name(self, name: str) -> str:
        """What is wrong with a name, '' when it can be taken."""
        if not _NAME.match(name):
            return "A name is made of a-z, 0-9, - and _."
        return f"There is a provider {name} already." if name in self._taken or name == "offline" else ""

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one(".problem", Static).update("")

    @on(Input.Submitted, "#provider-name")
    def _named(self, event: Input.Submitted) -> None:
        if not self._told(self.wrong_name(event.value.strip())):
            self.query_one("#provider-address").focus()

    @on(Input.Submitted, "#provider-address")
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        name, address = (self.query_one(f"#provider-{part}", Input) for part in ("name", "address"))
        if self._told(self.wrong_name(name.value.strip())):
            name.focus()
        elif self._told(wrong_address(name.value.strip(), address.value.strip())):
            address.focus()
        else:
            self.dismiss((name.value.strip(), address.value.strip()))

    def _told(self, wrong: str) -> bool:
        self.query_one(".problem", Static).update(content(f"✗ {wrong}") if wrong else "")
        return bool(wrong)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)


def wrong_address(name: str, address: str, *, allow_private: bool = False) -> str:
    """Why a server cannot be reached at ``address``, '' when it can."""
    from ledger_tui.providers.catalog import Endpoint

    if not address:
        return "The address is missing."
    try:
        Endpoint(name, name, address, "chat", (), True, allow_private, own_address=True).address()
    except LedgerError as error:
        return " ".join(
            part for part in (f"{error.title}: {error.cause}." if error.cause else error.title, error.remedy) if part
        )
    return ""
