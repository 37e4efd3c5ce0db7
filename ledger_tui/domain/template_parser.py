"""Reads a template with the place of every token, so that the editor can point at a variable or a mistake.

Jinja2 itself knows lines only. Here its own lexer and parser run with positions, then the tree is checked before
anything is compiled: its size, its nesting, what it asks for, and which names it leaves open.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from ledger_tui.domain.includes import reference
from ledger_tui.domain.template import MAX_NESTING, MAX_NODES, IncludeUse, VariableUse
from ledger_tui.domain.template_scope import open_names
from ledger_tui.errors import IncludeRefused, TemplateError, TemplateRefused, TemplateTooExpensive

_CLOSING = {"{{": "}}", "{%": "%}"}
_TAGS = (
    "block",
    "call",
    "else",
    "elif",
    "endblock",
    "endcall",
    "endfilter",
    "endfor",
    "endif",
    "endmacro",
    "endset",
    "endwith",
    "filter",
    "for",
    "if",
    "include",
    "macro",
    "raw",
    "set",
    "with",
)
_REFUSED = {
    nodes.Extends: "extends",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem with its place and the error that rendering raises for it."""

    line: int
    column: int
    end_column: int
    message: str
    severity: Literal["error", "warning"] = "error"
    kind: type[TemplateError] = TemplateError
    title: str = ""

    def error(self) -> TemplateError:
        """The error to raise."""
        return self.kind(self.message, line=self.line, column=self.column, title=self.title)


