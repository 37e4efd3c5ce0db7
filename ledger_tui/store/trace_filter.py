"""A parsed trace filter as SQL conditions over the maintained sums, with spans looked into only where a term asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.domain.filter import Comparison, Terms, TraceFilter, is_pattern, like_pattern

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_TRACE_COLUMNS = {
    "statuses": "t.status",
    "environments": "t.environment",
    "sessions": "t.session_id",
    "users": "t.user_identifier",
    "traces": "t.trace_id",
    "names": "t.name",
}
_SPAN_COLUMNS = {"kinds": "s.kind", "models": "s.model", "providers": "s.provider", "agents": "s.agent_id"}
_CALL_COLUMNS = {
    "models": "s.model",
    "providers": "s.provider",
    "prompts": "p.name",
    "versions": "CAST(n.number AS TEXT)",
    "environments": "NULLIF(s.environment, '')",
}
"""What one call is asked for; a user and session are those of its trace."""
_DAY_US = 86_400_000_000
_NUMBERS = {
    "cost": "t.cost_nusd",
    "duration": "(t.ended_us - t.started_us)",
    "tokens": "(t.input_tokens + t.output_tokens)",
    "spans": "t.span_count",
    "errors": "t.error_count",
}


class Conditions:
    """Collects conditions and the parameters they name."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.parameters: dict[str, Any] = {}

    def name(self, value: Any) -> str:
        """A new parameter for ``value``."""
        name = f"f{len(self.parameters)}"
        self.parameters[name] = value
        return ":" + name

    def matches(self, column: str, value: str) -> str:
        """``column`` equals the value, or fits its wildcards."""
        if is_pattern(value):
            return f"{column} LIKE {self.name(like_pattern(value))} ESCAPE '\\'"
        return f"{column} = {self.name(value)}"

    def any_of(self, column: str, values: tuple[str, ...]) -> str:
        return "(" + " OR ".join(self.matches(column, value) for value in values) + ")"


def conditions(lean: Lean, wanted: TraceFilter) -> tuple[str, dict[str, Any]]:
    """SQL over ``traces t`` and its parameters; an empty text for a filter that does not limit."""
    found = Conditions()
    of_call = _CALL_COLUMNS if wanted.asks_one_call else {}
    for attribute, column in _TRACE_COLUMNS.items():
        if attribute not in of_call:
            _trace_terms(found, column, getattr(wanted, attribute))
    for attribute, column in _SPAN_COLUMNS.items():
        if attribute not in of_call:
            _span_terms(found, "", column, getattr(wanted, attribute))
    if wanted.asks_one_call:
        _one_call(found, wanted)
    else:
        _span_terms(found, "JOIN prompts p ON p.id = s.prompt_id ", "p.name", wanted.prompts)
    for comparison in wanted.comparisons:
        found.parts.append(_comparison(found, comparison))
    if wanted.since_us is not None:
        found.parts.append(f"t.started_us >= {found.name(wanted.since_us)}")
    if wanted.until_us is not None:
        found.parts.append(f"t.started_us < {found.name(wanted.until_us)}")
    for words, sign in ((wanted.words, ""), (wanted.excluded_words, "NOT ")):
        for word in words:
            found.parts.append(f"{sign}({_holds(lean, found, word)})")
    return " AND ".join(found.parts), found.parameters


def _trace_terms(found: Conditions, column: str, terms: Terms) -> None:
    if terms.include:
        found.parts.append(found.any_of(column, terms.include))
    if terms.exclude:
        found.parts.append(f"({column} IS NULL OR NOT {found.any_of(column, terms.exclude)})")


def _span_terms(found: Conditions, join: str, column: str, terms: Terms) -> None:
    for sign, values in (("", terms.include), ("NOT ", terms.exclude)):
        if values:
            inside = f"SELECT 1 FROM spans s {join}WHERE s.trace_key = t.id AND {found.any_of(column, values)}"
            found.parts.append(f"{sign}EXISTS ({inside})")


def _one_call(found: Conditions, wanted: TraceFilter) -> None:
    """One finished call of the trace meets all terms about calls."""
    parts = ["s.trace_key = t.id", "s.model IS NOT NULL", "s.status IN ('succeeded', 'failed', 'canceled')"]
    for attribute, column in _CALL_COLUMNS.items():
        terms: Terms = getattr(wanted, attribute)
        if terms.include:
            parts.append(found.any_of(column, terms.include))
        if terms.exclude:
            parts.append(f"({column} IS NULL OR NOT {found.any_of(column, terms.exclude)})")
    for sign, values in (("", wanted.days.include), ("NOT ", wanted.days.exclude)):
        if values:
            spans = [moments_of(days) for days in values]
            inside = [f"s.started_us >= {found.name(a)} AND s.started_us < {found.name(b)}" for a, b in spans]
            parts.append(f"{sign}({' OR '.join(inside)})")
            if not sign:
                found.parts.append(f"t.started_us < {found.name(max(b for _, b in spans))}")
                found.parts.append(f"t.ended_us >= {found.name(min(a for a, _ in spans))}")
    for sign, values in (("", wanted.unpriced.include), ("NOT ", wanted.unpriced.exclude)):
        if values:
            parts.append(f"{sign}({' OR '.join('s.unpriced' if one == 'yes' else 'NOT s.unpriced' for one in values)})")
            if not sign and values == ("yes",):
                found.parts.append("t.unpriced_count > 0")
    joins = "LEFT JOIN prompts p ON p.id = s.prompt_id " if wanted.prompts else ""
    joins += "LEFT JOIN version_numbers n ON n.version_id = s.version_id " if wanted.versions else ""
    found.parts.append(f"EXISTS (SELECT 1 FROM spans s {joins}WHERE {' AND '.join(parts)})")


def moments_of(days: str) -> tuple[int, int]:
    """From and below of days in microseconds."""
    first, _, last = days.partition("..")
    start, end = (clock.to_us(datetime.fromisoformat(day).replace(tzinfo=UTC)) for day in (first, last or first))
    return start, end + _DAY_US


def _comparison(found: Conditions, comparison: Comparison) -> str:
    operator = "<>" if comparison.operator == "!=" else comparison.operator
    condition = f"{_NUMBERS[comparison.field]} {operator} {found.name(comparison.value)}"
    return f"(t.priced_count > 0 AND {condition})" if comparison.field == "cost" else condition


def _holds(lean: Lean, found: Conditions, word: str) -> str:
    """The trace's name, id or a text of one of its spans holds ``word``."""
    from ledger_tui.store import search_index

    like = found.name(like_pattern(f"*{word.replace('*', '')}*"))
    name = f"LOWER(t.name) LIKE LOWER({like}) ESCAPE '\\' OR t.trace_id = {found.name(word)}"
    return f"{name} OR t.id IN ({search_index.traces_holding(lean, word, found.name)})"
