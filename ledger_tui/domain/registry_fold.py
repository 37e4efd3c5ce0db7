"""What a prompt's facts add up to: version numbers, labels, fields, input sets. One step a fact, without a database.

Appending one fact to what is kept and replaying all facts run the same step, so a rebuilt registry equals the maintained one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger_tui.domain.sync.registers import OpenRow, outcome
from ledger_tui.domain.values import ACTIVE

FIELDS = ("description", "tags", "team", "archived", "mode")
"""Facts of kind ``field`` that a list of prompts shows."""


class RegistryFact(NamedTuple):
    """A fact of the journal, as far as folding needs it; ``value`` and ``base`` are JSON texts."""

    rid: str
    kind: str
    prompt_id: str | None
    field: str
    value: str
    base: str
    actor: str
    at_us: int
    commit_seq: int | None
    seq: int
    device: str


class LabelValue(NamedTuple):
    """Where a label points, and the fact that put it there."""

    version_id: str
    rid: str
    actor: str
    at_us: int


class InputsValue(NamedTuple):
    """Values kept under a name (JSON), and the fact that did."""

    variables: str
    rid: str
    at_us: int


@dataclass
class PromptFold:
    """What is known of one prompt."""

    numbers: dict[str, int] = field(default_factory=dict)
    """Number of each version, in their order."""
    labels: dict[str, LabelValue] = field(default_factory=dict)
    inputs: dict[str, InputsValue] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    """Those of ``FIELDS`` that a fact set; tags are JSON text."""
    updated_us: int | None = None
    """The latest moment a fact names; None before the first."""

    def step(self, fact: RegistryFact, *, stands: bool = True) -> None:
        """Count one more fact; one of an unknown kind changes only the moment.

        stands: False for a fact of a register whose value another fact keeps from holding.
        """
        self.updated_us = max(self.updated_us or fact.at_us, fact.at_us)
        if fact.kind == "version":
            self.numbers.setdefault(fact.field, len(self.numbers) + 1)
        elif fact.kind == "label" and stands:
            self._label(fact, json.loads(fact.value))
        elif fact.kind == "field" and stands and fact.field in FIELDS:
            value = json.loads(fact.value)
            self.fields[fact.field] = json.dumps(value) if fact.field == "tags" else value
        elif fact.kind == "inputs" and stands:
            if json.loads(fact.value) is None:
                self.inputs.pop(fact.field, None)
            else:
                self.inputs[fact.field] = InputsValue(fact.value, fact.rid, fact.at_us)

    def _label(self, fact: RegistryFact, version_id: str | None) -> None:
        if version_id is None:
            self.labels.pop(fact.field, None)
        else:
            self.labels[fact.field] = LabelValue(version_id, fact.rid, fact.actor, fact.at_us)

    @property
    def latest(self) -> str | None:
        """The version with the highest number."""
        return next(reversed(self.numbers), None)

    @property
    def active(self) -> str | None:
        """The version that the name alone means."""
        found = self.labels.get(ACTIVE)
        return None if found is None else found.version_id


def folded(facts: Sequence[RegistryFact]) -> tuple[PromptFold, list[OpenRow]]:
    """All facts of one prompt, in their order; and the registers in which several stand beside each other."""
    prompt, found = PromptFold(), outcome(facts)
    # Versions first: their numbers depend on each other only, and a label may come before its version from elsewhere.
    for fact in sorted(facts, key=lambda fact: fact.kind != "version"):
        prompt.step(fact, stands=fact.rid not in found.kept_back)
    return prompt, found.rows
