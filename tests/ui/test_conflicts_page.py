"""The Conflicts page: what there is to decide is seen beside what it came from, and decided by keys and mouse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ledger_tui.domain.merge import merge
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.dialogs.ask import Ask, Choose
from ledger_tui.ui.places.prompts import conflict_work
from ledger_tui.ui.places.prompts.conflict_words import saved_words
from ledger_tui.ui.places.prompts.conflicts import ConflictsPage
from ledger_tui.ui.places.prompts.prompts import PromptsPlace
from ledger_tui.ui.widgets.merge_view import MergeView
from ledger_tui.ui.widgets.text_pane import TextPane
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests.sync.at_once import write_at_once
from tests.ui.conftest import Workstation, screen_text, settle, until

NAME = "team/greeting"


@pytest.fixture
def at_once(ledger: PromptLedger, tmp_path: Path) -> PromptLedger:
    """A ledger with two heads, a contested label and a contested description."""
    ledger.prepare()
    write_at_once(ledger, tmp_path)
    return ledger


async def open_page(pilot: Pilot[None]) -> ConflictsPage:
    """Press the key in Prompts and wait for what there is."""
    await pilot.press("C")
    await until(lambda: isinstance(pilot.app.screen, ConflictsPage), pilot, "the page")
    await settle(pilot)
    page = pilot.app.screen
    assert isinstance(page, ConflictsPage)
    return page


def text(ledger: PromptLedger) -> str:
    """The active text."""
    return ledger.registry.content(ledger.registry.version(NAME).id).messages[0].text


async def test_nothing_to_decide_says_what_a_conflict_is(workstation: Workstation) -> None:
    """Without a conflict the page says so and what one is; escape goes back."""
    async with workstation() as pilot:
        await open_page(pilot)
        assert "Nothing to decide." in screen_text(pilot) and "two heads" in screen_text(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, PromptsPlace)


async def test_prompts_says_that_people_wrote_at_once(workstation: Workstation, at_once: PromptLedger) -> None:
    """The tree, the versions and the border say it, and nothing opens by itself."""
    async with workstation() as pilot:
        await until(lambda: "C shows what they want" in screen_text(pilot), pilot, "the words")
        shown = screen_text(pilot)
        assert isinstance(pilot.app.screen, PromptsPlace)
        assert shown.count("Ψ") >= 5 and "Ψ v3" in shown and "Ψ v2" in shown and "Ψ 1 (C)" in shown


async def test_the_tree_keeps_labels_and_signs_apart(workstation: Workstation, at_once: PromptLedger) -> None:
    """Where labels are written in full there is a space before the sign of what several people wrote."""
    async with workstation(size=(80, 24)) as pilot:
        await until(lambda: "production Ψ" in screen_text(pilot), pilot, "the line")


async def test_i18_hunks_are_taken_and_saved_on_both_heads(workstation: Workstation, at_once: PromptLedger) -> None:
    """Base, mine and theirs stand beside each other; only what both changed has to be decided; saving moves the label that
    people had in mind, and everything listed of the heads is gone."""
    async with workstation(size=(160, 48)) as pilot:
        page = await open_page(pilot)
        shown = screen_text(pilot)
        assert all(
            words in shown for words in ("base v1", "mine v3", "theirs v2 Grace", "And short.", "And brief, mostly.")
        )
        assert "Dear {{ name }}!" in page.result and "1 to decide" in shown
        await pilot.press("ctrl+s")
        assert isinstance(pilot.app.screen, ConflictsPage), "what is undecided is not saved"
        await pilot.press("enter", "b")
        await settle(pilot)
        assert "all decided" in screen_text(pilot) and "<<<<" not in page.query_one("#result", TextPane).source
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(pilot.app.screen, Choose), pilot, "the question")
        await pilot.press("down", "enter")
        await until(lambda: [row.key for row in page.rows] == ["field:description"], pilot, "the decision")
        await settle(pilot)
    merged = "Dear {{ name }}!\n\nWe are kind.\nAnd short.\nAnd brief, mostly.\n\nYours, {{ team }}"
    assert text(at_once) == merged and at_once.registry.version(NAME).labels == ("active", "production")
    assert len(at_once.conflicts.heads(NAME)) == 1


async def test_changes_are_walked_and_taken_back(workstation: Workstation, at_once: PromptLedger) -> None:
    """Keys go from change to change, take either side or what was before, all at once too, and forget it again."""
    async with workstation() as pilot:
        page = await open_page(pilot)
        await pilot.press("enter")
        view = page.query_one(MergeView)
        conflict = view.place
        await pilot.press("p", "x")
        await settle(pilot)
        assert view.place < conflict and "Hello {{ name }}!" in page.result
        await pilot.press("less_than_sign")
        assert page.result.count("Dear") == 1 and "Yours" not in page.result
        await pilot.press("greater_than_sign")
        assert "Dear" not in page.result and "Yours" in page.result
        await pilot.press("ctrl+o")
        assert page.choices == {} and page.undecided == (conflict,)
        await pilot.press("n", "n", "p", "t")
        assert page.choices == {conflict: "theirs"} and not page.undecided


async def test_the_mouse_takes_a_side(workstation: Workstation, at_once: PromptLedger) -> None:
    """A click on the change of the cursor takes the side of its column, one elsewhere goes there first."""
    async with workstation() as pilot:
        page = await open_page(pilot)
        view = page.query_one(MergeView)
        row = next(at for at, words in enumerate(view.row_texts) if "And short." in words)
        await pilot.click(MergeView, offset=(view.column_width + 12, row))
        assert page.choices == {view.place: "mine"}
        await pilot.click(MergeView, offset=(2 * view.column_width + 20, row))
        assert page.choices == {view.place: "theirs"}
        other = next(at for at, words in enumerate(view.row_texts) if "Dear" in words)
        await pilot.click(MergeView, offset=(5, other))
        await pilot.click(MergeView, offset=(5, other))
        assert page.choices[view.place] == "base" and len(page.choices) == 2


async def test_the_text_is_edited_by_hand(
    workstation: Workstation, at_once: PromptLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result in the person's editor, with marks where nothing was decided; what comes back is what is saved."""
    seen: list[str] = []

    def editor(_: LedgerApp, given: str, suffix: str) -> str:
        seen.append(given + suffix)
        return "---\nledger: 1\n---\nuser:\nby hand\n" if len(seen) > 1 else given.replace("And short.", "And terse.")

    monkeypatch.setattr(conflict_work, "edit_text", editor)
    async with workstation() as pilot:
        page = await open_page(pilot)
        await pilot.press("e", "ctrl+s")
        assert "<<<<<<< mine" in seen[0] and seen[0].endswith(".prompty")
        await until(lambda: pilot.app._notifications, pilot, "a word on the marks")
        assert isinstance(pilot.app.screen, ConflictsPage)
        await pilot.press("e", "ctrl+s")
        await until(lambda: isinstance(pilot.app.screen, Choose), pilot, "the question")
        await pilot.press("enter")
        await until(lambda: not page.is_heads(), pilot, "the decision")
    assert text(at_once) == "by hand"


