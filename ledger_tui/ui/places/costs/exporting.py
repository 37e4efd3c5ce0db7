"""What Costs can write into files: the table of groups, the days, and every day by model, version and environment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ledger_tui.ui.export_subject import ExportSubject

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.export import Rows
    from ledger_tui.ui.places.costs.reading import Look


def cost_subjects(look: Look, shown: Sequence[CallStats], at_day: bool) -> list[ExportSubject]:
    """The tables on the screen, that with the focus first, and the sums of days in full detail.

    shown: the groups in the order of the screen.
    """
    question = look.question
    since, until = question.selection.since, question.selection.until
    span = str(since) if since == until else f"{since} to {until}"
    by = question.by
    groups = ExportSubject(
        f"By {by}",
        f"Calls by {by}, {span}, as the table shows them.",
        f"costs-by-{by}",
        lambda ledger, _: _rows(by, shown if look.groups.group_count <= len(shown) else _all(ledger, look)),
    )
    days = ExportSubject("By day", f"Calls by day, {span}.", "costs-by-day", lambda ledger, _: _rows("day", look.days))
    period = f"since:{since} until:{until + timedelta(days=1)}"
    every = ExportSubject(
        "In detail",
        f"Calls by day, model, version and environment, {span}, without a filter.",
        "costs",
        lambda ledger, _: ledger.exports.rows("costs", period),
    )
    return [days, groups, every] if at_day else [groups, days, every]


def _rows(by: str, rows: Sequence[CallStats]) -> Rows:
    from ledger_tui.services.export_stats import stats_rows

    return stats_rows([(by, rows)])


def _all(ledger: PromptLedger, look: Look) -> Sequence[CallStats]:
    """Every group, where the table holds only the largest."""
    question = look.question
    return ledger.analytics.breakdown(question.by, question.selection, order=question.order, limit=_MOST).rows


_MOST = 100_000
