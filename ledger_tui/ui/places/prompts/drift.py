"""Drift: where the working tree, git, the registry, its labels and the runs have different texts of a code prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Button, DataTable, Input, Static

from ledger_tui.domain.drift import DriftRow, Matrix, drift_words
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.places.prompts.drift_table import DriftTable, PlaceList
from ledger_tui.ui.places.prompts.drift_words import (
    LEGEND,
    failed,
    filtered,
    ground_line,
    nothing_here,
    source_words,
    subtitle,
)
from ledger_tui.ui.places.prompts.drift_work import DriftWork, texts_of
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.diff_view import DiffView

if TYPE_CHECKING:
    from ledger_tui.ui.places.prompts.drift_watch import DriftWatch


class DriftPage(DriftWork):
    """A page of Prompts: the table, the places of the prompt under the cursor, and what differs between two of them.

    | Key(s) | Description |
    | :- | :- |
    | enter, space, c | Compare with the code, mark a place, compare two. |
    | R | Register what the working tree has. |
    | o, t | The prompt; the trace of its last run. |
    | d, / | Only what differs; filter by name and file. |
    | r, escape | Look again; back. |
    """

    WRITES = frozenset({"register"})
    PLACE = "prompts"
    CSS_PATH = "drift.tcss"
    AUTO_FOCUS = "#matrix"
    HELP = """
## Drift
Holds every prompt that lives in your code against the ledger, by the hash of its text: as it stands in the working tree, at git
`HEAD`, as registered, behind each label, and as it last ran in each environment.

Files are looked for in the folder that the workstation was started in, or in the one that the setting `code_folder` names. Nothing
of your program runs: Python files are read, and a text that is computed shows as `?`. `ledger-tui drift` in a shell, and in CI with
`--exit-code`, asks the program itself.

