"""The schema on one page: SQLModel tables without relationships, the same on SQLite and Postgres.

Facts (`prompts`, `prompt_versions`, `journal`, `usages`, `executions`, `spans`, `span_payloads`) are written once or until
they end. Folds and sums (`version_numbers`, `labels`, `open_registers`, `prompt_states`, `input_sets`, `price_entries`,
`budgets`, `traces`, `daily_costs`, `daily_latencies`, `daily_parties`, `daily_uses`) are derived: rebuilding them from the
facts gives the same rows; what retention removed is kept as sums in `pruned_costs`. `spool_marks` says how far recorded spans
have come. Tables that begin with ``sync_`` are this ledger's side of an exchange with a shared server.

Units: ``*_us`` whole microseconds (moments: since 1970 UTC), ``*_nusd`` whole nano-dollars, ``*_tokens`` tokens.
``input_tokens`` includes cached reads and cache writes; ``output_tokens`` includes reasoning. JSON is kept as text.
``commit_seq`` is the shared server's order once it accepted a fact (what 0 and less mean: store/sync_standing.py); ``extra``
keeps what the columns cannot say of a record from elsewhere, such as fields of a newer release.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# SQLite autoincrements only INTEGER keys; Postgres needs BIGINT for as many rows.
BigKey = BigInteger().with_variant(Integer(), "sqlite")


def _text(**kwargs: object) -> Column[str]:
    return Column(Text, **kwargs)  # type: ignore[arg-type]


def _big(**kwargs: object) -> Column[int]:
    return Column(BigInteger, **kwargs)  # type: ignore[arg-type]


def _only(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Workspace(SQLModel, table=True):
    """Key and value facts about this database: its id, when it was made."""

    __tablename__ = "workspace"
    key: str = Field(primary_key=True)
    value: str


class Prompt(SQLModel, table=True):
    """A name; id is the UUIDv5 of the name."""

    __tablename__ = "prompts"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    folded_name: str = Field(unique=True)
    """Lower-cased name: ``Foo`` and ``foo`` are refused side by side."""
    created_us: int = Field(sa_column=_big(nullable=False))
    created_by: str = ""


class PromptVersion(SQLModel, table=True):
    """Canonical content of one version; id is the UUIDv5 of prompt and sha256."""

    __tablename__ = "prompt_versions"
    __table_args__ = (Index("ix_prompt_versions_prompt", "prompt_id"),)
    id: str = Field(primary_key=True)
    prompt_id: str = Field(foreign_key="prompts.id")
    sha256: str
    content: str = Field(sa_column=_text(nullable=False))
    base_version_id: str | None = None
    author: str = ""
    message: str = Field(default="", sa_column=_text(nullable=False))
    git_commit: str | None = None
    git_path: str | None = None
    git_dirty: bool | None = None
    created_us: int = Field(sa_column=_big(nullable=False))
    extra: str | None = Field(default=None, sa_column=_text())


class VersionNumber(SQLModel, table=True):
    """Fold: the rank of a version in its prompt's order of facts."""

    __tablename__ = "version_numbers"
    __table_args__ = (UniqueConstraint("prompt_id", "number"),)
    version_id: str = Field(primary_key=True, foreign_key="prompt_versions.id")
    prompt_id: str = Field(foreign_key="prompts.id")
    number: int


class JournalEntry(SQLModel, table=True):
    """One registry fact, appended and never changed."""

    __tablename__ = "journal"
    __table_args__ = (
        Index("ix_journal_prompt", "prompt_id", "seq"),
        Index("ix_journal_unsent", "seq", **_only("commit_seq IS NULL")),
    )
    seq: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))
    rid: str = Field(unique=True)
    kind: str
    """version, label, field, inputs, price (an own price entry), pricing (calls priced late), budget."""
    prompt_id: str | None = Field(default=None, foreign_key="prompts.id")
    field: str = ""
    """What the fact is about: a label, a field or an input set by name."""
    value: str = Field(default="null", sa_column=_text(nullable=False))
    base: str = Field(default="[]", sa_column=_text(nullable=False))
    """JSON list of the rids this fact supersedes."""
    action: str = ""
    """Facts of one action of a person share this id; undo takes back an action."""
    undoes: str | None = None
    """The action this fact takes back."""
    actor: str = ""
    device: str = ""
    at_us: int = Field(sa_column=_big(nullable=False))
    reason: str = Field(default="", sa_column=_text(nullable=False))
    hash: str = ""
    commit_seq: int | None = Field(default=None, sa_column=_big())
    extra: str | None = Field(default=None, sa_column=_text())


