"""Values of variables as canonical JSON, quickly where they are what they nearly always are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ledger_tui.domain.content import MAX_DEPTH, MAX_KEYS

_SAFE_INTEGER = 2**53
_NUL = "\\u0000"


def _encoder() -> Callable[[dict[str, Any]], str]:
    """An encoder that is made once; the library's own makes another for every value."""
    whole = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False)
    make, texts = json.encoder.c_make_encoder, json.encoder.encode_basestring  # type: ignore[attr-defined]
    if make is None:
        return whole.encode
    pieces = make(None, whole.default, texts, None, ":", ",", True, False, False)
    return lambda value: "".join(pieces(value, 0))


_encode = _encoder()


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
                try:
                    "".join(box)
                except TypeError:
                    return None
                items = box.values()
            for item in items:
                kind = type(item)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    inner.append(item)
                elif not (
                    item is None
                    or kind is bool
                    or (kind is int and -_SAFE_INTEGER <= item <= _SAFE_INTEGER)
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
