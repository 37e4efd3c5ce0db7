"""Reading budgets, and what was spent and is reserved in their scope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock, money
from ledger_tui.domain.budgets import FOLDER, BudgetRow, BudgetSpec, Period, Standing, period_of
from ledger_tui.errors import BudgetExceeded

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_BUDGETS = """
SELECT b.rid, b.scope, b.period, b.limit_nusd, b.warn_percent, j.actor, j.at_us
FROM budgets b LEFT JOIN journal j ON j.rid = b.rid ORDER BY b.scope, b.period, b.rid
"""
_HISTORY = """
SELECT j.seq, j.rid, j.kind, NULL, NULL, j.field, j.value, j.actor, j.at_us, j.reason, j.action, j.undoes
FROM journal j WHERE j.kind = 'budget' ORDER BY j.seq DESC LIMIT :limit
"""


def entries(lean: Lean) -> list[BudgetRow]:
    """Every budget by scope and period."""
    return [
        BudgetRow(row[0], _spec(row[1], row[2], int(row[3]), int(row[4])), row[5] or "", int(row[6] or 0))
        for row in lean.fetch(_BUDGETS)
    ]


def _spec(scope: str, period: str, limit_nusd: int, warn_percent: int) -> BudgetSpec:
    parts = json.loads(scope)
    return BudgetSpec(period, limit_nusd, warn_percent, parts.get("prompt"), parts.get("environment"))


def history(lean: Lean, limit: int) -> list[tuple[Any, ...]]:
    """The newest facts about budgets in the order of ``JournalRow``'s fields; the value is JSON text."""
    return lean.fetch(_HISTORY, {"limit": limit})


def standing(lean: Lean, budget: BudgetRow, now_us: int, *, without: str | None = None) -> Standing:
    """Where a budget stands in the period around ``now_us``; ``without``: an execution that does not count as reserved."""
    period = period_of(budget.spec.period, now_us)
    spent, unpriced = _spent(lean, budget.spec, period)
    return Standing(budget, period, spent, _reserved(lean, budget.spec, without), unpriced)


def admit(
    lean: Lean, prompt: str | None, environment: str, expected_nusd: int | None, now_us: int, without: str | None = None
) -> None:
    """Let a call pass or raise BudgetExceeded, inside the transaction that stores what it is expected to cost.

    prompt: the name of its prompt; expected_nusd: None when nobody knows its price; without: its own execution when that
    is stored already.
    """
    for budget in entries(lean):
        if budget.spec.covers(prompt, environment):
            refuse_beyond(standing(lean, budget, now_us, without=without), expected_nusd or 0)


def admit_queued(lean: Lean, execution_id: str, prompt: str | None, environment: str, now_us: int) -> None:
    """``admit`` for a call that is stored already, and reserved what it is expected to cost."""
    row = lean.one("SELECT estimated_nusd FROM executions WHERE id = :id", {"id": execution_id})
    admit(lean, prompt, environment, None if row is None else row[0], now_us, without=execution_id)


def refuse_beyond(found: Standing, expected_nusd: int) -> None:
    """Raise BudgetExceeded when a call that is expected to cost so much would go past the limit, or the limit is reached."""
    spec = found.budget.spec
    taken = found.spent_nusd + found.reserved_nusd
    if taken + expected_nusd <= spec.limit_nusd and taken < max(spec.limit_nusd, 1):
        return
    words = [f"{spec.subject} may cost {money.show(spec.limit_nusd)} a {spec.period} (UTC)"]
    words.append(f"{money.show(found.spent_nusd)} is spent")
    if found.reserved_nusd:
        words.append(f"{money.show(found.reserved_nusd)} is expected of calls that wait or run")
    if expected_nusd:
        words.append(f"this call would cost about {money.show(expected_nusd)}")
    words.append(f"the next {spec.period} begins {clock.from_us(found.period.until_us):%Y-%m-%d %H:%M} UTC")
    raise BudgetExceeded(
        "; ".join(words), budget=found.budget.rid, spent_nusd=found.spent_nusd, limit_nusd=spec.limit_nusd
    )


def _spent(lean: Lean, spec: BudgetSpec, period: Period) -> tuple[int, int]:
    condition, parameters = _scope(spec, "d")
    row = lean.one(
        "SELECT COALESCE(SUM(d.cost_nusd), 0), COALESCE(SUM(d.unpriced), 0) FROM daily_costs d "
        f"WHERE d.day BETWEEN :first_day AND :last_day{condition}",
        {"first_day": period.first_day, "last_day": period.last_day, **parameters},
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def _reserved(lean: Lean, spec: BudgetSpec, without: str | None) -> int:
    condition, parameters = _scope(spec, "e")
    row = lean.one(
        "SELECT COALESCE(SUM(e.estimated_nusd), 0) FROM executions e "
        f"WHERE e.status IN ('queued', 'running') AND e.id <> :without{condition}",
        {"without": without or "", **parameters},
    )
    return 0 if row is None else int(row[0])


def _scope(spec: BudgetSpec, alias: str) -> tuple[str, dict[str, str]]:
    """The condition of a scope on a table with ``prompt_id`` and ``environment``."""
    condition, parameters = "", {}
    if spec.environment is not None:
        condition += f" AND {alias}.environment = :environment"
        parameters["environment"] = spec.environment
    if spec.prompt is not None:
        is_folder = spec.prompt.endswith(FOLDER)
        # '0' follows '/' in the order of bytes, which is the order of names on both databases.
        named = "p.name > :low AND p.name < :high" if is_folder else "p.name = :low"
        condition += f" AND {alias}.prompt_id IN (SELECT p.id FROM prompts p WHERE {named})"
        parameters["low"] = spec.prompt.removesuffix("*")
        if is_folder:
            parameters["high"] = spec.prompt.removesuffix(FOLDER) + "0"
    return condition, parameters
