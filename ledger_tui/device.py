"""The name of this installation: what colleagues and other programs on one database see of the machine."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from ledger_tui.domain import ids

_MAX_HOST, _MAX_NAME = 40, 100


@lru_cache(maxsize=8)
def device_of(data: Path) -> str:
    """The name kept in the data folder; made once, from the machine's own and eight random digits."""
    file = data / "device"
    try:
        return file.read_text(errors="replace").strip()[:_MAX_NAME] or _made(file)
    except FileNotFoundError:
        return _made(file)


def _made(file: Path) -> str:
    """Make the name once; when two processes race, both read the first one's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{_host()}-{ids.new_id()[-8:]}"
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
            out.write(name)
    except FileExistsError:
        return file.read_text(errors="replace").strip() or name
    return name


def _host() -> str:
    """The machine's name without its domain, in characters that need no quoting anywhere."""
    full = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return re.sub(r"[^A-Za-z0-9-]+", "-", full.partition(".")[0])[:_MAX_HOST].strip("-").lower() or "device"
