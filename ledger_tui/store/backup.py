"""Verified copies of the SQLite file, private before their first byte; never made by copying a live file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ledger_tui.domain import clock
from ledger_tui.errors import DatabaseDamaged, InputError
from ledger_tui.store import files, sqlite

KEEP_DAILY, KEEP_BEFORE_MIGRATION = 7, 5


def stamp() -> str:
    """The moment as it stands in a copy's name: UTC, sorts by time."""
    return clock.now().strftime("%Y%m%dT%H%M%S%fZ")


def copy(source: Path, target: Path) -> Path:
    """A checked copy of the live file ``source`` as the new file ``target`` (mode 0600); refuses to overwrite.

    Raises DatabaseDamaged when the copy does not pass, InputError when ``target`` exists; leaves no partial file.
    """
    if target.exists() or target.is_symlink():
        raise _exists(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    files.create_private(part)
    try:
        _transfer(source, part)
        _make_durable(part)
        _place(part, target)
    finally:
        for name in (part, *(part.with_name(part.name + suffix) for suffix in files.COMPANIONS)):
            name.unlink(missing_ok=True)
    return target


def _place(part: Path, target: Path) -> None:
    """Give the finished copy its name, never over another file."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        # A file system without hard links: the check and the renaming are two steps there.
        if target.exists():
            raise _exists(target) from None
        part.rename(target)


def _exists(target: Path) -> InputError:
    return InputError(str(target), title="A file of this name exists already", remedy="Name another file.")


def _transfer(source: Path, part: Path) -> None:
    reading = sqlite.connect(source, mode="ro")
    try:
        reading.execute("BEGIN")
        before = counts(reading)
        writing = sqlite.connect(part)
        try:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")
            verify(writing, before)
        finally:
            writing.close()
    finally:
        reading.close()


def verify(connection: Any, expected: dict[str, int] | None = None) -> None:
    """DatabaseDamaged unless every page is sound and the tables hold as many rows as ``expected`` says."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(20)").fetchall()]
    if found != ["ok"]:
        raise DatabaseDamaged("; ".join(found[:3]))
    if expected is not None and counts(connection) != expected:
        raise DatabaseDamaged("the copy does not hold as many rows as the original")


def counts(connection: Any) -> dict[str, int]:
    """Rows of every table of ours, by name."""
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            " AND name NOT LIKE '%\\_fts%' ESCAPE '\\' ORDER BY name"
        ).fetchall()
    ]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_newest(folder: Path, pattern: str, count: int) -> None:
    """Delete all but the newest ``count`` copies whose name fits ``pattern``."""
    sweep(folder)
    for old in by_age(folder, pattern)[count:]:
        old.unlink(missing_ok=True)


def keep_days(folder: Path, pattern: str, count: int) -> None:
    """Keep all copies of the newest day and the newest of each of the ``count - 1`` days before that hold one."""
    sweep(folder)
    days: list[str] = []
    for path in by_age(folder, pattern):
        day = _moment(path)[:8]
        if day not in days:
            days.append(day)
        elif day == days[0]:
            continue
        else:
            path.unlink(missing_ok=True)
        if len(days) > count:
            path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what copies that were killed more than a day ago left behind."""
    for part in folder.glob(".*.part*"):
        if clock.now_us() / 1_000_000 - part.stat().st_mtime > 86_400:
            part.unlink(missing_ok=True)


def by_age(folder: Path, pattern: str = "*.db") -> list[Path]:
    """Copies in ``folder``, newest first by the moment in their name."""
    return sorted(folder.glob(pattern), key=_moment, reverse=True)


def _moment(path: Path) -> str:
    return path.stem.rpartition("-")[2]
