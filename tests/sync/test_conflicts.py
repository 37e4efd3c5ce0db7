"""Two real ledgers whose people write at once: both texts stay, all see the same, and what is decided is decided once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.deciding import HEADS, Contested
from ledger_tui.domain.merge_text import read
from ledger_tui.errors import Conflict, InputError, NotFound
from ledger_tui.store import open_registers
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.memory import MemoryServer

from tests.sync.test_sync_facts import Ledger


class Team:
    """Two people with a ledger each, and their server."""

    def __init__(self, folder: Path) -> None:
        self.server = MemoryServer()
        self.ada, self.ben = Ledger(folder / "ada"), Ledger(folder / "ben")
        self.both = (self.ada, self.ben)
        for ledger, name in zip(self.both, ("Ada", "Ben"), strict=True):
            ledger.door.author = lambda name=name: name  # type: ignore[method-assign, misc]

    def sync(self, *order: Ledger) -> None:
        """Everybody syncs until all have everything; ``order``: who is first."""
        for ledger in (*(order or self.both), *self.both, *self.both):
            remote = self.server.remote("ada" if ledger is self.ada else "ben", "maintainer")
            Engine(LedgerLog(ledger.database), remote, Client("here", "1"), streams=("meta",)).sync()
        assert self.ada.folds() == self.ben.folds() == self.ada.rebuilt(), "I8 I14 I19"

    def conflicts(self) -> list[Contested]:
        """What there is to decide, the same for both but for what is one's own."""
        mine, theirs = (ledger.door.conflicts.conflicts() for ledger in self.both)
        assert [(c.prompt, c.kind, c.field, [o.rid for o in c.candidates], c.holder.rid) for c in mine] == [
            (c.prompt, c.kind, c.field, [o.rid for o in c.candidates], c.holder.rid) for c in theirs
        ]
        assert self.ada.door.conflicts.count() == len(mine)
        return mine


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """Ada and Ben, who have one prompt in common."""
    made = Team(tmp_path)
    made.ada.save("p", "one\ntwo\nthree")
    made.sync()
    yield made
    for ledger in made.both:
        ledger.database.close()
        ledger.door.close()


def text_of(ledger: Ledger, ref: Any = None) -> str:
    """The text of a version of ``p``."""
    registry = ledger.door.registry
    return registry.content(registry.version("p", ref).id).messages[0].text


def edit_at_once(team: Team) -> None:
    """Each changes another line of the same version."""
    team.ada.save("p", "ADA\ntwo\nthree", message="first line")
    team.ben.save("p", "one\ntwo\nBEN", message="third line")
    team.sync()


def test_i18_i19_two_edits_at_once_are_both_kept_and_listed(team: Team) -> None:
    """Both texts are versions, the conflict is listed once with who wrote what, all serve the same, and a merge needs nobody."""
    edit_at_once(team)
    (found,) = team.conflicts()
    assert (found.prompt, found.kind, found.subject) == ("p", HEADS, "2 heads")
    assert [(one.number, one.actor) for one in found.candidates] == [(2, "Ada"), (3, "Ben")]
    assert {text_of(team.ada, 2), text_of(team.ada, 3)} == {"ADA\ntwo\nthree", "one\ntwo\nBEN"}
    assert text_of(team.ada) == text_of(team.ben) == "one\ntwo\nBEN", "the last accepted"
    assert all(ledger.door.registry.prompt("p").contested for ledger in team.both)
    here = team.ben.door.conflicts.compare("p")
    assert (here.base_number, here.mine.author, here.theirs.author, here.merge.conflicts) == (1, "Ben", "Ada", ())
    assert read(here.merge.text({})).messages[0].text == "ADA\ntwo\nBEN"


def test_i18_a_version_that_joins_the_heads_ends_it_for_all(team: Team) -> None:
    """The merged text is a version with both heads as parents, active and where the label was wanted; its record says both."""
    edit_at_once(team)
    here = team.ada.door.conflicts.compare("p")
    merged = read(here.merge.text({}))
    version = team.ada.door.conflicts.resolve_heads("p", merged, labels=["staging"], message="both")
    assert (version.number, version.labels, version.name) == (4, ("active", "staging"), "v4*")
    team.sync()
    assert team.conflicts() == [] and team.ben.door.registry.version("p").name == "v4"
    assert text_of(team.ben, "staging") == "ADA\ntwo\nBEN"
    (record,) = (r for r in team.ben.facts() if r.kind == "version" and r.content()["field"] == version.id)
    assert record.content()["parents"] == [here.mine.version_id, here.theirs.version_id]
    assert len(record.content()["base"]) == 2 and json.loads(record.content()["value"])["base"] == here.mine.version_id
    assert team.ada.facts() and {r.body for r in team.ada.facts()} == {r.body for r in team.ben.facts()}, "I1"


