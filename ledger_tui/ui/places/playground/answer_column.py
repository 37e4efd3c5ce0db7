"""A model with its answer: what it streams, how it ended, and the answers before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Static

from ledger_tui.services.run_values import (
    RunEnded,
    RunEvent,
    RunReasoning,
    RunStarted,
    RunText,
    RunWaits,
)
from ledger_tui.ui.places.playground.answers import Answer, cost_line, state_line
from ledger_tui.ui.places.playground.column_words import forecast_words, params_words, problem_words
from ledger_tui.ui.places.playground.history_line import HistoryLine
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.answer_stream import AnswerStream

if TYPE_CHECKING:
    from ledger_tui.services.forecast import Forecast

MAX_ANSWERS = 50
NOT_YET = Content.assemble(
    ("ctrl+r", "bold $primary"), " runs this    ", ("ctrl+o", "bold $primary"), " opens a prompt"
)


class AnswerColumn(Vertical):
    """Shows one model's answers. It takes values and events, and posts what a person asks for.

    | Key | What it does |
    |---|---|
    | r | run this model alone |
    | o | another model |
    | p | parameters of this model |
    | delete | take this model away |
    | [ ] | an earlier, a later answer |
    | t | the trace of this answer |
    """

    HELP = """
### An answer
Under the answer: how it ended, the time, the time to the first token, tokens by class, the cost.

