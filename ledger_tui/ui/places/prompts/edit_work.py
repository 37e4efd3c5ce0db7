"""What the place does for the text being edited: drafts, checks, estimate, saving. It starts the work; widgets show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.timer import Timer

from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.includes import Origin
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.ui.dialogs.ask import Ask, Choose, Confirm
from ledger_tui.ui.dialogs.forecast import ForecastDialog, answer_words, cost_words
from ledger_tui.ui.external import edit_text
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.prompts.drafting import DraftKeeper
from ledger_tui.ui.places.prompts.edit import Edit
from ledger_tui.ui.places.prompts.editor import Editor
from ledger_tui.ui.places.prompts.findings import Findings, KnownVariables, findings, variable_marks
from ledger_tui.ui.places.prompts.subject import Subject
from ledger_tui.ui.safe import line
from ledger_tui.ui.subject import PlaygroundSubject

if TYPE_CHECKING:
    from ledger_tui.domain.template import Analysis
    from ledger_tui.services.forecast import Forecast
    from ledger_tui.services.registry import SaveResult

DRAFT_S, CHECK_S, ESTIMATE_S = 0.3, 0.15, 0.6


class EditWork(Place):
    """The editing half of the Prompts place."""

    def __init__(self) -> None:
        super().__init__()
        self.subject: Subject | None = None
        """The prompt that is open."""
        self.editor = Editor(id="editor", classes="pane")
        """The editor; it knows its text also while the screen is taken down."""
        self.dirty = False
        """Whether the editor holds something that is not saved."""
        self._keeper = DraftKeeper()
        self._delays: dict[str, Timer] = {}
        self._variables: tuple[str, ...] = ()
        self._known = KnownVariables()

    def reopen(self, version_id: str | None = None) -> None:
        """Read the open prompt again; the place says how."""
        raise NotImplementedError

    def drafts_changed(self) -> None:
        """The mark of a draft came or went; the place shows it."""
        raise NotImplementedError

    # Drafts

    def edited(self) -> None:
        """Something in the editor may have changed: check, estimate and keep it after a pause in typing."""
        self._later("draft", DRAFT_S, self._keep_draft)
        self.examine()

    def examine(self) -> None:
        """Check the templates and estimate a run, after a pause in typing."""
        self._later("check", CHECK_S, self._check)
        self._later("estimate", ESTIMATE_S, self._estimate)

    def _later(self, name: str, delay: float, action: Any) -> None:
        self._stop(name)
        self._delays[name] = self.set_timer(delay, action)

    def _stop(self, name: str) -> None:
        if timer := self._delays.pop(name, None):
            timer.stop()

    def _take_draft(self) -> bool:
        """Hand the present state to the keeper; returns whether there was a subject to keep."""
        subject = self.subject
        if subject is None or subject.read_only:
            return False
        edit = self.editor.value()
        if edit.name != subject.name:
            return False
        self.dirty = edit.differs(subject.baseline)
        self._keeper.put(subject.name, self._draft_of(edit, subject) if self.dirty or subject.base is None else None)
        return True

    def _draft_of(self, edit: Edit, subject: Subject) -> Any:
        from ledger_tui.services.drafts import Draft

        base = subject.base.id if subject.base else None
        return Draft(subject.name, edit.name, edit.description, edit.draft_content(), base)

    def _keep_draft(self) -> None:
        if self._take_draft():
            self.load(partial(self._keeper.write, self.ledger.drafts), lambda _: self.drafts_changed(), group="draft")

    def flush(self) -> None:
        """Keep the draft now: the place is left, the program ends, or another prompt is opened."""
        waiting = self._delays.pop("draft", None)
        if waiting is None:
            return
        waiting.stop()
        if self._take_draft():
            try:
                self._keeper.write(self.ledger.drafts)
            except LedgerError as error:
                self.show_error(error)

    def action_discard(self) -> None:
        """Throw the draft away after a question, and show the saved version again."""
        subject = self.subject
        if subject is None or not (self.dirty or subject.draft):
            self.app.notify("There is no draft to discard.", markup=False)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._forget_draft(subject.name)
                self.load(partial(self._keeper.write, self.ledger.drafts), lambda _: self.reopen(), group="draft")

        name = subject.name
        self.app.push_screen(
            Confirm("Discard the draft", f"The unsaved text of {name} will be gone.", "Discard"), answered
        )

    def _forget_draft(self, name: str) -> None:
        self._stop("draft")
        self.dirty = False
        self._keeper.put(name, None)

    # Checks

    def _check(self) -> None:
        templates = self._templates()
        roles = [message.role for message in self.editor.value().messages]
        base = self.subject.content if self.subject else None
        origin = Origin(self.subject.name if self.subject else None)

        def work() -> tuple[list[Analysis], list[Analysis] | None]:
            analyse = self.ledger.templates.analyse
            before = analyse(base.templates, [message.role for message in base.messages], origin) if base else None
            return analyse(templates, roles, origin), before

        def checked(result: tuple[list[Analysis], list[Analysis] | None]) -> None:
            if templates == self._templates():
                self._checked(result)

        self.load(work, checked, group="check")

    def _templates(self) -> list[str]:
        return [message.text for message in self.editor.value().messages]

    def _checked(self, result: tuple[list[Analysis], list[Analysis] | None]) -> None:
        now, before = result
        self._variables = self._known.take(now)
        known = None if before is None else [name for analysis in before for name in analysis.names]
        marks = variable_marks(self._variables, known)
        self.editor.show_findings(findings(now), marks)

    def _estimate(self) -> None:
        edit = self.editor.value()
        model = edit.model.strip() or str(self.ledger.settings.default_model or "offline")
        content = PromptContent(edit.messages)

        def shown(found: list[Forecast]) -> None:
            if edit.messages != self.editor.value().messages:
                return
            (one,) = found
            words = f"~{one.input_tokens:,} tokens to {model}, {answer_words(one)} · {cost_words(one)}"
            self.query_one(Findings).show_estimate(line(words).plain)

        def unknown(error: Exception) -> None:
            words = error.title if isinstance(error, LedgerError) else "no estimate"
            self.query_one(Findings).show_estimate(line(f"— {words}").plain)

        self.load(lambda: self._forecasts(content, model), shown, group="estimate", failed=unknown)

    def _forecasts(self, content: PromptContent, model: str) -> list[Forecast]:
        name = self.subject.name if self.subject is not None else None
        return self.ledger.forecasts.forecast(content, [model], prompt=name)

    def action_forecast(self) -> None:
        """Show what many runs of this text would cost; nothing is sent."""
        edit = self.editor.value()
        model = edit.model.strip() or str(self.ledger.settings.default_model or "offline")
        self.load(
            lambda: self._forecasts(PromptContent(edit.messages), model),
            lambda found: self.app.push_screen(ForecastDialog(edit.name, found)),
            group="forecast",
        )

    # Saving and running

    def content_now(self) -> PromptContent | None:
        """What the editor holds as content; None after saying what is wrong with a field."""
        try:
            return self.editor.value().content(self.subject.content if self.subject else None)
        except InputError as error:
            self.show_error(error)
            return None

    def action_save(self) -> None:
        """Ask for a message and save a version."""
        subject, content = self.subject, self.content_now()
        if subject is None or content is None:
            return
        if subject.waiting:
            self.app.notify("This version is only shown while your draft waits.", severity="warning", markup=False)
            return

        description = self.editor.value().description

        def answered(message: str | None) -> None:
            if message is not None:
                self._save(subject, content, message, description)

        ask = Ask(
            f"Save {subject.name}", "What changed? Enter saves without a word.", ok="Save", placeholder="optional"
        )
        self.app.push_screen(ask, answered)

    def _save(self, subject: Subject, content: PromptContent, message: str, description: str) -> None:
        base = subject.base.id if subject.base else None

        def work() -> SaveResult:
            save = self.ledger.registry.save
            return save(subject.name, content, message=message, based_on=base, description=description)

        self.load(work, self._saved, group="save")

    def _saved(self, result: SaveResult) -> None:
        number = result.version.number
        if result.created:
            words = f"Saved v{number} of {line(result.prompt.name, 60).plain}"
        elif result.moved:
            words = f"Same as v{number}: active moved there (u to undo)"
        else:
            words = f"No change: this is v{number} already"
        self.app.notify(words, timeout=3, markup=False)
        self._forget_draft(result.prompt.name)
        self.load(partial(self._keeper.write, self.ledger.drafts), lambda _: self.app.registry_changed(), group="draft")

    def action_run(self) -> None:
        """Open the playground with the text as it stands."""
        subject, content = self.subject, self.content_now()
        if subject is None or content is None:
            return
        self.flush()
        version = subject.base.id if subject.base and not self.dirty else None
        name = subject.name if subject.base else None
        self.app.open_playground(PlaygroundSubject(content, name, version))

    # Smaller deeds on the text

    def action_external(self) -> None:
        """Edit the focused message in the person's own editor."""
        block = self.editor.focused_block
        if self.subject is None or block is None or self.editor.read_only:
            return
        try:
            text = edit_text(self.app, block.area.text)
        except LedgerError as error:
            self.show_error(error)
            return
        if text is not None:
            area = block.area
            area.replace(text, area.document.start, area.document.end)
            area.focus()

    def choose_role(self, block: Any, roles: Sequence[str]) -> None:
        """Ask for a message's role."""

        def answered(role: str | None) -> None:
            if role:
                block.role = role
                self.edited()

        self.app.push_screen(Choose("Role", [(role, role) for role in roles], block.role), answered)

    def choose_model(self) -> None:
        """Ask for the model among those that the providers offer."""
        fields = self.editor.fields

        def answered(name: str | None) -> None:
            if name is not None:
                fields.model = name

        def show(names: list[str]) -> None:
            choices = [("", "choose when it runs"), *((name, name) for name in names)]
            self.app.push_screen(Choose("Model", choices, fields.model), answered)

        self.load(lambda: [info.name for info in self.ledger.models.choices()], show, group="models")
