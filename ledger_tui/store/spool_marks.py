"""How far each spool file is in the database; read and set inside the transaction that writes its spans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_SET = """
INSERT INTO spool_marks (file, device, done_bytes, updated_us) VALUES (:file, :device, :done_bytes, :updated_us)
ON CONFLICT (file) DO UPDATE SET done_bytes = excluded.done_bytes, updated_us = excluded.updated_us
"""


def done_bytes(lean: Lean, file: str) -> int:
    """How many bytes of ``file`` are in the database."""
    row = lean.one("SELECT done_bytes FROM spool_marks WHERE file = :file", {"file": file})
    return 0 if row is None else int(row[0])


def advance(lean: Lean, file: str, device: str, done: int, now_us: int) -> None:
    """Note that ``done`` bytes of ``file`` are in the database with this transaction."""
    lean.execute(_SET, {"file": file, "device": device, "done_bytes": done, "updated_us": now_us})


def forget(lean: Lean, names: Iterable[str]) -> None:
    """Drop the marks of files that are removed."""
    lean.executemany("DELETE FROM spool_marks WHERE file = :file", [{"file": name} for name in names])


def of_device(lean: Lean, device: str) -> list[str]:
    """The files of a device that have a mark."""
    return [row[0] for row in lean.fetch("SELECT file FROM spool_marks WHERE device = :device", {"device": device})]
