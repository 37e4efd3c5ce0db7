"""Folds: how each registry fact changes the derived tables, and how those are rebuilt from the journal alone.

Appending and rebuilding run the same code, so a rebuilt table equals the maintained one. The order of facts is that of the
shared server, and after it the local order of those that it has not accepted (all of them, where there is no server). Facts
that were set aside (``store/sync_log.py``) count for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlmodel import Session, col, delete, func, select

from ledger_tui.domain.budgets import from_value
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.tables import (
    Budget,
    InputSet,
    JournalEntry,
    Label,
    OpenRegister,
    PriceEntry,
    Prompt,
    PromptState,
    PromptVersion,
    VersionNumber,
)
from ledger_tui.domain.values import ACTIVE
from ledger_tui.store import open_registers

STATE_FIELDS = ("description", "tags", "team", "archived", "mode")


def apply(session: Session, fact: JournalEntry, *, stands: bool = True) -> None:
    """Bring the derived tables up to one more fact; facts of unknown kinds change nothing.

    stands: False for a fact of a register whose value another fact keeps from holding.
    """
    if fact.kind == "price" and stands:
        _price(session, fact, json.loads(fact.value))
    elif fact.kind == "budget" and stands:
        _budget(session, fact, json.loads(fact.value))
    if fact.prompt_id is None:
        return
    state = _state(session, fact)
    state.updated_us = max(state.updated_us, fact.at_us)
    value = json.loads(fact.value)
    if fact.kind == "version":
        _number(session, state, fact.field)
    elif fact.kind == "label" and stands:
        _label(session, state, fact, value)
    elif fact.kind == "field" and stands and fact.field in STATE_FIELDS:
        setattr(state, fact.field, json.dumps(value) if fact.field == "tags" else value)
    elif fact.kind == "inputs" and stands:
        _inputs(session, fact, value)
    session.add(state)
    session.flush()


def rebuild(session: Session) -> int:
    """Forget every derived registry row and replay the journal; returns the number of facts."""
    for table in (Label, InputSet, PromptState, VersionNumber, OpenRegister, PriceEntry, Budget):
        session.exec(delete(table))
    session.flush()
    session.expunge_all()
    return _replay(session, list(session.exec(_IN_ORDER).all()))


def refold(session: Session, prompt_ids: Collection[str], *, shared: bool) -> None:
    """Replay the facts of some prompts, and with ``shared`` those about no prompt: their order may have changed."""
    facts: list[JournalEntry] = []
    if shared:
        for table in (PriceEntry, Budget):
            session.exec(delete(table))
        session.exec(delete(OpenRegister).where(col(OpenRegister.prompt_id) == ""))
        facts += session.exec(_IN_ORDER.where(col(JournalEntry.prompt_id).is_(None))).all()
    wanted = sorted(prompt_ids)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        for fold in (Label, InputSet, PromptState, VersionNumber, OpenRegister):
            session.exec(delete(fold).where(fold.prompt_id.in_(chunk)))  # type: ignore[attr-defined]
        facts += session.exec(_IN_ORDER.where(col(JournalEntry.prompt_id).in_(chunk))).all()
    session.flush()
    session.expire_all()
    _replay(session, facts)


_IN_ORDER = (
    select(JournalEntry)
    .where(open_registers.COUNTING)
    .order_by(col(JournalEntry.commit_seq).is_(None), col(JournalEntry.commit_seq), col(JournalEntry.seq))
)
_CHUNK = 400


def _replay(session: Session, facts: Sequence[JournalEntry]) -> int:
    open_rows, kept_back = open_registers.outcome(facts)
    session.add_all(open_rows)
    # Versions first: their numbers depend on each other only, and a label may come before its version from elsewhere.
    for fact in sorted(facts, key=lambda fact: fact.kind != "version"):
        apply(session, fact, stands=fact.rid not in kept_back)
    return len(facts)


def _state(session: Session, fact: JournalEntry) -> PromptState:
    state = session.get(PromptState, fact.prompt_id)
    if state is None:
        prompt = session.get_one(Prompt, fact.prompt_id)
        state = PromptState(prompt_id=prompt.id, name=prompt.name, updated_us=fact.at_us)
        session.add(state)
        session.flush()
    return state


def _number(session: Session, state: PromptState, version_id: str) -> None:
    if session.get(VersionNumber, version_id) is not None:
        return
    highest = session.exec(
        select(func.max(VersionNumber.number)).where(VersionNumber.prompt_id == state.prompt_id)
    ).one()
    number = (highest or 0) + 1
    session.add(VersionNumber(version_id=version_id, prompt_id=state.prompt_id, number=number))
    state.version_count += 1
    state.latest_version_id, state.latest_number = version_id, number


def _label(session: Session, state: PromptState, fact: JournalEntry, version_id: str | None) -> None:
    label = session.get(Label, (state.prompt_id, fact.field))
    if version_id is None:
        if label is not None:
            session.delete(label)
    else:
        label = label or Label(prompt_id=state.prompt_id, label=fact.field, version_id=version_id, rid="", at_us=0)
        label.version_id, label.rid, label.actor, label.at_us = version_id, fact.rid, fact.actor, fact.at_us
        session.add(label)
    if fact.field == ACTIVE:
        _activate(session, state, version_id)


def _activate(session: Session, state: PromptState, version_id: str | None) -> None:
    state.active_version_id, state.active_number, state.model = version_id, 0, None
    if version_id is not None:
        state.active_number = session.get_one(VersionNumber, version_id).number
        state.model = PromptContent.from_json(session.get_one(PromptVersion, version_id).content).model


def _inputs(session: Session, fact: JournalEntry, variables: dict[str, Any] | None) -> None:
    kept = session.get(InputSet, (fact.prompt_id, fact.field))
    if variables is None:
        if kept is not None:
            session.delete(kept)
        return
    kept = kept or InputSet(prompt_id=fact.prompt_id or "", name=fact.field, variables="", rid="", at_us=0)
    kept.variables, kept.rid, kept.at_us = fact.value, fact.rid, fact.at_us
    session.add(kept)


def _price(session: Session, fact: JournalEntry, value: dict[str, Any] | None) -> None:
    """A price entry is what its last fact says; its id is the fact that entered it."""
    entry = session.get(PriceEntry, fact.field)
    if value is None:
        if entry is not None:
            session.delete(entry)
            session.flush()
        return
    entry = entry or PriceEntry(rid=fact.field, provider="", model="", prices="", from_us=0)
    entry.provider, entry.model = value["provider"], value["model"]
    entry.prices = json.dumps({"prices": value["prices"], "tiers": value.get("tiers", [])}, sort_keys=True)
    entry.from_us, entry.until_us, entry.source = value["from_us"], value["until_us"], value["source"]
    session.add(entry)
    session.flush()


def _budget(session: Session, fact: JournalEntry, value: dict[str, Any] | None) -> None:
    """A budget is what the last fact of its id says; its id is the fact that set it."""
    if value is None:
        session.exec(delete(Budget).where(col(Budget.rid) == fact.field))
        session.expire_all()
        return
    spec = from_value(value)
    scope = json.dumps(spec.scope(), sort_keys=True)
    limits = {"limit_nusd": spec.limit_nusd, "warn_percent": spec.warn_percent}
    session.merge(Budget(rid=fact.field, scope=scope, period=spec.period, **limits))
    session.flush()
