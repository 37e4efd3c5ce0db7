"""Every table of domain/tables.py, and the full-text structures of each database.

The script says by itself what it makes: a later change of the models must not change a released step.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# One order of texts everywhere, whatever the server's collation: that of their UTF-8 bytes, as in SQLite.
SHORT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger()
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _budgets()
    _daily_costs()
    _models()
    _price_entries()
    _prompts()
    _traces()
    _workspace()
    _input_sets()
    _journal()
    _prompt_states()
    _prompt_versions()
    _spans()
    _labels()
    _span_payloads()
    _usages()
    _version_numbers()
    _executions()
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_search()
    else:
        _postgres_search()


def _sqlite_search() -> None:
    # Words are cut, folded and joined by spaces before they get here, so the ASCII tokenizer only splits at spaces.
    op.execute("CREATE VIRTUAL TABLE spans_fts USING fts5(body, content='', contentless_delete=1, tokenize='ascii')")
    op.execute("CREATE VIRTUAL TABLE prompts_fts USING fts5(prompt_id UNINDEXED, body, tokenize='ascii')")


def _postgres_search() -> None:
    op.execute("CREATE TABLE spans_fts (span_key bigint PRIMARY KEY, body tsvector NOT NULL)")
    op.execute("CREATE INDEX ix_spans_fts_body ON spans_fts USING gin (body)")
    op.execute("CREATE TABLE prompts_fts (prompt_id text PRIMARY KEY, body tsvector NOT NULL)")
    op.execute("CREATE INDEX ix_prompts_fts_body ON prompts_fts USING gin (body)")


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("scope", SHORT, nullable=False),
        sa.Column("period", SHORT, nullable=False),
        sa.Column("limit_nusd", BIG, nullable=False),
        sa.Column("warn_percent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("rid"),
    )


def _daily_costs() -> None:
    op.create_table(
        "daily_costs",
        sa.Column("day", SHORT, nullable=False),
        sa.Column("provider", SHORT, nullable=False),
        sa.Column("model", SHORT, nullable=False),
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("environment", SHORT, nullable=False),
        sa.Column("calls", BIG, nullable=False),
        sa.Column("errors", BIG, nullable=False),
        sa.Column("input_tokens", BIG, nullable=False),
        sa.Column("cache_read_tokens", BIG, nullable=False),
        sa.Column("cache_write_tokens", BIG, nullable=False),
        sa.Column("output_tokens", BIG, nullable=False),
        sa.Column("reasoning_tokens", BIG, nullable=False),
        sa.Column("cost_nusd", BIG, nullable=False),
        sa.Column("unpriced", BIG, nullable=False),
        sa.Column("duration_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("day", "provider", "model", "prompt_id", "environment"),
    )


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("provider", SHORT, nullable=False),
        sa.Column("model", SHORT, nullable=False),
        sa.Column("detail", LONG, nullable=False),
        sa.Column("fetched_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("provider", "model"),
    )


def _price_entries() -> None:
    op.create_table(
        "price_entries",
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("provider", SHORT, nullable=False),
        sa.Column("model", SHORT, nullable=False),
        sa.Column("prices", LONG, nullable=False),
        sa.Column("from_us", BIG, nullable=False),
        sa.Column("until_us", BIG, nullable=True),
        sa.Column("source", SHORT, nullable=False),
        sa.PrimaryKeyConstraint("rid"),
    )
    op.create_index("ix_price_entries_model", "price_entries", ["provider", "model", "from_us"])


def _prompts() -> None:
    op.create_table(
        "prompts",
        sa.Column("id", SHORT, nullable=False),
        sa.Column("name", SHORT, nullable=False),
        sa.Column("folded_name", SHORT, nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.Column("created_by", SHORT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("folded_name"),
        sa.UniqueConstraint("name"),
    )


def _traces() -> None:
    op.create_table(
        "traces",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("trace_id", SHORT, nullable=False),
        sa.Column("name", SHORT, nullable=False),
        sa.Column("status", SHORT, nullable=False),
        sa.Column("started_us", BIG, nullable=False),
        sa.Column("ended_us", BIG, nullable=False),
        sa.Column("span_count", sa.Integer(), nullable=False),
        sa.Column("open_count", sa.Integer(), nullable=False),
        sa.Column("error_count", sa.Integer(), nullable=False),
        sa.Column("canceled_count", sa.Integer(), nullable=False),
        sa.Column("input_tokens", BIG, nullable=False),
        sa.Column("cache_read_tokens", BIG, nullable=False),
        sa.Column("cache_write_tokens", BIG, nullable=False),
        sa.Column("output_tokens", BIG, nullable=False),
        sa.Column("reasoning_tokens", BIG, nullable=False),
        sa.Column("cost_nusd", BIG, nullable=False),
        sa.Column("priced_count", sa.Integer(), nullable=False),
        sa.Column("unpriced_count", sa.Integer(), nullable=False),
        sa.Column("environment", SHORT, nullable=False),
        sa.Column("session_id", SHORT, nullable=True),
        sa.Column("user_identifier", SHORT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("trace_id"),
    )
    op.create_index("ix_traces_started", "traces", ["started_us", "id"])
    op.create_index("ix_traces_status", "traces", ["status", "started_us", "id"])


def _workspace() -> None:
    op.create_table(
        "workspace",
        sa.Column("key", SHORT, nullable=False),
        sa.Column("value", SHORT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _input_sets() -> None:
    op.create_table(
        "input_sets",
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("name", SHORT, nullable=False),
        sa.Column("variables", LONG, nullable=False),
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.PrimaryKeyConstraint("prompt_id", "name"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("kind", SHORT, nullable=False),
        sa.Column("prompt_id", SHORT, nullable=True),
        sa.Column("field", SHORT, nullable=False),
        sa.Column("value", LONG, nullable=False),
        sa.Column("base", LONG, nullable=False),
        sa.Column("action", SHORT, nullable=False),
        sa.Column("undoes", SHORT, nullable=True),
        sa.Column("actor", SHORT, nullable=False),
        sa.Column("device", SHORT, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("reason", LONG, nullable=False),
        sa.Column("hash", SHORT, nullable=False),
        sa.Column("commit_seq", BIG, nullable=True),
        sa.Column("extra", LONG, nullable=True),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("rid"),
    )
    op.create_index("ix_journal_prompt", "journal", ["prompt_id", "seq"])


def _prompt_states() -> None:
    op.create_table(
        "prompt_states",
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("name", SHORT, nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("team", SHORT, nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("mode", SHORT, nullable=False),
        sa.Column("version_count", sa.Integer(), nullable=False),
        sa.Column("latest_version_id", SHORT, nullable=True),
        sa.Column("latest_number", sa.Integer(), nullable=False),
        sa.Column("active_version_id", SHORT, nullable=True),
        sa.Column("active_number", sa.Integer(), nullable=False),
        sa.Column("model", SHORT, nullable=True),
        sa.Column("updated_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.PrimaryKeyConstraint("prompt_id"),
    )
    op.create_index("ix_prompt_states_name", "prompt_states", ["name"])


def _prompt_versions() -> None:
    op.create_table(
        "prompt_versions",
        sa.Column("id", SHORT, nullable=False),
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("sha256", SHORT, nullable=False),
        sa.Column("content", LONG, nullable=False),
        sa.Column("base_version_id", SHORT, nullable=True),
        sa.Column("author", SHORT, nullable=False),
        sa.Column("message", LONG, nullable=False),
        sa.Column("git_commit", SHORT, nullable=True),
        sa.Column("git_path", SHORT, nullable=True),
        sa.Column("git_dirty", sa.Boolean(), nullable=True),
        sa.Column("created_us", BIG, nullable=False),
        sa.Column("extra", LONG, nullable=True),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_prompt_versions_prompt", "prompt_versions", ["prompt_id"])


def _spans() -> None:
    op.create_table(
        "spans",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("trace_key", BIG_KEY, nullable=False),
        sa.Column("span_id", SHORT, nullable=False),
        sa.Column("parent_span_id", SHORT, nullable=True),
        sa.Column("name", SHORT, nullable=False),
        sa.Column("kind", SHORT, nullable=False),
        sa.Column("status", SHORT, nullable=False),
        sa.Column("started_us", BIG, nullable=False),
        sa.Column("duration_us", BIG, nullable=True),
        sa.Column("provider", SHORT, nullable=True),
        sa.Column("model", SHORT, nullable=True),
        sa.Column("prompt_id", SHORT, nullable=True),
        sa.Column("version_id", SHORT, nullable=True),
        sa.Column("execution_id", SHORT, nullable=True),
        sa.Column("input_tokens", BIG, nullable=True),
        sa.Column("cache_read_tokens", BIG, nullable=True),
        sa.Column("cache_write_tokens", BIG, nullable=True),
        sa.Column("output_tokens", BIG, nullable=True),
        sa.Column("reasoning_tokens", BIG, nullable=True),
        sa.Column("cost_nusd", BIG, nullable=True),
        sa.Column("unpriced", sa.Boolean(), nullable=False),
        sa.Column("agent_id", SHORT, nullable=True),
        sa.Column("environment", SHORT, nullable=False),
        sa.Column("error_type", SHORT, nullable=True),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("commit_seq", BIG, nullable=True),
        sa.Column("extra", LONG, nullable=True),
        sa.ForeignKeyConstraint(["trace_key"], ["traces.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_spans_model",
        "spans",
        ["model", "trace_key"],
        sqlite_where=sa.text("model IS NOT NULL"),
        postgresql_where=sa.text("model IS NOT NULL"),
    )
    op.create_index(
        "ix_spans_prompt",
        "spans",
        ["prompt_id", "trace_key"],
        sqlite_where=sa.text("prompt_id IS NOT NULL"),
        postgresql_where=sa.text("prompt_id IS NOT NULL"),
    )
    op.create_index("ix_spans_trace", "spans", ["trace_key", "span_id"])


def _labels() -> None:
    op.create_table(
        "labels",
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("label", SHORT, nullable=False),
        sa.Column("version_id", SHORT, nullable=False),
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("actor", SHORT, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["prompt_versions.id"]),
        sa.PrimaryKeyConstraint("prompt_id", "label"),
    )


def _span_payloads() -> None:
    op.create_table(
        "span_payloads",
        sa.Column("span_key", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("input", LONG, nullable=True),
        sa.Column("output", LONG, nullable=True),
        sa.Column("attributes", LONG, nullable=False),
        sa.Column("error", LONG, nullable=True),
        sa.Column("indexed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["span_key"], ["spans.id"]),
        sa.PrimaryKeyConstraint("span_key"),
    )
    op.create_index(
        "ix_span_payloads_unindexed",
        "span_payloads",
        ["span_key"],
        sqlite_where=sa.text("NOT indexed"),
        postgresql_where=sa.text("NOT indexed"),
    )


def _usages() -> None:
    op.create_table(
        "usages",
        sa.Column("id", SHORT, nullable=False),
        sa.Column("prompt_id", SHORT, nullable=True),
        sa.Column("version_id", SHORT, nullable=True),
        sa.Column("included", LONG, nullable=False),
        sa.Column("content", LONG, nullable=True),
        sa.Column("parameters", LONG, nullable=False),
        sa.Column("rendered", LONG, nullable=False),
        sa.Column("environment", SHORT, nullable=False),
        sa.Column("session_id", SHORT, nullable=True),
        sa.Column("user_identifier", SHORT, nullable=True),
        sa.Column("metadata", LONG, nullable=False),
        sa.Column("source", SHORT, nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.Column("commit_seq", BIG, nullable=True),
        sa.Column("extra", LONG, nullable=True),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["prompt_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_usages_prompt", "usages", ["prompt_id", "created_us"])


def _version_numbers() -> None:
    op.create_table(
        "version_numbers",
        sa.Column("version_id", SHORT, nullable=False),
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["prompt_versions.id"]),
        sa.PrimaryKeyConstraint("version_id"),
        sa.UniqueConstraint("prompt_id", "number"),
    )


def _executions() -> None:
    op.create_table(
        "executions",
        sa.Column("id", SHORT, nullable=False),
        sa.Column("usage_id", SHORT, nullable=True),
        sa.Column("prompt_id", SHORT, nullable=True),
        sa.Column("version_id", SHORT, nullable=True),
        sa.Column("provider", SHORT, nullable=False),
        sa.Column("model", SHORT, nullable=False),
        sa.Column("served_model", SHORT, nullable=True),
        sa.Column("params", LONG, nullable=False),
        sa.Column("status", SHORT, nullable=False),
        sa.Column("mode", SHORT, nullable=False),
        sa.Column("messages", LONG, nullable=False),
        sa.Column("response", LONG, nullable=True),
        sa.Column("tool_calls", LONG, nullable=True),
        sa.Column("finish_reason", SHORT, nullable=True),
        sa.Column("input_tokens", BIG, nullable=True),
        sa.Column("cache_read_tokens", BIG, nullable=True),
        sa.Column("cache_write_tokens", BIG, nullable=True),
        sa.Column("output_tokens", BIG, nullable=True),
        sa.Column("reasoning_tokens", BIG, nullable=True),
        sa.Column("latency_us", BIG, nullable=True),
        sa.Column("first_token_us", BIG, nullable=True),
        sa.Column("cost_nusd", BIG, nullable=True),
        sa.Column("receipt", LONG, nullable=True),
        sa.Column("error_type", SHORT, nullable=True),
        sa.Column("error", LONG, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("environment", SHORT, nullable=False),
        sa.Column("idempotency_key", SHORT, nullable=True),
        sa.Column("not_before_us", BIG, nullable=True),
        sa.Column("claimed_by", SHORT, nullable=True),
        sa.Column("claimed_us", BIG, nullable=True),
        sa.Column("response_metadata", LONG, nullable=False),
        sa.Column("created_us", BIG, nullable=False),
        sa.Column("ended_us", BIG, nullable=True),
        sa.Column("commit_seq", BIG, nullable=True),
        sa.Column("extra", LONG, nullable=True),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"]),
        sa.ForeignKeyConstraint(["usage_id"], ["usages.id"]),
        sa.ForeignKeyConstraint(["version_id"], ["prompt_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("idempotency_key"),
    )
    op.create_index("ix_executions_prompt", "executions", ["prompt_id", "created_us"])
    op.create_index("ix_executions_status", "executions", ["status", "created_us"])
    op.create_index("ix_executions_usage_id", "executions", ["usage_id"])
    op.create_index("ix_executions_version", "executions", ["version_id"])