class Label(SQLModel, table=True):
    """Fold: which version a label of a prompt points to."""

    __tablename__ = "labels"
    prompt_id: str = Field(primary_key=True, foreign_key="prompts.id")
    label: str = Field(primary_key=True)
    version_id: str = Field(foreign_key="prompt_versions.id")
    rid: str
    actor: str = ""
    at_us: int = Field(sa_column=_big(nullable=False))


class OpenRegister(SQLModel, table=True):
    """Fold: a register of which several facts stand beside each other, as people wrote at once; the next fact names them all."""

    __tablename__ = "open_registers"
    prompt_id: str = Field(primary_key=True)
    """Empty for a register of no prompt."""
    kind: str = Field(primary_key=True)
    """As in `journal`; version for the heads of a prompt, whose ``field`` is empty."""
    field: str = Field(primary_key=True)
    candidates: str = Field(sa_column=_text(nullable=False))
    """JSON list of the facts' rids, in order."""
    holder: str
    """The fact that holds."""
    contested: bool = False
    """Whether they say different things: what people have to decide."""


class PromptState(SQLModel, table=True):
    """Fold: everything a list of prompts shows, one row a prompt."""

    __tablename__ = "prompt_states"
    prompt_id: str = Field(primary_key=True, foreign_key="prompts.id")
    name: str = Field(index=True)
    description: str = Field(default="", sa_column=_text(nullable=False))
    tags: str = Field(default="[]", sa_column=_text(nullable=False))
    team: str = ""
    archived: bool = False
    mode: str = "full"
    """full, or tracking for a prompt whose text lives in code."""
    version_count: int = 0
    latest_version_id: str | None = None
    latest_number: int = 0
    active_version_id: str | None = None
    active_number: int = 0
    model: str | None = None
    updated_us: int = Field(sa_column=_big(nullable=False))


class InputSet(SQLModel, table=True):
    """Fold: values kept under a name for a prompt's variables."""

    __tablename__ = "input_sets"
    prompt_id: str = Field(primary_key=True, foreign_key="prompts.id")
    name: str = Field(primary_key=True)
    variables: str = Field(sa_column=_text(nullable=False))
    rid: str
    at_us: int = Field(sa_column=_big(nullable=False))


class PriceEntry(SQLModel, table=True):
    """Fold: what a provider charges for a model from a moment on (the team's own prices)."""

    __tablename__ = "price_entries"
    __table_args__ = (Index("ix_price_entries_model", "provider", "model", "from_us"),)
    rid: str = Field(primary_key=True)
    provider: str
    model: str
    prices: str = Field(sa_column=_text(nullable=False))
    """JSON: prices (token class to USD per million tokens, exact texts) and tiers."""
    from_us: int = Field(sa_column=_big(nullable=False))
    until_us: int | None = Field(default=None, sa_column=_big())
    source: str = ""


class Budget(SQLModel, table=True):
    """Fold: a limit on spending in a scope and period."""

    __tablename__ = "budgets"
    rid: str = Field(primary_key=True)
    scope: str
    """JSON: prompt and environment, each optional."""
    period: str
    """day or month."""
    limit_nusd: int = Field(sa_column=_big(nullable=False))
    warn_percent: int = 80


