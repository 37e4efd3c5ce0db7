"""The Playground: the values of a prompt's variables, an editable copy of it, and one to four models answering."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input

from ledger_tui.domain.template import Analysis
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.answer_columns import AnswerColumns
from ledger_tui.ui.places.playground.bar import PlayBar
from ledger_tui.ui.places.playground.choosing import subject_words
from ledger_tui.ui.places.playground.field_values import ValueRefused
from ledger_tui.ui.places.playground.input_form import InputForm
from ledger_tui.ui.places.playground.looking import Looking
from ledger_tui.ui.places.playground.message_editor import MessageEditor
from ledger_tui.ui.places.playground.running import run_columns
from ledger_tui.ui.places.playground.session import (
    Arrival,
    Plan,
    Session,
    analyses,
    arrive,
    come_back,
    forecasts,
    remember,
)
from ledger_tui.ui.subject import PlaygroundSubject
from ledger_tui.ui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from ledger_tui.services.forecast import Forecast

TYPING_S = 0.35
"""How long nobody types before the text is looked at."""


class PlaygroundPlace(Looking):
    """Run a prompt with values against models, beside each other.

    | Key | What it does |
    |---|---|
    | ctrl+r, f10 | run all models |
    | escape | stop, and keep what came |
    | f12 | preview the messages |
    | ctrl+s | keep the edited text as a new version |
    """

    PLACE = "playground"
    WRITES = frozenset({"run", "save", "keep_set"})
    CSS_PATH = "playground.tcss"
    HELP = """
## Playground
Values at the left, the prompt below them, answers at the right. **ctrl+r** runs all models at once; **escape** stops them
and keeps what came. Every run is kept in the ledger with its trace, whether it succeeded, failed or was stopped.

