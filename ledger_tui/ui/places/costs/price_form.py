"""The form by which a price is entered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

FIELDS = (
    ("model", "Model", "provider/model"),
    ("input", "Input", "USD per million tokens, 2.50"),
    ("output", "Output", "USD per million tokens, 10"),
    ("cache_read", "Read from cache", "as input"),
    ("cache_write", "Written to cache", "as input"),
    ("reasoning", "Reasoning", "as output"),
    ("from", "From (UTC)", "now, or 2026-11-01T09:30Z"),
    ("until", "Until (UTC)", "open"),
    ("reason", "Reason", "why, for the history"),
)
CLASSES = ("input", "output", "cache_read", "cache_write", "reasoning")


@dataclass(frozen=True, slots=True)
class PriceWish:
    """What was filled in, checked as far as the form can."""

    model: str
    prices: Mapping[str, str]
    from_us: int | None
    until_us: int | None
    reason: str

    def enter(self, ledger: PromptLedger) -> Any:
        """Enter the price; raises InputError, Conflict."""
        return ledger.prices.add(
            *ledger.prices.name(self.model),
            self.prices,
            from_us=self.from_us,
            until_us=self.until_us,
            reason=self.reason,
            free=False,
        )


def wish_of(texts: Mapping[str, str]) -> PriceWish:
    """The wish that texts of ``FIELDS`` make; raises InputError."""
    from ledger_tui.domain.price_entries import checked, moment_us

    found = {name: text.strip() for name, text in texts.items()}
    prices = {name: found[name] for name in CLASSES if found[name]}
    start = moment_us(found["from"]) if found["from"] not in ("", "now") else None
    until = moment_us(found["until"]) if found["until"] else None
    _, _, name = found["model"].partition("/")
    checked("", name or found["model"], prices, from_us=start or 0, until_us=until)
    return PriceWish(found["model"], prices, start, until, found["reason"])


class PriceForm(Dialog[PriceWish | None]):
    """Asks for a price of a model.

    | Key(s) | Description |
    | :- | :- |
    | tab, enter | The next field; enter the price. |
    | escape | Leave without a price. |
    """

    DEFAULT_CSS = """
    PriceForm .row { height: 1; }
    PriceForm .row Static { width: 18; color: $text-muted; }
    PriceForm .row Input { width: 1fr; }
    PriceForm .problem { height: auto; margin: 1 0 0 0; }
    """

    def __init__(self, model: str = "") -> None:
        """model: to begin with."""
        super().__init__("New price", "enter accept · esc cancel")
        self._model = model

    def compose_dialog(self) -> Iterable[Widget]:
        """A line a field, what is wrong, the buttons."""
        for name, label, hint in FIELDS:
            with Horizontal(classes="row"):
                yield Static(label)
                value = self._model if name == "model" else ""
                yield Input(value, placeholder=hint, id=f"price-{name}", compact=True, classes="bar")
        yield Static("An open earlier price ends where this one begins.", classes="muted")
        yield Static("", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Enter price", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin where something is missing."""
        self.query_one("#price-input" if self._model else "#price-model").focus()

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one(".problem", Static).update("")

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        try:
            wish = wish_of({name: self.query_one(f"#price-{name}", Input).value for name, _, _ in FIELDS})
        except LedgerError as error:
            self.query_one(".problem", Static).update(content(f"✗ {error}. {error.remedy}"))
            return
        self.dismiss(wish)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
