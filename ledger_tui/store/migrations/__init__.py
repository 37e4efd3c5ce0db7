"""The steps from an empty database to this release's schema; a released step is never changed, only followed."""

from __future__ import annotations

REVISIONS: tuple[str, ...] = ("0001", "0002", "0003", "0004")
"""Alembic revisions, oldest first. A SQLite file's user_version is the count of steps it has seen."""

SCHEMA = len(REVISIONS)
"""The schema number of this release."""
