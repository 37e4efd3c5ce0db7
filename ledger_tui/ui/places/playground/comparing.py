"""What the playground looks at before and after a run: the rendered messages, and how two answers differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.diff import TextDiff, diff_text
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.answers import Answer
from ledger_tui.ui.places.playground.column_words import forecast_words
from ledger_tui.ui.places.playground.field_values import values_of
from ledger_tui.ui.places.playground.session import Plan, forecasts
from ledger_tui.ui.safe import line

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.forecast import Forecast

Named = tuple[str, Answer]


def rendered(
    ledger: PromptLedger, plan: Plan, models: Sequence[str]
) -> tuple[tuple[ChatMessage, ...], dict[str, Forecast]]:
    """The messages as they would be sent and what they would cost; raises InputError. Not for the event loop."""
    messages = ledger.templates.render(plan.content, values_of(plan.fields), plan.origin)
    return messages, forecasts(ledger, plan, models)


def forecast_rows(found: Mapping[str, Forecast]) -> list[Content]:
    """One line for each model."""
    return [Content.assemble(line(model, 50), "  ", forecast_words(one)) for model, one in found.items()]


def answer_pair(columns: Sequence[AnswerColumn], column: AnswerColumn) -> tuple[Named, Named] | None:
    """The two answers to compare: this column's and its neighbour's, else this one's and the one before it."""
    mine = column.answer
    if mine is None:
        return None
    after = columns.index(column)
    others = [*columns[after + 1 :], *columns[:after]]
    other = next((found for found in others if found.answer is not None), None)
    if other is not None and other.answer is not None:
        return (column.model, mine), (other.model, other.answer)
    if column.shown > 0:
        before = column.answers[column.shown - 1]
        return (f"{before.model}, answer {column.shown}", before), (f"{mine.model}, answer {column.shown + 1}", mine)
    return None


def compared(pair: tuple[Named, Named]) -> TextDiff:
    """How the outputs differ. Not for the event loop."""
    return diff_text(pair[0][1].shown, pair[1][1].shown)
