"""The sums of days that every write of spans and usages keeps up: costs, users and sessions, latencies, renders.

A batch of spans costs one statement a table. `store/recount.py` counts the same from the facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.domain.percentiles import Counts, bucket_of, merge, pack, unpack

if TYPE_CHECKING:
    from ledger_tui.domain.values import SpanRecord
    from ledger_tui.store.lean import Lean

CALL_KEYS = ("provider", "model", "prompt_id", "version_id", "environment")
COST_KEYS = ("day", *CALL_KEYS)
PARTY_KEYS = ("kind", "day", "party")
USE_KEYS = ("day", "prompt_id", "version_id", "environment")
CALL_SUMS = (
    "calls", "errors", "canceled", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost_nusd", "unpriced", "duration_us",
)  # fmt: skip
MAX_SUM = 2**63 - 1
"""A sum that would be larger stays here."""
_DAY_US = 86_400_000_000
_CHUNK = 400
CallKey = tuple[str, str, str, str, str]
"""The values of ``CALL_KEYS``; an empty text where a call has none."""


def upsert(table: str, keys: Sequence[str], sums: Sequence[str]) -> str:
    """The statement that adds a row's sums to those under its keys; a sum past what the database can hold stays there."""
    names = [*keys, *sums]
    added = ", ".join(
        f"{name} = CASE WHEN excluded.{name} < 0 THEN {table}.{name} + excluded.{name} "
        f"WHEN {table}.{name} > {MAX_SUM} - excluded.{name} THEN {MAX_SUM} ELSE {table}.{name} + excluded.{name} END"
        for name in sums
    )
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)}) "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )


_ADD_COST = upsert("daily_costs", COST_KEYS, CALL_SUMS)
_ADD_PARTY = upsert("daily_parties", PARTY_KEYS, CALL_SUMS)
_ADD_USE = upsert("daily_uses", USE_KEYS, ("uses",))


@lru_cache(maxsize=1_000)
def _day(number: int) -> str:
    return clock.from_us(number * _DAY_US).date().isoformat()


