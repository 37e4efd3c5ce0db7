"""Registry facts travel as records between real ledgers: to the byte, in any company, in the server's order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.domain.sync import records
from ledger_tui.domain.sync.records import Delivered, Record
from ledger_tui.paths import Paths
from ledger_tui.store import folds, sync_facts
from ledger_tui.store.database import Database
from ledger_tui.store.sync_standing import Taken

FOLDS = {
    "open_registers": "prompt_id, kind, field, candidates, holder, contested",
    "labels": "prompt_id, label, version_id, rid",
    "input_sets": "prompt_id, name, variables, rid",
    "prompt_states": "prompt_id, name, description, tags, team, archived, latest_number, active_version_id, model, updated_us",
    "version_numbers": "version_id, number",
    "price_entries": "rid, provider, model, prices",
    "budgets": "rid, scope, period, limit_nusd",
}


class Ledger:
    """A ledger with its database."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(data=folder / "data", config=folder / "config")
        self.door = PromptLedger(paths=self.paths)
        self.door.prepare()
        self.database = Database(self.paths.database, self.paths)

    def save(self, name: str, text: str, **settings: Any) -> str:
        """A version's id."""
        return str(self.door.registry.save(name, PromptContent.of_text(text), **settings).version.id)

    def facts(self, waiting: bool = False) -> list[Record]:
        """Its registry facts as records."""
        with self.database.lean() as lean:
            return [
                record for _, record in sync_facts.facts_after(lean, 0, 1_000, "waiting" if waiting else "counting")
            ]

    def take(self, found: Sequence[Record], first: int = 1) -> Taken:
        """Give it records, numbered from ``first`` by a server."""
        rows = [Delivered(record, first + n, record.hash) for n, record in enumerate(found)]
        with self.database.lean_write() as lean:
            return sync_facts.take(lean, rows)

    def folds(self) -> dict[str, list[Any]]:
        """What is derived from its facts."""
        with self.database.lean() as lean:
            return {name: sorted(lean.fetch(f"SELECT {columns} FROM {name}")) for name, columns in FOLDS.items()}

    def rebuilt(self) -> dict[str, list[Any]]:
        """The same made anew from all facts."""
        with self.database.lean_write() as lean:
            folds.rebuild(lean)
        return self.folds()


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    """Makes ledgers."""
    made: list[Ledger] = []

    def make() -> Ledger:
        made.append(Ledger(tmp_path / str(len(made))))
        return made[-1]

    yield make
    for ledger in made:
        ledger.database.close()
        ledger.door.close()


def _life(ledger: Ledger) -> None:
    """A bit of everything that the registry keeps."""
    first = ledger.save("team/triage", "Hello {{ name }}", message="first", description="Sorts mail")
    ledger.save("team/triage", "Hi {{ name }}", based_on=first, labels=["production"])
    ledger.door.registry.set_field("team/triage", "tags", ["a", "ü"])
    ledger.door.registry.keep_inputs("team/triage", "usual", {"name": "Ada"})
    ledger.save("other", "What?")
    ledger.door.registry.remove_label("team/triage", "production")
    ledger.door.registry.undo()
    ledger.door.prices.add("openai", "gpt-x", {"input": "2.5", "output": "10"}, from_us=1)
    ledger.door.budgets.set("5", "month", prompt="team/*")


def test_i1_i8_i14_a_ledger_is_the_same_elsewhere(ledgers: Callable[[], Ledger]) -> None:
    """Everything a registry holds arrives in an empty ledger: the same view, and records with the same bytes."""
    mine, theirs = ledgers(), ledgers()
    _life(mine)
    sent = mine.facts()
    assert {record.kind for record in sent} == {"version", "label", "field", "inputs", "price", "budget"}
    assert [records.fault(record) for record in sent] == [None] * len(sent)
    taken = theirs.take(sent)
    assert (taken.new, taken.known, taken.refused) == (len(sent), 0, [])
    assert theirs.facts() == sent and theirs.folds() == mine.folds() == theirs.rebuilt()
    assert theirs.facts(waiting=True) == [] and mine.facts(waiting=True) == sent
    assert [hit.name for hit in theirs.door.registry.search("Hello")] == [
        h.name for h in mine.door.registry.search("Hello")
    ]


def test_i9_taking_again_changes_nothing(ledgers: Callable[[], Ledger]) -> None:
    """A page that comes twice, or one's own facts come back, only tells their numbers."""
    mine = ledgers()
    _life(mine)
    before = mine.folds()
    for _ in range(2):
        taken = mine.take(mine.facts())
        assert (taken.new, taken.known, taken.refused) == (0, len(mine.facts()), [])
    assert mine.folds() == before and mine.facts(waiting=True) == []


def test_i1_the_same_version_by_two_people_keeps_both_records(ledgers: Callable[[], Ledger]) -> None:
    """Two people who save one text make one version and two facts; each fact keeps its own author and message, to the byte."""
    mine, theirs = ledgers(), ledgers()
    mine.save("p", "same", message="mine", author="ada")
    theirs.save("p", "same", message="theirs", author="grace")
    sent = theirs.facts()
    assert mine.take(sent).refused == []
    assert [record for record in mine.facts() if record.rid in {r.rid for r in sent}] == sent
    assert len(mine.door.registry.versions("p")) == 1


