"""The place where prompts are written: their tree, the editor, their versions, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from ledger_tui.domain.content import ROLES
from ledger_tui.errors import LedgerError
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.export_subject import ExportSubject
from ledger_tui.ui.places.prompts.arriving import ArrivingWork
from ledger_tui.ui.places.prompts.code import code_of
from ledger_tui.ui.places.prompts.dialogs import NameDialog
from ledger_tui.ui.places.prompts.editor import Editor
from ledger_tui.ui.places.prompts.exporting import prompt_subjects
from ledger_tui.ui.places.prompts.fields import Fields
from ledger_tui.ui.places.prompts.findings import Findings
from ledger_tui.ui.places.prompts.open_work import TABS
from ledger_tui.ui.places.prompts.prompt_tree import PromptTree
from ledger_tui.ui.places.prompts.subject import Subject
from ledger_tui.ui.places.prompts.versions import Versions
from ledger_tui.ui.widgets.diff_view import DiffView
from ledger_tui.ui.widgets.later import Later
from ledger_tui.ui.widgets.tab_line import TabLine


class PromptsPlace(ArrivingWork):
    """Tree, editor, versions; on a narrow terminal one of the three at a time."""

    PLACE = "prompts"
    CSS_PATH = "prompts.tcss"
    AUTO_FOCUS = "#tree"
    WRITES = frozenset({"new", "save", "duplicate", "external", "archive", "discard"})
    HELP = """
