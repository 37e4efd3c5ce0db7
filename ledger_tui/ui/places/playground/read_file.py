"""A variable's value from a file that a person named: read with a cap and a time-out, refused with a reason."""

from __future__ import annotations

import os
import queue
import stat
import threading
from pathlib import Path

from ledger_tui.errors import InputError

MAX_BYTES = 1024 * 1024
TIMEOUT_S = 3.0
_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
    (stat.S_ISSOCK, "it is a socket"),
)


def read_value(name: str, *, max_bytes: int = MAX_BYTES, timeout_s: float = TIMEOUT_S) -> str:
    """The text of the file ``name`` (``~`` is the home folder); UTF-8, a byte order mark is taken off.

    Raises InputError for what is no readable UTF-8 text of at most ``max_bytes``, or does not answer in ``timeout_s``.
    """
    if not name.strip():
        raise _refused("no file is named", "Type the path of a text file.")
    if "\x00" in name:
        raise _refused("the path holds a NUL character", "Type the path again.")
    answers: queue.Queue[bytes | Exception] = queue.Queue(1)
    threading.Thread(target=_read, args=(name.strip(), max_bytes, answers), daemon=True, name="read file").start()
    try:
        data = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise _refused(f"{name} does not answer within {timeout_s:g} s", "Copy it to a local disk.") from None
    if isinstance(data, Exception):
        raise data
    return _decoded(name, data, max_bytes)


def _read(name: str, max_bytes: int, answers: queue.Queue[bytes | Exception]) -> None:
    try:
        path = Path(name).expanduser()
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            for is_kind, words in _KINDS:
                if is_kind(mode):
                    raise _refused(f"{name}: {words}, not a file", "Name a text file.")
            answers.put(file.read(max_bytes + 1))
    except InputError as error:
        answers.put(error)
    except (OSError, RuntimeError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        answers.put(_refused(f"{name}: {words}", "Check the path and the permissions."))


def _decoded(name: str, data: bytes, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise _refused(f"{name} has more than {max_bytes // 1024} kB", "Use a smaller file.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(f"{name} is UTF-16", "Save it as UTF-8.")
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(f"{name} is not UTF-8 text (byte {error.start})", "Save it as UTF-8.") from None
    if (position := text.find("\x00")) >= 0:
        raise _refused(f"{name} is a binary file (NUL at character {position})", "Name a text file.")
    return text


def _refused(cause: str, remedy: str) -> InputError:
    return InputError(cause, title="The file cannot be used", remedy=remedy)
