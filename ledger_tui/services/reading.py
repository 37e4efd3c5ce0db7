"""Reading a text that a person names: whatever the path leads to, it ends soon, with a text or with a clear error."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

from ledger_tui.domain.text import nul_position, one_line
from ledger_tui.errors import InputError

MAX_BYTES = 8 * 1024 * 1024
TIME_LIMIT_S = 5.0
_CHUNK = 64 * 1024
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CAUSES = {
    errno.ENOENT: "there is no such file",
    errno.EACCES: "it may not be read",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENXIO: "it is a socket",
}


def read_text_file(path: str | Path, limit_bytes: int = MAX_BYTES, *, time_limit_s: float = TIME_LIMIT_S) -> str:
    """The UTF-8 text of a file or named pipe, without byte-order mark and with line ends as ``\\n``.

    Raises InputError for a folder, a device, another encoding, binary data, more than ``limit_bytes``, or a pipe that
    does not end within ``time_limit_s`` seconds. Nothing is read beyond the limit.
    """
    name = one_line(str(path), 120)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise InputError(f"{name}: this is not a file name", title="A file cannot be read") from error
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, error.strerror or str(error))
        raise InputError(f"{name}: {cause}", title="A file cannot be read") from error
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISREG(kind):
            raw = _read(descriptor, limit_bytes)
        elif stat.S_ISFIFO(kind):
            raw = _read_pipe(descriptor, limit_bytes, time_limit_s, name)
        else:
            what = "a folder" if stat.S_ISDIR(kind) else "a device, not a file"
            raise InputError(f"{name}: it is {what}", title="A file cannot be read", remedy="Name a text file.")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}", title="A file cannot be read") from error
    finally:
        os.close(descriptor)
    return text_of(raw, name, limit_bytes)


def text_of(raw: bytes, name: str, limit_bytes: int = MAX_BYTES) -> str:
    """The text of bytes that came from ``name``, by the rules of ``read_text_file``; raises InputError."""
    if len(raw) > limit_bytes:
        raise InputError(f"{name}: it is larger than {_size(limit_bytes)}", title="A file is too large")
    if raw.startswith(_UTF16):
        raise InputError(f"{name}: it is UTF-16", title="A file is not UTF-8 text", remedy="Save it as UTF-8.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        cause = f"{name}: byte {error.start} (line {line}) is not UTF-8"
        raise InputError(cause, title="A file is not UTF-8 text", remedy="Save it as UTF-8.") from error
    position = nul_position(text)
    if position >= 0:
        cause = f"{name}: there is a NUL character at position {position}"
        raise InputError(cause, title="A file is not text", remedy="Binary data cannot be part of a prompt.")
    return text.replace("\r\n", "\n")


def _size(limit_bytes: int) -> str:
    return f"{limit_bytes // (1024 * 1024)} MB" if limit_bytes >= 1024 * 1024 else f"{limit_bytes // 1024} kB"


def _read(descriptor: int, limit_bytes: int) -> bytes:
    pieces, size = [], 0
    while size <= limit_bytes and (piece := os.read(descriptor, _CHUNK)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _read_pipe(descriptor: int, limit_bytes: int, time_limit_s: float, name: str) -> bytes:
    """Read a pipe to its end. Before its first byte an end only means that nobody writes yet."""
    end = time.monotonic() + time_limit_s
    pieces: list[bytes] = []
    size = 0
    while size <= limit_bytes:
        left = end - time.monotonic()
        if left <= 0:
            cause = f"{name}: it did not end within {time_limit_s:g} seconds"
            raise InputError(cause, title="A pipe cannot be read", remedy="Write the text to a file first.")
        if not select.select([descriptor], [], [], left)[0]:
            continue
        try:
            piece = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            continue
        if piece:
            pieces.append(piece)
            size += len(piece)
        elif pieces or _was_written(descriptor):
            break
        else:
            time.sleep(min(0.01, left))
    return b"".join(pieces)


def _was_written(descriptor: int) -> bool:
    """Whether a writer came and went: poll says hang-up then, and nothing while nobody came."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
