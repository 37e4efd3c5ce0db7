"""Looking after a workspace: what state it is in, and verified copies of it."""

from __future__ import annotations

from pathlib import Path

from ledger_tui.errors import InputError, StoreError
from ledger_tui.paths import Paths
from ledger_tui.store import backup as copies
from ledger_tui.store import files, recount
from ledger_tui.store.checks import Check, all_checks
from ledger_tui.store.database import Database
from ledger_tui.store.failures import translated

__all__ = ["CareService", "Check"]


class CareService:
    """``doctor`` and ``backup`` of one workspace."""

    def __init__(self, database: Database, paths: Paths) -> None:
        self._database = database
        self._paths = paths

    def doctor(self) -> list[Check]:
        """Every check; works on a missing, damaged, foreign or newer file too, and changes nothing."""
        return all_checks(self._database)

    def recount(self) -> Check:
        """Whether the sums of days are those of the facts; reads every span, some seconds for each million.

        Raises StoreError where there is no ledger of this release.
        """
        with self._database.lean() as lean:
            found = {table: count for table, count in recount.differences(lean).items() if count}
        if not found:
            return Check("days", "ok", "every sum is what counting the facts gives")
        detail = ", ".join(f"{count} rows of {table} differ" for table, count in found.items())
        return Check("days", "bad", detail, "Run: ledger-tui doctor --rebuild")

    def rebuild_sums(self) -> None:
        """Make the sums of days anew from the facts, all or nothing; other programs wait to write meanwhile."""
        with self._database.lean_write() as lean:
            recount.rebuild(lean)

    def backup(self, target: Path | None = None) -> Path:
        """A verified copy of the SQLite file (mode 0600); never over an existing file.

        target: a file or folder; None for the backups folder, where the copies of the last seven days that have one
        are kept. Raises StoreError on Postgres, InputError when the target cannot be used.
        """
        path = self._database.path
        if path is None:
            raise StoreError(
                "this ledger is on a Postgres server",
                title="A Postgres ledger is copied with the server's own tools",
                remedy="Run: pg_dump --format=custom --file=ledger.dump DATABASE",
            )
        with translated():
            if self._database.state() == "missing":
                raise StoreError(str(path), title="There is no ledger to copy yet", remedy="Save a prompt first.")
            if target is not None:
                return copies.copy(path, self._given(target))
            files.private_folder(self._paths.data)
            files.private_folder(self._paths.backups)
            folder = files.backups_folder(path, self._paths)
            files.private_folder(folder)
            made = copies.copy(path, folder / f"daily-{copies.stamp()}.db")
            copies.keep_days(folder, "daily-*.db", copies.KEEP_DAILY)
            return made

    def _given(self, target: Path) -> Path:
        place = target.expanduser().absolute()
        if place.is_dir():
            place = place / f"ledger-{copies.stamp()}.db"
        if not place.parent.is_dir():
            raise InputError(str(place.parent), title="This folder does not exist", remedy="Make it, or name another.")
        return place