async def test_both_are_kept(workstation: Workstation, at_once: PromptLedger) -> None:
    """Keeping both asks for a free label and puts it on theirs."""
    async with workstation() as pilot:
        page = await open_page(pilot)
        await pilot.press("B")
        await until(lambda: isinstance(pilot.app.screen, Ask), pilot, "the question")
        await pilot.press(*"grace", "enter")
        await until(lambda: len(page.rows) == 2, pilot, "the decision")
    assert "grace" in at_once.registry.version(NAME, 2).labels and len(at_once.conflicts.heads(NAME)) == 1


async def test_i11_candidates_are_chosen(workstation: Workstation, at_once: PromptLedger) -> None:
    """A contested label and description show who wants what; enter takes one, and the list goes on to the next."""
    async with workstation() as pilot:
        page = await open_page(pilot)
        await pilot.press("down", "down")
        await settle(pilot)
        shown = screen_text(pilot)
        assert "label production" in shown and "Grace" in shown and "counts meanwhile" in shown
        wanted = at_once.registry.version(NAME, "production").number
        await pilot.press("enter")
        candidates = page.query_one("#candidates", OptionList)
        await until(lambda: candidates.has_focus, pilot, "the candidates")
        await pilot.press("down" if candidates.highlighted == 0 else "up", "enter")
        await until(lambda: len(page.rows) == 2, pilot, "the decision")
        await settle(pilot)
        assert at_once.registry.version(NAME, "production").number == 5 - wanted
        await pilot.press("escape", "escape")
        assert isinstance(pilot.app.screen, PromptsPlace)


