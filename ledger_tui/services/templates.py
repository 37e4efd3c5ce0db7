"""Templates: what the editor marks and what a run sends, made in helper processes with hard limits.

One process analyses and one renders, so that a preview never waits for a slow look at the text beside it. What a text
includes is read from the registry first, in one transaction; the helper gets texts and knows no database. A program that
renders its own prompts may do so in its own process, under the same rules but without limits on time and memory.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ledger_tui import errors
from ledger_tui.domain import includes
from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.includes import NO_ORIGIN, NO_PLAN, Composer, Included, Origin, Plan
from ledger_tui.domain.template import (
    MAX_OUTPUT_BYTES,
    NO_TEXTS,
    Analysis,
    IncludeUse,
    Problem,
    VariableUse,
    at,
    check_size,
    check_variables,
)
from ledger_tui.domain.template import (
    analyse as analyse_here,
)
from ledger_tui.errors import LedgerError, TemplateError, TemplateTooExpensive
from ledger_tui.services.render_helper import HelperDied, RenderHelper

if TYPE_CHECKING:
    from ledger_tui.services.includes import IncludeService

_KEPT = 512
Result = TypeVar("Result")
_ERRORS: dict[str, type[TemplateError]] = {
    kind.__name__: kind
    for kind in (
        TemplateError,
        errors.UndefinedVariable,
        errors.IncludeRefused,
        errors.TemplateRefused,
        errors.TemplateTooExpensive,
    )
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The messages to send, and the versions that were included in making them, each once."""

    messages: tuple[ChatMessage, ...]
    included: tuple[Included, ...] = ()


class TemplateService:
    """Thread-safe. Processes start when first needed and end with ``close`` or the program."""

    def __init__(self, registry: IncludeService | None = None) -> None:
        """registry: where included prompts are looked up; without one there is none to include."""
        self._registry = registry
        self._analysing = RenderHelper()
        self._rendering = RenderHelper()
        self._kept: OrderedDict[bytes, Analysis] = OrderedDict()
        self._lock = threading.Lock()

    def analyse(
        self, templates: Sequence[str], roles: Sequence[str] = (), origin: Origin = NO_ORIGIN
    ) -> list[Analysis]:
        """Variables and problems of each template, those of the prompts that it includes among them.

        roles: of the messages that the templates are, for what they include (``user`` where none is given). origin: the
        prompt that is edited, to see that it does not include itself. What cannot be analysed in time has one problem
        that says so; what cannot be looked up is a warning.
        """
        found = [self._analysis(source) for source in templates]
        if not any(analysis.includes for analysis in found):
            return found
        of_role = [*roles, *["user"] * len(found)]
        try:
            return self._composed(
                origin,
                self._analysis,
                lambda composer: [composer.complete(*one) for one in zip(found, of_role, strict=False)],
            )
        except LedgerError as error:
            return [_unread(analysis, error) for analysis in found]

    def plan(self, content: PromptContent, origin: Origin = NO_ORIGIN, *, in_process: bool = False) -> Plan:
        """What the messages include, read in one transaction; raises IncludeRefused, TemplateTooExpensive, StoreError."""
        if not any("include" in source for source in content.templates):
            return NO_PLAN
        analyse = self._analysis_here if in_process else self._analysis
        if not any(analyse(source).includes for source in content.templates):
            return NO_PLAN
        messages = [Message(message.role, message.text) for message in content.messages]
        return self._composed(origin, analyse, lambda composer: composer.plan(messages))

    def render(
        self, content: PromptContent, variables: Mapping[str, Any], origin: Origin = NO_ORIGIN
    ) -> tuple[ChatMessage, ...]:
        """The messages of ``rendered`` alone."""
        return self.rendered(content, variables, origin).messages

    def rendered(
        self,
        content: PromptContent,
        variables: Mapping[str, Any],
        origin: Origin = NO_ORIGIN,
        *,
        in_process: bool = False,
    ) -> Rendered:
        """The messages to send, at most 4 MB together, with what they include.

        in_process: render here, without limits on time and memory; for texts of the calling program's own. Raises the
        TemplateError family with message number, line and column; ContentRefused for a NUL or a broken character in a
        variable; StoreError when what is included cannot be read.
        """
        check_variables(variables)
        for number, source in enumerate(content.templates, 1):
            try:
                check_size(source)
            except TemplateError as error:
                raise at(error, number) from None
        try:
            plan = self.plan(content, origin, in_process=in_process)
        except TemplateError as error:
            raise at(error, error.message_number) from None
        texts = plan.texts or (NO_TEXTS,) * len(content.messages)
        used: list[str] = []
        if in_process:
            messages = render_here(content, plain_copy(variables), texts, used)
        else:
            messages = self._render_there(content, _plain(variables), texts, used)
        return Rendered(messages, plan.used(used) if used else ())

    def _render_there(
        self, content: PromptContent, variables: Any, texts: Sequence[Mapping[str, str]], used: list[str]
    ) -> tuple[ChatMessage, ...]:
        """Render in the helper process."""
        request = {"do": "render", "templates": list(content.templates), "variables": variables, "texts": list(texts)}
        wanted = len(content.messages)
        try:
            answers = self._rendering.ask(
                request, lambda came: len(came) == wanted or bool(came and "error" in came[-1])
            )
        except HelperDied as death:
            raise at(TemplateTooExpensive(str(death)), len(death.answers) + 1) from death
        if answers and "error" in answers[-1]:
            fields = dict(answers[-1])
            raise at(_ERRORS.get(fields.pop("error"), TemplateError)(**fields), len(answers))
        for answer in answers:
            used += answer["used"]
        return tuple(
            ChatMessage(message.role, answer["text"]) for message, answer in zip(content.messages, answers, strict=True)
        )

    def close(self) -> None:
        """End the helper processes."""
        self._analysing.close()
        self._rendering.close()

    def _composed(
        self, origin: Origin, analyse: Callable[[str], Analysis], work: Callable[[Composer], Result]
    ) -> Result:
        """Let ``work`` follow includes inside one read transaction."""
        if self._registry is None:
            return work(Composer(includes.nothing_to_include, analyse, origin))
        with self._registry.reading() as look_up:
            return work(Composer(look_up, analyse, origin))

    def _analysis_here(self, source: str) -> Analysis:
        return self._analysis(source, in_process=True)

    def _analysis(self, source: str, in_process: bool = False) -> Analysis:
        try:
            check_size(source)
        except TemplateError as error:
            return _only_problem(error)
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        try:
            analysis = analyse_here(source) if in_process else self._analyse_there(source)
        except HelperDied as death:
            analysis = _only_problem(TemplateTooExpensive(str(death)))
        except TemplateError as error:
            return _only_problem(error)
        with self._lock:
            self._kept[digest] = analysis
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return analysis

    def _analyse_there(self, source: str) -> Analysis:
        answer = self._analysing.ask({"do": "analyse", "templates": [source]}, lambda came: len(came) == 1)[0]
        return Analysis(
            tuple(VariableUse(*use) for use in answer["variables"]),
            tuple(Problem(*problem) for problem in answer["problems"]),
            tuple(IncludeUse(u[0], u[1], u[2], u[3], tuple(u[4])) for u in answer["includes"]),
        )


