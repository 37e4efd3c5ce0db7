"""What the place does with versions and labels: comparing, restoring, labelling, archiving; all of it can be undone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from textual.widgets import Static

from ledger_tui.domain.diff import ContentDiff, diff_contents
from ledger_tui.domain.filter_fields import quoted
from ledger_tui.domain.values import ACTIVE, VersionRow
from ledger_tui.ui.cost_subject import CostSubject
from ledger_tui.ui.dialogs.ask import Choose
from ledger_tui.ui.places.prompts.dialogs import LabelDialog
from ledger_tui.ui.places.prompts.edit_work import EditWork
from ledger_tui.ui.places.prompts.versions import Versions
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.diff_view import DiffView


class VersionWork(EditWork):
    """The versions half of the Prompts place."""

    def _change(self, work: Callable[[], Any], words: str) -> None:
        """Change the registry in a thread, then say so and tell every place."""

        def done(_: Any) -> None:
            self.app.notify(words, timeout=3, markup=False)
            self.app.registry_changed()

        self.load(work, done, group="registry")

    def cost_subject(self) -> CostSubject | None:
        """What the calls of the version under the cursor came to."""
        version, subject = self.query_one(Versions).current, self.subject
        if version is None or subject is None:
            return None
        return CostSubject(
            f"{subject.name} v{version.number}",
            lambda ledger: ledger.traces.version_cost_lines(version.prompt_id, version.id),
            f"prompt:{quoted(subject.name)}",
        )

    def version_wanted(self, wanted: Versions.Wanted) -> None:
        """Do what was asked with a version."""
        version, subject = wanted.version, self.subject
        if subject is None:
            return
        if wanted.wish == "show":
            self.flush()
            self.reopen(version.id)
        elif self.app.tell_read_only():
            return
        elif wanted.wish == "restore":
            restore = partial(self.ledger.registry.restore, subject.name, version.number)
            self._change(restore, f"v{version.number} is active now (u to undo)")
        elif wanted.wish == "label":
            self._ask_label(version)
        else:
            self._ask_unlabel(version)

    def _ask_label(self, version: VersionRow) -> None:
        subject = self.subject
        if subject is None:
            return
        name = subject.name
        known = {label: f"v{v.number}" for v in subject.versions for label in v.labels if label != ACTIVE}
        known = {"production": "not set", "staging": "not set", **known}

        def answered(label: str | None) -> None:
            if label:
                change = partial(self.ledger.registry.set_label, name, label, version.number)
                self._change(change, f"{label} points to v{version.number} now (u to undo)")

        self.app.push_screen(LabelDialog(f"Label v{version.number}", sorted(known.items())), answered)

    def _ask_unlabel(self, version: VersionRow) -> None:
        subject = self.subject
        labels = [label for label in version.labels if label != ACTIVE]
        if subject is None or not labels:
            self.app.notify(f"v{version.number} has no label to take off.", markup=False)
            return
        name = subject.name

        def answered(label: str | None) -> None:
            if label:
                change = partial(self.ledger.registry.remove_label, name, label)
                self._change(change, f"{label} was taken off (u to undo)")

        if len(labels) == 1:
            answered(labels[0])
        else:
            self.app.push_screen(Choose("Take off which label?", [(label, label) for label in labels]), answered)

    def action_archive(self) -> None:
        """Archive the open prompt, or bring it back: it leaves the list, its versions and runs stay."""
        subject = self.subject
        if subject is not None and subject.prompt is not None:
            back = subject.prompt.archived
            change = partial(self.ledger.registry.set_field, subject.name, "archived", not back)
            words = "Brought back" if back else "Archived"
            self._change(change, f"{words} {line(subject.name, 60).plain} (u to undo)")

    # Comparing

    def compare(self, old: VersionRow, new: VersionRow) -> None:
        """Show what differs between two versions."""
        content = self.ledger.registry.content
        title = f"v{old.number} → v{new.number}"
        self.load(lambda: diff_contents(content(old.id), content(new.id)), partial(self._compared, title), group="diff")

    def action_compare_draft(self) -> None:
        """Show what the editor changes of the version it began from."""
        subject, now = self.subject, self.content_now()
        if subject is None or now is None:
            return
        if subject.base is None or subject.content is None:
            self.app.notify("There is no saved version to compare with yet.", markup=False)
            return
        before = subject.content
        title = f"v{subject.base.number} → the text in the editor"
        self.load(lambda: diff_contents(before, now), partial(self._compared, title), group="diff")

    def _compared(self, title: str, diff: ContentDiff) -> None:
        pane = self.query_one("#compare")
        pane.border_title = line(f"{self.subject.name if self.subject else ''}  {title}", 120)
        words = "nothing differs" if diff.same else f"+{diff.added} -{diff.removed}"
        pane.border_subtitle = " · ".join([words, *diff.notes])
        self.query_one("#compare-note", Static).update(
            "m columns · n p changes · f fold · esc close" if not diff.same else "These two are the same · esc close"
        )
        self.add_class("-comparing")
        view = self.query_one(DiffView)
        view.show_diff(diff)
        view.focus()
