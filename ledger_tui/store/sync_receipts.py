"""What each exchange with the shared server did, and how the last one ended: kept in the ledger, never shared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.store import sync_standing

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

KEPT = 200
REMOTE, LAST = "sync.remote", "sync.last"


def keep(lean: Lean, detail: dict[str, Any]) -> None:
    """Keep a receipt; the oldest make room."""
    lean.insert_rows("sync_receipts", ("at_us", "detail"), [(clock.now_us(), json.dumps(detail, sort_keys=True))])
    lean.execute("DELETE FROM sync_receipts WHERE id <= (SELECT MAX(id) FROM sync_receipts) - :kept", {"kept": KEPT})


def newest(lean: Lean, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """When (microseconds) and what, newest first."""
    rows = lean.fetch("SELECT at_us, detail FROM sync_receipts ORDER BY id DESC LIMIT :limit", {"limit": limit})
    return [(int(at_us), json.loads(detail)) for at_us, detail in rows]


def remote(lean: Lean) -> dict[str, Any] | None:
    """Where the shared server is: ``address`` (libpq's text, without a password), ``label`` for people, ``keyring_item``."""
    found: dict[str, Any] | None = sync_standing.get(lean, REMOTE)
    return found


def set_remote(lean: Lean, value: dict[str, Any] | None) -> None:
    """Remember, or forget, where the shared server is."""
    sync_standing.put(lean, REMOTE, value)


def last(lean: Lean) -> dict[str, Any]:
    """How the last exchanges ended: ``at_us``, ``agreed``, ``agreed_us``, ``error``, ``failing_since_us``, as far as known.

    ``differ``: whether the last comparison of every record found a difference.
    """
    return dict(sync_standing.get(lean, LAST) or {})


def set_last(lean: Lean, **changes: Any) -> None:
    """Change what ``last`` says."""
    sync_standing.put(lean, LAST, {**last(lean), **changes})
