"""Reading everything of a kind in small pieces, each a short read of its own: what exports are made of.

A piece goes on below the last row of the one before (keyset), so any number of rows needs the memory of one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ledger_tui.domain import clock
from ledger_tui.domain.filter import Terms, TraceFilter
from ledger_tui.errors import FilterError
from ledger_tui.store.trace_filter import Conditions, conditions, moments_of

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

PIECE, PIECE_OF_TEXTS = 2_000, 100
"""Rows that are read at once, without and with texts."""
Subject = Literal["traces", "spans", "executions", "usages", "costs"]
Kind = Literal["", "moment", "money", "flag", "json"]


class Column(NamedTuple):
    """A value of a row. ``money`` is two columns of the export: exact USD, and whole nano-dollars."""

    name: str
    sql: str
    kind: Kind = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows come from, in the order of their key."""

    source: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    texts: tuple[Column, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    """Fields of a filter and what they are compared with, for all but traces and spans."""
    since: str = ""
    """What since and until are compared with."""
    is_day: bool = False
    descending: bool = False


def _tokens(alias: str) -> tuple[Column, ...]:
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    return tuple(Column("cached_tokens" if n == "cache_read_tokens" else n, f"{alias}.{n}") for n in names)


_PROMPT, _VERSION = Column("prompt", "p.name"), Column("version", "n.number")
_NAMES = "LEFT JOIN prompts p ON p.id = {0}.prompt_id LEFT JOIN version_numbers n ON n.version_id = {0}.version_id"
_CALLS = {"prompts": "p.name", "versions": "CAST(n.number AS TEXT)"}
TABLES: Mapping[Subject, Table] = {
    "traces": Table(
        "traces t",
        ("t.started_us", "t.id"),
        (
            Column("trace_id", "t.trace_id"),
            Column("name", "t.name"),
            Column("status", "t.status"),
            Column("started_at", "t.started_us", "moment"),
            Column("ended_at", "CASE WHEN t.open_count = 0 THEN t.ended_us END", "moment"),
            Column("duration_us", "CASE WHEN t.open_count = 0 THEN t.ended_us - t.started_us END"),
            Column("spans", "t.span_count"),
            Column("errors", "t.error_count"),
            *_tokens("t"),
            Column("cost", "CASE WHEN t.priced_count > 0 THEN t.cost_nusd END", "money"),
            Column("unpriced", "t.unpriced_count"),
            Column("environment", "t.environment"),
            Column("session_id", "t.session_id"),
            Column("user_identifier", "t.user_identifier"),
            Column("spans_removed_at", "t.pruned_us", "moment"),
        ),
        descending=True,
    ),
    "spans": Table(
        f"spans s JOIN traces t ON t.id = s.trace_key {_NAMES.format('s')}",
        ("s.span_id", "s.id"),
        (
            Column("trace_id", "t.trace_id"),
            Column("span_id", "s.span_id"),
            Column("parent_span_id", "s.parent_span_id"),
            Column("name", "s.name"),
            Column("kind", "s.kind"),
            Column("status", "s.status"),
            Column("started_at", "s.started_us", "moment"),
            Column("duration_us", "s.duration_us"),
            Column("first_token_us", "s.first_token_us"),
            Column("provider", "s.provider"),
            Column("model", "s.model"),
            _PROMPT,
            _VERSION,
            Column("execution_id", "s.execution_id"),
            *_tokens("s"),
            Column("cost", "s.cost_nusd", "money"),
            Column("unpriced", "s.unpriced", "flag"),
            Column("error_type", "s.error_type"),
            Column("agent_id", "s.agent_id"),
            Column("environment", "COALESCE(NULLIF(s.environment, ''), t.environment)"),
            Column("session_id", "COALESCE(s.session_id, t.session_id)"),
            Column("user_identifier", "COALESCE(s.user_identifier, t.user_identifier)"),
        ),
        (
            Column("input", "y.input"),
            Column("output", "y.output"),
            Column("error", "y.error"),
            Column("attributes", "y.attributes", "json"),
        ),
    ),
    "executions": Table(
        f"executions e LEFT JOIN usages u ON u.id = e.usage_id {_NAMES.format('e')}",
        ("e.id",),
        (
            Column("execution_id", "e.id"),
            Column("usage_id", "e.usage_id"),
            _PROMPT,
            _VERSION,
            Column("provider", "e.provider"),
            Column("model", "e.model"),
            Column("served_model", "e.served_model"),
            Column("params", "e.params", "json"),
            Column("status", "e.status"),
            Column("mode", "e.mode"),
            Column("finish_reason", "e.finish_reason"),
            Column("created_at", "e.created_us", "moment"),
            Column("ended_at", "e.ended_us", "moment"),
            Column("latency_us", "e.latency_us"),
            Column("first_token_us", "e.first_token_us"),
            *_tokens("e"),
            Column("cost", "e.cost_nusd", "money"),
            Column("error_type", "e.error_type"),
            Column("attempts", "e.attempts"),
            Column("environment", "e.environment"),
            Column("session_id", "u.session_id"),
            Column("user_identifier", "u.user_identifier"),
        ),
        (
            Column("messages", "e.messages", "json"),
            Column("response", "e.response"),
            Column("tool_calls", "e.tool_calls", "json"),
            Column("error", "e.error"),
        ),
        {
            **_CALLS,
            "statuses": "e.status",
            "providers": "e.provider",
            "models": "e.model",
            "environments": "e.environment",
            "sessions": "u.session_id",
            "users": "u.user_identifier",
        },
        "e.created_us",
    ),
    "usages": Table(
        f"usages u {_NAMES.format('u')}",
        ("u.id",),
        (
            Column("usage_id", "u.id"),
            _PROMPT,
            _VERSION,
            Column("source", "u.source"),
            Column("created_at", "u.created_us", "moment"),
            Column("environment", "u.environment"),
            Column("session_id", "u.session_id"),
            Column("user_identifier", "u.user_identifier"),
        ),
        (
            Column("parameters", "u.parameters", "json"),
            Column("rendered", "u.rendered", "json"),
            Column("content", "u.content", "json"),
        ),
        {**_CALLS, "environments": "u.environment", "sessions": "u.session_id", "users": "u.user_identifier"},
        "u.created_us",
    ),
    "costs": Table(
        f"daily_costs d {_NAMES.format('d')}",
        ("d.day", "d.provider", "d.model", "d.prompt_id", "d.version_id", "d.environment"),
        (
            Column("day", "d.day"),
            Column("provider", "d.provider"),
            Column("model", "d.model"),
            _PROMPT,
            _VERSION,
            Column("environment", "d.environment"),
            Column("calls", "d.calls"),
            Column("errors", "d.errors"),
            Column("canceled", "d.canceled"),
            *_tokens("d"),
            Column("cost", "CASE WHEN d.calls > d.unpriced OR d.cost_nusd > 0 THEN d.cost_nusd END", "money"),
            Column("unpriced", "d.unpriced"),
            Column("duration_us", "d.duration_us"),
        ),
        terms={**_CALLS, "providers": "d.provider", "models": "d.model", "environments": "d.environment"},
        since="d.day",
        is_day=True,
    ),
}  # fmt: skip
Reading = Callable[[Callable[["Lean"], Any]], Any]
"""Runs a read in a short transaction of its own."""


def count(lean: Lean, subject: Subject, wanted: TraceFilter) -> int:
    """How many rows there are now."""
    where, parameters = _where(lean, subject, wanted)
    table = TABLES[subject]
    what = "COALESCE(SUM(CASE WHEN t.pruned_us IS NULL THEN t.span_count ELSE 0 END), 0)"
    what, source = (what, "traces t") if subject == "spans" else ("COUNT(*)", table.source)
    row = lean.one(f"SELECT {what} FROM {source}{' WHERE ' + where if where else ''}", parameters)
    return 0 if row is None else int(row[0])


def pieces(read: Reading, subject: Subject, wanted: TraceFilter, *, texts: bool) -> Iterator[list[tuple[Any, ...]]]:
    """Rows with the columns of the table (and its texts), newest traces first, else in the order of the key.

    Raises FilterError for a term that the subject does not know.
    """
    table = TABLES[subject]
    where, parameters = read(lambda lean: _where(lean, subject, wanted))
    limit = PIECE_OF_TEXTS if texts and table.texts else PIECE
    chosen = (*table.columns, *(table.texts if texts else ()))
    if subject != "spans":
        yield from _walk(read, table, chosen, where, parameters, limit)
        return
    if texts:
        source = f"{table.source} LEFT JOIN span_payloads y ON y.span_key = s.id"
        table = Table(source, table.key, table.columns)
    for group in _groups(read, where, parameters, limit):
        names = {f"g{n}": key for n, key in enumerate(group)}
        inside = f"s.trace_key IN ({', '.join(':' + name for name in names)})"
        if len(group) == 1:
            yield from _walk(read, table, chosen, inside, names, limit)
        else:
            sql = f"SELECT {_listed(chosen)} FROM {table.source} WHERE {inside} ORDER BY t.started_us DESC, t.id DESC, s.id"
            yield _fetch(read, sql, names)


def _fetch(read: Reading, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = read(lambda lean: lean.fetch(sql, parameters))
    return found


def _listed(columns: Iterable[Column]) -> str:
    return ", ".join(column.sql for column in columns)


def _walk(
    read: Reading, table: Table, chosen: Sequence[Column], where: str, parameters: Mapping[str, Any], limit: int
) -> Iterator[list[tuple[Any, ...]]]:
    """All rows in the order of the key, piece by piece."""
    names = [f"k{n}" for n in range(len(table.key))]
    past = f"({', '.join(table.key)}) {'<' if table.descending else '>'} ({', '.join(':' + n for n in names)})"
    order = ", ".join(f"{part} DESC" if table.descending else part for part in table.key)
    values: dict[str, Any] = {}
    while True:
        conditions_now = [part for part in (where, past if values else "") if part]
        sql = (
            f"SELECT {', '.join(table.key)}, {_listed(chosen)} FROM {table.source}"
            + (f" WHERE {' AND '.join(conditions_now)}" if conditions_now else "")
            + f" ORDER BY {order} LIMIT :limit"
        )
        given = {**parameters, **values, "limit": limit}
        rows = _fetch(read, sql, given)
        if rows:
            yield [row[len(names) :] for row in rows]
        if len(rows) < limit:
            return
        values = dict(zip(names, rows[-1], strict=False))


def _groups(read: Reading, where: str, parameters: Mapping[str, Any], limit: int) -> Iterator[list[int]]:
    """Keys of the traces that fit, newest first, in groups of about ``limit`` spans; a large trace stands alone."""
    columns = (Column("", "t.id"), Column("", "t.span_count"))
    traces = Table("traces t", ("t.started_us", "t.id"), (), descending=True)
    group: list[int] = []
    total = 0
    for rows in _walk(read, traces, columns, where, parameters, PIECE):
        for key, spans in rows:
            if group and (total + spans > limit or len(group) >= PIECE // 8):
                yield group
                group, total = [], 0
            group.append(int(key))
            total += int(spans)
    if group:
        yield group


def _where(lean: Lean, subject: Subject, wanted: TraceFilter) -> tuple[str, dict[str, Any]]:
    if subject in ("traces", "spans"):
        return conditions(lean, wanted)
    table, found = TABLES[subject], Conditions()
    for one in fields(wanted):
        value = getattr(wanted, one.name)
        if not value or one.name in ("since_us", "until_us"):
            continue
        if one.name == "days" and table.since:
            _days(found, table, value)
        elif one.name in table.terms:
            _terms(found, table.terms[one.name], value)
        else:
            raise FilterError(
                f"{subject} are not chosen by {one.name.replace('_', ' ')}",
                remedy=f"Known here: {', '.join((*table.terms, 'days', 'since', 'until'))}.",
            )
    for moment, sign in ((wanted.since_us, ">="), (wanted.until_us, "<")):
        if moment is not None:
            value = clock.from_us(moment).date().isoformat() if table.is_day else moment
            found.parts.append(f"{table.since} {sign} {found.name(value)}")
    return " AND ".join(found.parts), found.parameters


def _terms(found: Conditions, column: str, terms: Terms) -> None:
    if terms.include:
        found.parts.append(found.any_of(column, terms.include))
    if terms.exclude:
        found.parts.append(f"({column} IS NULL OR NOT {found.any_of(column, terms.exclude)})")


def _days(found: Conditions, table: Table, terms: Terms) -> None:
    for sign, values in (("", terms.include), ("NOT ", terms.exclude)):
        if not values:
            continue
        spans = [_day_span(table, days) for days in values]
        inside = [f"({table.since} >= {found.name(a)} AND {table.since} < {found.name(b)})" for a, b in spans]
        found.parts.append(f"{sign}({' OR '.join(inside)})")


def _day_span(table: Table, days: str) -> tuple[Any, Any]:
    start, end = moments_of(days)
    if not table.is_day:
        return start, end
    return clock.from_us(start).date().isoformat(), clock.from_us(end).date().isoformat()
