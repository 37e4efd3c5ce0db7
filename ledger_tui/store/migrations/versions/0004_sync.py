"""What syncing with a shared server keeps beside the facts themselves: where each stands, what the typed tables cannot hold,
what was set aside, what retention removed, and a receipt of every sync."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# The order of UTF-8 bytes on both databases, as in the steps before.
SHORT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger()
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _unsent()
    _records()
    _texts()
    _asides()
    _pruned()
    _receipts()
    _open_registers()


def _unsent() -> None:
    op.add_column("late_prices", sa.Column("commit_seq", BIG, nullable=True))
    op.add_column("late_prices", sa.Column("extra", LONG, nullable=True))
    op.add_column("rate_cards", sa.Column("commit_seq", BIG, nullable=True))
    _partial_index("ix_journal_unsent", "journal", ["seq"], "commit_seq IS NULL")
    _partial_index("ix_usages_unsent", "usages", ["id"], "commit_seq IS NULL")
    _partial_index("ix_executions_unsent", "executions", ["id"], "commit_seq IS NULL AND ended_us IS NOT NULL")
    _partial_index(
        "ix_spans_unsent", "spans", ["id"], "commit_seq IS NULL AND status IN ('succeeded', 'failed', 'canceled')"
    )
    _partial_index("ix_rate_cards_unsent", "rate_cards", ["id"], "commit_seq IS NULL")
    _partial_index("ix_late_prices_unsent", "late_prices", ["span_key"], "commit_seq IS NULL")


def _records() -> None:
    op.create_table(
        "sync_records",
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("stream", SHORT, nullable=False),
        sa.Column("kind", SHORT, nullable=False),
        sa.Column("body", LONG, nullable=False),
        sa.Column("why", SHORT, nullable=False),
        sa.Column("commit_seq", BIG, nullable=True),
        sa.PrimaryKeyConstraint("rid"),
    )
    op.create_index("ix_sync_records_why", "sync_records", ["why"])


def _texts() -> None:
    op.create_table(
        "sync_texts",
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("span_key", BIG, nullable=True),
        sa.Column("row_id", SHORT, nullable=True),
        sa.Column("owner", SHORT, nullable=False),
        sa.Column("commit_seq", BIG, nullable=True),
        sa.PrimaryKeyConstraint("rid"),
    )
    _partial_index("ix_sync_texts_unsent", "sync_texts", ["rid"], "commit_seq IS NULL")
    _partial_index("ix_sync_texts_span", "sync_texts", ["span_key"], "span_key IS NOT NULL")
    _partial_index("ix_sync_texts_row", "sync_texts", ["row_id"], "row_id IS NOT NULL")


def _asides() -> None:
    op.create_table(
        "sync_asides",
        sa.Column("key", SHORT, nullable=False),
        sa.Column("way", SHORT, nullable=False),
        sa.Column("stream", SHORT, nullable=False),
        sa.Column("rid", SHORT, nullable=False),
        sa.Column("why", SHORT, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("raw", LONG, nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_sync_asides_rid", "sync_asides", ["rid"])


def _pruned() -> None:
    op.create_table(
        "sync_pruned",
        sa.Column("rid_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rid_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sync_pruned_cells",
        sa.Column("stream", SHORT, nullable=False),
        sa.Column("month", SHORT, nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("records", BIG, nullable=False),
        sa.Column("xored", BIG, nullable=False),
        sa.Column("cost_nusd", BIG, nullable=False),
        sa.PrimaryKeyConstraint("stream", "month", "bucket"),
    )


def _receipts() -> None:
    op.create_table(
        "sync_receipts",
        sa.Column("id", BIG_KEY, autoincrement=True, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("detail", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _open_registers() -> None:
    op.create_table(
        "open_registers",
        sa.Column("prompt_id", SHORT, nullable=False),
        sa.Column("kind", SHORT, nullable=False),
        sa.Column("field", SHORT, nullable=False),
        sa.Column("candidates", LONG, nullable=False),
        sa.Column("holder", SHORT, nullable=False),
        sa.Column("contested", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("prompt_id", "kind", "field"),
    )


def _partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
