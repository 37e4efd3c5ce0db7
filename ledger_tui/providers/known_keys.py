"""The keys that this process holds or was given, for whoever must keep them out of what is written down."""

from __future__ import annotations

import os

SHORTEST = 8
_ENDINGS = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_ACCESS_KEY")
_held: set[str] = set()


def hold(value: str) -> None:
    """Know ``value`` as a key from now on; what is too short to be told from other text is not held."""
    if len(value) >= SHORTEST:
        _held.add(value)


def known_values() -> list[str]:
    """The keys that this process holds or has in its environment, longest first."""
    given = {value for name, value in os.environ.items() if len(value) >= SHORTEST and name.endswith(_ENDINGS)}
    return sorted(_held | given, key=len, reverse=True)