- **ctrl+o** opens a prompt · **ctrl+n** adds a model, up to four · *Repeat* runs each of them several times
- **f12** shows the messages as they would be sent · **ctrl+s** keeps the edited text as a new version
- **f7**, or a click on the line below a model, forecasts what many runs would cost; nothing is sent
- **ctrl+l** loads a kept input set · **ctrl+b** keeps these values
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f10", "run", "Run", id="playground.run", tooltip="Run all models at once"),
        Binding("escape", "stop", "Stop", id="playground.stop", tooltip="Stop all runs and keep what came"),
        Binding("f12", "preview", "Preview", id="playground.preview", tooltip="The messages as they would be sent"),
        Binding("ctrl+s", "save", "Save version", id="playground.save", tooltip="Keep the text as a new version"),
        Binding("ctrl+o", "open", "Open", id="playground.open", tooltip="Open a prompt"),
        Binding("ctrl+n", "add_model", "Add model", id="playground.add_model", tooltip="One more model beside these"),
        Binding(
            "f7", "forecast", "Forecast", id="playground.forecast", show=False, tooltip="What many runs would cost"
        ),
        Binding("ctrl+l", "load_set", "Load set", id="playground.load_set", show=False, tooltip="Load kept values"),
        Binding("ctrl+b", "keep_set", "Keep set", id="playground.keep_set", show=False, tooltip="Keep these values"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.session = Session()
        self._names: list[tuple[str, ...]] = []
        self._typing: Timer | None = None
        self._arrived = False

    def compose_place(self) -> ComposeResult:
        """Bar, tabs of a narrow terminal, form and prompt, answers."""
        yield PlayBar(id="bar")
        yield TabLine("Inputs", "Prompt", "Answers", id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield InputForm(id="inputs")
                yield MessageEditor(id="prompt")
            yield AnswerColumns(self.ledger.settings.default_model or "offline", id="right")

    def on_mount(self) -> None:
        """Take up where the last visit ended, unless something is on its way here."""
        self.bar, self.form = self.query_one(PlayBar), self.query_one(InputForm)
        self.editor, self.answers = self.query_one(MessageEditor), self.query_one(AnswerColumns)
        self._typing = self.set_interval(TYPING_S, self._look, pause=True)
        self.show_tab(0)
        self._tell_running()
        self.load(lambda: come_back(self.ledger), self._came_back, group="arrive")

    # Something to run

    def _came_back(self, arrival: Arrival) -> None:
        if self._arrived:
            return
        if self.editor.messages == self.session.content.messages:
            self.take_arrival(arrival)
        else:
            self._tell_subject()

    def open_playground(self, subject: PlaygroundSubject) -> None:
        """Run this from now on."""
        self._arrived = True
        self.load(lambda: arrive(self.ledger, subject), self.take_arrival, group="arrive")

    def take_arrival(self, arrival: Arrival) -> None:
        """Show another prompt, its values and its models."""
        self._arrived = True
        self.action_stop()
        self.run_worker(self._settle_in(arrival), group="settle", exclusive=True, exit_on_error=False)

    async def _settle_in(self, arrival: Arrival) -> None:
        self.session = arrival.session
        self.form.start_over(arrival.values)
        self._names = []
        await self.editor.set_messages(arrival.messages)
        await self.answers.set_columns(arrival.columns)
        await self._analyse()
        if not self.form.focus_first():
            self.show_tab(1)
            self.editor.focus_first()
        self._tell_subject()
        self._estimate()

    def take_session(self, session: Session) -> None:
        """The text was saved."""
        self.session = session
        self._tell_subject()

    def plan(self) -> Plan:
        """What would be run now."""
        return Plan(self.session, self.editor.messages, tuple(self.form.filled), self.bar.repeat)

    def ledger_changed(self) -> None:
        """Another moment: the text stays, what a run would cost may be otherwise."""
        self._look()

    # Looking at what is typed

    @on(InputForm.Changed)
    @on(MessageEditor.Changed)
    @on(AnswerColumns.Changed)
    def _changed(self) -> None:
        self._tell_subject()
        self._look_soon()

    @on(Input.Changed, "#repeat")
    def _look_soon(self) -> None:
        """Look at what would be run once nobody types."""
        if self._typing is not None:
            self._typing.reset()
            self._typing.resume()

    def _look(self) -> None:
        if self._typing is not None:
            self._typing.pause()
        plan = self.plan()
        self.load(lambda: analyses(self.ledger, plan), self._analysed, group="analyse")
        self._estimate()

    def _analysed(self, analyses: Sequence[Analysis]) -> None:
        self.call_next(self._take_analyses, analyses)

    async def _analyse(self) -> None:
        await self._take_analyses(await asyncio.to_thread(analyses, self.ledger, self.plan()))

    async def _take_analyses(self, analyses: Sequence[Analysis]) -> None:
        """Fields follow the variables; a text that cannot be read keeps those it had."""
        before = self._names + [()] * len(analyses)
        self._names = [
            before[n] if analysis.problems and not analysis.variables else analysis.names
            for n, analysis in enumerate(analyses)
        ]
        self.editor.mark(analyses)
        await self.form.set_names([name for names in self._names for name in names])

    def _estimate(self) -> None:
        plan, columns = self.plan(), self.answers.chosen

        def work() -> dict[str, Forecast]:
            if any(message.text for message in plan.messages):
                remember(self.ledger, plan, columns)
            return forecasts(self.ledger, plan, [model for model, _ in columns])

        self.load(work, self._estimated, group="estimate")

    def _estimated(self, found: dict[str, Forecast]) -> None:
        for column in self.answers.columns:
            column.set_forecast(found.get(column.model), self.bar.repeat)

    def _tell_subject(self) -> None:
        edited = self.editor.messages != self.session.content.messages
        self.bar.tell(subject_words(self.session, edited))
        self.bar.set_full(self.answers.full)

    # Running

    def action_run(self) -> None:
        """Run all models."""
        self._run(self.answers.columns)

    def _run(self, columns: list[AnswerColumn]) -> None:
        if self.app.tell_read_only():
            return
        idle = [column for column in columns if not column.running]
        if not idle:
            self.app.notify("It is running; escape stops it", markup=False)
            return
        if self.has_class("-narrow"):
            self.show_tab(2)
            self.answers.current.stream.focus()
        self.run_worker(self._run_now(idle), group="runs", exit_on_error=False)
        self._tell_running()

    async def _run_now(self, columns: list[AnswerColumn]) -> None:
        await self.app.opened.wait()
        self.form.problems(())
        try:
            await self._analyse()
            await run_columns(self.ledger, self.plan(), columns)
        except ValueRefused as error:
            self.show_tab(0)
            self.form.problems([(error.name, f"{error.cause}. {error.remedy}")])
        except Exception as error:
            self.show_error(error)
        finally:
            self.call_later(self._tell_running)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return any(worker.group == "runs" and not worker.is_finished for worker in self.workers)

    def _tell_running(self) -> None:
        if self.is_attached:
            self.bar.set_running(self.running)
            self.refresh_bindings()

    def action_stop(self) -> None:
        """Stop all runs and keep what came."""
        self.workers.cancel_group(self, "runs")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Stopping is there while something runs."""
        return self.running if action == "stop" else True

    # What else a person asks for

    @on(AnswerColumn.Asked)
    async def _asked(self, event: AnswerColumn.Asked) -> None:
        column, answer = event.column, event.column.answer
        if event.wish == "run":
            self._run([column])
        elif event.wish == "model":
            self.ask(self.choose_model(column))
        elif event.wish == "params":
            self.ask(self.choose_params(column))
        elif event.wish == "remove":
            if words := await self.answers.remove_column(column):
                self.app.notify(words, markup=False)
        elif event.wish == "forecast":
            self.action_forecast()
        elif event.wish == "diff":
            self.compare(column)
        elif event.wish == "trace" and answer is not None and answer.trace_id is not None:
            self.app.open_trace(answer.trace_id)

    def action_add_model(self) -> None:
        """Add a model, up to four."""
        if self.answers.full:
            self.app.notify("Four models is all there is room for", markup=False)
        else:
            self.ask(self.choose_model(None))

    def action_open(self) -> None:
        """Open a prompt."""
        self.ask(self.choose_prompt())

    def action_save(self) -> None:
        """Keep the edited text as a new version."""
        self.ask(self.save_version())

    def action_load_set(self) -> None:
        """Load a kept input set."""
        self.ask(self.choose_set())

    def action_keep_set(self) -> None:
        """Keep the values under a name."""
        self.ask(self.keep_set())
