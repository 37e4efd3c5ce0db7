"""A record: one immutable fact as it travels between ledgers, with the bytes that its hash covers.

A record is (stream, rid, kind, body). Its body is the canonical JSON text of an object (domain/content.canonical_json), kept
and hashed as that text and never written anew by anybody who did not write it. ``rv`` in the body is the format of its kind.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ledger_tui.domain.content import canonical_json
from ledger_tui.errors import ContentRefused

Stream = Literal["meta", "telemetry", "bodies"]
STREAMS: tuple[Stream, ...] = ("meta", "telemetry", "bodies")
"""In the order in which a sync handles them: the registry never waits for numbers, numbers never wait for texts."""

KINDS: Mapping[Stream, Mapping[str, int]] = {
    "meta": {"version": 1, "label": 1, "field": 1, "inputs": 1, "price": 1, "pricing": 1, "budget": 1, "purge": 1},
    "telemetry": {"card": 1, "usage": 1, "execution": 1, "span": 1, "late_price": 1},
    "bodies": {"text": 1},
}
"""The kinds that this release reads, each with the newest ``rv`` it knows."""

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_PARENTS = 64
NO_MONTH = "0000-00"
"""What ``month_of`` says of an id without a moment."""
PURGED = "{}"
"""The body of a record that was purged: no record was ever written so, and its hash is still that of the body it had."""
_SMALL = 16 * 1024
"""Characters of a body whose content is kept for a while."""
_RID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,127}")
_HASH = re.compile(r"[0-9a-f]{64}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Record:
    """One fact; ``body`` is canonical JSON text."""

    stream: Stream
    rid: str
    kind: str
    body: str

    @property
    def hash(self) -> str:
        """Hex sha256 of kind, rid and body, one a line: neither kind nor rid can hold a line feed (``fault``)."""
        return record_hash(self.kind, self.rid, self.body)

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if self.body.isascii() else len(self.body.encode())

    def content(self) -> dict[str, Any]:
        """The body as an object, not to be changed; ValueError for a record that ``fault`` would name."""
        return _parsed(self.body) if len(self.body) <= _SMALL else _read(self.body)


@lru_cache(maxsize=1024)
def _parsed(body: str) -> dict[str, Any]:
    """A body is asked for its content again and again while its record is taken."""
    return _read(body)


def _read(body: str) -> dict[str, Any]:
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("the body is no object")
    return found


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record as a server hands it out: its number, and the hash that the server has kept for it."""

    record: Record
    seq: int
    hash: str
    pusher: str = ""
    """The account that brought it: not always its author, for any device heals a restored server."""


def is_hash(text: str) -> bool:
    """Whether a text can be the hash of a record."""
    return _HASH.fullmatch(text) is not None


def record_hash(kind: str, rid: str, body: str) -> str:
    """Hex sha256 of ``kind \\n rid \\n body``."""
    return hashlib.sha256(f"{kind}\n{rid}\n{body}".encode()).hexdigest()


def fault(record: Record, claimed_hash: str | None = None) -> str | None:
    """Why a record cannot be taken, as a short phrase; None when nothing is wrong with it.

    claimed_hash: what the one who handed it on says its hash is.
    """
    return outer_fault(record, claimed_hash) or _body_fault(record)


def outer_fault(record: Record, claimed_hash: str | None = None) -> str | None:
    """As ``fault``, for a record whose body is known to be sound: its id, kind, size and hash."""
    if not _RID.fullmatch(record.rid):
        return "its id is malformed"
    if not _KIND.fullmatch(record.kind):
        return "its kind is malformed"
    try:
        size = record.size
    except UnicodeEncodeError:
        return "it holds a broken character"
    if size > MAX_BODY_BYTES:
        return f"it is larger than {MAX_BODY_BYTES // 1024} kB"
    if claimed_hash is not None and claimed_hash != record.hash:
        return "its hash does not fit its content"
    return None


def _body_fault(record: Record) -> str | None:
    try:
        content = record.content()
        written = canonical_json(content)
    except (ValueError, RecursionError, ContentRefused):
        return "its body is not canonical JSON"
    if written != record.body:
        return "its body is not canonical JSON"
    if not isinstance(content.get("rv"), int) or isinstance(content["rv"], bool) or content["rv"] < 1:
        return "it does not say its format"
    return _parents_fault(record.kind, content)


def _parents_fault(kind: str, content: Mapping[str, Any]) -> str | None:
    parents = content.get("parents", [])
    if kind != "version":
        return None
    if not isinstance(content.get("field"), str):
        return "it names no version"
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        return "its parents are malformed"
    if len(parents) > MAX_PARENTS:
        return f"it has more than {MAX_PARENTS} parents"
    return "it is its own parent" if content["field"] in parents else None


def is_known(record: Record) -> bool:
    """Whether this release can read the record; one that it cannot is kept as it is and handed on."""
    newest = KINDS[record.stream].get(record.kind)
    return newest is not None and record.content()["rv"] <= newest


def version_of(record: Record) -> tuple[str, tuple[str, ...]] | None:
    """The version that a record makes and the versions it was written on; None for records of other kinds."""
    if record.stream != "meta" or record.kind != "version":
        return None
    content = record.content()
    return content["field"], tuple(content.get("parents", ()))


def cost_of(record: Record) -> int:
    """The nano-dollars that a record of telemetry states; 0 for none."""
    if record.stream != "telemetry" or record.kind == "execution":
        # An execution's cost is that of its span: it is counted once.
        return 0
    cost = record.content().get("cost_nusd")
    return cost if isinstance(cost, int) and not isinstance(cost, bool) else 0


def derived_rid(rid: str, what: str) -> str:
    """The id of a record that belongs to another one: the same on every device, with the time of ``rid``.

    Such as the late price of a span, or one of its texts.
    """
    digits = hashlib.sha256(f"{rid}\n{what}".encode()).hexdigest()
    head = rid[:13] if re.match(r"[0-9a-f]{8}-[0-9a-f]{4}", rid) else "00000000-0000"
    return f"{head}-7{digits[:3]}-{'89ab'[int(digits[3], 16) & 3]}{digits[4:7]}-{digits[7:19]}"


def month_of(rid: str) -> str:
    """``YYYY-MM`` (UTC) of the moment in a UUIDv7; ``0000-00`` for another id or a moment after the year 9999."""
    if not re.match(r"[0-9a-f]{8}-[0-9a-f]{4}-7", rid):
        return "0000-00"
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(rid[:8] + rid[9:13], 16))
    except OverflowError:
        return "0000-00"
    return f"{moment.year:04d}-{moment.month:02d}"
