"""The workstation: five places over one ledger."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from ledger_tui.ui.place import Place
from ledger_tui.ui.themes import DEFAULT_THEME, load_themes
from ledger_tui.ui.widgets.top_line import PLACES, TopLine

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.ui.subject import PlaygroundSubject


class MissingPlace(Place):
    """Stands where a place could not be found."""

    def compose_place(self) -> Any:
        """One calm sentence."""
        yield Static("This place is not part of this installation.", classes="empty")


def make_place(mode: str) -> Screen[None]:
    """The screen of a place, imported when somebody goes there."""
    name = f"ledger_tui.ui.places.{mode}.{mode}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        place = MissingPlace()
        place.PLACE = mode
        return place
    screen: Screen[None] = getattr(module, f"{mode.title()}Place")()
    return screen


class LedgerApp(App[None], inherit_bindings=False):
    """Owns the ledger and switches between the places."""

    TITLE = "Prompt Ledger"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    MODES = {mode: partial(make_place, mode) for mode, _ in PLACES}
    DEFAULT_MODE = "prompts"
    BINDINGS = [
        Binding("f1", "help", "Help", id="app.help", tooltip="Help for what has focus"),
        Binding("ctrl+p", "palette", "Palette", id="app.palette", tooltip="Find an action, a prompt or a trace"),
        Binding("f2,1", "place('prompts')", "Prompts", show=False, id="app.prompts", tooltip="Go to the prompts"),
        Binding("f3,2", "place('playground')", "Playground", show=False, id="app.playground", tooltip="Go to the playground"),
        Binding("f4,3", "place('traces')", "Traces", show=False, id="app.traces", tooltip="Go to the traces"),
        Binding("f5,4", "place('costs')", "Costs", show=False, id="app.costs", tooltip="Go to the costs"),
        Binding("f6,5", "place('settings')", "Settings", show=False, id="app.settings", tooltip="Go to the settings"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="app.quit", tooltip="Leave the workstation"),
    ]

    def __init__(self, ledger: PromptLedger) -> None:
        super().__init__()
        self.ledger = ledger
        self.opened = asyncio.Event()
        """Set once the database is ready; slow work of the places waits for it."""
        themes, self.theme_mistakes = load_themes(ledger.paths)
        for theme in themes.values():
            self.register_theme(theme)
        wanted = str(ledger.settings.theme)
        self.theme = wanted if wanted in themes else DEFAULT_THEME

    def on_mount(self) -> None:
        """Open the ledger while the first frame is painted."""
        self.run_worker(self._open(), group="open", exclusive=True, exit_on_error=False)

    async def _open(self) -> None:
        await asyncio.to_thread(self.ledger.prepare)
        self.opened.set()

    def action_place(self, mode: str) -> None:
        """Go to a place."""
        self.switch_mode(mode)

    @on(TopLine.Chosen)
    def _chosen(self, event: TopLine.Chosen) -> None:
        self.switch_mode(event.place)

    def open_prompt(self, name: str, version_id: str | None = None) -> None:
        """Show a prompt, at a version when given, in Prompts."""
        self.call_later(self._visit, "prompts", "open_prompt", name, version_id)

    def open_playground(self, subject: PlaygroundSubject) -> None:
        """Take something to the playground."""
        self.call_later(self._visit, "playground", "open_playground", subject)

    def open_trace(self, trace_id: str, span_key: int | None = None) -> None:
        """Show a trace, at a span when given, in Traces."""
        self.call_later(self._visit, "traces", "open_trace", trace_id, span_key)

    async def _visit(self, mode: str, method: str, *arguments: Any) -> None:
        await self.switch_mode(mode)
        show = getattr(self._screen_stacks[mode][0], method, None)
        if show is not None:
            show(*arguments)
