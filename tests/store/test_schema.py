"""The migrated schema is the one of domain/tables.py, on both databases."""

from __future__ import annotations

from pathlib import Path

import ledger_tui.domain.tables  # noqa: F401
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_tui.store import engine, migrations
from ledger_tui.store.database import Database
from sqlalchemy import inspect
from sqlmodel import SQLModel


def _ours(name: str | None, kind: str, parents: object) -> bool:
    return not (kind == "table" and name is not None and "_fts" in name)


@pytest.fixture(autouse=True)
def migrated(real_migrations: None) -> None:
    """These databases are made by the steps."""


def test_migrations_make_the_declared_schema(any_database: Database) -> None:
    """Nothing differs between what the migrations made and what the models declare."""
    made = engine.for_migration(any_database)
    with made.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": _ours, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, SQLModel.metadata) == []
    made.dispose()


def test_partial_indexes_are_partial(any_database: Database) -> None:
    """Indexes that leave rows out do so on both databases (Alembic does not compare conditions)."""
    made = engine.for_migration(any_database)
    option = "sqlite_where" if any_database.dialect == "sqlite" else "postgresql_where"
    for table, index in (
        ("spans", "ix_spans_model"),
        ("spans", "ix_spans_prompt"),
        ("span_payloads", "ix_span_payloads_unindexed"),
    ):
        found = {one["name"]: one for one in inspect(made).get_indexes(table)}
        assert option in found[index]["dialect_options"], index
    made.dispose()


def test_revisions_are_listed_in_order() -> None:
    """The light list that start-up reads names the same steps as Alembic's scripts."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == migrations.REVISIONS
