"""The tables whose rows are telemetry records, each seen the same way: what is pending, what a server has, what is here already.

Sync is for ledgers in files, so this is SQLite's SQL. A row's standing is its ``commit_seq`` (sync_standing.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain.sync import bodies
from ledger_tui.domain.sync.records import Record, Stream, derived_rid
from ledger_tui.store import sync_bodies
from ledger_tui.store.sync_standing import CHUNK, FORGOTTEN

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean, Row

Key = int | str


class Held(NamedTuple):
    """A record that is here."""

    key: Key
    record: Record
    prompt_id: str | None
    commit_seq: int | None


@dataclass(frozen=True)
class Shelf:
    """One table of records."""

    kind: str
    table: str
    key: str
    """The column of its key."""
    columns: str
    """SQL: rid (or what it is derived from), prompt id, standing, ``extra``."""
    body: str
    """SQL: the body, without what ``extra`` changes of it."""
    source: str
    """SQL: FROM what, with the table under the alias ``r``."""
    ended: str
    """SQL: whether a row of ``r`` is finished; only such rows are records. As in the table's index of pending rows."""
    rid: Callable[[str], str] = str
    stream: Stream = "telemetry"

    def pending(self, lean: Lean, limit: int, after: Key | None = None) -> list[Held]:
        """Records that no server has, in their order; with ``after`` those with keys above it."""
        above = "" if after is None else f"r.{self.key} > :after AND "
        return self._list(
            lean, f"{above}r.commit_seq IS NULL AND {self.ended}", limit, {"after": after} if above else {}
        )

    def waiting(self, lean: Lean) -> int:
        """How many those are."""
        row = lean.one(f"SELECT COUNT(*) FROM {self.table} r WHERE r.commit_seq IS NULL AND {self.ended}")
        return 0 if row is None else int(row[0])

    def accepted(self, lean: Lean, after: Key | None, limit: int) -> list[Held]:
        """Records that a server has or had, with keys above ``after``, in their order."""
        above = "" if after is None else f"r.{self.key} > :after AND "
        return self._list(lean, f"{above}r.commit_seq >= {FORGOTTEN}", limit, {"after": after} if above else {})

    def mark(self, lean: Lean, standings: Iterable[tuple[Key, int | None]], before: str = "IS NULL") -> None:
        """Change where rows stand, as far as they stand where they are thought to (SQL on ``commit_seq``)."""
        single = []
        for key, seq, count in _runs(standings):
            if count > 1:
                lean.execute(
                    f"UPDATE {self.table} SET commit_seq = {self.key} + :more "
                    f"WHERE {self.key} BETWEEN :first AND :last AND (commit_seq {before})",
                    {"more": seq - key, "first": key, "last": key + count - 1},
                )
            else:
                single.append({"key": key, "seq": seq})
        sql = f"UPDATE {self.table} SET commit_seq = :seq WHERE {self.key} = :key AND (commit_seq {before})"
        lean.executemany(sql, single)

    def forget(self, lean: Lean) -> None:
        """Forget the numbers that a server gave."""
        lean.execute(f"UPDATE {self.table} SET commit_seq = {FORGOTTEN} WHERE commit_seq > {FORGOTTEN}")

    def by_keys(self, lean: Lean, keys: Sequence[Key]) -> Iterator[Held]:
        """Rows of these keys."""
        for start in range(0, len(keys), CHUNK):
            names = {f"k{n}": key for n, key in enumerate(keys[start : start + CHUNK])}
            marks = ", ".join(":" + name for name in names)
            yield from self._list(lean, f"r.{self.key} IN ({marks})", CHUNK, names)

    def _list(self, lean: Lean, where: str, limit: int, names: Mapping[str, Any] | None = None) -> list[Held]:
        sql = (
            f"SELECT r.{self.key}, {self.columns}, {self.body} FROM {self.source} "
            f"WHERE {where} ORDER BY r.{self.key} LIMIT :limit"
        )
        return [self._held(row) for row in lean.fetch(sql, {**(names or {}), "limit": limit})]

    def _held(self, row: Row) -> Held:
        key, rid, prompt_id, commit_seq, extra, body = row
        if extra is not None:
            body = bodies.whole(json.loads(body), extra)
        return Held(key, Record(self.stream, self.rid(rid), self.kind, body), prompt_id, commit_seq)


def _runs(standings: Iterable[tuple[Key, int | None]]) -> Iterator[tuple[Any, Any, int]]:
    """(key, number, how many): rows whose keys and numbers both grow by one are one run, as those of a backlog do."""
    key: Any = None
    seq: Any = None
    count = 0
    row: Any
    number: Any
    for row, number in standings:
        whole = isinstance(row, int) and isinstance(number, int) and isinstance(seq, int)
        if count and whole and row - key == number - seq == count:
            count += 1
            continue
        if count:
            yield key, seq, count
        key, seq, count = row, number, 1
    if count:
        yield key, seq, count


