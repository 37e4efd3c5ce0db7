"""Small tools of the store's tests: other programs' connections, and processes that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ledger_tui.store import sqlite
from ledger_tui.store.database import Database


@contextmanager
def other_program(path: Path) -> Iterator[Any]:
    """A connection that knows nothing of us."""
    with closing(sqlite.library().connect(str(path), isolation_level=None)) as connection:
        yield connection


def put(database: Database, key: str, value: str) -> None:
    """Keep one fact."""
    with database.lean_write() as lean:
        lean.execute("INSERT INTO workspace (key, value) VALUES (:key, :value)", {"key": key, "value": value})


def get(database: Database, key: str) -> str | None:
    """Read one fact."""
    with database.lean() as lean:
        row = lean.one("SELECT value FROM workspace WHERE key = :key", {"key": key})
    return row[0] if row else None


def in_child(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked process; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
