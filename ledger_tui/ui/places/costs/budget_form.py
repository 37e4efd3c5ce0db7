"""The form by which a budget is set or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ledger_tui.domain.budgets import DEFAULT_WARN_PERCENT, PERIODS, BudgetSpec, checked
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.safe import content

if TYPE_CHECKING:
    from ledger_tui.domain.budgets import BudgetRow
    from ledger_tui.ledger import PromptLedger

FIELDS = (
    ("limit", "Limit", "US dollars, such as 5 or 0.50"),
    ("period", "Period (UTC)", "day or month"),
    ("prompt", "Prompt", "all; a name, or folder/*"),
    ("environment", "Environment", "all"),
    ("warn", "Warn at", f"{DEFAULT_WARN_PERCENT} percent"),
    ("reason", "Reason", "why, for the history"),
)
SCOPE = ("period", "prompt", "environment")
"""What makes a budget this one: fixed when it is changed."""


@dataclass(frozen=True, slots=True)
class BudgetWish:
    """What was filled in, checked."""

    limit: str
    spec: BudgetSpec
    reason: str

    def enter(self, ledger: PromptLedger) -> BudgetRow:
        """Set the budget; raises StoreError."""
        spec = self.spec
        return ledger.budgets.set(
            self.limit,
            spec.period,
            prompt=spec.prompt,
            environment=spec.environment,
            warn_percent=spec.warn_percent,
            reason=self.reason,
        )


def wish_of(texts: Mapping[str, str]) -> BudgetWish:
    """The wish that texts of ``FIELDS`` make; raises InputError."""
    found = {name: text.strip() for name, text in texts.items()}
    warn = found["warn"].removesuffix("percent").removesuffix("%").strip()
    if warn and not warn.isdecimal():
        raise InputError(f"{warn!r} is no percentage", remedy="Give 1 to 100 percent.")
    spec = checked(
        found["limit"],
        found["period"] or "day",
        prompt=found["prompt"] or None,
        environment=found["environment"] or None,
        warn_percent=int(warn) if warn else DEFAULT_WARN_PERCENT,
    )
    return BudgetWish(found["limit"], spec, found["reason"])


def texts_of(spec: BudgetSpec) -> dict[str, str]:
    """A budget as texts of ``FIELDS``."""
    return {
        "limit": str(spec.value()["limit_usd"]),
        "period": spec.period,
        "prompt": spec.prompt or "",
        "environment": spec.environment or "",
        "warn": str(spec.warn_percent),
        "reason": "",
    }


class BudgetForm(Dialog[BudgetWish | None]):
    """Asks for a budget.

    | Key(s) | Description |
    | :- | :- |
    | tab, enter | The next field; set the budget. |
    | escape | Leave without a budget. |
    """

    DEFAULT_CSS = """
    BudgetForm .row { height: 1; }
    BudgetForm .row Static { width: 16; color: $text-muted; }
    BudgetForm .row Input { width: 1fr; }
    BudgetForm .problem { height: auto; margin: 1 0 0 0; }
    """

    def __init__(self, spec: BudgetSpec | None = None, prompts: Sequence[str] = ()) -> None:
        """spec: the budget that is changed, None for a new one; prompts: names to suggest."""
        super().__init__("Change budget" if spec else "New budget", "enter accept · esc cancel")
        self._spec = spec
        folders = dict.fromkeys(name.rpartition("/")[0] + "/*" for name in prompts if "/" in name)
        self._known = {"prompt": [*prompts, *folders], "period": list(PERIODS)}

    def compose_dialog(self) -> Iterable[Widget]:
        """A line a field, what is wrong, the buttons."""
        values = texts_of(self._spec) if self._spec else {}
        for name, label, hint in FIELDS:
            with Horizontal(classes="row"):
                yield Static(label)
                yield Input(
                    values.get(name, ""),
                    placeholder=hint,
                    id=f"budget-{name}",
                    compact=True,
                    classes="bar",
                    disabled=self._spec is not None and name in SCOPE,
                    suggester=SuggestFromList(self._known[name]) if name in self._known else None,
                )
        yield Static("A call that would go past the limit is not sent, whoever makes it.", classes="muted")
        yield Static("", classes="problem", markup=False)
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Set budget", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin with the limit."""
        self.query_one("#budget-limit").focus()

    @on(Input.Changed)
    def _changed(self) -> None:
        self.query_one(".problem", Static).update("")

    @on(Input.Submitted)
    @on(Button.Pressed, "#ok")
    def _accept(self) -> None:
        try:
            wish = wish_of({name: self.query_one(f"#budget-{name}", Input).value for name, _, _ in FIELDS})
        except LedgerError as error:
            self.query_one(".problem", Static).update(content(f"✗ {error}. {error.remedy}"))
            return
        self.dismiss(wish)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)