CARDS = Shelf(
    "card", "rate_cards", "id", "r.sha256, NULL, r.commit_seq, NULL", sync_bodies.CARD, "rate_cards r", "1 = 1",
)  # fmt: skip
USAGES = Shelf(
    "usage", "usages", "id", "r.id, r.prompt_id, r.commit_seq, r.extra", sync_bodies.USAGE, "usages r", "1 = 1",
)  # fmt: skip
EXECUTIONS = Shelf(
    "execution", "executions", "id", "r.id, r.prompt_id, r.commit_seq, r.extra", sync_bodies.EXECUTION, "executions r",
    "r.ended_us IS NOT NULL",
)  # fmt: skip
SPANS = Shelf(
    "span", "spans", "id", "r.rid, r.prompt_id, r.commit_seq, r.extra", sync_bodies.SPAN,
    "spans r CROSS JOIN traces t ON t.id = r.trace_key LEFT JOIN late_prices l ON l.span_key = r.id "
    "LEFT JOIN rate_cards c ON c.id = r.card_id",
    "r.status IN ('succeeded', 'failed', 'canceled')",
)  # fmt: skip
LATE_PRICES = Shelf(
    "late_price", "late_prices", "span_key", "s.rid, s.prompt_id, r.commit_seq, r.extra", sync_bodies.LATE_PRICE,
    "late_prices r CROSS JOIN spans s ON s.id = r.span_key CROSS JOIN traces t ON t.id = s.trace_key "
    "LEFT JOIN rate_cards c ON c.id = r.card_id",
    "1 = 1", lambda rid: derived_rid(rid, "late_price"),
)  # fmt: skip
SHELVES = (CARDS, USAGES, EXECUTIONS, SPANS, LATE_PRICES)
"""In the order in which their records go: what another one names comes before it."""


class KeptShelf:
    """Records of a stream that are kept as they came or went (`sync_records`)."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._rows = f"SELECT rid, kind, body, commit_seq FROM sync_records WHERE stream = '{stream}' AND "

    def pending(self, lean: Lean, limit: int) -> list[Held]:
        """As ``Shelf.pending``."""
        return self._list(lean, "commit_seq IS NULL ORDER BY rid LIMIT :limit", {"limit": limit})

    def waiting(self, lean: Lean) -> int:
        """As ``Shelf.waiting``."""
        sql = f"SELECT COUNT(*) FROM sync_records WHERE stream = '{self.stream}' AND commit_seq IS NULL"
        row = lean.one(sql)
        return 0 if row is None else int(row[0])

    def accepted(self, lean: Lean, after: Key | None, limit: int) -> list[Held]:
        """As ``Shelf.accepted``."""
        where = f"rid > :after AND commit_seq >= {FORGOTTEN} ORDER BY rid LIMIT :limit"
        return self._list(lean, where, {"after": after or "", "limit": limit})

    def mark(self, lean: Lean, standings: Iterable[tuple[Key, int | None]], before: str = "IS NULL") -> None:
        """As ``Shelf.mark``."""
        sql = f"UPDATE sync_records SET commit_seq = :seq WHERE rid = :key AND (commit_seq {before})"
        lean.executemany(sql, [{"key": key, "seq": seq} for key, seq in standings])

    def forget(self, lean: Lean) -> None:
        """As ``Shelf.forget``."""
        lean.execute(
            f"UPDATE sync_records SET commit_seq = {FORGOTTEN} "
            f"WHERE stream = '{self.stream}' AND commit_seq > {FORGOTTEN}"
        )

    def by_keys(self, lean: Lean, keys: Sequence[Key]) -> Iterator[Held]:
        """As ``Shelf.by_keys``; the keys are rids."""
        for start in range(0, len(keys), CHUNK):
            names = {f"k{n}": key for n, key in enumerate(keys[start : start + CHUNK])}
            yield from self._list(lean, f"rid IN ({', '.join(':' + name for name in names)})", names)

    def keep(self, lean: Lean, why: str, rows: Sequence[tuple[Record, int | None]]) -> None:
        """Keep records with their numbers; one that is kept already stays."""
        for record, seq in rows:
            lean.execute(
                "INSERT INTO sync_records (rid, stream, kind, body, why, commit_seq) "
                "VALUES (:rid, :stream, :kind, :body, :why, :seq) ON CONFLICT (rid) DO NOTHING",
                {
                    "rid": record.rid,
                    "stream": record.stream,
                    "kind": record.kind,
                    "body": record.body,
                    "why": why,
                    "seq": seq,
                },
            )

    def _list(self, lean: Lean, where: str, names: Mapping[str, Any]) -> list[Held]:
        return [
            Held(rid, Record(self.stream, rid, kind, body), None, seq)
            for rid, kind, body, seq in lean.fetch(self._rows + where, names)
        ]


_AT_PLACES = """
SELECT r.id FROM json_each(:places) p CROSS JOIN traces t ON t.trace_id = json_extract(p.value, '$[0]')
CROSS JOIN spans r ON r.trace_key = t.id AND r.span_id = json_extract(p.value, '$[1]')
"""


def span_keys_at(lean: Lean, places: Iterable[tuple[str, str]]) -> list[int]:
    """Keys of the spans with these trace and span ids."""
    listed = sorted(set(places))
    rows = lean.fetch(_AT_PLACES, {"places": json.dumps(listed)}) if listed else []
    return sorted({int(row[0]) for row in rows})


def span_rids(lean: Lean, keys: Sequence[int]) -> dict[int, str]:
    """The ids of the records that these rows are now, by key."""
    sql = "SELECT s.id, s.rid FROM json_each(:keys) k CROSS JOIN spans s ON s.id = k.value"
    return {int(key): str(rid) for key, rid in lean.fetch(sql, {"keys": json.dumps(keys)})} if keys else {}
