"""Files that hold what a program recorded until it is in the database: one append a record, nothing else waited for.

A record is a frame: magic, format, length, checksum, body. It goes out in one ``write(2)`` on a file opened to append, so
it outlives the process from the moment the call returns; the file's owner holds a lock of the operating system on it, so
a file that can be locked has lost its owner. A frame that is torn or damaged is told by length and checksum.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ledger_tui.domain import ids
from ledger_tui.errors import DatabaseFull, InputError, StoreError
from ledger_tui.paths import Paths
from ledger_tui.store import files
from ledger_tui.store.failures import translate

SUFFIX = ".spool"
BAD_SUFFIX = ".bad"
FORMAT = 1
MAX_BODY = 4 * 1024 * 1024
SEGMENT_BYTES = 16 * 1024 * 1024
_MAGIC = b"\xf5L"  # No text in UTF-8 holds this first byte.
_HEADER = struct.Struct("<2sBxII")
_PRIME = (1 << 64) - 59
_HEADER_SIZE = _HEADER.size
_FULL_REMEDY = "This span was not recorded. Free some space on the disk; the program may go on."


class Frame(NamedTuple):
    """A stretch of a spool file; ``body`` is None where it holds no sound record."""

    start: int
    stop: int
    body: bytes | None


def frame(body: bytes) -> bytes:
    """``body`` as it is written to a file; InputError when it is too large."""
    if len(body) > MAX_BODY:
        raise InputError(f"a record of {len(body)} bytes; {MAX_BODY} are allowed")
    return _HEADER.pack(_MAGIC, FORMAT, len(body), zlib.crc32(body)) + body


def read_frames(data: bytes, offset: int = 0, *, whole: bool) -> tuple[list[Frame], bool]:
    """The frames of ``data``, which stands at ``offset`` of its file, and whether it ends in a torn one.

    whole: the file ends with ``data`` for ever; else an unfinished frame at the end is left for the next reading.
    """
    frames: list[Frame] = []
    position, size = 0, len(data)
    while position < size:
        stop = _end_of(data, position)
        if stop > 0:
            body: bytes | None = data[position + _HEADER_SIZE : stop]
        else:
            following = _next_frame(data, position + 1, whole)
            if stop == 0 and (following is None or not whole):
                return frames, whole
            stop, body = size if following is None else following, None
        frames.append(Frame(offset + position, offset + stop, body))
        position = stop
    return frames, False


def _end_of(data: bytes, position: int) -> int:
    """Where the sound frame at ``position`` ends; 0 when ``data`` ends before it does, -1 when it is damaged."""
    body = position + _HEADER_SIZE
    if body > len(data):
        return 0 if data.startswith(_MAGIC[: len(data) - position], position) else -1
    magic, version, length, checksum = _HEADER.unpack_from(data, position)
    if magic != _MAGIC or version != FORMAT or length > MAX_BODY:
        return -1
    stop: int = body + length
    if stop > len(data):
        return 0
    return stop if zlib.crc32(memoryview(data)[body:stop]) == checksum else -1


def _next_frame(data: bytes, position: int, whole: bool) -> int | None:
    """Where the next sound frame begins (or one that may be sound once all of it is read)."""
    while (position := data.find(_MAGIC, position)) >= 0:
        stop = _end_of(data, position)
        if stop > 0 or (stop == 0 and not whole):
            return position
        position += 1
    return None


def folder_of(database: Path | None, label: str, paths: Paths) -> Path:
    """Where records for a database wait: one that is not the workspace's own gets a folder of its own."""
    if database == paths.database:
        return paths.spool
    # A remainder tells labels apart as well as a hash does, and loading hashlib takes longer than the first span.
    digest = f"{int.from_bytes(label.encode('utf-8', 'surrogateescape'), 'big') % _PRIME:016x}"
    return paths.spool / (f"{database.stem}-{digest}" if database else digest)