def test_i18_one_head_can_be_kept_whole_without_a_new_version(team: Team) -> None:
    """Taking one side as it is makes no version; the other one stays in the list of versions, and nothing is left to decide."""
    edit_at_once(team)
    here = team.ada.door.conflicts.compare("p")
    version = team.ada.door.conflicts.resolve_heads("p", here.mine_content)
    assert version.id == here.mine.version_id
    team.sync()
    assert team.conflicts() == [] and len(team.ben.door.registry.versions("p")) == 3
    assert text_of(team.ben) == "ADA\ntwo\nthree"
    team.ben.save("p", "next")
    team.sync()
    assert team.conflicts() == [] and [head.number for head in team.ada.door.conflicts.heads("p")] == [4]


def test_b44_two_who_resolve_alike_have_resolved_it(team: Team) -> None:
    """Two people who come to the same text at once have one version and nothing left to decide."""
    edit_at_once(team)
    for ledger in team.both:
        here = ledger.door.conflicts.compare("p")
        ledger.door.conflicts.resolve_heads("p", read(here.merge.text({})))
    team.sync(team.ben)
    assert team.conflicts() == [] and len(team.ada.door.registry.versions("p")) == 4
    team.ada.save("p", "on top of both")
    team.sync()
    assert team.conflicts() == []


def test_b44_two_who_resolve_differently_have_two_heads_again(team: Team) -> None:
    """Different decisions at once are both kept, and the next comparison shows what they began from."""
    edit_at_once(team)
    for ledger, words in zip(team.both, ("by ada", "by ben"), strict=True):
        ledger.door.conflicts.resolve_heads("p", PromptContent.of_text(words))
    team.sync()
    (found,) = team.conflicts()
    assert sorted(text_of(team.ada, one.number) for one in found.candidates) == ["by ada", "by ben"]
    assert team.ada.door.conflicts.compare("p").base_number in (2, 3)


def test_a_decision_names_what_its_author_saw_and_no_more(team: Team) -> None:
    """A head or a candidate that arrives while somebody looks stays to be decided; what was decided meanwhile is told."""
    edit_at_once(team)
    here = team.ada.door.conflicts.compare("p")
    team.ben.save("p", "third", based_on=here.base and team.ben.door.registry.version("p", 3).id)
    team.ben.door.conflicts.resolve_heads("p", PromptContent.of_text("decided"))
    team.sync()
    pair = (here.mine.version_id, here.theirs.version_id)
    for decide in (
        lambda: team.ada.door.conflicts.resolve_heads("p", here.mine_content, heads=pair),
        lambda: team.ada.door.conflicts.compare("p"),
        lambda: team.ada.door.conflicts.keep_both("p", *pair, "other"),
    ):
        with pytest.raises(Conflict):
            decide()


def test_i18_both_can_be_kept_one_of_them_under_a_label(team: Team) -> None:
    """Keeping both goes on from one head; the other stays within reach under a label of its own."""
    edit_at_once(team)
    here = team.ada.door.conflicts.compare("p")
    pair = (here.mine.version_id, here.theirs.version_id)
    with pytest.raises(InputError):
        team.ada.door.conflicts.keep_both("p", *pair, "active")
    team.ada.door.conflicts.keep_both("p", *pair, "ben-draft")
    team.sync()
    assert team.conflicts() == []
    assert (text_of(team.ben), text_of(team.ben, "ben-draft")) == ("ADA\ntwo\nthree", "one\ntwo\nBEN")


def test_saving_while_two_heads_stand_decides_nothing(team: Team) -> None:
    """Ordinary saves go on their own head: there are still two heads, of which one is longer."""
    edit_at_once(team)
    mine = next(head for head in team.ada.door.conflicts.heads("p") if head.mine)
    team.ada.save("p", "more of ada", based_on=mine.version_id)
    team.sync()
    (found,) = team.conflicts()
    assert [text_of(team.ada, one.number) for one in found.candidates] == ["one\ntwo\nBEN", "more of ada"]


