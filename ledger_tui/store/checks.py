"""What ``doctor`` looks at: the libraries, the folders, the file and what is in it. Looking changes nothing.

Each check stands alone: one that fails says so and the others still run, so that a damaged, foreign, newer or missing
file is described too. Later work adds checks of facts to ``FACT_CHECKS``.
"""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.errors import DatabaseDamaged, LedgerError
from ledger_tui.store import backup, files, sqlite
from ledger_tui.store.check import Check as Check
from ledger_tui.store.failures import masked, translated
from ledger_tui.store.migrations import SCHEMA
from ledger_tui.store.sync_check import sync_check

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

LARGE_WAL = 256 * 1024 * 1024
LITTLE_ROOM = 100 * 1024 * 1024
OLD_BACKUP_DAYS = 7
LIBRARIES = ("textual", "sqlmodel", "sqlalchemy", "alembic", "pydantic", "jinja2", "openai", "anthropic", "psycopg")
TABLES = ("prompts", "prompt_versions", "journal", "usages", "executions", "traces", "spans")


def all_checks(database: Database) -> list[Check]:
    """Every check in the order a person reads them."""
    looks = [_python, _libraries, _sqlite_library, _folder, _network, _room, _file, _state, _server]
    found = [check for look in looks for check in _guarded(look, database)]
    try:
        ready = database.state() == "ready"
    except LedgerError:
        ready = False
    inside = [_pragmas, _integrity, _facts] if ready else [_damage]
    found += [check for look in inside for check in _guarded(look, database)]
    return found + _guarded(_backups, database)


def _guarded(look: Callable[[Database], Iterable[Check]], database: Database) -> list[Check]:
    name = look.__name__.strip("_").replace("_", " ")
    try:
        with translated():
            return list(look(database))
    except LedgerError as error:
        return [Check(name, "bad", masked(str(error)), error.remedy)]


def _python(database: Database) -> Iterator[Check]:
    yield Check("python", "ok", f"{sys.version.split()[0]} on {sys.platform}")


def _libraries(database: Database) -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, version

    known = []
    for name in ("ledger-tui", *LIBRARIES):
        try:
            known.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield Check("libraries", "ok", ", ".join(known))


def _sqlite_library(database: Database) -> Iterator[Check]:
    if database.path is None:
        return
    library = sqlite.library()
    detail = f"SQLite {library.sqlite_version} through {library.__name__}"
    if library.sqlite_version_info < sqlite.MINIMUM:
        yield Check("sqlite library", "bad", f"{detail}, too old", "Run: pip install pysqlite3, or use a newer Python.")
    elif not sqlite.is_fixed(library.sqlite_version_info):
        yield Check(
            "sqlite library",
            "warn",
            f"{detail}, has the rare WAL-reset race of several processes on one file",
            "Run: pip install pysqlite3 (3.51.3 or newer inside), or use a newer Python.",
        )
    else:
        yield Check("sqlite library", "ok", detail)


def _folder(database: Database) -> Iterator[Check]:
    folder = database.paths.data
    if not folder.exists():
        yield Check("data folder", "ok", f"{folder} (not made yet)")
        return
    files.check_folder(folder, private=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    yield _mode_check("data folder", folder, mode, wanted=0o700)


def _mode_check(name: str, path: Path, mode: int, *, wanted: int) -> Check:
    if mode & 0o077 and sys.platform != "win32":
        return Check(name, "warn", f"{path} has mode {mode:04o}: others may read it", f"Run: chmod {wanted:o} '{path}'")
    return Check(name, "ok", f"{path} (mode {mode:04o})")


def _network(database: Database) -> Iterator[Check]:
    where = _nearest(database.path or database.paths.data)
    kind = files.network_file_system(where)
    if kind and database.path:
        yield Check(
            "file system",
            "warn",
            f"{where} is on {kind}, where SQLite's locks are not reliable",
            "Keep the ledger on a local disk, or use a Postgres database for sharing.",
        )
    else:
        yield Check("file system", "ok", "local" if not kind else f"drafts and backups on {kind}")


def _nearest(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))


def _room(database: Database) -> Iterator[Check]:
    where = _nearest(database.path or database.paths.data)
    free = shutil.disk_usage(where).free
    size = database.path.stat().st_size if database.path and database.path.exists() else 0
    detail = f"{_size(free)} free"
    if free < max(2 * size, LITTLE_ROOM):
        yield Check("free space", "warn", f"{detail}; the ledger has {_size(size)}", "Free some space on the disk.")
    else:
        yield Check("free space", "ok", detail)


def _file(database: Database) -> Iterator[Check]:
    path = database.path
    if path is None:
        return
    size = files.check_database(path)
    if size is None:
        yield Check("file", "ok", f"{path} (not made yet)")
        return
    yield _mode_check("file", path, stat.S_IMODE(path.stat().st_mode), wanted=0o600)
    log = path.with_name(path.name + "-wal")
    log_size = log.stat().st_size if log.exists() else 0
    detail = f"{_size(size)}, write-ahead log {_size(log_size)}"
    if log_size > LARGE_WAL:
        yield Check(
            "size", "warn", detail, "A program keeps a long read open; close the other programs on this ledger."
        )
    else:
        yield Check("size", "ok", detail)


