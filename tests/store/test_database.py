"""The door to the data: pragmas, transactions, other programs, forks and full disks."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ledger_tui.domain.tables import Workspace
from ledger_tui.errors import (
    Conflict,
    DatabaseFull,
    DatabaseLocked,
    DatabaseNewer,
    DatabaseUnavailable,
    InputError,
    StoreError,
)
from ledger_tui.paths import Paths
from ledger_tui.store import sqlite
from ledger_tui.store.database import Database
from ledger_tui.store.migrations import SCHEMA

from tests.store.helpers import get, in_child, other_program, put


def test_one_story_on_both_databases(any_database: Database) -> None:
    """What one way of writing stores, every way of reading sees, also with ':' and '%' in the texts."""
    assert any_database.state() == "ready"
    any_database.prepare()
    put(any_database, "a", "100% of ':x' \\ ::text")
    with any_database.session() as session:
        session.add(Workspace(key="b", value="two"))
    with any_database.lean_write() as lean:
        lean.executemany(
            "INSERT INTO workspace (key, value) VALUES (:key, :value)",
            [{"key": "c", "value": "3"}, {"key": "d", "value": "4"}],
        )
        assert lean.execute("UPDATE workspace SET value = value || :more WHERE key IN ('c', 'd')", {"more": "!"}) == 2
    with any_database.lean() as lean:
        assert lean.dialect == any_database.dialect
        rows = lean.fetch(
            "SELECT key, value FROM workspace WHERE key IN ('a', 'b', 'c', 'd') AND value <> 'a%:b' ORDER BY key"
        )
        assert lean.one("SELECT value FROM workspace WHERE value LIKE '100\\%%' ESCAPE '\\'") == (rows[0][1],)
    assert rows == [("a", "100% of ':x' \\ ::text"), ("b", "two"), ("c", "3!"), ("d", "4!")]


def test_failed_transaction_leaves_nothing(any_database: Database) -> None:
    """An error inside a block takes the block's writes back, and the next block works."""
    with pytest.raises(ZeroDivisionError), any_database.lean_write() as lean:
        lean.execute("INSERT INTO workspace (key, value) VALUES ('x', '1')")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), any_database.session() as session:
        session.add(Workspace(key="x", value="2"))
        session.flush()
        raise ZeroDivisionError
    assert get(any_database, "x") is None
    put(any_database, "x", "3")
    with pytest.raises(Conflict):
        put(any_database, "x", "4")
    with pytest.raises(Conflict), any_database.session() as session:
        session.add(Workspace(key="x", value="5"))
    assert get(any_database, "x") == "3"


def test_a_read_sees_one_moment(any_database: Database) -> None:
    """What is written while a read is open does not show in it."""
    with any_database.lean() as lean:
        before = lean.fetch("SELECT count(*) FROM workspace")
        put(any_database, "new", "1")
        assert lean.fetch("SELECT count(*) FROM workspace") == before
    assert get(any_database, "new") == "1"


def test_a_read_cannot_write(any_database: Database) -> None:
    """A read connection refuses to change anything."""
    with pytest.raises(StoreError), any_database.lean() as lean:
        lean.execute("DELETE FROM workspace")


def test_pragmas_are_set(database: Database) -> None:
    """Each kind of connection has every pragma of SAFETY's list, people's edits are durable, and the file is marked."""
    expected = {
        "journal_mode": "wal", "busy_timeout": 5000, "foreign_keys": 1, "trusted_schema": 0, "cell_size_check": 1,
        "temp_store": 2, "secure_delete": 1, "journal_size_limit": 67108864, "application_id": 0x504C4447,
        "user_version": SCHEMA,
    }  # fmt: skip
    with database.lean() as lean:
        assert {name: lean.fetch(f"PRAGMA {name}")[0][0] for name in expected} == expected
        assert lean.fetch("PRAGMA query_only") == [(1,)]
    with database.lean_write() as lean:
        assert {name: lean.fetch(f"PRAGMA {name}")[0][0] for name in expected} == expected
        assert lean.fetch("PRAGMA synchronous") == [(1,)]
    with database.session() as session:
        connection = session.connection()
        assert {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected} == expected
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("SELECT sqlite_version()").scalar() == sqlite.library().sqlite_version


def test_library_with_the_fix_is_preferred() -> None:
    """The versions with the fix of the WAL-reset race are told from those without."""
    fixed = [(3, 51, 3), (3, 53, 4), (3, 50, 7), (3, 44, 6)]
    raced = [(3, 40, 1), (3, 51, 2), (3, 50, 6), (3, 44, 5), (3, 45, 0), (3, 49, 9)]
    assert all(map(sqlite.is_fixed, fixed))
    assert not any(map(sqlite.is_fixed, raced))


