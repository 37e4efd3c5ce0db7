"""What several people wrote at once: finding it, looking at it, and deciding it.

Nothing is ever decided by itself. A decision is a fact that names what the one who decided had seen, and nothing else: what
arrives meanwhile stays to be decided. Two who decide at once are a new conflict, unless they decided alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import ids, names
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.deciding import HEADS, Candidate, Comparison, Contested, Head
from ledger_tui.domain.sync.lineage import Lineage
from ledger_tui.domain.values import ACTIVE, VersionRow
from ledger_tui.errors import Conflict, InputError, NotFound
from ledger_tui.store import conflicts as reads
from ledger_tui.store import prompts

if TYPE_CHECKING:
    from ledger_tui.store.database import Database
    from ledger_tui.store.lean import Lean
    from ledger_tui.store.registry import Pen, Session


class ConflictService:
    """What people have to decide. Thread-safe; every call is one transaction."""

    def __init__(self, database: Database, *, author: Callable[[], str], device: Callable[[], str]) -> None:
        self._database = database
        self._author = author
        self._device = device

    # Reading

    def count(self) -> int:
        """How many things there are to decide."""
        with self._database.lean() as lean:
            return reads.count(lean)

    def conflicts(self, name: str | None = None) -> list[Contested]:
        """What there is to decide, of one prompt or of all: by prompt, heads first; prices and budgets last."""
        with self._database.lean() as lean:
            rows = reads.standing(lean, ids.prompt_id(name) if name else None)
            facts = reads.facts(lean, {rid for row in rows for rid in row.candidates})
            versions = {fact.field if fact.kind == "version" else _target(fact) for fact in facts.values()}
            numbers = reads.numbers(lean, [version for version in versions if version])
        return [self._contested(row, facts, numbers) for row in rows]

    def _contested(self, row: reads.OpenRow, facts: dict[str, reads.FactRow], numbers: dict[str, int]) -> Contested:
        device, found = self._device(), []
        for rid in row.candidates:
            fact = facts.get(rid)
            if fact is None:
                continue
            is_version = fact.kind == "version"
            value = fact.field if is_version else json.loads(fact.value)
            number = numbers.get(fact.field if is_version else _target(fact) or "")
            edit = is_version and row.kind != "version"
            # Of heads the one counts that is served: `active` may have been moved since they were written.
            holds = fact.field == row.active if row.kind == "version" else rid == row.holder
            mine = fact.device == device
            found.append(Candidate(rid, value, number, fact.actor, fact.device, fact.at_us, holds, mine, edit))
        kind = HEADS if row.kind == "version" else row.kind
        return Contested(row.prompt, kind, row.field, tuple(found))

    def heads(self, name: str) -> list[Head]:
        """The versions of a prompt that nothing was written on, one unless people wrote at once; raises NotFound."""
        with self._database.lean() as lean:
            return self._heads(lean, name)[0]

    def _heads(self, lean: Lean, name: str) -> tuple[list[Head], Lineage, dict[str, VersionRow]]:
        prompt_id = ids.prompt_id(name)
        rows = {row.id: row for row in prompts.versions(lean, prompt_id)}
        lineage = reads.lineage(lean, prompt_id)
        if not lineage.facts:
            raise NotFound(f"there is no prompt named {name}", title="No such prompt")
        device, found = self._device(), []
        for version_id in lineage.heads():
            row = rows[version_id]
            facts = [lineage.facts[rid] for rid in lineage.candidates if lineage.facts[rid].version_id == version_id]
            mine = any(fact.device == device for fact in facts)
            found.append(
                Head(
                    row.id, row.number, row.provisional, row.author, row.message, row.created_us, row.labels, mine
                )
            )  # fmt: skip
        return found, lineage, rows

    def compare(self, name: str, mine: str | None = None, theirs: str | None = None) -> Comparison:
        """Two heads beside what they have in common.

        mine: a version's id, by default the head that this device wrote last, else the active one. theirs: by default the first
        other one. Raises NotFound for an unknown prompt, Conflict when the prompt has one head only.
        """
        from ledger_tui.domain.merge import merge
        from ledger_tui.domain.merge_text import document

        with self._database.lean() as lean:
            heads, lineage, rows = self._heads(lean, name)
            here = _chosen(heads, mine) or _mine(heads)
            there = _chosen(heads, theirs) or next((head for head in heads if head != here), None)
            if there is None or there == here:
                raise _decided(name)
            common = lineage.common(here.version_id, there.version_id)
            texts = {id: prompts.content(lean, id) for id in (common, here.version_id, there.version_id) if id}
        contents = {version_id: PromptContent.from_json(text) for version_id, text in texts.items() if text is not None}
        base = contents[common] if common else None
        ours, others = contents[here.version_id], contents[there.version_id]
        found = merge(None if base is None else document(base), document(ours), document(others))
        more = tuple(head for head in heads if head not in (here, there))
        number = rows[common].number if common else None
        return Comparison(name, here, there, number, base, ours, others, found, more)

    # Deciding

    def resolve_heads(
        self,
        name: str,
        content: PromptContent,
        *,
        heads: Sequence[str] | None = None,
        labels: Sequence[str] = (),
        message: str = "",
    ) -> VersionRow:
        """Save content on top of heads and make it active: a new version, or the one that has this content.

        heads: ids of the versions that the one who decides has seen, the own one first; by default all there are. labels: moved
        to it too. Raises Conflict when somebody decided meanwhile, ContentRefused, NameRefused, NotFound.
        """
        return self._join(name, content, heads, [names.check_label(label) for label in labels], {}, message)

    def keep_both(self, name: str, mine: str, theirs: str, label: str, *, message: str = "") -> VersionRow:
        """Go on from ``mine`` (a version's id) and keep ``theirs`` within reach under a label that is free.

        Raises Conflict when somebody decided meanwhile, InputError for a label that is taken, NameRefused, NotFound.
        """
        names.check_label(label)
        with self._database.lean() as lean:
            taken = any(label in row.labels for row in prompts.versions(lean, ids.prompt_id(name)))
            text = prompts.content(lean, mine)
        if taken or label == ACTIVE:
            raise InputError(f"{label} is a label of {name} already", remedy="Choose a label that is free.")
        if text is None:
            raise NotFound("there is no such version", title="No such version")
        message = message or f"the other version is kept as {label}"
        return self._join(name, PromptContent.from_json(text), (mine, theirs), (), {label: theirs}, message)

    def _join(
        self,
        name: str,
        content: PromptContent,
        chosen: Sequence[str] | None,
        labels: Sequence[str],
        elsewhere: dict[str, str],
        message: str,
    ) -> VersionRow:
        from ledger_tui.store import open_registers, search_index
        from ledger_tui.store import registry as writes
        from ledger_tui.store.session_lean import lean_of

        _ = content.sha256
        with self._database.session() as session:
            prompt, pen = writes.need_prompt(session, name), self._pen()
            heads = open_registers.heads(session, prompt.id)
            seen = [version_id for _, version_id in heads] if chosen is None else list(chosen)
            rids = [rid for rid, version_id in heads if version_id in seen]
            if len(set(seen)) < 2 or not set(seen) <= {version_id for _, version_id in heads}:
                raise _decided(name)
            origin = writes.Origin(pen.actor, message, seen[0])
            version_id = writes.join(session, pen, prompt, content, origin, open_registers.Standing(rids, seen))
            for label, target in {ACTIVE: version_id, **dict.fromkeys(labels, version_id), **elsewhere}.items():
                _point(session, pen, prompt.id, label, target)
            search_index.refresh_prompt(lean_of(session), prompt.id)
        with self._database.lean() as lean:
            return next(row for row in prompts.versions(lean, prompt.id) if row.id == version_id)

    def resolve_register(self, contested: Contested, rid: str, *, reason: str = "") -> None:
        """Let a candidate hold: a fact of its value that names those that ``contested`` lists.

        Of a prompt that was archived while somebody edited it, the archiving or the edit. Raises Conflict when it was decided
        meanwhile, NotFound for a candidate that is none.
        """
        chosen = next((one for one in contested.candidates if one.rid == rid), None)
        if chosen is None or contested.kind == HEADS:
            raise NotFound("it is none of the candidates", title="No such candidate")
        self.decide(contested, False if chosen.is_edit else chosen.value, reason=reason)

    def decide(self, contested: Contested, value: Any, *, reason: str = "") -> None:
        """Give a contested register a value of one's own, such as the tags of both.

        Raises Conflict when it was decided meanwhile.
        """
        from ledger_tui.store import open_registers, search_index
        from ledger_tui.store import registry as writes
        from ledger_tui.store.session_lean import lean_of

        with self._database.session() as session:
            prompt_id = ids.prompt_id(contested.prompt) if contested.prompt else None
            standing = open_registers.seen(session, contested.kind, prompt_id, contested.field)
            seen = [rid for rid in standing if any(rid == one.rid for one in contested.candidates)]
            if len(seen) < 2:
                raise _decided(contested.prompt or contested.subject)
            if prompt_id is not None and (contested.kind, contested.field, value) == (*open_registers.ARCHIVED, True):
                unseen = {*standing} - {*seen}
                seen += [rid for rid, _ in open_registers.heads(session, prompt_id) if rid not in {*seen, *unseen}]
            writes.append(
                session, self._pen(), contested.kind, prompt_id, contested.field, value, reason=reason, base=seen
            )
            if prompt_id is not None:
                search_index.refresh_prompt(lean_of(session), prompt_id)

    def _pen(self) -> Pen:
        from ledger_tui.store.registry import Pen

        return Pen(actor=self._author(), device=self._device(), action=ids.new_id())


def _point(session: Session, pen: Pen, prompt_id: str, label: str, version_id: str) -> None:
    """Move a label, also one that points there already as long as others want it elsewhere."""
    from ledger_tui.store import open_registers
    from ledger_tui.store import registry as writes

    moved = writes.label_target(session, prompt_id, label) != version_id
    if moved or len(open_registers.seen(session, "label", prompt_id, label)) > 1:
        writes.append(session, pen, "label", prompt_id, label, version_id)


def _target(fact: reads.FactRow) -> str | None:
    """The version that a label's fact points to."""
    value = json.loads(fact.value) if fact.kind == "label" else None
    return value if isinstance(value, str) else None


def _chosen(heads: Sequence[Head], version_id: str | None) -> Head | None:
    return next((head for head in heads if head.version_id == version_id), None)


def _mine(heads: Sequence[Head]) -> Head:
    """The head that this device wrote last, else the active one, else the first."""
    own = [head for head in heads if head.mine]
    active = [head for head in heads if ACTIVE in head.labels]
    return own[-1] if own else active[0] if active else heads[0]


def _decided(name: str) -> Conflict:
    return Conflict(
        f"nothing of this stands beside each other in {name} any more",
        title="It was decided already",
        remedy="Look at it again: somebody may have decided it meanwhile.",
    )
