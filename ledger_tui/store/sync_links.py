"""Renders and calls that came before the prompt or version they name, linked once it is here.

A server hands out prompts before what names them, as far as it has them. A program that may only send (role `ingest`) sends
the renders of a prompt that nobody else has yet; who registers it later, here or elsewhere, finds them counted with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ledger_tui.domain.content import canonical_json
from ledger_tui.store import day_sums, sync_standing
from ledger_tui.store.sync_coming import present

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_LOOKED = "sync.unlinked"
"""Kept while links may be open: the journal's end when they were looked at last."""
_TARGETS = {"prompt_id": "prompts", "version_id": "prompt_versions", "usage_id": "usages"}
_TABLES: Mapping[str, tuple[str, ...]] = {
    "usages": ("prompt_id", "version_id"),
    "executions": ("prompt_id", "version_id", "usage_id"),
}
"""What the rows of each table name."""
_PAGE = 400


class _Open(NamedTuple):
    """A row and what its record names that its columns do not."""

    key: str
    extra: dict[str, dict[str, str]]
    names: dict[str, str]


def note_open(lean: Lean) -> None:
    """Remember that a row was written whose record names what is not here."""
    if sync_standing.get(lean, _LOOKED) is None:
        sync_standing.put(lean, _LOOKED, _journal_end(lean))


def close(lean: Lean) -> None:
    """Link what can be linked now, in the caller's transaction. Looks only when the registry changed since the last look."""
    looked = sync_standing.get(lean, _LOOKED)
    end = _journal_end(lean) if looked is not None else None
    if looked == end:
        return
    still_open = sum([_close_table(lean, table, columns) for table, columns in _TABLES.items()])
    sync_standing.put(lean, _LOOKED, end if still_open else None)


def _journal_end(lean: Lean) -> int:
    row = lean.one("SELECT COALESCE(MAX(seq), 0) FROM journal")
    return int(row[0]) if row else 0


def _close_table(lean: Lean, table: str, columns: tuple[str, ...]) -> int:
    """How many rows stay open."""
    unlinked = " OR ".join(f"{name} IS NULL" for name in columns)
    sql = f"SELECT id, extra FROM {table} WHERE id > :after AND extra IS NOT NULL AND ({unlinked}) ORDER BY id LIMIT {_PAGE}"
    after, still_open = "", 0
    while page := lean.fetch(sql, {"after": after}):
        after = page[-1][0]
        rows = [_open(key, json.loads(extra), columns) for key, extra in page]
        found = {
            name: present(lean, _TARGETS[name], {row.names[name] for row in rows if name in row.names})
            for name in columns
        }
        linked = {row.key: [name for name, value in row.names.items() if value in found[name]] for row in rows}
        _write(lean, table, [(row, linked[row.key]) for row in rows if linked[row.key]])
        still_open += sum(len(linked[row.key]) < len(row.names) for row in rows)
    return still_open


def _open(key: str, extra: dict[str, dict[str, str]], columns: tuple[str, ...]) -> _Open:
    fields = extra.get("fields", {})
    return _Open(key, extra, {name: fields[name] for name in columns if isinstance(fields.get(name), str)})


def _write(lean: Lean, table: str, rows: list[tuple[_Open, list[str]]]) -> None:
    keys = [row.key for row, _ in rows]
    if table == "usages":
        day_sums.add_uses(lean, keys, -1)
    for row, names in rows:
        fields = {name: value for name, value in row.extra.get("fields", {}).items() if name not in names}
        absent = list(row.extra.get("absent", ()))
        extra = canonical_json({"fields": fields, "absent": absent}) if fields or absent else None
        changes = ", ".join(f"{name} = :{name}" for name in names)
        lean.execute(
            f"UPDATE {table} SET {changes}, extra = :extra WHERE id = :key",
            {**{name: row.names[name] for name in names}, "extra": extra, "key": row.key},
        )
    if table == "usages":
        day_sums.add_uses(lean, keys)
