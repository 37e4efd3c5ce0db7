"""Conflicts: what several people wrote at once, beside what it came from, until somebody decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.domain.deciding import Contested
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.places.prompts.conflict_candidates import CandidatesPane, look_at
from ledger_tui.ui.places.prompts.conflict_words import (
    HELP,
    NOTHING,
    PYTHON,
    TOOLS,
    column_heads,
    entry,
    state_words,
    subtitle,
)
from ledger_tui.ui.places.prompts.conflict_work import ConflictWork
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.merge_view import MergeView, Side
from ledger_tui.ui.widgets.tab_line import TabLine
from ledger_tui.ui.widgets.text_pane import TextPane

SIDES: dict[str, Side] = {"base": "base", "mine": "mine", "theirs": "theirs"}
PANE_TABS = {"#conflict-list": "list", "#merge": "mine", "#result": "result"}
TABS = ("list", "base", "mine", "theirs", "result")
ON_HEADS = {"save", "external", "keep_both", "discard", "all"}


class ConflictList(OptionList):
    """What there is to decide."""

    BINDINGS = [Binding("enter", "select", "Open", id="conflicts.open", tooltip="Look at this one")]


class ConflictsPage(ConflictWork):
    """A page of Prompts: what there is to decide, and three texts beside each other or the candidates.

    | Key(s) | Description |
    | :- | :- |
    | m, t, b, x | Take mine, theirs, both, or what was before. |
    | <, > | Take every change from one side. |
    | n, p | The next, the previous change. |
    | e, ctrl+o | Edit the result in $EDITOR; back to the changes. |
    | f7 | The next side or pane. |
    | ctrl+s, B | Save on top of both; keep both. |
    """

    WRITES = frozenset({"save", "keep_both", "external", "take_candidate"})
    PLACE = "prompts"
    CSS_PATH = "conflicts.tcss"
    AUTO_FOCUS = "#conflict-list"
    HELP = HELP
    BINDINGS = [
        Binding("ctrl+s", "save", "Save", id="conflicts.save", tooltip="Save the result on top of both heads"),
        Binding("e", "external", "Edit", id="conflicts.external", tooltip="Edit the result in $EDITOR"),
        Binding("B", "keep_both", "Keep both", show=False, id="conflicts.both", tooltip="Mine goes on, theirs gets a label"),
        Binding("less_than_sign", "all('mine')", "All mine", show=False, id="conflicts.mine", tooltip="Take all of mine"),
        Binding("greater_than_sign", "all('theirs')", "All theirs", show=False, id="conflicts.theirs", tooltip="All of theirs"),
        Binding("ctrl+o", "discard", "Discard", show=False, id="conflicts.discard", tooltip="Forget the edit or the choices"),
        Binding("f7", "next_pane", "Side", id="conflicts.pane", tooltip="Go to the next side: base, mine, theirs, result"),
        Binding("escape", "close", "Back", id="conflicts.close", tooltip="Go back to the prompts"),
    ]  # fmt: skip

    def __init__(self, name: str = "") -> None:
        """name: the prompt to begin with."""
        super().__init__()
        self._wanted = name
        self.add_class("-tab-list")

    def compose_place(self) -> ComposeResult:
        """The list; three columns with the result below, or candidates; or that there is nothing."""
        yield Static(NOTHING, id="nothing", classes="empty")
        yield TabLine("List", "Base", "Mine", "Theirs", "Result", id="tabs")
        with Container(id="lists"):
            with Vertical(id="list-pane", classes="pane") as pane:
                pane.border_title = "Conflicts"
                yield ConflictList(id="conflict-list", compact=True)
            with Vertical(id="merge-pane", classes="pane"):
                yield Static("", id="merge-heads", markup=False)
                yield MergeView(id="merge")
                yield Static("Result", id="result-title", markup=False)
                yield TextPane(id="result", kind="plain")
                with Horizontal(classes="toolbar"):
                    for name, label, tooltip in TOOLS:
                        variant: Any = "primary" if name == "save" else "default"
                        yield Button(label, compact=True, name=name, tooltip=tooltip, variant=variant)
            yield CandidatesPane(id="candidates-pane", classes="pane")

    def on_mount(self) -> None:
        """Read what there is."""
        self.look()

    # Showing

    @property
    def current(self) -> Contested | None:
        """What is under the cursor of the list."""
        at = self.query_one("#conflict-list", OptionList).highlighted
        return self.rows[at] if at is not None and at < len(self.rows) else None

    def show_rows(self, rows: Sequence[Contested]) -> None:
        """Show what there is to decide; the cursor stays on what it was on."""
        before = self.current
        wanted = (before.prompt, before.key) if before is not None else (self._wanted, "heads")
        shown = self.query_one("#conflict-list", OptionList)
        at = shown.highlighted or 0
        self.rows = rows
        self.set_class(not rows, "-nothing")
        shown.clear_options()
        shown.add_options([Option(words) for words in self._entries()])
        keys = [(row.prompt, row.key) for row in rows]
        if rows:
            shown.highlighted = keys.index(wanted) if wanted in keys else min(at, len(rows) - 1)
        self.query_one("#list-pane").border_subtitle = subtitle(len(rows))
        self.show_current()

    def _entries(self) -> list[Content]:
        """The rows of the list, for the room there is."""
        muted = "" if self.app.current_theme.ansi else "$text-muted"
        width = self.query_one("#conflict-list").scrollable_content_region.width - 2
        return [entry(row, muted, width if width > 0 else 24) for row in self.rows]

    def show_current(self) -> None:
        """The heads or the candidates under the cursor."""
        row = self.current
        heads = self.is_heads()
        self.set_class(heads, "-heads")
        self.set_class(row is not None and not heads, "-candidates")
        self.refresh_bindings()
        if row is None:
            return
        if heads:
            self.compare(row.prompt or "")
            return
        self.query_one(CandidatesPane).show(row, self._room - 6)

    @property
    def _room(self) -> int:
        """Columns beside the list, all of them on a narrow terminal."""
        return self.size.width - (0 if self.has_class("-narrow") else self.query_one("#list-pane").outer_size.width)

    def show_comparison(self) -> None:
        """The three texts from the beginning."""
        if self.here is not None:
            self.query_one("#merge-pane").border_title = line(self.here.prompt, 100)
            self.query_one(MergeView).show_merge(self.here.merge, self.choices)
            self._show_state()

    def show_choices(self) -> None:
        """What is chosen, and what comes of it."""
        self.query_one(MergeView).show_choices(self.choices)
        self._show_state()

    def _show_state(self) -> None:
        if self.here is None:
            return
        words = state_words(self.here, len(self.undecided), self.edited is not None)
        self.query_one("#merge-pane").border_subtitle = words
        self.query_one("#result", TextPane).show(self.result, "plain")
        self._show_heads()

    def _show_heads(self) -> None:
        view = self.query_one(MergeView)
        if self.here is not None:
            self.query_one("#merge-heads", Static).update(column_heads(self.here, view.column_width, view.side))

    def go_to(self, place: int) -> None:
        """Put the cursor on a hunk, where keys decide it."""
        view = self.query_one(MergeView)
        if not view.has_focus:
            self.show_tab("mine")
        view.go_to(place)

    def decided(self) -> None:
        """Back to the list: what is next is opened before it is decided."""
        self.show_tab("list")
        self.query_one("#conflict-list").focus()

    def show_tab(self, tab: str) -> None:
        """On a narrow terminal, show this one."""
        for name in TABS:
            self.set_class(name == tab, f"-tab-{name}")
        self.query_one("#tabs", TabLine).chosen = TABS.index(tab)
        self._fold_columns()
        if tab in SIDES:
            self.query_one(MergeView).focus()

    def _fold_columns(self) -> None:
        tab = next((name for name in TABS if self.has_class(f"-tab-{name}")), "list")
        narrow = self.has_class("-narrow")
        side = SIDES.get(tab, "mine") if narrow else None
        self.query_one(MergeView).show_side(side)

    def on_resize(self) -> None:
        """One column or three, and lines as long as there is room."""
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self._fold_columns()
        shown = self.query_one("#conflict-list", OptionList)
        for at, words in enumerate(self._entries()):
            shown.replace_option_prompt_at_index(at, words)

    # What a person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deeds on heads need some."""
        return action not in ON_HEADS or (bool(self.query("#conflict-list")) and self.is_heads())

    @on(OptionList.OptionHighlighted, "#conflict-list")
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.show_current()

    @on(OptionList.OptionSelected, "#conflict-list")
    def _opened(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.show_tab("mine")
        self.query_one("#merge" if self.is_heads() else "#candidates").focus()

    @on(OptionList.OptionHighlighted, "#candidates")
    def _looked_at(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        row = self.current
        if row is not None and not self.is_heads() and event.option_index < len(row.candidates):
            work = partial(look_at, self.ledger, row, row.candidates[event.option_index])
            self.load(work, self.query_one(CandidatesPane).show_about, group="candidate")

    @on(OptionList.OptionSelected, "#candidates")
    def _taken(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        row = self.current
        if row is not None and not self.app.tell_read_only():
            self.take(row, row.candidates[event.option_index])

    @on(MergeView.Chosen)
    def _chosen(self, event: MergeView.Chosen) -> None:
        self.choose(event.place, event.choice)

    @on(MergeView.LaidOut)
    def _laid_out(self) -> None:
        self._show_heads()

    @on(TabLine.Chosen, "#tabs")
    def _tab(self, event: TabLine.Chosen) -> None:
        self.show_tab(TABS[event.index])

    @on(Button.Pressed, "#merge-pane Button")
    async def _tool(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "")

    def action_all(self, side: Side) -> None:
        """Take every change from one side."""
        self.choose_all("mine" if side == "mine" else "theirs")

    def action_next_pane(self) -> None:
        """Go from the list to the texts, to the result and back; where one side is shown, to each of them."""
        if self.is_heads() and self.has_class("-narrow"):
            tab = TABS[(self.query_one("#tabs", TabLine).chosen + 1) % len(TABS)]
            self.show_tab(tab)
            self.query_one({"list": "#conflict-list", "result": "#result"}.get(tab, "#merge")).focus()
            return
        texts = ("#merge", "#result") if self.is_heads() else ("#candidates", "#candidate-diff", "#candidate-text")
        panes = ["#conflict-list", *(pane for pane in texts if self.query_one(pane).display)]
        at = next((at for at, pane in enumerate(panes) if self.query_one(pane).has_focus), 0)
        pane = panes[(at + 1) % len(panes)]
        self.show_tab(PANE_TABS.get(pane, "mine"))
        self.query_one(pane).focus()

    def action_close(self) -> None:
        """From the texts to the list, from there back to the prompts."""
        shown = self.query_one("#conflict-list")
        if self.rows and not shown.has_focus:
            self.show_tab("list")
            shown.focus()
        else:
            self.app.pop_screen()

    # What the shell asks

    def registry_changed(self) -> None:
        """Something was decided, or came."""
        self.look()

    def copy_source(self) -> str | None:
        """The result as it stands."""
        return self.result or None

    def code_subject(self) -> CodeSubject:
        """How a script decides."""
        row = self.current
        name, what = (row.prompt or "-", row.key) if row is not None else ("NAME", "heads")
        what = "" if what == "heads" else f" {what}"
        return CodeSubject(PYTHON, f"ledger-tui conflicts resolve {name}{what} --take mine", "")

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Deeds without a key."""
        yield "Look again", "Read what there is to decide", self.look
        if self.here is not None:
            yield "Take every change of mine", "In this conflict", partial(self.choose_all, "mine")
            yield "Take every change of theirs", "In this conflict", partial(self.choose_all, "theirs")
