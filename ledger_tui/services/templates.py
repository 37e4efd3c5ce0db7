"""Templates for people: what the editor marks and what a run sends, both made in helper processes with hard limits.

One process analyses and one renders, so that a preview never waits for a slow look at the text beside it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from ledger_tui import errors
from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.template import Analysis, Problem, VariableUse, at, check_size, check_variables
from ledger_tui.errors import TemplateError, TemplateTooExpensive
from ledger_tui.services.render_helper import HelperDied, RenderHelper

_KEPT = 512
_ERRORS: dict[str, type[TemplateError]] = {
    kind.__name__: kind
    for kind in (TemplateError, errors.UndefinedVariable, errors.TemplateRefused, errors.TemplateTooExpensive)
}


class TemplateService:
    """Thread-safe. Processes start when first needed and end with ``close`` or the program."""

    def __init__(self) -> None:
        self._analysing = RenderHelper()
        self._rendering = RenderHelper()
        self._kept: OrderedDict[bytes, Analysis] = OrderedDict()
        self._lock = threading.Lock()

    def analyse(self, templates: Sequence[str]) -> list[Analysis]:
        """Variables and problems of each template. What cannot be analysed in time has one problem that says so."""
        return [self._analysis(source) for source in templates]

    def render(self, content: PromptContent, variables: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
        """The messages to send, at most 4 MB together.

        Raises the TemplateError family with message number, line and column; ContentRefused for a NUL or a broken
        character in a variable.
        """
        check_variables(variables)
        for number, source in enumerate(content.templates, 1):
            try:
                check_size(source)
            except TemplateError as error:
                raise at(error, number) from None
        request = {"do": "render", "templates": list(content.templates), "variables": _plain(variables)}
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
        return tuple(
            ChatMessage(message.role, answer["text"]) for message, answer in zip(content.messages, answers, strict=True)
        )

    def close(self) -> None:
        """End the helper processes."""
        self._analysing.close()
        self._rendering.close()

    def _analysis(self, source: str) -> Analysis:
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
            answer = self._analysing.ask({"do": "analyse", "templates": [source]}, lambda came: len(came) == 1)[0]
            analysis = Analysis(
                tuple(VariableUse(*use) for use in answer["variables"]),
                tuple(Problem(*problem) for problem in answer["problems"]),
            )
        except HelperDied as death:
            analysis = _only_problem(TemplateTooExpensive(str(death)))
        except TemplateError as error:
            return _only_problem(error)
        with self._lock:
            self._kept[digest] = analysis
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return analysis


def _only_problem(error: TemplateError) -> Analysis:
    return Analysis(problems=(Problem(error.line or 1, 1, 2, str(error)),))


def _plain(value: Any) -> Any:
    """Checked variables as what JSON can carry: any mapping as a dict, any sequence as a list."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
