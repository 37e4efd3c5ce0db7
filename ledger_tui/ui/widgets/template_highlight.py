"""Colours for Jinja2 inside plain text, one line at a time, so that a keystroke costs one line and not the document.

A line's colours follow from its text and from the state in which it begins. States are short texts: ``""`` plain
text, ``c`` comment, ``e`` expression, ``b`` block tag, ``B`` the tag of a raw block, ``r`` raw text; a quote after
``e``, ``b`` or ``B`` means an open string.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

TEXT, COMMENT, EXPRESSION, BLOCK, RAW_TAG, RAW = "", "c", "e", "b", "B", "r"
MAX_LINE = 16_384
"""Characters of a line that still gets colours; a longer one is plain and hands its state on."""

_OPEN = re.compile(r"\{\{[-+]?|\{%[-+]?|\{#")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<close>[-+]?(?:\}\}|%\}))
    |(?P<string>'(?:\\.|[^'\\])*(?P<end1>')?|"(?:\\.|[^"\\])*(?P<end2>")?)
    |(?P<number>\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<other>.)""",
    re.VERBOSE,
)
_QUOTE_END = {"'": re.compile(r"(?:\\.|[^'\\])*'"), '"': re.compile(r'(?:\\.|[^"\\])*"')}
_OPERATORS = frozenset(("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"))
_KEYWORDS = _OPERATORS | {
    "for", "endfor", "elif", "endif", "set", "endset", "macro", "endmacro", "call", "endcall", "filter", "endfilter",
    "block", "endblock", "raw", "endraw", "with", "endwith", "include", "import", "from", "extends", "as", "without",
    "context", "ignore", "missing", "recursive", "scoped", "required", "do", "break", "continue",
}  # fmt: skip
_PAIRS = {"{": "}", "[": "]", "(": ")"}
_BRACKETS = re.compile(r"[\[\](){}]")
BRACKET_ROWS, BRACKET_REACH = 400, 20_000
"""Lines and characters within which the partner of a bracket is looked for."""


class Span(NamedTuple):
    """Columns ``start`` to ``end`` (excluded) of a line are of ``kind``."""

    start: int
    end: int
    kind: str
    """delimiter, variable, keyword, filter, string, number, comment or operator."""


class _Line:
    """One line while it is read."""

    def __init__(self, text: str, state: str) -> None:
        self.text = text
        self.state = state
        self.at = 0
        self.spans: list[Span] = []

    def add(self, end: int, kind: str) -> None:
        if end > self.at:
            self.spans.append(Span(self.at, end, kind))
        self.at = end

    def read(self) -> None:
        while self.at < len(self.text):
            if self.state == TEXT:
                self._text()
            elif self.state == COMMENT:
                self._until(self.text.find("#}", self.at), 2, "comment")
            elif self.state == RAW:
                self._raw()
            else:
                self._code()

    def _text(self) -> None:
        found = _OPEN.search(self.text, self.at)
        if found is None:
            self.at = len(self.text)
            return
        self.at = found.start()
        mark = found.group()[1]
        self.state = {"{": EXPRESSION, "%": BLOCK, "#": COMMENT}[mark]
        if mark != "#":
            self.add(found.end(), "delimiter")

    def _until(self, end: int, length: int, kind: str) -> None:
        if end < 0:
            self.add(len(self.text), kind)
        else:
            self.add(end + length, kind)
            self.state = TEXT

    def _raw(self) -> None:
        found = _END_RAW.search(self.text, self.at)
        if found is None:
            self.at = len(self.text)
        else:
            self.at = found.start()
            self.state = BLOCK
            self.add(found.start() + 2, "delimiter")

    def _code(self) -> None:
        quote = self.state[1:]
        if quote:
            found = _QUOTE_END[quote].match(self.text, self.at)
            self.add(found.end() if found else len(self.text), "string")
            if found is None:
                return
            self.state = self.state[0]
        self._tokens()

    def _tokens(self) -> None:
        depth, before = 0, ""
        closing = "}}" if self.state == EXPRESSION else "%}"
        while found := _TOKEN.match(self.text, self.at):
            group, word = found.lastgroup, found.group()
            if group in ("end1", "end2"):
                group = "string"
            if group == "close":
                if word[-2:] == closing and depth == 0:
                    self.add(found.end(), "delimiter")
                    self.state = RAW if self.state == RAW_TAG else TEXT
                    return
                depth -= 1 if word.endswith("}") else 0
                self.at += len(word) - 1
                before = "}"
            elif group == "string":
                self.add(found.end(), "string")
                if not (found["end1"] or found["end2"]):
                    self.state += word[0]
                    return
            elif group == "name":
                self._name(word, before, found.end())
            elif group == "number":
                self.add(found.end(), "number")
            else:
                depth += (word == "{") - (word == "}" and depth > 0)
                self.at = found.end()
            if group != "space":
                before = word

    def _name(self, word: str, before: str, end: int) -> None:
        if before == "|" or before == "is" or (before == "not" and self.spans and word in ("defined", "none")):
            self.add(end, "filter")
        elif before == ".":
            self.at = end
        elif word in (_OPERATORS if self.state == EXPRESSION else _KEYWORDS):
            if word == "raw" and self.state == BLOCK and self.spans and self.spans[-1].kind == "delimiter":
                self.state = RAW_TAG
            self.add(end, "keyword")
        else:
            self.add(end, "variable")


