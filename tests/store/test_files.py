"""SAFETY B29: whatever lies where the ledger should be gets the right error and stays as it was."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger_tui.errors import (
    DatabaseDamaged,
    DatabaseForeign,
    DatabaseFull,
    DatabaseLocked,
    DatabaseNewer,
    DatabaseUnavailable,
    LedgerError,
    StoreError,
)
from ledger_tui.paths import Paths
from ledger_tui.services.care import CareService
from ledger_tui.store import files
from ledger_tui.store.database import Database

from tests.store.helpers import get, in_child, other_program, put

pytestmark = pytest.mark.usefixtures("real_migrations")
NOBODY = 65534


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_files_are_private_whatever_the_umask(umask: int, paths: Paths) -> None:
    """Folder 0700; database, write-ahead log, shared memory, lock and backups 0600."""
    before = os.umask(umask)
    try:
        database = Database(paths.database, paths)
        database.prepare()
        put(database, "a", "1")
        copy = CareService(database, paths).backup()
        seen = sorted(paths.data.iterdir())
        assert {path.name for path in seen} >= {"ledger.db", "ledger.db-wal", "ledger.db-shm", "migrate.lock"}
        assert [_mode(path) for path in seen if path.is_file()] == [0o600] * sum(path.is_file() for path in seen)
        assert (_mode(paths.data), _mode(paths.backups), _mode(copy)) == (0o700, 0o700, 0o600)
        database.close()
    finally:
        os.umask(before)


def test_open_modes_are_tightened(database: Database) -> None:
    """A ledger file that others could read is closed to them at the next use."""
    assert database.path
    database.close()
    database.path.chmod(0o644)
    database.paths.data.chmod(0o755)
    again = Database(database.path, database.paths)
    get(again, "id")
    assert _mode(database.path) == 0o600
    again.close()


def test_zero_bytes_are_a_missing_ledger(paths: Paths) -> None:
    """An empty file is filled; nothing was in it."""
    paths.data.mkdir(mode=0o700)
    paths.database.touch()
    database = Database(paths.database, paths)
    assert database.state() == "missing"
    database.prepare()
    assert database.state() == "ready"
    assert _mode(paths.database) == 0o600
    database.close()


def _text(path: Path) -> None:
    path.write_text("Dear diary,\n" * 500)


def _short_text(path: Path) -> None:
    path.write_text("TODO")


def _foreign_database(path: Path) -> None:
    with other_program(path) as other:
        other.execute("PRAGMA application_id=42")
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE songs (title)")


def _nameless_database(path: Path) -> None:
    with other_program(path) as other:
        other.execute("CREATE TABLE songs (title)")


def _other_alembic(path: Path) -> None:
    with other_program(path) as other:
        other.execute("PRAGMA user_version=1")
        other.execute("CREATE TABLE spans (id)")


def _newer(path: Path) -> None:
    _ledger(path)
    with other_program(path) as other:
        other.execute("PRAGMA user_version=7")


def _truncated(path: Path) -> None:
    _ledger(path)
    os.truncate(path, path.stat().st_size // 2)


def _truncated_to_a_header(path: Path) -> None:
    _ledger(path)
    os.truncate(path, 100)


def _zeroed_header(path: Path) -> None:
    _ledger(path)
    with path.open("r+b") as file:
        file.write(bytes(64))


def _broken_magic(path: Path) -> None:
    _ledger(path)
    with path.open("r+b") as file:
        file.write(b"XQLite")


def _broken_schema_page(path: Path) -> None:
    _ledger(path)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff")


def _ledger(path: Path) -> None:
    made = Database(path, Paths(path.parent, path.parent))
    made.prepare()
    put(made, "a", "1")
    made.close()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (_text, DatabaseForeign),
        (_short_text, DatabaseForeign),
        (_foreign_database, DatabaseForeign),
        (_nameless_database, DatabaseForeign),
        (_other_alembic, DatabaseForeign),
        (_newer, DatabaseNewer),
        (_truncated, DatabaseDamaged),
        (_truncated_to_a_header, DatabaseDamaged),
        (_zeroed_header, DatabaseDamaged),
        (_broken_magic, DatabaseDamaged),
        (_broken_schema_page, DatabaseDamaged),
    ],
)
def test_what_is_no_ledger_is_left_alone(make: Callable[[Path], None], error: type[LedgerError], paths: Paths) -> None:
    """Preparing, reading, writing and doctor name the trouble; not a byte or mode of the file changes."""
    paths.data.mkdir(mode=0o700)
    make(paths.database)
    paths.database.chmod(0o640)
    before = paths.database.read_bytes()
    database = Database(paths.database, paths)
    for attempt in (database.state, database.prepare, lambda: get(database, "a"), lambda: put(database, "b", "2")):
        with pytest.raises(error) as caught:
            attempt()
        assert caught.value.remedy
    with pytest.raises(error):
        CareService(database, paths).backup()
    checks = CareService(database, paths).doctor()
    assert any(check.status == "bad" and check.remedy for check in checks)
    database.close()
    assert paths.database.read_bytes() == before
    assert _mode(paths.database) == 0o640


@pytest.mark.long
def test_a_flipped_byte_anywhere(paths: Paths) -> None:
    """One flipped byte in any place is an error of ours or goes unnoticed; nothing else is raised, nothing rewritten."""
    paths.data.mkdir(mode=0o700)
    _ledger(paths.database)
    sound = paths.database.read_bytes()
    places = [*range(108), *range(108, len(sound), len(sound) // 150)]
    noticed = 0
    for place in places:
        flipped = sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :]
        paths.database.write_bytes(flipped)
        database = Database(paths.database, paths)
        try:
            database.state()
        except StoreError:
            noticed += 1
        assert paths.database.read_bytes() == flipped
        checks = CareService(database, paths).doctor()
        noticed += any(check.name == "integrity" and check.status == "bad" for check in checks)
        try:
            get(database, "a")
        except StoreError:
            pass
        database.close()
        for suffix in files.COMPANIONS:
            paths.database.with_name(paths.database.name + suffix).unlink(missing_ok=True)
    assert noticed > 50


def test_a_flipped_byte_in_a_table_is_found(paths: Paths) -> None:
    """Doctor finds a broken page that start-up does not read, and says what to do."""
    paths.data.mkdir(mode=0o700)
    _ledger(paths.database)
    with other_program(paths.database) as other:
        pages = [row[0] for row in other.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'workspace'")]
    with paths.database.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(b"\x77")
    database = Database(paths.database, paths)
    assert database.state() == "ready"
    with pytest.raises(DatabaseDamaged):
        get(database, "a")
    found = [check for check in CareService(database, paths).doctor() if check.name == "integrity"]
    assert [(check.status, "move the file aside" in check.remedy) for check in found] == [("bad", True)]
    database.close()


def test_missing_and_foreign_write_ahead_log(paths: Paths) -> None:
    """A lost log costs only what was in it; a log that is not this file's is not taken for it."""
    paths.data.mkdir(mode=0o700)
    _ledger(paths.database)
    paths.database.with_name("ledger.db-wal").write_bytes(os.urandom(100_000))
    database = Database(paths.database, paths)
    assert get(database, "a") == "1"
    put(database, "b", "2")
    assert get(database, "b") == "2"
    database.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_symbolic_links_are_refused(suffix: str, paths: Paths, tmp_path: Path) -> None:
    """Neither the database nor a companion is opened through a link, and nothing is made where it points."""
    paths.data.mkdir(mode=0o700)
    if suffix:
        _ledger(paths.database)
    target = tmp_path / "elsewhere"
    paths.database.with_name(paths.database.name + suffix).symlink_to(target)
    database = Database(paths.database, paths)
    with pytest.raises(DatabaseForeign, match="not a plain file"):
        database.prepare()
    with pytest.raises(DatabaseForeign if suffix else DatabaseUnavailable):
        get(database, "a")
    assert not target.exists()


