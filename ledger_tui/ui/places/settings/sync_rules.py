"""The deciding half of the Sync tab: what may leave this machine, and what becomes of records that could not be taken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from textual import on

from ledger_tui.domain.sync.sharing import Share
from ledger_tui.ui.dialogs.ask import Ask, Choose, Confirm
from ledger_tui.ui.places.settings import sync_reading as words
from ledger_tui.ui.places.settings.sync_dialogs import RecordDialog
from ledger_tui.ui.places.settings.sync_views import ASIDE, RULES, SyncViews
from ledger_tui.ui.widgets.row_table import RowTable

if TYPE_CHECKING:
    from ledger_tui.domain.sync.sharing import Sharing


_DROPPED = {
    "in": "The record that came is forgotten here. It counted for nothing, and the server keeps it.",
    "out": "The server did not take this record of yours, so it counts for nothing. It stays on this machine without effect, and "
    "both ends count as equal without it.",
}
"""What happens to a record that is dropped, by the way it went."""


_LEFT = "Everybody who may read the shared ledger can read them. What has left cannot be called back."
_TEXTS_GO = (
    "Texts of {} leave this machine with the next exchange, those from before too: all that was sent and answered, sessions and "
    f"users. {_LEFT}"
)
_NUMBERS_GO = (
    "Numbers of calls of {} leave this machine with the next exchange, those from before too: when, which prompt and model, how "
    f"long, tokens, cost, status. {_LEFT}"
)


def _share_of(rules: Sharing, folder: str) -> Share:
    """What leaves of a folder, '' for the rule of everything else."""
    share = rules.of(folder) if folder else rules.usual
    return Share(share.numbers, share.numbers and share.texts)


class SyncRules(SyncViews):
    """Changes the rules, and drops what is in quarantine."""

    def action_numbers(self) -> None:
        """Let numbers of the calls under the cursor leave, or no more."""
        self._toggle("numbers")

    def action_texts(self) -> None:
        """Let texts of the calls under the cursor leave, or no more."""
        self._toggle("texts")

    def _toggle(self, part: str) -> None:
        rules, folder = self._rules, self.query_one(RowTable).selected_key
        if rules is None or folder is None:
            return
        share = dict(rules.folders).get(folder, rules.usual)
        numbers, texts = share.numbers, share.numbers and share.texts
        if part == "numbers":
            self._set_rule(folder, not numbers, False)
        else:
            self._set_rule(folder, True, not texts)

    def _set_rule(self, folder: str, numbers: bool, texts: bool) -> None:
        """Change a rule."""
        rules = self._rules
        if rules is not None:
            self._change(folder, rules.with_rule(folder or None, numbers=numbers, texts=texts))

    def _change(self, folder: str, changed: Sharing) -> None:
        """Keep other rules; whether more of a folder may leave is asked, as nothing calls it back."""
        rules = self._rules
        if rules is None:
            return
        before, after = _share_of(rules, folder), _share_of(changed, folder)
        what = folder or (words.USUAL if rules.folders else "all prompts, and of what belongs to none")
        if after.texts and not before.texts:
            title, text = "Share texts", _TEXTS_GO.format(what)
        elif after.numbers and not before.numbers:
            title, text = "Share numbers", _NUMBERS_GO.format(what)
        else:
            self._keep(changed)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._keep(changed)

        self.app.push_screen(Confirm(title, text, title), answered)

    def _keep(self, rules: Sharing) -> None:
        ledger = self.app.ledger
        self.load(lambda: ledger.sync.set_sharing(rules), lambda _: self._kept(), deed="rules")

    def _kept(self) -> None:
        self.app.exchange()
        self.read()

    def action_add(self) -> None:
        """Ask for a folder, then for its rule."""
        from ledger_tui.domain.sync.sharing import check_folder
        from ledger_tui.services import sync_folders

        ledger = self.app.ledger

        def wrong(text: str) -> str | None:
            check_folder(text.strip())
            return None

        def meant(folder: str) -> str:
            return sync_folders.meant(folder, [one.name for one in ledger.registry.prompts(archived=True)])

        def named(folder: str | None) -> None:
            if folder is not None:
                self.place.load(lambda: meant(folder.strip()), self._choose, group="settings-folder")

        label = (
            "A folder of prompts ends with a slash: support/. A whole name means one prompt. The deepest folder counts."
        )
        self.app.push_screen(Ask("Another rule", label, check=wrong, ok="Next", placeholder="support/"), named)

    def _choose(self, folder: str) -> None:
        rules = self._rules
        if rules is None:
            return
        share = dict(rules.folders).get(folder) or rules.of(folder) if folder else rules.usual
        current = ("numbers", "texts")[share.texts] if share.numbers else "registry"

        def chosen(level: str | None) -> None:
            for key, numbers, texts, _ in words.LEVELS:
                if key == level:
                    self._set_rule(folder, numbers, texts)

        choices = [(key, text) for key, _, _, text in words.LEVELS]
        title = f"What leaves of {folder or words.USUAL}"
        self.app.push_screen(Choose(title, choices, current, text="Prompts and labels always go."), chosen)

    @on(RowTable.RowSelected)
    def _selected(self, event: RowTable.RowSelected) -> None:
        event.stop()
        key = str(event.row_key.value)
        if self.view == RULES and not self.app.tell_read_only():
            self._choose(key)
        elif self.view == ASIDE and self._reading is not None:
            row = next((row for row in self._reading.asides if row.key == key), None)
            if row is not None:
                text = (
                    row.raw
                    if row.raw is not None
                    else json.dumps({"rid": row.rid, "stream": row.stream, "why": row.why})
                )
                self.app.push_screen(RecordDialog(f"{words.STREAMS.get(row.stream, row.stream)} {row.rid}", text))

    def action_remove(self) -> None:
        """Remove a folder's rule, or forget a record that was set aside."""
        reading, key = self._reading, self.query_one(RowTable).selected_key
        if reading is None or key is None:
            return
        if self.view == RULES and key:
            self._change(key, reading.status.sharing.without_folder(key))
        elif self.view == ASIDE:
            self._drop(key, next((row.way for row in reading.asides if row.key == key), "out"))

    def _drop(self, key: str, way: str) -> None:
        ledger = self.app.ledger

        def answered(yes: bool | None) -> None:
            if yes:
                self.load(lambda: ledger.sync.drop_asides([key]), lambda _: self._again_here(), deed="drop")

        text = _DROPPED["in" if way == "in" else "out"]
        self.app.push_screen(Confirm("Drop this record", text, "Drop"), answered)

    def _again_here(self) -> None:
        self.app.look_at_sharing()
        self.read()
