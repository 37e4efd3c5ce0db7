"""Alerts: what a person is told once, with the numbers behind: budgets near or at their limit, days that stand out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger_tui.domain import measure, money
from ledger_tui.domain.budgets import Standing
from ledger_tui.domain.call_stats import Spike
from ledger_tui.domain.text import one_line

BUDGET, SPIKE = "budget", "spike"
GLYPHS = {"warn": "⚠", "over": "✗", "refused": "✗"}
_TITLES = {"warn": "Budget nearly spent", "over": "Budget spent", "refused": "A call was stopped by its budget"}
_MEASURES = {"error_rate": "error rate", "p95": "95th percentile of latency", "cost": "cost"}


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert. Names in ``detail`` may be foreign text."""

    key: str
    """What it is about and when; the same is raised once."""
    kind: str
    """budget or spike."""
    at_us: int
    detail: Mapping[str, Any]
    """The numbers behind it."""
    seen_us: int | None = None

    @property
    def glyph(self) -> str:
        """⚠ for what comes near a limit or stands out, ✗ for a limit that is reached."""
        return GLYPHS.get(str(self.detail.get("state")), "⚠")

    @property
    def title(self) -> str:
        """What happened, in a few words."""
        if self.kind == BUDGET:
            return _TITLES.get(str(self.detail.get("state")), "Budget")
        return f"Unusual {_MEASURES.get(str(self.detail.get('measure')), 'figure')}"

    @property
    def words(self) -> str:
        """The facts in one line."""
        return _budget_words(self.detail) if self.kind == BUDGET else _spike_words(self.detail)

    @property
    def filter_text(self) -> str:
        """Finds the traces behind it; empty when there is no such filter."""
        return str(self.detail.get("filter") or "")


def of_standing(one: Standing, state: str, at_us: int) -> AlertRow:
    """The alert that a budget came to ``state`` (warn, over, or refused: a call was stopped)."""
    spec = one.budget.spec
    detail = {
        "state": state,
        "budget": one.budget.rid,
        "subject": spec.subject,
        "period": spec.period,
        "period_key": one.period.key,
        "next_us": one.period.until_us,
        "spent_nusd": one.spent_nusd,
        "reserved_nusd": one.reserved_nusd,
        "limit_nusd": spec.limit_nusd,
        "warn_percent": spec.warn_percent,
        "unpriced": one.unpriced,
        "filter": one.filter_text,
    }
    # A limit that is raised is another one: it is told again when that is reached.
    key = f"{BUDGET}:{one.budget.rid}:{one.period.key}:{state}:{spec.limit_nusd}"
    return AlertRow(key, BUDGET, at_us, detail)


def of_spike(spike: Spike, at_us: int) -> AlertRow:
    """The alert that a day stands out; once a day, measure and group."""
    stats = spike.stats
    day = stats.selection.until.isoformat()
    detail = {
        "measure": spike.measure,
        "by": spike.by,
        "label": stats.label,
        "day": day,
        "value": spike.value,
        "median": spike.median,
        "spread": spike.spread,
        "limit": spike.limit,
        "history": list(spike.history),
        "calls": stats.calls,
        "filter": stats.filter_text,
    }
    return AlertRow(f"{SPIKE}:{day}:{spike.measure}:{spike.by}:{stats.label}", SPIKE, at_us, detail)


def environment_of(row: AlertRow) -> dict[str, str]:
    """The alert as variables for a command: ``LEDGER_ALERT_TITLE``, ``_TEXT``, ``_KIND``, ``_KEY`` and a figure each."""
    found = {"KEY": row.key, "KIND": row.kind, "TITLE": row.title, "TEXT": row.words}
    for name, value in row.detail.items():
        if name.endswith("_nusd"):
            found[f"{name.removesuffix('_nusd')}_usd".upper()] = f"{money.to_usd(int(value)):f}"
        elif not isinstance(value, list | dict):
            found[name.upper()] = str(value)
    return {f"LEDGER_ALERT_{name}": one_line(value, 2_000) for name, value in found.items()}


def _budget_words(detail: Mapping[str, Any]) -> str:
    limit_nusd = int(detail["limit_nusd"])
    spent_nusd = int(detail["spent_nusd"])
    share = f" ({spent_nusd * 100 // limit_nusd} %)" if limit_nusd else ""
    spent = f"{money.show(spent_nusd, int(detail['unpriced']))} of {money.show(limit_nusd)}{share}"
    when = f"{'on' if detail['period'] == 'day' else 'in'} {detail['period_key']}"
    words = f"{detail['subject']}: {spent} spent {when}"
    return words if detail["state"] == "warn" else f"{words}; calls past it are not sent"


def _spike_words(detail: Mapping[str, Any]) -> str:
    kind = str(detail["measure"])
    value, usual, limit = (_shown(kind, float(detail[name])) for name in ("value", "median", "limit"))
    label = f"{detail['by']} {detail['label']}" if detail["label"] else f"calls of no {detail['by']}"
    label = "all calls" if detail["by"] == "all" else label
    days = len(detail["history"])
    return f"{label} on {detail['day']}: {_MEASURES[kind]} {value}, usually {usual} ({days} days), unusual from {limit}"


def _shown(kind: str, value: float) -> str:
    if kind == "error_rate":
        return f"{value * 100:.1f} %"
    return measure.duration(round(value)) if kind == "p95" else money.show(round(value))
