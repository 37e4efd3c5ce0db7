"""Exports: rows of the ledger, or of what is on the screen, as CSV, JSON or JSON Lines; whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ledger_tui.domain import clock, money
from ledger_tui.domain.exporting import Encoder, Format
from ledger_tui.errors import InputError
from ledger_tui.services.export_file import check, new_file
from ledger_tui.store import export as reads
from ledger_tui.store.export import TABLES, Column, Subject

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean

__all__ = ["HAVE_TEXTS", "SUBJECTS", "ExportService", "Exported", "Rows", "check", "encoded", "table_rows", "write"]

SUBJECTS: tuple[Subject, ...] = tuple(TABLES)
HAVE_TEXTS = frozenset(name for name, table in TABLES.items() if table.texts)
"""What has texts besides its lean columns."""
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Rows:
    """What an export consists of: values in the order of ``columns``, read while it is written."""

    columns: tuple[str, ...]
    pieces: Iterable[Sequence[Sequence[Any]]]
    total: int | None = None
    """How many there will be, as far as is known."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written."""

    path: Path
    rows: int
    size: int
    """Bytes."""


Progress = Callable[[int, int | None], None]
"""Rows so far, and how many there will be."""


def table_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Rows:
    """The rows of a table that is on the screen."""
    return Rows(tuple(columns), [rows], len(rows))


def encoded(rows: Rows, kind: Format, on_progress: Progress = lambda done, total: None) -> Iterator[bytes]:
    """The bytes of an export, piece by piece."""
    encoder = Encoder(kind, rows.columns)
    done = 0
    yield encoder.head()
    for piece in rows.pieces:
        yield encoder.rows(piece)
        done += len(piece)
        on_progress(done, rows.total)
    yield encoder.tail()


def write(
    rows: Rows,
    target: Path,
    kind: Format,
    *,
    replace: bool = False,
    on_progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported | None:
    """Write a new file (mode 0600), whole; None when it was cancelled, and then nothing is there.

    replace: whether a file of that name may be exchanged. cancelled: asked after every piece. Raises InputError for a place
    that cannot be used, LedgerError when there is no room, and what reading raises; nothing is left then.
    """
    place = target.expanduser().absolute()
    done = 0

    def counted(count: int, total: int | None) -> None:
        nonlocal done
        done = count
        on_progress(count, total)

    try:
        with new_file(place, replace=replace) as file:
            for piece in encoded(rows, kind, counted):
                if cancelled():
                    raise _Cancelled
                file.write(piece)
    except _Cancelled:
        return None
    return Exported(place, done, file.size)


class _Cancelled(Exception):
    pass


class ExportService:
    """Reads what exports are made of. Thread-safe; every piece is one short read."""

    check_place = staticmethod(check)

    def __init__(self, database: Database, *, before_read: Callable[[], None] = lambda: None) -> None:
        """before_read: called first; brings in what is recorded but not stored yet."""
        self._database = database
        self._settle = before_read

    def rows(self, subject: Subject, filter_text: str = "", *, texts: bool = False) -> Rows:
        """Rows of ``traces``, ``spans`` (of the traces that fit), ``executions``, ``usages`` or ``costs`` (a row for each day,
        model, version and environment).

        filter_text: the grammar of traces; the last three know prompt, version, env, day, since, until and what else they
        have. texts: what was sent and answered too. Raises InputError, FilterError.
        """
        if subject not in TABLES:
            raise InputError(f"{subject!r} is nothing to export", remedy=f"Export one of: {', '.join(SUBJECTS)}.")
        from ledger_tui.domain.filter import parse_filter

        self._settle()
        wanted = parse_filter(filter_text, self._database.now_us())
        if (wanted.words or wanted.excluded_words) and not self._database.is_past:
            self._index_new_texts()
        total = self._read(lambda lean: reads.count(lean, subject, wanted))
        table = TABLES[subject]
        columns = (*table.columns, *(table.texts if texts else ()))
        pieces = reads.pieces(self._read, subject, wanted, texts=texts)
        return Rows(tuple(_names(columns)), (_shown(piece, columns) for piece in pieces), total)

    def _index_new_texts(self) -> None:
        from ledger_tui.services.traces import INDEX_CHUNK, TraceService

        traces = TraceService(self._database)
        while traces.index_texts() == INDEX_CHUNK:
            pass

    def _read(self, work: Callable[[Lean], Read]) -> Read:
        with self._database.lean() as lean:
            return work(lean)


def _names(columns: Iterable[Column]) -> Iterator[str]:
    for column in columns:
        if column.kind == "money":
            yield from (f"{column.name}_usd", f"{column.name}_nusd")
        else:
            yield column.name


def _usd(value: Any) -> Decimal | None:
    return None if value is None else money.to_usd(int(value))


_SHOWN: Mapping[str, Callable[[Any], tuple[Any, ...]]] = {
    "moment": lambda value: (None if value is None else clock.from_us(value).isoformat(),),
    "money": lambda value: (_usd(value), value),
    "flag": lambda value: (bool(value),),
    "json": lambda value: (_parsed(value),),
}


def _parsed(value: str | None) -> Any:
    try:
        return None if value is None else json.loads(value)
    except (ValueError, RecursionError):
        return value


def _shown(rows: Iterable[Sequence[Any]], columns: Sequence[Column]) -> list[list[Any]]:
    # From the right, because money takes two places.
    shapes = [(place, _SHOWN[column.kind]) for place, column in enumerate(columns) if column.kind][::-1]
    found = [list(row) for row in rows]
    for values in found:
        for place, shape in shapes:
            values[place : place + 1] = shape(values[place])
    return found
