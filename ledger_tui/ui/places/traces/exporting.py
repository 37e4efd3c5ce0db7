"""What Traces can write into files: the list as it is filtered, the spans of its traces, the trace that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain.filter_fields import quoted
from ledger_tui.ui.export_subject import ExportSubject

if TYPE_CHECKING:
    from ledger_tui.domain.values import TraceRow


def trace_subjects(filter_text: str, opened: TraceRow | None, list_first: bool) -> list[ExportSubject]:
    """The subjects; ``list_first`` when the list has the focus, else the open trace comes first."""
    fit = f"that fit {filter_text}" if filter_text else "of this ledger"
    found = [
        ExportSubject(
            "Traces",
            f"Traces {fit}, each with its sums.",
            "traces",
            lambda ledger, _: ledger.exports.rows("traces", filter_text),
        ),
        ExportSubject(
            "Their spans",
            f"Every span of the traces {fit}.",
            "spans",
            lambda ledger, texts: ledger.exports.rows("spans", filter_text, texts=texts),
            has_texts=True,
        ),
    ]
    if opened is None:
        return found
    only = f"trace:{quoted(opened.trace_id)}"
    this = ExportSubject(
        "This trace",
        f"The {opened.span_count} spans of {opened.name or opened.trace_id}.",
        f"trace-{opened.name or opened.trace_id}",
        lambda ledger, texts: ledger.exports.rows("spans", only, texts=texts),
        has_texts=True,
    )
    return [*found, this] if list_first else [this, *found]
