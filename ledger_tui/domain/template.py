"""What a template is and may do; the words for the editor, the helper process and the services.

Importing this module loads no Jinja2: ``analyse`` and ``render`` bring it in when first called (``domain/sandbox.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ledger_tui.domain.content import MAX_DEPTH, MAX_TEMPLATE_BYTES, check_text
from ledger_tui.errors import TemplateError, TemplateRefused, TemplateTooExpensive

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
"""Of all messages of one render together."""
MAX_NODES = 5_000
MAX_NESTING = 100
NO_TEXTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class VariableUse:
    """One place where a template reads a variable that it does not set itself; line and column are 1-based."""

    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class IncludeUse:
    """One ``{% include "name" %}``; places are those of the name with its quotes."""

    name: str
    """A prompt of the registry, as written: ``shared/tone``, ``shared/tone@production``, ``shared/tone@3``."""
    line: int
    column: int
    end_column: int
    bound: tuple[str, ...] = ()
    """The names that the template sets itself for the included text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a template; columns are 1-based, ``end_column`` is the first one after it."""

    line: int
    column: int
    end_column: int
    message: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an editor shows about one template. With a syntax error the variables are not known and left empty."""

    variables: tuple[VariableUse, ...] = ()
    """Every use, in the order of the text."""
    problems: tuple[Problem, ...] = ()
    includes: tuple[IncludeUse, ...] = ()
    """Every include of a well-formed name, in the order of the text; what they lead to is not looked at."""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables' names, each once, in order of first appearance."""
        return tuple(dict.fromkeys(use.name for use in self.variables))


def analyse(source: str) -> Analysis:
    """Find the variables and problems of ``source`` in this process; never raises for any text, may take long."""
    from ledger_tui.domain import sandbox

    return sandbox.analyse(source)


def render(
    source: str,
    variables: Mapping[str, Any],
    limit: int = MAX_OUTPUT_BYTES,
    texts: Mapping[str, str] = NO_TEXTS,
    used: list[str] | None = None,
) -> str:
    """Render ``source`` in this process, without limits on time and memory; at most ``limit`` bytes of output.

    texts: what each name in an include stands for. used: takes the names that were reached, each once. For templates of
    the program's own code; people's templates go through ``services/templates.py``. Raises the TemplateError family
    with line and column.
    """
    from ledger_tui.domain import sandbox

    return sandbox.render(source, variables, limit, texts, used)


def check_size(source: str) -> str:
    """Return ``source``, or raise TemplateTooExpensive when it has more than ``MAX_TEMPLATE_BYTES``."""
    size = len(source) if len(source) > MAX_TEMPLATE_BYTES else len(source.encode("utf-8", "surrogatepass"))
    if size > MAX_TEMPLATE_BYTES:
        raise TemplateTooExpensive(
            f"it has {size // 1024} kB, {MAX_TEMPLATE_BYTES // 1024} kB are allowed",
            title="The template is too large",
            remedy="Move long texts into variables.",
        )
    return source


def check_variables(variables: Mapping[str, Any]) -> None:
    """Raise TemplateRefused unless all values are plain JSON, ContentRefused for a NUL or a broken character in one."""
    for name, value in variables.items():
        if not isinstance(name, str):
            raise TemplateRefused(f"the variable {name!r} has no name of text")
        try:
            _check_plain(f"the variable {check_text('a variable name', name)!r}", value, 0)
        except RecursionError as error:
            raise TemplateRefused(f"the variable {name!r} is nested too deeply") from error


def _check_plain(what: str, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TemplateRefused(f"{what} is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool | int):
        return
    if isinstance(value, str):
        check_text(what, value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise TemplateRefused(f"{what} holds {value}, which is no number")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TemplateRefused(f"{what} has the key {key!r}, which is not text")
            check_text(f"a key of {what}", key)
            _check_plain(what, item, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        for item in value:
            _check_plain(what, item, depth + 1)
    else:
        raise TemplateRefused(f"{what} holds a value of type {type(value).__name__}")


def at(error: TemplateError, number: int) -> TemplateError:
    """A copy of ``error`` that says in which message of a prompt (1-based) it is."""
    where = f"message {number}" + (f", line {error.line}" if error.line else "")
    where += f", column {error.column}" if error.column else ""
    found = type(error)(
        f"{where}: {error.cause}", line=error.line, column=error.column, title=error.title, remedy=error.remedy
    )
    found.message_number = number
    return found
