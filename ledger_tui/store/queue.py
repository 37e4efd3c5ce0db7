"""Rows of the queue: taken by one worker at a time, put back, found again, ended.

What a queued call needs is in ``executions.request``: ``{"call": {...}, "span": {...}, ...}``, its keys sorted. Without
``call`` no other process than the one that planned it can send it; once it ended only ``span`` is left, its place in a
trace. A queued row's ``claimed_by`` is the worker that it waits for, NULL for any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger_tui.errors import KeyTaken
from ledger_tui.store import traces

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_SENDABLE = "request LIKE '{\"call\"%'"
_FOR_ANYBODY = f"({_SENDABLE} OR claimed_by = :me)"
_FOR_ME = f"(claimed_by IS NULL OR claimed_by = :me OR (not_before_us < :overdue_us AND {_SENDABLE} AND claimed_by NOT LIKE :mine))"


@dataclass(frozen=True, slots=True)
class Taker:
    """Who asks for rows: its name, its device, and whether it takes what waits for other live programs too.

    Rows that wait for a program of another device are taken once they are overdue by ``patience_us``.
    """

    name: str
    device: str
    takes_all: bool
    patience_us: int

    def condition(self, now_us: int) -> tuple[str, dict[str, Any]]:
        """The SQL condition for rows that it may take, and its parameters."""
        if self.takes_all:
            return _FOR_ANYBODY, {"me": self.name}
        overdue = {"overdue_us": now_us - self.patience_us, "mine": f"{self.device}:%"}
        return _FOR_ME, {"me": self.name, **overdue}


def refuse_taken_key(lean: Lean, key: str | None, prompt_id: str | None) -> None:
    """Raise KeyTaken when a call has this idempotency key."""
    if key is None:
        return
    row = lean.one("SELECT id, prompt_id FROM executions WHERE idempotency_key = :key", {"key": key})
    if row is None:
        return
    same = row[1] == prompt_id
    raise KeyTaken("" if same else "by a call of another prompt", execution_id=row[0] if same else "")


def due(lean: Lean, taker: Taker, now_us: int) -> bool:
    """Whether a row can be taken now; a cheap look before the write lock."""
    condition, names = taker.condition(now_us)
    sql = f"SELECT 1 FROM executions WHERE status = 'queued' AND not_before_us <= :now_us AND {condition} LIMIT 1"
    return lean.one(sql, {**names, "now_us": now_us}) is not None


def take(lean: Lean, taker: Taker, now_us: int, limit: int) -> list[str]:
    """Claim up to ``limit`` rows that are due, the longest waiting first, and count the attempt; their ids."""
    condition, names = taker.condition(now_us)
    locking = " FOR UPDATE SKIP LOCKED" if lean.dialect == "postgresql" else ""
    rows = lean.fetch(
        f"SELECT id FROM executions WHERE status = 'queued' AND not_before_us <= :now_us AND {condition} "
        f"ORDER BY not_before_us, id LIMIT :limit{locking}",
        {**names, "now_us": now_us, "limit": limit},
    )
    sql = (
        "UPDATE executions SET status = 'running', attempts = attempts + 1, claimed_by = :me, claimed_us = :now_us "
        "WHERE id = :id AND status = 'queued'"
    )
    return [row[0] for row in rows if lean.execute(sql, {"id": row[0], "me": taker.name, "now_us": now_us}) == 1]


_CALL = """
SELECT e.id, e.usage_id, e.version_id, e.provider, e.model, e.params, e.messages, e.attempts, e.environment, e.created_us,
       e.request, u.parameters, u.session_id, u.user_identifier, u.metadata, u.source, p.name, e.error_type, e.error
