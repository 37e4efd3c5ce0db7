"""What an exchange could not take, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.sync_asides import Aside


def whole(database: Database, one: Aside) -> dict[str, Any] | None:
    """What came, as it came (kind, body, hash, seq, pusher); of a record of ours its kind and body. None when it is gone."""
    import json

    from ledger_tui.store import sync_refused

    if one.raw is not None:
        came: dict[str, Any] = json.loads(one.raw)
        return came
    with database.lean() as lean:
        record = sync_refused.record(lean, one.stream, one.rid)
    return None if record is None else {"kind": record.kind, "body": record.body, "hash": record.hash}