def render_here(
    content: PromptContent, variables: Mapping[str, Any], texts: Sequence[Mapping[str, str]], used: list[str]
) -> tuple[ChatMessage, ...]:
    """Render in this process; ``variables`` are plain and checked. Raises the TemplateError family."""
    from ledger_tui.domain import sandbox

    left, messages = MAX_OUTPUT_BYTES, []
    for number, (message, known) in enumerate(zip(content.messages, texts, strict=True), 1):
        try:
            text = sandbox.render(message.text, variables, left, known, used)
        except TemplateError as error:
            raise at(error, number) from error.__cause__
        left -= len(text.encode("utf-8", "surrogatepass"))
        messages.append(ChatMessage(message.role, text))
    return tuple(messages)


def _unread(analysis: Analysis, error: LedgerError) -> Analysis:
    """``analysis`` with a warning at each include that could not be looked up."""
    words = f"what it includes cannot be read now ({error.title})"
    problems = [Problem(use.line, use.column, use.end_column, words, "warning") for use in analysis.includes]
    return Analysis(analysis.variables, (*analysis.problems, *problems), analysis.includes)


def _only_problem(error: TemplateError) -> Analysis:
    return Analysis(problems=(Problem(error.line or 1, 1, 2, str(error)),))


def plain_copy(variables: Mapping[str, Any]) -> Any:
    """Checked variables as they would reach a helper process: plain texts, numbers, lists and mappings of this process."""
    return json.loads(json.dumps(_plain(variables)))


def _plain(value: Any) -> Any:
    """Checked variables as what JSON can carry: any mapping as a dict, any sequence as a list."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
