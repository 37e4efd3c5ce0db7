"""What people have to decide when several wrote at once: values for every front end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.budgets import fact_words

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.domain.merge import Merge

HEADS = "heads"
"""The kind of a conflict between versions; other kinds are those of the journal's facts."""


def price_words(value: Mapping[str, Any]) -> str:
    """What a price's fact says, in one line."""
    from ledger_tui.domain.price_entries import from_value, shown_range

    spec = from_value(value)
    amounts = f"${spec.prices['input']:f} in, ${spec.prices['output']:f} out per million"
    return f"{spec.name}: {amounts}, {shown_range(spec.from_us, spec.until_us)}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several values that stand beside each other."""

    rid: str
    value: Any
    """A version's id (None: taken off), a field's value, the values of an input set, a price, a budget."""
    number: int | None
    """The number of the version it names, for labels and versions."""
    actor: str
    device: str
    at_us: int
    holds: bool
    """Whether this is the value that counts meanwhile."""
    mine: bool
    """Whether it was written on this device."""
    is_edit: bool = False
    """Whether it is a version written while the prompt was archived, beside the archiving."""


@dataclass(frozen=True, slots=True)
class Contested:
    """Something that people have to decide."""

    prompt: str | None
    """The prompt's name; None for a price or a budget."""
    kind: str
    """``HEADS``, label, field, inputs, price or budget."""
    field: str
    candidates: tuple[Candidate, ...]
    """In the order that all devices have."""

    @property
    def holder(self) -> Candidate:
        """The one that counts meanwhile."""
        return next((one for one in self.candidates if one.holds), self.candidates[-1])

    @property
    def subject(self) -> str:
        """What it is about, in few words."""
        if self.kind == HEADS:
            return f"{len({one.value for one in self.candidates})} heads"
        if (self.kind, self.field) == ("field", "archived"):
            return "archived and edited" if any(one.is_edit for one in self.candidates) else "archived"
        if (self.kind, self.field) == ("label", "active"):
            return "active version"
        names = {"label": f"label {self.field}", "inputs": f"input set {self.field}"}
        return names.get(self.kind, self.field if self.kind == "field" else self.kind)

    @property
    def key(self) -> str:
        """What names it within its prompt: ``heads``, ``label:production``, ``field:tags``."""
        return self.kind if self.kind == HEADS else f"{self.kind}:{self.field}"

    def words(self, candidate: Candidate) -> str:
        """What a candidate says, as people read it; it may hold foreign text of any length."""
        value = candidate.value
        if candidate.is_edit:
            return f"edited it: v{candidate.number or '?'}"
        if (self.kind, self.field) == ("field", "archived"):
            return "archived it" if value else "keeps it"
        if self.kind in (HEADS, "label"):
            return f"v{candidate.number or '?'}" if value is not None else "taken off"
        if value is None:
            return "removed"
        if self.kind == "budget":
            return fact_words(value)
        if self.kind == "price":
            return price_words(value)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Head:
    """A version that nothing was written on."""

    version_id: str
    number: int
    provisional: bool
    author: str
    message: str
    at_us: int
    labels: tuple[str, ...]
    mine: bool
    """Whether this device wrote it."""

    @property
    def name(self) -> str:
        """``v6``, or ``v6*`` while the number can still move."""
        return f"v{self.number}{'*' if self.provisional else ''}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two heads beside what they have in common."""

    prompt: str
    mine: Head
    theirs: Head
    base_number: int | None
    """The number of the nearest version that both were written on; None where there is none."""
    base: PromptContent | None
    mine_content: PromptContent
    theirs_content: PromptContent
    merge: Merge
    """The hunks of their documents (domain/merge_text.py)."""
    more: tuple[Head, ...] = ()
    """Heads besides these two."""