- **r** runs this model alone · **o** takes another model · **p** sets its parameters · **delete** takes it away
- **[** and **]** show earlier and later answers · **d** compares two · **t** opens the trace
- **m** switches between Markdown and source · **y** copies the source
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "ask('run')", "Run this", id="playground.run_one", tooltip="Run this model alone", show=False),
        Binding("o", "ask('model')", "Model", id="playground.model", tooltip="Take another model", show=False),
        Binding("p", "ask('params')", "Parameters", id="playground.params", tooltip="Set parameters", show=False),
        Binding(
            "delete", "ask('remove')", "Remove", id="playground.remove", tooltip="Take this model away", show=False
        ),
        Binding("t", "ask('trace')", "Trace", id="playground.trace", tooltip="Open the trace of this answer"),
        Binding("d", "ask('diff')", "Diff", id="playground.diff", tooltip="Compare this answer with another"),
        Binding(
            "left_square_bracket", "earlier(-1)", "Earlier", id="playground.earlier", show=False, tooltip="Earlier"
        ),
        Binding(
            "right_square_bracket", "earlier(1)", "Later", id="playground.later", show=False, tooltip="Later answer"
        ),
    ]

    @dataclass
    class Asked(Message):
        """A person asks for something of this column: run, model, params, remove, trace, diff, forecast."""

        column: AnswerColumn
        wish: str

    def __init__(self, model: str, params: Mapping[str, Any] | None = None) -> None:
        super().__init__(classes="pane column")
        self.model = model
        """``provider/model`` as chosen."""
        self.params: Mapping[str, Any] = dict(params or {})
        """What this model gets beside the prompt's own parameters."""
        self.answers: list[Answer] = []
        """The answers so far, the newest last."""
        self.shown = -1
        """The index of the answer shown."""
        self.stream = AnswerStream()
        """The widget that shows the text."""
        self._forecast: tuple[Forecast | None, int] = (None, 1)
        self._clock: Timer | None = None

    def compose(self) -> ComposeResult:
        """Buttons, the answer, two lines about it."""
        with Horizontal(classes="toolbar"):
            yield Button("Model", id="model", compact=True, tooltip="Take another model (o)")
            yield Button("Params", id="params", compact=True, tooltip="Set its parameters (p)")
            yield Button("Trace", id="trace", compact=True, tooltip="Open the trace of this answer (t)")
            yield Button("Diff", id="diff", compact=True, tooltip="Compare with another answer (d)")
            yield Button("✕", id="remove", compact=True, tooltip="Take this model away (delete)")
        yield HistoryLine()
        yield Static("", classes="trouble", markup=False)
        yield self.stream
        yield Static("", classes="state", markup=False)
        yield Static("", classes="cost", markup=False)

    def on_mount(self) -> None:
        """Show the model, and that nothing has run yet."""
        self._clock = self.set_interval(0.25, self._tick, pause=True)
        self.tell()

    @property
    def answer(self) -> Answer | None:
        """The answer that is shown."""
        return self.answers[self.shown] if self.answers else None

    @property
    def running(self) -> bool:
        """Whether an answer is coming."""
        return bool(self.answers) and self.answers[-1].status == "running"

    def set_model(self, model: str) -> None:
        """Run with another model from now on."""
        self.model = model
        self._forecast = (None, 1)
        self.tell()

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Run with other parameters from now on."""
        self.params = params
        self.tell()

    def set_forecast(self, forecast: Forecast | None, runs: int = 1) -> None:
        """Say what a run would take, and ``runs`` of them."""
        self._forecast = (forecast, runs)
        self.tell()

    # A run

    def begin(self) -> None:
        """A run begins: wait for its answer."""
        self.answers = [*self.answers[1 - MAX_ANSWERS :], Answer(self.model, self.params)]
        self.shown = len(self.answers) - 1
        self.stream.begin()
        if self._clock is not None:
            self._clock.resume()
        self.tell()

    def take(self, event: RunEvent) -> None:
        """Take one event of the run. Cheap: the text is drawn with the next frame."""
        answer = self.answers[-1]
        if isinstance(event, RunText):
            answer.waiting = ""
            self.stream.append(event.text)
        elif isinstance(event, RunReasoning):
            answer.thought += len(event.text)
        elif isinstance(event, RunStarted):
            answer.trace_id = event.trace_id
        elif isinstance(event, RunWaits):
            answer.waiting = f"{event.reason}, again in {event.seconds:.0f} s"
        elif isinstance(event, RunEnded):
            answer.end(event.result)
            self._end()

    def fail(self, error: BaseException) -> None:
        """The run could not be made."""
        self.answers[-1].refuse(error)
        self._end()

    def cancel(self) -> None:
        """The run was stopped before it could tell so itself."""
        if self.running:
            self.answers[-1].output = self.stream.answer
            self.answers[-1].status = "canceled"
            self._end()

    def _end(self) -> None:
        if self._clock is not None:
            self._clock.pause()
        answer = self.answers[-1]
        if answer.shown == self.stream.answer:
            self.stream.rest()
        else:
            self.stream.show(answer.shown)
        self.tell()

    # What is said

    def tell(self) -> None:
        """Bring title, history and lines up to date."""
        if not self.children:
            return
        answer = self.answer
        self.border_title = line(self.model, 60)
        self.border_subtitle = line(params_words(self.params), 60) if self.params else ""
        self.query_one(HistoryLine).show(self.answers, self.shown)
        trouble = self.query_one(".trouble", Static)
        trouble.display = answer is not None and answer.problem is not None
        trouble.update(problem_words(answer))
        self.query_one(".state", Static).update(state_line(answer) if answer else NOT_YET)
        self.query_one(".cost", Static).update(
            cost_line(answer) if answer and answer.result else forecast_words(*self._forecast)
        )
        for wish in ("trace", "diff"):
            self.query_one(f"#{wish}", Button).disabled = answer is None or answer.trace_id is None

    def _tick(self) -> None:
        answer = self.answer
        if answer is not None:
            self.query_one(".state", Static).update(state_line(answer), layout=False)

    def show_answer(self, index: int) -> None:
        """Show the answer at ``index`` of ``answers``, unless one is coming."""
        if not self.running and 0 <= index < len(self.answers) and index != self.shown:
            self.shown = index
            self.stream.show(self.answers[index].shown)
            self.tell()

    # What a person asks for

    def on_click(self, event: events.Click) -> None:
        """The line about the cost, before there is one to tell, leads to the forecast of many runs."""
        if event.widget is self.query_one(".cost") and not (self.answer and self.answer.result):
            self.action_ask("forecast")

    def action_earlier(self, step: int) -> None:
        """Show an earlier or a later answer."""
        self.show_answer(self.shown + step)

    def action_ask(self, wish: str) -> None:
        """Pass a wish on."""
        self.post_message(self.Asked(self, wish))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_ask(event.button.id or "")

    @on(HistoryLine.Chosen)
    def _history_chosen(self, event: HistoryLine.Chosen) -> None:
        event.stop()
        self.show_answer(event.index)