def test_i14_i19_the_servers_order_decides_on_both_ends(ledgers: Callable[[], Ledger]) -> None:
    """Two ledgers that worked apart show the same numbers, labels and fields once both have the server's order."""
    mine, theirs = ledgers(), ledgers()
    mine.save("p", "base", author="ada")
    theirs.take(mine.facts())
    mine.take(mine.facts())
    shared = len(mine.facts())
    for ledger, words in ((mine, "mine"), (theirs, "theirs")):
        ledger.save("p", words)
        ledger.door.registry.set_label("p", "staging", 2)
        ledger.door.registry.set_label("p", "production", 2)
        ledger.door.registry.set_field("p", "description", words)
    history = theirs.facts(waiting=True) + mine.facts(waiting=True)
    for ledger in (mine, theirs):
        assert ledger.take(history, shared + 1).refused == []
    assert mine.folds() == theirs.folds() == mine.rebuilt()
    numbers = {v.number: mine.door.registry.content(v.id).messages[0].text for v in mine.door.registry.versions("p")}
    assert numbers == {1: "base", 2: "theirs", 3: "mine"}
    assert mine.door.registry.version("p", "staging").number == 3, "the last accepted"
    assert theirs.door.registry.version("p", "production").number == 2, "the first accepted stays"
    assert theirs.door.registry.prompt("p").description == "mine"


@pytest.mark.parametrize("kind", ["hologram", "label"])
def test_f19_a_fact_of_a_newer_release_is_kept_and_handed_on(ledgers: Callable[[], Ledger], kind: str) -> None:
    """A fact that this release cannot read changes no view, and its record comes out as it went in."""
    mine, theirs = ledgers(), ledgers()
    mine.save("p", "x")
    body = {"rv": 7, "prompt": "p", "field": ["a"], "value": {"deep": [1]}, "at_us": "noon", "undoes": 3, "base": None}
    newer = Record("meta", ids.new_id(), kind, canonical_json(body))
    sent = [*mine.facts(), newer]
    taken = theirs.take(sent)
    assert (taken.new, taken.unread, taken.refused) == (len(sent), 1, [])
    assert theirs.facts() == sent and theirs.folds() == mine.folds() == theirs.rebuilt()


def test_i1_new_fields_of_a_known_fact_are_kept(ledgers: Callable[[], Ledger]) -> None:
    """A field that a newer release added to a fact we know is handed on, and the fact counts."""
    mine, theirs = ledgers(), ledgers()
    mine.save("p", "x", labels=["staging"])
    sent = []
    for record in mine.facts():
        content = {**record.content(), "signed": {"by": "ada"}}
        sent.append(Record("meta", record.rid, record.kind, canonical_json(content)))
    assert theirs.take(sent).refused == []
    assert theirs.facts() == sent and theirs.folds() == mine.folds()


def _bent(record: Record, **changes: Any) -> Record:
    return Record("meta", ids.new_id(), record.kind, canonical_json({**record.content(), **changes}))


BENT: dict[str, tuple[str, dict[str, Any]]] = {
    "a name that leaves the folder": ("version", {"prompt": "../../x"}),
    "a name that differs in case only": ("version", {"prompt": "P"}),
    "an id of other content": ("version", {"field": "0" * 36}),
    "no content": ("version", {"version": {}}),
    "content that is none": ("version", {"version": {"content": "{}", "created_us": 1}}),
    "a label to nowhere": ("label", {"value": '"nowhere"'}),
    "a label with a space": ("label", {"field": "production "}),
    "a value that is no JSON": ("label", {"value": "{"}),
    "a base that is no list": ("label", {"base": "x"}),
    "a base of numbers": ("label", {"base": [1]}),
    "a moment that is text": ("label", {"at_us": "noon"}),
    "tags that are no list": ("field", {"field": "tags", "value": '"a"'}),
    "a mode that is none": ("field", {"field": "mode", "value": '"wild"'}),
    "inputs that are a list": ("inputs", {"value": "[1]"}),
    "a price that is none": ("price", {"value": '{"provider":1}'}),
    "a budget that is none": ("budget", {"value": '{"scope":[]}'}),
}


@pytest.mark.parametrize("what", BENT)
def test_b19_b44_f17_a_fact_that_cannot_be_is_refused_alone(ledgers: Callable[[], Ledger], what: str) -> None:
    """A fact whose content makes no sense is refused with a reason; its neighbours count and nothing else changes."""
    mine, theirs = ledgers(), ledgers()
    _life(mine)
    mine.save("p", "x", labels=["staging"])
    sent = mine.facts()
    kind, changes = BENT[what]
    bad = _bent(next(record for record in sent if record.kind == kind), **changes)
    taken = theirs.take([*sent, bad, sent[0]])
    assert [row.record.rid for row, why in taken.refused if why] == [bad.rid]
    assert theirs.facts() == sent and theirs.folds() == mine.folds()


def test_b19_another_record_of_a_known_id_is_refused(ledgers: Callable[[], Ledger]) -> None:
    """A fact of an id that is here with other content, and one whose hash is wrong, change nothing."""
    mine = ledgers()
    mine.save("p", "x")
    before, first = mine.folds(), mine.facts()[0]
    twin = Record("meta", first.rid, first.kind, canonical_json({**first.content(), "reason": "forged"}))
    assert len(mine.take([twin]).refused) == 1
    with mine.database.lean_write() as lean:
        taken = sync_facts.take(lean, [Delivered(first, 1, "0" * 64)])
    assert len(taken.refused) == 1 and mine.folds() == before and json.loads(mine.facts()[0].body)["reason"] == ""


def test_b38_facts_in_an_impossible_order_still_fold(ledgers: Callable[[], Ledger]) -> None:
    """Labels whose numbers come before their version's number point to it all the same."""
    mine, theirs = ledgers(), ledgers()
    mine.save("p", "x", labels=["staging"])
    sent = mine.facts()
    rows = [Delivered(record, 100 - n, record.hash) for n, record in enumerate(sent)]
    with theirs.database.lean_write() as lean:
        assert sync_facts.take(lean, rows).refused == []
    assert theirs.folds() == mine.folds() == theirs.rebuilt()
