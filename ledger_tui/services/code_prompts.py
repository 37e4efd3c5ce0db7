"""Prompts that live in code: which of them changed, told by their hash, and bringing the registry to what the code has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ledger_tui.domain import ids, names
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import InputError, NotFound
from ledger_tui.services import git
from ledger_tui.services.code_sources import CodePrompt, CodeRegistry, CodeSource, HeldPrompts, open_source
from ledger_tui.services.git import GitFacts
from ledger_tui.store import standings
from ledger_tui.store.standings import Standing

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_tui.store.batches import Entry, Written
    from ledger_tui.store.database import Database

FULL, TRACKING = "full", "tracking"
Action = Literal["new", "update", "unchanged", "managed"]
"""``managed``: the prompt is in full mode, so what the code has is not taken."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One code prompt and what registering it did, or would do. Numbers of versions; ``previous`` None for a new prompt."""

    name: str
    mode: str
    action: Action
    version: int
    previous: int | None
    sha256: str
    git: GitFacts


@dataclass(frozen=True, slots=True)
class Migration:
    """One prompt that moved to full mode. ``version_change``: the template given was not what was active."""

    name: str
    version: int
    previous_mode: str | None
    version_change: bool


@dataclass(frozen=True, slots=True)
class Current:
    """The version that a code prompt's present text is."""

    version_id: str
    number: int
    content: PromptContent


class CodePromptService:
    """Code prompts of one program. Thread-safe; writing is one transaction, and nothing is written when nothing changed."""

    def __init__(
        self,
        database: Database,
        *,
        author: Callable[[], str],
        device: Callable[[], str],
        code_registry: CodeRegistry | HeldPrompts | None = None,
    ) -> None:
        self._database = database
        self._author = author
        self._device = device
        self._source = None if code_registry is None else open_source(code_registry)

    @property
    def source(self) -> CodeSource:
        """Where the prompts are; raises InputError when the program named no place."""
        if self._source is None:
            raise InputError(
                "this ledger was made without code_registry",
                title="It is not known where the code's prompts are",
                remedy="Write PromptLedger(code_registry=...) with a function, class, module, mapping or folder.",
            )
        return self._source

    def register(self, wanted: Sequence[str] | None = None, *, dry_run: bool = False) -> list[Registration]:
        """Bring the registry to what the code has, and say what changed; ``wanted`` None means every prompt of the source.

        A changed template is a new version and becomes the active one. With ``dry_run`` nothing is written, and a new
        version has the number it would get. Raises NotFound for a name that the code has not, InputError, ContentRefused.
        """
        chosen = list(dict.fromkeys(self.source.names() if wanted is None else wanted))
        prompts = [self._need(name) for name in chosen]
        known = self._standings([prompt.name for prompt in prompts])
        facts = _git_facts(self.source.place, prompts)
        plan = [_plan(prompt, known.get(prompt.name), facts.get(prompt.file, git.NOTHING)) for prompt in prompts]
        plan = self._with_older_numbers(plan, known)
        changed = [(p, r) for p, r in zip(prompts, plan, strict=True) if r.action in ("new", "update")]
        if dry_run or not changed:
            return plan
        written = {one.name: one for one in self._write([_entry(prompt, done.git) for prompt, done in changed])}
        return [_as_written(done, written.get(done.name)) for done in plan]

    def current(self, name: str) -> Current | None:
        """The version that the code's present text is, registered now when it is new.

        None when the code has no such prompt, or when the prompt is in full mode: then the registry's version holds.
        Text that was registered before stays the version it was, and no label moves.
        """
        prompt = self._source.get(name) if self._source else None
        if prompt is None:
            return None
        prompt_id = ids.prompt_id(name)
        version_id = ids.version_id(prompt_id, prompt.content.sha256)
        with self._database.lean() as lean:
            standing = standings.standings(lean, [prompt_id]).get(prompt_id)
            number = standings.numbers(lean, [version_id]).get(version_id)
        if standing is not None and standing.mode == FULL:
            return None
        if number is None:
            facts = _git_facts(prompt.file, [prompt]).get(prompt.file, git.NOTHING)
            number = self._write([_entry(prompt, facts)])[0].number
        return Current(version_id, number, prompt.content)

    def migrate(self, prompts: Sequence[tuple[str, str]]) -> list[Migration]:
        """Move prompts to full mode, each with the template it is to have; all or none.

        Versions, labels, executions and traces stay: a template that is active already makes no version. Other messages,
        model and parameters of the active version are kept. A prompt that the ledger does not know is made.
        """
        from ledger_tui.store.batches import Entry

        given = dict(prompts)
        known = self._standings(list(given))
        entries = [
            Entry(name, self._with_template(known.get(name), template), {"mode": FULL}, "Moved to full mode")
            for name, template in given.items()
        ]
        written = self._write(entries) if entries else []
        return [
            Migration(
                one.name,
                one.number,
                known[one.name].mode if one.name in known else None,
                one.created or one.previous != one.number,
            )
            for one in written
        ]

    def _need(self, name: str) -> CodePrompt:
        names.check_prompt_name(name)
        prompt = self.source.get(name)
        if prompt is None:
            raise NotFound(f"the code has no prompt named {name}", title="No such code prompt")
        _ = prompt.content.sha256
        return prompt

    def _standings(self, wanted: Sequence[str]) -> dict[str, Standing]:
        with self._database.lean() as lean:
            found = standings.standings(lean, [ids.prompt_id(name) for name in wanted])
        return {standing.name: standing for standing in found.values()}

    def _with_older_numbers(self, plan: Sequence[Registration], known: Mapping[str, Standing]) -> list[Registration]:
        """The plan with the numbers of contents that are known as older versions."""
        version_ids = {
            done.name: ids.version_id(known[done.name].prompt_id, done.sha256)
            for done in plan
            if done.action == "update"
        }
        if not version_ids:
            return list(plan)
        with self._database.lean() as lean:
            numbers = standings.numbers(lean, list(version_ids.values()))
        return [
            _numbered(done, numbers[version_ids[done.name]])
            if done.name in version_ids and version_ids[done.name] in numbers
            else done
            for done in plan
        ]

    def _with_template(self, standing: Standing | None, template: str) -> PromptContent:
        if standing is None or standing.active_version_id is None:
            return PromptContent.of_text(template)
        from ledger_tui.store import prompts as reads

        with self._database.lean() as lean:
            text = reads.content(lean, standing.active_version_id)
        return with_template(PromptContent.from_json(text or ""), template)

    def _write(self, entries: Sequence[Entry]) -> list[Written]:
        from ledger_tui.store import batches
        from ledger_tui.store.registry import Pen

        pen = Pen(actor=self._author(), device=self._device(), action=ids.new_id())
        with self._database.session() as session:
            return batches.write(session, pen, entries)


