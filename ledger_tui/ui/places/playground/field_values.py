"""What a person typed for a variable, and the value that a template gets from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ledger_tui.domain.text import printable
from ledger_tui.errors import InputError
from ledger_tui.ui.places.playground.read_file import read_value

Kind = Literal["text", "lines", "json", "file"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_WORDS: dict[Kind, str] = {"text": "text", "lines": "lines", "json": "JSON", "file": "file"}
KINDS_KEY = "@kinds"
"""Where a kept input set remembers the kinds: no variable can have this name."""


@dataclass(frozen=True, slots=True)
class Filled:
    """One field of the form: the variable, how it is read, and the text as typed (a path for ``file``)."""

    name: str
    kind: Kind = "text"
    text: str = ""


class ValueRefused(InputError):
    """A field whose text is no value; ``name`` is the variable."""

    default_title = "A value cannot be used"

    def __init__(self, name: str, cause: str, remedy: str = "", *, title: str = "") -> None:
        super().__init__(f"{name}: {cause}", title=title, remedy=remedy)
        self.name = name


def value_of(field: Filled) -> Any:
    """The value of one field; raises ValueRefused. Reads a file: not for the event loop."""
    if (position := field.text.find("\x00")) >= 0:
        raise ValueRefused(field.name, f"it holds a NUL character at position {position}", "Remove it.")
    if field.kind == "json":
        return _json_value(field)
    if field.kind == "file":
        try:
            return read_value(field.text)
        except InputError as error:
            raise ValueRefused(field.name, error.cause, error.remedy, title=error.title) from error
    return field.text


def _json_value(field: Filled) -> Any:
    try:
        return json.loads(field.text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueRefused(field.name, f"not JSON: {error.msg} ({where})", "Correct it, or change the kind.") from None
    except (ValueError, RecursionError) as error:
        raise ValueRefused(field.name, f"not usable JSON: {error}", "Correct it, or change the kind.") from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number that can be stored")


def values_of(fields: Sequence[Filled]) -> dict[str, Any]:
    """The values of all fields; raises ValueRefused for the first that has none. Not for the event loop."""
    return {field.name: value_of(field) for field in fields}


def filled(name: str, value: Any, kind: str | None = None) -> Filled:
    """The field that shows ``value``; the kind follows from the value unless it is given."""
    if kind in ("json", "file") and isinstance(value, str):
        return Filled(name, "file" if kind == "file" else "json", value)
    if isinstance(value, str):
        return Filled(name, "lines" if kind == "lines" or printable(value, keep="") != value else "text", value)
    return Filled(name, "json", json.dumps(value, ensure_ascii=False, indent=2))


def to_set(fields: Sequence[Filled]) -> dict[str, Any]:
    """What is kept of the fields: texts as typed, and the kinds that are not plain text."""
    kept: dict[str, Any] = {field.name: field.text for field in fields}
    kinds = {field.name: field.kind for field in fields if field.kind != "text"}
    return {**kept, KINDS_KEY: kinds} if kinds else kept


def from_set(kept: Mapping[str, Any]) -> dict[str, Filled]:
    """The fields of a kept set, or of plain variables."""
    kinds = kept.get(KINDS_KEY)
    kinds = kinds if isinstance(kinds, Mapping) else {}
    return {name: filled(name, value, kinds.get(name)) for name, value in kept.items() if name != KINDS_KEY}
