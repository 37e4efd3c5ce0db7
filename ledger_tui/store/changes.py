"""Tells caches of this process that its own registry writes have been committed."""

from __future__ import annotations

latest: object = object()
"""Another object after every committed session: compare with ``is``."""


def note() -> None:
    """A session was committed."""
    global latest
    latest = object()
