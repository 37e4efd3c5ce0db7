"""The current action as code: what a place gives to the f8 dialog."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeSubject:
    """One action in three languages; an empty text leaves its tab out."""

    python: str = ""
    cli: str = ""
    curl: str = ""
