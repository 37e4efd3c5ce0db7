"""What money and analytics keep (rate cards, sums by version, user and session, latencies, late prices, alerts, what
retention removed), what the queue needs, and prompts that nobody registered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# The order of UTF-8 bytes on both databases, as in the steps before.
SHORT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger()
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SUMS = (
    "calls", "errors", "canceled", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost_nusd", "unpriced", "duration_us",
)  # fmt: skip
KEYS = ("day", "provider", "model", "prompt_id", "version_id", "environment")


def upgrade() -> None:
    _executions()
    _traces()
    _rate_cards()
    _spans()
    _days()
    _latencies()
    _uses()
    _late_prices()
    _alerts()
    _unregistered_prompts()
    _open_spans()


def _executions() -> None:
    op.add_column("executions", sa.Column("estimated_nusd", BIG, nullable=True))
    op.add_column("executions", sa.Column("request", LONG, nullable=True))
    _partial_index("ix_executions_queue", "executions", ["not_before_us"], "status = 'queued'")


def _traces() -> None:
    op.add_column("traces", sa.Column("pruned_us", BIG, nullable=True))
    _partial_index("ix_traces_session", "traces", ["session_id", "started_us"], "session_id IS NOT NULL")
    _partial_index("ix_traces_user", "traces", ["user_identifier", "started_us"], "user_identifier IS NOT NULL")


def _rate_cards() -> None:
    op.create_table(
        "rate_cards",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("sha256", SHORT, nullable=False),
        sa.Column("body", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
    )


def _spans() -> None:
    op.add_column("spans", sa.Column("card_id", sa.Integer(), nullable=True))
    op.add_column("spans", sa.Column("first_token_us", BIG, nullable=True))
    op.add_column("spans", sa.Column("session_id", SHORT, nullable=True))
    op.add_column("spans", sa.Column("user_identifier", SHORT, nullable=True))
    _partial_index("ix_spans_unpriced", "spans", ["provider", "model"], "unpriced")
    op.execute(
        "UPDATE spans SET first_token_us = (SELECT e.first_token_us FROM executions e WHERE e.id = spans.execution_id) "
        "WHERE execution_id IS NOT NULL"
    )
    op.execute(
        "UPDATE spans SET (session_id, user_identifier) = (SELECT u.session_id, u.user_identifier "
        "FROM executions e JOIN usages u ON u.id = e.usage_id WHERE e.id = spans.execution_id) "
        "WHERE execution_id IS NOT NULL"
    )


def _days() -> None:
    """Days were summed without the version: they are counted again from the spans."""
    op.drop_table("daily_costs")
    _sums_table("daily_costs", *KEYS)
    _sums_table("pruned_costs", *KEYS)
    _sums_table("daily_parties", "kind", "day", "party")
    keys = "provider, model, prompt_id, version_id, environment"
    op.execute(
        f"INSERT INTO daily_costs (day, {keys}, {', '.join(SUMS)}) "
        f"SELECT {_day()}, COALESCE(provider, ''), model, COALESCE(prompt_id, ''), COALESCE(version_id, ''), environment, "
        f"{_counted()} FROM spans WHERE {_CALLS} GROUP BY 1, 2, 3, 4, 5, 6"
    )
    for kind, column in (("user", "user_identifier"), ("session", "session_id")):
        op.execute(
            f"INSERT INTO daily_parties (day, kind, party, {', '.join(SUMS)}) "
            f"SELECT {_day()}, '{kind}', {column}, {_counted()} FROM spans "
            f"WHERE {_CALLS} AND {column} IS NOT NULL GROUP BY 1, 3"
        )


_CALLS = "model IS NOT NULL AND status IN ('succeeded', 'failed', 'canceled')"


def _counted() -> str:
    texts = {
        "calls": "COUNT(*)",
        "errors": "SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END)",
        "canceled": "SUM(CASE WHEN status = 'canceled' THEN 1 ELSE 0 END)",
        "unpriced": "SUM(CASE WHEN unpriced THEN 1 ELSE 0 END)",
    }
    return ", ".join(texts.get(name, f"COALESCE(SUM({name}), 0)") for name in SUMS)


def _day(moment: str = "started_us") -> str:
    if op.get_bind().dialect.name == "sqlite":
        return f"date({moment} / 1000000, 'unixepoch')"
    return f"to_char(to_timestamp({moment} / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


def _sums_table(name: str, *keys: str) -> None:
    op.create_table(
        name,
        *(sa.Column(key, SHORT, nullable=False) for key in keys),
        *(sa.Column(column, BIG, nullable=False) for column in SUMS),
        sa.PrimaryKeyConstraint(*keys),
        sqlite_with_rowid=False,
    )


def _latencies() -> None:
    op.create_table(
        "call_keys",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        *(sa.Column(name, SHORT, nullable=False) for name in KEYS[1:]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(*KEYS[1:]),
    )
    op.create_table(
        "daily_latencies",
        sa.Column("day", SHORT, nullable=False),
        sa.Column("key_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("latency_lowest", sa.Integer(), nullable=True),
        sa.Column("latency_counts", sa.LargeBinary(), nullable=True),
        sa.Column("first_lowest", sa.Integer(), nullable=True),
        sa.Column("first_counts", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["call_keys.id"]),
        sa.PrimaryKeyConstraint("day", "key_id"),
        sqlite_with_rowid=False,
    )
    _count_latencies()


def _count_latencies() -> None:
    """Count the calls that are there, by the same function as later ones."""
    from ledger_tui.domain.percentiles import bucket_of, pack

    keys = "COALESCE(provider, ''), model, COALESCE(prompt_id, ''), COALESCE(version_id, ''), environment"
    connection = op.get_bind()
    connection.execute(
        sa.text(
            f"INSERT INTO call_keys ({', '.join(KEYS[1:])}) SELECT DISTINCT {keys} FROM spans "
            f"WHERE {_CALLS} AND status = 'succeeded'"
        )
    )
    rows = connection.execute(sa.text(f"SELECT id, {', '.join(KEYS[1:])} FROM call_keys"))
    key_ids = {tuple(row[1:]): row[0] for row in rows}
    counts: dict[tuple[str, int], tuple[dict[int, int], dict[int, int]]] = {}
    for day, lasted_us, first_us, *key in connection.execute(
        sa.text(
            f"SELECT {_day()}, duration_us, first_token_us, {keys} FROM spans WHERE {_CALLS} AND status = 'succeeded'"
        )
    ):
        measures = counts.setdefault((day, key_ids[tuple(key)]), ({}, {}))
        for buckets, measured_us in zip(measures, (lasted_us, first_us), strict=True):
            if measured_us is not None:
                bucket = bucket_of(measured_us)
                buckets[bucket] = buckets.get(bucket, 0) + 1
    insert = sa.text(
        "INSERT INTO daily_latencies VALUES (:day, :key_id, :lowest, :counts, :first_lowest, :first_counts)"
    )
    for (day, key_id), (lasted, first) in counts.items():
        packed = zip(("lowest", "counts", "first_lowest", "first_counts"), (*pack(lasted), *pack(first)), strict=True)
        connection.execute(insert, {"day": day, "key_id": key_id, **dict(packed)})


def _uses() -> None:
    op.create_table(
        "daily_uses",
        *(sa.Column(name, SHORT, nullable=False) for name in ("day", "prompt_id", "version_id", "environment")),
        sa.Column("uses", BIG, nullable=False),
        sa.PrimaryKeyConstraint("day", "prompt_id", "version_id", "environment"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO daily_uses (day, prompt_id, version_id, environment, uses) "
        f"SELECT {_day('created_us')}, COALESCE(prompt_id, ''), COALESCE(version_id, ''), environment, COUNT(*) "
        "FROM usages GROUP BY 1, 2, 3, 4"
    )


def _late_prices() -> None:
    op.create_table(
        "late_prices",
        sa.Column("span_key", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("cost_nusd", BIG, nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=True),
        sa.Column("at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(["span_key"], ["spans.id"]),
        sa.PrimaryKeyConstraint("span_key"),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("key", SHORT, nullable=False),
        sa.Column("kind", SHORT, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("detail", LONG, nullable=False),
        sa.Column("seen_us", BIG, nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )


def _unregistered_prompts() -> None:
    op.create_table(
        "unregistered_prompts",
        sa.Column("fingerprint", SHORT, nullable=False),
        sa.Column("skeleton", LONG, nullable=False),
        sa.Column("sample", LONG, nullable=False),
        sa.Column("calls", BIG, nullable=False),
        sa.Column("first_us", BIG, nullable=False),
        sa.Column("last_us", BIG, nullable=False),
        sa.Column("models", LONG, nullable=False),
        sa.Column("last_span_key", BIG, nullable=True),
        sa.Column("dismissed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_index("ix_unregistered_prompts_last", "unregistered_prompts", ["last_us"])


def _open_spans() -> None:
    op.create_table(
        "open_spans",
        sa.Column("span_key", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("owner", SHORT, nullable=False),
        sa.ForeignKeyConstraint(["span_key"], ["spans.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("span_key"),
    )


def _partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
