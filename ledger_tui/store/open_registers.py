"""Registers and heads of which several facts stand beside each other, kept as rows, so that what people have to decide is read
without reading histories; and what a new fact names as seen.

While nobody wrote at once there are no rows, and a new fact names the one before it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlmodel import Session as Session
from sqlmodel import col, or_, select

from ledger_tui.domain.sync.registers import ARCHIVED as ARCHIVED
from ledger_tui.domain.sync.registers import REGISTERS, lineage_of, outcome
from ledger_tui.domain.tables import JournalEntry, OpenRegister, PromptState

COUNTING = or_(col(JournalEntry.commit_seq).is_(None), col(JournalEntry.commit_seq) >= 0)
"""Facts that were not set aside."""


# What a new fact names


class Standing(NamedTuple):
    """What a version written now stands on."""

    rids: list[str]
    """What its fact names."""
    versions: list[str]


def seen(session: Session, kind: str, prompt_id: str | None, field: str) -> list[str]:
    """Rids of the facts of a register that nobody superseded, the one that holds first."""
    row = session.get(OpenRegister, (prompt_id or "", kind, field))
    if row is not None:
        return list(dict.fromkeys([row.holder, *json.loads(row.candidates)]))
    last = session.exec(
        select(JournalEntry.rid)
        .where(JournalEntry.prompt_id == prompt_id, JournalEntry.kind == kind, JournalEntry.field == field, COUNTING)
        .order_by(col(JournalEntry.seq).desc())
        .limit(1)
    ).first()
    return [] if last is None else [last]


def heads(session: Session, prompt_id: str) -> list[tuple[str, str]]:
    """(rid, version id) of the facts of versions that nobody superseded."""
    row = session.get(OpenRegister, (prompt_id, "version", ""))
    of_version = select(JournalEntry.rid, JournalEntry.field).where(
        JournalEntry.prompt_id == prompt_id, JournalEntry.kind == "version", COUNTING
    )
    if row is None:
        last = session.exec(of_version.order_by(col(JournalEntry.seq).desc()).limit(1)).first()
        return [] if last is None else [(last[0], last[1])]
    candidates: list[str] = json.loads(row.candidates)
    found = dict(session.exec(of_version.where(col(JournalEntry.rid).in_(candidates))).all())
    return [(rid, found[rid]) for rid in candidates if rid in found]


def standing(session: Session, prompt_id: str, based_on: str | None) -> Standing:
    """What a version edited from ``based_on`` stands on: the newest; of several heads only its own."""
    on = heads(session, prompt_id)
    state = session.get(PromptState, prompt_id)
    if len({version_id for _, version_id in on}) > 1:
        facts = session.exec(
            select(JournalEntry).where(JournalEntry.prompt_id == prompt_id, JournalEntry.kind == "version", COUNTING)
        ).all()
        line = lineage_of(facts).line_of(based_on, None if state is None else state.active_version_id)
        on = [(rid, version_id) for rid, version_id in on if rid in line]
    archived = seen(session, ARCHIVED[0], prompt_id, ARCHIVED[1]) if state is not None and state.archived else []
    return Standing([*(rid for rid, _ in on), *archived], [version_id for _, version_id in on])


def refresh(session: Session, fact: JournalEntry) -> None:
    """Bring the rows up to one more fact, which named what it saw: where there are none, it leaves none."""
    if fact.kind not in (*REGISTERS, "version"):
        return
    rows = select(OpenRegister).where(OpenRegister.prompt_id == (fact.prompt_id or ""))
    facts = select(JournalEntry).where(JournalEntry.prompt_id == fact.prompt_id, COUNTING)
    if fact.prompt_id is None:
        rows = rows.where(OpenRegister.kind == fact.kind, OpenRegister.field == fact.field)
        facts = facts.where(JournalEntry.kind == fact.kind, JournalEntry.field == fact.field)
    standing = session.exec(rows).all()
    if not standing:
        return
    for row in standing:
        session.delete(row)
    session.flush()
    session.add_all(OpenRegister(**row._asdict()) for row in outcome(session.exec(facts).all()).rows)
    session.flush()


# Taking back


def value_without(session: Session, fact: JournalEntry) -> tuple[str | None, bool]:
    """The value (JSON text) that a register of ``fact`` has when that is taken back, and whether it is what others wrote.

    Beside others, or with others' facts above it, what they said stays; else it is the value before, None for none.
    """
    found = seen(session, fact.kind, fact.prompt_id, fact.field)
    standing = _values(session, fact, found)
    if fact.rid in standing:
        others = [value for rid, value in standing.items() if rid != fact.rid]
        if others:
            return (others[0] if found[0] != fact.rid else others[-1]), True
    elif standing and (above := next(iter(standing.values()))) != fact.value:
        return above, True
    return next(iter(_values(session, fact, json.loads(fact.base)).values()), None), False


def _values(session: Session, fact: JournalEntry, rids: Sequence[str]) -> dict[str, str]:
    """Values by rid of the facts of one register among ``rids``, in this order."""
    found = session.exec(
        select(JournalEntry.rid, JournalEntry.value).where(
            col(JournalEntry.rid).in_(rids), JournalEntry.kind == fact.kind, JournalEntry.field == fact.field
        )
    ).all()
    values = {rid: value for rid, value in found}  # noqa: C416 - rows are tuples to mypy only this way
    return {rid: values[rid] for rid in rids if rid in values}