class SpoolFile:
    """One file: of this process, or one that lost its owner. Its lock is held until ``close``."""

    def __init__(self, path: Path, descriptor: int, *, end: int = 0, orphan: bool = False) -> None:
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)
        self.descriptor = descriptor
        self.end = end
        """Bytes to drain; of an own file always whole records."""
        self.orphan = orphan
        """It was another process's; then it may end in a torn record."""
        self.final = orphan
        """Nothing more will be written to it."""
        self.done = 0
        """Bytes known to be in the database."""

    def read(self, start: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``start``."""
        if hasattr(os, "pread"):
            return os.pread(self.descriptor, size, start)
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    def close(self) -> None:
        """Let go of the file, which stays."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def remove(self) -> None:
        """Delete the file and let go of it."""
        if os.name == "nt":
            self.close()
        self.path.unlink(missing_ok=True)
        self.close()


def new_file(folder: Path) -> SpoolFile:
    """An empty file of this process, private and locked."""
    while True:
        path = folder / f"{ids.new_id()}{SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)
        if _lock(descriptor) and path.exists():
            return SpoolFile(path, descriptor)
        # Between the two calls another process took it for an orphan.
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    if os.name == "nt":
        os.lseek(descriptor, 1 << 40, os.SEEK_SET)  # Windows locks bytes, and others may not read those.
    return files.try_lock(descriptor)


def orphans(folder: Path) -> list[SpoolFile]:
    """The files whose owner is gone, oldest first, locked for this process; nothing when there is no folder."""
    found: list[SpoolFile] = []
    for path in _files(folder):
        try:
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            continue
        if _lock(descriptor) and path.exists():
            found.append(SpoolFile(path, descriptor, end=os.fstat(descriptor).st_size, orphan=True))
        else:
            os.close(descriptor)
    return found


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


def has_orphan(folder: Path) -> bool:
    """Whether a file lies there whose owner is gone; takes and holds nothing."""
    found = orphans(folder)
    for file in found:
        file.close()
    return bool(found)


def names(folder: Path) -> list[str]:
    """The names of all spool files in ``folder``."""
    return [path.name.removesuffix(SUFFIX) for path in _files(folder)]


def total_bytes(folder: Path) -> int:
    """The size of all spool files in ``folder``."""
    total = 0
    for path in _files(folder):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def put_aside(file: SpoolFile, stretch: Frame) -> Path:
    """Copy a stretch that cannot be stored beside the spool, under a name that a repetition uses again."""
    data = file.read(stretch.start, stretch.stop - stretch.start)
    path = file.path.with_name(f"{file.name}-{stretch.start}{BAD_SUFFIX}")
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        out.write(data)
    return path


class SpoolWriter:
    """Appends the records of one process. Thread-safe; may be called again from a signal handler inside a call."""

    def __init__(self, folder: Path, limit_bytes: int, wait: Callable[[int], None]) -> None:
        """limit_bytes: for all files of the folder. wait(n): called between looks for room; raises to give up."""
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.segment_bytes = max(64 * 1024, min(SEGMENT_BYTES, limit_bytes // 4))
        self.count = 0
        """Records written."""
        self.refused = 0
        """Calls that raised because the disk took nothing."""
        self._wait = wait
        self._files: deque[SpoolFile] = deque()
        self._current: SpoolFile | None = None
        self._turn = threading.RLock()

    @property
    def files(self) -> Sequence[SpoolFile]:
        """The files of this process that are not removed yet, oldest first."""
        return tuple(self._files)

    def append(self, data: bytes) -> None:
        """Write one frame; when it returns, a kill of the process does not lose it. Raises StoreError."""
        with self._turn:
            file = self._current
            if file is None or file.end + len(data) > self.segment_bytes:
                file = self._next_file()
            try:
                written = os.write(file.descriptor, data)
                if written != len(data):
                    self._take_back(file)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.path))
            except OSError as error:
                self.refused += 1
                raise _refusal(error) from error
            file.end += written
            self.count += 1

    def _take_back(self, file: SpoolFile) -> None:
        """Remove half a record; where even that fails, the file ends here for ever."""
        try:
            os.ftruncate(file.descriptor, file.end)
        except OSError:
            file.final, self._current = True, None

    def _next_file(self) -> SpoolFile:
        try:
            files.private_folder(self.folder.parent if self.folder.parent.name == "spool" else self.folder)
            files.private_folder(self.folder)
            if self._current is not None:
                self._current.final, self._current = True, None
            self._wait_for_room()
            file = new_file(self.folder)
        except OSError as error:
            self.refused += 1
            raise _refusal(error) from error
        self._files.append(file)
        self._current = file
        return file

    def _wait_for_room(self) -> None:
        looks = 0
        while total_bytes(self.folder) + self.segment_bytes > self.limit_bytes:
            self._wait(looks)
            looks += 1
            time.sleep(min(0.2, 0.01 * looks))

    def forget(self, file: SpoolFile) -> None:
        """Take a removed file off the list."""
        if self._current is file:
            self._current = None
        self._files.remove(file)

    def finish(self) -> None:
        """End the current file; a later append begins another."""
        with self._turn:
            if self._current is not None:
                self._current.final, self._current = True, None

    def abandon(self) -> None:
        """Close the descriptors without removing anything: in a child after fork(), or at the end."""
        for file in self._files:
            file.close()
        self._files.clear()
        self._current = None
        self._turn = threading.RLock()


def _refusal(error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DatabaseFull(f"{error.strerror}: the spool", remedy=_FULL_REMEDY)
    ours = translate(error)
    return ours if isinstance(ours, StoreError) else StoreError(str(error))
