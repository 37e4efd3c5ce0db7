"""The registry keeps every text, numbers what is new, and takes back what a person did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.errors import ContentRefused, InputError, NameRefused, NotFound
from ledger_tui.paths import Paths


@pytest.fixture
def ledger(paths: Paths) -> Iterator[PromptLedger]:
    with PromptLedger(paths=paths) as made:
        made.prepare()
        yield made


def text(words: str) -> PromptContent:
    return PromptContent.of_text(words)


def test_first_save_makes_version_one_active(ledger: PromptLedger) -> None:
    """The first save creates the prompt, numbers its version 1 and makes it active."""
    result = ledger.registry.save("support/triage", text("Hello {{name}}"), message="first", description="Sorts mail")
    assert (result.created, result.prompt_created, result.version.number) == (True, True, 1)
    assert result.version.labels == ("active",)
    assert (result.prompt.description, result.prompt.active_number) == ("Sorts mail", 1)


def test_same_content_makes_no_version(ledger: PromptLedger) -> None:
    """Saving what is active already writes nothing at all."""
    ledger.registry.save("a", text("one"))
    facts = len(ledger.registry.history("a"))
    result = ledger.registry.save("a", text("one"))
    assert (result.created, result.moved, result.version.number) == (False, False, 1)
    assert len(ledger.registry.history("a")) == facts


def test_older_content_moves_active_back(ledger: PromptLedger) -> None:
    """Saving the content of an older version makes no version but moves ``active`` to it."""
    for words in ("one", "two", "one"):
        result = ledger.registry.save("a", text(words))
    assert (result.created, result.moved, result.version.number) == (False, True, 1)
    assert [version.number for version in ledger.registry.versions("a")] == [2, 1]


def test_version_remembers_what_it_was_written_on(ledger: PromptLedger) -> None:
    """Editing an old version writes a new one on top of the newest and remembers its base."""
    first = ledger.registry.save("a", text("one")).version
    ledger.registry.save("a", text("two"))
    third = ledger.registry.save("a", text("three"), based_on=first.id).version
    assert (third.number, third.base_number) == (3, 1)


def test_versions_are_found_by_number_label_and_hash(ledger: PromptLedger) -> None:
    """A version is named by its number, v-number, label or hash prefix; the name alone means the active one."""
    ledger.registry.save("a", text("one"), labels=["production"])
    second = ledger.registry.save("a", text("two")).version
    find = ledger.registry.version
    assert [find("a", ref).number for ref in (1, "1", "v1", "production", second.short_hash, None)] == [
        1,
        1,
        1,
        1,
        2,
        2,
    ]
    with pytest.raises(NotFound, match="no version nowhere"):
        find("a", "nowhere")


def test_undo_takes_back_one_action_after_the_other(ledger: PromptLedger) -> None:
    """Undo appends the opposite of the newest action, then of the one before it, and never of an undo."""
    registry = ledger.registry
    registry.save("a", text("one"))
    registry.save("a", text("two"))
    registry.set_label("a", "production", 1)
    registry.set_label("a", "production", 2)
    assert "v1" in registry.undo()
    assert registry.version("a", "production").number == 1
    registry.undo()
    with pytest.raises(NotFound):
        registry.version("a", "production")
    registry.undo()
    assert registry.version("a").number == 1
    registry.undo()
    assert registry.prompts() == []
    with pytest.raises(NotFound, match="Nothing to undo"):
        registry.undo()
    assert len(registry.versions("a")) == 2


def test_saving_an_archived_prompt_brings_it_back(ledger: PromptLedger) -> None:
    """A prompt that was put away is listed again once somebody saves it."""
    ledger.registry.save("a", text("one"))
    ledger.registry.set_field("a", "archived", True)
    assert ledger.registry.prompts() == []
    ledger.registry.save("a", text("one"))
    assert [row.name for row in ledger.registry.prompts()] == ["a"]


def test_names_that_differ_in_case_only_are_refused(ledger: PromptLedger) -> None:
    """``Foo`` beside ``foo`` is refused, and nothing is written (B6)."""
    ledger.registry.save("Foo", text("one"))
    with pytest.raises(NameRefused, match="Foo exists"):
        ledger.registry.save("foo", text("one"))
    assert [row.name for row in ledger.registry.prompts()] == ["Foo"]


@pytest.mark.parametrize("bad", ["a\x00b", "\ud800"])
def test_broken_characters_are_refused_with_their_position(ledger: PromptLedger, bad: str) -> None:
    """A NUL or lone surrogate is refused at entry with its position, and nothing is written (B1, B2)."""
    with pytest.raises(ContentRefused, match="position"):
        ledger.registry.save("a", PromptContent((Message("user", bad),)))
    assert ledger.registry.prompts() == []


def test_fields_take_their_own_kind_of_value_only(ledger: PromptLedger) -> None:
    """A field refuses a value of the wrong kind and unknown fields."""
    ledger.registry.save("a", text("one"))
    ledger.registry.set_field("a", "tags", ["mail", "de"])
    assert ledger.registry.prompt("a").tags == ("mail", "de")
    for field, value in (("tags", "mail"), ("archived", "yes"), ("mode", "half"), ("colour", "red")):
        with pytest.raises(InputError):
            ledger.registry.set_field("a", field, value)


def test_input_sets_are_kept_dropped_and_undone(ledger: PromptLedger) -> None:
    """Values kept under a name come back; dropping is a fact that undo takes back."""
    ledger.registry.save("a", text("{{x}}"))
    ledger.registry.keep_inputs("a", "polite", {"x": "please", "n": [1, 2.5, None]})
    assert ledger.registry.input_sets("a")[0].variables == {"x": "please", "n": [1, 2.5, None]}
    ledger.registry.drop_inputs("a", "polite")
    assert ledger.registry.input_sets("a") == []
    ledger.registry.undo()
    assert [kept.name for kept in ledger.registry.input_sets("a")] == ["polite"]


def test_rebuilt_folds_equal_the_maintained_ones(ledger: PromptLedger) -> None:
    """Rebuilding every derived registry table from the journal gives the same rows."""
    from ledger_tui.store import folds

    registry = ledger.registry
    for number in range(12):
        registry.save(f"p{number % 3}", text(f"words {number % 5}"), labels=["staging"] if number % 2 else [])
    registry.set_field("p1", "tags", ["x"])
    registry.keep_inputs("p2", "s", {"a": 1})
    registry.undo()
    registry.undo()
    before = _derived(ledger)
    with ledger.database.lean_write() as lean:
        folds.rebuild(lean)
    assert _derived(ledger) == before


def _derived(ledger: PromptLedger) -> dict[str, list[tuple[object, ...]]]:
    with ledger.database.lean() as lean:
        return {
            table: sorted(map(repr, lean.fetch(f"SELECT * FROM {table}")))  # type: ignore[misc]
            for table in ("labels", "prompt_states", "version_numbers", "input_sets")
        }
