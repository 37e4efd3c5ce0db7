"""A ledger for one test: all of the real thing, on a database that is gone when its block ends.

SQLite's ``:memory:`` belongs to one connection, a ledger reads and writes on several; so the database is a file in the
system's folder in memory where there is one with room, else in its folder for temporary files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_tui.domain.calls import OFFLINE
from ledger_tui.ledger import Mode, PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.settings import Settings

if TYPE_CHECKING:
    from ledger_tui.domain.calls import Provider
    from ledger_tui.sdk.recorder import Recorder
    from ledger_tui.services.code_sources import CodeRegistry
    from ledger_tui.services.models import StandIn
    from ledger_tui.services.redaction import RedactionRule
    from ledger_tui.testing.scripting import Script

MEMORY = Path("/dev/shm")  # noqa: S108 - folders made in it are private and have random names
ROOM_BYTES = 256 * 1024 * 1024
DEVICE = "testing"


class MemoryLedger(PromptLedger):
    """A ledger that works in the caller's thread, knows no key and no settings of anybody, and calls no provider."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.scripts: list[Script] = []
        """Who answered, in order; the first is for tests that scripted nothing."""
        paths = Paths(data=folder / "data", config=folder / "config")
        super().__init__(str(paths.database), paths=paths, **options)  # type: ignore[arg-type]
        self.answer_with(None)

    def answer_with(self, stand_in: StandIn | None) -> None:
        """As for any ledger; None: only the model ``offline`` answers."""
        from ledger_tui.testing.scripting import Script

        script = stand_in if isinstance(stand_in, Script) else Script()
        self.scripts.append(script)
        super().answer_with(stand_in if stand_in is not None else _only_offline(script))

    def _make_recorder(self) -> Recorder:
        made = super()._make_recorder()
        made.spooler.by_itself = False
        return made


@contextmanager
def memory_ledger(
    *,
    environment: str = "test",
    settings: Settings | None = None,
    mode: Mode = "full",
    code_registry: CodeRegistry | None = None,
    redact: Sequence[RedactionRule] = (),
) -> Iterator[MemoryLedger]:
    """A new, empty ledger inside the block, closed and gone after it.

    It is a real ``PromptLedger`` that touches no file of the user: settings are the given ones or the defaults, nobody's
    keys are looked for, and no provider is called; what answers is the model ``offline`` and what ``script`` writes down.
    What is recorded is stored before anything is read, in the reading thread. Code that asks for the default ledger (the
    module's ``observe``) gets this one. Raises AssertionError at the end when a model was asked something that no
    script answers.
    """
    folder = Path(tempfile.mkdtemp(prefix="prompt-ledger-test-", dir=_fastest()))
    try:
        data = folder / "data"
        data.mkdir(mode=0o700)
        (data / "ledger.db").write_bytes(_empty_database())
        (data / "device").write_text(DEVICE)
        ledger = MemoryLedger(
            folder,
            environment=environment,
            settings=settings or Settings(),
            mode=mode,
            code_registry=code_registry,
            redact=redact,
        )
        try:
            yield ledger
        finally:
            ledger.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    missing = [words for script in ledger.scripts for words in script.unanswered]
    if missing:
        raise AssertionError("no script answered " + "; ".join(missing))


def _only_offline(script: Script) -> StandIn:
    def find(name: str) -> Provider:
        if name != OFFLINE:
            return script(name)
        from ledger_tui.providers.offline import OfflineProvider

        return OfflineProvider()

    return find


def _fastest() -> str | None:
    try:
        usage = shutil.disk_usage(MEMORY)
    except OSError:
        return None
    return str(MEMORY) if usage.free >= ROOM_BYTES and os.access(MEMORY, os.W_OK) else None


@cache
def _empty_database() -> bytes:
    """A prepared database without any fact, made once a process: making it loads what ledgers of tests can do without."""
    from ledger_tui.store.database import Database

    with tempfile.TemporaryDirectory(prefix="prompt-ledger-test-", dir=_fastest()) as name:
        paths = Paths(data=Path(name), config=Path(name))
        database = Database(paths.database, paths)
        database.prepare()
        database.close()
        return paths.database.read_bytes()
