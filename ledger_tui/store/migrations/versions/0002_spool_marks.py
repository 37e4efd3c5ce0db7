"""How far each spool file of recorded spans is in the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# The order of UTF-8 bytes on both databases, as in the steps before.
SHORT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "spool_marks",
        sa.Column("file", SHORT, nullable=False),
        sa.Column("device", SHORT, nullable=False),
        sa.Column("done_bytes", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file"),
    )
