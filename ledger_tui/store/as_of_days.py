"""What the sums of days held too much at a moment: calls that ended later, and prices that came later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_tui.store.as_of_views import Moment
    from ledger_tui.store.lean import Lean


def differences(lean: Lean, moment: Moment) -> dict[str, list[dict[str, Any]]]:
    return {}
