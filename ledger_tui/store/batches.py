"""Writing several prompts in the caller's one transaction: all of them are there afterwards, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.tables import Prompt
from ledger_tui.domain.values import ACTIVE
from ledger_tui.store import registry as writes
from ledger_tui.store import search_index
from ledger_tui.store.registry import Origin, Pen
from ledger_tui.store.session_lean import lean_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A prompt as it is to be: its content becomes the active version, its fields (description, mode ...) are set."""

    name: str
    content: PromptContent
    fields: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    git_commit: str | None = None
    git_path: str | None = None
    git_dirty: bool | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What writing an entry did. ``previous``: the number of the version that was active before, None for a new prompt."""

    name: str
    version_id: str
    number: int
    previous: int | None
    created: bool
    fields_changed: bool


def write(session: Session, pen: Pen, entries: Sequence[Entry]) -> list[Written]:
    """Bring each prompt to its entry, in order; what is so already writes no fact. Raises NameRefused, ContentRefused."""
    return [_write_one(session, pen, entry) for entry in entries]


def _write_one(session: Session, pen: Pen, entry: Entry) -> Written:
    known = writes.find_prompt(session, entry.name)
    prompt = known or writes.create_prompt(session, entry.name, pen.actor)
    before = writes.active_target(session, prompt.id)
    origin = Origin(pen.actor, entry.message, before, entry.git_commit, entry.git_path, entry.git_dirty)
    version_id, created = writes.add_version(session, pen, prompt, entry.content, origin)
    if before != version_id:
        writes.append(session, pen, "label", prompt.id, ACTIVE, version_id)
    fields_changed = _set_fields(session, pen, prompt, entry.fields, is_new=known is None)
    search_index.refresh_prompt(lean_of(session), prompt.id)
    previous = None if before is None else writes.version_number(session, before)
    number = writes.version_number(session, version_id)
    return Written(entry.name, version_id, number, previous, created, fields_changed)


def _set_fields(session: Session, pen: Pen, prompt: Prompt, fields: Mapping[str, Any], *, is_new: bool) -> bool:
    wanted = dict(fields) if is_new else {"archived": False, **fields}
    changed = False
    for name, value in wanted.items():
        if writes.register_value(session, "field", prompt.id, name) != value:
            writes.append(session, pen, "field", prompt.id, name, value)
            changed = True
    return changed
