"""A usage as the body of a spool frame: a mark that no span begins with, its moment, then its texts with a NUL between two.

As with spans, no text of the ledger holds a NUL, so one join writes all of them and one split reads them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.store import day_sums

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

MARK = b"\xffUSAGE\x01\xff"
"""Where a span has its start, which is never negative."""
_MOMENT = struct.Struct("<8sq")
TEXTS = (
    "id", "prompt_id", "version_id", "environment", "session_id", "user_identifier", "source", "included", "content",
    "parameters", "metadata",
)  # fmt: skip
"""Texts in their order, as in the table; an empty one stands for none. Then a role and a text for each message."""
_COUNT = len(TEXTS)
_MAY_MISS = ("prompt_id", "version_id", "session_id", "user_identifier", "content")

_INSERT = """
INSERT INTO usages (id, prompt_id, version_id, included, content, parameters, rendered, environment, session_id,
                    user_identifier, metadata, source, created_us)
VALUES (:id, (SELECT id FROM prompts WHERE id = :prompt_id), (SELECT id FROM prompt_versions WHERE id = :version_id),
        :included, :content, :parameters, :rendered, :environment, :session_id, :user_identifier, :metadata, :source,
        :created_us)
ON CONFLICT (id) DO NOTHING
"""


def encode(created_us: int, texts: Sequence[str], joined: int = 0) -> bytes | None:
    """A body of ``TEXTS`` and the messages' roles and texts; None when one of them holds what no text may hold.

    joined: how many separators the texts hold already, where the caller joined some that never change.
    """
    try:
        data = "\x00".join(texts).encode()
    except UnicodeEncodeError:
        return None
    if data.count(b"\x00") != len(texts) - 1 + joined:
        return None
    return _MOMENT.pack(MARK, created_us) + data


def is_usage(body: bytes) -> bool:
    """Whether a body is a usage and no span."""
    return body.startswith(MARK)


def decode(body: bytes) -> dict[str, Any]:
    """The row of table ``usages`` that a body is; ValueError when it makes no sense."""
    try:
        _, created_us = _MOMENT.unpack_from(body)
    except struct.error as error:
        raise ValueError("a usage without its moment") from error
    parts = body[_MOMENT.size :].decode().split("\x00")
    if len(parts) < _COUNT or (len(parts) - _COUNT) % 2 or not parts[0] or created_us < 0:
        raise ValueError("a usage with texts too many or too few")
    row: dict[str, Any] = dict(zip(TEXTS, parts, strict=False))
    for name in _MAY_MISS:
        row[name] = row[name] or None
    messages = zip(parts[_COUNT::2], parts[_COUNT + 1 :: 2], strict=True)
    row["rendered"] = _encode([{"role": role, "text": text} for role, text in messages])
    row["created_us"] = created_us
    return row


def insert(lean: Lean, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write usages; one that is there already stays. Ids of prompts and versions that the ledger lost are left out."""
    named = {f"u{n}": row["id"] for n, row in enumerate(rows)}
    there = f"SELECT id FROM usages WHERE id IN ({', '.join(':' + name for name in named)})"
    known = {row[0] for row in lean.fetch(there, named)} if named else set()
    lean.executemany(_INSERT, rows)
    day_sums.add_uses(lean, [usage_id for usage_id in dict.fromkeys(named.values()) if usage_id not in known])


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
