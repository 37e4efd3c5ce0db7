"""What a person typed for a variable, and the value that a template gets from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ledger_tui.domain.text import printable
from ledger_tui.errors import InputError
from ledger_tui.services.reading import read_text_file

Kind = Literal["text", "lines", "json", "file"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_WORDS: dict[Kind, str] = {"text": "text", "lines": "lines", "json": "JSON", "file": "file"}
KINDS_KEY, TEXTS_KEY = "@kinds", "@texts"
"""Where a kept input set remembers the kinds and what was typed: no variable can have these names."""
MAX_FILE_BYTES = 1024 * 1024


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
        return _file_value(field)
    return field.text


def _file_value(field: Filled) -> str:
    if not field.text.strip():
        raise ValueRefused(field.name, "no file is named", "Type the path of a text file.")
    try:
        return read_text_file(Path(field.text.strip()).expanduser(), MAX_FILE_BYTES)
    except InputError as error:
        raise ValueRefused(field.name, error.cause, error.remedy, title=error.title) from error
    except RuntimeError as error:
        raise ValueRefused(field.name, str(error), "Write the whole path.") from error


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


def is_cheap(fields: Sequence[Filled]) -> bool:
    """Whether the values may be read just to look at them: a pipe could be read only once."""
    return all(os.path.isfile(os.path.expanduser(f.text.strip())) for f in fields if f.kind == "file")  # noqa: PTH113, PTH111


def filled(name: str, value: Any) -> Filled:
    """The field that shows ``value``; the kind follows from the value."""
    if isinstance(value, str):
        return Filled(name, "lines" if printable(value, keep="") != value else "text", value)
    return Filled(name, "json", json.dumps(value, ensure_ascii=False, indent=2))


def to_set(fields: Sequence[Filled], values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is kept of the fields: values where they are given, else texts, and how they were typed."""
    kept: dict[str, Any] = {field.name: (values or {}).get(field.name, field.text) for field in fields}
    kinds = {field.name: field.kind for field in fields if field.kind != "text"}
    texts = {field.name: field.text for field in fields if field.kind in ("json", "file")}
    return {**kept, **({KINDS_KEY: kinds} if kinds else {}), **({TEXTS_KEY: texts} if texts else {})}


def known_values(fields: Sequence[Filled]) -> dict[str, Any]:
    """The values of the fields that have one. Not for the event loop."""
    found: dict[str, Any] = {}
    for field in fields:
        try:
            found[field.name] = value_of(field)
        except ValueRefused:
            continue
    return found


def from_set(kept: Mapping[str, Any]) -> dict[str, Filled]:
    """The fields of a kept set, or of plain variables."""
    kinds, texts = (item if isinstance(item := kept.get(key), Mapping) else {} for key in (KINDS_KEY, TEXTS_KEY))
    found: dict[str, Filled] = {}
    for name, value in kept.items():
        kind = kinds.get(name)
        if kind in KINDS and isinstance(text := texts.get(name, value), str):
            found[name] = Filled(name, kind, text)
        elif not name.startswith("@"):
            found[name] = filled(name, value)
    return found
