"""Finished calls to models as plain rows, a page at a time: what is priced again beside what was charged.

The grammar of traces is meant for calls here: a model, a provider, a prompt, a kind, a status, an environment or a time is
that of the call itself; the rest (cost, words, sessions) is said of its trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.filter import Terms, TraceFilter, is_pattern, like_pattern
from ledger_tui.store.trace_filter import conditions

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

PAGE = 2_000
TRACES = 2_000
Row = tuple[Any, ...]
_COLUMNS = """
SELECT s.id, s.provider, s.model, s.started_us, s.cost_nusd,
       s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.output_tokens, s.reasoning_tokens
"""
_IS_CALL = "s.model IS NOT NULL AND s.status IN ('succeeded', 'failed', 'canceled') AND (s.cost_nusd IS NOT NULL OR s.unpriced)"
_CALL_TERMS = {
    "models": "s.model",
    "providers": "s.provider",
    "kinds": "s.kind",
    "agents": "s.agent_id",
    "statuses": "s.status",
    "environments": "s.environment",
    "prompts": "(SELECT p.name FROM prompts p WHERE p.id = s.prompt_id)",
}


def pages(lean: Lean, wanted: TraceFilter, days_us: tuple[int, int] | None) -> Iterator[list[Row]]:
    """Calls that cost something or have no price, in pages: key, provider, model, start, cost, and the five token counts.

    days_us: from this moment on and before that one, of the calls' own starts (microseconds).
    """
    if days_us is not None:
        since, until = max(days_us[0], wanted.since_us or 0), min(days_us[1], wanted.until_us or days_us[1])
        wanted = replace(wanted, since_us=since, until_us=until)
    of_call, parameters = _call_conditions(wanted)
    nothing: dict[str, Any] = {name: Terms() for name in _CALL_TERMS}
    of_trace, more = conditions(lean, replace(wanted, **nothing, since_us=None, until_us=None))
    # A trace begins no later than its calls, and ends no earlier than they begin.
    around = ["t.started_us < :until_us"] * (wanted.until_us is not None)
    around += ["t.ended_us >= :since_us"] * (wanted.since_us is not None)
    of_trace = " AND ".join([*([of_trace] if of_trace else []), *around])
    where = " AND ".join([_IS_CALL, *of_call])
    if of_trace:
        yield from _by_trace(lean, of_trace, where, {**parameters, **more})
    else:
        yield from _by_key(lean, where, parameters)


def _by_key(lean: Lean, where: str, parameters: dict[str, Any]) -> Iterator[list[Row]]:
    sql = f"{_COLUMNS} FROM spans s WHERE s.id > :after AND {where} ORDER BY s.id LIMIT :limit"
    after = 0
    while rows := lean.fetch(sql, {**parameters, "after": after, "limit": PAGE}):
        yield rows
        after = rows[-1][0]


def _by_trace(lean: Lean, of_trace: str, where: str, parameters: dict[str, Any]) -> Iterator[list[Row]]:
    """Trace after trace, newest first, so that a limit of time reads no more than its traces."""
    page = (
        f"SELECT t.id, t.started_us FROM traces t WHERE {of_trace} AND (t.started_us, t.id) < (:below_us, :below_key) "
        "ORDER BY t.started_us DESC, t.id DESC LIMIT :limit"
    )
    below = (2**62, 2**62)
    while found := lean.fetch(page, {**parameters, "below_us": below[0], "below_key": below[1], "limit": TRACES}):
        keys = ", ".join(str(int(row[0])) for row in found)
        sql = f"{_COLUMNS} FROM spans s WHERE s.trace_key IN ({keys}) AND {where}"
        if rows := lean.fetch(sql, parameters):
            yield rows
        below = (int(found[-1][1]), int(found[-1][0]))


def _call_conditions(wanted: TraceFilter) -> tuple[list[str], dict[str, Any]]:
    parts: list[str] = []
    parameters: dict[str, Any] = {}

    def matches(column: str, value: str) -> str:
        name = f"c{len(parameters)}"
        parameters[name] = like_pattern(value) if is_pattern(value) else value
        return f"{column} LIKE :{name} ESCAPE '\\'" if is_pattern(value) else f"{column} = :{name}"

    for attribute, column in _CALL_TERMS.items():
        terms: Terms = getattr(wanted, attribute)
        if terms.include:
            parts.append("(" + " OR ".join(matches(column, value) for value in terms.include) + ")")
        parts += [f"({column} IS NULL OR NOT ({matches(column, value)}))" for value in terms.exclude]
    for sign, name, moment in ((">=", "since_us", wanted.since_us), ("<", "until_us", wanted.until_us)):
        if moment is not None:
            parts.append(f"s.started_us {sign} :{name}")
            parameters[name] = moment
    return parts, parameters
