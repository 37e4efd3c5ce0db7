"""A recorded span as the body of a spool frame: a JSON list of its plain fields, then its texts as they are.

The texts are apart so that neither writing nor draining parses them. Fields are only ever added at the end of the list.
"""

from __future__ import annotations

import json
import struct
from typing import Any

FIELDS = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "status", "started_us", "duration_us", "provider", "model",
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nusd",
    "agent_id", "environment", "session_id", "user_identifier", "error_type", "error", "flags", "prompt_name",
    "prompt_id", "version_id", "execution_id",
)  # fmt: skip
_LENGTHS = struct.Struct("<4I")
_NOTHING = 0xFFFFFFFF


def encode(fields: bytes, given: bytes | None, made: bytes | None, attributes: bytes | None) -> bytes:
    """The body: the JSON list of ``FIELDS``, input, output, and the JSON object of attributes."""
    lengths = _LENGTHS.pack(
        len(fields),
        _NOTHING if given is None else len(given),
        _NOTHING if made is None else len(made),
        _NOTHING if attributes is None else len(attributes),
    )
    return b"".join((lengths, fields, given or b"", made or b"", attributes or b""))


def decode(body: bytes) -> tuple[list[Any], str | None, str | None, str | None]:
    """The values of ``FIELDS``, input, output and attributes (JSON text); ValueError when the body makes no sense."""
    try:
        lengths = _LENGTHS.unpack_from(body)
    except struct.error as error:
        raise ValueError("a record without its lengths") from error
    position = _LENGTHS.size
    parts: list[str | None] = []
    for length in lengths:
        if length == _NOTHING:
            parts.append(None)
            continue
        parts.append(body[position : position + length].decode())
        position += length
    if position != len(body) or parts[0] is None:
        raise ValueError("a record whose lengths do not add up")
    values = json.loads(parts[0])
    if not isinstance(values, list) or len(values) > len(FIELDS):
        raise ValueError("a record of fields that this release does not know")
    if len(values) < len(FIELDS):
        values += [None] * (len(FIELDS) - len(values))
    return values, parts[1], parts[2], parts[3]