def test_folder_and_pipe_are_refused(paths: Paths) -> None:
    """A folder or a named pipe in the file's place is an error and never waited for."""
    paths.data.mkdir(mode=0o700)
    paths.database.mkdir()
    with pytest.raises(DatabaseForeign):
        Database(paths.database, paths).prepare()
    pipe = paths.data / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DatabaseForeign):
        Database(pipe, paths).prepare()


def test_a_stranger_s_folder_is_refused(paths: Paths) -> None:
    """A data folder of another owner is not used, not even by root."""
    if os.geteuid() == 0:
        paths.data.mkdir(mode=0o700)
        os.chown(paths.data, NOBODY, -1)
        target = paths
    else:
        target = Paths(Path("/usr"), paths.config)
    with pytest.raises(DatabaseUnavailable, match="belongs to somebody else"):
        Database(target.database, target).prepare()
    assert not target.database.exists()


def test_folder_that_takes_no_writes(paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A ledger in a folder without write permission, or a folder that cannot be made, is named as such."""
    import tempfile

    place = Path(tempfile.mkdtemp(prefix="ledger-ro-"))
    place.chmod(0o755)
    held = Paths(place / "data", place / "config")
    held.data.mkdir(mode=0o700)
    _ledger(held.database)
    if os.geteuid() == 0:
        os.chown(held.database, NOBODY, -1)
        os.chown(held.data, NOBODY, -1)
    held.database.chmod(0o400)
    held.data.chmod(0o500)

    def work() -> None:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        database = Database(held.database, held)
        with pytest.raises(DatabaseUnavailable, match="cannot be written") as caught:
            put(database, "b", "2")
        assert "mode" in caught.value.remedy
        missing = Paths(held.data / "inner", held.config)
        with pytest.raises(DatabaseUnavailable, match="cannot be written"):
            Database(missing.database, missing).prepare()

    try:
        assert in_child(work) == 0
    finally:
        import shutil

        held.data.chmod(0o700)
        shutil.rmtree(place)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of eight megabytes; skips where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(path: Path) -> None:
    with pytest.raises(OSError, match="No space"), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_disk_that_is_full(small_disk: Path) -> None:
    """A write that finds no room says so and leaves nothing; what was kept stays readable; freed space is enough."""
    paths = Paths(small_disk / "data", small_disk / "config")
    spare = small_disk / "spare"
    spare.write_bytes(bytes(1_000_000))
    database = Database(paths.database, paths)
    database.prepare()
    put(database, "a", "kept")
    with pytest.raises(DatabaseFull):
        put(database, "big", "x" * 16_000_000)
    assert (get(database, "a"), get(database, "big")) == ("kept", None)
    spare.unlink()
    put(database, "b", "again")
    assert (get(database, "a"), get(database, "b")) == ("kept", "again")
    database.close()
    assert not paths.database.with_name("ledger.db-wal").exists()


def test_no_room_for_a_copy_or_a_first_start(small_disk: Path) -> None:
    """A backup and a first start on a full disk say so and leave no half-made file; they work once there is room."""
    paths = Paths(small_disk / "data", small_disk / "config")
    database = Database(paths.database, paths)
    database.prepare()
    filler = small_disk / "filler"
    _fill(filler)
    other = Database(small_disk / "data" / "other.db", paths)
    with pytest.raises(DatabaseFull):
        CareService(database, paths).backup()
    with pytest.raises(DatabaseFull):
        other.prepare()
    assert list(paths.backups.glob("*")) == []
    assert other.state() == "missing"
    filler.unlink()
    CareService(database, paths).backup()
    other.prepare()
    put(other, "b", "again")
    other.close()
    database.close()


def test_a_disk_that_takes_no_writes(small_disk: Path) -> None:
    """A ledger on a read-only mount is named as such, and doctor says so too."""
    paths = Paths(small_disk / "data", small_disk / "config")
    database = Database(paths.database, paths)
    database.prepare()
    put(database, "a", "kept")
    database.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for attempt in (database.prepare, lambda: get(database, "a"), lambda: put(database, "b", "2")):
        with pytest.raises(DatabaseUnavailable, match="cannot be written") as caught:
            attempt()
        assert "read-only" in caught.value.remedy
    missing = Paths(small_disk / "new", small_disk / "config")
    with pytest.raises(DatabaseUnavailable, match="cannot be written"):
        Database(missing.database, missing).prepare()
    assert any(check.status == "bad" and "read-only" in check.remedy for check in CareService(database, paths).doctor())


def test_one_process_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    """The lock is exclusive between processes, and goes with a killed one."""
    lock = tmp_path / "lock"

    def blocked() -> None:
        with pytest.raises(DatabaseLocked), files.exclusive_lock(lock, timeout_s=0):
            pass

    with files.exclusive_lock(lock):
        assert in_child(blocked) == 0
    hold = f"import fcntl, time; f = open({str(lock)!r}, 'w'); fcntl.flock(f, 2); print('held', flush=True); time.sleep(99)"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    with pytest.raises(DatabaseLocked), files.exclusive_lock(lock, timeout_s=0):
        pass
    holder.kill()
    holder.communicate()
    with files.exclusive_lock(lock, timeout_s=0):
        pass


def test_network_file_systems_are_told_apart() -> None:
    """A local folder is not taken for a network one."""
    assert files.network_file_system(Path("/")) is None
