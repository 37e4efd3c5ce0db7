"""The release after this one, in tests: one step of the schema more, and processes that are killed while they take it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ledger_tui.store import migrate, migrations, postgres, sqlite
from ledger_tui.store.database import Database
from sqlalchemy import Engine, event

from tests.store.helpers import die

NEXT_SCHEMA = migrations.SCHEMA + 1
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{this}"


def upgrade() -> None:
    op.create_table("notes", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("body", sa.Text()))
    with op.batch_alter_table("workspace") as table:
        table.add_column(sa.Column("note", sa.Text()))
    op.execute("INSERT INTO notes (id, body) SELECT 1, value FROM workspace WHERE key = 'a'")
    op.execute("UPDATE workspace SET note = 'n'")
    {last}
"""


def next_release(monkeypatch: pytest.MonkeyPatch, folder: Path, last: str = "") -> None:
    """Let this process be the next release, which knows one step more."""
    scripts = folder / "next"
    shutil.copytree(Path(migrations.__file__).parent, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    this, following = migrations.REVISIONS[-1], f"{NEXT_SCHEMA:04}"
    step = NEXT.replace("{last}", last).replace("{this}", this).replace("{next}", following)
    (scripts / "versions" / f"{following}_next.py").write_text(step)
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)
    for module in (migrate, sqlite, postgres):
        monkeypatch.setattr(module, "SCHEMA", NEXT_SCHEMA)
    monkeypatch.setattr(postgres, "REVISIONS", (*migrations.REVISIONS, following))


def die_at(number: int) -> None:
    """From now on this process is killed at its statement of this number."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            die()

    event.listen(Engine, "before_cursor_execute", count)


def statements(work: Database) -> int:
    """How many statements preparing takes."""
    seen: list[object] = []

    def count(*_: object) -> None:
        seen.append(_)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        work.prepare()
    finally:
        event.remove(Engine, "before_cursor_execute", count)
        work.close()
    return len(seen)
