"""What is the person's own: themes, keys and settings, read from files, reread when they change, mistakes told one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen
from textual.theme import Theme

from ledger_tui.domain.text import printable
from ledger_tui.errors import LedgerError, SettingsError
from ledger_tui.ui.driver import install_filters
from ledger_tui.ui.place import Place
from ledger_tui.ui.themes import DEFAULT_THEME, load_themes

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger


class PersonalApp(App[None], inherit_bindings=False):
    """An app over a ledger that follows the person's files."""

    def __init__(self, ledger: PromptLedger) -> None:
        super().__init__()
        self.ledger = ledger
        self.shown_themes: dict[str, Theme] = {}
        """The themes that a person can choose, by name."""
        self.theme_mistakes: list[SettingsError] = []
        self._given_theme = ""

    def start_themes(self, given: str) -> None:
        """Read the themes and show ``given``, else the setting's."""
        self._take_themes()
        self._given_theme = given
        self.choose_theme(self.kept_theme)
        install_filters(self, self._filters, no_color=self.no_color, ansi=self.native_ansi_color)

    def refresh_facts(self) -> None:
        """Renew what the top line says."""

    def places(self) -> list[Screen[Any]]:
        """The places that were visited so far, and the pages that are open on them."""
        stacks = [stack for mode, stack in self._screen_stacks.items() if mode in self.MODES]
        return [screen for stack in stacks for screen in stack if isinstance(screen, Place)]

    @property
    def place(self) -> Place:
        """The place, or the page of a place, below whatever dialogs are open."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, Place))

    async def close_pages(self) -> None:
        """Leave the pages that are open on the place that is shown, unless a dialog is open."""
        while len(self.screen_stack) > 1 and isinstance(self.screen, Place):
            await self.pop_screen()

    def _take_themes(self) -> None:
        themes, self.theme_mistakes = load_themes(self.ledger.paths)
        for name in self.shown_themes.keys() - themes.keys() - {self.theme}:
            self.unregister_theme(name)
        self.shown_themes = themes
        for theme in themes.values():
            self.register_theme(theme)

    def choose_theme(self, name: str) -> None:
        """Show a theme; an unknown name shows the default one."""
        self.theme = name if name in self.shown_themes else DEFAULT_THEME

    @property
    def kept_theme(self) -> str:
        """The theme that counts when no preview is shown."""
        return self._given_theme or self.ledger.settings.theme

    @property
    def keymap(self) -> dict[str, str]:
        """Keys by action id, as far as a person changed them."""
        return dict(self._keymap)

    def _theme_changed(self, _theme: Theme) -> None:
        install_filters(self, self._filters, no_color=self.no_color, ansi=self.native_ansi_color)

    def reload_themes(self) -> None:
        """Read the theme files again and repaint; mistakes are told."""
        before = self.get_theme(self.theme)
        self._take_themes()
        self.tell_mistakes(self.theme_mistakes)
        self.choose_theme(self.theme)
        if self.get_theme(self.theme) != before:
            self._watch_theme(self.theme)

    def read_keymap(self) -> None:
        """Read keymap.toml again; mistakes are told, the rest counts."""
        from ledger_tui.ui import watch
        from ledger_tui.ui.keymap import read_keymap

        keymap, mistakes = read_keymap(self.ledger.paths.keymap, watch.known_actions())
        if keymap != self._keymap:
            self.set_keymap(keymap)
        self.tell_mistakes(mistakes)

    def reload_settings(self) -> None:
        """Read settings.toml again; mistakes are told, the rest counts."""
        theme = self.ledger.settings.theme
        self.ledger.reload_settings()
        self.tell_mistakes(self.ledger.settings_problems)
        if self.ledger.settings.theme != theme:
            self._given_theme = ""
            self.choose_theme(self.ledger.settings.theme)
        self.refresh_facts()
        self._tell_places("settings_changed")

    def tell_mistakes(self, mistakes: list[SettingsError]) -> None:
        """One toast for every mistake in a file of the person's."""
        for mistake in mistakes:
            where = f" ({mistake.file.rpartition('/')[2]}, line {mistake.line})" if mistake.line else ""
            words = (
                f"{mistake.cause}{'' if f'line {mistake.line}' in mistake.cause else where}. {mistake.remedy}".strip()
            )
            self.notify(printable(words), title=printable(mistake.title), severity="warning", timeout=12, markup=False)

    def save_setting(self, key: str, value: Any) -> None:
        """Write one setting in a thread and use it; a failure is told."""
        from ledger_tui.settings import write_setting

        self.run_worker(self._save_setting(partial(write_setting, self.ledger.paths, key, value)), group="settings")

    async def _save_setting(self, write: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(write)
        except LedgerError as error:
            self.place.show_error(error)
        else:
            self.reload_settings()

    def _tell_places(self, method: str) -> None:
        for place in self.places():
            told: Callable[[], Any] | None = getattr(place, method, None)
            if told is not None:
                told()
