"""What the place does when something comes from colleagues: nobody here asked for it, so what a person is at stays as it is."""

from __future__ import annotations

from collections.abc import Collection

from ledger_tui.ui.places.prompts.open_work import OpenWork
from ledger_tui.ui.places.prompts.prompt_tree import PromptTree
from ledger_tui.ui.places.prompts.versions import Versions


class ArrivingWork(OpenWork):
    """The arriving half of the Prompts place."""

    def registry_arrived(self, names: Collection[str]) -> None:
        """Read the lists again. A text that a person is at stays, and its head says what came; any other follows."""
        self.flush()
        subject = self.subject
        reads = not self.dirty and self.editor.has_focus_within
        if subject is None or subject.base is None or subject.waiting or not reads:
            self.registry_changed()
            return
        self.read_list()
        self.drift.look_again()
        self.reopen(subject.base.id)

    def sync_changed(self) -> None:
        """What is new may be another thing: mark it."""
        if not self.is_mounted:
            return
        news = self.app.sync_view.news
        self.query_one(PromptTree).show_news(news)
        came = news.get(self.subject.name, frozenset()) if self.subject is not None else frozenset()
        if not came <= self.arrived:
            self.arrived |= came
            for versions in self.query(Versions):
                versions.show_news(self.arrived)
            self._title()
