"""What the facts of registers, and of prompts' versions, come to: which of them hold, and where people have to decide.

A register is open where more than one fact stands in it that no other names.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from ledger_tui.domain.sync import conflicts
from ledger_tui.domain.sync.lineage import Lineage, VersionFact

REGISTERS = ("label", "field", "inputs", "price", "budget")
ARCHIVED = ("field", "archived")


class JournalFact(Protocol):
    """A fact of the journal: a row of its table, or the part of one that folding needs."""

    @property
    def rid(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def prompt_id(self) -> str | None: ...
    @property
    def field(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def base(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def commit_seq(self) -> int | None: ...
    @property
    def seq(self) -> int | None: ...


class OpenRow(NamedTuple):
    """A register in which several facts stand beside each other; the columns of ``open_registers``."""

    prompt_id: str
    """Empty for facts about no prompt."""
    kind: str
    field: str
    candidates: str
    """JSON list of rids, in order."""
    holder: str
    contested: bool


class Outcome(NamedTuple):
    """What registers come to."""

    rows: list[OpenRow]
    kept_back: set[str]
    """Facts of registers that do not hold."""


def outcome(facts: Iterable[JournalFact]) -> Outcome:
    """What all facts of some registers, and of prompts' versions, come to."""
    registers: dict[tuple[str | None, str, str], list[JournalFact]] = defaultdict(list)
    versions: dict[str | None, list[JournalFact]] = defaultdict(list)
    for fact in facts:
        if fact.kind == "version":
            versions[fact.prompt_id].append(fact)
        elif fact.kind in REGISTERS:
            registers[fact.prompt_id, fact.kind, fact.field].append(fact)
    rows: list[OpenRow] = []
    kept_back: set[str] = set()
    for (prompt_id, kind, field), members in registers.items():
        held = conflicts.register(map(_fact, members), protected=conflicts.is_protected(kind, field))
        if held is None:
            continue
        kept_back.update(member.rid for member in members if member.rid != held.rid)
        if len(held.candidates) > 1:
            rows.append(_row(prompt_id, kind, field, held.candidates, held.rid, contested=bool(held.contested)))
    for prompt_id, found in versions.items():
        lineage = lineage_of(found)
        if len(lineage.candidates) > 1:
            tree = lineage.tree()
            holder = next(rid for rid in tree.candidates if lineage.facts[rid].version_id == tree.served)
            rows.append(_row(prompt_id, "version", "", tree.candidates, holder, contested=len(tree.heads) > 1))
        _bring_back(rows, kept_back, lineage, registers.get((prompt_id, *ARCHIVED), ()))
    return Outcome(rows, kept_back)


def _bring_back(rows: list[OpenRow], kept_back: set[str], lineage: Lineage, archivings: Sequence[JournalFact]) -> None:
    """A prompt that was archived while somebody wrote a version of it stays in sight until people decide."""
    held = conflicts.register(map(_fact, archivings))
    if held is None or held.value != "true":
        return
    by_rid = {fact.rid: fact for fact in archivings}
    agreeing = [by_rid[rid] for rid in held.candidates if by_rid[rid].value == "true"]
    meanwhile = lineage.written_meanwhile({fact.rid: _base(fact) for fact in agreeing})
    if not meanwhile:
        return
    kept_back.add(held.rid)
    prompt_id = archivings[0].prompt_id
    rows[:] = [row for row in rows if (row.prompt_id, row.kind, row.field) != (prompt_id, *ARCHIVED)]
    rows.append(_row(prompt_id, *ARCHIVED, (*held.candidates, *meanwhile), meanwhile[-1], contested=True))


def _row(
    prompt_id: str | None, kind: str, field: str, candidates: Sequence[str], holder: str, *, contested: bool
) -> OpenRow:
    return OpenRow(prompt_id or "", kind, field, json.dumps(list(candidates)), holder, contested)


def lineage_of(facts: Iterable[JournalFact]) -> Lineage:
    """How the versions of one prompt stand, from their facts."""
    return Lineage(
        VersionFact.of_row(f.rid, f.field, f.value, f.base, f.commit_seq, f.seq or 0, f.device) for f in facts
    )


def _fact(fact: JournalFact) -> conflicts.Fact:
    return conflicts.Fact(fact.rid, fact.value, _base(fact), fact.commit_seq, fact.seq or 0)


def _base(fact: JournalFact) -> tuple[str, ...]:
    return tuple(json.loads(fact.base))
