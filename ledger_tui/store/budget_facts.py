"""Writing budgets: each change is a fact of the journal, in the caller's transaction.

A budget's id is the fact that set it first; a later fact of the same id says what it is from then on, or (null) that it was
removed.
"""

from __future__ import annotations

import json

from sqlmodel import Session as Session

from ledger_tui.domain import ids
from ledger_tui.domain.budgets import BudgetSpec, from_value
from ledger_tui.domain.tables import JournalEntry
from ledger_tui.store import registry
from ledger_tui.store.registry import Pen

KIND = "budget"


def add(session: Session, pen: Pen, spec: BudgetSpec, reason: str = "") -> str:
    """Set a new budget; its id."""
    rid = ids.new_id()
    registry.append(session, pen, KIND, None, rid, spec.value(), reason=reason, rid=rid)
    return rid


def write(session: Session, pen: Pen, rid: str, spec: BudgetSpec | None, reason: str = "") -> None:
    """Say what a budget is from now on; None: it is removed."""
    registry.append(session, pen, KIND, None, rid, None if spec is None else spec.value(), reason=reason)


def take_back(session: Session, pen: Pen, fact: JournalEntry) -> str:
    """Append the opposite of a budget fact and say it in words."""
    value, theirs = registry.value_before(session, fact)
    write(session, pen, fact.field, None if value is None else from_value(value))
    said = from_value(value if value is not None else json.loads(fact.value))
    if theirs:
        return f"the budget for {said.subject} stays as others set it meanwhile"
    return f"the budget for {said.subject} is {'removed' if value is None else 'as it was'}"
