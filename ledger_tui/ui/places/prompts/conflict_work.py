"""What the Conflicts page does: reads what there is to decide, keeps what was chosen, and saves decisions in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ledger_tui.domain.deciding import HEADS, Candidate, Comparison, Contested
from ledger_tui.domain.merge import Choice
from ledger_tui.domain.merge_text import read
from ledger_tui.domain.names import check_label
from ledger_tui.domain.prompt_files import SUFFIX
from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.ask import Ask, Choose
from ledger_tui.ui.external import edit_text
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.prompts.conflict_words import asked_words, saved_words
from ledger_tui.ui.safe import line

if TYPE_CHECKING:
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.ledger import PromptLedger


class ConflictWork(Place):
    """The deeds of the Conflicts page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Contested] = ()
        """What there is to decide."""
        self.here: Comparison | None = None
        """The heads that are compared."""
        self.choices: dict[int, Choice] = {}
        """What was chosen, by place of the hunk."""
        self.edited: str | None = None
        """The text that a person wrote over the choices."""

    @property
    def current(self) -> Contested | None:
        """What is under the cursor of the list; the page knows."""
        raise NotImplementedError

    def show_rows(self, rows: Sequence[Contested]) -> None:
        """Show what there is to decide; the page says how."""
        raise NotImplementedError

    def show_comparison(self) -> None:
        """Show ``here`` from its beginning; the page says how."""
        raise NotImplementedError

    def show_choices(self) -> None:
        """Show what is chosen; the page says how."""
        raise NotImplementedError

    def decided(self) -> None:
        """Something was decided: what was looked at is over; the page says where the focus goes."""
        raise NotImplementedError

    def go_to(self, place: int) -> None:
        """Put the cursor on a hunk; the page says how."""
        raise NotImplementedError

    def look(self) -> None:
        """Read what there is to decide."""
        self.load(self.ledger.conflicts.conflicts, self.show_rows, group="conflicts")

    def compare(self, name: str) -> None:
        """Compare the heads of a prompt; what was chosen of the same two stays."""
        self.load(partial(self.ledger.conflicts.compare, name), self._compared, group="compare")

    def _compared(self, here: Comparison) -> None:
        before = self.here
        same = before is not None and (before.mine.version_id, before.theirs.version_id) == (
            here.mine.version_id,
            here.theirs.version_id,
        )
        self.here = here
        if not same:
            self.choices, self.edited = {}, None
            self.show_comparison()

    # The text

    @property
    def undecided(self) -> tuple[int, ...]:
        """Hunks that a person has to decide yet."""
        return () if self.here is None or self.edited is not None else self.here.merge.undecided(self.choices)

    @property
    def result(self) -> str:
        """The text that comes of it so far."""
        if self.here is None:
            return ""
        return self.edited if self.edited is not None else self.here.merge.text(self.choices)

    def choose(self, place: int, choice: Choice) -> None:
        """Take a side of a hunk, and go on to the next that is to be decided."""
        if self.here is None or self.edited is not None:
            self.app.notify("The text was edited by hand; ctrl+o goes back to the changes.", timeout=4, markup=False)
            return
        new = place not in self.choices
        self.choices[place] = choice
        self.show_choices()
        after = [other for other in self.undecided if other > place] or list(self.undecided)
        if new and after and place in self.here.merge.conflicts:
            self.go_to(after[0])

    def choose_all(self, choice: Choice) -> None:
        """Take every change from one side."""
        if self.here is not None:
            self.choices, self.edited = self.here.merge.all_of(choice), None
            self.show_choices()

    def action_external(self) -> None:
        """Edit the merged text in the person's editor."""
        if self.here is None:
            return
        try:
            text = edit_text(self.app, self.result, SUFFIX)
        except LedgerError as error:
            self.show_error(error)
            return
        if text is not None:
            self.edited = text
            self.show_choices()

    def action_discard(self) -> None:
        """Forget the edit by hand, else every choice."""
        if self.edited is not None:
            self.edited = None
        else:
            self.choices = {}
        self.show_choices()

    # Deciding

    def action_save(self) -> None:
        """Save the merged text as a version on top of both heads."""
        here = self.here
        if here is None:
            return
        if self.undecided:
            self.app.notify(
                f"{len(self.undecided)} still to decide: m mine, t theirs, b both.", timeout=4, markup=False
            )
            self.go_to(self.undecided[0])
            return
        self.load(partial(read, self.result), partial(self._ask_label, here), group="read")

    def _ask_label(self, here: Comparison, content: PromptContent) -> None:
        def labelled(label: str | None) -> None:
            if label is not None:
                save = partial(_resolve, self.ledger, here, content, label)
                self.load(save, self._told, group="decide", failed=self._failed)

        labels = self._labels(here)
        if not labels:
            labelled("")
            return
        choices = [("", "only make it active"), *((label, f"and move {label} to it") for label in labels)]
        self.app.push_screen(Choose("Save on top of both", choices, ""), labelled)

    def _labels(self, here: Comparison) -> list[str]:
        """Labels that people have in mind for one of the heads."""
        found = [label for head in (here.mine, here.theirs) for label in head.labels]
        found += [row.field for row in self.rows if row.prompt == here.prompt and row.kind == "label"]
        return sorted({label for label in found if label != "active"})

    def _told(self, words: str) -> None:
        self.here, self.choices, self.edited = None, {}, None
        self.app.notify(line(words, 200).plain, timeout=6, markup=False)
        self.decided()
        self.app.registry_changed()

    def _failed(self, error: Exception) -> None:
        self.show_error(error)
        self.look()

    def action_keep_both(self) -> None:
        """Go on from mine, and keep theirs under a label."""
        here = self.here
        if here is None:
            return

        def named(label: str | None) -> None:
            if label:
                keep = partial(
                    self.ledger.conflicts.keep_both, here.prompt, here.mine.version_id, here.theirs.version_id, label
                )
                words = f"{here.prompt}: {here.mine.name} goes on, {here.theirs.name} is kept as {label}"
                self.load(keep, lambda _: self._told(words), group="decide", failed=self._failed)

        words = f"{here.mine.name} goes on. A label for {here.theirs.name}:"
        self.app.push_screen(Ask("Keep both", words, check=_wrong, ok="Keep both", placeholder="variant-b"), named)

    def take(self, contested: Contested, one: Candidate) -> None:
        """Let a candidate hold."""
        asked = asked_words(contested.kind, contested.field)
        words = f"{contested.prompt or contested.kind}: {contested.subject} is {contested.words(one)}{asked}"
        decide = partial(self.ledger.conflicts.resolve_register, contested, one.rid)
        self.load(decide, lambda _: self._told(words), group="decide", failed=self._failed)

    def is_heads(self) -> bool:
        """Whether versions are to be decided under the cursor."""
        return self.current is not None and self.current.kind == HEADS


def _resolve(ledger: PromptLedger, here: Comparison, content: PromptContent, label: str) -> str:
    """Save a version on top of both heads, and move a label to it if there is one; what came of it, in words."""
    version = ledger.conflicts.resolve_heads(
        here.prompt,
        content,
        heads=(here.mine.version_id, here.theirs.version_id),
        labels=[label] if label else [],
        message=f"joins {here.mine.name.rstrip('*')} and {here.theirs.name.rstrip('*')}",
    )
    there = ledger.registry.version(here.prompt, label) if label else None
    return saved_words(here.prompt, version, label, there)


def _wrong(label: str) -> str | None:
    check_label(label.strip())
    return None
