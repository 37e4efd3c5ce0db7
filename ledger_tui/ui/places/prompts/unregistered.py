"""What programs send to models and no prompt of the registry explains: look at it, register it, or put it away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, DataTable, Static

from ledger_tui.domain import clock, measure
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.prompts.unregistered_words import NOTHING, facts_line, skeleton_text, suggested_name
from ledger_tui.ui.widgets.row_table import RowTable

if TYPE_CHECKING:
    from ledger_tui.domain.values import PromptRow
    from ledger_tui.services.linking import Registered, UnregisteredRow

LOOK_S = 2.0
"""Seconds between two looks at what programs sent meanwhile."""


class UnregisteredPage(Place):
    """A page of Prompts: the groups of calls, and the text of the one under the cursor with its varying parts marked.

    | Key(s) | Description |
    | :- | :- |
    | enter, r | Register it as a prompt, with its past calls. |
    | x, z | Put it away; bring back the last. |
    | t | The trace of its latest call. |
    | f7, escape | The other pane; back to the prompts. |
    """

    WRITES = frozenset({"register", "put_away", "bring_back"})
    PLACE = "prompts"
    CSS_PATH = "unregistered.tcss"
    AUTO_FOCUS = "#groups"
    HELP = """
## Unregistered prompts
Programs whose calls are recorded (`ledger.wrap(client)`, `log_external_span`, `@observe`) send messages. A call whose messages
come from a version of a prompt is linked to it by itself, with its variables. What no version explains gathers here, calls of one
text together; where they differ, the text has a varying part.

