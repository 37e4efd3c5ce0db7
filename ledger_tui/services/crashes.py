"""Unexpected errors: a few words for the person, the details in a private file, and no value that may be a secret."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from pathlib import Path

from ledger_tui.domain import clock

NAME = "errors.log"
MAX_BYTES = 256 * 1024


def debugging() -> bool:
    """Whether the person asked for tracebacks on the terminal (LEDGER_DEBUG=1)."""
    return os.environ.get("LEDGER_DEBUG", "") not in ("", "0")


def note_crash(folder: Path, error: BaseException, version: str) -> Path | None:
    """Append what happened to the private log in ``folder`` and return its path, None when it cannot be written.

    Written are the program's ``version``, the error and the lines of code it passed; never the values of variables.
    """
    from ledger_tui.providers.secrets import scrub

    where = f"ledger-tui {version} · Python {platform.python_version()} · {sys.platform}"
    lines = "".join(traceback.format_exception(error))
    entry = f"── {clock.now().isoformat(timespec='seconds')} · {where}\n{scrub(lines)}\n"
    file = folder / NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.is_file() and file.stat().st_size > MAX_BYTES:
            file.replace(folder / (NAME + ".1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(file, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(entry)
    except OSError:
        return None
    return file
