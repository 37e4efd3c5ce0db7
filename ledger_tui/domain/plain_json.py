"""Values of variables as canonical JSON, quickly where they are what they nearly always are."""

from __future__ import annotations

import json
from typing import Any

from ledger_tui.domain.content import MAX_DEPTH, MAX_KEYS

_SAFE_INTEGER = 2**53
_NUL = "\\u0000"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False).encode


def quick_json(value: dict[str, Any]) -> str | None:
    """The text that ``canonical_json`` makes of a mapping of plain values; None where it is to look itself.

    Then there may be a type, a number or a character in it that cannot be stored, or more than a few thousand values.
    """
    level: list[Any] = [value]
    room = MAX_KEYS // 2
    for _ in range(MAX_DEPTH - 4):
        inner: list[Any] = []
        for box in level:
            room -= len(box)
            items = box
            if type(box) is dict:
                for key in box:
                    if type(key) is not str:
                        return None
                items = box.values()
            for item in items:
                kind = type(item)
                if kind is str or kind is bool or item is None:
                    continue
                if kind is dict or kind is list:
                    inner.append(item)
                elif not (
                    (kind is int and -_SAFE_INTEGER <= item <= _SAFE_INTEGER)
                    or (kind is float and not item.is_integer() and item - item == 0)
                ):
                    return None
        if room < 0:
            return None
        if not inner:
            text = _encode(value)
            return None if _NUL in text else text
        level = inner
    return None