@pytest.mark.parametrize("size", [(80, 24), (30, 8)])
async def test_a_small_terminal_has_tabs(
    workstation: Workstation, at_once: PromptLedger, size: tuple[int, int]
) -> None:
    """Where there is little room, list, base, mine, theirs and result are tabs; the keys work in each."""
    async with workstation(size=size) as pilot:
        page = await open_page(pilot)
        assert "Ψ 2 heads" in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        view = page.query_one(MergeView)
        assert view.side == "mine" and view.has_focus
        await pilot.press("t", "f7")
        await settle(pilot)
        assert view.side == "theirs" and view.has_focus and "✓ And brief" in "\n".join(view.row_texts)
        await pilot.press("f7")
        await settle(pilot)
        assert page.query_one("#result").has_focus and not view.display
        await pilot.press("f7")
        await settle(pilot)
        assert page.query_one("#conflict-list").has_focus
        await pilot.press("f7")
        await settle(pilot)
        assert view.side == "base" and view.has_focus


async def test_the_footer_of_the_changes_has_help_and_the_palette(
    workstation: Workstation, at_once: PromptLedger
) -> None:
    """At 80 columns the keys of the changes leave room for the way to the next side, help and the palette."""
    async with workstation(size=(80, 24)) as pilot:
        await open_page(pilot)
        await pilot.press("enter")
        await settle(pilot)
        foot = screen_text(pilot).splitlines()[-1]
        assert all(words in foot for words in ("m Mine", "f7 Side", "^s Save", "esc Back", "f1 Help", "^p Palette"))


async def test_saving_what_is_undecided_goes_to_the_change_that_is(
    workstation: Workstation, at_once: PromptLedger
) -> None:
    """The keys that the words name decide at once, also when ctrl+s was pressed in the list."""
    async with workstation(size=(80, 24)) as pilot:
        page = await open_page(pilot)
        await pilot.press("ctrl+s", "m")
        await settle(pilot)
        assert not page.undecided and "And short." in page.result


async def test_after_a_decision_the_list_has_the_focus(workstation: Workstation, at_once: PromptLedger) -> None:
    """Whatever was decided and whatever follows, a second enter opens what is next and decides nothing."""
    async with workstation(size=(120, 36)) as pilot:
        page = await open_page(pilot)
        shown = page.query_one("#conflict-list", OptionList)
        await pilot.press("down", "down", "enter")
        await until(lambda: page.query_one("#candidates").has_focus, pilot, "the candidates")
        await pilot.press("enter")
        await until(lambda: len(page.rows) == 2, pilot, "the decision")
        await settle(pilot)
        assert shown.has_focus and "Open" in screen_text(pilot).splitlines()[-1]
        await pilot.press("enter")
        await settle(pilot)
        assert len(page.rows) == 2
        await pilot.press("escape", "home", "enter", "b", "ctrl+s")
        await until(lambda: isinstance(pilot.app.screen, Choose), pilot, "the question")
        await pilot.press("enter")
        await until(lambda: len(page.rows) == 1, pilot, "the decision")
        await settle(pilot)
        assert shown.has_focus


