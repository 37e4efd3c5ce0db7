"""Where facts of several people stand beside each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# The order of UTF-8 bytes on both databases, as in the steps before.
SHORT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
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
