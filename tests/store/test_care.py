"""Doctor tells the truth about good and bad ledgers; backups are verified, private and kept for days."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_tui.domain import clock
from ledger_tui.errors import InputError, StoreError
from ledger_tui.paths import Paths
from ledger_tui.services.care import CareService
from ledger_tui.store import backup, checks, sqlite
from ledger_tui.store.database import Database

from tests.store.helpers import die, get, in_child, other_program, put


def _by_name(service: CareService) -> dict[str, checks.Check]:
    return {check.name: check for check in service.doctor()}


def test_doctor_on_a_good_ledger(any_database: Database) -> None:
    """Nothing is bad, the versions and counts are named, and each warning has a remedy."""
    put(any_database, "a", "1")
    found = _by_name(CareService(any_database, any_database.paths))
    assert [check for check in found.values() if check.status == "bad"] == []
    assert all(check.remedy for check in found.values() if check.status == "warn")
    assert {
        "python",
        "libraries",
        "data folder",
        "file system",
        "free space",
        "schema",
        "rows",
        "sums",
        "backups",
    } <= set(found)
    assert "spans 0" in found["rows"].detail
    if any_database.path:
        assert sqlite.library().sqlite_version in found["sqlite library"].detail
        assert "secure_delete ON" in found["pragmas"].detail
        assert (found["integrity"].status, found["backups"].status) == ("ok", "warn")
    else:
        assert "PostgreSQL 1" in found["server"].detail


def test_doctor_before_the_first_start(paths: Paths) -> None:
    """A missing ledger is described, and looking makes nothing."""
    found = _by_name(CareService(Database(paths.database, paths), paths))
    assert {check.status for check in found.values()} <= {"ok", "warn"}
    assert "no ledger yet" in found["schema"].detail
    assert not paths.data.exists()


def test_doctor_on_a_server_that_does_not_answer(paths: Paths) -> None:
    """An unreachable server is one bad check with a remedy; the password is nowhere."""
    found = CareService(Database("postgresql://ann:s3cret@127.0.0.1:1/db", paths), paths).doctor()
    bad = [check for check in found if check.status == "bad"]
    assert bad
    assert all(check.remedy for check in bad)
    assert "s3cret" not in repr(found)


def test_doctor_sees_open_modes_without_changing_them(database: Database) -> None:
    """Files that others may read are a warning with the command that closes them."""
    assert database.path
    database.close()
    database.path.chmod(0o644)
    database.paths.data.chmod(0o755)
    found = _by_name(CareService(Database(database.path, database.paths), database.paths))
    assert (found["file"].status, found["data folder"].status) == ("warn", "warn")
    assert "chmod 600" in found["file"].remedy


def test_doctor_names_the_backup_to_restore(database: Database) -> None:
    """For a damaged ledger the newest backup is named."""
    service = CareService(database, database.paths)
    copy = service.backup()
    assert database.path
    database.close()
    os.truncate(database.path, database.path.stat().st_size // 2)
    found = _by_name(CareService(Database(database.path, database.paths), database.paths))
    assert str(copy) in found["rescue"].remedy
    assert "do not delete" in found["rescue"].remedy


def test_doctor_finds_sums_that_disagree(any_database: Database) -> None:
    """A span that the sums do not know is reported."""
    with any_database.lean_write() as lean:
        lean.execute(
            "INSERT INTO prompts (id, name, folded_name, created_us, created_by) VALUES ('p', 'n', 'n', 1, '')"
        )
    found = _by_name(CareService(any_database, any_database.paths))
    assert (found["sums"].status, found["sums"].detail) == ("bad", "1 prompts without a state")


def test_backup_is_whole_and_private(database: Database, tmp_path: Path) -> None:
    """A copy made while somebody writes holds what was committed, passes its check and has mode 0600."""
    put(database, "a", "kept")
    with database.lean_write() as lean:
        lean.execute("INSERT INTO workspace (key, value) VALUES ('open', 'not yet')")
        copy = CareService(database, database.paths).backup(tmp_path / "copy.db")
    assert copy == tmp_path / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == ["copy.db"]
    restored = Database(copy, database.paths)
    assert (get(restored, "a"), get(restored, "open")) == ("kept", None)
    restored.close()


def test_backup_never_overwrites(database: Database, tmp_path: Path) -> None:
    """An existing file, a link or a missing folder is refused; a folder gets a new file."""
    service = CareService(database, database.paths)
    taken = tmp_path / "taken.db"
    taken.write_text("mine")
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "elsewhere.db")
    for target in (taken, link, tmp_path / "nowhere" / "x.db"):
        with pytest.raises(InputError):
            service.backup(target)
    assert taken.read_text() == "mine"
    assert not (tmp_path / "elsewhere.db").exists()
    folder = tmp_path / "folder"
    folder.mkdir()
    assert service.backup(folder).parent == folder


def test_seven_days_are_kept(database: Database) -> None:
    """Of each day before today the newest copy stays, of the newest day all; copies before upgrades are not touched."""
    service = CareService(database, database.paths)
    before_upgrade = database.paths.backups / "pre-2-20200101T000000000000Z.db"
    start = datetime(2031, 5, 1, 8, tzinfo=UTC)
    for day in range(10):
        for hour in (0, 5):
            with clock.stopped(start + timedelta(days=day, hours=hour)):
                service.backup()
        before_upgrade.touch()
    names = [path.name for path in backup.by_age(database.paths.backups, "daily-*.db")]
    assert [name[6:17] for name in names] == [
        "20310510T13", "20310510T08", *(f"203105{day:02}T13" for day in range(9, 3, -1)),
    ]  # fmt: skip
    assert before_upgrade.exists()


def test_killed_backup_leaves_no_copy_that_looks_good(database: Database, tmp_path: Path) -> None:
    """A copy has its name only when it is verified; the rest of a killed one is swept away after a day."""
    folder = tmp_path / "copies"
    folder.mkdir()
    assert database.path
    path = database.path

    def work() -> None:
        os.fsync = lambda _: die()  # type: ignore[assignment]
        backup.copy(path, folder / "daily-1.db")

    assert in_child(work) == -9
    left = list(folder.iterdir())
    assert [one.name.startswith(".daily-1.db.") for one in left] == [True]
    backup.sweep(folder)
    assert list(folder.iterdir()) == left
    os.utime(left[0], (1, 1))
    backup.sweep(folder)
    assert list(folder.iterdir()) == []


def test_backup_of_a_damaged_ledger_is_refused(database: Database) -> None:
    """A copy that does not pass the check is not kept beside the good ones."""
    assert database.path
    with other_program(database.path) as other:
        page = other.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'spans'").fetchone()[0]
    database.close()
    with database.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x77")
    with pytest.raises(StoreError):
        CareService(Database(database.path, database.paths), database.paths).backup()
    assert list(database.paths.backups.iterdir()) == []


def test_backup_on_postgres_names_the_tool(postgres_url: str, paths: Paths) -> None:
    """Postgres has its own tool for that."""
    with pytest.raises(StoreError) as caught:
        CareService(Database(postgres_url, paths), paths).backup()
    assert "pg_dump" in caught.value.remedy


def test_ledgers_elsewhere_have_backups_of_their_own(paths: Paths, tmp_path: Path) -> None:
    """Two ledger files never mix their copies."""
    made = []
    for name in ("one", "two"):
        database = Database(tmp_path / name / "work.db", paths)
        database.prepare()
        made.append(CareService(database, paths).backup())
        database.close()
    assert made[0].parent != made[1].parent
    assert all(path.is_relative_to(paths.backups) for path in made)
