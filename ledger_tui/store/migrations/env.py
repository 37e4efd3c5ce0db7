"""Run by Alembic: the caller passes its open transaction as ``attributes["connection"]`` and ends it itself."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
