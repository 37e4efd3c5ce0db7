"""Rows as CSV, JSON and JSON Lines: the bytes of an export, made piece by piece so that any number of rows fits in memory.

Money is exact (USD as decimal text, whole nano-dollars beside it), moments are ISO 8601 in UTC, unknown is null or an empty
cell. JSON is ASCII and knows no NaN. A CSV cell that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from ledger_tui.errors import InputError

Format = Literal["csv", "json", "jsonl"]
FORMATS: tuple[Format, ...] = ("csv", "json", "jsonl")
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_ENDINGS: Mapping[str, Format] = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def format_of(name: str) -> Format | None:
    """The format that the ending of a file name says, None when it says none."""
    dot = name.rfind(".")
    return _ENDINGS.get(name[dot:].lower()) if dot >= 0 else None


def cell(value: Any) -> str:
    """A value as a CSV cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return "'" + value if value.startswith(_RISKY) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else ""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return str(value) if isinstance(value, int) else cell(_json(value))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=True, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    return (f"{value:f}" if value.is_finite() else None) if isinstance(value, Decimal) else str(value)


def _finite(value: Any) -> Any:
    """The value with null in the place of what is no number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


class Encoder:
    """Turns rows into the bytes of one file: ``head``, then ``rows`` any number of times, then ``tail``."""

    def __init__(self, kind: Format, columns: Sequence[str]) -> None:
        """Raises InputError for another format."""
        if kind not in FORMATS:
            raise InputError(f"{kind!r} is no format of an export", remedy=f"Formats: {', '.join(FORMATS)}.")
        self._kind = kind
        self._columns = tuple(columns)
        self._first = True

    def head(self) -> bytes:
        """What stands before the rows."""
        return {"csv": self._lines([self._columns]), "json": b"["}.get(self._kind, b"")

    def rows(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """Rows whose values stand in the order of the columns."""
        if self._kind == "csv":
            return self._lines(rows)
        texts = [_json(dict(zip(self._columns, row, strict=True))) for row in rows]
        if self._kind == "jsonl":
            return "".join(text + "\n" for text in texts).encode()
        if not texts:
            return b""
        lead, self._first = "\n" if self._first else ",\n", False
        return (lead + ",\n".join(texts)).encode()

    def tail(self) -> bytes:
        """What stands after the rows."""
        return b"\n]\n" if self._kind == "json" else b""

    def _lines(self, rows: Iterable[Sequence[Any]]) -> bytes:
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows(
            [value if value is None or type(value) is int else cell(value) for value in row] for row in rows
        )
        return written.getvalue().encode("utf-8", "replace")