def _state(database: Database) -> Iterator[Check]:
    state = database.state()
    if state == "ready":
        yield Check("schema", "ok", f"{SCHEMA}, the one of this release")
    elif state == "missing":
        yield Check("schema", "ok", "no ledger yet; the first start makes it")
    else:
        yield Check("schema", "warn", "of an older release", "The next start brings it up, after a verified backup.")


def _server(database: Database) -> Iterator[Check]:
    if database.address is None:
        return
    connection = database.address.connect()
    try:
        version = connection.execute("SHOW server_version").fetchone()[0]
        row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        local = connection.info.host.startswith("/") or connection.info.host in ("localhost", "127.0.0.1", "::1")
    finally:
        connection.close()
    detail = f"PostgreSQL {version} at {database.label}"
    if not local and not (row and row[0]):
        yield Check("server", "warn", f"{detail}, not encrypted", "Add sslmode=verify-full to the address.")
    else:
        yield Check("server", "ok", detail)


def _pragmas(database: Database) -> Iterator[Check]:
    if database.path is None:
        return
    sqlite.open_for(database.path, "session").close()
    wanted = ", ".join(f"{name} {value}" for name, (value, _) in sqlite.pragmas("session").items())
    yield Check("pragmas", "ok", f"set and read back: {wanted}")


def _integrity(database: Database) -> Iterator[Check]:
    if database.path is None:
        return
    found = _quick_check(database.path)
    if found == ["ok"]:
        yield Check("integrity", "ok", "quick check passed")
    else:
        yield Check("integrity", "bad", "; ".join(found), _rescue(database))


def _quick_check(path: Path) -> list[str]:
    connection = sqlite.connect(path, mode="ro")
    try:
        with translated():
            return [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)").fetchall()]
    except DatabaseDamaged as error:
        return [error.cause]
    finally:
        connection.close()


def _damage(database: Database) -> Iterator[Check]:
    try:
        database.state()
    except DatabaseDamaged as error:
        yield Check("rescue", "bad", masked(error.cause), _rescue(database))
    except LedgerError:
        return


def _rescue(database: Database) -> str:
    path = database.path
    assert path is not None
    steps = ["Close every program on this ledger and move the file aside (do not delete it)."]
    folder = files.backups_folder(path, database.paths)
    copies = backup.by_age(folder)
    if copies:
        steps.append(f"Then copy the newest backup to its place: {copies[0]}")
    if shutil.which("sqlite3"):
        steps.append(f"What can still be read: sqlite3 '{path}' .recover | sqlite3 rescued.db")
    elif not copies:
        steps.append("There is no backup; the 'sqlite3' program can read what is left: sqlite3 FILE .recover")
    return " ".join(steps)


def _facts(database: Database) -> Iterator[Check]:
    with database.lean() as lean:
        for check in FACT_CHECKS:
            yield from check(lean)


def _counts(lean: Lean) -> Iterator[Check]:
    rows = [(table, lean.fetch(f"SELECT count(*) FROM {table}")[0][0]) for table in TABLES]
    yield Check("rows", "ok", ", ".join(f"{table} {count}" for table, count in rows))


def _folds(lean: Lean) -> Iterator[Check]:
    questions = {
        "versions without a number": "SELECT count(*) FROM prompt_versions v WHERE NOT EXISTS"
        " (SELECT 1 FROM version_numbers n WHERE n.version_id = v.id)",
        "prompts without a state": "SELECT count(*) FROM prompts p WHERE NOT EXISTS"
        " (SELECT 1 FROM prompt_states s WHERE s.prompt_id = p.id)",
        "spans missing from sums": "SELECT (SELECT count(*) FROM spans)"
        " - (SELECT count(*) FROM traces t JOIN spans s ON s.trace_key = t.id WHERE t.pruned_us IS NOT NULL)"
        " - (SELECT CAST(COALESCE(sum(span_count), 0) AS bigint) FROM traces WHERE pruned_us IS NULL)",
    }
    answers = {what: lean.fetch(sql)[0][0] for what, sql in questions.items()}
    wrong = [f"{count} {what}" for what, count in answers.items() if count]
    if wrong:
        yield Check("sums", "bad", ", ".join(wrong), "Report this with the steps that led here; the facts are kept.")
    else:
        yield Check("sums", "ok", "agree with the facts")


def _search(lean: Lean) -> Iterator[Check]:
    waiting = lean.fetch("SELECT count(*) FROM span_payloads WHERE NOT indexed")[0][0]
    yield Check("search", "ok", f"{waiting} spans wait to be indexed" if waiting else "knows every span")


FACT_CHECKS: list[Callable[[Lean], Iterable[Check]]] = [_counts, _folds, _search, sync_check]
"""Looks at what is stored, in one read transaction. A later room appends its own function here."""


def _backups(database: Database) -> Iterator[Check]:
    if database.path is None:
        yield Check("backups", "ok", "a Postgres ledger is copied with pg_dump")
        return
    copies = backup.by_age(files.backups_folder(database.path, database.paths))
    if not copies:
        if database.path.exists():
            yield Check("backups", "warn", "none yet", "Run: ledger-tui backup")
        return
    age_days = (clock.now_us() / 1_000_000 - copies[0].stat().st_mtime) / 86_400
    detail = f"{len(copies)}, the newest is {copies[0]} ({max(0.0, age_days):.1f} days old)"
    if age_days > OLD_BACKUP_DAYS:
        yield Check("backups", "warn", detail, "Run: ledger-tui backup")
    else:
        yield Check("backups", "ok", detail)


def _size(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
