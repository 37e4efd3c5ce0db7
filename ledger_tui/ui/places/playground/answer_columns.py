"""One to four models side by side; on a narrow terminal one at a time, chosen by tabs."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message

from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.session import MAX_COLUMNS, Columns
from ledger_tui.ui.widgets.tab_line import TabLine


class AnswerColumns(Vertical):
    """Holds the columns and arranges them."""

    @dataclass
    class Changed(Message):
        """There are other columns now, or other models in them."""

    def __init__(self, model: str, *, id: str | None = None) -> None:
        """Begin with one column for ``model``."""
        super().__init__(id=id)
        self._model = model
        self._last: AnswerColumn | None = None

    def compose(self) -> ComposeResult:
        """Tabs for a narrow terminal, and the columns."""
        yield TabLine(id="model-tabs")
        yield Container(AnswerColumn(self._model), id="answers")

    def on_mount(self) -> None:
        """Arrange the first column."""
        self._arrange(0)

    @property
    def columns(self) -> list[AnswerColumn]:
        """The columns in order."""
        return list(self.query(AnswerColumn))

    @property
    def current(self) -> AnswerColumn:
        """The column that has, or last had, focus; else the first."""
        columns = self.columns
        focused = next((column for column in columns if column.has_focus_within), None)
        return focused or (self._last if self._last in columns and self._last is not None else columns[0])

    @property
    def chosen(self) -> Columns:
        """Models and parameters, for remembering."""
        return tuple((column.model, column.params) for column in self.columns)

    @property
    def full(self) -> bool:
        """Whether there is no room for another model."""
        return len(self.columns) >= MAX_COLUMNS

    async def set_columns(self, columns: Columns) -> None:
        """Have these models; columns that are there keep their answers."""
        there = self.columns
        for column, (model, params) in zip(there, columns, strict=False):
            column.set_model(model)
            column.set_params(params)
        for column in there[len(columns) :]:
            await column.remove()
        new = [AnswerColumn(model, params) for model, params in columns[len(there) :]]
        await self.query_one("#answers").mount_all(new)
        self._arrange(0)

    async def add(self, model: str) -> None:
        """Have one more model."""
        if not self.full:
            await self.query_one("#answers").mount(AnswerColumn(model))
            self._arrange(len(self.columns) - 1)
            self.post_message(self.Changed())

    async def remove_column(self, column: AnswerColumn) -> str:
        """Take a column away; returns why not, or an empty text."""
        if len(self.columns) == 1:
            return "One model stays; o takes another"
        if column.running:
            return "It is running; escape stops it"
        await column.remove()
        self._arrange(0)
        self.post_message(self.Changed())
        return ""

    def renamed(self) -> None:
        """A column has another model now."""
        self._arrange(self.query_one("#model-tabs", TabLine).chosen)
        self.post_message(self.Changed())

    def _arrange(self, front: int) -> None:
        columns = self.columns
        answers = self.query_one("#answers")
        answers.set_class(len(columns) > 2, "-many")
        answers.set_class(len(columns) == 3, "-three")
        self.set_class(len(columns) > 1, "-several")
        tabs = self.query_one("#model-tabs", TabLine)
        tabs.tabs = tuple(column.model for column in columns)
        self._front(min(front, len(columns) - 1))

    def _front(self, index: int) -> None:
        self.query_one("#model-tabs", TabLine).chosen = index
        for number, column in enumerate(self.columns):
            column.set_class(number == index, "-front")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember the column that people look at."""
        self._last = next((column for column in self.columns if column.has_focus_within), self._last)

    @on(TabLine.Chosen, "#model-tabs")
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        event.stop()
        self._front(event.index)
        self._last = self.columns[event.index]
