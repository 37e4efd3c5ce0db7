"""Registry facts as records, and records as registry facts: the journal's side of a sync.

A record made from a fact that was taken from a record has the same bytes, so any ledger can hand on any fact. A fact of a
newer release is a row too, of a kind that nothing folds (``label@2``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlmodel import Session as Session
from sqlmodel import col, select

from ledger_tui.domain import ids
from ledger_tui.domain.sync import bodies, records
from ledger_tui.domain.sync.meaning import fact_fault
from ledger_tui.domain.sync.records import Delivered, Record
from ledger_tui.domain.tables import JournalEntry, Prompt, PromptVersion
from ledger_tui.errors import LedgerError
from ledger_tui.store import folds, search_index
from ledger_tui.store.registry import create_prompt, digest

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean, Row

_FACT = ("rid", "kind", "field", "value", "base", "action", "undoes", "actor", "device", "at_us", "reason", "extra")
_VERSION = ("content", "author", "message", "git_commit", "git_path", "git_dirty", "created_us", "base_version_id")
_OF_PROMPTS = ("version", "label", "field", "inputs")
_SELECT = f"""
SELECT j.seq, p.name, {", ".join("j." + name for name in _FACT)}, {", ".join("v." + name for name in _VERSION)}
FROM journal j LEFT JOIN prompts p ON p.id = j.prompt_id
LEFT JOIN prompt_versions v ON j.kind = 'version' AND v.id = j.field
"""


@dataclass
class Taken:
    """What became of facts from elsewhere."""

    new: int = 0
    known: int = 0
    unread: int = 0
    """Of the new ones those of a newer release."""
    refused: list[tuple[Delivered, str]] = field(default_factory=list)
    """Facts that cannot be taken, and why; they are not in the journal."""


Standing = Literal["counting", "waiting", "accepted"]
_STANDING: dict[Standing, str] = {
    "counting": "(j.commit_seq IS NULL OR j.commit_seq >= 0)",
    "waiting": "j.commit_seq IS NULL",
    "accepted": "j.commit_seq >= 0",
}


def facts_after(lean: Lean, seq: int, limit: int, standing: Standing = "counting") -> list[tuple[int, Record]]:
    """(place, record) of registry facts with places above ``seq``, in order.

    standing: only those that no server has (``waiting``) or that one has (``accepted``); else all that were not set aside.
    """
    sql = f"{_SELECT}WHERE j.seq > :seq AND {_STANDING[standing]} ORDER BY j.seq LIMIT :limit"
    return [(int(row[0]), _record(row)) for row in lean.fetch(sql, {"seq": seq, "limit": limit})]


def _record(row: Row) -> Record:
    name, fact = row[1], dict(zip(_FACT, row[2:], strict=False))
    version = None
    if fact["kind"] == "version":
        version = _plain_version(dict(zip(_VERSION, row[2 + len(_FACT) :], strict=True)))
    body = bodies.whole(bodies.journal_content(fact, name, version), fact["extra"])
    return Record("meta", fact["rid"], fact["kind"].partition("@")[0], body)


def _plain_version(version: dict[str, Any]) -> dict[str, Any]:
    dirty = version["git_dirty"]
    return {**version, "git_dirty": None if dirty is None else bool(dirty)}


def take(session: Session, rows: Sequence[Delivered]) -> Taken:
    """Write registry facts from elsewhere in the caller's transaction, and fold the prompts they touch anew.

    A fact that is here gets its number. Facts must come in their order; one that cannot be taken holds up no other.
    """
    taken = Taken()
    touched: set[str] = set()
    shared = False
    for row in rows:
        why = records.fault(row.record, row.hash)
        fact = None
        if why is None:
            fact, why = _take_one(session, row, taken)
        if fact is None:
            taken.refused.append((row, why or ""))
        elif fact.prompt_id is None:
            shared = True
        else:
            touched.add(fact.prompt_id)
    session.flush()
    folds.refold(session, touched, shared=shared)
    for prompt_id in sorted(touched):
        search_index.refresh_prompt(session, prompt_id)
    return taken


def _take_one(session: Session, row: Delivered, taken: Taken) -> tuple[JournalEntry | None, str | None]:
    record = row.record
    mine = session.exec(select(JournalEntry).where(JournalEntry.rid == record.rid)).first()
    if mine is not None:
        if _written(session, mine) != record:
            return None, "this ledger has another record of this id"
        # A number holds until it is forgotten (a resync): a server that gives another one meanwhile is wrong.
        mine.commit_seq = mine.commit_seq if (mine.commit_seq or 0) > 0 else row.seq
        session.add(mine)
        taken.known += 1
        return mine, None
    known = records.is_known(record)
    why = fact_fault(record) if known else None
    if why is not None:
        return None, why
    content = record.content()
    columns, version_columns = bodies.journal_row(content)
    try:
        prompt = _prompt(session, content["prompt"] if known and record.kind in _OF_PROMPTS else None, columns)
    except LedgerError as error:
        return None, error.cause
    why = _unmet(session, record.kind, prompt, columns) if known else None
    if why is not None:
        return None, why
    version = None
    if known and prompt is not None and version_columns is not None:
        version = _version(session, prompt, columns["field"], version_columns)
    kind = record.kind if known else f"{record.kind}@{content['rv']}"
    made = bodies.journal_content(columns, None if prompt is None else prompt.name, version)
    prompt_id = None if prompt is None else prompt.id
    fact = JournalEntry(
        rid=record.rid,
        kind=kind,
        prompt_id=prompt_id,
        hash=digest(kind, record.rid, prompt_id, columns["field"], columns["value"], columns["base"]),
        commit_seq=row.seq,
        extra=bodies.residue(content, made),
        **columns,
    )
    session.add(fact)
    session.flush()
    taken.new += 1
    taken.unread += not known
    return fact, None


def _written(session: Session, fact: JournalEntry) -> Record:
    """The record of a fact that is here."""
    prompt = None if fact.prompt_id is None else session.get_one(Prompt, fact.prompt_id)
    version = session.get(PromptVersion, fact.field) if fact.kind == "version" else None
    row = None if version is None else {name: getattr(version, name) for name in _VERSION}
    columns = {name: getattr(fact, name) for name in _FACT}
    made = bodies.journal_content(columns, None if prompt is None else prompt.name, row)
    return Record("meta", fact.rid, fact.kind.partition("@")[0], bodies.whole(made, fact.extra))


def _prompt(session: Session, name: str | None, columns: dict[str, Any]) -> Prompt | None:
    """The prompt of a fact, made now if it is new here; raises NameRefused where one differs in case only."""
    if name is None:
        return None
    prompt = session.get(Prompt, ids.prompt_id(name))
    if prompt is None:
        prompt = create_prompt(session, name, columns["actor"])
        prompt.created_us = columns["at_us"]
        session.add(prompt)
    return prompt


def _unmet(session: Session, kind: str, prompt: Prompt | None, columns: dict[str, Any]) -> str | None:
    """What has to be here before a fact and is not."""
    if kind != "label" or columns["value"] == "null":
        return None
    version_id = columns["value"].strip('"')
    found = session.exec(select(PromptVersion.prompt_id).where(col(PromptVersion.id) == version_id)).first()
    return None if prompt is not None and found == prompt.id else "it points to a version that is not here"


def _version(session: Session, prompt: Prompt, version_id: str, columns: dict[str, Any]) -> dict[str, Any]:
    """The row of a version, written now if it is new here: its first writer stays its author."""
    from ledger_tui.domain.content import PromptContent

    version = session.get(PromptVersion, version_id)
    if version is None:
        sha256 = PromptContent.from_json(columns["content"]).sha256
        version = PromptVersion(id=version_id, prompt_id=prompt.id, sha256=sha256, **columns)
        session.add(version)
        session.flush()
    return {name: getattr(version, name) for name in _VERSION}
