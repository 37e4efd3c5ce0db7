"""What came from colleagues since the person last looked: kept in a small file of this machine, as drafts are, and never shared."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.store import arrivals as reads

if TYPE_CHECKING:
    from ledger_tui.paths import Paths
    from ledger_tui.store.database import Database

MAX_BYTES = 1_000_000
News = Mapping[str, frozenset[str]]
"""Names of prompts with something new, and the ids of their new versions."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    news: News = field(default_factory=dict)
    came: frozenset[str] = frozenset()
    """The prompts that something came for since the look before."""
    changed: bool = False
    """Whether the registry should be read again: something came, or the server gave numbers."""


class ArrivalService:
    """One ledger's news. Thread-safe."""

    def __init__(self, database: Database, paths: Paths, *, device: Callable[[], str]) -> None:
        self._database = database
        self._file = paths.arrivals
        self._device = device
        self._guard = threading.Lock()
        self._upto: int | None = None
        self._news: dict[str, frozenset[str]] = {}
        self._before: reads.Mark | None = None

    def look(self) -> Look:
        """What is new. What came with the first exchange of a ledger is not: all of it is. Raises StoreError."""
        with self._guard:
            with self._database.lean() as lean:
                mark = reads.mark(lean)
                before, self._before = self._before, mark
                if mark.workspace is None or not mark.met:
                    return Look(changed=before is not None and before.last != mark.last)
                if before is None or before.workspace != mark.workspace:
                    self._read(mark)
                after = mark.last if self._upto is None else self._upto
                found = reads.since(lean, after, self._device()) if mark.last > after else []
            for name, version in found:
                self._news[name] = self._news.get(name, frozenset()) | ({version} if version else set())
            if self._upto != mark.last:
                self._upto = mark.last
                self._write(mark.workspace)
            came = frozenset(name for name, _ in found)
            settled = before is not None and (mark.waiting < before.waiting or before.met != mark.met)
            return Look(dict(self._news), came, bool(came) or settled)

    def opened(self, name: str) -> News:
        """A person opened a prompt: nothing of it is new any more. What still is."""
        with self._guard:
            if self._news.pop(name, None) is not None and self._before is not None and self._before.workspace:
                self._write(self._before.workspace)
            return dict(self._news)

    def _read(self, mark: reads.Mark) -> None:
        """Read the file; one of another ledger, or one that makes no sense, is as good as none."""
        self._upto, self._news = None, {}
        try:
            with self._file.open(encoding="utf-8") as kept:
                found = json.loads(kept.read(MAX_BYTES))
            if found["workspace"] == mark.workspace and int(found["upto"]) <= mark.last:
                self._news = {str(name): frozenset(map(str, ids)) for name, ids in found["new"].items()}
                self._upto = int(found["upto"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return

    def _write(self, workspace: str) -> None:
        """Keep it; where that fails, marks last as long as the program."""
        new = {name: sorted(ids) for name, ids in self._news.items()}
        text = json.dumps({"workspace": workspace, "upto": self._upto, "new": new})
        part = self._file.with_suffix(f".{os.getpid()}")
        try:
            part.touch(0o600)
            part.write_text(text, encoding="utf-8")
            part.replace(self._file)
        except (OSError, ValueError):
            return
