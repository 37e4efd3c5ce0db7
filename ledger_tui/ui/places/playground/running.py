"""Running a column: one call after the other, every end shown, whatever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import ids
from ledger_tui.errors import LedgerError
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.field_values import values_of
from ledger_tui.ui.places.playground.session import Plan, request_for

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger


async def run_columns(ledger: PromptLedger, plan: Plan, columns: list[AnswerColumn]) -> None:
    """Run the plan in all columns at once. Raises ValueRefused before anything is sent.

    The runs share the session and nothing else. Cancelling stops all of them and keeps what came.
    """
    values = await asyncio.to_thread(values_of, plan.fields)
    session_id = ids.new_id()
    await asyncio.gather(*(_run(ledger, plan, column, values, session_id) for column in columns))


async def _run(
    ledger: PromptLedger, plan: Plan, column: AnswerColumn, values: Mapping[str, Any], session_id: str
) -> None:
    for _ in range(plan.repeat):
        column.begin()
        try:
            request = await asyncio.to_thread(request_for, plan, column.model, column.params, values, session_id)
            runs = await asyncio.to_thread(lambda: ledger.runs)
            await runs.run(request, column.take)
        except LedgerError as error:
            column.fail(error)
            return
        except asyncio.CancelledError:
            column.cancel()
            raise
        except Exception as error:
            column.fail(error)
            raise
