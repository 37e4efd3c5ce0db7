"""The workstation: five places over one ledger."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.binding import Binding
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.reactive import reactive
from textual.screen import Screen

from ledger_tui.domain.text import printable
from ledger_tui.ui import retention_watch, watch
from ledger_tui.ui.clipboard import copy
from ledger_tui.ui.driver import guarded_driver
from ledger_tui.ui.sharing import SharingApp
from ledger_tui.ui.widgets.top_line import PLACES, LineFacts, TopLine

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.ui.subject import PlaygroundSubject


def make_place(mode: str) -> Screen[None]:
    """The screen of a place, imported when somebody goes there."""
    module = import_module(f"ledger_tui.ui.places.{mode}.{mode}")
    screen: Screen[None] = getattr(module, f"{mode.title()}Place")()
    return screen


class LedgerApp(SharingApp, inherit_bindings=False):
    """Owns the ledger and switches between the places.

    | Key(s) | Description |
    | :- | :- |
    | f1 | Help for what has focus. |
    | f2 to f6, 1 to 5 | Go to a place. |
    | f8 | The current action as Python, CLI and curl. |
    | f9 | Let the focused pane fill the place, and back. |
    | ctrl+p | The palette: every action, prompt, trace and theme. |
    | y, ctrl+y | Copy the source text. |
    | $ | The receipt of the cost under the cursor. |
    | X | Write what is shown into a file. |
    | ! | Budgets and alerts. |
    | & | Sync: sharing the ledger with a team. |
    | T, f11 | As of: the ledger as it stood at a moment, and back to the present. |
    | u | Undo the last change of the registry. |
    | ctrl+q | Leave. |
    """

    TITLE = "Prompt Ledger"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_IN_MAXIMIZED_VIEW = "TopLine, MomentLine, Footer"
    WRITES = frozenset({"undo"})
    MODES = {mode: partial(make_place, mode) for mode, _ in PLACES}
    DEFAULT_MODE = "prompts"
    BINDINGS = [
        Binding("f1", "help", "Help", id="app.help", tooltip="Help for what has focus"),
        Binding(
            "ctrl+p", "palette", "Palette", id="app.palette", tooltip="Find an action, a prompt, a trace or a theme"
        ),
        Binding("f2,1", "place('prompts')", "Prompts", show=False, id="app.prompts", tooltip="Go to the prompts"),
        Binding(
            "f3,2", "place('playground')", "Playground", show=False, id="app.playground", tooltip="Go to the playground"
        ),
        Binding("f4,3", "place('traces')", "Traces", show=False, id="app.traces", tooltip="Go to the traces"),
        Binding("f5,4", "place('costs')", "Costs", show=False, id="app.costs", tooltip="Go to the costs"),
        Binding("f6,5", "place('settings')", "Settings", show=False, id="app.settings", tooltip="Go to the settings"),
        Binding("f8", "code", "Code", show=False, id="app.code", tooltip="The current action as Python, CLI and curl"),
        Binding(
            "f9", "zoom", "Zoom", show=False, id="app.zoom", tooltip="Let the focused pane fill the place, and back"
        ),
        Binding(
            "y,ctrl+y",
            "copy_source",
            "Copy",
            show=False,
            id="app.copy",
            tooltip="Copy the source text of what is shown",
        ),
        Binding(
            "dollar_sign",
            "receipt",
            "Receipt",
            show=False,
            id="app.receipt",
            tooltip="The receipt of the cost under the cursor",
        ),
        Binding("X", "export", "Export", show=False, id="app.export", tooltip="Write what is shown into a file"),
        Binding(
            "exclamation_mark",
            "alerts",
            "Alerts",
            show=False,
            id="app.alerts",
            tooltip="Budgets and alerts: what may be spent, and what was worth telling",
        ),
        Binding(
            "ampersand",
            "sync",
            "Sync",
            show=False,
            id="app.sync",
            tooltip="Sync: sharing this ledger with a team, and what may leave this machine",
        ),
        Binding(
            "T,f11",
            "as_of",
            "As of",
            show=False,
            id="app.as_of",
            tooltip="Look back to the ledger as it stood at a moment, or come back to the present",
        ),
        Binding("escape", "present", show=False, system=True),
        Binding("u", "undo", "Undo", show=False, id="app.undo", tooltip="Undo the last change of prompts and labels"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="app.quit", tooltip="Leave the workstation"),
        Binding("ctrl+c", "hint_quit", show=False, system=True),
    ]

    facts: reactive[LineFacts] = reactive(LineFacts())
    """What the top line says of the workspace."""

    def __init__(self, ledger: PromptLedger, *, theme: str | None = None, place: str = "prompts") -> None:
        """``theme`` wins over the setting until the setting changes; ``place`` is shown first."""
        self.DEFAULT_MODE = place  # type: ignore[misc]
        super().__init__(ledger)
        self.crash: Exception | None = None
        """The unexpected error that ended the app; whoever runs the app reports it."""
        self.start_themes(theme or "")

    def get_driver_class(self) -> type[Driver]:
        """The platform's driver behind the second wall."""
        return guarded_driver(super().get_driver_class())

    def _handle_exception(self, error: Exception) -> None:
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End without Textual's traceback: it shows the values of variables, and those may be secrets."""
        self._close_messages_no_wait()

    def on_mount(self) -> None:
        """Open the ledger while the first frame is painted."""
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.refresh_facts()
        self.tell_mistakes(self.theme_mistakes)
        self.tell_mistakes(self.ledger.settings_problems)
        self.open_ledger()
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        threading.Thread(target=watch.warm_up, args=(self._warmed,), name="warm-up", daemon=True).start()
        self.run_worker(watch.files(self), group="watch", exit_on_error=False)
        self.run_worker(retention_watch.daily(self), group="retention", exit_on_error=False)
        self.watch_ledger()

    def watch_ledger(self) -> None:
        """Look at spending, and make new texts known to search in the present."""
        self.run_worker(watch.spend(self), group="spend", exclusive=True, exit_on_error=False)
        if self.moment is None:
            self.run_worker(watch.search_texts(self), group="search-texts", exclusive=True, exit_on_error=False)
        else:
            self.workers.cancel_group(self, "search-texts")
        self.watch_sharing()

    async def on_unmount(self) -> None:
        """End the exchange, and close the moments that were looked at."""
        await self.stop_sharing()
        await self.close_moments()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is a way to the present from an earlier moment only."""
        return self.moment is not None if action == "present" else True

    def _warmed(self) -> None:
        """Called in the warm-up thread: every place is imported, so that every action is known."""
        try:
            self.call_from_thread(self.read_keymap)
        except RuntimeError:
            return

    @work(group="open", exclusive=True, exit_on_error=False)
    async def open_ledger(self) -> None:
        """Create or migrate the database in a thread; a failure is a screen of its own, with a way to try again."""
        error = await self.try_to_open()
        if error is not None:
            from ledger_tui.ui.dialogs.opening import OpeningFailed

            self.push_screen(OpeningFailed(error))

    async def try_to_open(self) -> Exception | None:
        """Open the ledger in a thread and let the places go on; what went wrong, None when nothing did."""
        try:
            await asyncio.to_thread(self.ledger.prepare)
        except Exception as error:
            return error
        self.opened.set()
        return None

    def refresh_facts(self, **changes: Any) -> None:
        """Renew what the top line says; ``changes``: fields of LineFacts about money."""
        database = self.ledger.database
        server = database.dialect != "sqlite"
        workspace = f"server {database.label}" if server else Path(database.label).stem
        notable = server or database.label != str(self.ledger.paths.database)
        self.facts = replace(
            self.facts,
            workspace=workspace if notable else "",
            environment=self.ledger.environment,
            notable=notable,
            **changes,
        )

    def watch_facts(self, facts: LineFacts) -> None:
        """Every place's top line says the same."""
        for place in self.places():
            for line in place.query(TopLine):
                line.facts = facts

    # Going somewhere with a subject

    async def action_place(self, mode: str) -> None:
        """Go to a place; from a page of this place, go back to it."""
        if mode == self.current_mode:
            await self.close_pages()
        else:
            await self.switch_mode(mode)

    @on(TopLine.MoneyChosen)
    def _money_chosen(self) -> None:
        self.action_alerts()

    @on(TopLine.SyncChosen)
    def action_sync(self) -> None:
        """Sync, a tab of Settings."""
        self.call_later(self._visit, "settings", "open_tab", "sync")

    @on(TopLine.MomentWanted)
    def _moment_wanted(self) -> None:
        self.choose_moment()

    @on(TopLine.Chosen)
    async def _chosen(self, event: TopLine.Chosen) -> None:
        await self.action_place(event.place)

    def open_prompt(self, name: str, version_id: str | None = None) -> None:
        """Show a prompt, at a version when given, in Prompts."""
        self.call_later(self._visit, "prompts", "open_prompt", name, version_id)

    def open_playground(self, subject: PlaygroundSubject) -> None:
        """Take something to the playground."""
        self.call_later(self._visit, "playground", "open_playground", subject)

    def open_trace(self, trace_id: str, span_key: int | None = None) -> None:
        """Show a trace, at a span when given, in Traces."""
        self.call_later(self._visit, "traces", "open_trace", trace_id, span_key)

    def open_traces(self, filter_text: str) -> None:
        """Show the traces that fit a filter, in Traces."""
        self.call_later(self._visit, "traces", "filter_by", filter_text)

    def open_drift(self) -> None:
        """Show where code, git, registry and runs differ, on Prompts."""
        self.call_later(self._visit, "prompts", "action_drift")

    def open_conflicts(self) -> None:
        """Show what several people wrote at once, on Prompts."""
        self.call_later(self._visit, "prompts", "action_conflicts")

    async def _visit(self, mode: str, method: str, *arguments: Any) -> None:
        await self.switch_mode(mode)
        await self.close_pages()
        getattr(self._screen_stacks[mode][0], method)(*arguments)

    def registry_changed(self) -> None:
        """Tell every visited place that prompts, versions or labels changed, and colleagues soon."""
        self._tell_places("registry_changed")
        self.exchange()

    # Actions of the shell

    def action_help(self) -> None:
        """Help for what has focus."""
        from ledger_tui.ui.help import HelpDialog, help_of

        self.push_screen(HelpDialog(help_of(self.screen)))

    def action_palette(self) -> None:
        """Find something."""
        from ledger_tui.ui.dialogs.palette import Palette, run_choice

        self.push_screen(Palette(self.screen), partial(run_choice, self))

    def action_themes(self) -> None:
        """Choose a theme."""
        from ledger_tui.ui.dialogs.theme_picker import ThemePicker

        self.push_screen(ThemePicker())

    def action_code(self) -> None:
        """The current action as code."""
        subject = self.place.code_subject()
        if subject is None:
            self.notify("Nothing here can be written as code yet.", markup=False)
            return
        from ledger_tui.ui.dialogs.code import CodeDialog

        self.push_screen(CodeDialog(subject))

    def action_receipt(self) -> None:
        """What the cost under the cursor is made of."""
        from ledger_tui.ui.dialogs.receipt import show_receipt

        show_receipt(self.place)

    def action_export(self) -> None:
        """Write what is shown into a file."""
        from ledger_tui.ui.dialogs.export import show_export

        show_export(self.place)

    def action_alerts(self) -> None:
        """Budgets and alerts, a page of Costs."""
        self.call_later(self._show_alerts)

    async def _show_alerts(self) -> None:
        from ledger_tui.ui.places.costs.budgets import BudgetsPage

        if isinstance(self.screen, BudgetsPage):
            return
        await self.switch_mode("costs")
        await self.close_pages()
        await self.push_screen(BudgetsPage())

    def action_zoom(self) -> None:
        """Let the focused pane fill the place, or put it back."""
        screen = self.screen
        if screen.maximized is not None:
            screen.minimize()
            return
        if screen.focused is not None:
            for node in screen.focused.ancestors_with_self:
                if node.has_class("pane"):
                    screen.maximized = node  # type: ignore[assignment]
                    return

    def action_copy_source(self) -> None:
        """Copy the source text of what is shown."""
        copy(self, self.place.copy_source() or "")

    def action_undo(self) -> None:
        """Undo the last change of the registry."""

        def undone(what: str) -> None:
            self.notify(printable(f"Undone: {what}"), markup=False)
            self.registry_changed()

        self.place.load(self.ledger.registry.undo, undone, group="undo")

    def action_hint_quit(self) -> None:
        """Say how to leave."""
        self.notify("ctrl+q leaves the workstation.", timeout=3, markup=False)

    def focus_first(self, selector: str) -> None:
        """Focus the first widget of the place that matches, if there is one."""
        try:
            self.place.query(selector).first().focus()
        except NoMatches:
            return
