"""The registry: prompts, their versions, labels and fields; every change is a fact, and can be taken back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import ids, names
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import ACTIVE, InputSetRow, JournalRow, PromptRow, VersionRow
from ledger_tui.errors import InputError, NotFound
from ledger_tui.store import prompts as reads

if TYPE_CHECKING:
    from ledger_tui.domain.tables import JournalEntry, Prompt
    from ledger_tui.store.database import Database
    from ledger_tui.store.registry import Pen, Session

FIELDS: dict[str, type] = {"description": str, "tags": list, "team": str, "archived": bool, "mode": str}
MODES = ("full", "tracking")
_STAY_PRICED = "calls that were priced later stay priced, as a charge is a fact"
VersionRef = str | int | None


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What saving did.

    created: a version was written. moved: ``active`` was moved to a version that had this content already.
    Neither: this content is what is active.
    """

    prompt: PromptRow
    version: VersionRow
    created: bool
    prompt_created: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class PromptHit:
    """A prompt found by its text: the name, the active version's number, and a line around the match."""

    name: str
    number: int
    snippet: str


class RegistryService:
    """Prompts and everything known about them. Thread-safe; every call is one transaction."""

    def __init__(self, database: Database, *, author: Callable[[], str], device: Callable[[], str]) -> None:
        self._database = database
        self._author = author
        self._device = device

    # Reading

    def prompts(self, *, archived: bool = False) -> list[PromptRow]:
        """Every prompt by name; archived ones only when asked for."""
        with self._database.lean() as lean:
            return reads.prompts(lean, archived=archived)

    def prompt(self, name: str) -> PromptRow:
        """One prompt; raises NotFound."""
        with self._database.lean() as lean:
            row = reads.prompt(lean, ids.prompt_id(name))
        if row is None:
            raise NotFound(f"there is no prompt named {name}", title="No such prompt")
        return row

    def versions(self, name: str) -> list[VersionRow]:
        """The versions of a prompt, newest first; raises NotFound."""
        prompt = self.prompt(name)
        with self._database.lean() as lean:
            return reads.versions(lean, prompt.id)

    def version(self, name: str, ref: VersionRef = None) -> VersionRow:
        """One version by number (3, "3", "v3"), label or hash prefix; the active one for None. Raises NotFound."""
        return pick_version(self.versions(name), ref, name)

    def content(self, version_id: str) -> PromptContent:
        """The content of a version; raises NotFound."""
        with self._database.lean() as lean:
            text = reads.content(lean, version_id)
        if text is None:
            raise NotFound("there is no such version", title="No such version")
        return PromptContent.from_json(text)

    def version_owner(self, version_id: str) -> tuple[str, int]:
        """The prompt's name and the number of a version; raises NotFound."""
        with self._database.lean() as lean:
            owner = reads.version_owner(lean, version_id)
        if owner is None:
            raise NotFound("there is no such version", title="No such version")
        return owner

    def history(self, name: str | None = None, limit: int = 100) -> list[JournalRow]:
        """The newest facts, of one prompt or of all."""
        with self._database.lean() as lean:
            return reads.history(lean, ids.prompt_id(name) if name else None, limit)

    def input_sets(self, name: str) -> list[InputSetRow]:
        """The values kept for a prompt's variables, by name."""
        with self._database.lean() as lean:
            return reads.input_sets(lean, ids.prompt_id(name))

    def search(self, text: str, limit: int = 50) -> list[PromptHit]:
        """Prompts whose name, description or active text holds ``text``."""
        from ledger_tui.store import search_index

        with self._database.lean() as lean:
            search = search_index.scan_prompts if self._database.is_past else search_index.search_prompts
            return [PromptHit(*row) for row in search(lean, text, limit)]

    # Writing

    def save(
        self,
        name: str,
        content: PromptContent,
        *,
        message: str = "",
        author: str | None = None,
        based_on: str | None = None,
        description: str | None = None,
        labels: Sequence[str] = (),
        activate: bool = True,
    ) -> SaveResult:
        """Save content under a name: a new version, or none when this content is known.

        based_on: the version id it was written on, by default the active one. Raises NameRefused, ContentRefused.
        """
        from ledger_tui.store import registry as writes

        names.check_prompt_name(name)
        checked = [names.check_label(label) for label in labels]
        _ = content.sha256
        with self._database.session() as session:
            pen = self._pen(author)
            prompt = writes.find_prompt(session, name)
            prompt_created = prompt is None
            prompt = prompt or writes.create_prompt(session, name, pen.actor)
            active = writes.active_target(session, prompt.id)
            origin = writes.Origin(pen.actor, message, based_on or active)
            version_id, created = writes.add_version(session, pen, prompt, content, origin)
            moved = activate and active != version_id
            for label in [ACTIVE] * moved + checked:
                if writes.label_target(session, prompt.id, label) != version_id:
                    writes.append(session, pen, "label", prompt.id, label, version_id)
            if not prompt_created and writes.register_value(session, "field", prompt.id, "archived"):
                writes.append(session, pen, "field", prompt.id, "archived", False)
            if description is not None and description != writes.register_value(
                session, "field", prompt.id, "description"
            ):
                writes.append(session, pen, "field", prompt.id, "description", description)
            self._refresh_search(session, prompt.id)
        return SaveResult(
            self.prompt(name), self.version(name, version_id), created, prompt_created, moved and not created
        )

    def set_label(self, name: str, label: str, ref: VersionRef) -> VersionRow:
        """Point a label at a version; raises NotFound, NameRefused."""
        names.check_label(label)
        version = self.version(name, ref)
        self._set(name, "label", label, version.id)
        return version

    def remove_label(self, name: str, label: str) -> None:
        """Take a label off; raises NotFound when the prompt has no such label, InputError for ``active``."""
        if label == ACTIVE:
            raise InputError("every prompt has an active version", remedy="Move the label to another version instead.")
        self._set(name, "label", label, None)

    def restore(self, name: str, ref: VersionRef) -> VersionRow:
        """Make an older version the active one; its content is known, so no version is written."""
        return self.set_label(name, ACTIVE, ref)

    def set_field(self, name: str, field: str, value: Any) -> None:
        """Set description, tags, team, archived or mode; raises InputError, NotFound."""
        kind = FIELDS.get(field)
        if kind is None:
            raise InputError(f"there is no field {field!r}", remedy=f"Fields are {', '.join(FIELDS)}.")
        value = list(value) if isinstance(value, tuple) else value
        tags: list[Any] = value if isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(tag, str) for tag in tags):
            raise InputError(f"{field} takes a {kind.__name__}")
        if field == "mode" and value not in MODES:
            raise InputError(f"{value!r} is not a mode", remedy=f"Modes are {', '.join(MODES)}.")
        self._set(name, "field", field, value)

    def keep_inputs(self, name: str, set_name: str, variables: dict[str, Any]) -> None:
        """Keep values for a prompt's variables under a name of 1 to 64 characters."""
        if not set_name.strip() or len(set_name) > 64:
            raise InputError("an input set needs a name of 1 to 64 characters")
        self._set(name, "inputs", set_name.strip(), variables)

    def drop_inputs(self, name: str, set_name: str) -> None:
        """Forget a kept input set (undo brings it back)."""
        self._set(name, "inputs", set_name, None)

    def undo(self) -> str:
        """Take back this device's newest action and say what was undone; raises NotFound when nothing is left."""
        from ledger_tui.store import registry as writes

        with self._database.session() as session:
            action = writes.last_undoable(session, self._device())
            charged = writes.charged_since(session, self._device(), action)
            if action is None:
                words = f"; {_STAY_PRICED}" if charged else ""
                raise NotFound(f"nothing of this device is left to undo{words}", title="Nothing to undo")
            pen = self._pen(None, undoes=action)
            done = [self._take_back(session, pen, fact) for fact in writes.facts_of(session, action)]
            done += [_STAY_PRICED] * charged
        return "; ".join(words for words in done if words)

    # Inside

    def _pen(self, author: str | None, undoes: str | None = None) -> Pen:
        from ledger_tui.store.registry import Pen

        return Pen(actor=author or self._author(), device=self._device(), action=ids.new_id(), undoes=undoes)

    def _set(self, name: str, kind: str, field: str, value: Any) -> None:
        from ledger_tui.store import registry as writes

        with self._database.session() as session:
            prompt = writes.need_prompt(session, name)
            before = writes.register_value(session, kind, prompt.id, field)
            if value is None and before is None:
                raise NotFound(f"{name} has no {kind} {field}", title="Nothing to remove")
            if before != value:
                writes.append(session, self._pen(None), kind, prompt.id, field, value)
                self._refresh_search(session, prompt.id)

    def _take_back(self, session: Session, pen: Pen, fact: JournalEntry) -> str:
        from ledger_tui.domain.tables import Prompt as PromptTable
        from ledger_tui.store import registry as writes

        if fact.kind == "price":
            from ledger_tui.store import price_facts

            return price_facts.take_back(session, pen, fact)
        if fact.kind == "budget":
            from ledger_tui.store import budget_facts

            return budget_facts.take_back(session, pen, fact)
        if fact.kind not in ("label", "field", "inputs") or fact.prompt_id is None:
            return ""
        prompt: Prompt = session.get_one(PromptTable, fact.prompt_id)
        before, theirs = writes.value_before(session, fact)
        if fact.kind == "label" and fact.field == ACTIVE and before is None:
            return self._put_away(session, pen, prompt)
        if fact.kind == "field" and before is None:
            before = FIELDS[fact.field]() if fact.field != "mode" else MODES[0]
        writes.append(session, pen, fact.kind, prompt.id, fact.field, before)
        self._refresh_search(session, prompt.id)
        if theirs:
            what = f"input set {fact.field}" if fact.kind == "inputs" else fact.field
            return f"{prompt.name}: {what} stays as others set it meanwhile"
        if fact.kind == "label":
            where = "nowhere" if before is None else f"v{writes.version_number(session, before)}"
            return f"{prompt.name}: {fact.field} points to {where} again"
        what = f"input set {fact.field}" if fact.kind == "inputs" else fact.field
        return f"{prompt.name}: {what} is as it was"

    def _put_away(self, session: Session, pen: Pen, prompt: Prompt) -> str:
        """A prompt whose first version is undone is archived: versions are never deleted."""
        from ledger_tui.store import registry as writes

        writes.append(session, pen, "field", prompt.id, "archived", True)
        return f"{prompt.name}: archived, as it was new"

    def _refresh_search(self, session: Session, prompt_id: str) -> None:
        from ledger_tui.store import search_index
        from ledger_tui.store.session_lean import lean_of

        search_index.refresh_prompt(lean_of(session), prompt_id)


def pick_version(versions: Sequence[VersionRow], ref: VersionRef, name: str) -> VersionRow:
    """The version that ``ref`` means among a prompt's versions; raises NotFound, InputError when a prefix is ambiguous."""
    wanted = ACTIVE if ref is None else str(ref).strip()
    found = [version for version in versions if version.id == wanted or wanted in version.labels]
    if not found and (number := re.fullmatch(r"v?(\d{1,9})", wanted)):
        found = [version for version in versions if version.number == int(number[1])]
    if not found and re.fullmatch(r"[0-9a-f]{4,64}", wanted):
        found = [version for version in versions if version.sha256.startswith(wanted)]
    if len(found) > 1:
        raise InputError(f"{wanted} fits {len(found)} versions of {name}", remedy="Give more digits of the hash.")
    if not found:
        known = ", ".join(f"v{version.number}" for version in versions[:5])
        raise NotFound(
            f"{name} has no version {wanted}", title="No such version", remedy=f"It has {known or 'none yet'}."
        )
    return found[0]
