"""What a trace filter can ask about, described once for the parser, the help and the completion."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ledger_tui.domain.values import STATUSES

SAFE = re.compile(r"[\w./@#+][\w./@#+-]*\Z")
"""Words that need no quotes."""
_SAFE_VALUE = re.compile(r"[\w./@#+*-][\w./@#+*:-]*\Z")


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One key of the grammar."""

    name: str
    kind: Literal["choice", "text", "number", "time", "day"]
    """choice, text and day take ``key:value``, number takes ``key>value``, time a moment or an age."""
    example: str
    help: str
    attribute: str = ""
    """The attribute of TraceFilter that holds it."""
    choices: tuple[str, ...] = ()
    """All values of a choice; common values otherwise."""
    aliases: tuple[str, ...] = ()


FIELDS: tuple[FieldInfo, ...] = (
    FieldInfo(
        "status", "choice", "status:failed", "How it ended; ok and error are understood too.", "statuses", STATUSES
    ),
    FieldInfo("prompt", "text", "prompt:support/*", "A span used this prompt.", "prompts", aliases=("prompts",)),
    FieldInfo(
        "kind",
        "text",
        "kind:llm",
        "A span is of this kind.",
        "kinds",
        ("llm", "tool", "retrieval", "guardrail", "agent", "chain", "embedding"),
    ),
    FieldInfo("model", "text", "model:gpt-4o*", "A span called this model.", "models"),
    FieldInfo("provider", "text", "provider:openai", "A span called this provider.", "providers"),
    FieldInfo("env", "text", "env:prod", "The environment it ran in.", "environments", aliases=("environment",)),
    FieldInfo("session", "text", "session:s-42", "The session id.", "sessions", aliases=("session_id",)),
    FieldInfo("user", "text", "user:anna", "The user identifier.", "users", aliases=("user_id", "user_identifier")),
    FieldInfo("trace", "text", "trace:my-run-*", "The trace id.", "traces", aliases=("trace_id", "id")),
    FieldInfo("name", "text", "name:checkout*", "The name of the trace.", "names"),
    FieldInfo("agent", "text", "agent:planner", "A span belongs to this agent.", "agents", aliases=("agent_id",)),
    FieldInfo(
        "day",
        "day",
        "day:2026-01-01..2026-01-31",
        "A call to a model began on this day (UTC) or these; the call is also of the version, prompt, model, provider, "
        "env, user and session that are asked for.",
        "days",
        ("today", "yesterday"),
    ),
    FieldInfo(
        "version", "text", "version:3", "A call used this version of its prompt; the same call as for day.", "versions"
    ),
    FieldInfo(
        "unpriced",
        "choice",
        "unpriced:yes",
        "A call's price is unknown, or no: known; the same call as for day.",
        "unpriced",
        ("yes", "no"),
    ),
    FieldInfo("cost", "number", "cost>0.01", "What its priced calls cost together, in USD."),
    FieldInfo(
        "duration", "number", "duration>2s", "First start to last end; units ms s m h d w.", aliases=("latency",)
    ),
    FieldInfo("tokens", "number", "tokens>=10k", "Input and output tokens together; k and m are understood."),
    FieldInfo("spans", "number", "spans>10", "How many steps it has."),
    FieldInfo("errors", "number", "errors>0", "How many steps failed."),
    FieldInfo(
        "since",
        "time",
        "since:2h",
        "Started then or later: an age, a date, a time (UTC unless it carries an offset), today, yesterday.",
        "since_us",
        ("15m", "1h", "24h", "7d", "30d", "today", "yesterday"),
        ("after", "from"),
    ),
    FieldInfo(
        "until",
        "time",
        "until:2026-01-01",
        "Started before that moment; a date means its beginning.",
        "until_us",
        ("1h", "24h", "7d", "today", "yesterday"),
        ("before", "to"),
    ),
)

VALUES = ("choice", "text", "day")
"""The kinds whose values are kept in ``Terms``."""
BY_NAME: dict[str, FieldInfo] = {name: field for field in FIELDS for name in (field.name, *field.aliases)}
STATUS_ALIASES = {
    "ok": "succeeded",
    "success": "succeeded",
    "error": "failed",
    "cancelled": "canceled",
    "pending": "queued",
}


def quoted(value: str, safe: re.Pattern[str] = _SAFE_VALUE) -> str:
    """``value`` as it is written in a filter, in quotes where it needs them."""
    if safe.match(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
