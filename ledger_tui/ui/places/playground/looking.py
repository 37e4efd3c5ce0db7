"""What the playground shows beside its panes: a preview, a comparison of answers, the action as code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on

from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.cost_subject import CostSubject
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.answer_columns import AnswerColumns
from ledger_tui.ui.places.playground.choosing import Choosing
from ledger_tui.ui.places.playground.code import code_for
from ledger_tui.ui.places.playground.comparing import answer_pair, compared, forecast_rows, rendered
from ledger_tui.ui.places.playground.dialogs import AnswerDiff, Preview
from ledger_tui.ui.places.playground.session import forecasts
from ledger_tui.ui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from ledger_tui.services.receipts import How

TABS = ("inputs", "prompt", "answers")


class Looking(Choosing):
    """The part of the playground that only looks."""

    answers: AnswerColumns

    def compare(self, column: AnswerColumn) -> None:
        """Show how this answer differs from its neighbour, or from the one before it."""
        pair = answer_pair(self.answers.columns, column)
        if pair is None:
            self.app.notify("There is no second answer to compare with yet", markup=False)
            return
        (old, _), (new, _) = pair
        self.load(lambda: compared(pair), lambda diff: self.app.push_screen(AnswerDiff(old, new, diff)), group="diff")

    def action_preview(self) -> None:
        """Show the messages as they would be sent."""
        plan, models = self.plan(), [model for model, _ in self.answers.chosen]
        self.load(
            lambda: rendered(self.ledger, plan, models),
            lambda found: self.app.push_screen(Preview(found[0], forecast_rows(found[1]))),
            group="preview",
        )

    def action_forecast(self) -> None:
        """Show what many runs of the chosen models would take; nothing is sent."""
        from ledger_tui.ui.dialogs.forecast import USUAL_RUNS, ForecastDialog

        plan, models = self.plan(), list(dict.fromkeys(model for model, _ in self.answers.chosen))
        runs = plan.repeat if plan.repeat > 1 else USUAL_RUNS
        title = plan.session.prompt_name or "unsaved text"
        self.load(
            lambda: list(forecasts(self.ledger, plan, models).values()),
            lambda found: self.app.push_screen(ForecastDialog(title, found, runs)),
            group="forecast",
        )

    def cost_subject(self) -> CostSubject | None:
        """What the answer that is looked at cost."""
        answer = self.answers.current.answer
        if answer is None or answer.result is None:
            return None
        from ledger_tui.services.receipts import Receipt

        result = answer.result
        how: How = "unpriced" if result.cost_nusd is None else "charged"
        receipt = Receipt(how, result.cost_nusd, None if result.receipt is None else dict(result.receipt))
        return CostSubject(f"{result.provider}/{result.model}", lambda ledger: receipt)

    def code_subject(self) -> CodeSubject | None:
        """What ctrl+r does, as code."""
        column = self.answers.current
        return code_for(self.plan(), column.model, column.params)

    def copy_source(self) -> str | None:
        """The answer that is looked at."""
        answer = self.answers.current.answer
        if answer is None:
            return None
        return answer.output or self.answers.current.stream.answer or None

    # A narrow terminal

    @on(TabLine.Chosen, "#tabs")
    def _tab_chosen(self, event: TabLine.Chosen) -> None:
        self.show_tab(event.index)

    def show_tab(self, index: int) -> None:
        """Bring one of ``TABS`` to the front of a narrow terminal."""
        self.query_one("#tabs", TabLine).chosen = index
        for number, tab in enumerate(TABS):
            self.set_class(number == index, f"-show-{tab}")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A field that gets focus is to be seen."""
        for number, selector in enumerate(("#inputs", "#prompt", "#right")):
            if event.widget in self.query_one(selector).walk_children():
                self.show_tab(number)
