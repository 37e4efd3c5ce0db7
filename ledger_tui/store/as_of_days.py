"""What the sums of days were otherwise at a moment: calls that ended later, prices and renders that came later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.percentiles import Counts, merge, pack, unpack
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.store.day_sums import CALL_KEYS, CALL_SUMS, COST_KEYS, PARTY_KEYS, USE_KEYS, CallKey, Sums, day_of

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean, Row

DAY_US = 86_400_000_000
_TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_FIELDS = (
    "name", "kind", "status", "started_us", "duration_us", "provider", "model", "prompt_id", "version_id", "cost_nusd",
    "unpriced", "environment", "session_id", "user_identifier", "first_token_us",
)  # fmt: skip
_CALLS = "s.model IS NOT NULL AND s.status IN ('succeeded', 'failed', 'canceled')"
_PICKED = ", ".join(f"s.{name}" for name in (*_FIELDS, *_TOKENS))


def differences(lean: Lean, base: str, at_us: int, late: str, touched: str) -> dict[str, list[dict[str, Any]]]:
    """Rows by table of sums: what to add to the real ones; for ``daily_latencies`` rows that stand in for the real ones.

    base: the schema of the real tables. late: the table with the keys (``span_key``) of calls that were priced later.
    touched: the table with the ids of traces that began before the moment and went on after it.
    """
    sums = Sums()
    for span in _not_yet_ended(lean, base, at_us, touched):
        sums.add(span, -1)
    _unprice(lean, sums, f"{late} l CROSS JOIN {base}.spans s WHERE s.id = l.span_key AND {_CALLS}", at_us)
    return {
        "daily_costs": _rows(COST_KEYS, sums.costs),
        "daily_parties": _rows(PARTY_KEYS, sums.parties),
        "daily_uses": _later_uses(lean, base, at_us),
        "daily_latencies": _latencies(lean, base, sums.latencies),
    }


def _not_yet_ended(lean: Lean, base: str, at_us: int, touched: str) -> Iterator[SpanRecord]:
    """Calls of the moment's day and the days before that ended after it, from the traces that went on after it."""
    midnight_us = (at_us // DAY_US + 1) * DAY_US
    for traces in (
        f"{touched} x CROSS JOIN {base}.spans s WHERE s.trace_key = x.id",
        f"{base}.traces t CROSS JOIN {base}.spans s WHERE s.trace_key = t.id "
        f"AND t.started_us > {at_us} AND t.started_us < {midnight_us}",
    ):
        yield from _spans(
            lean,
            f"{traces} AND s.started_us < {midnight_us} AND s.started_us + COALESCE(s.duration_us, 0) > {at_us} AND {_CALLS}",
        )


def _unprice(lean: Lean, sums: Sums, late: str, at_us: int) -> None:
    """Take the cost of calls away that had ended and were priced later; they count as unpriced."""
    cost, unpriced = CALL_SUMS.index("cost_nusd"), CALL_SUMS.index("unpriced")
    ended = f"s.started_us + COALESCE(s.duration_us, 0) <= {at_us}"
    keys = [f"COALESCE(s.{name}, '')" for name in CALL_KEYS]
    for into, kind, names in (
        (sums.costs, (), keys),
        (sums.parties, ("user",), ["s.user_identifier"]),
        (sums.parties, ("session",), ["s.session_id"]),
    ):
        grouped = ", ".join([f"s.started_us / {DAY_US}", *names])
        places = ", ".join(str(n + 1) for n in range(len(names) + 1))
        for day, *found, count, spent in lean.fetch(
            f"SELECT {grouped}, COUNT(*), COALESCE(SUM(s.cost_nusd), 0) "
            f"FROM {late} AND {ended} AND {names[0]} IS NOT NULL GROUP BY {places}"
        ):
            row = into.setdefault((*kind, day_of(int(day) * DAY_US), *found), [0] * len(CALL_SUMS))
            row[cost] -= int(spent)
            row[unpriced] += int(count)


def _spans(lean: Lean, source: str) -> Iterator[SpanRecord]:
    for row in lean.fetch(f"SELECT {_PICKED} FROM {source}"):
        fields = dict(zip(_FIELDS, row[: len(_FIELDS)], strict=True))
        yield SpanRecord(
            "-", "-", **{**fields, "unpriced": bool(fields["unpriced"])}, tokens=TokenUsage(*row[len(_FIELDS) :])
        )


def _rows(keys: Sequence[str], sums: Mapping[tuple[str, ...], Sequence[int]]) -> list[dict[str, Any]]:
    names = (*keys, *CALL_SUMS)
    return [dict(zip(names, (*key, *row), strict=True)) for key, row in sorted(sums.items()) if any(row)]


def _later_uses(lean: Lean, base: str, at_us: int) -> list[dict[str, Any]]:
    """The renders of the moment's day after it, as negative counts. Asked by prompt, for so the renders are indexed."""
    midnight_us = (at_us // DAY_US + 1) * DAY_US
    between = f"u.created_us > {at_us} AND u.created_us < {midnight_us}"
    names = "COALESCE(u.prompt_id, ''), COALESCE(u.version_id, ''), u.environment"
    found: list[Row] = []
    for source in (
        f"{base}.prompts p JOIN {base}.usages u ON u.prompt_id = p.id WHERE {between}",
        f"{base}.usages u WHERE u.prompt_id IS NULL AND {between}",
    ):
        found += lean.fetch(f"SELECT {names}, COUNT(*) FROM {source} GROUP BY 1, 2, 3")
    day = day_of(at_us)
    return [dict(zip((*USE_KEYS, "uses"), (day, *key, -int(count)), strict=True)) for *key, count in found]


def _latencies(
    lean: Lean, base: str, later: Mapping[tuple[str, CallKey], tuple[Counts, Counts]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    match = " AND ".join(f"k.{name} = :{name}" for name in CALL_KEYS)
    for (day, key), (lasted, first) in sorted(later.items()):
        if not any((*lasted.values(), *first.values())):
            continue
        row = lean.one(
            "SELECT l.key_id, l.latency_lowest, l.latency_counts, l.first_lowest, l.first_counts "
            f"FROM {base}.daily_latencies l JOIN {base}.call_keys k ON k.id = l.key_id WHERE l.day = :day AND {match}",
            {"day": day, **dict(zip(CALL_KEYS, key, strict=True))},
        )
        if row is not None:
            packed = (*pack(merge((unpack(*row[1:3]), lasted))), *pack(merge((unpack(*row[3:5]), first))))
            names = ("day", "key_id", "latency_lowest", "latency_counts", "first_lowest", "first_counts")
            rows.append(dict(zip(names, (day, row[0], *packed), strict=True)))
    return rows
