"""What the playground shows beside its panes: a preview, a comparison of answers, the action as code."""

from __future__ import annotations

from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.answer_columns import AnswerColumns
from ledger_tui.ui.places.playground.choosing import Choosing
from ledger_tui.ui.places.playground.code import code_for
from ledger_tui.ui.places.playground.comparing import answer_pair, compared, estimate_rows, rendered
from ledger_tui.ui.places.playground.dialogs import AnswerDiff, Preview


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
            lambda found: self.app.push_screen(Preview(found[0], estimate_rows(found[1]))),
            group="preview",
        )

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
