"""Names, ids and errors of spans as they are kept: short, and without what no text of the ledger holds."""

from __future__ import annotations

from typing import Any

from ledger_tui.errors import InputError
from ledger_tui.sdk.plain import Captured

MAX_ID = 128


def short(text: Any, limit: int) -> str:
    """``text`` cut at ``limit`` characters."""
    if type(text) is str and len(text) <= limit and text.isascii() and "\x00" not in text:
        return text
    return Captured(limit * 4).text(str(text)[:limit])


def given(text: Any) -> str | None:
    """A short text, None for nothing."""
    return short(text, MAX_ID) if text else None


def checked(text: str) -> str:
    """An id that somebody chose; InputError when it is none."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_ID or "\x00" in text:
        raise InputError(f"an id is any text of 1 to {MAX_ID} characters without NUL")
    return text


def words(error: BaseException | str) -> str:
    """What an error says, nothing where it cannot be asked."""
    try:
        return Captured(16_384).text(str(error))
    except Exception:
        # The exception's own __str__ failed; its type is recorded.
        return ""
