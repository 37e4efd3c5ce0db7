"""A record of telemetry on its way into the tables: what it says, what the columns of its row cannot say, and small questions that
all kinds ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.sync import bodies, numbers
from ledger_tui.domain.sync.records import Delivered
from ledger_tui.store import sync_standing
from ledger_tui.store.sync_shelves import KeptShelf, Key

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

KEPT = KeptShelf("telemetry")
NEWER, SUPERSEDED, ORPHAN = "newer", "superseded", "orphan"


class Coming(NamedTuple):
    """A record from elsewhere, what it says, and whether a row's columns can say all of it (``numbers.is_plain``)."""

    row: Delivered
    content: Mapping[str, Any]
    plain: bool = False


def residue(kind: str, coming: Coming, **columns: Any) -> str | None:
    """What the row that is written cannot say of a body; ``columns``: what it says where that may differ."""
    content = coming.content
    if coming.plain and all(content.get(name) == value for name, value in columns.items()):
        return None
    made = {
        name: bool(value) if numbers.FIELDS[kind][name] is bool else value
        for name, value in zip(numbers.ORDER[kind], numbers.values(kind, content, **columns), strict=True)
        if value is not None
    }
    return bodies.residue(content, made)


def chunks(values: Sequence[str]) -> list[dict[str, str]]:
    """Values as parameters of statements that are not too long."""
    size = sync_standing.CHUNK
    return [{f"v{n}": v for n, v in enumerate(values[at : at + size])} for at in range(0, len(values), size)]


def rows_of(lean: Lean, columns: str, table: str, column: str, names: Mapping[str, Key]) -> list[tuple[Any, ...]]:
    """Rows whose ``column`` has one of the values."""
    marks = ", ".join(":" + name for name in names)
    return lean.fetch(f"SELECT {columns} FROM {table} WHERE {column} IN ({marks})", names)


def present(lean: Lean, table: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that a table has."""
    wanted = sorted(ids)
    return {row[0] for chunk in chunks(wanted) for row in rows_of(lean, "id", table, "id", chunk)}