def with_template(content: PromptContent, template: str) -> PromptContent:
    """``content`` with ``template`` as its last user message; the rest stays."""
    messages = list(content.messages)
    place = next((n for n in reversed(range(len(messages))) if messages[n].role == "user"), None)
    if place is None:
        messages.append(Message("user", template))
    else:
        messages[place] = Message("user", template)
    return content.with_changes(messages=tuple(messages))


def template_of(content: PromptContent) -> str:
    """The text that is meant when a prompt is one template: its last user message, else its last message."""
    texts = [message.text for message in content.messages if message.role == "user"]
    return texts[-1] if texts else content.messages[-1].text


def _plan(prompt: CodePrompt, standing: Standing | None, facts: GitFacts) -> Registration:
    digest = prompt.content.sha256
    if standing is None:
        return Registration(prompt.name, TRACKING, "new", 1, None, digest, facts)
    active = standing.active_number or None
    if standing.mode == FULL and active is not None:
        return Registration(prompt.name, FULL, "managed", active, active, digest, facts)
    if standing.active_sha256 == digest and not standing.archived:
        return Registration(prompt.name, TRACKING, "unchanged", standing.active_number, active, digest, facts)
    return Registration(prompt.name, TRACKING, "update", standing.latest_number + 1, active, digest, facts)


def _numbered(done: Registration, number: int) -> Registration:
    return Registration(done.name, done.mode, done.action, number, done.previous, done.sha256, done.git)


def _as_written(done: Registration, written: Written | None) -> Registration:
    """The plan as it came out: another program may have been faster."""
    if written is None:
        return done
    return Registration(done.name, done.mode, done.action, written.number, written.previous, done.sha256, done.git)


def _entry(prompt: CodePrompt, facts: GitFacts) -> Entry:
    from ledger_tui.store.batches import Entry

    fields = {**prompt.fields, "mode": TRACKING}
    message = f"From {facts.path}" if facts.path else "From code"
    return Entry(prompt.name, prompt.content, fields, message, facts.commit, facts.path, facts.dirty)


def _git_facts(place: Path | None, prompts: Sequence[CodePrompt]) -> dict[Path | None, GitFacts]:
    """What git knows of each prompt's file; one question for a folder or a module."""
    files = {prompt.file for prompt in prompts if prompt.file is not None}
    repository = git.repository(place) if place is not None and files else None
    return {file: repository.facts(file) for file in files} if repository else {}