`R` registers the text of the working tree as a version and makes it active, after showing what will change.
"""
    BINDINGS = [
        Binding("space", "mark", "Mark", id="drift.mark", tooltip="Mark this place for a comparison (or click ◇)"),
        Binding("c", "compare", "Compare", id="drift.compare", tooltip="Compare the marked places, or this one with ●"),
        Binding("R", "register", "Register", id="drift.register", tooltip="Register the text of the working tree"),
        Binding("o", "open_prompt", "Prompt", id="drift.prompt", tooltip="Open this prompt"),
        Binding("t", "open_trace", "Last run", id="drift.trace", tooltip="Open the trace of the last run"),
        Binding("slash", "filter", "Filter", id="drift.filter", tooltip="Leave prompts by name or file"),
        Binding(
            "d",
            "only_drifted",
            "Differing",
            show=False,
            id="drift.only",
            tooltip="Only prompts that differ somewhere, or all",
        ),
        Binding("r", "look", "Look again", show=False, id="drift.look", tooltip="Look again at code, git and ledger"),
        Binding("f7", "next_pane", "Pane", show=False, id="drift.pane", tooltip="Go to the other list"),
        Binding("escape", "back", "Back", id="drift.back", tooltip="Close the comparison, stop looking, or go back"),
    ]

    def __init__(self, watch: DriftWatch) -> None:
        super().__init__(watch)
        self._filter = ""
        self._only_drifted = False

    def compose_place(self) -> ComposeResult:
        """Where was looked, the table, the places, a legend; and the comparison that takes their place."""
        yield Static("", id="ground", markup=False)
        yield Static("", id="nothing", classes="empty", markup=False)
        with Container(id="lists"):
            with Vertical(id="table-pane", classes="pane") as pane:
                pane.border_title = "Drift"
                yield Input(compact=True, classes="bar", id="filter", placeholder="/ filter by name or file")
                yield DriftTable(id="matrix")
            with Vertical(id="places-pane", classes="pane") as pane:
                pane.border_title = "Places"
                yield Static("", id="drift-words", markup=False)
                yield PlaceList(id="places")
                with Horizontal(classes="toolbar"):
                    for name, label, tooltip in TOOLS:
                        yield Button(label, compact=True, name=name, tooltip=tooltip)
        yield Static(LEGEND, id="legend", markup=False)
        with Vertical(id="compare", classes="pane"):
            yield DiffView(id="diff")
            yield Static("m columns · n p changes · f fold · esc close", id="compare-note", markup=False)

    def on_mount(self) -> None:
        """Show what is known, and look again."""
        self.watching.heard.append(self.show)
        self.query_one("#filter").display = False
        if self.watching.matrix is not None:
            self.show(self.watching.matrix)
        self.action_look()

    def on_unmount(self) -> None:
        """The page is closed."""
        self.watching.heard.remove(self.show)
        self.stop_looking()

    # Showing

    def show(self, matrix: Matrix | None) -> None:
        """Show a matrix, drifted prompts first."""
        if matrix is None or not self.is_attached:
            return
        rows = self.rows_of(matrix)
        self.set_class(not matrix.rows, "-nothing")
        self.refresh_bindings()
        if not matrix.rows:
            self.query_one("#nothing", Static).update(nothing_here(matrix.ground))
        self.query_one(DriftTable).show(matrix, rows, self.marks)
        self.query_one("#table-pane").border_subtitle = subtitle(matrix, rows)
        if not self.looking:
            self.say_ground(matrix)
        self.show_places()

    def rows_of(self, matrix: Matrix) -> list[DriftRow]:
        """What the filter leaves."""
        return filtered(matrix.drifted if self._only_drifted else matrix.rows, self._filter)

    def say_ground(self, matrix: Matrix) -> None:
        """Say where was looked, and how."""
        where, how = ground_line(matrix), source_words(matrix)
        room = self.size.width - where.cell_length - 7
        ground = self.query_one("#ground", Static)
        ground.tooltip = how
        ground.update(where + line(f" · {how}", max(1, room + 3), "$text-muted") if room > 20 else where)

    def say(self, words: str) -> None:
        """Say what is being done."""
        self.query_one("#ground", Static).update(line(f"◌ {words} · esc stops", 160, "$primary"))

    def say_failure(self, title: str, words: str) -> None:
        """Say why it could not be looked."""
        self.query_one("#nothing", Static).update(failed(title, words))
        if self.watching.matrix is None:
            self.query_one("#ground", Static).update("")
        self.add_class("-nothing")
        self.refresh_bindings()

    def show_places(self) -> None:
        """The places of the prompt under the cursor."""
        row = self.row
        pane = self.query_one("#places-pane")
        pane.border_title = line(row.name if row is not None else "Places", 80)
        pane.border_subtitle = self.mark_words()
        words = (
            "" if row is None else ". ".join(part for part in (drift_words(row), row.note and f"? {row.note}") if part)
        )
        self.query_one("#drift-words", Static).update(line(words or "Every place has the same text", 300))
        self.query_one(PlaceList).show(row, self.marks, self.place_key)
        self.refresh_bindings()

    def show_marks(self) -> None:
        """Marks changed."""
        if self.watching.matrix is not None:
            self.show(self.watching.matrix)

    # What a person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deeds on a prompt need one; while two places are compared, only leaving makes sense."""
        if action in ON_A_PROMPT and (self.has_class("-nothing") or not self.query("#matrix")):
            return False
        return not (self.has_class("-comparing") and action in ON_THE_TABLE)

    @on(DataTable.CellHighlighted)
    def _moved(self) -> None:
        self.show_places()

    @on(DataTable.CellSelected)
    def _chosen(self) -> None:
        self.compare_with_code(self.place_key)

    @on(PlaceList.Pointed)
    def _pointed(self, event: PlaceList.Pointed) -> None:
        self.query_one(DriftTable).go_to_place(event.key)

    @on(PlaceList.Opened)
    def _opened(self, event: PlaceList.Opened) -> None:
        self.compare_with_code(event.key)

    @on(PlaceList.Marked)
    def _marked(self, event: PlaceList.Marked) -> None:
        self.mark(event.key)

    @on(Button.Pressed, "#places-pane Button")
    async def _tool(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "")

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        self._filter = event.value
        self.show_marks()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.query_one(DriftTable).focus()

    def action_filter(self) -> None:
        """Go to the filter field."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_only_drifted(self) -> None:
        """Show only prompts that differ somewhere, or all."""
        self._only_drifted = not self._only_drifted
        self.show_marks()

    def action_next_pane(self) -> None:
        """Go from the table to the places and back."""
        places = self.query_one(PlaceList)
        (self.query_one(DriftTable) if places.has_focus else places).focus()

    def action_back(self) -> None:
        """Close the comparison, else stop looking, else take the filter away, else go back to the prompts."""
        if self.has_class("-comparing"):
            self.remove_class("-comparing")
            self.query_one(DriftTable).focus()
            self.refresh_bindings()
        elif self.looking:
            self.stop_looking()
            self.say_stopped()
        elif self._filter or self.query_one("#filter").has_focus:
            field = self.query_one("#filter", Input)
            field.value, field.display = "", False
            self.query_one(DriftTable).focus()
        else:
            self.app.pop_screen()

    # What the shell asks

    def registry_changed(self) -> None:
        """Versions or labels changed: the watch looks again and tells."""

    def copy_source(self) -> str | None:
        """The text of the place under the cursor, as far as it was read from code."""
        place = self.row.at(self.place_key) if self.row is not None else None
        return texts_of(place.content) if place is not None and place.content is not None else None

    def code_subject(self) -> CodeSubject:
        """How a program registers its prompts, and how CI looks for drift."""
        return CodeSubject(PYTHON, "ledger-tui drift --exit-code", "")

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Deeds without a key."""
        yield "Register every differing prompt", "From the working tree, after a preview", partial(self.register, True)


ON_A_PROMPT = {"mark", "compare", "register", "open_prompt", "open_trace", "filter", "only_drifted", "next_pane"}
ON_THE_TABLE = {"mark", "compare", "filter", "only_drifted", "next_pane"}
TOOLS = (
    ("compare", "Compare", "Compare the marked places, or this one with ● (c)"),
    ("register", "Register", "Register the text of the working tree (R)"),
    ("open_prompt", "Prompt", "Open this prompt (o)"),
    ("open_trace", "Last run", "Open the trace of the last run (t)"),
    ("look", "Look again", "Look again at code, git and ledger (r)"),
)
PYTHON = """from ledger_tui import PromptLedger

ledger = PromptLedger(mode="tracking_only", code_registry="prompts")
for one in ledger.register_code_prompts(dry_run=True)["registered"]:
    print(one["name"], one["version"], one["change_detected"])
"""