class Usage(SQLModel, table=True):
    """One render of a prompt, executed or not."""

    __tablename__ = "usages"
    __table_args__ = (
        Index("ix_usages_prompt", "prompt_id", "created_us"),
        Index("ix_usages_unsent", "id", **_only("commit_seq IS NULL")),
    )
    id: str = Field(primary_key=True)
    prompt_id: str | None = Field(default=None, foreign_key="prompts.id")
    version_id: str | None = Field(default=None, foreign_key="prompt_versions.id")
    included: str = Field(default="[]", sa_column=_text(nullable=False))
    """JSON list of the version ids that the template included."""
    content: str | None = Field(default=None, sa_column=_text())
    """Canonical content when the text that ran was no saved version."""
    parameters: str = Field(default="{}", sa_column=_text(nullable=False))
    rendered: str = Field(default="[]", sa_column=_text(nullable=False))
    """JSON list of the rendered messages (role, text)."""
    environment: str = ""
    session_id: str | None = None
    user_identifier: str | None = None
    metadata_json: str = Field(default="{}", sa_column=Column("metadata", Text, nullable=False))
    source: str = ""
    """Which front door rendered: playground, cli, sdk, api."""
    created_us: int = Field(sa_column=_big(nullable=False))
    commit_seq: int | None = Field(default=None, sa_column=_big())
    extra: str | None = Field(default=None, sa_column=_text())


class Execution(SQLModel, table=True):
    """One call to a model; changes until its status is terminal."""

    __tablename__ = "executions"
    __table_args__ = (
        Index("ix_executions_prompt", "prompt_id", "created_us"),
        Index("ix_executions_version", "version_id"),
        Index("ix_executions_status", "status", "created_us"),
        Index("ix_executions_queue", "not_before_us", **_only("status = 'queued'")),
        Index("ix_executions_unsent", "id", **_only("commit_seq IS NULL AND ended_us IS NOT NULL")),
    )
    id: str = Field(primary_key=True)
    usage_id: str | None = Field(default=None, foreign_key="usages.id", index=True)
    prompt_id: str | None = Field(default=None, foreign_key="prompts.id")
    version_id: str | None = Field(default=None, foreign_key="prompt_versions.id")
    provider: str
    model: str
    served_model: str | None = None
    """The model that the provider says answered."""
    params: str = Field(default="{}", sa_column=_text(nullable=False))
    status: str = "queued"
    """queued, running, succeeded, failed, canceled."""
    mode: str = "sync"
    messages: str = Field(default="[]", sa_column=_text(nullable=False))
    response: str | None = Field(default=None, sa_column=_text())
    tool_calls: str | None = Field(default=None, sa_column=_text())
    finish_reason: str | None = None
    input_tokens: int | None = Field(default=None, sa_column=_big())
    cache_read_tokens: int | None = Field(default=None, sa_column=_big())
    cache_write_tokens: int | None = Field(default=None, sa_column=_big())
    output_tokens: int | None = Field(default=None, sa_column=_big())
    reasoning_tokens: int | None = Field(default=None, sa_column=_big())
    latency_us: int | None = Field(default=None, sa_column=_big())
    first_token_us: int | None = Field(default=None, sa_column=_big())
    cost_nusd: int | None = Field(default=None, sa_column=_big())
    receipt: str | None = Field(default=None, sa_column=_text())
    estimated_nusd: int | None = Field(default=None, sa_column=_big())
    """What the call is expected to cost; counts against budgets until it ends."""
    error_type: str | None = None
    error: str | None = Field(default=None, sa_column=_text())
    attempts: int = 0
    environment: str = ""
    idempotency_key: str | None = Field(default=None, unique=True)
    not_before_us: int | None = Field(default=None, sa_column=_big())
    claimed_by: str | None = None
    claimed_us: int | None = Field(default=None, sa_column=_big())
    request: str | None = Field(default=None, sa_column=_text())
    """JSON: what a queued call needs besides its usage (store/queue.py); once it ended only where its span is."""
    response_metadata: str = Field(default="{}", sa_column=_text(nullable=False))
    created_us: int = Field(sa_column=_big(nullable=False))
    ended_us: int | None = Field(default=None, sa_column=_big())
    commit_seq: int | None = Field(default=None, sa_column=_big())
    extra: str | None = Field(default=None, sa_column=_text())