FROM executions e JOIN usages u ON u.id = e.usage_id LEFT JOIN prompts p ON p.id = e.prompt_id WHERE e.id = :id
"""
_CALL_FIELDS = (
    "id", "usage_id", "version_id", "provider", "model", "params", "messages", "attempts", "environment", "created_us",
    "request", "parameters", "session_id", "user_identifier", "metadata", "source", "prompt_name", "error_type", "error",
)  # fmt: skip


def call(lean: Lean, execution_id: str) -> dict[str, Any] | None:
    """A claimed row with what its usage says, by name; None when it is gone."""
    row = lean.one(_CALL, {"id": execution_id})
    return None if row is None else dict(zip(_CALL_FIELDS, row, strict=True))


def is_claimed(lean: Lean, execution_id: str, claimed_by: str, attempt: int) -> bool:
    """Whether this attempt is still this worker's."""
    row = lean.one("SELECT status, claimed_by, attempts FROM executions WHERE id = :id", {"id": execution_id})
    return row is not None and tuple(row) == ("running", claimed_by, attempt)


def lost(lean: Lean, claims: Mapping[str, tuple[str, int]]) -> list[str]:
    """Which of these running claims (id to worker and attempt) are no longer theirs."""
    return [id_ for id_, (claimed_by, attempt) in claims.items() if not is_claimed(lean, id_, claimed_by, attempt)]


def renew(lean: Lean, claimed_by: str, now_us: int) -> None:
    """Say that a worker still runs what it claimed."""
    lean.execute(
        "UPDATE executions SET claimed_us = :now_us WHERE status = 'running' AND claimed_by = :me",
        {"me": claimed_by, "now_us": now_us},
    )


def put_back(
    lean: Lean,
    execution_id: str,
    claim: tuple[str, int],
    *,
    waits_for: str | None,
    not_before_us: int,
    columns: Mapping[str, Any] | None = None,
) -> bool:
    """Let a claimed row wait again; False when it is not this worker's attempt any more."""
    if not is_claimed(lean, execution_id, *claim):
        return False
    values = {"status": "queued", "claimed_by": waits_for, "not_before_us": not_before_us, **(columns or {})}
    return set_columns(lean, execution_id, values)


def set_columns(lean: Lean, execution_id: str, values: Mapping[str, Any]) -> bool:
    """Change columns of a row that has not ended."""
    changes = ", ".join(f"{name} = :{name}" for name in values)
    sql = f"UPDATE executions SET {changes} WHERE id = :row_id AND status IN ('queued', 'running')"
    return lean.execute(sql, {**values, "row_id": execution_id}) == 1


def request_of(lean: Lean, execution_id: str) -> dict[str, Any]:
    """What a row keeps of its call, decoded."""
    row = lean.one("SELECT request FROM executions WHERE id = :id", {"id": execution_id})
    found: dict[str, Any] = json.loads(row[0]) if row is not None and row[0] else {}
    return found


def tell_span(lean: Lean, span_key: int, attributes: str) -> None:
    """Give an open span other attributes (JSON)."""
    sql = "UPDATE span_payloads SET attributes = :attributes WHERE span_key = :key"
    lean.execute(sql, {"attributes": attributes, "key": span_key})


def keep_place(lean: Lean, execution_id: str) -> None:
    """Forget what a call needed; where its span is stays."""
    row = lean.one("SELECT request FROM executions WHERE id = :id", {"id": execution_id})
    if row is not None and row[0]:
        lean.execute(
            "UPDATE executions SET request = :request WHERE id = :id",
            {"id": execution_id, "request": json.dumps({"span": place_in(row[0])}, ensure_ascii=True)},
        )


def place_in(request: str | None) -> dict[str, Any]:
    """The place in a trace that a ``request`` tells: ``trace_id`` and ``span_id``; empty when it tells none."""
    try:
        found = json.loads(request or "{}")["span"]
        return {"trace_id": str(found["trace_id"]), "span_id": str(found["span_id"])}
    except (ValueError, KeyError, TypeError):
        return {}


@dataclass(frozen=True, slots=True)
class Held:
    """A row that some worker has or that waits for one."""

    execution_id: str
    status: str
    claimed_by: str
    claimed_us: int
    attempts: int
    is_sendable: bool


