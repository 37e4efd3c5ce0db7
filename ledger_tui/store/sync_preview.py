"""What would leave this machine with the next sync: counted by kind and by prompt, before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.store import sync_coming, sync_telemetry, sync_texts
from ledger_tui.store.sync_shelves import CARDS, SHELVES, Shelf

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean


@dataclass(frozen=True, slots=True)
class Going:
    """What would go. ``facts``: by prompt, then by kind; None stands for what belongs to no prompt (prices, budgets)."""

    facts: Mapping[str | None, Mapping[str, int]] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Calls, steps, renders and what belongs to them, by kind."""
    texts: int = 0
    """Texts of what the server has already; those of ``numbers`` follow them."""
    kept: int = 0
    """Records that the rules keep at home."""

    @property
    def meta(self) -> int:
        """All facts."""
        return sum(sum(kinds.values()) for kinds in self.facts.values())

    @property
    def telemetry(self) -> int:
        """All numbers."""
        return sum(self.numbers.values())


def going(lean: Lean, sharing: Sharing) -> Going:
    """What the rules let go now. Pending rows are counted by an index; what was kept at home before costs reading every row."""
    numbers: dict[str, int] = {}
    kept = 0
    if "telemetry" in sharing.streams:
        for shelf in SHELVES:
            allowed, home = _of_shelf(lean, shelf, sharing)
            kept += home
            if allowed:
                numbers[shelf.kind] = allowed
        if unread := sync_coming.KEPT.waiting(lean):
            numbers["kept"] = unread
        if sharing.folders:
            kept += sync_telemetry.withheld(lean)
    else:
        kept = sum(shelf.waiting(lean) for shelf in SHELVES if shelf is not CARDS) + sync_telemetry.withheld(lean)
    texts = sum(shelf.waiting(lean) for shelf in sync_texts.MY_SHELVES) if "bodies" in sharing.streams else 0
    return Going(_facts(lean), numbers, texts, kept)


def _facts(lean: Lean) -> dict[str | None, dict[str, int]]:
    sql = (
        "SELECT p.name, j.kind, COUNT(*) FROM journal j LEFT JOIN prompts p ON p.id = j.prompt_id "
        "WHERE j.commit_seq IS NULL GROUP BY p.name, j.kind ORDER BY p.name IS NULL, p.name, j.kind"
    )
    found: dict[str | None, dict[str, int]] = {}
    for name, kind, count in lean.fetch(sql):
        found.setdefault(name, {})[kind] = int(count)
    return found


def _of_shelf(lean: Lean, shelf: Shelf, sharing: Sharing) -> tuple[int, int]:
    """How many pending rows may go, and how many may not."""
    if shelf is CARDS or (sharing.is_uniform and sharing.usual.numbers):
        return shelf.waiting(lean), 0
    # The prompt is the second of the columns that every shelf begins with.
    prompt = shelf.columns.split(", ")[1]
    sql = (
        f"SELECT p.name, f.n FROM (SELECT {prompt} AS prompt_id, COUNT(*) AS n FROM {shelf.source} "
        f"WHERE r.commit_seq IS NULL AND {shelf.ended} GROUP BY 1) f LEFT JOIN prompts p ON p.id = f.prompt_id"
    )
    allowed = home = 0
    for name, count in lean.fetch(sql):
        if sharing.of(name or "").numbers:
            allowed += int(count)
        else:
            home += int(count)
    return allowed, home