@dataclass
class Reading:
    """What reading found; ``tree`` is None after a syntax error."""

    tree: nodes.Template | None = None
    variables: tuple[VariableUse, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    includes: tuple[IncludeUse, ...] = ()


class PlacedToken(Token):
    """A token that knows where it begins and ends in the text."""

    start: int
    end: int


class _Places:
    """The tokens of one source with their places."""

    def __init__(self, jinja: Environment, source: str) -> None:
        self.jinja = jinja
        self.text = re.sub(r"\r\n|\r", "\n", source)
        self.lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self.start = self.end = 0
        self.failed = False
        self.tokens: list[PlacedToken] = []

    def stream(self) -> TokenStream:
        return TokenStream(self._placed(), None, None)

    def _placed(self) -> Iterator[Token]:
        try:
            for token in self.jinja.lexer.wrap(self._raw()):
                placed = PlacedToken(token.lineno, token.type, token.value)
                placed.start, placed.end = self.start, self.end
                self.tokens.append(placed)
                yield placed
        except TemplateSyntaxError:
            self.failed = True
            raise

    def _raw(self) -> Iterator[tuple[int, str, str]]:
        try:
            for lineno, kind, value in self.jinja.lexer.tokeniter(self.text, None):
                found = self.text.find(value, self.end)
                if found >= 0:
                    self.start, self.end = found, found + len(value)
                yield lineno, kind, value
        except TemplateSyntaxError:
            self.start = self.end
            raise

    def place(self, position: int) -> tuple[int, int]:
        """1-based line and column of a position."""
        line = bisect_right(self.lines, position)
        return line, position - self.lines[line - 1] + 1

    def fault(self, token: PlacedToken, message: str, **extra: Any) -> Fault:
        line, column = self.place(token.start)
        return Fault(line, column, column + max(1, token.end - token.start), message, **extra)

    def fault_on_line(self, line: int, message: str, **extra: Any) -> Fault:
        line = max(1, min(line, len(self.lines)))
        end = self.lines[line] - 1 if line < len(self.lines) else len(self.text)
        return Fault(line, 1, max(2, end - self.lines[line - 1] + 1), message, **extra)


class _PlacingParser(Parser):
    """Jinja2's parser, noting the token of each name and of what each include names."""

    def __init__(self, places: _Places) -> None:
        super().__init__(places.jinja, "")
        self.stream = places.stream()

    def parse_primary(self, with_namespace: bool = False) -> nodes.Expr:
        token = self.stream.current
        node = super().parse_primary(with_namespace)
        if isinstance(node, nodes.Name):
            node.token = token  # type: ignore[attr-defined]
        return node

    def parse_include(self) -> nodes.Include:
        token = self.stream.look()
        node = super().parse_include()
        node.token = token  # type: ignore[attr-defined]
        return node


def read(jinja: Environment, source: str) -> Reading:
    """Parse and check ``source``; what is wrong stands in ``faults``, nothing is raised."""
    places = _Places(jinja, source)
    parser: _PlacingParser | None = None
    try:
        parser = _PlacingParser(places)
        tree = parser.parse()
    except TemplateSyntaxError as error:
        return Reading(faults=[_syntax_fault(places, parser, error)])
    except RecursionError:
        deep = places.tokens[-1] if places.tokens else None
        line = places.place(deep.start)[0] if deep else 1
        return Reading(faults=[places.fault_on_line(line, "it is nested too deeply", kind=TemplateTooExpensive)])
    except (ValueError, OverflowError, MemoryError) as error:
        return Reading(faults=[places.fault_on_line(places.place(places.start)[0], str(error))])
    too_large = _size_fault(places, tree)
    if too_large:
        return Reading(faults=[too_large])
    return _reading(places, tree)


def _syntax_fault(places: _Places, parser: _PlacingParser | None, error: TemplateSyntaxError) -> Fault:
    if unclosed := _unclosed(places):
        return unclosed
    message = re.sub(r" at \d+$", "", (error.message or "syntax error").rstrip("."))
    unknown = re.match(r"Encountered unknown tag '(\w+)'", message)
    if unknown:
        message += _did_you_mean(unknown.group(1), _TAGS)
    if places.failed:
        line, column = places.place(min(places.start, max(0, len(places.text) - 1)))
        if line == error.lineno or parser is None:
            return Fault(line, column, column + 1, message)
    elif parser is not None:
        token = parser.stream.current
        if isinstance(token, PlacedToken) and places.place(token.start)[0] == error.lineno:
            return places.fault(token, message)
    return places.fault_on_line(error.lineno, message)


def _unclosed(places: _Places) -> Fault | None:
    """The last opening delimiter, when nothing closes it: what a person is typing most of the time."""
    start, opening = max((places.text.rfind(opening), opening) for opening in _CLOSING)
    if start < 0 or _CLOSING[opening] in places.text[start:]:
        return None
    line, column = places.place(start)
    return Fault(line, column, column + 2, f"this {opening} is not closed; {_CLOSING[opening]} is missing")


def _size_fault(places: _Places, tree: nodes.Template) -> Fault | None:
    waiting: list[tuple[nodes.Node, int]] = [(tree, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_NODES:
            return places.fault_on_line(1, f"it has more than {MAX_NODES} parts", kind=TemplateTooExpensive)
        if depth > MAX_NESTING:
            message = f"it is nested deeper than {MAX_NESTING} levels"
            return places.fault_on_line(node.lineno, message, kind=TemplateTooExpensive)
        waiting.extend((child, depth + 1) for child in node.iter_child_nodes())
    return None


def _reading(places: _Places, tree: nodes.Template) -> Reading:
    faults: list[Fault] = []
    for node in tree.find_all(tuple(_REFUSED)):
        word = _REFUSED[type(node)]
        tag = next((t for t in places.tokens if t.lineno == node.lineno and t.value == word.split()[0]), None)
        message = f"{word} is not available in prompts yet"
        refused: dict[str, Any] = {"kind": TemplateRefused}
        faults.append(
            places.fault(tag, message, **refused) if tag else places.fault_on_line(node.lineno, message, **refused)
        )
    jinja = places.jinja
    faults += _unknown(
        places, "filter", {n.name for n in tree.find_all(nodes.Filter)} - set(jinja.filters), jinja.filters
    )
    faults += _unknown(places, "test", {n.name for n in tree.find_all(nodes.Test)} - set(jinja.tests), jinja.tests)
    variables: list[VariableUse] = []
    for name in open_names(tree):
        token: PlacedToken = name.token  # type: ignore[attr-defined]
        if name.name == "self":
            faults.append(
                places.fault(token, "self is a word of the template language; use another name", kind=TemplateRefused)
            )
        elif name.name not in jinja.globals:
            variables.append(VariableUse(name.name, *places.place(token.start)))
            if name.name == "loop":
                faults.append(
                    places.fault(token, "outside of a for, loop is a variable like any other", severity="warning")
                )
    includes = tuple(_includes(places, tree, faults))
    return Reading(tree, tuple(sorted(variables, key=lambda use: (use.line, use.column))), faults, includes)


def _includes(places: _Places, tree: nodes.Template, faults: list[Fault]) -> Iterator[IncludeUse]:
    """The includes in the order of the text; what is wrong with one goes to ``faults``."""
    for node in sorted(tree.find_all(nodes.Include), key=lambda node: node.token.start):  # type: ignore[attr-defined]
        token: PlacedToken = node.token  # type: ignore[attr-defined]
        try:
            name = _included_name(node)
        except TemplateError as error:
            faults.append(places.fault(token, error.cause, kind=type(error), title=error.title))
            continue
        line, column = places.place(token.start)
        yield IncludeUse(name, line, column, column + max(1, token.end - token.start), node.bound)  # type: ignore[attr-defined]


def _included_name(node: nodes.Include) -> str:
    """The name that an include gives; raises IncludeRefused for all that is not one literal name of a prompt."""
    if not isinstance(node.template, nodes.Const) or not isinstance(node.template.value, str):
        raise IncludeRefused('an include takes one name in quotes, like {% include "shared/tone" %}')
    if node.ignore_missing or not node.with_context:
        raise IncludeRefused("an include takes a name and nothing else: a prompt that is missing is always an error")
    reference(node.template.value)
    return node.template.value


def _unknown(places: _Places, what: str, unknown: set[str], known: Iterable[str]) -> Iterator[Fault]:
    """Faults at each use of filters or tests that do not exist."""
    tokens = places.tokens
    for index, token in enumerate(tokens):
        if not unknown or token.type != "name" or not index:
            continue
        before = tokens[index - 1]
        if what == "filter":
            asked = before.type == "pipe" or (before.value == "filter" and tokens[index - 2].type == "block_begin")
        else:
            asked = before.value == "is" or (before.value == "not" and tokens[index - 2].value == "is")
        name = _dotted(tokens, index)
        if asked and name in unknown:
            yield places.fault(token, f"there is no {what} {name!r}{_did_you_mean(name, known)}")


def _dotted(tokens: list[PlacedToken], index: int) -> str:
    parts = [str(tokens[index].value)]
    while index + 2 < len(tokens) and tokens[index + 1].type == "dot" and tokens[index + 2].type == "name":
        index += 2
        parts.append(str(tokens[index].value))
    return ".".join(parts)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""
