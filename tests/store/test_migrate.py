"""From one schema to the next: all or nothing, under a lock, with a verified copy first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_tui.errors import DatabaseDamaged, DatabaseForeign, DatabaseFull, DatabaseNewer, MigrationFailed
from ledger_tui.paths import Paths
from ledger_tui.store import backup, migrations
from ledger_tui.store.database import Database

from tests.store.helpers import get, in_child, other_program, put
from tests.store.releases import NEXT_SCHEMA, die_at, next_release, statements

pytestmark = pytest.mark.usefixtures("real_migrations")


@pytest.fixture
def older(paths: Paths) -> Path:
    """A ledger of this release with a fact in it."""
    database = Database(paths.database, paths)
    database.prepare()
    put(database, "a", "kept")
    database.close()
    return paths.database


def test_new_ledger_has_an_identity_of_its_own(any_database: Database) -> None:
    """A workspace gets its id once, whatever is prepared again."""
    first = get(any_database, "id")
    any_database.prepare()
    assert first is not None
    assert get(any_database, "id") == first


def test_upgrade_keeps_a_verified_copy(
    older: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The step runs, the facts are there, and the copy from before holds them too and is private."""
    next_release(monkeypatch, tmp_path)
    database = Database(older, paths)
    assert database.state() == "outdated"
    database.prepare()
    assert (database.state(), get(database, "a")) == ("ready", "kept")
    with database.lean() as lean:
        assert lean.fetch("SELECT body FROM notes") == [("kept",)]
    copies = list(paths.backups.glob(f"pre-{NEXT_SCHEMA}-*.db"))
    assert [copy.stat().st_mode & 0o777 for copy in copies] == [0o600]
    with other_program(copies[0]) as copy:
        assert copy.execute("SELECT value FROM workspace WHERE key = 'a'").fetchall() == [("kept",)]
        assert copy.execute("PRAGMA user_version").fetchone() == (migrations.SCHEMA,)
    database.close()


