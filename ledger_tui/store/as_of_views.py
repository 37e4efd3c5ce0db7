"""Views that stand in front of the tables of one connection and show the ledger as it stood at a moment.

A temporary view shadows the table of its name on both databases, so every query of the store answers for the moment
without knowing of it. What happened is judged by its own times: a span that began before the moment and ended after it is
running, a call that was priced later is unpriced, and what began later is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger_tui.domain import clock
from ledger_tui.store.as_of_registry import BY_PROMPT, WHOLE, columns, table

CHANGED, LATE, TOUCHED, TRACES = "as_of_changed", "as_of_late", "as_of_touched", "as_of_traces"
DEARER = "as_of_dearer"
"""Traces that had ended, and got prices later."""
SUMS = ("daily_costs", "daily_parties", "daily_uses")
"""Sums of days; ``as_of_<name>`` holds the sums of the days that were otherwise at the moment, ``<name>_other`` which."""
LATENCIES = "daily_latencies"
"""Counts of days; ``as_of_daily_latencies`` holds rows that stand in for real ones."""
_OPEN = "s.status NOT IN ('succeeded', 'failed', 'canceled')"
_FAILED, _CANCELED = "s.status = 'failed'", "s.status = 'canceled'"
_END_OF_SPAN = (
    "duration_us", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
    "first_token_us", "error_type",
)  # fmt: skip
_END_OF_EXECUTION = (
    "served_model", "response", "tool_calls", "finish_reason", "input_tokens", "cache_read_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "latency_us", "first_token_us", "error_type", "error", "ended_us",
)  # fmt: skip


class Moment(NamedTuple):
    """What the statements are made for."""

    at_us: int
    base: str
    """The schema of the real tables: ``main`` on SQLite."""

    @property
    def day(self) -> str:
        """Its UTC day as an ISO date."""
        return clock.from_us(self.at_us).date().isoformat()

    @property
    def ended(self) -> str:
        """Whether a row of ``spans`` had ended."""
        return f"started_us + COALESCE(duration_us, 0) <= {self.at_us}"


def temporary_tables(moment: Moment) -> Iterator[str]:
    """The tables that hold what was worked out for the moment, empty."""
    yield f"CREATE TEMP TABLE {CHANGED} (prompt_id TEXT PRIMARY KEY)"
    yield f"CREATE TEMP TABLE {LATE} (span_key BIGINT PRIMARY KEY, execution_id TEXT)"
    for name in (TOUCHED, DEARER):
        yield f"CREATE TEMP TABLE {name} (id BIGINT PRIMARY KEY)"
    for name in (*BY_PROMPT, *WHOLE, *SUMS, LATENCIES, "traces"):
        yield f"CREATE TEMP TABLE as_of_{name} AS SELECT * FROM {moment.base}.{name} WHERE 1 = 0"
    for name in SUMS:
        yield f"CREATE TEMP TABLE as_of_{name}_other (day TEXT PRIMARY KEY)"


def whole_days(moment: Moment) -> Iterator[str]:
    """Turn ``as_of_<name>``, filled with what is to be added to the real sums, into the whole sums of those days.

    So the view adds nothing up, and its conditions reach the index of the real table.
    """
    for name in SUMS:
        names = columns(name)
        keys = [column.name for column in table(name).primary_key]
        counted = [one for one in names if one not in keys]
        sums = [f"CAST(SUM({one}) AS BIGINT) AS {one}" for one in counted]
        added, other = f"as_of_{name}", f"as_of_{name}_other"
        yield f"INSERT INTO {other} (day) SELECT DISTINCT day FROM {added}"
        yield (
            f"INSERT INTO {added} ({', '.join(names)}) "
            f"SELECT {', '.join(names)} FROM {moment.base}.{name} WHERE day IN (SELECT day FROM {other})"
        )
        yield (
            f"CREATE TEMP TABLE {added}_sum AS SELECT {', '.join([*keys, *sums])} FROM {added} "
            f"GROUP BY {', '.join(keys)} HAVING SUM({counted[0]}) <> 0"
        )
        yield f"DELETE FROM {added}"
        yield f"INSERT INTO {added} ({', '.join(names)}) SELECT {', '.join(names)} FROM {added}_sum"
        yield f"DROP TABLE {added}_sum"


def touched(moment: Moment) -> Iterator[str]:
    """Find the calls that were priced later, and the traces whose sums were other ones at the moment.

    CROSS JOIN: SQLite keeps the order and looks the few up, where it would else read all spans.
    """
    base, at_us = moment.base, moment.at_us
    yield (
        f"INSERT INTO {LATE} (span_key, execution_id) SELECT l.span_key, s.execution_id FROM {base}.late_prices l "
        f"CROSS JOIN {base}.spans s WHERE s.id = l.span_key AND l.at_us > {at_us} AND s.started_us <= {at_us}"
    )
    yield (
        f"INSERT INTO {TOUCHED} (id) SELECT id FROM {base}.traces "
        f"WHERE started_us <= {at_us} AND ended_us > {at_us} AND pruned_us IS NULL"
    )
    yield (
        f"INSERT INTO {DEARER} (id) SELECT DISTINCT s.trace_key FROM {LATE} l CROSS JOIN {base}.spans s "
        f"WHERE s.id = l.span_key AND s.trace_key NOT IN (SELECT id FROM {TOUCHED})"
    )


def views(moment: Moment) -> Iterator[str]:
    """The views over real and worked-out rows; ``traces`` and the sums are complete after ``summed``."""
    base, at_us = moment.base, moment.at_us
    for name in BY_PROMPT:
        names = ", ".join(columns(name))
        yield _view(
            name,
            f"SELECT {names} FROM {base}.{name} WHERE prompt_id NOT IN (SELECT prompt_id FROM {CHANGED}) "
            f"UNION ALL SELECT {names} FROM as_of_{name}",
        )
    for name in WHOLE:
        yield _view(name, f"SELECT {', '.join(columns(name))} FROM as_of_{name}")
    # What people have to decide is of today.
    yield _view("open_registers", f"SELECT * FROM {base}.open_registers WHERE 1 = 0")
    unchanged = f"NOT IN (SELECT prompt_id FROM {CHANGED})"
    for name, condition in (
        ("prompts", f"id {unchanged} OR id IN (SELECT prompt_id FROM as_of_prompt_states)"),
        ("prompt_versions", f"prompt_id {unchanged} OR id IN (SELECT version_id FROM as_of_version_numbers)"),
        ("journal", f"at_us <= {at_us}"),
        ("usages", f"created_us <= {at_us}"),
        ("late_prices", f"at_us <= {at_us}"),
        ("alerts", f"at_us <= {at_us}"),
        ("unregistered_prompts", f"first_us <= {at_us}"),
    ):
        yield _view(name, f"SELECT {', '.join(columns(name))} FROM {base}.{name} WHERE {condition}")
    yield _view("spans", _spans(moment))
    yield _view("span_payloads", _payloads(moment))
    yield _view("executions", _executions(moment))
    names = ", ".join(columns("traces"))
    yield _view(
        "traces",
        f"SELECT {names} FROM {base}.traces WHERE started_us <= {at_us} AND id NOT IN (SELECT id FROM {TOUCHED}) "
        f"AND id NOT IN (SELECT id FROM {DEARER}) "
        f"UNION ALL SELECT {names} FROM as_of_traces",
    )
    for name in SUMS:
        yield _view(name, _days(moment, name))
    yield _view(LATENCIES, _latencies(moment))


def summed(moment: Moment) -> Iterator[str]:
    """Add up the touched traces from their spans as they stood, and take late prices off the others."""
    sums = {
        "started_us": "MIN(s.started_us)",
        "ended_us": "MAX(s.started_us + COALESCE(s.duration_us, 0))",
        "span_count": "COUNT(*)",
        "open_count": _count(_OPEN),
        "error_count": _count(_FAILED),
        "canceled_count": _count(_CANCELED),
        "priced_count": "COUNT(s.cost_nusd)",
        "unpriced_count": _count("s.unpriced"),
        "status": (
            f"CASE WHEN {_count(_OPEN)} > 0 THEN 'running' WHEN {_count(_FAILED)} > 0 THEN 'failed' "
            f"WHEN {_count(_CANCELED)} > 0 THEN 'canceled' ELSE 'succeeded' END"
        ),
    }
    for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"):
        sums[name] = f"COALESCE(SUM(s.{name}), 0)"
    sums["cost_nusd"] = "COALESCE(SUM(s.cost_nusd), 0)"
    sums["name"] = _first("name", "f.parent_span_id IS NULL", "''")
    sums["environment"] = _first("environment", "f.environment <> ''", "''")
    for name in ("session_id", "user_identifier"):
        sums[name] = _first(name, f"f.{name} IS NOT NULL", "NULL")
    names = columns("traces")
    picked = ", ".join(sums.get(name, f"t.{name}") for name in names)
    into = f"INSERT INTO {TRACES} ({', '.join(names)})"
    yield (
        f"{into} SELECT {picked} FROM {moment.base}.traces t "
        f"JOIN spans s ON s.trace_key = t.id WHERE t.id IN (SELECT id FROM {TOUCHED}) GROUP BY t.id"
    )
    less = {
        "cost_nusd": "t.cost_nusd - d.cost_nusd",
        "priced_count": "t.priced_count - d.calls",
        "unpriced_count": "t.unpriced_count + d.calls",
    }
    late = (
        "SELECT s.trace_key, COUNT(*) AS calls, CAST(SUM(s.cost_nusd) AS BIGINT) AS cost_nusd "
        f"FROM {LATE} l CROSS JOIN {moment.base}.spans s WHERE s.id = l.span_key GROUP BY s.trace_key"
    )
    picked = ", ".join(less.get(name, f"t.{name}") for name in names)
    yield (
        f"{into} SELECT {picked} FROM ({late}) d CROSS JOIN {moment.base}.traces t "
        f"WHERE t.id = d.trace_key AND t.id IN (SELECT id FROM {DEARER})"
    )


def _first(column: str, condition: str, otherwise: str) -> str:
    """The value that the first recorded span of trace ``t`` with the condition has."""
    found = f"(SELECT f.{column} FROM spans f WHERE f.trace_key = t.id AND {condition} ORDER BY f.id LIMIT 1)"
    return f"COALESCE({found}, {otherwise})"


def dropped(temp: str) -> Iterator[str]:
    """Take everything away again; ``temp``: the schema of temporary things."""
    for name in (
        *SUMS, LATENCIES, "traces", "executions", "span_payloads", "spans", "unregistered_prompts", "alerts", "late_prices",
        "usages", "journal", "prompt_versions", "prompts", "open_registers", *WHOLE,
        *BY_PROMPT,
    ):  # fmt: skip
        yield f"DROP VIEW IF EXISTS {temp}.{name}"
    for name in (
        CHANGED,
        LATE,
        TOUCHED,
        DEARER,
        *(f"as_of_{name}" for name in (*BY_PROMPT, *WHOLE, *SUMS, LATENCIES, "traces")),
        *(f"as_of_{name}_other" for name in SUMS),
    ):
        yield f"DROP TABLE IF EXISTS {temp}.{name}"


def _view(name: str, query: str) -> str:
    return f"CREATE TEMP VIEW {name} AS {query}"


def _count(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _spans(moment: Moment) -> str:
    late = f"id IN (SELECT span_key FROM {LATE})"
    made = {
        **_until(_END_OF_SPAN, moment.ended),
        "status": f"CASE WHEN {moment.ended} THEN status ELSE 'running' END",
        "cost_nusd": f"CASE WHEN {moment.ended} AND NOT {late} THEN cost_nusd END",
        "card_id": f"CASE WHEN {moment.ended} AND NOT {late} THEN card_id END",
        "unpriced": f"CASE WHEN NOT {moment.ended} THEN FALSE WHEN {late} THEN TRUE ELSE unpriced END",
    }
    return f"SELECT {_columns('spans', made)} FROM {moment.base}.spans WHERE started_us <= {moment.at_us}"


def _payloads(moment: Moment) -> str:
    made = {name: f"p.{name}" for name in columns("span_payloads")}
    ended = f"s.started_us + COALESCE(s.duration_us, 0) <= {moment.at_us}"
    made.update({name: f"CASE WHEN {ended} THEN p.{name} END" for name in ("output", "error")})
    return (
        f"SELECT {_columns('span_payloads', made)} FROM {moment.base}.span_payloads p "
        f"JOIN {moment.base}.spans s ON s.id = p.span_key WHERE s.started_us <= {moment.at_us}"
    )


def _executions(moment: Moment) -> str:
    ended = f"COALESCE(ended_us <= {moment.at_us}, FALSE)"
    late = f"COALESCE(id IN (SELECT execution_id FROM {LATE} WHERE execution_id IS NOT NULL), FALSE)"
    made = {
        **_until(_END_OF_EXECUTION, ended),
        "status": f"CASE WHEN {ended} OR status = 'queued' THEN status ELSE 'running' END",
        "cost_nusd": f"CASE WHEN {ended} AND NOT {late} THEN cost_nusd END",
        "receipt": f"CASE WHEN {ended} AND NOT {late} THEN receipt END",
    }
    return f"SELECT {_columns('executions', made)} FROM {moment.base}.executions WHERE created_us <= {moment.at_us}"


def _days(moment: Moment, name: str) -> str:
    names = ", ".join(columns(name))
    return (
        f"SELECT {names} FROM {moment.base}.{name} "
        f"WHERE day <= '{moment.day}' AND day NOT IN (SELECT day FROM as_of_{name}_other) "
        f"UNION ALL SELECT {names} FROM as_of_{name} WHERE day <= '{moment.day}'"
    )


def _latencies(moment: Moment) -> str:
    names = columns(LATENCIES)
    picked = ", ".join(f"l.{name}" for name in names)
    instead = f"SELECT 1 FROM as_of_{LATENCIES} a WHERE a.day = l.day AND a.key_id = l.key_id"
    return (
        f"SELECT {picked} FROM {moment.base}.{LATENCIES} l WHERE l.day <= '{moment.day}' AND NOT EXISTS ({instead}) "
        f"UNION ALL SELECT {', '.join(names)} FROM as_of_{LATENCIES} "
        "WHERE latency_counts IS NOT NULL OR first_counts IS NOT NULL"
    )


def _until(names: Iterable[str], ended: str) -> dict[str, str]:
    return {name: f"CASE WHEN {ended} THEN {name} END" for name in names}


def _columns(name: str, made: dict[str, str]) -> str:
    return ", ".join(f"{made[one]} AS {one}" if one in made else one for one in columns(name))
