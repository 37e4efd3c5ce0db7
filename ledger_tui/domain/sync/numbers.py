"""Bodies of telemetry records (numbers and names, never texts, sessions or users), written from values and read back.

A body is canonical text, its fields in their order. Fields that say nothing (None, an empty name, no flags) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.span_words import (
    FLAG_DUPLICATE,
    FLAG_LINKED,
    FLAG_LINKED_HERE,
    MAX_COST_NUSD,
    MAX_TOKENS,
    TERMINAL,
)
from ledger_tui.domain.sync import bodies
from ledger_tui.domain.values import SpanRecord, TokenUsage

RV = bodies.RV
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_NUMBERS: Mapping[str, type] = dict.fromkeys((*TOKENS, "cost_nusd", "first_token_us", "rv"), int)
FIELDS: Mapping[str, Mapping[str, type]] = {
    "span": {
        **_NUMBERS, "agent_id": str, "card": str, "duration_us": int, "environment": str, "error_type": str,
        "execution_id": str, "flags": int, "kind": str, "model": str, "name": str, "parent_span_id": str,
        "prompt_id": str, "provider": str, "span_id": str, "started_us": int, "status": str, "trace_id": str,
        "unpriced": bool, "version_id": str,
    },
    "usage": {"created_us": int, "environment": str, "prompt_id": str, "rv": int, "source": str, "version_id": str},
    "execution": {
        **_NUMBERS, "attempts": int, "created_us": int, "ended_us": int, "environment": str, "error_type": str,
        "finish_reason": str, "latency_us": int, "mode": str, "model": str, "prompt_id": str, "provider": str,
        "served_model": str, "status": str, "usage_id": str, "version_id": str,
    },
    "late_price": {
        "at_us": int, "card": str, "cost_nusd": int, "environment": str, "execution_id": str, "fact_rid": str,
        "model": str, "prompt_id": str, "provider": str, "rv": int, "span_id": str, "span_rid": str, "started_us": int,
        "trace_id": str, "version_id": str,
    },
}  # fmt: skip
"""The fields of each kind and their types; ``card`` is the sha256 of rates, which are a record of their own.

A late price says what its call is counted by, for ledgers that have removed the call.
"""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "span": ("trace_id", "span_id", "started_us", "status"),
    "usage": ("created_us",),
    "execution": ("provider", "model", "status", "created_us", "ended_us"),
    "late_price": ("span_rid", "trace_id", "span_id", "fact_rid", "cost_nusd", "at_us"),
}
ORDER: Mapping[str, tuple[str, ...]] = {kind: tuple(sorted(fields)) for kind, fields in FIELDS.items()}
"""The fields of each kind in the order in which a row gives them to ``writer``."""
LARGEST: Mapping[str, int] = {"cost_nusd": MAX_COST_NUSD, "flags": 2**31, **dict.fromkeys(TOKENS, MAX_TOKENS)}
"""The largest number that a field may have; of the others the largest that canonical JSON has."""
_LARGEST = 2**53
LONGEST = 4_096
"""Characters that a name or an id may have."""
FLAGS_LEFT_OUT = FLAG_DUPLICATE | FLAG_LINKED_HERE
"""What depends on the ledger: in which order records came, and links that only it found."""


def writer(kind: str) -> Callable[[Sequence[Any]], str]:
    """Writes the body of a record of this kind from the values of ``ORDER[kind]``, None for one to leave out."""
    fields = tuple((f',"{name}":', FIELDS[kind][name]) for name in ORDER[kind])

    def write(values: Sequence[Any]) -> str:
        # Adding up one short text is the fastest way there is here.
        body = ""
        for value, (head, wanted) in zip(values, fields, strict=True):
            if value is not None:
                body += head + (encode_basestring(value) if wanted is str else str(value) if wanted is int else "true")
        return "{" + body[1:] + "}"

    return write


def card_of(content: Mapping[str, Any]) -> str | None:
    """The canonical text of the rates in a body; None when it has none."""
    card = content.get("card")
    return canonical_json(card) if isinstance(card, dict) else None


_CHECKS: Mapping[str, tuple[tuple[str, type, bool, int], ...]] = {
    kind: tuple(
        (name, wanted, name in NEEDED[kind], LARGEST.get(name, _LARGEST)) for name, wanted in FIELDS[kind].items()
    )
    for kind in FIELDS
}
"""Of each kind the fields: name, type, whether it is needed, and the largest number it may be."""


def fault(kind: str, content: Mapping[str, Any]) -> str | None:
    """Why a body of a known kind cannot be one, as a short phrase; None when it can."""
    get = content.get
    for name, wanted, is_needed, largest in _CHECKS[kind]:
        value = get(name)
        if value is None:
            if is_needed:
                return f"it has no {name}"
        elif type(value) is not wanted or (isinstance(value, str) and len(value) > LONGEST):
            return f"its {name} is malformed"
        elif isinstance(value, int) and not 0 <= value <= largest:
            return f"its {name} cannot be true"
    if "status" in FIELDS[kind] and content["status"] not in TERMINAL:
        return "it has not ended"
    return None


_WRITERS = {kind: writer(kind) for kind in FIELDS}
_NEVER_EMPTY = ("name", "kind", "environment", "source", "mode")


def is_plain(kind: str, body: str, content: Mapping[str, Any]) -> bool:
    """Whether a body without ``fault`` says what a row's columns say and nothing else, in canonical form: seen by writing it again.

    A body that is not may still be sound: it is looked at field by field.
    """
    if "\\u0000" in body or _WRITERS[kind]([content.get(name) for name in ORDER[kind]]) != body:
        return False
    flags = content.get("flags")
    left_out = flags is not None and (not flags or flags & FLAGS_LEFT_OUT)
    return not left_out and "" not in [content.get(name) for name in _NEVER_EMPTY]


def span_of(content: Mapping[str, Any], card_id: int | None) -> SpanRecord:
    """The span of a sound body. card_id: the key of its rates here."""
    get = content.get
    flags = get("flags", 0) & ~FLAGS_LEFT_OUT
    return SpanRecord(
        content["trace_id"], content["span_id"], get("name", ""), get("kind", ""), content["status"],
        content["started_us"], get("duration_us"), get("parent_span_id"), get("provider"), get("model"),
        get("prompt_id"), get("version_id"), get("execution_id"), TokenUsage(*(get(name) for name in TOKENS)),
        get("cost_nusd"), get("unpriced", False), get("agent_id"), get("environment", ""),
        error_type=get("error_type"), flags=flags, first_token_us=get("first_token_us"), card_id=card_id,
    )  # fmt: skip


def values(kind: str, content: Mapping[str, Any], **changed: Any) -> list[Any]:
    """What ``writer`` would be given of a row that holds what a sound body says, with ``changed`` columns."""
    found = {name: content.get(name) for name in ORDER[kind]} | changed | {"rv": RV}
    for name in _NEVER_EMPTY:
        if found.get(name) == "":
            found[name] = None
    if kind == "span":
        flags = (found["flags"] or 0) & ~FLAGS_LEFT_OUT
        found["flags"], found["unpriced"] = flags or None, found["unpriced"] or None
    return [found[name] for name in ORDER[kind]]


def span_flags_sql(column: str, others: str) -> tuple[str, str]:
    """SQL for the flags of a span as they travel, and for whether its link is one that only this ledger knows."""
    here = f"({others} & {FLAG_LINKED_HERE})"
    kept = f"{column} & ~{FLAGS_LEFT_OUT}"
    return f"NULLIF(CASE WHEN {here} THEN {kept} & ~{FLAG_LINKED} ELSE {kept} END, 0)", here
