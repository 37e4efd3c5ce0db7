"""Prices that calls got after they ended, from other ledgers: charged here too, once; where two priced one call, the first that
the server accepted counts everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.sync import bodies
from ledger_tui.domain.sync.records import Delivered, Record, derived_rid
from ledger_tui.store import late_prices, sync_asides, sync_standing
from ledger_tui.store.sync_shelves import LATE_PRICES, SPANS, KeptShelf, Key, span_keys_at
from ledger_tui.store.sync_standing import Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_KEPT = KeptShelf("telemetry")


def is_other(mine: Record, theirs: Record) -> bool:
    """Whether these are two prices of one call."""
    return mine.kind == theirs.kind == "late_price"


def give_way(lean: Lean, span_key: Key) -> None:
    """Take back a price that the server did not accept, since it has another one of the call."""
    late_prices.take_back(lean, int(span_key))


def take(lean: Lean, rows: Sequence[Delivered], taken: Taken) -> None:
    """Charge the prices, also of calls that retention removed; one whose call never came, or has a price, is kept as it came."""
    for row in rows:
        content = row.record.content()
        if row.record.rid != derived_rid(content["span_rid"], "late_price"):
            taken.refused.append((row, "its id does not fit its call"))
            continue
        taken.new += 1
        key = _span_key(lean, content)
        card = _card(lean, content)
        charge = {"rid": content["fact_rid"], "at_us": content["at_us"], "nusd": content["cost_nusd"]}
        if key is None and _was_removed(lean, content) and late_prices.take_in_gone(lean, content, **charge):
            sync_standing.note_pruned(lean, [row.record])
            continue
        if key is None or not late_prices.take_in(lean, key, card=card, **charge):
            _KEPT.keep(lean, "orphan", [(row.record, row.seq)])
            continue
        sync_asides.forget_refusals(lean, [row.record.rid])
        made = next(LATE_PRICES.by_keys(lean, [key])).record.content()
        lean.execute(
            "UPDATE late_prices SET commit_seq = :seq, extra = :extra WHERE span_key = :key",
            {"key": key, "seq": row.seq, "extra": bodies.residue(content, made)},
        )


def _was_removed(lean: Lean, content: dict[str, Any]) -> bool:
    """Whether retention removed the call that is priced, and the record says what it is counted by."""
    return {"model", "started_us"} <= content.keys() and bool(sync_standing.pruned(lean, [content["span_rid"]]))


def _span_key(lean: Lean, content: dict[str, Any]) -> int | None:
    keys = span_keys_at(lean, [(content["trace_id"], content["span_id"])])
    return next((int(h.key) for h in SPANS.by_keys(lean, keys) if h.record.rid == content["span_rid"]), None)


def _card(lean: Lean, content: dict[str, Any]) -> int | None:
    row = lean.one("SELECT id FROM rate_cards WHERE sha256 = :sha256", {"sha256": content.get("card", "")})
    return None if row is None else int(row[0])
