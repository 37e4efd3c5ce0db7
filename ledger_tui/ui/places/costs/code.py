"""What Costs shows as code: the same table from a program and from a shell, and the rows as text."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ledger_tui.domain.call_stats import CallStats
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.places.costs.reading import Question

_LIMITS = ("provider", "model", "prompt", "version", "environment", "user", "session")
_OPTIONS = {"environment": "env"}
_FIELDS = (
    "calls", "errors", "canceled", "input_tokens", "output_tokens", "cost_nusd", "unpriced", "p50_us", "p95_us",
    "first_p50_us", "first_p95_us",
)  # fmt: skip


def code_of(question: Question) -> CodeSubject:
    """The table of groups, asked for in Python and on the command line."""
    selection, by = question.selection, question.by
    given = {name: getattr(selection, name) for name in _LIMITS if getattr(selection, name) is not None}
    limits = "".join(f", {name}={value!r}" for name, value in given.items())
    since, until = selection.since, selection.until
    python = [
        "from datetime import date",
        "",
        "from ledger_tui import PromptLedger",
        "from ledger_tui.domain.selection import Selection",
        "",
        f"calls = Selection({_date(since)}, {_date(until)}{limits})",
        "with PromptLedger() as ledger:",
        f"    for row in ledger.analytics.breakdown({by!r}, calls, order={question.order!r}).rows:",
        "        print(row.label, row.calls, row.success_rate, row.cost_nusd / 1e9, row.unpriced, row.p95_us)",
    ]
    options = "".join(f" --{_OPTIONS.get(name, name)} {shlex.quote(str(value))}" for name, value in given.items())
    order = "" if question.order == "cost" else f" --order {question.order}"
    cli = f"ledger-tui costs --by day,{by} --from {since} --until {until}{options}{order}"
    return CodeSubject(python="\n".join(python), cli=cli)


def _date(day: object) -> str:
    year, month, number = (int(part) for part in str(day).split("-"))
    return f"date({year}, {month}, {number})"


def table_text(by: str, rows: Sequence[CallStats]) -> str:
    """Rows as tab-separated text, money in nano-dollars, times in microseconds, nothing for what is unknown."""
    lines = ["\t".join((by, *_FIELDS))]
    for row in rows:
        figures = (getattr(row, name) for name in _FIELDS)
        label = row.label.replace("\t", " ").replace("\n", " ")
        lines.append("\t".join([label, *("" if value is None else str(value) for value in figures)]))
    return "\n".join(lines) + "\n"
