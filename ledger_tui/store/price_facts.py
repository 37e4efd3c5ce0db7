"""Writing own prices: each change of an entry is a fact of the journal, in the caller's transaction.

An entry's id is the fact that entered it; a later fact of the same id says what it is from then on, or (null) that it was
withdrawn. What calls were charged stays.
"""

from __future__ import annotations

import json
from dataclasses import replace

from sqlmodel import Session as Session
from sqlmodel import select

from ledger_tui.domain import ids
from ledger_tui.domain.price_entries import PriceSpec, from_value, iso, shown_range
from ledger_tui.domain.tables import JournalEntry, PriceEntry
from ledger_tui.errors import Conflict
from ledger_tui.store import registry
from ledger_tui.store.prices import spec_of
from ledger_tui.store.registry import Pen

KIND = "price"


def find(session: Session, rid: str) -> PriceSpec | None:
    """What the entry of this id says, None when there is none (any more)."""
    row = session.get(PriceEntry, rid)
    return None if row is None else _spec(row)


def of_model(session: Session, provider: str, model: str) -> list[tuple[str, PriceSpec]]:
    """The (id, entry) pairs of a model, earliest first."""
    rows = session.exec(select(PriceEntry).where(PriceEntry.provider == provider, PriceEntry.model == model)).all()
    return [(row.rid, _spec(row)) for row in sorted(rows, key=lambda row: (row.from_us, row.rid))]


def add(session: Session, pen: Pen, spec: PriceSpec, reason: str) -> tuple[str, bool, list[str]]:
    """Enter a price: its id, whether it is new, and the ids of open entries that it ended.

    The same price from the same moment is there already. Raises Conflict where it would hold at the same time as another.
    """
    ended = []
    for rid, other in of_model(session, spec.provider, spec.model):
        if spec.same_price(other) and spec.until_us in (None, other.until_us):
            return rid, False, []
        if other.until_us is None and other.from_us < spec.from_us:
            ended.append((rid, other))
        elif spec.overlaps(other):
            raise _overlap(spec, rid, other)
    for rid, other in ended:
        write(session, pen, rid, replace(other, until_us=spec.from_us), f"ended by a price from {iso(spec.from_us)}")
    rid = ids.new_id()
    registry.append(session, pen, KIND, None, rid, spec.value(), reason=reason, rid=rid)
    return rid, True, [rid for rid, _ in ended]


def write(session: Session, pen: Pen, rid: str, spec: PriceSpec | None, reason: str) -> None:
    """Say what an entry is from now on (None: withdrawn); raises Conflict where it would overlap another."""
    if spec is not None:
        for other_rid, other in of_model(session, spec.provider, spec.model):
            if other_rid != rid and spec.overlaps(other):
                raise _overlap(spec, other_rid, other)
    registry.append(session, pen, KIND, None, rid, None if spec is None else spec.value(), reason=reason)


def take_back(session: Session, pen: Pen, fact: JournalEntry) -> str:
    """Append the opposite of a price fact and say it in words; raises Conflict when another price took the place."""
    value, theirs = registry.value_before(session, fact)
    before = None if value is None else from_value(value)
    now = find(session, fact.field)
    write(session, pen, fact.field, before, "")
    if theirs:
        return f"{from_value(json.loads(fact.value) or value).name}: what others entered meanwhile stays"
    if before is None:
        name = now.name if now is not None else from_value(json.loads(fact.value)).name
        return f"{name}: the price is withdrawn"
    return f"{before.name}: the price holds {shown_range(before.from_us, before.until_us)} again"


def _spec(row: PriceEntry) -> PriceSpec:
    return spec_of(row.provider, row.model, row.prices, row.from_us, row.until_us, row.source)


def _overlap(spec: PriceSpec, rid: str, other: PriceSpec) -> Conflict:
    if spec.from_us == other.from_us:
        remedy = f"Withdraw that one first ({rid}), or let the new one begin later."
    elif spec.until_us is None and spec.from_us < other.from_us:
        remedy = f"Let the new one end at {iso(other.from_us)}, or withdraw the other ({rid}) first."
    else:
        remedy = f"End or withdraw that one first ({rid}), or choose another time."
    return Conflict(
        f"{other.name} has a price {shown_range(other.from_us, other.until_us)} already, "
        f"this one would hold {shown_range(spec.from_us, spec.until_us)}",
        title="Two prices would hold at the same time",
        remedy=remedy,
    )
