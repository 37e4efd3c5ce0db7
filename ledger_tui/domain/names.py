"""Which names prompts and labels may have, so that a name is also a safe path on every system."""

from __future__ import annotations

import re

from ledger_tui.errors import NameRefused

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
MAX_NAME = 200


def check_prompt_name(name: str) -> str:
    """Return ``name`` or raise NameRefused with the reason."""
    if not name:
        raise NameRefused("it is empty")
    if len(name) > MAX_NAME:
        raise NameRefused(f"it has {len(name)} characters, {MAX_NAME} are allowed")
    for segment in name.split("/"):
        if not segment:
            raise NameRefused("a folder in it has no name")
        if not _SEGMENT.match(segment):
            raise NameRefused(f"{segment!r} has a character that is not allowed, or starts with one")
        if ".." in segment or segment.endswith("."):
            raise NameRefused(f"{segment!r} would be a special path")
        if segment.split(".")[0].lower() in _DEVICES:
            raise NameRefused(f"{segment!r} is a device name on some systems")
    return name


def check_label(label: str) -> str:
    """Return ``label`` or raise NameRefused; labels are lower case, up to 64 characters."""
    if not _LABEL.match(label):
        raise NameRefused(
            f"{label!r} is not a label",
            remedy="Use lower-case letters, digits, '-', '_' and '.', up to 64 characters.",
        )
    return label
