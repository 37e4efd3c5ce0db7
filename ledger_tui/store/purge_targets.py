"""Whose texts a person means when they are to go everywhere: calls, steps and renders by id, session or user."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain.sync.records import derived_rid
from ledger_tui.store.sync_coming import chunks, present, rows_of

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean


@dataclass
class Targets:
    """Rows whose texts are meant."""

    spans: dict[int, str] = field(default_factory=dict)
    """Key to rid."""
    executions: set[str] = field(default_factory=set)
    usages: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.spans or self.executions or self.usages)

    def steps(self, lean: Lean) -> dict[str, tuple[str, str]]:
        """Trace and span id of the steps, by the id that the record of their text has."""
        sql = "s.id, t.trace_id, s.span_id"
        found = {}
        for names in chunks([str(key) for key in self.spans]):
            numbers = {name: int(key) for name, key in names.items()}
            for key, trace_id, span_id in rows_of(
                lean, sql, "spans s JOIN traces t ON t.id = s.trace_key", "s.id", numbers
            ):
                found[derived_rid(self.spans[int(key)], "text")] = (str(trace_id), str(span_id))
        return found

    def runs(self) -> dict[str, str]:
        """The ids of calls and renders, by the id that the record of their text has."""
        return {derived_rid(rid, "text"): rid for rid in (*self.executions, *self.usages)}

    def text_rids(self) -> list[str]:
        """The ids that the records of their texts have, wherever they are."""
        owners = [*self.spans.values(), *sorted(self.executions), *sorted(self.usages)]
        return [derived_rid(rid, "text") for rid in owners]


def of_id(lean: Lean, wanted: str) -> Targets:
    """What a trace, a call or a render consists of, by its id; nothing for an id that is not here."""
    found = Targets()
    _add_spans(lean, found, "trace_key IN (SELECT id FROM traces WHERE trace_id = :value)", wanted)
    found.executions |= present(lean, "executions", [wanted])
    found.usages |= present(lean, "usages", [wanted])
    _add_runs(lean, found)
    return found


def of_party(lean: Lean, column: str, value: str) -> Targets:
    """Everything recorded for a session (``session_id``) or a user (``user_identifier``); reads every step."""
    found = Targets()
    _add_spans(lean, found, f"{column} = :value", value)
    found.usages.update(
        row[0] for row in lean.fetch(f"SELECT id FROM usages WHERE {column} = :value", {"value": value})
    )
    _add_runs(lean, found)
    return found


def merged(parts: Iterable[Targets]) -> Targets:
    """All of them together."""
    whole = Targets()
    for part in parts:
        whole.spans.update(part.spans)
        whole.executions |= part.executions
        whole.usages |= part.usages
    return whole


def _add_spans(lean: Lean, found: Targets, where: str, value: str) -> None:
    sql = f"SELECT id, rid, execution_id FROM spans WHERE {where}"
    for key, rid, execution_id in lean.fetch(sql, {"value": value}):
        found.spans[int(key)] = str(rid)
        if execution_id is not None:
            found.executions.add(str(execution_id))


def _add_runs(lean: Lean, found: Targets) -> None:
    """The calls of what was found, their steps, and the renders that they sent."""
    named = set(found.executions)
    by_render = {call for call, _ in _pairs(lean, "id, id", "executions", "usage_id", found.usages)}
    found.executions = present(lean, "executions", named | by_render)
    renders = (usage for usage, _ in _pairs(lean, "usage_id, id", "executions", "id", found.executions))
    found.usages.update(usage for usage in renders if usage is not None)
    # Steps are found by their call in a scan: only for calls that were not found by their steps.
    unseen = found.executions - named if found.spans else found.executions
    found.spans.update((int(key), rid) for key, rid in _pairs(lean, "id, rid", "spans", "execution_id", unseen))


def _pairs(lean: Lean, columns: str, table: str, column: str, values: Collection[str]) -> Iterator[tuple[str, str]]:
    for names in chunks(sorted(values)):
        yield from ((row[0], row[1]) for row in rows_of(lean, columns, table, column, names))