## Prompts
Write a prompt as messages with roles. `ctrl+s` saves a version: versions never change, and saving a text that exists
makes none. Everything you type is kept as a draft until then, also when the program or the machine stops.
"""
    BINDINGS = [
        Binding("n", "new", "New", id="prompts.new", tooltip="Write a new prompt"),
        Binding("ctrl+s", "save", "Save", id="prompts.save", tooltip="Save a version of this prompt"),
        Binding("r,ctrl+r", "run", "Run", id="prompts.run", tooltip="Open the playground with this text"),
        Binding("slash", "filter", "Filter", id="prompts.filter", tooltip="Find prompts by name, label or text"),
        Binding("D", "compare_draft", "Diff", id="prompts.diff", tooltip="Compare the text with its saved version"),
        Binding(
            "e,ctrl+e", "external", "$EDITOR", show=False, id="prompts.external", tooltip="Edit the message in $EDITOR"
        ),
        Binding(
            "d", "duplicate", "Copy as", show=False, id="prompts.duplicate", tooltip="Copy this prompt to a new name"
        ),
        Binding(
            "g",
            "unregistered",
            "Unregistered",
            show=False,
            id="prompts.unregistered",
            tooltip="Unregistered prompts: what programs send that belongs to no prompt",
        ),
        Binding(
            "f",
            "forecast",
            "Forecast",
            show=False,
            id="prompts.forecast",
            tooltip="What many runs of this text would cost",
        ),
        Binding(
            "w", "drift", "Drift", show=False, id="prompts.drift", tooltip="Drift: where code, git and ledger differ"
        ),
        Binding(
            "C",
            "conflicts",
            "Conflicts",
            show=False,
            id="prompts.conflicts",
            tooltip="Conflicts: what several people wrote at once",
        ),
        Binding(
            "A", "archive", "Archive", show=False, id="prompts.archive", tooltip="Archive this prompt, or bring it back"
        ),
        Binding(
            "a", "toggle_archived", "Archived", show=False, id="prompts.archived", tooltip="List archived prompts too"
        ),
        Binding("ctrl+o", "discard", "Discard", show=False, id="prompts.discard", tooltip="Discard the draft"),
        Binding("f7", "next_pane", "Pane", show=False, id="prompts.pane", tooltip="Go to the next pane"),
        Binding(
            "escape", "back", "Back", show=False, id="prompts.back", tooltip="Close the comparison, or go to the list"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.add_class("-tab-prompts", "-no-subject")

    def compose_place(self) -> ComposeResult:
        """Three panes, and the comparison that takes their place."""
        yield TabLine("Prompts", "Editor", "Versions", id="tabs")
        with Horizontal(id="panes"):
            with Vertical(id="list", classes="pane") as pane:
                pane.border_title = "Prompts"
                yield Input(compact=True, classes="bar", id="filter", placeholder="/ filter")
                yield PromptTree(id="tree")
            yield Later(_welcome())
            yield Static(NOTHING_OPEN, id="nothing", classes="empty")
            yield Later(self.editor)
            versions = Versions(id="versions", classes="pane")
            versions.border_title = "Versions"
            yield Later(versions)
        note = Static("", id="compare-note", markup=False)
        yield Later(Vertical(DiffView(id="diff"), note, id="compare", classes="pane"))

    def on_mount(self) -> None:
        """Show the prompts with the first frame where that is quick, and read them again once the ledger is open."""
        database = self.ledger.database
        try:
            state = database.state() if database.dialect == "sqlite" else ""
            self.set_class(state == "missing", "-no-prompts")
            if state == "ready":
                self.show_list(
                    (self.ledger.registry.prompts(archived=True), [d.name for d in self.ledger.drafts.all() if d.name])
                )
        except LedgerError:
            pass
        self.query_one(PromptTree).focus()
        self.read_list()

    def on_unmount(self) -> None:
        """The workstation ends, by a key or a signal: keep what is not kept yet."""
        self.flush()

    def settings_changed(self) -> None:
        """The folder of the code may be another one."""
        self.drift.look_again()

    def on_screen_resume(self) -> None:
        """Back from another place: programs may have sent something meanwhile."""
        self.count_unregistered()

    def on_click(self, event: events.Click) -> None:
        """The lower border of the list says how many texts are unregistered: a click there shows them."""
        pane = self.query_one("#list")
        if event.widget is pane and event.screen_y == pane.region.bottom - 1:
            self.action_unregistered()

    def on_screen_suspend(self) -> None:
        """Another place or a dialog is shown: keep the draft."""
        self.flush()

    def on_app_blur(self) -> None:
        """The terminal lost focus: keep the draft."""
        self.flush()

    @on(PromptTree.Chosen)
    def _chosen(self, event: PromptTree.Chosen) -> None:
        self.open_prompt(event.name)

    @on(PromptTree.Moved)
    def _moved(self, event: PromptTree.Moved) -> None:
        self.look_at(event.name)

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        self.filter_list(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        tree = self.query_one(PromptTree)
        tree.focus()
        tree.to_match()

    # What widgets tell

    @on(Editor.Changed)
    def _edited(self) -> None:
        self.edited()

    @on(Editor.RoleWanted)
    def _role_wanted(self, event: Editor.RoleWanted) -> None:
        self.choose_role(event.block, ROLES)

    @on(Fields.ModelWanted)
    def _model_wanted(self) -> None:
        self.choose_model()

    @on(Findings.GoTo)
    def _go_to(self, event: Findings.GoTo) -> None:
        self.editor.go_to(event.finding)

    @on(Findings.ForecastWanted)
    def _forecast_wanted(self) -> None:
        self.action_forecast()

    @on(Versions.Wanted)
    def _version_wanted(self, event: Versions.Wanted) -> None:
        self.version_wanted(event)

    @on(Versions.CompareWanted)
    def _compare_wanted(self, event: Versions.CompareWanted) -> None:
        self.compare(event.old, event.new)

    @on(Versions.DriftWanted)
    def _drift_wanted(self) -> None:
        self.action_drift()

    @on(Button.Pressed, "#editor > .toolbar Button, #welcome Button")
    async def _tool(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "")

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deeds on a prompt need an open one."""
        return self.subject is not None or action not in NEEDS_SUBJECT

    def action_new(self) -> None:
        """Ask for a name and begin a prompt."""
        self._ask_name("New prompt", "", lambda name: self.open_prompt(name))

    def action_duplicate(self) -> None:
        """Copy the open prompt, as it stands in the editor, to a new name."""
        if self.subject is None:
            return
        edit = self.editor.value()

        def named(name: str) -> None:
            self.flush()
            self.show_subject(Subject(name), focus=True)
            self.editor.show(type(edit)(name, edit.description, edit.messages, edit.model, edit.fields))
            self.edited()

        self._ask_name("Copy as", f"{self.subject.name}-copy", named)

    def _ask_name(self, title: str, value: str, then: Callable[[str], None]) -> None:
        taken = [row.name for row in self.prompts]
        self.app.push_screen(NameDialog(title, taken, value), lambda name: then(name) if name else None)

    def action_filter(self) -> None:
        """Go to the filter field."""
        self.show_tab("prompts")
        self.query_one("#filter", Input).focus()

    def action_back(self) -> None:
        """Close the comparison, else go to the list; from there leave an earlier moment."""
        if self.has_class("-comparing"):
            self.remove_class("-comparing")
            self.query_one("#version-list").focus()
            return
        field = self.query_one("#filter", Input)
        if self.app.moment is not None and self.query_one(PromptTree).has_focus and not field.value:
            self.app.action_present()
            return
        if self.query_one("#list").has_focus_within:
            field.value = ""
        self.show_tab("prompts")
        self.query_one(PromptTree).focus()

    def action_next_pane(self) -> None:
        """Go to the next of the three panes."""
        at = next((at for at, tab in enumerate(TABS) if self.query_one(f"#{PANES[tab]}").has_focus_within), 0)
        tab = TABS[(at + 1) % len(TABS)]
        self.show_tab(tab)
        self.query_one(FOCUS[tab]).focus()

    @on(TabLine.Chosen, "#tabs")
    def _tab(self, event: TabLine.Chosen) -> None:
        self.show_tab(TABS[event.index])

    # What the shell asks

    def copy_source(self) -> str | None:
        """The text of the message that has focus."""
        block = self.editor.focused_block
        return block.area.text if self.subject is not None and block is not None else None

    def code_subject(self) -> CodeSubject | None:
        """How a program runs this prompt."""
        if self.subject is None:
            return None
        return code_of(self.subject.name, self._variables, self.subject.base)

    def export_subjects(self) -> Sequence[ExportSubject]:
        """The prompts, and the versions and history of the one that is open."""
        known = self.subject is not None and self.subject.prompt is not None
        name = self.subject.name if known and self.subject is not None else None
        return prompt_subjects(name, self.query_one(PromptTree).has_focus)

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Deeds without a key."""
        if self.subject is not None:
            yield "Add a message", "At the end of this prompt", self.editor.add_message
            yield "Choose the model", "From the models of your providers", self.choose_model


NEEDS_SUBJECT = {"save", "run", "forecast", "compare_draft", "external", "duplicate", "archive", "discard"}
PANES = {"prompts": "list", "editor": "editor", "versions": "versions"}
FOCUS = {"prompts": "#tree", "editor": "TemplateArea", "versions": "#version-list"}
KEY = "bold $primary"
NO_PROMPTS = Content.assemble(
    ("No prompts yet.", "bold"), "\n\n",
    "A prompt is a text with variables; each save keeps a version, each run its trace.\n\n",
    ("n", KEY), "       write the first one    \n",
    ("ctrl+p", KEY), "  find any action        \n",
    ("f1", KEY), "      help for what you see  \n\n",
    "To look around first, leave with ", ("ctrl+q", KEY), " and run ", ("ledger-tui demo", "bold"),
)  # fmt: skip
NOTHING_OPEN = Content.assemble(
    "No prompt is open.\n\n", ("enter", KEY), "  opens the one under the cursor\n", ("n", KEY), "  writes a new one"
)


def _welcome() -> Vertical:
    """What an empty workspace shows instead of the panes."""
    first = Button("Write the first prompt", compact=True, variant="primary", name="new")
    known = Button("", compact=True, name="unregistered", id="welcome-unregistered", tooltip="What programs send (g)")
    known.display = False
    return Vertical(Static(NO_PROMPTS, classes="empty"), Horizontal(first, known, id="welcome-buttons"), id="welcome")
