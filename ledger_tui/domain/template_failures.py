"""What a running template raised, as the errors that people read: where it stands in their text, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType

from jinja2 import Template
from jinja2.exceptions import SecurityError, UndefinedError

from ledger_tui.domain.template_parser import Reading
from ledger_tui.errors import LedgerError, TemplateError, TemplateRefused, TemplateTooExpensive, UndefinedVariable


def our_error(error: Exception, template: Template, reading: Reading, names: Mapping[Template, str]) -> TemplateError:
    """The error for people of whatever a running template raised."""
    places = _places(error.__traceback__)
    line = next((number for one, number in reversed(places) if one is template), 0)
    inner = places[-1] if places and places[-1][0] is not template else None
    column, words = 0, plain_words(error)
    if inner is not None:
        outermost = next((names.get(one) for one, _ in places if one is not template), None)
        use = next((use for use in reading.includes if use.name == outermost and use.line == line), None)
        column = use.column if use else 0
        words = f"in {names.get(inner[0])}, line {inner[1]}: {words}"
    if isinstance(error, LedgerError):
        return error if isinstance(error, TemplateError) and inner is None else TemplateRefused(words, line=line)
    if isinstance(error, SecurityError):
        return TemplateRefused(words, line=line, column=column)
    if isinstance(error, UndefinedError):
        return _undefined(error, words, line, column, reading if inner is None else None)
    if isinstance(error, MemoryError):
        return TemplateTooExpensive("it needs too much memory", line=line, column=column)
    if isinstance(error, RecursionError):
        return TemplateTooExpensive("a macro calls itself without end", line=line, column=column)
    if isinstance(error, OverflowError):
        return TemplateTooExpensive(words, line=line, column=column)
    return TemplateError(words, line=line, column=column, title="The template could not be rendered")


def _undefined(error: UndefinedError, words: str, line: int, column: int, reading: Reading | None) -> UndefinedVariable:
    name = re.match(r"'([^']+)' is undefined", str(error))
    uses = [use for use in reading.variables if name and use.name == name.group(1)] if reading else []
    found = next((use for use in uses if use.line == line), uses[0] if uses else None)
    return UndefinedVariable(words, line=found.line if found else line, column=found.column if found else column)


def _places(traceback: TracebackType | None) -> list[tuple[Template, int]]:
    """The templates' own lines in a traceback, outermost first."""
    found: list[tuple[Template, int]] = []
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            found.append((template, template.get_corresponding_lineno(traceback.tb_lineno)))
        traceback = traceback.tb_next
    return found


def plain_words(error: Exception) -> str:
    """What an exception of Jinja2 says, in words of values instead of types."""
    if isinstance(error, LedgerError):
        return error.cause
    words = str(error) or type(error).__name__
    words = re.sub(r"^'([^']+)' is undefined$", r"'\1' has no value", words)
    return (
        words.replace("'dict object'", "a mapping").replace("'str object'", "a text").replace("'list object'", "a list")
    )
