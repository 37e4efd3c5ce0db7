"""How long the answers of a prompt were: its last calls, read newest first."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import ids
from ledger_tui.domain.call_stats import LengthHistory

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_SQL = """
SELECT output_tokens FROM spans
WHERE prompt_id = :prompt_id AND model IS NOT NULL AND status = 'succeeded' AND output_tokens IS NOT NULL{more}
ORDER BY trace_key DESC, id DESC LIMIT :calls
"""


def history(lean: Lean, prompt: str, model: str | None, calls: int) -> LengthHistory | None:
    """The lengths of the last ``calls`` succeeded calls; None when there is none.

    model: ``provider/model``, or a model's own name at any provider; None for every model.
    """
    parameters: dict[str, Any] = {"prompt_id": ids.prompt_id(prompt), "calls": max(1, calls)}
    more = ""
    if model is not None:
        provider, slash, name = model.partition("/")
        more = " AND (model = :model" + (" OR (provider = :provider AND model = :name))" if slash else ")")
        parameters |= {"model": model, **({"provider": provider, "name": name} if slash else {})}
    lengths = sorted(int(row[0]) for row in lean.fetch(_SQL.format(more=more), parameters))
    if not lengths:
        return None
    low, middle, high = (lengths[max(1, ceil(share * len(lengths))) - 1] for share in (0.05, 0.5, 0.95))
    return LengthHistory(len(lengths), low, middle, high)
