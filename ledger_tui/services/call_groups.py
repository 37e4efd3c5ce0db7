"""Reading the groups of a selection: from the sums of days, or call by call where those do not know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from ledger_tui.domain.call_stats import Breakdown, CallStats
from ledger_tui.domain.percentiles import Counts, percentile
from ledger_tui.domain.selection import GROUPINGS, PARTIES, Grouping, Selection
from ledger_tui.errors import InputError, NotFound
from ledger_tui.store import breakdowns, call_scan, latencies

if TYPE_CHECKING:
    from ledger_tui.store.breakdowns import Key, Sums, Wanted
    from ledger_tui.store.lean import Lean

Order = Literal["cost", "calls", "errors", "error_rate", "tokens", "unpriced", "p95", "first_p95", "key"]
ORDERS: tuple[Order, ...] = ("cost", "calls", "errors", "error_rate", "tokens", "unpriced", "p95", "first_p95", "key")
MEASURED_ORDERS: tuple[Order, ...] = ("p95", "first_p95")
"""Orders that need the percentiles of every group."""
_RANKS: dict[str, Callable[[CallStats], float]] = {
    "cost": lambda row: row.cost_nusd,
    "calls": lambda row: row.calls,
    "errors": lambda row: row.errors,
    "error_rate": lambda row: row.error_rate or 0.0,
    "tokens": lambda row: row.total_tokens,
    "unpriced": lambda row: row.unpriced,
    "p95": lambda row: row.p95_us or 0,
    "first_p95": lambda row: row.first_p95_us or 0,
}
_PARTY_ORDERS = {
    "cost": "SUM(cost_nusd) DESC",
    "calls": "SUM(calls) DESC",
    "errors": "SUM(errors) DESC",
    "error_rate": "SUM(errors) * 1.0 / SUM(calls) DESC",
    "tokens": "SUM(input_tokens) + SUM(output_tokens) DESC",
    "unpriced": "SUM(unpriced) DESC",
    "key": "party",
}


def wanted(lean: Lean, selection: Selection) -> Wanted:
    """The selection with the ids of what it names; raises NotFound."""
    found = breakdowns.wanted(lean, selection)
    if found is None:
        number = "" if selection.version is None else f" version {selection.version}"
        raise NotFound(f"there is no {selection.prompt}{number}", title="No such prompt")
    return found


def totals(lean: Lean, wanted: Wanted) -> CallStats:
    """All calls that are wanted, together."""
    if _is_counted_singly(wanted, None):
        found = _scanned(lean, wanted, None)
        return found[0] if found else CallStats((), "all", wanted.selection)
    sums = breakdowns.costs(lean, wanted, ())
    (measures,) = latencies.read(lean, wanted, [latencies.Sought(lambda _: [()])])
    return _stats((), "all", wanted.selection, sums.get((), ()), measures.get((), ({}, {})))


def _is_counted_singly(wanted: Wanted, by: Grouping | None) -> bool:
    selection = wanted.selection
    limited = selection.user is not None or selection.session is not None
    return limited or (by in PARTIES and bool(wanted.limits))


class Asked(NamedTuple):
    """A question for the groups of a selection."""

    by: Grouping
    order: Order
    limit: int


def asked_of(by: Grouping, order: Order | None, limit: int) -> Asked:
    """A question that can be answered; raises InputError."""
    if by not in GROUPINGS:
        raise InputError(f"calls are not grouped by {by}", remedy=f"Group by {', '.join(GROUPINGS)}.")
    order = order or ("key" if by == "day" else "cost")
    if order not in ORDERS:
        raise InputError(f"there is no order by {order}", remedy=f"Order by {', '.join(ORDERS)}.")
    return Asked(by, order, max(1, limit))


class _Groups(NamedTuple):
    """Groups in no order, those past the limit left out where the order needs no percentile."""

    asked: Asked
    rows: Sequence[CallStats]
    group_count: int
    ids: Sequence[Key] | None = None
    """Of each row, where its percentiles are still to be read."""

    def sought(self) -> latencies.Sought:
        """The latencies of the rows."""
        by = self.asked.by
        return latencies.Sought(breakdowns.group_of(by), by == "day", set(self.ids or ()))

    def in_order(self, measures: Mapping[Key, tuple[Counts, Counts]]) -> Breakdown:
        """The answer, with the percentiles of the latencies that were read."""
        rows = self.rows
        if self.ids is not None:
            rows = [_measured(row, measures.get(key, ({}, {}))) for row, key in zip(rows, self.ids, strict=True)]
        return Breakdown(self.asked.by, tuple(_in_order(rows, self.asked.order)[: self.asked.limit]), self.group_count)


def breakdowns_of(lean: Lean, wanted: Wanted, *asked: Asked, measured: bool = True) -> list[Breakdown]:
    """An answer to each question; the kept latencies are read once for all of them.

    measured: without, only orders by a percentile read latencies, and no other row has percentiles.
    """
    found = [_groups(lean, wanted, one) for one in asked]
    if not measured:
        found = [one if one.asked.order in MEASURED_ORDERS else one._replace(ids=None) for one in found]
    unmeasured = [groups for groups in found if groups.ids is not None]
    sought = [groups.sought() for groups in unmeasured]
    measures = iter(latencies.read(lean, wanted, sought) if sought else ())
    return [groups.in_order({} if groups.ids is None else next(measures)) for groups in found]


def _groups(lean: Lean, wanted: Wanted, asked: Asked) -> _Groups:
    by, order, limit = asked
    if _is_counted_singly(wanted, by):
        rows = _scanned(lean, wanted, by)
        return _Groups(asked, rows, len(rows))
    if by in PARTIES:
        sql = _PARTY_ORDERS.get(order)
        if sql is None:
            raise InputError(f"{by}s have no {order}", remedy=f"Order by {', '.join(_PARTY_ORDERS)}.")
        largest, count = breakdowns.largest_parties(lean, wanted, by, sql, limit)
        rows = [_stats(key, key[0], wanted.selection.narrowed(by, key), sums) for key, sums in largest.items()]
        return _Groups(asked, rows, count)
    sums = breakdowns.costs(lean, wanted, (by,))
    named = _namer(lean, by)
    rows = [_row(by, wanted.selection, key, named, of_key) for key, of_key in sums.items()]
    ids = dict(zip(map(id, rows), sums, strict=True))
    if order not in MEASURED_ORDERS:
        rows = _in_order(rows, order)[:limit]
    return _Groups(asked, rows, len(sums), [ids[id(row)] for row in rows])


def with_measures(lean: Lean, wanted: Wanted, found: Breakdown) -> Breakdown:
    """The same groups, users and sessions with the percentiles of their calls."""
    if found.by not in PARTIES or _is_counted_singly(wanted, found.by):
        return found
    exact = {row.key: row for row in _scanned(lean, wanted, found.by)}
    rows = [
        replace(
            row,
            p50_us=exact[row.key].p50_us,
            p95_us=exact[row.key].p95_us,
            first_p50_us=exact[row.key].first_p50_us,
            first_p95_us=exact[row.key].first_p95_us,
        )
        if row.key in exact
        else row
        for row in found.rows
    ]
    return replace(found, rows=tuple(rows))


def _in_order(rows: Sequence[CallStats], order: str) -> list[CallStats]:
    by_key = sorted(rows, key=lambda row: tuple((len(part), part) if part.isdigit() else (0, part) for part in row.key))
    return by_key if order == "key" else sorted(by_key, key=_RANKS[order], reverse=True)


def _namer(lean: Lean, by: Grouping) -> Callable[[Key], tuple[str, ...]]:
    """Gives a key of ids the key of names that people know."""
    if by not in ("prompt", "version"):
        return lambda key: key
    prompts, numbers = breakdowns.names(lean)

    def named(key: Key) -> tuple[str, ...]:
        prompt = prompts.get(key[0], "")
        return (prompt,) if by == "prompt" else (prompt, str(numbers.get(key[1], 0)))

    return named


def label_of(by: Grouping, key: tuple[str, ...]) -> str:
    """A key of names in words."""
    if by == "model":
        return "/".join(part for part in key if part)
    if by == "version":
        return "" if not key[0] else f"{key[0]} v{key[1]}" if key[1] != "0" else f"{key[0]} (unsaved)"
    return key[0]


def _row(
    by: Grouping, selection: Selection, ids: Key, named: Callable[[Key], tuple[str, ...]], sums: Sums
) -> CallStats:
    key = named(ids)
    return _stats(key, label_of(by, key), selection.narrowed(by, key), sums)


def _stats(
    key: tuple[str, ...],
    label: str,
    selection: Selection,
    sums: Sums,
    measures: tuple[Counts, Counts] = ({}, {}),
) -> CallStats:
    return _measured(CallStats(key, label, selection, *sums), measures)


def _measured(row: CallStats, measures: tuple[Counts, Counts]) -> CallStats:
    lasted, first = measures
    if not lasted and not first:
        return row
    return replace(
        row,
        p50_us=percentile(lasted, 0.5),
        p95_us=percentile(lasted, 0.95),
        first_p50_us=percentile(first, 0.5),
        first_p95_us=percentile(first, 0.95),
    )


def _scanned(lean: Lean, wanted: Wanted, by: Grouping | None) -> list[CallStats]:
    """Groups counted call by call; all together without a grouping."""
    found = _found_by_trace(lean, wanted, by)
    if found is None:
        found = call_scan.groups(lean, wanted, by, by_trace=False)
    named = _namer(lean, by) if by else None
    rows = []
    for ids, group in found.items():
        key = named(ids) if named else ()
        selection = wanted.selection.narrowed(by, key) if by else wanted.selection
        label = label_of(by, key) if by else "all"
        rows.append(
            replace(
                CallStats(key, label, selection, *group.sums),
                p50_us=call_scan.exact(group.lasted, 0.5),
                p95_us=call_scan.exact(group.lasted, 0.95),
                first_p50_us=call_scan.exact(group.first, 0.5),
                first_p95_us=call_scan.exact(group.first, 0.95),
            )
        )
    return rows


def _found_by_trace(lean: Lean, wanted: Wanted, by: Grouping | None) -> dict[Key, call_scan.Group] | None:
    """The groups as the traces of a user or session have them; None where those do not hold all its calls."""
    chosen = wanted.selection
    if not (chosen.user or chosen.session) or by in PARTIES:
        return None
    found = call_scan.groups(lean, wanted, by, by_trace=True)
    every, alone = found, wanted
    if wanted.limits or (chosen.user is not None and chosen.session is not None):
        party = {"user": chosen.user} if chosen.user else {"session": chosen.session}
        alone = breakdowns.Wanted(Selection(chosen.since, chosen.until, **party), None, None)
        every = call_scan.groups(lean, alone, None, by_trace=True)
    summed = breakdowns.parties(lean, alone, None).get((), (0,))
    return found if summed[0] == sum(group.sums[0] for group in every.values()) else None
