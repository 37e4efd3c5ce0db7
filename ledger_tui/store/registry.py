"""Writing registry facts: prompts, versions and the journal, each in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session as Session
from sqlmodel import col, func, select

from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.domain.registry_fold import RegistryFact
from ledger_tui.domain.sync.bodies import version_value
from ledger_tui.domain.tables import InputSet, JournalEntry, Label, Prompt, PromptState, PromptVersion, VersionNumber
from ledger_tui.domain.values import ACTIVE
from ledger_tui.errors import NameRefused, NotFound
from ledger_tui.store import folds, open_registers
from ledger_tui.store.facts import digest
from ledger_tui.store.session_lean import lean_of

UNDOABLE = ("label", "field", "inputs", "price", "budget")
"""Kinds of facts that can be taken back; a version or a charge stays."""
_FOLDS = (InputSet, Label, PromptState, VersionNumber)


@dataclass(frozen=True, slots=True)
class Pen:
    """Who writes: one action of one person on one device."""

    actor: str
    device: str
    action: str
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What is remembered of a version beside its content."""

    author: str
    message: str = ""
    base_version_id: str | None = None
    git_commit: str | None = None
    git_path: str | None = None
    git_dirty: bool | None = None


def append(
    session: Session,
    pen: Pen,
    kind: str,
    prompt_id: str | None,
    field: str,
    value: Any,
    *,
    reason: str = "",
    rid: str | None = None,
    base: Sequence[str] | None = None,
) -> JournalEntry:
    """Append one fact and fold it into the derived tables.

    rid: the fact's id when it is decided already. base: the facts it names as seen, by default all that stand in its register.
    """
    body = canonical_json(value)
    named = canonical_json(list(_seen(session, kind, prompt_id, field, value) if base is None else base))
    rid = rid or ids.new_id()
    fact = JournalEntry(
        rid=rid,
        kind=kind,
        prompt_id=prompt_id,
        field=field,
        value=body,
        base=named,
        action=pen.action,
        undoes=pen.undoes,
        actor=pen.actor,
        device=pen.device,
        at_us=clock.now_us(),
        reason=reason,
        hash=digest(kind, rid, prompt_id, field, body, named),
    )
    session.add(fact)
    session.flush()
    folds.apply(lean_of(session), _folding(fact))
    for held in session:
        if isinstance(held, _FOLDS):
            session.expire(held)
    open_registers.refresh(session, fact)
    return fact


def _folding(fact: JournalEntry) -> RegistryFact:
    assert fact.seq is not None
    return RegistryFact(
        fact.rid, fact.kind, fact.prompt_id, fact.field, fact.value, fact.base, fact.actor, fact.at_us, fact.commit_seq,
        fact.seq, fact.device,
    )  # fmt: skip


def _seen(session: Session, kind: str, prompt_id: str | None, field: str, value: Any) -> list[str]:
    """What a new fact of a register names: its candidates; an archiving also the versions that it puts away."""
    found = open_registers.seen(session, kind, prompt_id, field)
    if (kind, field) == open_registers.ARCHIVED and value is True and prompt_id is not None:
        found += [rid for rid, _ in open_registers.heads(session, prompt_id) if rid not in found]
    return found


def find_prompt(session: Session, name: str) -> Prompt | None:
    """The prompt of this name, or None."""
    return session.get(Prompt, ids.prompt_id(name))


def need_prompt(session: Session, name: str) -> Prompt:
    """The prompt of this name; raises NotFound."""
    prompt = find_prompt(session, name)
    if prompt is None:
        raise NotFound(f"there is no prompt named {name}", title="No such prompt")
    return prompt


def create_prompt(session: Session, name: str, actor: str) -> Prompt:
    """A new prompt; raises NameRefused when a name differs from it in case only."""
    folded = name.lower()
    twin = session.exec(select(Prompt.name).where(Prompt.folded_name == folded)).first()
    if twin is not None:
        raise NameRefused(f"{twin} exists and differs in case only", remedy="Choose a name that nobody can confuse.")
    prompt = Prompt(id=ids.prompt_id(name), name=name, folded_name=folded, created_us=clock.now_us(), created_by=actor)
    session.add(prompt)
    session.flush()
    return prompt


