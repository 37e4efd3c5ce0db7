"""Reading the facts at the head of a prompt file: the part of YAML that people write there, and nothing that runs or repeats.

Mappings and lists by indentation, plain and quoted scalars, JSON, and block texts (``|`` and ``>``). Anchors, aliases,
tags and more than one document are refused. Writing needs no YAML: JSON values are YAML too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ledger_tui.errors import InputError

MAX_LINES = 5_000
MAX_DEPTH = 32
_KEY = re.compile(
    r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s"'#\-\[\]{},&*!|>%@`:][^:#]*?|-[^\s:#][^:#]*?))"""
    r"""\s*:(?:\s+(.*)|)\Z"""
)
_NUMBER = re.compile(r"[-+]?(\d+|\d*\.\d+|\d+\.\d*)([eE][-+]?\d+)?\Z")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')(?:\s+#.*)?\Z""")
_BLOCK = re.compile(r"([|>])([-+]?)\Z")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    text: str


class FrontMatterError(InputError):
    """Front matter that is not understood; ``line`` counts from 1 in the file."""

    default_title = "The head of a prompt file is not understood"
    default_remedy = "Write one 'key: value' a line between two lines of '---'."

    def __init__(self, cause: str, line: int) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line


def split(text: str) -> tuple[str | None, str]:
    """The front matter of a file (without its ``---`` lines) and the rest; None and the text when there is none."""
    if not text.startswith("---\n"):
        return None, text
    head, mark, body = text[3:].partition("\n---\n")
    if not mark:
        if not text.endswith("\n---"):
            return None, text
        head, body = text[3 : -len("\n---")], ""
    return head.removeprefix("\n") + ("\n" if head else ""), body


def parse(text: str) -> dict[str, Any]:
    """The mapping that front matter holds; raises FrontMatterError. The first line is line 2 of the file."""
    raw = text.split("\n")
    if len(raw) > MAX_LINES:
        raise FrontMatterError(f"it has more than {MAX_LINES} lines", MAX_LINES + 1)
    reader = _Reader(raw)
    found = reader.block(0, 0)
    if reader.peek() is not None:
        raise FrontMatterError("it is indented less than what it belongs to", reader.here())
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise FrontMatterError("it is a list, not 'key: value' lines", 2)
    return found


class _Reader:
    """Goes through the lines once; every method leaves the position behind what it read."""

    def __init__(self, raw: list[str]) -> None:
        self._raw = raw
        self._at = 0

    def here(self) -> int:
        """The number of the present line in the file."""
        return self._at + 2

    def peek(self) -> _Line | None:
        """The next line that says something, or None at the end."""
        while self._at < len(self._raw):
            text = self._raw[self._at]
            bare = text.strip()
            if bare and not bare.startswith("#"):
                if "\t" in text[: len(text) - len(text.lstrip())]:
                    raise FrontMatterError("a tab cannot indent", self.here())
                return _Line(self.here(), len(text) - len(text.lstrip(" ")), bare)
            self._at += 1
        return None

    def block(self, indent: int, depth: int) -> Any:
        """The mapping or list whose lines have at least ``indent`` spaces; None when there is none."""
        line = self.peek()
        if line is None or line.indent < indent:
            return None
        if depth > MAX_DEPTH:
            raise FrontMatterError("it is nested too deep", line.number)
        return self._list(line.indent, depth) if _is_item(line.text) else self._mapping(line.indent, depth)

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (line := self.peek()) is not None and line.indent == indent and not _is_item(line.text):
            key, rest = _key(line)
            if key in found:
                raise FrontMatterError(f"{key} is there twice", line.number)
            self._at += 1
            found[key] = self._value(rest, line, indent, depth)
        self._refuse_deeper(indent)
        return found

    def _list(self, indent: int, depth: int) -> list[Any]:
        found: list[Any] = []
        while (line := self.peek()) is not None and line.indent == indent and _is_item(line.text):
            rest = line.text[1:].lstrip()
            if rest and not rest.startswith(("{", "[", '"', "'")) and _KEY.match(rest):
                inside = indent + len(line.text) - len(rest)
                self._raw[self._at] = " " * inside + rest
                found.append(self.block(inside, depth + 1))
                continue
            self._at += 1
            found.append(self._value(rest, line, indent, depth))
        self._refuse_deeper(indent)
        return found

    def _refuse_deeper(self, indent: int) -> None:
        line = self.peek()
        if line is not None and line.indent > indent:
            raise FrontMatterError("it is indented more than what it belongs to", line.number)

    def _value(self, rest: str, line: _Line, indent: int, depth: int) -> Any:
        if block := _BLOCK.match(_without_comment(rest)):
            return self._text(block[1], block[2], indent)
        if _without_comment(rest):
            return _scalar(_without_comment(rest), line.number)
        following = self.peek()
        if (
            following is not None
            and following.indent == indent
            and _is_item(following.text)
            and not _is_item(line.text)
        ):
            return self._list(indent, depth + 1)
        return self.block(indent + 1, depth + 1)

    def _text(self, style: str, end: str, indent: int) -> str:
        lines: list[str] = []
        width = 0
        while self._at < len(self._raw):
            raw = self._raw[self._at]
            if raw.strip():
                own = len(raw) - len(raw.lstrip(" "))
                width = width or own
                if own <= indent or own < width:
                    break
            lines.append(raw[width:] if raw.strip() else "")
            self._at += 1
        kept = "\n".join(lines)
        if style == ">":
            kept = re.sub(r"(?<!\n)\n(?!\n)", " ", kept.rstrip("\n")) + "\n"
        bare = kept.rstrip("\n")
        return bare if end == "-" else kept if end == "+" else bare + "\n" if bare else ""


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _key(line: _Line) -> tuple[str, str]:
    match = _KEY.match(line.text)
    if match is None:
        raise FrontMatterError("it is no 'key: value'", line.number)
    if match[1] is not None:
        return str(_json(f'"{match[1]}"', line.number)), match[4] or ""
    return (match[2].replace("''", "'") if match[2] is not None else match[3]), match[4] or ""


def _without_comment(text: str) -> str:
    """``text`` without a comment after it; a ``#`` inside quotes or JSON belongs to the value."""
    text = text.strip()
    if text.startswith("#"):
        return ""
    if quoted := _QUOTED.match(text):
        return quoted[1]
    return text if text.startswith(('"', "'", "{", "[")) else re.split(r"\s#", text, maxsplit=1)[0].rstrip()


def _scalar(text: str, line: int) -> Any:
    first = text[0]
    if first == '"' or first == "{":
        return _json(text, line)
    if first == "[":
        return _flow_list(text, line)
    if first == "'":
        if len(text) < 2 or not text.endswith("'") or "'" in text[1:-1].replace("''", ""):
            raise FrontMatterError("a quotation does not end", line)
        return text[1:-1].replace("''", "'")
    if first in "&*!%@`|>":
        raise FrontMatterError(f"{first!r} at the start of a value is not supported; quote the value", line)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NUMBER.match(text) and len(text) < 40:
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return text


def _flow_list(text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    inside = text[1:-1].strip()
    if not text.endswith("]") or any(char in inside for char in "[]{}\"'"):
        raise FrontMatterError("this list is not understood; write it as JSON", line)
    return [_scalar(item.strip(), line) for item in inside.split(",") if item.strip()]


def _json(text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrontMatterError(f"it is not JSON ({error})", line) from error
