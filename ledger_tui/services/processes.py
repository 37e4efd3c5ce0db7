"""Which process claimed a call, and whether it is still there: a name that survives the process and cannot be inherited."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path


def this_process(device: str) -> str:
    """``device:pid:birth``. The birth tells a later process of the same number apart, and other containers too."""
    pid = os.getpid()
    return f"{device}:{pid}:{_birth(pid)}"


def is_gone(claimed_by: str, device: str) -> bool | None:
    """Whether the process that claimed something has ended; None when that cannot be told from here."""
    parts = claimed_by.split(":")
    if parts[0] != device:
        return None
    try:
        pid = int(parts[1])
        os.kill(pid, 0)
    except (ValueError, IndexError):
        return True
    except ProcessLookupError:
        return True if _same_numbers(parts) else None
    except OSError:
        pass
    if not _same_numbers(parts):
        return None
    started, _, _ = (parts[2] if len(parts) > 2 else "").partition(".")
    now = _started(pid)
    return now == "" or bool(started and now is not None and now != started)


def _same_numbers(parts: list[str]) -> bool:
    """Whether the process counted its number where we do: a container has numbers of its own."""
    space = parts[2].partition(".")[2] if len(parts) > 2 else ""
    return not space or space == _space()


@lru_cache(maxsize=4)
def _birth(pid: int) -> str:
    return f"{_started(pid) or ''}.{_space()}"


@lru_cache(maxsize=1)
def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; "" for one that has ended, None where nobody says."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20:
        return None
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii", "replace")
