"""What a person typed is there again after a crash, whatever it was and whatever happened to the disk."""

from __future__ import annotations

import dataclasses
import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_tui.domain import clock
from ledger_tui.errors import ContentRefused, DatabaseFull, StoreError
from ledger_tui.paths import Paths
from ledger_tui.services.drafts import Draft, DraftService

ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def drafts(paths: Paths) -> DraftService:
    return DraftService(paths)


def of_text(text: str, **fields: Any) -> Draft:
    return Draft("", content={"messages": [{"role": "user", "text": text}]}, **fields)


def file_of(paths: Paths) -> Path:
    (found,) = paths.drafts.glob("*.json")
    return found


def test_a_draft_comes_back(drafts: DraftService) -> None:
    """All fields return; the key is the one it was kept under and the time is now."""
    kept = of_text("Hi", name="support/reply", description="d", based_on="v1", message="m")
    at = datetime(2026, 5, 1, tzinfo=UTC)
    with clock.stopped(at):
        drafts.keep("support/reply", kept)
    assert drafts.get("support/reply") == dataclasses.replace(kept, key="support/reply", updated_us=clock.to_us(at))
    assert drafts.get("another") is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=ANY_TEXT, name=ANY_TEXT, content=st.dictionaries(ANY_TEXT, JSON, max_size=4))
def test_any_content_comes_back(drafts: DraftService, key: str, name: str, content: dict[str, Any]) -> None:
    """Lone surrogates, NULs, any key and any JSON survive; nothing of it has to be valid."""
    drafts.keep(key, Draft("", name=name, content=content))
    found = drafts.get(key)
    assert found is not None and (found.key, found.name, found.content) == (key, name, content)


def test_ten_megabytes_come_back(drafts: DraftService) -> None:
    """A draft may be as large as what somebody pasted (B8)."""
    text = "é\0\ud800x\n" * 2_000_000
    drafts.keep("large", of_text(text))
    found = drafts.get("large")
    assert found is not None and found.content["messages"][0]["text"] == text