class Trace(SQLModel, table=True):
    """Sum of a trace's spans, maintained in the transaction that writes them; spans point to its integer key."""

    __tablename__ = "traces"
    __table_args__ = (
        Index("ix_traces_started", "started_us", "id"),
        Index("ix_traces_status", "status", "started_us", "id"),
        Index("ix_traces_session", "session_id", "started_us", **_only("session_id IS NOT NULL")),
        Index("ix_traces_user", "user_identifier", "started_us", **_only("user_identifier IS NOT NULL")),
    )
    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))
    trace_id: str = Field(unique=True)
    name: str = ""
    """The name of the first root span."""
    status: str = "running"
    """running while a span is open, else failed if any failed, else canceled if any was, else succeeded."""
    started_us: int = Field(sa_column=_big(nullable=False))
    ended_us: int = Field(sa_column=_big(nullable=False))
    """The latest end or start seen so far."""
    span_count: int = 0
    open_count: int = 0
    error_count: int = 0
    canceled_count: int = 0
    input_tokens: int = Field(default=0, sa_column=_big(nullable=False))
    cache_read_tokens: int = Field(default=0, sa_column=_big(nullable=False))
    cache_write_tokens: int = Field(default=0, sa_column=_big(nullable=False))
    output_tokens: int = Field(default=0, sa_column=_big(nullable=False))
    reasoning_tokens: int = Field(default=0, sa_column=_big(nullable=False))
    cost_nusd: int = Field(default=0, sa_column=_big(nullable=False))
    priced_count: int = 0
    unpriced_count: int = 0
    environment: str = ""
    session_id: str | None = None
    user_identifier: str | None = None
    pruned_us: int | None = Field(default=None, sa_column=_big())
    """When retention removed its spans; the sums stay."""


class Span(SQLModel, table=True):
    """One step of a trace: the lean columns. Its key is made here; trace and span ids are anybody's text."""

    __tablename__ = "spans"
    __table_args__ = (
        Index("ix_spans_trace", "trace_key", "span_id"),
        Index("ix_spans_model", "model", "trace_key", **_only("model IS NOT NULL")),
        Index("ix_spans_prompt", "prompt_id", "trace_key", **_only("prompt_id IS NOT NULL")),
        Index("ix_spans_unpriced", "provider", "model", **_only("unpriced")),
        Index("ix_spans_unsent", "id", **_only("commit_seq IS NULL AND status IN ('succeeded', 'failed', 'canceled')")),
    )
    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))
    rid: str
    trace_key: int = Field(sa_column=Column(BigKey, ForeignKey("traces.id"), nullable=False))
    span_id: str
    parent_span_id: str | None = None
    name: str = ""
    kind: str = ""
    """llm, tool, retrieval, guardrail, agent, chain, embedding ... any text up to 64 characters."""
    status: str = "running"
    started_us: int = Field(sa_column=_big(nullable=False))
    duration_us: int | None = Field(default=None, sa_column=_big())
    """None while it runs."""
    provider: str | None = None
    model: str | None = None
    prompt_id: str | None = None
    version_id: str | None = None
    execution_id: str | None = None
    input_tokens: int | None = Field(default=None, sa_column=_big())
    cache_read_tokens: int | None = Field(default=None, sa_column=_big())
    cache_write_tokens: int | None = Field(default=None, sa_column=_big())
    output_tokens: int | None = Field(default=None, sa_column=_big())
    reasoning_tokens: int | None = Field(default=None, sa_column=_big())
    cost_nusd: int | None = Field(default=None, sa_column=_big())
    unpriced: bool = False
    """A finished model call whose price is unknown."""
    card_id: int | None = None
    """The rates (`rate_cards`) it was charged by; None when its cost was given by the caller or is not known."""
    first_token_us: int | None = Field(default=None, sa_column=_big())
    session_id: str | None = None
    user_identifier: str | None = None
    agent_id: str | None = None
    environment: str = ""
    error_type: str | None = None
    flags: int = 0
    """Bits: 1 duplicate span id, 2 text cut at the limit, 4 broken characters replaced, 8 linked to its version by its text,
    16 linked so while the ledger was shared already: no other ledger knows of it."""
    commit_seq: int | None = Field(default=None, sa_column=_big())
    extra: str | None = Field(default=None, sa_column=_text())


