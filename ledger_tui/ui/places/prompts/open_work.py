"""What the place does to show things: the list of prompts, and one prompt with its versions and history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.widgets import Button, Input

from ledger_tui.domain.drift import Matrix, drift_words
from ledger_tui.domain.values import JournalRow, PromptRow
from ledger_tui.ui.places.prompts.drift_watch import DriftWatch
from ledger_tui.ui.places.prompts.findings import Findings, KnownVariables
from ledger_tui.ui.places.prompts.last import keep_last_prompt, last_prompt
from ledger_tui.ui.places.prompts.prompt_tree import PromptTree
from ledger_tui.ui.places.prompts.subject import Subject, came_words, read_subject, version_figures
from ledger_tui.ui.places.prompts.version_work import VersionWork
from ledger_tui.ui.places.prompts.versions import Versions
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.later import DELAY_S
from ledger_tui.ui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats
    from ledger_tui.services.registry import PromptHit

TABS = ("prompts", "editor", "versions")
LOOK_S, FIND_S = 0.15, 0.15
"""How long the cursor rests before its prompt is shown, and typing before texts are searched."""
SEARCH_LIMIT = 1_000


class OpenWork(VersionWork):
    """The showing half of the Prompts place."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts: Sequence[PromptRow] = ()
        """All prompts, the archived ones too."""
        self._drafts: Sequence[str] = ()
        self._archived_shown = False
        self.drift = DriftWatch(self)
        """What is known of the drift of code prompts."""
        self.drift.heard.append(self._show_drift)
        self._unregistered = 0
        self._asked = ""
        """The name that somebody asked to open and that is being read."""
        self.arrived: frozenset[str] = frozenset()
        """The versions of the open prompt that came from colleagues since it was opened last."""

    # The list

    def read_list(self) -> None:
        """Read the prompts and drafts again."""

        def work() -> tuple[list[PromptRow], list[str]]:
            drafts = self.ledger.drafts.all() if self.app.moment is None else []
            return self.ledger.registry.prompts(archived=True), [draft.name for draft in drafts if draft.name]

        def read(result: tuple[list[PromptRow], list[str]]) -> None:
            self.show_list(result)
            if any(row.mode == "tracking" for row in self.prompts):
                self.drift.start()
            if self.subject is None and not self._asked and self.query_one(PromptTree).rows:
                self.load(partial(last_prompt, self.ledger.paths), self._look_first, group="subject")

        self.load(work, read, group="prompts")
        self.count_unregistered()

    def count_unregistered(self) -> None:
        """Say in the list's border how many texts of programs belong to no prompt."""

        def counted(count: int) -> None:
            if count != self._unregistered:
                self._unregistered = count
                self.count()

        self.load(lambda: self.ledger.linking.count(), counted, group="unregistered", failed=lambda _: None)

    def show_list(self, result: tuple[list[PromptRow], list[str]]) -> None:
        """Show prompts and the names of drafts."""
        self.prompts, self._drafts = result
        hidden = set() if self._archived_shown else {row.name for row in self.prompts if row.archived}
        tree = self.query_one(PromptTree)
        tree.show([row for row in self.prompts if row.name not in hidden], [n for n in self._drafts if n not in hidden])
        self.set_class(not self.prompts and not self._drafts, "-no-prompts")
        if self.has_class("-no-prompts") and self.subject is None:
            self.set_timer(2 * DELAY_S, partial(self.app.focus_first, "#welcome Button"))
        self.count()

    def count(self) -> None:
        """Say how many prompts there are and how many the filter leaves."""
        tree = self.query_one(PromptTree)
        archived = sum(row.archived for row in self.prompts)
        total = len(self.prompts) - (0 if self._archived_shown else archived)
        words = f"{tree.matches} of {total}" if tree.filtered else f"{total}"
        hidden = f" · {archived} archived" if archived else ""
        for button in self.query("#welcome-unregistered").results(Button):
            button.display = self._unregistered > 0
            button.label = f"{self._unregistered} unregistered (g)"
        contested = sum(row.contested for row in self.prompts)
        contested_words = f" · Ψ {contested} (C)" if contested else ""
        strangers = f" · {self._unregistered} unregistered (g)" if self._unregistered else ""
        self.query_one("#list").border_subtitle = words + contested_words + hidden + strangers

    def action_toggle_archived(self) -> None:
        """List the archived prompts too, or no more."""
        self._archived_shown = not self._archived_shown
        self.show_list((list(self.prompts), list(self._drafts)))
        archived = sum(row.archived for row in self.prompts)
        shown = f"{archived} archived listed, A brings one back" if self._archived_shown else "Archived are hidden"
        self.app.notify(shown if archived else "No prompt is archived.", timeout=3, markup=False)

    def filter_list(self, text: str) -> None:
        """Leave what matches by name at once, and what matches by its text a moment later."""
        self.query_one(PromptTree).filter_by(text)
        self.count()
        self._later("find", FIND_S, partial(self._find, text))

    def _find(self, text: str) -> None:
        if text.strip():
            search = partial(self.ledger.registry.search, text, SEARCH_LIMIT)
            self.load(search, partial(self._found, text), group="find")

    def _found(self, text: str, hits: list[PromptHit]) -> None:
        if self.query_one("#filter", Input).value == text:
            self.query_one(PromptTree).add_hits(hit.name for hit in hits)
            self.count()

    def registry_changed(self) -> None:
        """Prompts, versions or labels changed somewhere: read again; the text in the editor stays when it is unsaved."""
        self.read_list()
        self.drift.look_again()
        subject = self.subject
        if subject is not None and not subject.waiting:
            follow = subject.base is None or subject.base_is_active
            self.reopen(None if follow or self.dirty or subject.base is None else subject.base.id)

    def ledger_changed(self) -> None:
        """Another moment: what was being written is kept, and the open prompt is shown as it stood."""
        self.flush()
        self.dirty = False
        self.read_list()
        self.drift.look_again()
        self.reopen()

    def _show_drift(self, matrix: Matrix | None) -> None:
        """Mark the code prompts that differ, and say of the open one where."""
        if not self.is_attached:
            return
        rows = matrix.drifted if matrix is not None else ()
        self.query_one(PromptTree).show_drift(row.name for row in rows if row.mode == "tracking")
        self._say_drift()

    def _say_drift(self) -> None:
        row = self.drift.row(self.subject.name) if self.subject is not None else None
        for versions in self.query(Versions):
            if versions.query("#drift"):
                versions.show_drift(drift_words(row) if row is not None and row.mode == "tracking" else "")

    def action_drift(self) -> None:
        """Show where code, git, registry and runs differ."""
        from ledger_tui.ui.places.prompts.drift import DriftPage

        self.flush()
        self.app.push_screen(DriftPage(self.drift))

    def action_unregistered(self) -> None:
        """Show what programs send that belongs to no prompt."""
        from ledger_tui.ui.places.prompts.unregistered import UnregisteredPage

        self.flush()
        self.app.push_screen(UnregisteredPage())

    def action_conflicts(self) -> None:
        """Show what several people wrote at once."""
        from ledger_tui.ui.places.prompts.conflicts import ConflictsPage

        self.flush()
        self.app.push_screen(ConflictsPage(self.subject.name if self.subject is not None else ""))

    # The open prompt

    def open_prompt(self, name: str, version_id: str | None = None) -> None:
        """Show a prompt, at a version when given; what is being edited is kept first."""
        self.flush()
        self._stop("look")
        self._asked = name
        self.show_tab("editor")
        self.load(partial(self._read, name, version_id), partial(self.show_subject, focus=True), group="subject")

    def _read(self, name: str, version_id: str | None = None) -> Subject:
        """For a thread: read a prompt, and keep its name for the next start."""
        subject = read_subject(self.ledger, name, version_id)
        if subject.prompt is not None or subject.draft is not None:
            keep_last_prompt(self.ledger.paths, name)
        return subject

    def look_at(self, name: str) -> None:
        """Show a prompt once the cursor rests on it; the keyboard stays in the tree."""
        self._later("look", LOOK_S, partial(self._look, name))

    def _look(self, name: str) -> None:
        if self._may_look(name):
            self.flush()
            self.load(partial(self._read, name), self._looked, group="subject")

    def _may_look(self, name: str) -> bool:
        """Whether nobody began something else meanwhile: text under a person's hands is never exchanged."""
        known = self.subject is not None and self.subject.name == name
        in_tree = self.focused is None or isinstance(self.focused, PromptTree)
        return self.app.screen is self and in_tree and not known

    def _looked(self, subject: Subject) -> None:
        if self._may_look(subject.name):
            self.show_subject(subject)

    def _look_first(self, last: str) -> None:
        """At the start: show the prompt that was open last, else the first."""
        tree = self.query_one(PromptTree)
        names = [row.path for row in tree.rows if not row.folder]
        if self.subject is None and not self._asked and names and tree.cursor == 0:
            name = last if last in names else names[0]
            tree.point_at(name)
            self.look_at(name)

    def reopen(self, version_id: str | None = None) -> None:
        """Read the open prompt again, at a version when given."""
        if self.subject is not None:
            read = partial(self._read, self.subject.name, version_id)
            self.load(read, self.show_subject, group="subject")

    def show_subject(self, subject: Subject, focus: bool = False) -> None:
        """Show a prompt, and with ``focus`` go into its text; unsaved text of the same prompt stays in the editor."""
        if not (self.query("#problems") and self.query("#version-list")):
            # The panes come right after the first frame; this subject was faster.
            self.set_timer(DELAY_S, partial(self.show_subject, subject, focus))
            return
        before = self.subject
        if before is not None and before.name == subject.name and not (self.dirty or subject.read_only):
            self.flush()
            if self.dirty:
                # Somebody began to type while this was read: it is their text that stays.
                self.reopen()
                return
        self.subject, self._asked = subject, ""
        self.remove_class("-no-subject")
        self.refresh_bindings()
        same = before is not None and before.name == subject.name
        if not same:
            self._known = KnownVariables()
            self.arrived = frozenset()
        self.arrived |= self.app.sync_view.news.get(subject.name, frozenset())
        editor = self.editor
        if not (same and self.dirty and not subject.read_only):
            self.dirty = subject.edit.differs(subject.baseline)
            editor.show(subject.edit)
            self.query_one(Findings).show_estimate("")
            self.examine()
        editor.read_only = subject.read_only
        versions = self.query_one(Versions)
        versions.show(subject.versions, subject.base.id if subject.base else "", subject.heads)
        versions.show_news(self.arrived)
        self._say_drift()
        tree = self.query_one(PromptTree)
        (tree.point_at if focus else tree.mark_open)(subject.name)
        self.load(partial(self.ledger.registry.history, subject.name), self._show_history, group="history")
        self.load(partial(version_figures, self.ledger, subject.name), self._show_figures, group="figures")
        self._title()
        if focus:
            editor.blocks[0].area.focus()
            self.app.prompt_opened(subject.name)

    def _show_figures(self, figures: dict[int, CallStats]) -> None:
        self.query_one(Versions).show_figures(figures)

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
        version = subject.base.name if subject.base else "new"
        pane.border_title = line(f"{subject.name}{'*' if self.dirty else ''}  {version}", 120)
        pane.border_subtitle = "draft, not saved" if self.dirty else ""
        self.query_one("#versions").border_subtitle = f"{len(subject.versions)}"
        if subject.waiting:
            words = f"{version}, to read only: your draft of this prompt waits. Open the prompt again to go on with it."
        elif subject.past and subject.prompt is None:
            words = "There was no prompt of this name then."
        elif subject.past:
            words = f"{version} as it stood then, to read only."
        elif subject.prompt is not None and subject.prompt.archived:
            words = "This prompt is archived. A brings it back."
        elif subject.draft is not None and self.dirty:
            words = "✎ Your draft, not saved. ctrl+s saves it, ctrl+o discards it."
        elif subject.prompt is not None and subject.prompt.contested:
            words = "Ψ Several people wrote this prompt at once. C shows what they want, and decides."
        elif subject.base is not None and not subject.base_is_active:
            words = f"{version} is not the active version. Saving a change makes a new one from it."
        else:
            words = ""
        came = came_words(subject, self.arrived)
        self.editor.show_banner(f"{came} {words}".strip() if came and self.dirty else came or words)

    def show_tab(self, tab: str) -> None:
        """On a narrow terminal, show this one of the three panes."""
        for name in TABS:
            self.set_class(name == tab, f"-tab-{name}")
        self.query_one("#tabs", TabLine).chosen = TABS.index(tab)