async def test_candidates_are_shown_in_full(workstation: Workstation, at_once: PromptLedger) -> None:
    """A version that a label could point to says who wrote it, when and why, with its text, or how it differs from the one that
    counts meanwhile; a description is compared too."""
    async with workstation(size=(120, 36)) as pilot:
        page = await open_page(pilot)
        candidates = page.query_one("#candidates", OptionList)
        await pilot.press("down", "down")
        await until(lambda: ": better" in screen_text(pilot), pilot, "the version")
        assert not page.query_one("#candidate-diff").display and "We are kind." in screen_text(pilot)
        await pilot.press("enter", "down" if candidates.highlighted == 0 else "up")
        await until(lambda: "which counts meanwhile" in screen_text(pilot), pilot, "the comparison")
        assert all(words in screen_text(pilot) for words in ("And short.", "And brief, mostly.", "Dear {{ name }}!"))
        await pilot.press("f7")
        assert page.query_one("#candidate-diff").has_focus
        await pilot.press("escape", "up")
        await until(
            lambda: "label production" not in str(page.query_one("#candidates-pane").border_title), pilot, "next"
        )
        await settle(pilot)
        assert "Hello" in screen_text(pilot) and "Dear" in screen_text(pilot)


def test_the_toast_says_where_the_label_is(at_once: PromptLedger) -> None:
    """Saving with a label says that it points there, as far as the server lets this account move it; or where it stays, and that
    another candidate waits; without a label it says neither."""
    here = at_once.conflicts.compare(NAME)
    said = conflict_work._resolve(at_once, here, here.mine_content, "production")
    made = at_once.registry.version(NAME)
    assert said.endswith("is active; production points to it, if the server lets this account move it")
    assert at_once.registry.version(NAME, "production").id == made.id
    stays = saved_words(NAME, made, "production", replace(made, id="other", number=2))
    assert stays.endswith("production stays at v2: another candidate is waiting for a maintainer")
    assert saved_words(NAME, made, "", None).endswith("and is active")


async def test_long_names_stay_in_the_list(workstation: Workstation, ledger: PromptLedger, tmp_path: Path) -> None:
    """No row of the list is longer than there is room: what does not fit stands below, indented, or is cut."""
    ledger.prepare()
    write_at_once(ledger, tmp_path, "team/" + "very-long-" * 5 + "name")
    async with workstation(size=(120, 36)) as pilot:
        await open_page(pilot)
        rows = [row[2:29] for row in screen_text(pilot).splitlines()[2:12]]
        assert all(row[:2] in ("Ψ ", "◇ ", "  ") for row in rows) and any("team/very-long" in row for row in rows)


async def test_the_palette_leads_there_from_anywhere(workstation: Workstation, at_once: PromptLedger) -> None:
    """The palette of another place has the entry."""
    async with workstation(place="traces") as pilot:
        await pilot.press("ctrl+p", *"conflicts")
        await settle(pilot)
        await pilot.press("enter")
        await until(lambda: isinstance(pilot.app.screen, ConflictsPage), pilot, "the page")


async def test_large_texts_are_laid_out_apart_and_folded(workstation: Workstation, ledger: PromptLedger) -> None:
    """Thousands of changed lines are laid out in a thread, unchanged ones fold, and the cursor is in view all the same."""
    async with workstation() as pilot:
        page = await open_page(pilot)
        page.set_classes("-heads -wide")
        same = "\n".join(f"line {n}" for n in range(50))
        long = [f"{same}\n" + "\n".join(f"{who} {n}" for n in range(3_000)) for who in "bmt"]
        view = page.query_one(MergeView)
        await pilot.pause()
        view.show_merge(merge(*long), {})
        await settle(pilot)
        await until(lambda: view.row_count > 2_000, pilot, "the rows")
        texts = view.row_texts
        assert any("47 lines are the same" in row for row in texts) and any("1,000 more lines" in row for row in texts)
        assert view.place == 1 and view.scroll_offset.y <= texts.index(next(row for row in texts if "m 0" in row))
        await pilot.press("f7")
        view.focus()
        await pilot.press("down", "up", "down", "down")
        await settle(pilot)
        assert view.scroll_offset.y > 0
