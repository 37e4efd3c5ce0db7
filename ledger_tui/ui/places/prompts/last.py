"""Which prompt was open last, kept in a small file: the workstation goes on where it was left."""

from __future__ import annotations

import os

from ledger_tui.domain.names import MAX_NAME
from ledger_tui.paths import Paths


def last_prompt(paths: Paths) -> str:
    """The name, empty when none is known. The prompt may be gone."""
    try:
        with paths.last_prompt.open(encoding="utf-8") as kept:
            return kept.read(MAX_NAME).strip()
    except (OSError, ValueError):
        return ""


def keep_last_prompt(paths: Paths, name: str) -> None:
    """Keep the name; where that fails, the next start begins with the first prompt."""
    if last_prompt(paths) == name:
        return
    part = paths.last_prompt.with_suffix(f".{os.getpid()}")
    try:
        part.touch(0o600)
        part.write_text(name, encoding="utf-8")
        part.replace(paths.last_prompt)
    except (OSError, ValueError):
        return
