"""Arguments and results of other people's code as plain JSON: bounded, a copy of the moment, and never an exception."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ledger_tui.sdk.capture import repaired

MAX_TEXT_BYTES = 500 * 1024
"""What is kept of a field's text."""
MAX_DEPTH = 8
MAX_ITEMS = 1_000
MAX_REPR = 1_000
MAX_NAME = 200
_NUMBERS = (int, float)


class Captured:
    """Counts what is left to take of one field, and whether something was cut or repaired."""

    __slots__ = ("cut", "left", "lossy")

    def __init__(self, limit: int = MAX_TEXT_BYTES) -> None:
        self.left = limit
        self.cut = False
        self.lossy = False

    def ascii_text(self, value: Any) -> bool:
        """Whether ``value`` is kept as it is: the common case; what it takes is counted then."""
        if type(value) is not str or len(value) > self.left or not value.isascii() or "\x00" in value:
            return False
        self.left -= len(value)
        return True

    def ascii_texts(self, values: Mapping[str, Any]) -> bool:
        """``ascii_text`` for a few names and the texts under them, all at once."""
        try:
            together = "".join((*values, *values.values()))
        except TypeError:
            return False
        size = len(together) + 8 * len(values)
        if size > self.left or len(values) > MAX_ITEMS or not together.isascii() or "\x00" in together:
            return False
        self.left -= size
        return True

    def plain(self, value: Any, depth: int = 0) -> Any:
        """``value`` as plain JSON; what is none becomes its repr."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or value is True or value is False:
            return value
        if type(value) in _NUMBERS:
            return self._number(value)
        try:
            return self._made_plain(value, depth)
        except Exception as error:
            # Foreign code (properties, __iter__, __repr__) may raise anything, and recording must not fail.
            return f"<{type(value).__name__}, unreadable: {type(error).__name__}>"

    def text(self, value: str) -> str:
        """As much of ``value`` as there is room for, without NUL and lone surrogates."""
        value = value if type(value) is str else str.__str__(value)
        room = self.left if self.left > 0 else 0
        if len(value) > room:
            value, self.cut = value[:room], True
        if value.isascii():
            self.left -= len(value)
        else:
            value, was_broken = repaired(value)
            self.lossy = self.lossy or was_broken
            encoded = value.encode()
            if len(encoded) > room:
                value, self.cut = encoded[:room].decode("utf-8", "ignore"), True
            self.left -= min(len(encoded), room)
        if "\x00" in value:
            value, self.lossy = value.replace("\x00", "\ufffd"), True
        return value

    def _number(self, value: float) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else repr(value)
        return value if value.bit_length() <= 256 else f"<int of {value.bit_length()} bits>"

    def _made_plain(self, value: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH or self.left <= 0:
            self.cut = True
            return "…"
        if isinstance(value, int | float):
            return self._number(float(value) if isinstance(value, float) else int(value))
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._items(value, depth)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}"[:MAX_REPR])
        if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
            import dataclasses

            return self._mapping({f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}, depth)
        dump = getattr(type(value), "model_dump", None)
        if callable(dump):
            return self._mapping(dump(value, warnings=False), depth)
        return self.text(_repr(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for count, (name, item) in enumerate(value.items()):
            if count >= MAX_ITEMS or self.left <= 0:
                self.cut = True
                out["…"] = f"{len(value) - count} more"
                break
            self.left -= 8
            out[self.text(name if isinstance(name, str) else _repr(name))] = self.plain(item, depth + 1)
        return out

    def _items(self, value: Any, depth: int) -> list[Any]:
        out: list[Any] = []
        for item in value:
            if len(out) >= MAX_ITEMS or self.left <= 0:
                self.cut = True
                out.append(f"… {len(value) - len(out)} more")
                break
            self.left -= 8
            out.append(self.plain(item, depth + 1))
        return out


def _repr(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= MAX_REPR else shown[:MAX_REPR] + "…"


def as_text(value: Any) -> str | None:
    """A captured value as a span keeps it: text as it is, None as nothing, else JSON."""
    if value is None or isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)