@pytest.mark.parametrize("first", ["ada", "ben"])
def test_i11_b44_production_moved_by_two_at_once_stays_until_somebody_saw_both(team: Team, first: str) -> None:
    """The first accepted holds everywhere; the other is listed; a fact that names both moves it, and names the one that held
    first."""
    team.ada.save("p", "v2")
    team.sync()
    for ledger, number in zip(team.both, (1, 2), strict=True):
        ledger.door.registry.set_label("p", "production", number)
    team.sync(getattr(team, first))
    (found,) = team.conflicts()
    assert (found.subject, found.holder.actor.lower()) == ("label production", first)
    assert [one.mine for one in found.candidates] == [one.actor == "Ada" for one in found.candidates]
    held = team.ada.door.registry.version("p", "production").number
    assert held == (1 if first == "ada" else 2)
    other = next(one for one in found.candidates if not one.holds)
    team.ada.door.conflicts.resolve_register(found, other.rid, reason="agreed")
    team.sync()
    assert team.conflicts() == [] and team.ben.door.registry.version("p", "production").number == 3 - held
    with pytest.raises(Conflict):
        team.ben.door.conflicts.resolve_register(found, other.rid)
    with pytest.raises(NotFound):
        team.ben.door.conflicts.resolve_register(found, "none")


def test_i19_b44_two_who_decide_a_label_at_once(team: Team) -> None:
    """Decided alike it is done; decided differently the first decision holds for production and the other is listed."""
    team.ada.save("p", "v2")
    team.sync()

    def move() -> Contested:
        for ledger, number in zip(team.both, (1, 2), strict=True):
            ledger.door.registry.set_label("p", "production", number)
        team.sync()
        return team.conflicts()[0]

    found = move()
    for ledger in team.both:
        ledger.door.conflicts.resolve_register(found, found.candidates[1].rid)
    team.sync()
    assert team.conflicts() == []
    team.ada.door.registry.set_label("p", "production", 1)
    team.sync()
    assert team.conflicts() == [], "a fact after two equal ones names both"
    team.ben.door.registry.remove_label("p", "production")
    team.sync()
    found = move()
    for ledger, one in zip(team.both, found.candidates, strict=True):
        ledger.door.conflicts.resolve_register(found, one.rid)
    team.sync(team.ben)
    (again,) = team.conflicts()
    assert again.holder.actor == "Ben" and len(again.candidates) == 2


def test_i19_fields_and_input_sets_take_the_last_and_say_so(team: Team) -> None:
    """A description, the tags, an input set and a budget set by two at once hold the last accepted; each is listed and decided."""
    team.ada.door.budgets.set("5", "day", prompt="p")
    team.sync()
    for ledger, word in zip(team.both, ("ada", "ben"), strict=True):
        ledger.door.registry.set_field("p", "description", word)
        ledger.door.registry.set_field("p", "tags", [word])
        ledger.door.registry.keep_inputs("p", "usual", {"who": word})
        ledger.door.budgets.set(str(len(word) + (word == "ben")), "day", prompt="p")
    team.ada.door.registry.set_field("p", "team", "same")
    team.ben.door.registry.set_field("p", "team", "same")
    team.sync()
    found = team.conflicts()
    assert [(c.prompt, c.kind, c.field) for c in found[:3]] == [
        ("p", "field", "description"), ("p", "field", "tags"), ("p", "inputs", "usual"),
    ]  # fmt: skip
    assert team.ada.door.registry.prompt("p").description == "ben" == found[0].holder.value
    assert [c.subject for c in found] == ["description", "tags", "input set usual", "budget"]
    assert found[3].words(found[3].holder) == "p may cost $4.00 a day, warning at 80 %"
    team.ada.door.conflicts.decide(found[1], ["ada", "ben"])
    for contested in (found[0], *found[2:]):
        team.ada.door.conflicts.resolve_register(contested, contested.candidates[0].rid)
    team.sync()
    row = team.ben.door.registry.prompt("p")
    assert team.conflicts() == [] and (row.description, row.tags, row.team) == ("ada", ("ada", "ben"), "same")


@pytest.mark.parametrize("order", ["ada", "ben"])
def test_b44_delete_and_edit_at_once_keep_the_prompt_in_sight(team: Team, order: str) -> None:
    """A prompt archived by one while another wrote a version is shown, with both deeds to decide; either can win, for all."""
    team.ada.door.registry.set_field("p", "archived", True)
    team.ben.save("p", "still needed")
    team.sync(getattr(team, order))
    (found,) = team.conflicts()
    assert found.subject == "archived and edited" and not team.ada.door.registry.prompt("p").archived
    assert {(one.actor, one.is_edit) for one in found.candidates} == {("Ada", False), ("Ben", True)}
    wanted = next(one for one in found.candidates if one.is_edit == (order == "ben"))
    team.ben.door.conflicts.resolve_register(found, wanted.rid)
    team.sync()
    assert team.conflicts() == [] and team.ada.door.registry.prompt("p").archived == (order == "ada")
    team.ada.save("p", "written knowingly")
    team.sync()
    assert team.conflicts() == [] and not team.ben.door.registry.prompt("p").archived


