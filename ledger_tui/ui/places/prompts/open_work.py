"""What the place does to show things: the list of prompts, and one prompt with its versions and history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ledger_tui.domain.values import JournalRow, PromptRow
from ledger_tui.ui.places.playground.tab_line import TabLine
from ledger_tui.ui.places.prompts.findings import Findings, KnownVariables
from ledger_tui.ui.places.prompts.prompt_tree import PromptTree
from ledger_tui.ui.places.prompts.subject import Subject, read_subject
from ledger_tui.ui.places.prompts.version_work import VersionWork
from ledger_tui.ui.places.prompts.versions import Versions
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.later import DELAY_S

TABS = ("prompts", "editor", "versions")


class OpenWork(VersionWork):
    """The showing half of the Prompts place."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts: Sequence[PromptRow] = ()
        """The prompts as the tree shows them."""

    # The list

    def read_list(self) -> None:
        """Read the prompts and drafts again."""

        def work() -> tuple[list[PromptRow], list[str]]:
            return self.ledger.registry.prompts(), [draft.name for draft in self.ledger.drafts.all()]

        self.load(work, self.show_list, group="prompts")

    def show_list(self, result: tuple[list[PromptRow], list[str]]) -> None:
        """Show prompts and the names of drafts."""
        self.prompts, drafts = result
        tree = self.query_one(PromptTree)
        tree.show(self.prompts, drafts)
        self.set_class(not self.prompts and not drafts, "-no-prompts")
        self.count()

    def count(self) -> None:
        """Say how many prompts there are and how many the filter leaves."""
        tree = self.query_one(PromptTree)
        total = len(self.prompts)
        self.query_one("#list").border_subtitle = f"{tree.matches} of {total}" if tree.matches != total else f"{total}"

    def registry_changed(self) -> None:
        """Prompts, versions or labels changed somewhere: read again; the text in the editor stays when it is unsaved."""
        self.read_list()
        subject = self.subject
        if subject is not None and not subject.waiting:
            follow = subject.base is None or subject.base_is_active
            self.reopen(None if follow or self.dirty or subject.base is None else subject.base.id)

    # The open prompt

    def open_prompt(self, name: str, version_id: str | None = None) -> None:
        """Show a prompt, at a version when given; what is being edited is kept first."""
        self.flush()
        self.show_tab("editor")
        self.load(partial(read_subject, self.ledger, name, version_id), self.show_subject, group="subject")

    def reopen(self, version_id: str | None = None) -> None:
        """Read the open prompt again, at a version when given."""
        if self.subject is not None:
            read = partial(read_subject, self.ledger, self.subject.name, version_id)
            self.load(read, self.show_subject, group="subject")

    def show_subject(self, subject: Subject) -> None:
        """Show a prompt; unsaved text of the same prompt stays in the editor."""
        if not (self.query("#problems") and self.query("#version-list")):
            # The panes come right after the first frame; this subject was faster.
            self.set_timer(DELAY_S, partial(self.show_subject, subject))
            return
        before, self.subject = self.subject, subject
        self.remove_class("-no-subject")
        self.refresh_bindings()
        same = before is not None and before.name == subject.name
        if not same:
            self._known = KnownVariables()
        editor = self.editor
        if not (same and self.dirty and not subject.waiting):
            self.dirty = subject.edit.differs(subject.baseline)
            editor.show(subject.edit)
            self.query_one(Findings).show_estimate("")
        editor.read_only = subject.waiting
        self.query_one(Versions).show(subject.versions, subject.base.id if subject.base else "")
        self.query_one(PromptTree).point_at(subject.name)
        self.load(partial(self.ledger.registry.history, subject.name), self._show_history, group="history")
        self._title()
        if not same and not self.has_class("-tab-versions"):
            editor.blocks[0].area.focus()

    def _show_history(self, rows: list[JournalRow]) -> None:
        self.query_one(Versions).show_history(rows)

    def drafts_changed(self) -> None:
        """The draft's mark came or went."""
        self._title()
        self.read_list()

    def _title(self) -> None:
        subject, pane = self.subject, self.query_one("#editor")
        if subject is None:
            return
        version = f"v{subject.base.number}" if subject.base else "new"
        pane.border_title = line(f"{subject.name}{'*' if self.dirty else ''}  {version}", 120)
        pane.border_subtitle = "draft, not saved" if self.dirty else ""
        self.query_one("#versions").border_subtitle = f"{len(subject.versions)}"
        if subject.waiting:
            words = f"{version}, to read only: your draft of this prompt waits. Open the prompt again to go on with it."
        elif subject.draft is not None and self.dirty:
            words = "✎ Your draft, not saved. ctrl+s saves it, ctrl+o discards it."
        elif subject.base is not None and not subject.base_is_active:
            words = f"{version} is not the active version. Saving a change makes a new one from it."
        else:
            words = ""
        self.editor.show_banner(words)

    def show_tab(self, tab: str) -> None:
        """On a narrow terminal, show this one of the three panes."""
        for name in TABS:
            self.set_class(name == tab, f"-tab-{name}")
        self.query_one("#tabs", TabLine).chosen = TABS.index(tab)
