"""Facts about prices as a person reads them in a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger_tui.domain import money
from ledger_tui.domain.price_entries import from_value, shown_range
from ledger_tui.errors import InputError

if TYPE_CHECKING:
    from ledger_tui.domain.values import JournalRow


def words(fact: JournalRow) -> str:
    """What a fact of kind price or pricing says, in one line; never fails on odd ones."""
    undone = "undo: " if fact.undoes else ""
    try:
        return undone + (_pricing(fact.value) if fact.kind == "pricing" else _price(fact))
    except (InputError, KeyError, TypeError, AttributeError, ValueError):
        return f"{undone}a fact that this release cannot read"


def _price(fact: JournalRow) -> str:
    if fact.value is None:
        return f"price withdrawn ({fact.field})"
    spec = from_value(fact.value)
    amounts = f"${spec.prices['input']:f} in, ${spec.prices['output']:f} out per million"
    verb = "" if fact.rid == fact.field else "now "
    return f"{spec.name}: {amounts}, {verb}{shown_range(spec.from_us, spec.until_us)}"


def _pricing(value: dict[str, Any]) -> str:
    calls = int(value["calls"])
    models = ", ".join(sorted(value["models"]))
    return f"{calls} call{'' if calls == 1 else 's'} priced late, {money.show(int(value['cost_nusd']))}: {models}"