def test_undo_during_a_conflict_takes_back_ones_own_only(team: Team) -> None:
    """Who takes back a move leaves the other's where it is, and nothing is left to decide; later facts of others stay too."""
    team.ada.save("p", "v2")
    team.ada.door.registry.set_field("p", "description", "before")
    team.sync()
    for ledger, number in zip(team.both, (1, 2), strict=True):
        ledger.door.registry.set_label("p", "production", number)
    team.sync()
    assert "stays" in team.ada.door.registry.undo()
    team.sync()
    assert team.conflicts() == [] and team.ada.door.registry.version("p", "production").number == 2
    team.ada.door.registry.set_field("p", "description", "ada")
    team.sync()
    team.ben.door.registry.set_field("p", "description", "ben, who saw it")
    team.sync()
    assert "stays" in team.ada.door.registry.undo()
    team.sync()
    assert team.ben.door.registry.prompt("p").description == "ben, who saw it"
    team.ben.door.registry.undo()
    assert team.ben.door.registry.prompt("p").description == "ada"


def test_a_ledger_of_one_person_never_has_a_conflict(tmp_path: Path) -> None:
    """Older versions edited, restored and saved again, labels moved, undo, archiving, inactive versions: always one line."""
    ledger = Ledger(tmp_path)
    try:
        registry = ledger.door.registry
        first = ledger.save("p", "one")
        ledger.save("p", "two")
        ledger.save("p", "three", based_on=first)
        registry.restore("p", 1)
        ledger.save("p", "four")
        ledger.save("p", "five", activate=False, labels=["staging"])
        ledger.save("p", "one")
        registry.undo()
        registry.set_field("p", "archived", True)
        ledger.save("p", "six", based_on=first)
        assert ledger.door.conflicts.conflicts() == [] == ledger.folds()["open_registers"]
        assert [head.number for head in ledger.door.conflicts.heads("p")] == [6]
        assert ledger.folds() == ledger.rebuilt() and not registry.prompt("p").contested
        assert [version.name for version in registry.versions("p")] == ["v6", "v5", "v4", "v3", "v2", "v1"]
        with pytest.raises(Conflict):
            ledger.door.conflicts.compare("p")
    finally:
        ledger.database.close()
        ledger.door.close()


def test_provisional_numbers_are_marked_until_the_server_gave_them(team: Team) -> None:
    """In a shared ledger the number of a version that waits carries a star; synced it has none."""
    team.ada.save("p", "new")
    assert [version.name for version in team.ada.door.registry.versions("p")] == ["v2*", "v1"]
    team.sync()
    assert [version.name for version in team.ada.door.registry.versions("p")] == ["v2", "v1"]


def test_i8_every_step_of_a_conflict_leaves_the_rows_that_the_facts_say(team: Team) -> None:
    """After each deed while much is contested, the kept rows are those that all facts give."""
    edit_at_once(team)
    registry = team.ada.door.registry
    team.ada.door.registry.set_label("p", "staging", 1)
    team.ben.door.registry.set_label("p", "staging", 2)
    team.ben.door.registry.set_field("p", "archived", True)
    team.ada.save("p", "meanwhile")
    team.sync()
    deeds: list[Callable[[], Any]] = [
        lambda: team.ada.save("p", "again"),
        lambda: registry.set_field("p", "description", "x"),
        lambda: registry.set_label("p", "staging", 3),
        lambda: team.ada.save("p", "ADA\ntwo\nthree"),
        registry.undo,
        lambda: registry.set_field("p", "archived", True),
        lambda: team.ada.save("p", "once more"),
        lambda: team.ada.door.conflicts.resolve_heads("p", PromptContent.of_text("the end")),
    ]
    for deed in deeds:
        deed()
        kept = team.ada.folds()
        assert kept == team.ada.rebuilt()
    assert kept["open_registers"] == []
    with team.ada.database.session() as session:
        assert len(open_registers.heads(session, registry.prompt("p").id)) == 1