**Register** makes a prompt of the text: varying parts become `{{ value_1 }}` and so on, its past calls and their cost belong to it,
and so does every call that follows. Save a better text or better names as its next version.
"""
    BINDINGS = [
        Binding("r", "register", "Register", id="unregistered.register", tooltip="Make a prompt of it (also enter)"),
        Binding("x", "put_away", "Put away", id="unregistered.dismiss", tooltip="Do not show it again"),
        Binding("z", "bring_back", "Bring back", id="unregistered.back", tooltip="Bring back what was put away last"),
        Binding("t", "open_trace", "Trace", id="unregistered.trace", tooltip="Open the trace of its latest call"),
        Binding("f7", "next_pane", "Pane", show=False, id="unregistered.pane", tooltip="Go to the other pane"),
        Binding("escape", "close", "Back", id="unregistered.close", tooltip="Go back to the prompts"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[UnregisteredRow] = ()
        """What is listed."""
        self._put_away: list[str] = []
        self._read = False

    def compose_place(self) -> ComposeResult:
        """The list and the text, or why there is none."""
        yield Static(NOTHING, id="nothing", classes="empty", markup=False)
        with Container(id="lists"):
            with Vertical(id="groups-pane", classes="pane") as pane:
                pane.border_title = "Unregistered prompts"
                yield RowTable(id="groups")
            with Vertical(id="text-pane", classes="pane") as pane:
                pane.border_title = "Text"
                yield Static("", id="group-facts", markup=False)
                with VerticalScroll(id="text-scroll"):
                    yield Static("", id="group-text", markup=False)
                with Horizontal(classes="toolbar"):
                    for name, label, tooltip in TOOLS:
                        variant: Any = "primary" if name == "register" else "default"
                        yield Button(label, compact=True, name=name, tooltip=tooltip, variant=variant)

    def on_mount(self) -> None:
        """Read the groups, and follow what programs send."""
        self.look()
        self.set_interval(LOOK_S, self.look)

    def look(self) -> None:
        """Read the groups again."""
        if self.is_current:
            self.load(partial(self.ledger.linking.unregistered, 300), self.show, group="unregistered")

    @property
    def row(self) -> UnregisteredRow | None:
        """The group under the cursor."""
        key = self.query_one(RowTable).selected_key
        return next((row for row in self.rows if row.fingerprint == key), None)

    def show(self, rows: Sequence[UnregisteredRow]) -> None:
        """Show groups, the most called first."""
        if self._read and list(rows) == list(self.rows):
            return
        self.rows, self._read = rows, True
        self.set_class(not rows, "-nothing")
        now = clock.seen_from_us()
        cells = [
            (row.fingerprint, (measure.count(row.calls), measure.age(row.last_us, now), row.text or "—"))
            for row in rows
        ]
        self.query_one(RowTable).fill((">Calls", ">Last", "Text"), cells)
        calls = sum(row.calls for row in rows)
        self.query_one("#groups-pane").border_subtitle = f"{len(rows)} · {measure.count(calls)} calls" if rows else ""
        self.show_text()

    def show_text(self) -> None:
        """The text of the group under the cursor."""
        row = self.row
        if row is not None:
            self.query_one("#group-facts", Static).update(facts_line(row))
            self.query_one("#group-text", Static).update(skeleton_text(row))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deeds on a group need one."""
        if action == "bring_back":
            return bool(self._put_away)
        if action == "open_trace":
            return self.row is not None and self.row.trace_id is not None
        return action not in ("register", "put_away") or self.row is not None

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self.show_text()

    @on(DataTable.RowSelected)
    def _chosen(self) -> None:
        self.action_register()

    @on(Button.Pressed, "#text-pane Button")
    async def _tool(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.name or "")

    # What a person does

    def action_register(self) -> None:
        """Ask for a name and make a prompt of the group under the cursor."""
        if (row := self.row) is not None:
            names = partial(self.ledger.registry.prompts, archived=True)
            self.load(names, partial(self._ask_name, row), group="register")

    def _ask_name(self, row: UnregisteredRow, prompts: list[PromptRow]) -> None:
        from ledger_tui.ui.places.prompts.dialogs import NameDialog

        taken = [prompt.name for prompt in prompts]

        def named(name: str | None) -> None:
            if name:
                register = partial(self.ledger.linking.register, row.fingerprint, name)
                self.load(register, self._registered, group="register")

        self.app.push_screen(NameDialog("Register as", taken, suggested_name(row, taken)), named)

    def _registered(self, done: Registered) -> None:
        calls = "1 past call belongs" if done.linked == 1 else f"{done.linked:,} past calls belong"
        self.app.notify(f"{done.name} is a prompt now; {calls} to it.", timeout=5, markup=False)
        self.app.registry_changed()
        self.look()

    def action_put_away(self) -> None:
        """Put the group under the cursor away."""
        if (row := self.row) is not None:

            def gone(_: None) -> None:
                self._put_away.append(row.fingerprint)
                self.app.notify("Put away; z brings it back.", timeout=4, markup=False)
                self.look()

            self.load(partial(self.ledger.linking.dismiss, row.fingerprint), gone, group="dismiss")

    def action_bring_back(self) -> None:
        """Bring back the group that was put away last."""
        if self._put_away:
            work = partial(self.ledger.linking.bring_back, self._put_away.pop())
            self.load(work, lambda _: self.look(), group="dismiss")

    def action_open_trace(self) -> None:
        """Show the latest call in Traces."""
        if (row := self.row) is not None and row.trace_id is not None:
            self.app.open_trace(row.trace_id, row.span_key)

    def action_next_pane(self) -> None:
        """Go from the list to the text and back."""
        table = self.query_one(RowTable)
        (self.query_one("#text-scroll") if table.has_focus else table).focus()

    def action_close(self) -> None:
        """Go back to the prompts."""
        self.app.pop_screen()

    # What the shell asks

    def registry_changed(self) -> None:
        """A prompt may explain what is listed."""
        self.look()

    def copy_source(self) -> str | None:
        """The text of the group under the cursor, as the template that registering makes."""
        row = self.row
        return None if row is None else "\n\n".join(message.text for message in row.content.messages)

    def code_subject(self) -> CodeSubject:
        """How a script registers what is under the cursor."""
        row = self.row
        fingerprint = row.fingerprint if row is not None else "FINGERPRINT"
        python = PYTHON.replace("FINGERPRINT", fingerprint)
        return CodeSubject(python, f"ledger-tui prompts register {fingerprint} NAME", "")

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Deeds without a key."""
        yield "Look again", "Read what programs sent", self.look


TOOLS = (
    ("register", "Register", "Make a prompt of it, with its past calls (r)"),
    ("put_away", "Put away", "Do not show it again (x)"),
    ("open_trace", "Trace", "Open the trace of its latest call (t)"),
)
PYTHON = """from ledger_tui import PromptLedger

ledger = PromptLedger()
for row in ledger.linking.unregistered():
    print(row.calls, row.fingerprint, row.text[:80])
ledger.linking.register("FINGERPRINT", "folder/name")
"""
