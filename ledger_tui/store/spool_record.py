"""A recorded span as the body of a spool frame: its numbers, then its texts with a NUL between two.

No text of the ledger holds a NUL, so one join, one count and one encoding write and check all texts together, and one
split reads them; nothing is escaped or parsed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import NamedTuple

NUMBERS = struct.Struct("<qqqqqqqqIHH")
"""Start and duration in microseconds, tokens (input, cache read, cache write, output, reasoning), cost in nano-dollars,
count of attributes, flags, and ``HAS`` bits. -1 stands for an unknown number."""
HAS_INPUT, HAS_OUTPUT, HAS_JSON = 1, 2, 4
TEXTS = (
    "trace_id", "span_id", "parent_span_id", "kind", "status", "provider", "model", "agent_id", "environment", "error_type",
    "prompt_name", "prompt_id", "version_id", "execution_id", "name", "session_id", "user_identifier", "error", "input",
    "output",
)  # fmt: skip
"""Texts in their order; an empty one stands for none. Then attributes: JSON (one text), or all names and all values."""
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


def decode(body: bytes) -> Recorded:
    """Read a body; ValueError when it makes no sense."""
    try:
        numbers = NUMBERS.unpack_from(body)
    except struct.error as error:
        raise ValueError("a record without its numbers") from error
    started, lasted, *counts, cost, count, flags, has = numbers
    parts = body[NUMBERS.size :].decode().split("\x00")
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
        attributes = _encode(dict(zip(parts[_COUNT : _COUNT + count], parts[_COUNT + count :], strict=True)))
    tokens = UNKNOWN if counts == _UNKNOWN else tuple([None if one < 0 else one for one in counts])
    return Recorded(
        started, None if lasted < 0 else lasted, tokens, None if cost < 0 else cost, flags, texts, attributes
    )


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
