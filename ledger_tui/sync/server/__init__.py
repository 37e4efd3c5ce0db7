"""The Postgres end of a shared ledger: numbered SQL files, and the one installer that runs them (install.py).

``sync.server.schema`` says how many of the files a database has. A file that was released is never changed again; what comes
later goes into a new one, and functions get a new name (push_v2) when their meaning changes, so that older programs go on.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

FIRST_SERVER = 150000
"""PostgreSQL 15, as its version number."""


@lru_cache(maxsize=1)
def steps() -> tuple[tuple[str, str], ...]:
    """Name and text of the SQL files, in their order; step number n is the n-th."""
    found = sorted(entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".sql"))
    return tuple((name, (files(__name__) / name).read_text(encoding="utf-8")) for name in found)


def schema() -> int:
    """The schema of this release."""
    return len(steps())