def add_version(session: Session, pen: Pen, prompt: Prompt, content: PromptContent, origin: Origin) -> tuple[str, bool]:
    """Id of the version with this content, and whether it is new (then with its fact in the journal)."""
    version_id = ids.version_id(prompt.id, content.sha256)
    if session.get(PromptVersion, version_id) is not None:
        return version_id, False
    return join(session, pen, prompt, content, origin, None), True


def join(
    session: Session,
    pen: Pen,
    prompt: Prompt,
    content: PromptContent,
    origin: Origin,
    on: open_registers.Standing | None,
) -> str:
    """Write a version's fact, and the version when its content is new; its id.

    on: what it stands on, such as several heads that it joins; None: the newest, of several heads only its own.
    """
    version_id = ids.version_id(prompt.id, content.sha256)
    if session.get(PromptVersion, version_id) is None:
        session.add(
            PromptVersion(
                id=version_id,
                prompt_id=prompt.id,
                sha256=content.sha256,
                content=content.canonical,
                base_version_id=origin.base_version_id,
                author=origin.author,
                message=origin.message,
                git_commit=origin.git_commit,
                git_path=origin.git_path,
                git_dirty=origin.git_dirty,
                created_us=clock.now_us(),
            )
        )
        session.flush()
    on = on or open_registers.standing(session, prompt.id, origin.base_version_id)
    value = version_value(version_id, origin.base_version_id, on.versions)
    append(session, pen, "version", prompt.id, version_id, value, reason=origin.message, base=on.rids)
    return version_id


def label_target(session: Session, prompt_id: str, label: str) -> str | None:
    """The version id that a label points to, or None."""
    row = session.get(Label, (prompt_id, label))
    return None if row is None else row.version_id


def active_target(session: Session, prompt_id: str) -> str | None:
    """The version id that the name alone means, or None."""
    return label_target(session, prompt_id, ACTIVE)


def register_value(session: Session, kind: str, prompt_id: str, field: str) -> Any:
    """The present value of a label, field or input set; None when there is none."""
    if kind == "label":
        return label_target(session, prompt_id, field)
    if kind == "inputs":
        kept = session.get(InputSet, (prompt_id, field))
        return None if kept is None else json.loads(kept.variables)
    state = session.get(PromptState, prompt_id)
    value = None if state is None else getattr(state, field)
    return json.loads(value) if field == "tags" and value else value


def version_number(session: Session, version_id: str) -> int:
    """The number of a version; raises NotFound."""
    row = session.get(VersionNumber, version_id)
    if row is None:
        raise NotFound("there is no such version", title="No such version")
    return row.number


def last_undoable(session: Session, device: str) -> str | None:
    """The newest action of this device that is neither an undo nor undone, or None."""
    undone = select(JournalEntry.undoes).where(col(JournalEntry.undoes).is_not(None))
    return session.exec(
        select(JournalEntry.action)
        .where(
            JournalEntry.device == device,
            col(JournalEntry.undoes).is_(None),
            col(JournalEntry.action).not_in(undone),
            JournalEntry.kind.in_(UNDOABLE),  # type: ignore[attr-defined]
        )
        .order_by(col(JournalEntry.seq).desc())
        .limit(1)
    ).first()


def charged_since(session: Session, device: str, action: str | None) -> bool:
    """Whether this device priced calls late after its ``action`` (None: at all)."""
    since = select(func.max(JournalEntry.seq)).where(JournalEntry.action == action).scalar_subquery()
    wanted = select(JournalEntry.seq).where(JournalEntry.device == device, JournalEntry.kind == "pricing")
    return session.exec(wanted if action is None else wanted.where(col(JournalEntry.seq) > since)).first() is not None


def facts_of(session: Session, action: str) -> list[JournalEntry]:
    """The facts of one action, newest first."""
    return list(
        session.exec(
            select(JournalEntry).where(JournalEntry.action == action).order_by(col(JournalEntry.seq).desc())
        ).all()
    )


def value_before(session: Session, fact: JournalEntry) -> tuple[Any, bool]:
    """What a register is to hold when this fact is taken back (None: nothing), and whether that is what others wrote."""
    value, theirs = open_registers.value_without(session, fact)
    return (None if value is None else json.loads(value)), theirs
