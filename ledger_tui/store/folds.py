"""Folds in the database: the derived tables brought up to each registry fact, or made anew from the journal alone.

The order of facts is that of the shared server, and after it the local order of those that it has not accepted (all of them,
where there is no server). Facts that were set aside (``store/sync_log.py``) count for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.budgets import from_value
from ledger_tui.domain.registry_fold import FIELDS, InputsValue, LabelValue, PromptFold, RegistryFact, folded
from ledger_tui.domain.sync.registers import OpenRow, outcome

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

_CHUNK = 400
_FACT = ", ".join(RegistryFact._fields)
_STANDING = "(commit_seq IS NULL OR commit_seq >= 0)"
_IN_ORDER = "ORDER BY prompt_id, commit_seq IS NULL, commit_seq, seq"
_BY_PROMPT = ("labels", "input_sets", "prompt_states", "version_numbers", "open_registers")


def apply(lean: Lean, fact: RegistryFact) -> None:
    """Bring the derived tables up to one more fact; facts of unknown kinds change nothing."""
    if fact.prompt_id is None:
        _apply_shared(lean, fact)
        return
    prompt = _kept(lean, fact.prompt_id, fact.kind)
    prompt.step(fact)
    _write_one(lean, fact.prompt_id, prompt, fact)


def rebuild(lean: Lean) -> int:
    """Forget every derived registry row and replay the journal; returns the number of facts."""
    for table in (*_BY_PROMPT, "price_entries", "budgets"):
        lean.execute(f"DELETE FROM {table}")
    prompts = [str(row[0]) for row in lean.fetch("SELECT DISTINCT prompt_id FROM journal WHERE prompt_id IS NOT NULL")]
    return _replay_prompts(lean, sorted(prompts)) + _replay_shared(lean)


def refold(lean: Lean, prompt_ids: Collection[str], *, shared: bool) -> None:
    """Replay the facts of some prompts, and with ``shared`` those about no prompt: their order may have changed."""
    if shared:
        lean.execute("DELETE FROM price_entries")
        lean.execute("DELETE FROM budgets")
        lean.execute("DELETE FROM open_registers WHERE prompt_id = ''")
        _replay_shared(lean)
    wanted = sorted(prompt_ids)
    for table in _BY_PROMPT:
        lean.executemany(f"DELETE FROM {table} WHERE prompt_id = :id", [{"id": prompt_id} for prompt_id in wanted])
    _replay_prompts(lean, wanted)


def _replay_prompts(lean: Lean, prompt_ids: Sequence[str]) -> int:
    count = 0
    for start in range(0, len(prompt_ids), _CHUNK):
        names = {f"p{n}": prompt_id for n, prompt_id in enumerate(prompt_ids[start : start + _CHUNK])}
        sql = f"SELECT {_FACT} FROM journal WHERE prompt_id IN ({_marks(names)}) AND {_STANDING} {_IN_ORDER}"
        facts = [RegistryFact(*row) for row in lean.fetch(sql, names)]
        count += len(facts)
        groups = groupby(facts, key=lambda fact: fact.prompt_id)
        found = {str(prompt_id): folded(list(members)) for prompt_id, members in groups}
        _insert(lean, {prompt_id: prompt for prompt_id, (prompt, _) in found.items()})
        _insert_open(lean, [row for _, rows in found.values() for row in rows])
    return count


def _replay_shared(lean: Lean) -> int:
    sql = f"SELECT {_FACT} FROM journal WHERE prompt_id IS NULL AND {_STANDING} {_IN_ORDER}"
    facts = [RegistryFact(*row) for row in lean.fetch(sql)]
    found = outcome(facts)
    for fact in facts:
        if fact.rid not in found.kept_back:
            _apply_shared(lean, fact)
    _insert_open(lean, found.rows)
    return len(facts)


def _insert_open(lean: Lean, rows: Sequence[OpenRow]) -> None:
    if rows:
        lean.insert_rows("open_registers", OpenRow._fields, rows)


def _kept(lean: Lean, prompt_id: str, kind: str) -> PromptFold:
    """What the tables say of a prompt: as much as a fact of this kind can change or depends on."""
    chosen = {"id": prompt_id}
    prompt = PromptFold()
    state = lean.one(f"SELECT updated_us, {', '.join(FIELDS)} FROM prompt_states WHERE prompt_id = :id", chosen)
    if state is not None:
        prompt.updated_us, prompt.fields = int(state[0]), dict(zip(FIELDS, state[1:], strict=True))
        prompt.fields["archived"] = bool(prompt.fields["archived"])
    numbers = "SELECT version_id, number FROM version_numbers WHERE prompt_id = :id ORDER BY number"
    prompt.numbers = {row[0]: int(row[1]) for row in lean.fetch(numbers, chosen)}
    labels = "SELECT label, version_id, rid, actor, at_us FROM labels WHERE prompt_id = :id"
    prompt.labels = {row[0]: LabelValue(*row[1:]) for row in lean.fetch(labels, chosen)}
    if kind == "inputs":
        inputs = "SELECT name, variables, rid, at_us FROM input_sets WHERE prompt_id = :id"
        prompt.inputs = {row[0]: InputsValue(*row[1:]) for row in lean.fetch(inputs, chosen)}
    return prompt


def _write_one(lean: Lean, prompt_id: str, prompt: PromptFold, fact: RegistryFact) -> None:
    """Write what one fact can have changed."""
    place = {"id": prompt_id, "field": fact.field}
    if fact.kind == "version":
        lean.execute(
            "INSERT INTO version_numbers (version_id, prompt_id, number) VALUES (:field, :id, :number) "
            "ON CONFLICT (version_id) DO NOTHING",
            {**place, "number": prompt.numbers[fact.field]},
        )
    elif fact.kind == "label":
        lean.execute("DELETE FROM labels WHERE prompt_id = :id AND label = :field", place)
        if fact.field in prompt.labels:
            lean.insert_rows("labels", _LABEL, [(prompt_id, fact.field, *prompt.labels[fact.field])])
    elif fact.kind == "inputs":
        lean.execute("DELETE FROM input_sets WHERE prompt_id = :id AND name = :field", place)
        if fact.field in prompt.inputs:
            lean.insert_rows("input_sets", _INPUTS, [(prompt_id, fact.field, *prompt.inputs[fact.field])])
    lean.execute("DELETE FROM prompt_states WHERE prompt_id = :id", {"id": prompt_id})
    _insert_states(lean, {prompt_id: prompt})


_LABEL = ("prompt_id", "label", "version_id", "rid", "actor", "at_us")
_INPUTS = ("prompt_id", "name", "variables", "rid", "at_us")
_NUMBER = ("version_id", "prompt_id", "number")
_STATE = (
    "prompt_id", "name", "description", "tags", "team", "archived", "mode", "version_count", "latest_version_id",
    "latest_number", "active_version_id", "active_number", "model", "updated_us",
)  # fmt: skip


def _insert(lean: Lean, prompts: Mapping[str, PromptFold]) -> None:
    numbers = [(version, id_, number) for id_, p in prompts.items() for version, number in p.numbers.items()]
    labels = [(id_, label, *value) for id_, p in prompts.items() for label, value in p.labels.items()]
    inputs = [(id_, name, *value) for id_, p in prompts.items() for name, value in p.inputs.items()]
    for table, columns, rows in (
        ("version_numbers", _NUMBER, numbers), ("labels", _LABEL, labels), ("input_sets", _INPUTS, inputs),
    ):  # fmt: skip
        if rows:
            lean.insert_rows(table, columns, rows)
    _insert_states(lean, prompts)


def _insert_states(lean: Lean, prompts: Mapping[str, PromptFold]) -> None:
    names = {f"p{n}": prompt_id for n, prompt_id in enumerate(prompts)}
    found = {row[0]: row[1] for row in lean.fetch(f"SELECT id, name FROM prompts WHERE id IN ({_marks(names)})", names)}
    models = _models(lean, [prompt.active for prompt in prompts.values() if prompt.active is not None])
    rows = [_state_row(prompt_id, found[prompt_id], prompt, models) for prompt_id, prompt in prompts.items()]
    if rows:
        lean.insert_rows("prompt_states", _STATE, rows)


def _state_row(prompt_id: str, name: str, prompt: PromptFold, models: Mapping[str, str | None]) -> tuple[Any, ...]:
    fields, latest, active = prompt.fields, prompt.latest, prompt.active
    return (
        prompt_id, name, fields.get("description", ""), fields.get("tags", "[]"), fields.get("team", ""),
        bool(fields.get("archived", False)), fields.get("mode", "full"), len(prompt.numbers), latest,
        prompt.numbers[latest] if latest else 0, active, prompt.numbers.get(active, 0) if active else 0,
        models.get(active) if active else None, prompt.updated_us,
    )  # fmt: skip


def _models(lean: Lean, version_ids: Sequence[str]) -> dict[str, str | None]:
    """The model that each version names."""
    if not version_ids:
        return {}
    names = {f"v{n}": version_id for n, version_id in enumerate(version_ids)}
    rows = lean.fetch(f"SELECT id, content FROM prompt_versions WHERE id IN ({_marks(names)})", names)
    return {version_id: json.loads(content)["model"] for version_id, content in rows}


def _marks(names: Iterable[str]) -> str:
    return ", ".join(":" + name for name in names)


def _apply_shared(lean: Lean, fact: RegistryFact) -> None:
    if fact.kind == "price":
        _price(lean, fact.field, json.loads(fact.value))
    elif fact.kind == "budget":
        _budget(lean, fact.field, json.loads(fact.value))


def _price(lean: Lean, rid: str, value: dict[str, Any] | None) -> None:
    """A price entry is what its last fact says; its id is the fact that entered it."""
    lean.execute("DELETE FROM price_entries WHERE rid = :rid", {"rid": rid})
    if value is None:
        return
    prices = json.dumps({"prices": value["prices"], "tiers": value.get("tiers", [])}, sort_keys=True)
    row = (rid, value["provider"], value["model"], prices, value["from_us"], value["until_us"], value["source"])
    lean.insert_rows("price_entries", ("rid", "provider", "model", "prices", "from_us", "until_us", "source"), [row])


def _budget(lean: Lean, rid: str, value: dict[str, Any] | None) -> None:
    """A budget is what the last fact of its id says; its id is the fact that set it."""
    lean.execute("DELETE FROM budgets WHERE rid = :rid", {"rid": rid})
    if value is None:
        return
    spec = from_value(value)
    row = (rid, json.dumps(spec.scope(), sort_keys=True), spec.period, spec.limit_nusd, spec.warn_percent)
    lean.insert_rows("budgets", ("rid", "scope", "period", "limit_nusd", "warn_percent"), [row])