def held(lean: Lean, status: str) -> list[Held]:
    """The submitted rows of a status, ``running`` or ``queued``, that name a worker."""
    rows = lean.fetch(
        f"SELECT id, status, claimed_by, claimed_us, attempts, CASE WHEN {_SENDABLE} THEN 1 ELSE 0 END FROM executions "
        "WHERE status = :status AND mode = 'async' AND claimed_by IS NOT NULL",
        {"status": status},
    )
    return [Held(id_, state, by, at or 0, attempts, bool(can)) for id_, state, by, at, attempts, can in rows]


def holders(lean: Lean) -> list[str]:
    """The workers that queued rows wait for."""
    sql = "SELECT DISTINCT claimed_by FROM executions WHERE status = 'queued' AND claimed_by IS NOT NULL"
    return [row[0] for row in lean.fetch(sql)]


def waiting_for(lean: Lean, claimed_by: str, *, sendable: bool) -> list[str]:
    """The queued rows that wait for a worker, those that others can send or those that they cannot."""
    wanted = _SENDABLE if sendable else f"(request IS NULL OR NOT {_SENDABLE})"
    sql = f"SELECT id FROM executions WHERE status = 'queued' AND claimed_by = :by AND {wanted}"
    return [row[0] for row in lean.fetch(sql, {"by": claimed_by})]


def release(lean: Lean, claimed_by: str) -> int:
    """Let any worker take the queued rows that wait for this one and can be sent by others; how many."""
    return lean.execute(
        f"UPDATE executions SET claimed_by = NULL WHERE status = 'queued' AND claimed_by = :by AND {_SENDABLE}",
        {"by": claimed_by},
    )


_STANDING = """
SELECT e.id, e.status, e.mode, e.provider, e.model, e.served_model, e.response, e.tool_calls, e.finish_reason,
       e.input_tokens, e.cache_read_tokens, e.cache_write_tokens, e.output_tokens, e.reasoning_tokens, e.latency_us,
       e.first_token_us, e.cost_nusd, e.receipt, e.error_type, e.error, e.attempts, e.claimed_by, e.request, p.name,
       n.number, u.included
FROM executions e LEFT JOIN usages u ON u.id = e.usage_id LEFT JOIN prompts p ON p.id = e.prompt_id
LEFT JOIN version_numbers n ON n.version_id = e.version_id
WHERE e.id = :id
"""
Standing = dict[str, Any]
"""How a call stands: the fields below, ``trace_id`` and ``span_id``; ``included`` are ids, names and numbers."""
_STANDING_FIELDS = (
    "execution_id", "status", "mode", "provider", "model", "served_model", "response", "tool_calls", "finish_reason",
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "latency_us",
    "first_token_us", "cost_nusd", "receipt", "error_type", "error", "attempts", "claimed_by", "request", "prompt",
    "version", "included",
)  # fmt: skip


def standing(lean: Lean, execution_id: str) -> Standing | None:
    """How a call stands, by name, with its ``trace_id`` and ``span_id`` ('' when it has no span); None when unknown."""
    row = lean.one(_STANDING, {"id": execution_id})
    if row is None:
        return None
    found = dict(zip(_STANDING_FIELDS, row, strict=True))
    place = place_in(found["request"]) or _span_place(lean, found["model"], execution_id)
    ids = json.loads(found["included"] or "[]")
    names = traces.prompt_names(lean, ids) if ids else {}
    found["included"] = [(one, *names[one]) for one in ids if one in names]
    return {**found, "trace_id": place.get("trace_id", ""), "span_id": place.get("span_id", "")}


def _span_place(lean: Lean, model: str, execution_id: str) -> dict[str, Any]:
    sql = (
        "SELECT t.trace_id, s.span_id FROM spans s JOIN traces t ON t.id = s.trace_key "
        "WHERE s.model = :model AND s.execution_id = :id LIMIT 1"
    )
    row = lean.one(sql, {"model": model, "id": execution_id})
    return {} if row is None else {"trace_id": row[0], "span_id": row[1]}
