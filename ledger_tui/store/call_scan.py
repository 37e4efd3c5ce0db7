"""Model calls counted one by one, for what no sum of days knows: users and sessions by anything but the day. Exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.store.day_sums import CALL_SUMS, day_of
from ledger_tui.store.recount import CALLS

if TYPE_CHECKING:
    from datetime import date

    from ledger_tui.domain.selection import Grouping
    from ledger_tui.store.breakdowns import Key, Wanted
    from ledger_tui.store.lean import Lean


@dataclass(slots=True)
class Group:
    """Sums, and the durations and times to first token of succeeded calls in microseconds."""

    sums: list[int] = field(default_factory=lambda: [0] * len(CALL_SUMS))
    lasted: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)


def exact(durations: list[int], share: float) -> int | None:
    """The duration at the nearest rank of a list, None of an empty one."""
    return sorted(durations)[max(1, ceil(share * len(durations))) - 1] if durations else None


_COLUMNS = {
    "provider": "COALESCE(s.provider, '')",
    "model": "s.model",
    "prompt_id": "COALESCE(s.prompt_id, '')",
    "version_id": "COALESCE(s.version_id, '')",
    "environment": "s.environment",
}
_GROUPS: dict[str, tuple[str, ...]] = {
    "provider": ("provider",),
    "model": ("provider", "model"),
    "prompt": ("prompt_id",),
    "version": ("prompt_id", "version_id"),
    "environment": ("environment",),
}
_PARTIES = {"user": "user_identifier", "session": "session_id"}
_NUMBERS = (
    "s.started_us, s.status, s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.output_tokens, "
    "s.reasoning_tokens, s.cost_nusd, s.unpriced, s.duration_us, s.first_token_us"
)


def groups(lean: Lean, wanted: Wanted, by: Grouping | None, *, by_trace: bool) -> dict[Key, Group]:
    """Every group of the calls; all under an empty key without a grouping.

    by_trace: look only into traces of the user or session. A trace belongs to the first that its spans named, so calls of
    others inside it may be missed: compare with the sums of days, and ask again without.
    """
    keys = _key_columns(by)
    where, parameters = _where(wanted, by)
    source = "spans s"
    if by_trace and wanted.party:
        source = (
            f"traces t JOIN spans s ON s.trace_key = t.id AND t.{_PARTIES[wanted.party]} = :party "
            "AND t.started_us < :to_us AND t.ended_us >= :from_us"
        )
    sql = f"SELECT {', '.join([_NUMBERS, *keys])} FROM {source} WHERE {where}"
    found: dict[Key, Group] = {}
    for row in lean.fetch(sql, parameters):
        key = (day_of(row[0]),) if by == "day" else tuple(row[11:])
        group = found.get(key)
        if group is None:
            group = found[key] = Group()
        _count(group, row)
    return found


def _key_columns(by: Grouping | None) -> list[str]:
    if by in (None, "day"):
        return []
    if by in _PARTIES:
        return [f"s.{_PARTIES[by]}"]
    return [_COLUMNS[name] for name in _GROUPS[str(by)]]


def _where(wanted: Wanted, by: Grouping | None) -> tuple[str, dict[str, Any]]:
    selection = wanted.selection
    parts = [CALLS.replace("model", "s.model").replace("status", "s.status"), "s.started_us >= :from_us"]
    parameters: dict[str, Any] = {"from_us": start_us(selection.since), "to_us": start_us(selection.until) + DAY_US}
    parts.append("s.started_us < :to_us")
    for name, value in wanted.limits.items():
        parts.append(f"s.{name} = :{name}" if value else f"{_COLUMNS[name]} = :{name}")
        parameters[name] = value
    for kind, party in (("user", selection.user), ("session", selection.session)):
        if party is not None:
            name = "party" if kind == wanted.party else "other"
            parts.append(f"s.{_PARTIES[kind]} = :{name}" if party else f"COALESCE(s.{_PARTIES[kind]}, '') = :{name}")
            parameters[name] = party
    if by in _PARTIES:
        parts.append(f"s.{_PARTIES[by]} IS NOT NULL")
    return " AND ".join(parts), parameters


DAY_US = 86_400_000_000


def start_us(day: date) -> int:
    """The first microsecond of a UTC day."""
    return clock.to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _count(group: Group, row: tuple[Any, ...]) -> None:
    _, status, *numbers, unpriced, lasted_us, first_us = row[:11]
    added = (1, status == "failed", status == "canceled", *numbers, unpriced, lasted_us)
    for place, value in enumerate(added):
        if value:
            group.sums[place] += int(value)
    if status == "succeeded":
        if lasted_us is not None:
            group.lasted.append(lasted_us)
        if first_us is not None:
            group.first.append(first_us)