def test_upgrade_on_postgres(postgres_url: str, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same step runs on Postgres; an older process is told that the schema is newer."""
    database = Database(postgres_url, paths)
    database.prepare()
    put(database, "a", "kept")
    with monkeypatch.context() as patch:
        next_release(patch, tmp_path)
        assert database.state() == "outdated"
        database.prepare()
        assert (database.state(), get(database, "a")) == ("ready", "kept")
    with pytest.raises(DatabaseNewer):
        database.state()
    with pytest.raises(DatabaseNewer):
        get(database, "a")
    with pytest.raises(DatabaseNewer), database.session() as session:
        session.connection()
    database.close()


@pytest.mark.parametrize("last", ["op.execute('SELECT broken FROM nowhere')", "raise ZeroDivisionError('oops')"])
def test_failed_step_changes_nothing(
    last: str, older: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A step that fails at its end leaves schema and facts as they were, and keeps the copy."""
    with monkeypatch.context() as patch:
        next_release(patch, tmp_path, last)
        with pytest.raises(MigrationFailed) as caught:
            Database(older, paths).prepare()
        assert "backups" in caught.value.remedy
    database = Database(older, paths)
    assert (database.state(), get(database, "a")) == ("ready", "kept")
    with database.lean() as lean:
        assert lean.fetch("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'") == [(0,)]
    assert len(list(paths.backups.glob(f"pre-{NEXT_SCHEMA}-*.db"))) == 1
    database.close()


def test_failed_step_on_postgres_changes_nothing(
    postgres_url: str, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Postgres takes a failed step back as a whole, too."""
    database = Database(postgres_url, paths)
    database.prepare()
    with monkeypatch.context() as patch:
        next_release(patch, tmp_path, "raise ZeroDivisionError('oops')")
        with pytest.raises(MigrationFailed):
            database.prepare()
    assert database.state() == "ready"
    with database.lean() as lean:
        assert lean.fetch("SELECT count(*) FROM pg_tables WHERE tablename = 'notes'") == [(0,)]
    database.close()


def test_rows_that_point_to_nothing_stop_the_step(
    older: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A step that would leave a reference dangling is taken back."""
    broken = "op.execute(\"INSERT INTO labels VALUES ('p', 'l', 'v', 'r', '', 0)\")"
    with monkeypatch.context() as patch:
        next_release(patch, tmp_path, broken)
        with pytest.raises(MigrationFailed, match="labels"):
            Database(older, paths).prepare()
    assert Database(older, paths).state() == "ready"


@pytest.mark.long
def test_killed_upgrade_is_old_or_new(
    older: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After SIGKILL at each statement of an upgrade the file is as before, sound, and the upgrade runs through later."""
    next_release(monkeypatch, tmp_path)
    original = older.read_bytes()
    count = statements(Database(older, paths))
    assert count > 10
    for number in range(1, count + 1):
        _restore(older, original)

        def work(number: int = number) -> None:
            die_at(number)
            Database(older, paths).prepare()

        assert in_child(work) == -9
        database = Database(older, paths)
        assert database.state() == "outdated", number
        with other_program(older) as seen:
            assert seen.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert seen.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'").fetchone() == (0,)
        database.prepare()
        assert get(database, "a") == "kept"
        database.close()
    assert len(list(paths.backups.glob(f"pre-{NEXT_SCHEMA}-*.db"))) == backup.KEEP_BEFORE_MIGRATION


@pytest.mark.long
def test_killed_creation_is_nothing_or_all(paths: Paths) -> None:
    """After SIGKILL at each statement of the first creation there is no ledger yet, and the next start makes it.

    What is left behind decides how the next start goes, so it is made once from each different rest of files.
    """
    count = statements(Database(paths.database, paths))
    continued: set[tuple[tuple[str, bytes], ...]] = set()
    for number in range(1, count + 1):
        for path in paths.data.glob("ledger.db*"):
            path.unlink()

        def work(number: int = number) -> None:
            die_at(number)
            Database(paths.database, paths).prepare()

        assert in_child(work) == -9
        database = Database(paths.database, paths)
        left = tuple((path.name, path.read_bytes()) for path in sorted(paths.data.glob("ledger.db*")))
        assert database.state() == "missing", number
        if left not in continued:
            continued.add(left)
            database.prepare()
            assert get(database, "id")
        database.close()
    assert continued


def _restore(path: Path, content: bytes) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(content)


PREPARE = """
import sys
from pathlib import Path
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database
database = Database(sys.argv[1], Paths(Path(sys.argv[2]), Path("/nowhere")))
database.prepare()
with database.lean() as lean:
    print(lean.one("SELECT value FROM workspace WHERE key = 'id'")[0])
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, paths: Paths) -> Iterator[str]:
    """Where no ledger is yet."""
    yield str(paths.database) if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def test_processes_that_prepare_at_once_make_one_ledger(target: str, paths: Paths) -> None:
    """Three processes that start together on nothing all work, on the same workspace."""
    started = [
        subprocess.Popen([sys.executable, "-c", PREPARE, target, str(paths.data)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert len(answers) == 1


def test_little_room_stops_before_anything_is_done(
    older: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without room for a copy the upgrade does not begin."""
    next_release(monkeypatch, tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(DatabaseFull, match="1000 bytes are free"):
        Database(older, paths).prepare()
    assert Database(older, paths).state() == "outdated"
    assert not paths.backups.exists()


def test_damaged_file_is_not_migrated(
    older: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that fails the quick check stays as it is, and no bad copy is kept as a good one."""
    with other_program(older) as other:
        page = other.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'spans'").fetchone()[0]
    with older.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x77")
    before = older.read_bytes()
    next_release(monkeypatch, tmp_path)
    with pytest.raises(DatabaseDamaged):
        Database(older, paths).prepare()
    assert older.read_bytes() == before
    assert not paths.backups.exists() or not list(paths.backups.iterdir())


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE spans (id int)"],
        ["CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('abc')"],
    ],
)
def test_foreign_tables_on_postgres(statements: list[str], postgres_url: str, paths: Paths) -> None:
    """A Postgres database where another program keeps tables of our names is left alone."""
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
        database = Database(postgres_url, paths)
        with pytest.raises(DatabaseForeign):
            database.prepare()
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'prompts'").fetchone() == (0,)


def test_threads_make_ledgers_of_their_own(tmp_path: Path) -> None:
    """Threads of one program that make different ledgers at the same time do not get in each other's way."""
    made = [Database(tmp_path / f"{n}.db", Paths(tmp_path / str(n), tmp_path / "c")) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda database: database.prepare(), made))
    assert {database.state() for database in made} == {"ready"}