class SpanPayload(SQLModel, table=True):
    """A span's texts, apart from the lean columns so that a tree never reads them."""

    __tablename__ = "span_payloads"
    __table_args__ = (Index("ix_span_payloads_unindexed", "span_key", **_only("NOT indexed")),)
    span_key: int = Field(sa_column=Column(BigKey, ForeignKey("spans.id"), primary_key=True, autoincrement=False))
    input: str | None = Field(default=None, sa_column=_text())
    output: str | None = Field(default=None, sa_column=_text())
    attributes: str = Field(default="{}", sa_column=_text(nullable=False))
    error: str | None = Field(default=None, sa_column=_text())
    indexed: bool = False
    """Whether full-text search knows it; only ended spans are indexed."""


class RateCard(SQLModel, table=True):
    """Rates that calls were charged by, kept once: with a call's tokens they give its receipt again, to the nano-dollar."""

    __tablename__ = "rate_cards"
    __table_args__ = (Index("ix_rate_cards_unsent", "id", **_only("commit_seq IS NULL")),)
    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))
    sha256: str = Field(unique=True)
    body: str = Field(sa_column=_text(nullable=False))
    """Canonical JSON: the receipt without tokens and amounts."""
    commit_seq: int | None = Field(default=None, sa_column=_big())


class _CallSums(SQLModel):
    """What is added up about finished model calls."""

    calls: int = Field(default=0, sa_type=BigInteger, nullable=False)
    errors: int = Field(default=0, sa_type=BigInteger, nullable=False)
    canceled: int = Field(default=0, sa_type=BigInteger, nullable=False)
    input_tokens: int = Field(default=0, sa_type=BigInteger, nullable=False)
    cache_read_tokens: int = Field(default=0, sa_type=BigInteger, nullable=False)
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger, nullable=False)
    output_tokens: int = Field(default=0, sa_type=BigInteger, nullable=False)
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger, nullable=False)
    cost_nusd: int = Field(default=0, sa_type=BigInteger, nullable=False)
    unpriced: int = Field(default=0, sa_type=BigInteger, nullable=False)
    duration_us: int = Field(default=0, sa_type=BigInteger, nullable=False)


class DailyCost(_CallSums, table=True):
    """Sum of finished model calls by UTC day, provider, model, prompt, version and environment."""

    __tablename__ = "daily_costs"
    __table_args__ = {"sqlite_with_rowid": False}
    day: str = Field(primary_key=True)
    """ISO date, UTC."""
    provider: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    prompt_id: str = Field(primary_key=True)
    """Empty for a call without a prompt."""
    version_id: str = Field(primary_key=True)
    """Empty for a call of no saved version."""
    environment: str = Field(primary_key=True)


class PrunedCost(_CallSums, table=True):
    """The part of `daily_costs` whose spans retention removed: the days equal the spans that are left and this."""

    __tablename__ = "pruned_costs"
    __table_args__ = {"sqlite_with_rowid": False}
    day: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    prompt_id: str = Field(primary_key=True)
    version_id: str = Field(primary_key=True)
    environment: str = Field(primary_key=True)


class DailyParty(_CallSums, table=True):
    """Sum of finished model calls by UTC day and user, or session."""

    __tablename__ = "daily_parties"
    __table_args__ = {"sqlite_with_rowid": False}
    kind: str = Field(primary_key=True)
    """user or session."""
    day: str = Field(primary_key=True)
    party: str = Field(primary_key=True)


