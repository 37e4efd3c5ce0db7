"""What came from other machines: facts of the registry that this machine did not write, in the order in which they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.store import sync_facts, sync_receipts, sync_standing

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_SINCE = """
SELECT p.name, CASE WHEN j.kind = 'version' THEN j.field END FROM journal j JOIN prompts p ON p.id = j.prompt_id
WHERE j.seq > :after AND j.commit_seq IS NOT NULL AND j.device <> :device AND j.kind IN ('version', 'label', 'field')
ORDER BY j.seq
"""


class Mark(NamedTuple):
    """How far a registry has come."""

    workspace: str | None
    """The shared ledger it belongs to; None for none."""
    last: int
    """The local number of its newest fact."""
    waiting: int
    """How many of its facts no server has: when fewer do, numbers of versions may be others."""
    met: bool
    """Whether an exchange ended well; before that everything is new."""


def mark(lean: Lean) -> Mark:
    """How far the registry has come."""
    workspace = sync_standing.state(lean).workspace
    row = lean.one("SELECT MAX(seq) FROM journal")
    met = sync_receipts.last(lean).get("at_us") is not None
    return Mark(workspace, int((row or (0,))[0] or 0), sync_facts.waiting(lean), met)


def since(lean: Lean, after: int, device: str) -> list[tuple[str, str | None]]:
    """Prompt and, where the fact made one, version id of each fact of other machines that came after a local number."""
    return [(row[0], row[1]) for row in lean.fetch(_SINCE, {"after": after, "device": device})]