def test_files_are_private(drafts: DraftService, paths: Paths) -> None:
    """The folder is 0700 and a file 0600, whatever the umask, also when the folder was open before."""
    paths.drafts.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        drafts.keep("a", of_text("x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(paths.drafts.stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(paths).stat().st_mode) == 0o600
    assert list(paths.drafts.iterdir()) == [file_of(paths)]


def test_the_same_draft_is_not_written_again(drafts: DraftService, paths: Paths) -> None:
    """Keeping what is stored leaves the file alone; a change does not."""
    drafts.keep("a", of_text("x"))
    before = file_of(paths).stat()
    drafts.keep("a", of_text("x"))
    same = file_of(paths).stat()
    assert (same.st_ino, same.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    drafts.keep("a", of_text("y"))
    assert file_of(paths).stat().st_ino != before.st_ino


def test_all_drafts_newest_first(drafts: DraftService) -> None:
    """The list is ordered by time, and a dropped draft is gone; dropping twice is fine."""
    for number, key in enumerate(["old", "new:1", "newest"], 1):
        drafts.keep(key, of_text(key, updated_us=number))
    assert [draft.key for draft in drafts.all()] == ["newest", "new:1", "old"]
    drafts.drop("new:1")
    drafts.drop("new:1")
    assert [draft.key for draft in drafts.all()] == ["newest", "old"]
    assert drafts.get("new:1") is None


def test_an_empty_workspace_has_no_drafts(drafts: DraftService, paths: Paths) -> None:
    """Looking makes no folder."""
    assert drafts.all() == [] and drafts.problems() == [] and drafts.get("x") is None
    assert not paths.drafts.exists()


WRITER = """
import sys
from pathlib import Path
from ledger_tui.paths import Paths
from ledger_tui.services.drafts import Draft, DraftService
folder = Path(sys.argv[1])
drafts = DraftService(Paths(folder, folder))
number = 0
while True:
    number += 1
    drafts.keep("key", Draft("", name=str(number), content={"text": str(number) * 20_000}))
    print(number, flush=True)
"""


def test_kill_9_costs_nothing_that_was_kept(paths: Paths) -> None:
    """Killed in the middle of writing, the last draft that keep returned for, or a later one, is there and whole (B43)."""
    for count in (1, 7, 20):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(paths.data)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(count):
                kept = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
        found = DraftService(paths).get("key")
        assert found is not None and int(found.name) >= kept
        assert found.content == {"text": found.name * 20_000}
        assert DraftService(paths).problems() == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'{"key": 5}',
        b'{"key": "a", "content": []}',
        b'{"key": "a", "content": {}, "updated_us": "x"}',
        b'{"key": "somebody else", "content": {}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_draft_is_moved_aside(drafts: DraftService, paths: Paths, damage: bytes) -> None:
    """It is reported with its path, its bytes are kept, the others are listed, and a new draft can be kept."""
    drafts.keep("a", of_text("x"))
    file_of(paths).write_bytes(damage)
    drafts.keep("other", of_text("y"))
    assert [draft.key for draft in drafts.all()] == ["other"]
    (problem,) = drafts.problems()
    aside = Path(problem.cause)
    assert aside.suffix == ".damaged" and aside.read_bytes() == damage
    assert "delete" in problem.remedy
    assert drafts.get("a") is None
    drafts.keep("a", of_text("again"))
    assert {draft.key for draft in drafts.all()} == {"a", "other"}
    aside.unlink()
    assert drafts.problems() == []


def test_a_fifo_among_the_drafts_blocks_nothing(drafts: DraftService, paths: Paths) -> None:
    """What is no file is not read but reported."""
    drafts.keep("a", of_text("x"))
    os.mkfifo(paths.drafts / "pipe.json")
    (paths.drafts / "loop.json").symlink_to("loop.json")
    (paths.drafts / "folder.json").mkdir()
    assert [draft.key for draft in drafts.all()] == ["a"]
    assert {Path(problem.cause).name for problem in drafts.problems()} == {"pipe.json", "loop.json", "folder.json"}


def test_a_field_of_a_newer_release_is_no_damage(drafts: DraftService, paths: Paths) -> None:
    """A draft with a field that is not known yet is still a draft."""
    drafts.keep("a", of_text("x"))
    file = file_of(paths)
    file.write_bytes(file.read_bytes().replace(b'{"key"', b'{"colour": "red", "key"'))
    assert drafts.get("a") is not None and drafts.problems() == []


def test_what_is_no_json_is_refused(drafts: DraftService) -> None:
    """Content that cannot be written raises ContentRefused and leaves the earlier draft."""
    drafts.keep("a", of_text("x"))
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for content in ({"x": object()}, {"x": deep}):
        with pytest.raises(ContentRefused):
            drafts.keep("a", Draft("", content=content))
    found = drafts.get("a")
    assert found is not None and found.content == of_text("x").content


LIMITED = """
import resource, signal, sys
from pathlib import Path
from ledger_tui.errors import DatabaseFull
from ledger_tui.paths import Paths
from ledger_tui.services.drafts import Draft, DraftService
folder = Path(sys.argv[1])
drafts = DraftService(Paths(folder, folder))
drafts.keep("a", Draft("", name="earlier"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    drafts.keep("a", Draft("", content={"text": "x" * 1_000_000}))
except DatabaseFull as error:
    print("full:", error, error.remedy)
"""


def test_a_full_disk_loses_nothing(paths: Paths) -> None:
    """When the system refuses to write on, the error says so, the earlier draft stays and no rest is left behind."""
    done = subprocess.run([sys.executable, "-c", LIMITED, str(paths.data)], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("full:") and "earlier draft" in done.stdout, done.stderr
    found = DraftService(paths).get("a")
    assert found is not None and found.name == "earlier"
    assert list(paths.drafts.iterdir()) == [file_of(paths)]


def test_a_folder_that_cannot_be_made_is_a_store_error(paths: Paths) -> None:
    """A file where the folder should be gives a StoreError with a remedy, for keeping and for reading."""
    paths.data.mkdir()
    paths.drafts.write_text("a file")
    drafts = DraftService(paths)
    with pytest.raises(StoreError) as refused:
        drafts.keep("a", of_text("x"))
    assert refused.value.remedy and not isinstance(refused.value, DatabaseFull)
    assert drafts.all() == []


def test_rests_of_interrupted_writes_are_cleared_later(drafts: DraftService, paths: Paths) -> None:
    """A temporary file that a killed process left is removed after an hour, one of a running process is not."""
    drafts.keep("a", of_text("x"))
    old, new = paths.drafts / "old.tmp", paths.drafts / "new.tmp"
    old.write_text("x")
    new.write_text("x")
    os.utime(old, (0, 0))
    drafts.all()
    assert not old.exists() and new.exists()


def test_threads_and_services_share_the_folder(drafts: DraftService, paths: Paths) -> None:
    """Many at once: every key has its draft, one key has one of the drafts kept under it, whole."""
    second = DraftService(paths)
    start = threading.Barrier(8)

    def keep(number: int) -> None:
        start.wait()
        for turn in range(5):
            (drafts if number % 2 else second).keep(f"own {number}", of_text(str(turn)))
            (drafts if number % 2 else second).keep("shared", of_text(f"{number}" * 5_000))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(8)))
    assert {draft.key for draft in drafts.all()} == {"shared", *(f"own {number}" for number in range(8))}
    shared = drafts.get("shared")
    assert shared is not None and len(set(shared.content["messages"][0]["text"])) == 1
    assert drafts.problems() == []
