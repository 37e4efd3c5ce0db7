"""Sums of model calls by any grouping, read from the sums of days; their latencies are in `latencies`.

Users and sessions have sums of their own, by day alone; what those do not know is counted from the calls (`call_scan`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.store.day_sums import CALL_KEYS, CALL_SUMS

if TYPE_CHECKING:
    from ledger_tui.domain.selection import Grouping, Selection
    from ledger_tui.store.lean import Lean, Row

Key = tuple[str, ...]
Sums = tuple[int, ...]
"""In the order of ``CALL_SUMS``."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "day": ("day",),
    "provider": ("provider",),
    "model": ("provider", "model"),
    "prompt": ("prompt_id",),
    "version": ("prompt_id", "version_id"),
    "environment": ("environment",),
    "user": ("party",),
    "session": ("party",),
}
"""The columns that a grouping's key is made of."""


class Wanted(NamedTuple):
    """A selection with the ids of what it names."""

    selection: Selection
    prompt_id: str | None
    version_id: str | None

    @property
    def party(self) -> str | None:
        """user or session when it is limited to one of those, else None."""
        return "user" if self.selection.user is not None else "session" if self.selection.session is not None else None

    @property
    def limits(self) -> dict[str, str]:
        """What the columns of ``CALL_KEYS`` have to be."""
        found = (
            self.selection.provider,
            self.selection.model,
            self.prompt_id,
            self.version_id,
            self.selection.environment,
        )
        return {name: value for name, value in zip(CALL_KEYS, found, strict=True) if value is not None}


def wanted(lean: Lean, selection: Selection) -> Wanted | None:
    """The selection with ids; None when the ledger has no such prompt or version."""
    prompt_id = version_id = None
    if selection.prompt is not None:
        row = (
            lean.one("SELECT id FROM prompts WHERE name = :name", {"name": selection.prompt})
            if selection.prompt
            else ("",)
        )
        if row is None:
            return None
        prompt_id = str(row[0])
    if selection.version is not None:
        sql = "SELECT version_id FROM version_numbers WHERE prompt_id = :id AND number = :number"
        row = lean.one(sql, {"id": prompt_id, "number": selection.version}) if selection.version else ("",)
        if row is None:
            return None
        version_id = str(row[0])
    return Wanted(selection, prompt_id, version_id)


def costs(lean: Lean, wanted: Wanted, by: Iterable[Grouping], sums: Sequence[str] = CALL_SUMS) -> dict[Key, Sums]:
    """The ``sums`` of each group (all together under an empty key), from ``daily_costs``."""
    keys = [column for one in by for column in COLUMNS[one]]
    where, parameters = _where(wanted)
    return _summed(lean, "daily_costs", list(dict.fromkeys(keys)), where, parameters, sums)


def parties(lean: Lean, wanted: Wanted, by: Grouping | None) -> dict[Key, Sums]:
    """The sums of users or of sessions, or of one of them by day or together, from ``daily_parties``."""
    kind = wanted.party or by
    selection = wanted.selection
    where = "kind = :kind AND day BETWEEN :since AND :until"
    parameters = {"kind": kind, "since": selection.since.isoformat(), "until": selection.until.isoformat()}
    if wanted.party:
        where += " AND party = :party"
        parameters["party"] = selection.user if kind == "user" else selection.session
    return _summed(lean, "daily_parties", list(COLUMNS[by]) if by else [], where, parameters)


_FEW = 4
"""Up to so many times those that are wanted, it is faster to add all sums up at once."""


def largest_parties(lean: Lean, wanted: Wanted, by: Grouping, order: str, limit: int) -> tuple[dict[Key, Sums], int]:
    """At least the first users or sessions by the SQL ``order`` of sums, in no order, and how many there are.

    Of many they are ranked by that alone and then added up, which takes a third of the time that all sums of all would.
    """
    where = "kind = :kind AND day BETWEEN :since AND :until"
    selection = wanted.selection
    parameters = {"kind": by, "since": selection.since.isoformat(), "until": selection.until.isoformat()}
    counted = lean.one(f"SELECT COUNT(DISTINCT party) FROM daily_parties WHERE {where}", parameters)
    count = int(counted[0]) if counted else 0
    first = f"GROUP BY party ORDER BY {order}, party LIMIT :limit"
    if count > _FEW * limit:
        where += f" AND party IN (SELECT party FROM daily_parties WHERE {where} {first})"
        first = "GROUP BY party"
    sql = f"SELECT party, {_SUMS} FROM daily_parties WHERE {where} {first}"
    rows = _or_nothing(lambda: lean.fetch(sql, {**parameters, "limit": limit}))
    return (parties(lean, wanted, by) if rows is None else {(row[0],): _whole(row[1:]) for row in rows}), count


_SUMS = ", ".join(f"SUM({name})" for name in CALL_SUMS)


def _where(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    parts = ["day BETWEEN :since AND :until", *(f"{name} = :{name}" for name in wanted.limits)]
    days = {"since": wanted.selection.since.isoformat(), "until": wanted.selection.until.isoformat()}
    return " AND ".join(parts), {**days, **wanted.limits}


def _summed(
    lean: Lean, table: str, keys: list[str], where: str, parameters: dict[str, Any], sums: Sequence[str] = CALL_SUMS
) -> dict[Key, Sums]:
    group = f" GROUP BY {', '.join(keys)}" if keys else " HAVING COUNT(*) > 0"
    added = ", ".join(f"SUM({name})" for name in sums)
    sql = f"SELECT {', '.join([*keys, added])} FROM {table} WHERE {where}{group}"
    rows = _or_nothing(lambda: lean.fetch(sql, parameters))
    if rows is not None:
        return {tuple(row[: len(keys)]): _whole(row[len(keys) :]) for row in rows}
    found: dict[Key, Sums] = {}
    for row in lean.fetch(f"SELECT {', '.join([*keys, *sums])} FROM {table} WHERE {where}", parameters):
        key, numbers = tuple(row[: len(keys)]), _whole(row[len(keys) :])
        known = found.get(key)
        found[key] = numbers if known is None else tuple(a + b for a, b in zip(known, numbers, strict=True))
    return found


def _or_nothing(read: Callable[[], list[Row]]) -> list[Row] | None:
    """The rows, or None where a sum is larger than SQLite's numbers: then it is added up here."""
    try:
        return read()
    except Exception as error:
        if "integer overflow" in str(error):
            return None
        raise


def _whole(values: Iterable[Any]) -> Sums:
    return tuple(map(int, values))


def group_of(by: Grouping) -> Callable[[Row], list[Key]]:
    """Gives a call key the one key of a grouping; an empty one for days."""
    places = [] if by == "day" else [CALL_KEYS.index(name) for name in COLUMNS[by]]
    return lambda key: [tuple(key[place] for place in places)]


def names(lean: Lean) -> tuple[dict[str, str], dict[str, int]]:
    """Prompt id to name, and version id to number."""
    prompts = {row[0]: row[1] for row in lean.fetch("SELECT id, name FROM prompts")}
    return prompts, {row[0]: int(row[1]) for row in lean.fetch("SELECT version_id, number FROM version_numbers")}
