"""Budgets: a limit on what calls of a scope may cost in a UTC day or month, and where spending stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

from ledger_tui.domain import clock, money, names
from ledger_tui.domain.filter_fields import quoted
from ledger_tui.errors import InputError

PERIODS = ("day", "month")
DEFAULT_WARN_PERCENT = 80
FOLDER = "/*"
State = Literal["ok", "warn", "over"]


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """What a budget says. ``prompt`` is a name, or ``folder/*`` for all below; None and an empty environment mean all."""

    period: str
    limit_nusd: int
    warn_percent: int = DEFAULT_WARN_PERCENT
    prompt: str | None = None
    environment: str | None = None

    @property
    def subject(self) -> str:
        """What it is about, in words: ``support/* in prod``, ``everything``."""
        words = [self.prompt or "", f"in {self.environment}" if self.environment else ""]
        return " ".join(word for word in words if word) or "everything"

    @property
    def words(self) -> str:
        """The budget in words: ``support/* may cost $5.00 a day, warning at 80 %``."""
        return (
            f"{self.subject} may cost {money.show(self.limit_nusd)} a {self.period}, warning at {self.warn_percent} %"
        )

    def covers(self, prompt: str | None, environment: str) -> bool:
        """Whether a call of this prompt (None: of no saved one) and environment counts."""
        if self.environment is not None and self.environment != environment:
            return False
        if self.prompt is None:
            return True
        if self.prompt.endswith(FOLDER):
            return prompt is not None and prompt.startswith(self.prompt[:-1])
        return prompt == self.prompt

    def value(self) -> dict[str, Any]:
        """As the journal keeps it: money as exact text in USD."""
        return {
            "scope": self.scope(),
            "period": self.period,
            "limit_usd": f"{money.to_usd(self.limit_nusd):f}",
            "warn_percent": self.warn_percent,
        }

    def scope(self) -> dict[str, str]:
        """The parts that limit what counts."""
        parts = {"prompt": self.prompt, "environment": self.environment}
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget as it holds now, with who set it last and when (microseconds)."""

    rid: str
    spec: BudgetSpec
    actor: str
    at_us: int


class Period(NamedTuple):
    """A UTC day or month. ``key`` is ``2026-11-22`` or ``2026-11``; the days are ISO dates, both included."""

    key: str
    first_day: str
    last_day: str
    until_us: int
    """When the next one begins."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a budget stands. Amounts in nano-dollars."""

    budget: BudgetRow
    period: Period
    spent_nusd: int
    reserved_nusd: int
    """What calls that wait or run are expected to cost."""
    unpriced: int
    """Calls in scope whose cost nobody knows; they count as nothing here, so they are told."""

    @property
    def share(self) -> float:
        """Spent and reserved as a part of the limit; 1.0 is the limit."""
        taken = self.spent_nusd + self.reserved_nusd
        return taken / self.budget.spec.limit_nusd if self.budget.spec.limit_nusd else float(taken > 0)

    @property
    def left_nusd(self) -> int:
        """What is left, never below zero."""
        return max(0, self.budget.spec.limit_nusd - self.spent_nusd - self.reserved_nusd)

    @property
    def percent(self) -> int:
        """``share`` in whole percent, rounded down, so that 100 is the limit; never more than 9,999."""
        limit_nusd = self.budget.spec.limit_nusd
        taken = self.spent_nusd + self.reserved_nusd
        return min(9_999, taken * 100 // limit_nusd if limit_nusd else 100)

    @property
    def state(self) -> State:
        """over: spent up; warn: past the share at which one is told."""
        return self._state_at(self.spent_nusd + self.reserved_nusd)

    @property
    def spent_state(self) -> State:
        """The state by what is spent alone, which no call that ends can take back."""
        return self._state_at(self.spent_nusd)

    def _state_at(self, taken: int) -> State:
        spec = self.budget.spec
        if taken >= spec.limit_nusd:
            return "over"
        return "warn" if taken * 100 >= spec.limit_nusd * spec.warn_percent else "ok"

    @property
    def filter_text(self) -> str:
        """The filter that finds the traces of the calls that count."""
        spec, period = self.budget.spec, self.period
        days = period.first_day if period.first_day == period.last_day else f"{period.first_day}..{period.last_day}"
        terms = [f"day:{days}"]
        terms += [f"prompt:{quoted(spec.prompt)}"] if spec.prompt else []
        terms += [f"env:{quoted(spec.environment)}"] if spec.environment else []
        return " ".join(terms)

    @property
    def words(self) -> str:
        """Where it stands in words: ``support/*: $4.20 of $5.00 (84 %) on 2026-11-22``."""
        spec = self.budget.spec
        amounts = f"{money.show(self.spent_nusd, self.unpriced)} of {money.show(spec.limit_nusd)} ({self.percent} %)"
        return f"{spec.subject}: {amounts} {'on' if spec.period == 'day' else 'in'} {self.period.key}"


def checked(
    limit: Decimal | str | float,
    period: str,
    *,
    prompt: str | None = None,
    environment: str | None = None,
    warn_percent: int = DEFAULT_WARN_PERCENT,
) -> BudgetSpec:
    """A budget from what a person gives, ``limit`` in USD; InputError says what is wrong."""
    if period not in PERIODS:
        raise InputError(f"{period!r} is no period of a budget", remedy=f"Periods are {' and '.join(PERIODS)}.")
    if isinstance(warn_percent, bool) or not 1 <= warn_percent <= 100:
        raise InputError(f"a warning at {warn_percent} % makes no sense", remedy="Give 1 to 100 percent.")
    if prompt is not None:
        names.check_prompt_name(prompt.removesuffix(FOLDER))
    if environment is not None and (not environment.strip() or len(environment) > 64):
        raise InputError("an environment is a text of 1 to 64 characters")
    try:
        limit_nusd = money.to_nusd(Decimal(str(limit).strip().removeprefix("$")))
    except (InvalidOperation, ValueError) as error:
        raise InputError(f"{limit!r} is no amount of dollars", remedy="Write dollars, such as 5 or 0.50.") from error
    return BudgetSpec(period, limit_nusd, warn_percent, prompt or None, environment or None)


def from_value(value: Mapping[str, Any]) -> BudgetSpec:
    """The budget that a fact's value says."""
    scope = value["scope"]
    limit_nusd = money.to_nusd(Decimal(value["limit_usd"]))
    return BudgetSpec(
        value["period"], limit_nusd, int(value["warn_percent"]), scope.get("prompt"), scope.get("environment")
    )


def period_of(period: str, now_us: int) -> Period:
    """The UTC day or month around a moment."""
    today = clock.from_us(now_us).date()
    first = today if period == "day" else today.replace(day=1)
    after = first + timedelta(days=1) if period == "day" else _next_month(first)
    key = first.isoformat() if period == "day" else f"{first:%Y-%m}"
    last = after - timedelta(days=1)
    return Period(key, first.isoformat(), last.isoformat(), (after - date(1970, 1, 1)).days * 86_400_000_000)


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def fact_words(value: Mapping[str, Any] | None) -> str:
    """What a fact about a budget said, in words."""
    return "removed" if value is None else from_value(value).words
