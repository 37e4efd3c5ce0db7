"""The one small grammar by which traces are found, so that the screen, the command line and the API speak alike.

::

    status:failed prompt:support/* -model:gpt-4o,o1 cost>0.01 duration>=2s since:2h "free text" words

Terms stand side by side and all must hold. ``key:a,b`` means any of them, repeating a key adds to the same list; a
leading ``-`` or ``not:`` turns a term round. ``*`` in a value stands for any text. Bare and quoted words are searched
for as text. With ``day:``, ``version:`` or ``unpriced:`` the terms about calls are asked of one and the same call.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from ledger_tui.domain import clock, money
from ledger_tui.domain.filter_fields import BY_NAME, FIELDS, SAFE, VALUES, FieldInfo, quoted

__all__ = [
    "FIELDS",
    "Comparison",
    "FieldInfo",
    "Terms",
    "TraceFilter",
    "complete",
    "is_pattern",
    "like_pattern",
    "parse_filter",
    "term_start",
]

Operator = Literal[">", ">=", "<", "<=", "=", "!="]


@dataclass(frozen=True, slots=True)
class Terms:
    """What one text field must be: any of ``include`` when there is one, and none of ``exclude``."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number's limit. ``field`` is cost (nano-dollars), duration (microseconds), tokens, spans or errors (counts)."""

    field: str
    operator: Operator
    value: int


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """A parsed filter; ``str()`` gives a text that parses to an equal filter. Empty fields do not limit."""

    statuses: Terms = Terms()
    """Of ``domain.values.STATUSES``; aliases are resolved."""
    prompts: Terms = Terms()
    kinds: Terms = Terms()
    models: Terms = Terms()
    providers: Terms = Terms()
    environments: Terms = Terms()
    sessions: Terms = Terms()
    users: Terms = Terms()
    traces: Terms = Terms()
    names: Terms = Terms()
    agents: Terms = Terms()
    days: Terms = Terms()
    """UTC days as ISO dates, or ``first..last`` of them."""
    versions: Terms = Terms()
    """Numbers."""
    unpriced: Terms = Terms()
    """yes and no."""
    comparisons: tuple[Comparison, ...] = ()
    since_us: int | None = None
    """Traces that started at this moment or later."""
    until_us: int | None = None
    """Traces that started before this moment."""
    words: tuple[str, ...] = ()
    """Texts that must occur."""
    excluded_words: tuple[str, ...] = ()
    """Texts that must not occur."""

    def __bool__(self) -> bool:
        return self != TraceFilter()

    @property
    def asks_one_call(self) -> bool:
        """Whether its terms about calls have to hold for one call together."""
        return bool(self.days or self.versions or self.unpriced)

    def __str__(self) -> str:
        return _formatted(self)


def parse_filter(text: str, now_us: int) -> TraceFilter:
    """The filter that ``text`` means at the moment ``now_us`` (``since:2h`` counts from it); raises FilterError."""
    from ledger_tui.domain.filter_parser import parse

    return parse(text, now_us)


def complete(text: str, cursor: int) -> list[str]:
    """What the term at ``cursor`` may become: whole terms, each replaces ``text[term_start(text, cursor):cursor]``."""
    term = text[term_start(text, cursor) : cursor]
    sign = "-" if term.startswith("-") else ""
    term = term.removeprefix("-")
    key, colon, value = term.partition(":")
    field = BY_NAME.get(key.lower())
    if not colon:
        starts = (f.name + (">" if f.kind == "number" else ":") for f in FIELDS)
        return [sign + start for start in starts if start.startswith(term.lower()) and start != term]
    if field is None:
        return []
    head, comma, last = value.rpartition(",")
    return [
        f"{sign}{key}:{head}{comma}{choice}"
        for choice in field.choices
        if choice.startswith(last.lower()) and choice != last and choice not in head.split(",")
    ]


def term_start(text: str, cursor: int) -> int:
    """0-based position where the term under ``cursor`` begins."""
    start = cursor = max(0, min(cursor, len(text)))
    inside = text[:cursor].count('"') % 2 == 1
    while start and (inside or not text[start - 1].isspace()):
        start -= 1
        if text[start] == '"':
            inside = not inside
    return start


def is_pattern(value: str) -> bool:
    """Whether a value of ``Terms`` has a wildcard."""
    return "*" in value


def like_pattern(value: str) -> str:
    r"""The SQL LIKE pattern of a value with wildcards, for ``LIKE :value ESCAPE '\'``."""
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _formatted(query: TraceFilter) -> str:
    parts: list[str] = []
    for field in FIELDS:
        if field.kind not in VALUES:
            continue
        terms: Terms = getattr(query, field.attribute)
        for sign, values in (("", terms.include), ("-", terms.exclude)):
            if values:
                parts.append(f"{sign}{field.name}:{','.join(quoted(value) for value in values)}")
    parts += [f"{c.field}{c.operator}{_number(c)}" for c in query.comparisons]
    for name, moment in (("since", query.since_us), ("until", query.until_us)):
        if moment is not None:
            parts.append(f"{name}:{clock.from_us(moment).isoformat()}")
    parts += [quoted(word, SAFE) for word in query.words]
    parts += ["-" + quoted(word, SAFE) for word in query.excluded_words]
    return " ".join(parts)


def _number(comparison: Comparison) -> str:
    if comparison.field == "cost":
        return f"{money.to_usd(comparison.value):f}"
    if comparison.field == "duration":
        return _duration(comparison.value)
    return str(comparison.value)


def _duration(value_us: int) -> str:
    for unit, size in (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)):
        if value_us and value_us % size == 0:
            return f"{value_us // size}{unit}"
    return f"{value_us}us"


assert {f.attribute for f in FIELDS if f.kind in VALUES} <= {f.name for f in fields(TraceFilter)}
