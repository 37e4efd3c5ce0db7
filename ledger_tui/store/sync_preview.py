"""What would leave this machine with the next sync: counted by kind and by prompt, before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain.retention import MARK
from ledger_tui.domain.sync.records import Stream
from ledger_tui.domain.sync.sharing import Share, Sharing
from ledger_tui.store import sync_coming, sync_telemetry, sync_texts
from ledger_tui.store.sync_shelves import CARDS, EXECUTIONS, SHELVES, SPANS, USAGES, Shelf

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

# ``typeof`` reads no text, and what nearly every row has comes first: of most rows no text is read at all.
_TEXTS_OF = {
    SPANS: (
        "spans r LEFT JOIN span_payloads p ON p.span_key = r.id",
        "r.session_id IS NOT NULL OR r.user_identifier IS NOT NULL OR typeof(p.input) <> 'null' "
        "OR typeof(p.output) <> 'null' OR typeof(p.error) <> 'null' "
        f"OR (p.attributes <> '{{}}' AND p.attributes NOT LIKE '{{\"{MARK}\":%')",
        "x.span_key = r.id", "r.rid",
    ),
    USAGES: (
        "usages r",
        "r.session_id IS NOT NULL OR r.user_identifier IS NOT NULL OR typeof(r.content) <> 'null' "
        "OR r.parameters <> '{}' OR r.rendered <> '[]' OR r.included <> '[]' OR r.metadata <> '{}'",
        "x.row_id = r.id", "r.id",
    ),
    EXECUTIONS: (
        "executions r",
        "typeof(r.response) <> 'null' OR typeof(r.error) <> 'null' OR typeof(r.tool_calls) <> 'null' "
        "OR r.messages <> '[]' OR r.params <> '{}' OR r.response_metadata <> '{}'",
        "x.row_id = r.id", "r.id",
    ),
}  # fmt: skip
"""By shelf, in SQL: where its rows and their texts are, whether there are any, which queued text is a row's, and its rid.

What counts as a text is decided by sync_texts.py."""
_KEPT_FOR = (
    "SELECT COALESCE(json_extract(body, '$.for'), '') FROM sync_records WHERE stream = 'bodies' AND why = 'sent'"
)


@dataclass(frozen=True, slots=True)
class Going:
    """What would go. ``facts``: by prompt, then by kind; None stands for what belongs to no prompt (prices, budgets)."""

    facts: Mapping[str | None, Mapping[str, int]] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Calls, steps, renders and what belongs to them, by kind."""
    texts: int = 0
    """Texts: of what the server has already, and of ``numbers``, which they follow in the same sync."""
    kept: int = 0
    """Records that the rules keep at home."""

    @property
    def by_stream(self) -> dict[Stream, int]:
        """How many records of each stream."""
        return {"meta": self.meta, "telemetry": self.telemetry, "bodies": self.texts}

    @property
    def meta(self) -> int:
        """All facts."""
        return sum(sum(kinds.values()) for kinds in self.facts.values())

    @property
    def telemetry(self) -> int:
        """All numbers."""
        return sum(self.numbers.values())


def going(lean: Lean, sharing: Sharing) -> Going:
    """What the rules let go now. Pending rows are counted by an index; what was kept at home before costs reading every row.

    Texts of pending rows cost a look at each row, and hardly ever at a text.
    """
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
    return Going(_facts(lean), numbers, texts(lean, sharing), kept)


def texts(lean: Lean, sharing: Sharing) -> int:
    """How many texts would go: those that wait, and those of calls, steps and renders that wait themselves."""
    if "bodies" not in sharing.streams:
        return 0
    queued = sum(shelf.waiting(lean) for shelf in sync_texts.MY_SHELVES)
    return queued + sum(_to_be_queued(lean, shelf, sharing) for shelf in _TEXTS_OF)


def _to_be_queued(lean: Lean, shelf: Shelf, sharing: Sharing) -> int:
    """How many texts ``sync_texts.queue`` will let go once the server has the rows of a shelf."""
    source, has_text, queued, rid = _TEXTS_OF[shelf]
    where = f"({has_text}) AND NOT EXISTS (SELECT 1 FROM sync_texts x WHERE {queued}) AND {rid} NOT IN ({_KEPT_FOR})"
    counts = _by_rule(lean, shelf, sharing, source, where)
    return sum(count for rule, count in counts if rule.numbers and rule.texts)


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
    counts = _by_rule(lean, shelf, sharing, shelf.source, "1 = 1")
    allowed = sum(count for rule, count in counts if rule.numbers)
    return allowed, sum(count for _, count in counts) - allowed


def _by_rule(lean: Lean, shelf: Shelf, sharing: Sharing, source: str, where: str) -> list[tuple[Share, int]]:
    """Pending rows of a shelf by the rule that their prompt has."""
    # The prompt is the second of the columns that every shelf begins with.
    prompt = shelf.columns.split(", ")[1]
    sql = (
        f"SELECT p.name, f.n FROM (SELECT {prompt} AS prompt_id, COUNT(*) AS n FROM {source} "
        f"WHERE r.commit_seq IS NULL AND {shelf.ended} AND {where} GROUP BY 1) f LEFT JOIN prompts p ON p.id = f.prompt_id"
    )
    return [(sharing.of(name or ""), int(count)) for name, count in lean.fetch(sql)]