class CallKey(SQLModel, table=True):
    """What calls have in common whose latencies are counted together, under a short key."""

    __tablename__ = "call_keys"
    __table_args__ = (UniqueConstraint("provider", "model", "prompt_id", "version_id", "environment"),)
    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))
    provider: str
    model: str
    prompt_id: str
    version_id: str
    environment: str


class DailyLatency(SQLModel, table=True):
    """How many succeeded calls of a UTC day took how long, and how long until their first token.

    Counts are kept as ``domain.percentiles`` packs them: unsigned 64-bit numbers, little end first, one a bucket from the
    lowest that has a call. Several rows of one key add up; one whose lowest bucket is negative is taken away (a view of an
    earlier moment may hold such rows).
    """

    __tablename__ = "daily_latencies"
    __table_args__ = {"sqlite_with_rowid": False}
    day: str = Field(primary_key=True)
    key_id: int = Field(sa_column=Column(BigKey, ForeignKey("call_keys.id"), primary_key=True, autoincrement=False))
    latency_lowest: int | None = None
    latency_counts: bytes | None = None
    first_lowest: int | None = None
    first_counts: bytes | None = None


class DailyUse(SQLModel, table=True):
    """How many renders of a prompt there were on a UTC day, executed or not."""

    __tablename__ = "daily_uses"
    __table_args__ = {"sqlite_with_rowid": False}
    day: str = Field(primary_key=True)
    prompt_id: str = Field(primary_key=True)
    version_id: str = Field(primary_key=True)
    environment: str = Field(primary_key=True)
    uses: int = Field(sa_column=_big(nullable=False))


class LatePrice(SQLModel, table=True):
    """A call that was unpriced when it ended and was priced by a later fact."""

    __tablename__ = "late_prices"
    __table_args__ = (Index("ix_late_prices_unsent", "span_key", **_only("commit_seq IS NULL")),)
    span_key: int = Field(sa_column=Column(BigKey, ForeignKey("spans.id"), primary_key=True, autoincrement=False))
    rid: str
    """The journal fact that priced it."""
    cost_nusd: int = Field(sa_column=_big(nullable=False))
    card_id: int | None = None
    at_us: int = Field(sa_column=_big(nullable=False))
    commit_seq: int | None = Field(default=None, sa_column=_big())
    extra: str | None = Field(default=None, sa_column=_text())


class Alert(SQLModel, table=True):
    """Something a person is told once: a budget near or at its limit, a spike."""

    __tablename__ = "alerts"
    key: str = Field(primary_key=True)
    """What it is about and when, such as ``budget:<rid>:2026-11:limit``: the same alert is raised once."""
    kind: str
    at_us: int = Field(sa_column=_big(nullable=False))
    detail: str = Field(default="{}", sa_column=_text(nullable=False))
    seen_us: int | None = Field(default=None, sa_column=_big())


class UnregisteredPrompt(SQLModel, table=True):
    """Messages that calls send and that no known version explains, gathered by what they have in common."""

    __tablename__ = "unregistered_prompts"
    __table_args__ = (Index("ix_unregistered_prompts_last", "last_us"),)
    fingerprint: str = Field(primary_key=True)
    skeleton: str = Field(sa_column=_text(nullable=False))
    """JSON list of messages (role, parts): literal texts, null for a varying part."""
    sample: str = Field(sa_column=_text(nullable=False))
    """JSON list of the messages of the latest call."""
    calls: int = Field(default=0, sa_column=_big(nullable=False))
    first_us: int = Field(sa_column=_big(nullable=False))
    last_us: int = Field(sa_column=_big(nullable=False))
    models: str = Field(default="[]", sa_column=_text(nullable=False))
    """JSON list."""
    last_span_key: int | None = Field(default=None, sa_column=_big())
    dismissed: bool = False