def test_reading_loads_nothing_heavy(database: Database) -> None:
    """A process that only reads SQLite loads no SQLAlchemy, Alembic, pydantic or psycopg."""
    database.close()
    code = f"""
import sys
from pathlib import Path
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database
database = Database({str(database.path)!r}, Paths(Path({str(database.paths.data)!r}), Path("/nowhere")))
assert database.state() == "ready"
database.prepare()
with database.lean() as lean:
    assert lean.one("SELECT 1") == (1,)
with database.lean_write() as lean:
    lean.execute("DELETE FROM workspace WHERE key = 'none'")
database.close()
print(*sorted({{"sqlalchemy", "sqlmodel", "alembic", "pydantic", "psycopg"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_locked_by_another_program(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the write lock, writing says so; reading goes on; afterwards all works again."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    put(database, "a", "1")
    database.close()
    assert database.path
    with other_program(database.path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseLocked):
            put(database, "b", "2")
        with pytest.raises(DatabaseLocked), database.session() as session:
            session.add(Workspace(key="b", value="2"))
            session.flush()
        assert get(database, "a") == "1"
    put(database, "b", "2")
    assert get(database, "b") == "2"


def test_locked_by_another_writer_on_postgres(postgres_url: str, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers on Postgres take turns, and one that waits too long is told so."""
    from ledger_tui.store import postgres

    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_MS", 50)
    first, second = Database(postgres_url, paths), Database(postgres_url, paths)
    first.prepare()
    with first.lean_write() as lean:
        lean.execute("INSERT INTO workspace (key, value) VALUES ('a', '1')")
        with pytest.raises(DatabaseLocked):
            put(second, "b", "2")
    put(second, "b", "2")
    assert (get(first, "a"), get(first, "b")) == ("1", "2")
    first.close()
    second.close()


def test_full_disk(database: Database) -> None:
    """A write that finds no room says so, leaves nothing behind, and smaller ones work later."""
    put(database, "a", "1")
    with database.lean_write() as lean:
        pages = lean.fetch("PRAGMA page_count")[0][0]
        lean.fetch(f"PRAGMA max_page_count={pages + 4}")
    with pytest.raises(DatabaseFull):
        put(database, "big", "x" * 1_000_000)
    assert get(database, "big") is None
    put(database, "small", "1")
    assert get(database, "small") == "1"


def test_another_process_went_ahead(database: Database) -> None:
    """When a newer release migrated the file under us, every kind of transaction says so and changes nothing."""
    put(database, "a", "1")
    with database.session() as session:
        session.add(Workspace(key="b", value="2"))
    assert database.path
    with other_program(database.path) as other:
        other.execute("PRAGMA user_version=99")
    with pytest.raises(DatabaseNewer):
        get(database, "a")
    with pytest.raises(DatabaseNewer):
        put(database, "c", "3")
    with pytest.raises(DatabaseNewer), database.session() as session:
        session.add(Workspace(key="c", value="3"))
    with pytest.raises(DatabaseNewer):
        database.prepare()
    with other_program(database.path) as other:
        other.execute(f"PRAGMA user_version={SCHEMA}")
    assert get(database, "c") is None


def test_replaced_file_is_noticed(database: Database, tmp_path: Path) -> None:
    """A backup moved into place is what the next transaction reads; a removed file is an error, not an empty one."""
    from ledger_tui.services.care import CareService

    put(database, "a", "old")
    copy = CareService(database, database.paths).backup(tmp_path / "copy.db")
    with database.session() as session:
        session.add(Workspace(key="b", value="later"))
    assert database.path
    for suffix in ("-wal", "-shm"):
        database.path.with_name(database.path.name + suffix).unlink()
    copy.replace(database.path)
    assert (get(database, "a"), get(database, "b")) == ("old", None)
    with database.session() as session:
        assert session.get(Workspace, "b") is None
        session.add(Workspace(key="c", value="new"))
    assert get(database, "c") == "new"
    database.path.unlink()
    with pytest.raises(DatabaseUnavailable, match="no ledger file"):
        get(database, "a")
    assert not database.path.exists()


def test_not_prepared_says_so(paths: Paths, postgres_url: str) -> None:
    """Reading before the first preparation is an error that names the remedy."""
    paths.data.mkdir(mode=0o700)
    paths.database.touch()
    for target in (paths.database, postgres_url):
        database = Database(target, paths)
        assert database.state() == "missing"
        with pytest.raises(StoreError, match="not prepared"):
            get(database, "a")
        with pytest.raises(StoreError, match="not prepared"), database.session() as session:
            session.connection()
        database.close()


def test_texts_have_one_order(any_database: Database) -> None:
    """Both databases sort texts by their bytes, whatever the server's locale."""
    for key in ("b", "a/b", "B", "a-b", "é", "_", "ab", "a", "Z"):
        put(any_database, key, "sorted")
    with any_database.lean() as lean:
        rows = lean.fetch("SELECT key FROM workspace WHERE value = 'sorted' ORDER BY key")
    assert [row[0] for row in rows] == ["B", "Z", "_", "a", "a-b", "a/b", "ab", "b", "é"]