@lru_cache(maxsize=4096)
def highlight(text: str, state: str) -> tuple[tuple[Span, ...], str]:
    """The coloured stretches of a line that begins in ``state``, and the state in which the next line begins."""
    if len(text) > MAX_LINE:
        return (), state
    line = _Line(text, state)
    line.read()
    return tuple(line.spans), line.state


def _next_state(text: str, state: str) -> str:
    if state == TEXT and "{" not in text:
        return TEXT
    return highlight(text, state)[1]


class LineStates:
    """The state in which each line begins, known as far down as anybody looked."""

    def __init__(self) -> None:
        self._begins: list[str] = [TEXT]

    def begin(self, lines: Sequence[str], row: int) -> str:
        """The state in which line ``row`` (0-based) begins."""
        begins = self._begins
        for known in range(len(begins) - 1, row):
            begins.append(_next_state(lines[known], begins[known]))
        return begins[row]

    def edited(self, lines: Sequence[str], top: int, old_bottom: int, new_bottom: int, limit: int) -> bool:
        """Take in that rows ``top`` to ``old_bottom`` became ``top`` to ``new_bottom``.

        Follows a change down to row ``limit`` at most. Returns whether lines below the edit look different now.
        """
        begins = self._begins
        if top >= len(begins):
            return False
        if old_bottom + 1 >= len(begins):
            del begins[top + 1 :]
            return True
        begins[top + 1 : old_bottom + 1] = [""] * (new_bottom - top)
        for row in range(top, new_bottom):
            begins[row + 1] = _next_state(lines[row], begins[row])
        row, changed = new_bottom, False
        while row + 1 < len(begins):
            state = _next_state(lines[row], begins[row])
            if state == begins[row + 1]:
                return changed
            changed = True
            if row >= limit:
                del begins[row + 1 :]
                return True
            begins[row + 1] = state
            row += 1
        return changed


def matching_bracket(lines: Sequence[str], row: int, column: int) -> tuple[int, int] | None:
    """Row and column of the partner of the bracket at a place, None when there is none within reach."""
    bracket = lines[row][column]
    forward = bracket in _PAIRS
    step, end = (1, min(row + BRACKET_ROWS, len(lines))) if forward else (-1, max(row - BRACKET_ROWS, -1))
    depth, reach = 0, BRACKET_REACH
    for at in range(row, end, step):
        reach -= len(lines[at])
        if reach < 0:
            return None
        found = list(_BRACKETS.finditer(lines[at]))
        for match in found if forward else reversed(found):
            if at == row and (match.start() - column) * step < 0:
                continue
            depth += 1 if (match.group() in _PAIRS) == forward else -1
            if depth == 0:
                fits = match.group() in (_PAIRS.get(bracket), bracket) or _PAIRS.get(match.group()) == bracket
                return (at, match.start()) if fits else None
    return None
