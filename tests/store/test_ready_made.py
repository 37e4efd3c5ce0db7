"""The databases that tests copy are those the migrations make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database

from tests.conftest import postgres_database

SHAPE = {
    "sqlite": (
        "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master ORDER BY name",
        "SELECT * FROM pragma_user_version, pragma_application_id, pragma_journal_mode, pragma_page_size",
        "SELECT * FROM pragma_encoding, pragma_auto_vacuum, pragma_page_count, pragma_freelist_count",
        "SELECT key FROM workspace ORDER BY key",
        "SELECT * FROM alembic_version",
    ),
    "postgresql": (
        "SELECT table_name, column_name, ordinal_position, data_type, collation_name, is_nullable, column_default, "
        "is_identity, character_maximum_length FROM information_schema.columns WHERE table_schema = 'public' "
        "ORDER BY table_name, column_name",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY conname, conrelid::regclass::text",
        "SELECT relname, relkind, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
        "SELECT key FROM workspace ORDER BY key",
        "SELECT * FROM alembic_version",
    ),
}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_copy_is_what_the_steps_make(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A ready-made database differs from a migrated one in its id and birthday only, and from other copies too."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else ""
    copies = [_made(kind, server, tmp_path / name) for name in ("first", "second")]
    request.getfixturevalue("real_migrations")
    migrated, own = _made(kind, server, tmp_path / "migrated")
    assert [shape for shape, _ in copies] == [migrated, migrated]
    assert len({own, *(one for _, one in copies)}) == 3


def _made(kind: str, server: str, folder: Path) -> tuple[list[list[Any]], tuple[Any, ...]]:
    """The shape of a new database, and its id and birthday."""
    paths = Paths(data=folder / "data", config=folder / "config")
    if kind == "sqlite":
        return _shape(Database(paths.database, paths))
    with postgres_database(server) as address:
        return _shape(Database(address, paths))


def _shape(database: Database) -> tuple[list[list[Any]], tuple[Any, ...]]:
    database.prepare()
    with database.lean() as lean:
        shape = [[tuple(row) for row in lean.fetch(query)] for query in SHAPE[database.dialect]]
        own = tuple(row[0] for row in lean.fetch("SELECT value FROM workspace ORDER BY key"))
    database.close()
    return shape, own
