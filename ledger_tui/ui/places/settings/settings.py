"""Settings: providers and keys, options, themes, key bindings, sharing, and how the workspace is."""

from __future__ import annotations

from collections.abc import Collection

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import TabbedContent, TabPane, Tabs

from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.settings.about import About
from ledger_tui.ui.places.settings.general import General
from ledger_tui.ui.places.settings.keys import Keys
from ledger_tui.ui.places.settings.providers import Providers
from ledger_tui.ui.places.settings.retention import Retention
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.places.settings.sync import Sync
from ledger_tui.ui.places.settings.theme_list import ThemeList

SECTIONS: tuple[tuple[str, str, type[Section]], ...] = (
    ("providers", "Providers & keys", Providers),
    ("general", "General", General),
    ("themes", "Themes", ThemeList),
    ("keys", "Keys", Keys),
    ("sync", "Sync", Sync),
    ("retention", "Retention", Retention),
    ("about", "About", About),
)
"""The tabs: id, title, widget."""


class SettingsPlace(Place):
    """Seven tabs.

    | Key(s) | Description |
    | :- | :- |
    | tab, shift+tab | Between the tabs, the list and the buttons. |
    | enter | Change what the cursor is on. |
    | r | Read everything of this tab again. |
    """

    PLACE = "settings"
    CSS_PATH = "settings.tcss"
    AUTO_FOCUS = "#providers"
    HELP = """
    # Settings
    Everything here is kept in text files that you can also edit yourself; they are read again as soon as they are saved.
    **About** says where they are. Keys of providers are never written to a file: they come from the environment or are
    kept in the system's keyring.
    """
    BINDINGS = [
        Binding("r", "reload", "Reload", show=False, id="settings.reload", tooltip="Read everything of this tab again"),
        Binding("ctrl+right", "tab(1)", "Next tab", show=False, id="settings.next", tooltip="The next tab"),
        Binding("ctrl+left", "tab(-1)", "Previous tab", show=False, id="settings.previous", tooltip="The tab before"),
    ]

    def compose_place(self) -> ComposeResult:
        """The tabs."""
        with TabbedContent(id="settings-tabs"):
            for name, title, kind in SECTIONS:
                with TabPane(title, id=f"tab-{name}"):
                    yield kind(id=f"section-{name}")

    @property
    def section(self) -> Section:
        """The section that is shown."""
        name = self.query_one(TabbedContent).active.removeprefix("tab-")
        return self.query_one(f"#section-{name}", Section)

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        section = self.section
        section.read()
        if not isinstance(self.focused, Tabs):
            section.focus_first()

    def on_screen_suspend(self) -> None:
        """Going elsewhere ends the preview of a theme."""
        self.app.choose_theme(self.app.kept_theme)

    def action_reload(self) -> None:
        """Read everything of this tab again."""
        self.section.read()

    def action_tab(self, step: int) -> None:
        """Go to the next or previous tab."""
        tabs = self.query_one(TabbedContent)
        names = [f"tab-{name}" for name, _, _ in SECTIONS]
        self.set_focus(None)
        tabs.active = names[(names.index(tabs.active) + step) % len(names)]

    def open_tab(self, name: str) -> None:
        """Show a tab; the first time the tabs have to be there first."""
        self.call_after_refresh(self._open_tab, name)

    def _open_tab(self, name: str) -> None:
        self.set_focus(None)
        self.query_one(TabbedContent).active = f"tab-{name}"

    def sync_changed(self) -> None:
        """Sync stands otherwise: say so where it is shown."""
        if self.is_mounted and isinstance(self.section, Sync):
            self.section.sync_changed()

    def sync_looked(self) -> None:
        """What is shown of sync got older."""
        if self.is_mounted and isinstance(self.section, Sync):
            self.section.sync_looked()

    def registry_arrived(self, names: Collection[str]) -> None:
        """Nothing here is of the registry."""

    def settings_changed(self) -> None:
        """The file was read again: show what counts now."""
        if self.is_mounted:
            self.section.read()

    def ledger_changed(self) -> None:
        """What was being read belonged to another moment; settings are the same in all."""
        self.settings_changed()

    def code_subject(self) -> CodeSubject:
        """How a program and the command line see the settings' effect."""
        return CodeSubject(
            python="from ledger_tui import PromptLedger\n\nwith PromptLedger() as ledger:\n"
            "    for status in ledger.models.status():\n        print(status.name, status.key_source)\n",
            cli="ledger-tui doctor --json",
        )
