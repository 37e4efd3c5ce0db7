"""Reads the body of a spool frame that holds a span; apart from what writes it, which loads less."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple

from ledger_tui.store.spool_record import FIRST, HAS_FIRST, HAS_INPUT, HAS_JSON, HAS_OUTPUT, NUMBERS, TEXTS

_COUNT = len(TEXTS)
UNKNOWN: tuple[int | None, ...] = (None,) * 5
"""The tokens of a record that has none."""
_UNKNOWN = [-1] * 5


class Recorded(NamedTuple):
    """A record as it was written; absent numbers and texts are None."""

    started_us: int
    duration_us: int | None
    tokens: tuple[int | None, ...]
    cost_nusd: int | None
    flags: int
    texts: Sequence[str | None]
    """As ``TEXTS``."""
    attributes: str | None
    """A JSON object."""
    first_token_us: int | None


def decode(body: bytes) -> Recorded:
    """Read a body; ValueError when it makes no sense."""
    size, first = NUMBERS.size, None
    try:
        started, lasted, *counts, cost, count, flags, has = NUMBERS.unpack_from(body)
        if has & HAS_FIRST:
            (first,) = FIRST.unpack_from(body, size)
            size += FIRST.size
    except struct.error as error:
        raise ValueError("a record without its numbers") from error
    parts = body[size:].decode().split("\x00")
    if len(parts) != _COUNT + (1 if has & HAS_JSON else 2 * count):
        raise ValueError("a record with texts too many or too few")
    texts: list[str | None] = [part or None for part in parts[:_COUNT]]
    if has & HAS_INPUT:
        texts[-2] = parts[_COUNT - 2]
    if has & HAS_OUTPUT:
        texts[-1] = parts[_COUNT - 1]
    attributes = None
    if has & HAS_JSON:
        attributes = parts[-1]
    elif count:
        middle = _COUNT + count
        attributes = _object_of(tuple(parts[_COUNT:middle])) % tuple(map(encode_basestring, parts[middle:]))
    tokens = UNKNOWN if counts == _UNKNOWN else tuple([None if one < 0 else one for one in counts])
    return Recorded(
        started, None if lasted < 0 else lasted, tokens, None if cost < 0 else cost, flags, texts, attributes, first
    )


@lru_cache(maxsize=1_000)
def _object_of(names: tuple[str, ...]) -> str:
    """A JSON object of texts under these names, with a place for each text: programs use the same few names."""
    places = ",".join(encode_basestring(name).replace("%", "%%") + ":%s" for name in names)
    return f"{{{places}}}"
