"""Working out what was otherwise at a moment, and putting the views of it in front of a connection's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.store import as_of_days, as_of_registry
from ledger_tui.store import as_of_views as views
from ledger_tui.store.as_of_views import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger_tui.store.lean import Lean


def settle(lean: Lean, base: str, temp: str, at_us: int) -> None:
    """Show the ledger as of ``at_us`` on this connection; inside a transaction that may write temporary tables.

    base: the schema of the real tables; temp: the schema of temporary ones.
    """
    moment = Moment(at_us, base)
    _run(lean, views.dropped(temp))
    _run(lean, views.temporary_tables(moment))
    replayed = as_of_registry.replay(lean, at_us)
    lean.executemany(
        f"INSERT INTO {views.CHANGED} (prompt_id) VALUES (:prompt_id)", [{"prompt_id": one} for one in replayed.prompts]
    )
    for name, rows in replayed.rows.items():
        as_of_registry.insert_rows(lean, f"as_of_{name}", rows)
    _run(lean, views.touched(moment))
    for name, rows in as_of_days.differences(lean, base, at_us, views.LATE, views.TOUCHED).items():
        as_of_registry.insert_rows(lean, f"as_of_{name}", rows)
    _run(lean, views.whole_days(moment))
    _run(lean, views.views(moment))
    _run(lean, views.summed(moment))


def _run(lean: Lean, statements: Iterable[str]) -> None:
    for statement in statements:
        lean.execute(statement)