def test_threads_share_one_database(any_database: Database) -> None:
    """Eight threads that read and write through one object lose nothing and meet no lock."""
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(10):
                put(any_database, f"{number}.{step}", "x")
                assert get(any_database, f"{number}.{step}") == "x"
                if step % 5 == 0:
                    with any_database.session() as session:
                        session.add(Workspace(key=f"s{number}.{step}", value="y"))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with any_database.lean() as lean:
        assert lean.one("SELECT count(*) FROM workspace WHERE value IN ('x', 'y')") == (96,)


def test_fork_after_use(any_database: Database) -> None:
    """A forked child opens connections of its own; parent and child both go on, and all rows are there."""
    put(any_database, "parent", "1")
    with any_database.session() as session:
        session.add(Workspace(key="parent-session", value="1"))

    def child() -> None:
        assert get(any_database, "parent") == "1"
        put(any_database, "child", "2")
        with any_database.session() as session:
            session.add(Workspace(key="child-session", value="2"))

    for _ in range(2):
        assert in_child(child) == 0
        with any_database.lean_write() as lean:
            assert lean.execute("DELETE FROM workspace WHERE key LIKE 'child%'") == 2
    with any_database.session() as session:
        session.add(Workspace(key="after", value="3"))
    assert get(any_database, "after") == "3"
    if any_database.path:
        with any_database.lean() as lean:
            assert lean.fetch("PRAGMA integrity_check") == [("ok",)]


def test_transaction_is_not_carried_into_a_child(any_database: Database) -> None:
    """A child that leaves its parent's open block commits nothing of it; the parent's own end counts."""
    block = any_database.lean_write()
    block.__enter__().execute("INSERT INTO workspace (key, value) VALUES ('once', '1')")
    assert in_child(lambda: block.__exit__(None, None, None)) == 1
    assert get(any_database, "once") is None
    block.__exit__(None, None, None)
    assert get(any_database, "once") == "1"


WRITER = """
import sys
from pathlib import Path
from ledger_tui.paths import Paths
from ledger_tui.store.database import Database
database = Database(sys.argv[1], Paths(Path(sys.argv[2]), Path("/nowhere")))
name, count, kind = sys.argv[3], int(sys.argv[4]), sys.argv[5]
for number in range(count):
    if kind == "lean":
        with database.lean_write() as lean:
            value = int(lean.fetch("SELECT value FROM workspace WHERE key = 'counter'")[0][0])
            lean.execute("UPDATE workspace SET value = :value WHERE key = 'counter'", {"value": str(value + 1)})
            lean.execute("INSERT INTO workspace (key, value) VALUES (:key, 'w')", {"key": f"{name}{number}"})
    else:
        from ledger_tui.domain.tables import Workspace
        with database.session() as session:
            row = session.get(Workspace, "counter")
            row.value = str(int(row.value) + 1)
            session.add(Workspace(key=f"{name}{number}", value="w"))
    print(number, flush=True)
database.close()
"""


def _writer(database: Database, name: str, count: int, kind: str) -> subprocess.Popen[str]:
    target = str(database.path)
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, target, str(database.paths.data), name, str(count), kind],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_processes_write_at_once(database: Database) -> None:
    """Processes that read, add one and write back, through both ways of writing, meet no lock and lose no step."""
    put(database, "counter", "0")
    writers = [
        _writer(database, "a", 300, "lean"),
        _writer(database, "b", 300, "lean"),
        _writer(database, "c", 50, "orm"),
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=100)
        assert (writer.returncode, errors) == (0, "")
    assert get(database, "counter") == "650"


def test_killed_writer_loses_nothing_it_reported(database: Database) -> None:
    """After kill -9 in the middle of writing, every step the process had reported is there, and none by half."""
    put(database, "counter", "0")
    writer = _writer(database, "k", 1_000_000, "lean")
    assert writer.stdout
    reported = -1
    while reported < 200:
        reported = int(writer.stdout.readline())
    writer.kill()
    rest, _ = writer.communicate()
    complete = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    reported = int(complete[-1]) if complete else reported
    with database.lean() as lean:
        stored = lean.fetch("SELECT count(*) FROM workspace WHERE value = 'w'")[0][0]
        assert lean.fetch("PRAGMA integrity_check") == [("ok",)]
    assert stored >= reported + 1
    assert get(database, "counter") == str(stored)


@pytest.mark.parametrize("target", ["mysql://u:secret@host/db", "", "sqlite:///:memory:", "sqlite:////tmp/a\x00b"])
def test_addresses_that_mean_nothing(target: str, paths: Paths) -> None:
    """Another kind of database is refused at once, without its password in the message."""
    with pytest.raises(InputError) as caught:
        Database(target, paths)
    assert "secret" not in str(caught.value)


def test_sqlite_addresses(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, a relative path and a sqlite address mean the same file."""
    monkeypatch.chdir(tmp_path)
    wanted = tmp_path / "my ledger #1.db"
    for target in (wanted, str(wanted), "my ledger #1.db", f"sqlite:///{wanted}", "sqlite:///my ledger #1.db"):
        assert Database(target, paths).path == wanted
    database = Database(wanted, paths)
    database.prepare()
    put(database, "a", "1")
    assert wanted.exists()
    database.close()
