"""The palette: one field that finds every action of the moment, every place, prompt, recent trace and theme."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events, on, work
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from ledger_tui.domain.text import one_line
from ledger_tui.errors import LedgerError
from ledger_tui.ui.actions import Action, group_title, here
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.dialogs.finding import Entry, find
from ledger_tui.ui.place import Place

if TYPE_CHECKING:
    from ledger_tui.ui.app import LedgerApp

SHOWN = 60
RECENT_TRACES = 50
OWN_KEYS = {"app.palette", "app.help"}


class Palette(Dialog[Entry | None]):
    """Type to find, enter to do. The answer is the entry, None when it was left.

    | Key(s) | Description |
    | :- | :- |
    | up, down, pageup, pagedown | Move in the list. |
    | enter | Do it. |
    | escape, ctrl+p | Close. |
    """

    CLICK_OUT = True
    HELP = "Type parts of what you look for. Every word has to be found; letters may be left out."
    CSS = """
    Palette { align: center top; }
    Palette .dialog { margin: 2 0 0 0; padding: 0 1; width: 84; }
    Palette Input { margin: 0 0 1 0; }
    Palette OptionList { height: auto; max-height: 22; }
    Palette OptionList > .option-list--option-highlighted {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: $block-cursor-text-style;
    }
    """
    BINDINGS = [
        Binding("down", "move('cursor_down')", "Down", show=False, id="palette.down", tooltip="Next entry"),
        Binding("up", "move('cursor_up')", "Up", show=False, id="palette.up", tooltip="Entry before"),
        Binding("pagedown", "move('page_down')", "Page down", show=False, id="palette.page_down", tooltip="A page on"),
        Binding("pageup", "move('page_up')", "Page up", show=False, id="palette.page_up", tooltip="A page back"),
        Binding("ctrl+p", "cancel", "Close", show=False, id="palette.close", tooltip="Close the palette"),
    ]

    def __init__(self, screen: Screen[Any]) -> None:
        """``screen`` is what the actions belong to: the screen that was on top."""
        super().__init__("Palette", "enter do it · esc close")
        self._entries = list(action_entries(screen))
        self._found: list[Entry] = []
        self._typed_ahead = ""

    def compose_dialog(self) -> Iterable[Widget]:
        """The field and what it finds."""
        yield Input(
            placeholder="Find an action, a prompt, a trace, a theme", compact=True, classes="bar", id="palette-text"
        )
        yield OptionList(id="palette-list", compact=True, classes="dialog-list")

    def on_mount(self) -> None:
        """Offer the actions at once, then what the ledger knows."""
        self._entries += place_entries(self.app)
        self._show("")
        self._take_typed()
        self.query_one(OptionList).can_focus = False
        self._load()

    def on_key(self, event: events.Key) -> None:
        """Keys that come before the field has the focus are not lost."""
        if event.is_printable and event.character and not isinstance(self.focused, Input):
            event.stop()
            event.prevent_default()
            self._typed_ahead += event.character
            self._take_typed()

    def _take_typed(self) -> None:
        for field in self.query(Input):
            field.insert_text_at_cursor(self._typed_ahead)
            self._typed_ahead = ""

    @work(group="palette", exclusive=True, exit_on_error=False)
    async def _load(self) -> None:
        await self.app.opened.wait()
        try:
            self._entries += await asyncio.to_thread(ledger_entries, self.app)
        except LedgerError as error:
            self.app.place.show_error(error)
        self._entries += theme_entries(self.app)
        self._show(self.query_one(Input).value)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def _show(self, text: str) -> None:
        self._found = find(text, self._entries, SHOWN)
        rows = self.query_one(OptionList)
        room = max(30, min(78, self.app.size.width * 94 // 100 - 6))
        # The 16 colours of a terminal have no grey that can be read on the cursor's row too.
        muted = "" if self.app.current_theme.ansi else "$text-muted"
        rows.set_options(
            [Option(_row(entry, room, muted)) for entry in self._found]
            or [Option("Nothing is called that.", disabled=True)]
        )
        rows.highlighted = 0 if self._found else None

    def action_move(self, how: str) -> None:
        """Move in the list while the field keeps the focus."""
        getattr(self.query_one(OptionList), f"action_{how}")()

    @on(Input.Submitted)
    def _accept(self) -> None:
        index = self.query_one(OptionList).highlighted
        if index is not None and index < len(self._found):
            self.dismiss(self._found[index])

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])


def _row(entry: Entry, room: int, muted: str) -> Content:
    title = one_line(entry.title, 38)
    detail = one_line(entry.detail, max(0, room - max(len(title), 26) - len(entry.kind) - 4))
    gap = " " * max(2, 28 - len(title))
    left = Content.assemble(title, gap, (detail, muted))
    return Content.assemble(left, " " * max(1, room - left.cell_length - len(entry.kind)), (entry.kind, muted))


def run_choice(app: LedgerApp, entry: Entry | None) -> None:
    """Do what was chosen, after the palette is gone."""
    if entry is None:
        return
    done = entry.run()
    if isinstance(done, Awaitable):
        app.run_worker(_finish(done), group="palette-run")


async def _finish(done: Awaitable[Any]) -> None:
    await done


def action_entries(screen: Screen[Any]) -> Iterable[Entry]:
    """What can be done on ``screen`` now: its bindings' actions, then what the place adds."""
    if isinstance(screen, Place):
        for title, words, call in screen.palette_actions():
            yield Entry.of(group_title(screen.PLACE), title, words, call)
    for action in here(screen):
        if action.enabled and action.id not in OWN_KEYS and not action.id.startswith("dialog."):
            yield Entry.of(
                group_title(action.id), action.tooltip or action.title, action.shown_keys, _caller(screen, action)
            )


def _caller(screen: Screen[Any], action: Action) -> Callable[[], Any]:
    return partial(screen.app.run_action, action.name, action.node)


def place_entries(app: LedgerApp) -> Iterable[Entry]:
    """Entries of the shell itself."""
    yield Entry.of("Everywhere", "Help for what has focus", "f1", app.action_help)
    yield Entry.of("Everywhere", "Choose a theme, with a live preview", "", app.action_themes)
    if app.current_mode != "prompts":
        yield Entry.of("Prompts", "Drift: where code, git and ledger differ", "", app.open_drift)
        yield Entry.of("Prompts", "Conflicts: what several people wrote at once", "", app.open_conflicts)


def theme_entries(app: LedgerApp) -> Iterable[Entry]:
    """One entry for every theme."""
    for name, theme in app.shown_themes.items():
        kind = "the terminal's colours" if theme.ansi else "dark" if theme.dark else "light"
        yield Entry.of("theme", name, kind, partial(app.save_setting, "theme", name))


def ledger_entries(app: LedgerApp) -> list[Entry]:
    """Prompts and recent traces; reads the ledger, so it runs in a thread."""
    entries = [
        Entry.of("prompt", row.name, row.description, partial(app.open_prompt, row.name))
        for row in app.ledger.registry.prompts()
    ]
    for trace in app.ledger.traces.page(limit=RECENT_TRACES).rows:
        words = f"{trace.status}, {trace.span_count} spans, {trace.duration_us / 1e6:.1f} s"
        entries.append(Entry.of("trace", trace.name or trace.trace_id, words, partial(app.open_trace, trace.trace_id)))
    return entries