class Model(SQLModel, table=True):
    """What a provider offers, as it said when last asked."""

    __tablename__ = "models"
    provider: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    detail: str = Field(default="{}", sa_column=_text(nullable=False))
    fetched_us: int = Field(sa_column=_big(nullable=False))


class SpoolMark(SQLModel, table=True):
    """How far a spool file of recorded spans is in the database: set in the transaction that writes its spans."""

    __tablename__ = "spool_marks"
    file: str = Field(primary_key=True)
    device: str = ""
    """Whose data folder holds the file."""
    done_bytes: int = Field(sa_column=_big(nullable=False))
    updated_us: int = Field(sa_column=_big(nullable=False))


class OpenSpan(SQLModel, table=True):
    """A running span that a program recorded, and the process that will end it; the row goes with the end."""

    __tablename__ = "open_spans"
    span_key: int = Field(
        sa_column=Column(BigKey, ForeignKey("spans.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    )
    owner: str
    """``device:pid:birth``; with a fourth part where another process brought it in and will end it if nothing else does."""


class SyncRecord(SQLModel, table=True):
    """A record of a shared ledger as it came or went, where the typed tables cannot hold it."""

    __tablename__ = "sync_records"
    __table_args__ = (Index("ix_sync_records_why", "why"),)
    rid: str = Field(primary_key=True)
    stream: str
    kind: str
    body: str = Field(sa_column=_text(nullable=False))
    why: str
    """newer (a later release's), superseded (a step that went on after all), orphan (what it belongs to is not here), sent."""
    commit_seq: int | None = Field(default=None, sa_column=_big())


class SyncText(SQLModel, table=True):
    """A row whose texts are shared as a record of their own."""

    __tablename__ = "sync_texts"
    __table_args__ = (
        Index("ix_sync_texts_unsent", "rid", **_only("commit_seq IS NULL")),
        Index("ix_sync_texts_span", "span_key", **_only("span_key IS NOT NULL")),
        Index("ix_sync_texts_row", "row_id", **_only("row_id IS NOT NULL")),
    )
    rid: str = Field(primary_key=True)
    span_key: int | None = Field(default=None, sa_column=_big())
    row_id: str | None = None
    """The id of a usage or an execution."""
    owner: str
    """span, usage or execution."""
    commit_seq: int | None = Field(default=None, sa_column=_big())


class SyncAside(SQLModel, table=True):
    """A record that an exchange could not take: one of ours that the server refused, or one that came and cannot be right."""

    __tablename__ = "sync_asides"
    __table_args__ = (Index("ix_sync_asides_rid", "rid"),)
    key: str = Field(primary_key=True)
    way: str
    """out (refused by the server) or in (in quarantine)."""
    stream: str
    rid: str
    why: str
    at_us: int = Field(sa_column=_big(nullable=False))
    raw: str | None = Field(default=None, sa_column=_text())
    """JSON of what came; None for one of ours."""


class SyncPruned(SQLModel, table=True):
    """A record that retention removed here: it must not be taken for new when it comes again."""

    __tablename__ = "sync_pruned"
    __table_args__ = {"sqlite_with_rowid": False}
    rid_key: bytes = Field(primary_key=True)
    """16 bytes that stand for the rid."""


class SyncPrunedCell(SQLModel, table=True):
    """What removed records contributed to the digests (domain/sync/digest.py) of a month."""

    __tablename__ = "sync_pruned_cells"
    stream: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    bucket: int = Field(primary_key=True)
    records: int = Field(sa_column=_big(nullable=False))
    xored: int = Field(sa_column=_big(nullable=False))
    """The exclusive or as a signed 64-bit number."""
    cost_nusd: int = Field(sa_column=_big(nullable=False))


class SyncReceipt(SQLModel, table=True):
    """What one exchange did; the newest are kept."""

    __tablename__ = "sync_receipts"
    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))
    at_us: int = Field(sa_column=_big(nullable=False))
    detail: str = Field(sa_column=_text(nullable=False))
