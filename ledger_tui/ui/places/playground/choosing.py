"""What the playground asks a person: which prompt, which models, which input set, a name and a message to save under."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from textual.content import Content

from ledger_tui.domain.names import check_prompt_name
from ledger_tui.errors import InputError, LedgerError
from ledger_tui.ui.dialogs.ask import Ask
from ledger_tui.ui.place import Place
from ledger_tui.ui.places.playground.answer_column import AnswerColumn
from ledger_tui.ui.places.playground.answer_columns import AnswerColumns
from ledger_tui.ui.places.playground.column_words import params_words, read_params
from ledger_tui.ui.places.playground.field_values import from_set, known_values, to_set
from ledger_tui.ui.places.playground.input_form import InputForm
from ledger_tui.ui.places.playground.pick import Pick
from ledger_tui.ui.places.playground.session import Arrival, Plan, Session, arrive_at
from ledger_tui.ui.safe import line


class Choosing(Place):
    """The part of the playground that talks through dialogs. Subclasses give the state that the dialogs are about."""

    session: Session

    def plan(self) -> Plan:
        """What would be run now."""
        raise NotImplementedError

    def take_arrival(self, arrival: Arrival) -> None:
        """Show another prompt."""
        raise NotImplementedError

    def take_session(self, session: Session) -> None:
        """The same text belongs to another version now."""
        raise NotImplementedError

    def ask(self, conversation: Coroutine[Any, Any, None]) -> None:
        """Hold a conversation through dialogs; errors are shown."""
        self.run_worker(self._guarded(conversation), group="dialog", exclusive=True, exit_on_error=False)

    async def _guarded(self, conversation: Coroutine[Any, Any, None]) -> None:
        await self.app.opened.wait()
        try:
            await conversation
        except LedgerError as error:
            self.show_error(error)

    async def choose_prompt(self) -> None:
        """Pick a prompt and open its active version."""
        rows = await asyncio.to_thread(self.ledger.registry.prompts)
        name = await self.app.push_screen_wait(
            Pick(
                "Open a prompt",
                [(row.name, f"{row.name}  v{row.active_number}  {row.description}") for row in rows],
                nothing="No prompt is saved yet. Write one here and keep it with ctrl+s.",
            )
        )
        if name is not None:
            self.take_arrival(await asyncio.to_thread(arrive_at, self.ledger, name))

    async def choose_model(self, column: AnswerColumn | None) -> None:
        """Pick a model, for a column or for a new one."""
        infos = await asyncio.to_thread(lambda: self.ledger.models.choices())
        choices = [(info.name, f"{info.name}  {info.title}") for info in infos]
        model = await self.app.push_screen_wait(
            Pick("Model", choices, free=True, placeholder="type to filter, or a name like openai/gpt-5")
        )
        if model is None:
            return
        await asyncio.to_thread(lambda: self.ledger.models.resolve(model))
        if column is None:
            await self.query_one(AnswerColumns).add(model)
        else:
            column.set_model(model)
            self.query_one(AnswerColumns).renamed()

    async def choose_params(self, column: AnswerColumn) -> None:
        """Ask for a column's parameters."""
        text = await self.app.push_screen_wait(
            Ask(
                "Parameters",
                f"For {column.model}, beside the prompt's own. Example: temperature=0.2 max_tokens=300",
                params_words(column.params),
                check=_checked(read_params),
            )
        )
        if text is not None:
            column.set_params(read_params(text))

    async def choose_set(self) -> None:
        """Load a kept input set, or drop one."""
        name = self._name_or_refuse()
        rows = await asyncio.to_thread(self.ledger.registry.input_sets, name)
        shown = [(row.name, f"{row.name}  {len(from_set(row.variables))} values") for row in rows]
        pick = Pick(
            "Input sets", shown, nothing="No values are kept yet: ctrl+b keeps these.", drop="Drop" if rows else ""
        )
        chosen = await self.app.push_screen_wait(pick)
        found = {row.name: row for row in rows}
        form = self.query_one(InputForm)
        if chosen in found:
            form.know(from_set(found[chosen].variables))
            form.tell_set(chosen)
            form.post_message(InputForm.Changed())
        elif chosen is not None:
            await asyncio.to_thread(self.ledger.registry.drop_inputs, name, chosen[1:])
            self.app.notify(f"Input set {chosen[1:]} dropped; u brings it back", markup=False)

    async def keep_set(self) -> None:
        """Keep the values under a name."""
        name = self._name_or_refuse()
        set_name = await self.app.push_screen_wait(Ask("Keep these values", "Name of the input set", ok="Keep"))
        if set_name is not None:
            fields = self.plan().fields
            variables = to_set(fields, await asyncio.to_thread(known_values, fields))
            await asyncio.to_thread(self.ledger.registry.keep_inputs, name, set_name, variables)
            self.query_one(InputForm).tell_set(set_name)
            self.app.notify(f"Kept as {set_name}", markup=False)

    async def save_version(self) -> None:
        """Keep the edited text as a new version."""
        plan = self.plan()
        name = self.session.prompt_name
        if name is None:
            name = await self.app.push_screen_wait(
                Ask("Save as a prompt", "Name; folders are made with /", check=_checked(check_prompt_name), ok="Next")
            )
            if name is None:
                return
        message = await self.app.push_screen_wait(Ask("Save a version", f"Message for {name} (optional)", ok="Save"))
        if message is None:
            return
        saved = await asyncio.to_thread(
            lambda: self.ledger.registry.save(name, plan.content, message=message, based_on=self.session.version_id)
        )
        version = saved.version
        self.take_session(Session(plan.content, name, version.id, version.number, version.sha256))
        if saved.created:
            words = f"Saved {name} v{version.number}"
        elif saved.moved:
            words = f"This text is v{version.number} already: it is active again"
        else:
            words = f"Nothing to save: this is v{version.number}, the active version"
        self.app.notify(words, markup=False)

    def _name_or_refuse(self) -> str:
        if self.session.prompt_name is None:
            raise InputError(
                "this text is no saved prompt yet",
                title="Input sets belong to a prompt",
                remedy="Save the text first: ctrl+s.",
            )
        return self.session.prompt_name


def _checked(read: Callable[[str], Any]) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        read(text)
        return None

    return check


def subject_words(session: Session, edited: bool) -> Content:
    """``support/reply v3 *``: what is in the playground."""
    if session.prompt_name is None:
        return Content.styled("unsaved text", "dim")
    version = f" v{session.number}" if session.number else ""
    return Content.assemble((line(session.prompt_name, 80)), Content.styled(version, "dim"), " *" if edited else "")
