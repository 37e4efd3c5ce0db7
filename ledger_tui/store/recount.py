"""The sums of days counted again from the facts: to check what the writes kept, and to make them anew.

Days of which retention removed spans are counted with what it kept of them (`pruned_costs`); their users, sessions and
latencies can no longer be counted and stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain.percentiles import Counts, bucket_of, pack
from ledger_tui.store.day_sums import CALL_KEYS, CALL_SUMS, COST_KEYS, PARTY_KEYS, USE_KEYS, CallKey, add_latencies

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean, Row

TABLES = ("daily_costs", "daily_parties", "daily_uses", "daily_latencies")
CALLS = "model IS NOT NULL AND status IN ('succeeded', 'failed', 'canceled')"
"""Which spans are finished model calls."""
_COUNTED = {
    "calls": "COUNT(*)",
    "errors": "SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END)",
    "canceled": "SUM(CASE WHEN status = 'canceled' THEN 1 ELSE 0 END)",
    "unpriced": "SUM(CASE WHEN unpriced THEN 1 ELSE 0 END)",
}
COUNTED = ", ".join(_COUNTED.get(name, f"COALESCE(SUM({name}), 0)") for name in CALL_SUMS)
"""The sums of ``CALL_SUMS`` over spans."""
_KEY = "COALESCE(provider, ''), model, COALESCE(prompt_id, ''), COALESCE(version_id, ''), environment"
_GONE = "(SELECT day FROM pruned_costs)"
_CHUNK = 200_000


def day_sql(dialect: str, moment: str = "started_us") -> str:
    """The UTC day of a column of microseconds, as an ISO date."""
    if dialect == "sqlite":
        return f"date({moment} / 1000000, 'unixepoch')"
    return f"to_char(to_timestamp({moment} / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


def _selects(dialect: str) -> dict[str, str]:
    day = day_sql(dialect)
    left = f"{day} NOT IN {_GONE}"
    costs = f"SELECT {day} AS day, {_KEY}, {COUNTED} FROM spans WHERE {CALLS} GROUP BY 1, 2, 3, 4, 5, 6"
    kept = f"SELECT {', '.join((*COST_KEYS, *CALL_SUMS))} FROM pruned_costs"
    names = [f"c{n}" for n in range(len(COST_KEYS) + len(CALL_SUMS))]
    sums = [f"CAST(SUM({name}) AS BIGINT)" for name in names[len(COST_KEYS) :]]
    parties = " UNION ALL ".join(
        f"SELECT '{kind}', {day}, {column}, {COUNTED} FROM spans "
        f"WHERE {CALLS} AND {column} IS NOT NULL AND {left} GROUP BY 2, 3"
        for kind, column in (("user", "user_identifier"), ("session", "session_id"))
    )
    uses_day = day_sql(dialect, "created_us")
    return {
        "daily_costs": f"WITH counted ({', '.join(names)}) AS ({costs} UNION ALL {kept}) "
        f"SELECT {', '.join([*names[: len(COST_KEYS)], *sums])} FROM counted "
        f"GROUP BY {', '.join(names[: len(COST_KEYS)])}",
        "daily_parties": parties,
        "daily_uses": f"SELECT {uses_day}, COALESCE(prompt_id, ''), COALESCE(version_id, ''), environment, COUNT(*) "
        "FROM usages GROUP BY 1, 2, 3, 4",
    }


_COLUMNS = {
    "daily_costs": (*COST_KEYS, *CALL_SUMS),
    "daily_parties": (*PARTY_KEYS, *CALL_SUMS),
    "daily_uses": (*USE_KEYS, "uses"),
}
_ALL = {"daily_costs": "1 = 1", "daily_parties": f"day NOT IN {_GONE}", "daily_uses": "1 = 1"}


def differences(lean: Lean) -> dict[str, int]:
    """How many rows of each table of ``TABLES`` differ from a count of the facts; reads every span."""
    found: dict[str, int] = {}
    for table, select in _selects(lean.dialect).items():
        kept = lean.fetch(f"SELECT {', '.join(_COLUMNS[table])} FROM {table} WHERE {_ALL[table]}")
        found[table] = _different(kept, lean.fetch(select))
    counted = {(day, *key, *pack(lasted), *pack(first)) for (day, key), (lasted, first) in latencies(lean).items()}
    found["daily_latencies"] = _different(kept_latencies(lean), list(counted))
    return found


def _different(kept: list[Row], counted: list[Row]) -> int:
    return len(set(map(_plain, kept)) ^ set(map(_plain, counted)))


def _plain(row: Row) -> Row:
    """A row with numbers as whole ones (Postgres sums are Decimals)."""
    return tuple(value if value is None or isinstance(value, str | bytes) else int(value) for value in row)


def kept_latencies(lean: Lean) -> list[Row]:
    """The rows of ``daily_latencies`` with their call keys instead of the short ones; of days that are whole."""
    names = ", ".join(f"k.{name}" for name in CALL_KEYS)
    return lean.fetch(
        f"SELECT l.day, {names}, l.latency_lowest, l.latency_counts, l.first_lowest, l.first_counts "
        f"FROM daily_latencies l JOIN call_keys k ON k.id = l.key_id WHERE l.day NOT IN {_GONE}"
    )


def latencies(lean: Lean) -> dict[tuple[str, CallKey], tuple[Counts, Counts]]:
    """Latency and time to first token of the succeeded calls of days that are whole, by day and call key."""
    day = day_sql(lean.dialect)
    sql = (
        f"SELECT duration_us, first_token_us, {day}, {_KEY} FROM spans WHERE id > :above AND id <= :above + {_CHUNK} "
        f"AND model IS NOT NULL AND status = 'succeeded' AND {day} NOT IN {_GONE}"
    )
    last = lean.one("SELECT COALESCE(MAX(id), 0) FROM spans")
    counts: dict[tuple[str, CallKey], tuple[Counts, Counts]] = {}
    for above in range(0, int(last[0]) if last else 0, _CHUNK):
        for lasted_us, first_us, on, *key in lean.fetch(sql, {"above": above}):
            measures = counts.setdefault((on, tuple(key)), ({}, {}))
            for buckets, measured_us in zip(measures, (lasted_us, first_us), strict=True):
                if measured_us is not None:
                    bucket = bucket_of(measured_us)
                    buckets[bucket] = buckets.get(bucket, 0) + 1
    return counts


def rebuild(lean: Lean) -> None:
    """Make the sums of days anew from the facts, inside the caller's write transaction."""
    for table, select in _selects(lean.dialect).items():
        lean.execute(f"DELETE FROM {table} WHERE {_ALL[table]}")
        lean.execute(f"INSERT INTO {table} ({', '.join(_COLUMNS[table])}) {select}")
    lean.execute(f"DELETE FROM daily_latencies WHERE day NOT IN {_GONE}")
    add_latencies(lean, latencies(lean))