def day_of(moment_us: int) -> str:
    """The UTC day of a moment as an ISO date."""
    return _day(moment_us // _DAY_US)


class Sums:
    """What the finished model calls among spans add up to."""

    def __init__(self) -> None:
        self.costs: dict[tuple[str, ...], list[int]] = {}
        """By ``COST_KEYS``, in the order of ``CALL_SUMS``."""
        self.parties: dict[tuple[str, ...], list[int]] = {}
        """By ``PARTY_KEYS``."""
        self.latencies: dict[tuple[str, CallKey], tuple[Counts, Counts]] = {}
        """By day and call key: latency, and time to first token, of succeeded calls."""

    def add(self, span: SpanRecord, sign: int = 1) -> None:
        """Count a span that is a model call and ended; ``sign`` -1 takes it away."""
        model, status = span.model, span.status
        if model is None or status not in _ENDED:
            return
        day = day_of(span.started_us)
        key = (span.provider or "", model, span.prompt_id or "", span.version_id or "", span.environment)
        tokens = span.tokens
        row = (
            sign, sign * (status == "failed"), sign * (status == "canceled"), sign * (tokens.input or 0),
            sign * (tokens.cache_read or 0), sign * (tokens.cache_write or 0), sign * (tokens.output or 0),
            sign * (tokens.reasoning or 0), sign * (span.cost_nusd or 0), sign * span.unpriced,
            sign * (span.duration_us or 0),
        )  # fmt: skip
        _add_to(self.costs, (day, *key), row)
        if span.user_identifier is not None:
            _add_to(self.parties, ("user", day, span.user_identifier), row)
        if span.session_id is not None:
            _add_to(self.parties, ("session", day, span.session_id), row)
        if status == "succeeded":
            lasted, first = self.latencies.setdefault((day, key), ({}, {}))
            _count(lasted, span.duration_us, sign)
            _count(first, span.first_token_us, sign)


_ENDED = frozenset({"succeeded", "failed", "canceled"})


def _add_to(sums: dict[tuple[str, ...], list[int]], key: tuple[str, ...], row: tuple[int, ...]) -> None:
    known = sums.get(key)
    sums[key] = list(row) if known is None else [a + b for a, b in zip(known, row, strict=True)]


def _count(counts: Counts, measured_us: int | None, sign: int) -> None:
    if measured_us is not None:
        bucket = bucket_of(measured_us)
        counts[bucket] = counts.get(bucket, 0) + sign


def add(lean: Lean, spans: Iterable[SpanRecord], gone: Iterable[SpanRecord] = ()) -> None:
    """Add the finished model calls among ``spans`` to the sums of their days, and take those of ``gone`` away.

    A call that changes (another version, a price that came later) is given as it was in ``gone`` and as it is in ``spans``.
    """
    sums = Sums()
    for span in spans:
        sums.add(span)
    taken = False
    for span in gone:
        sums.add(span, -1)
        taken = True
    if sums.costs:
        _add_rows(lean, _ADD_COST, COST_KEYS, sums.costs)
        if sums.parties:
            _add_rows(lean, _ADD_PARTY, PARTY_KEYS, sums.parties)
        if sums.latencies:
            add_latencies(lean, sums.latencies)
    if taken:
        _drop_empty(lean, "daily_costs", COST_KEYS, sums.costs)
        _drop_empty(lean, "daily_parties", PARTY_KEYS, sums.parties)
        days = [{"day": day} for day in sorted({day for day, _ in sums.latencies})]
        lean.executemany(_DROP_LATENCIES, days)


def _add_rows(lean: Lean, sql: str, keys: Sequence[str], sums: Mapping[tuple[str, ...], Sequence[int]]) -> None:
    names = (*keys, *CALL_SUMS)
    rows = [dict(zip(names, (*key, *row), strict=True)) for key, row in sorted(sums.items()) if any(row)]
    if rows:
        lean.executemany(sql, rows)


def _drop_empty(lean: Lean, table: str, keys: Sequence[str], sums: Iterable[tuple[str, ...]]) -> None:
    where = " AND ".join(f"{key} = :{key}" for key in keys)
    rows = [dict(zip(keys, key, strict=True)) for key in sorted(sums)]
    if rows:
        lean.executemany(f"DELETE FROM {table} WHERE {where} AND calls = 0", rows)


_NO_USES = f"DELETE FROM daily_uses WHERE {' AND '.join(f'{name} = :{name}' for name in USE_KEYS)} AND uses = 0"


def add_uses(lean: Lean, usage_ids: Sequence[str], each: int = 1) -> None:
    """Count rows of ``usages`` that this transaction wrote; ``each`` -1 before it changes what they are counted by."""
    for start in range(0, len(usage_ids), _CHUNK):
        names = {f"u{n}": usage_id for n, usage_id in enumerate(usage_ids[start : start + _CHUNK])}
        rows = lean.fetch(
            "SELECT created_us, COALESCE(prompt_id, ''), COALESCE(version_id, ''), environment FROM usages "
            f"WHERE id IN ({', '.join(':' + name for name in names)})",
            names,
        )
        counts: dict[tuple[str, ...], int] = {}
        for created_us, *key in rows:
            place = (day_of(created_us), *key)
            counts[place] = counts.get(place, 0) + each
        columns = (*USE_KEYS, "uses")
        lean.executemany(_ADD_USE, [dict(zip(columns, (*key, n), strict=True)) for key, n in sorted(counts.items())])
        if each < 0:
            lean.executemany(_NO_USES, [dict(zip(USE_KEYS, key, strict=True)) for key in sorted(counts)])


_DROP_LATENCIES = "DELETE FROM daily_latencies WHERE day = :day AND latency_counts IS NULL AND first_counts IS NULL"
_EMPTY = "INSERT INTO daily_latencies (day, key_id) VALUES (:day, :key_id) ON CONFLICT DO NOTHING"
_PARTS = ("latency_lowest", "latency_counts", "first_lowest", "first_counts")
_KEEP = f"UPDATE daily_latencies SET {', '.join(f'{p} = :{p}' for p in _PARTS)} WHERE day = :day AND key_id = :key_id"


def add_latencies(lean: Lean, latencies: Mapping[tuple[str, CallKey], tuple[Counts, Counts]]) -> None:
    """Add counts by day and call key. The rows are locked in the order of their keys while they are read and written."""
    ids = call_key_ids(lean, {key for _, key in latencies})
    added = {(day, ids[key]): counts for (day, key), counts in latencies.items()}
    places = [{"day": day, "key_id": key_id} for day, key_id in sorted(added)]
    lean.executemany(_EMPTY, places)
    rows = []
    for day, key_id, *parts in _latencies(lean, places):
        lasted, first = added[day, key_id]
        kept = (*pack(merge((unpack(*parts[:2]), lasted))), *pack(merge((unpack(*parts[2:]), first))))
        rows.append({"day": day, "key_id": key_id, **dict(zip(_PARTS, kept, strict=True))})
    lean.executemany(_KEEP, rows)


def _latencies(lean: Lean, places: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Any, ...]]:
    days: dict[str, list[int]] = {}
    for place in places:
        days.setdefault(place["day"], []).append(place["key_id"])
    for day, key_ids in days.items():
        for start in range(0, len(key_ids), _CHUNK):
            names = {f"k{n}": key_id for n, key_id in enumerate(key_ids[start : start + _CHUNK])}
            sql = (
                f"SELECT day, key_id, {', '.join(_PARTS)} FROM daily_latencies "
                f"WHERE day = :day AND key_id IN ({', '.join(':' + name for name in names)}) ORDER BY key_id"
            )
            yield from lean.fetch(sql + (" FOR UPDATE" if lean.dialect == "postgresql" else ""), {"day": day, **names})


_MATCH = " AND ".join(f"{name} = :{name}" for name in CALL_KEYS)
_FIND_KEY = f"SELECT id FROM call_keys WHERE {_MATCH}"
_NEW_KEY = (
    f"INSERT INTO call_keys ({', '.join(CALL_KEYS)}) VALUES ({', '.join(':' + name for name in CALL_KEYS)}) "
    f"ON CONFLICT ({', '.join(CALL_KEYS)}) DO UPDATE SET provider = excluded.provider RETURNING id"
)


def call_key_ids(lean: Lean, keys: Iterable[CallKey]) -> dict[CallKey, int]:
    """The short key of each; made where there was none. Nothing is remembered: a transaction may be taken back."""
    ids: dict[CallKey, int] = {}
    for key in sorted(keys):
        values = dict(zip(CALL_KEYS, key, strict=True))
        row = lean.one(_FIND_KEY, values) or lean.one(_NEW_KEY, values)
        assert row is not None
        ids[key] = int(row[0])
    return ids
