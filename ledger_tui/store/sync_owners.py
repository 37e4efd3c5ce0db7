"""Whose texts travel: the tables of steps, renders and calls, how texts are read from them, and how those that came are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.store import day_sums, open_spans, search_index
from ledger_tui.store.sync_shelves import Key

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

NOTHING = {"attributes": "{}", "parameters": "{}", "rendered": "[]", "metadata": "{}", "included": "[]", "params": "{}",
            "messages": "[]", "response_metadata": "{}"}  # fmt: skip
"""What such a column holds while it has no text."""


class Owner(NamedTuple):
    """Whose texts they are: where its parts are read and written."""

    parts: tuple[str, ...]
    own: str
    """SQL: key, rid, trace id and span id (NULL for what is in no trace), then the parts."""
    table: str
    key: str


OWNERS: Mapping[str, Owner] = {
    "span": Owner(
        ("input", "output", "error", "attributes", "session_id", "user_identifier"),
        "SELECT s.id, s.rid, t.trace_id, s.span_id, p.input, p.output, p.error, p.attributes, s.session_id, "
        "s.user_identifier FROM spans s JOIN traces t ON t.id = s.trace_key "
        "LEFT JOIN span_payloads p ON p.span_key = s.id WHERE s.id IN",
        "span_payloads", "span_key",
    ),
    "usage": Owner(
        ("parameters", "rendered", "content", "metadata", "included", "session_id", "user_identifier"),
        "SELECT id, id, NULL, NULL, parameters, rendered, content, metadata, included, session_id, user_identifier "
        "FROM usages WHERE id IN",
        "usages", "id",
    ),
    "execution": Owner(
        ("params", "messages", "response", "tool_calls", "response_metadata", "error"),
        "SELECT id, id, NULL, NULL, params, messages, response, tool_calls, response_metadata, error "
        "FROM executions WHERE id IN",
        "executions", "id",
    ),
}  # fmt: skip
_SESSIONS = ("session_id", "user_identifier")


def fill(lean: Lean, owner: str, key: Key, parts: Mapping[str, str]) -> None:
    """Write the parts that the owner does not have."""
    kind = OWNERS[owner]
    apart = _SESSIONS if owner == "span" else ()
    for name, text in parts.items():
        if name in apart:
            continue
        empty = f"{name} IS NULL OR {name} = '{NOTHING[name]}'" if name in NOTHING else f"{name} IS NULL"
        sql = f"UPDATE {kind.table} SET {name} = :text WHERE {kind.key} = :key AND ({empty})"
        lean.execute(sql, {"text": text, "key": key})
    if owner == "span":
        _set_parties(lean, int(key), {name: parts[name] for name in _SESSIONS if name in parts})
        search_index.forget_spans(lean, [int(key)])
        lean.execute("UPDATE span_payloads SET indexed = :no WHERE span_key = :key", {"key": key, "no": False})


def _set_parties(lean: Lean, key: int, parties: Mapping[str, str]) -> None:
    """Give a span its session and user, and count it for them."""
    before = open_spans.stored(lean, key)
    if not parties or before is None:
        return
    for name, value in parties.items():
        lean.execute(
            f"UPDATE spans SET {name} = :value WHERE id = :key AND {name} IS NULL", {"value": value, "key": key}
        )
        lean.execute(
            f"UPDATE traces SET {name} = :value WHERE {name} IS NULL "
            "AND id = (SELECT trace_key FROM spans WHERE id = :key)",
            {"value": value, "key": key},
        )
    after = open_spans.stored(lean, key)
    if after is not None and after[0] != before[0]:
        day_sums.add(lean, [after[0]], gone=[before[0]])
