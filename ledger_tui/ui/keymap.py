"""Keys are the person's own: keymap.toml maps action ids to keys, mistakes are told one by one and cost only themselves.

::

    prompts.save = "ctrl+s,f10"
    traces.filter = ["slash", "ctrl+f"]
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key, key_to_character

from ledger_tui.domain.text import one_line
from ledger_tui.errors import SettingsError
from ledger_tui.ui.actions import KnownAction, show_key

MAX_FILE_BYTES = 256 * 1024
_MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
_NAMES = {str(key.value) for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())
REMEDY = "Correct the file; it is read again as soon as it is saved."


def normal_key(key: str) -> str:
    """A key in Textual's long form (``/`` becomes ``slash``); raises ValueError for what is no key."""
    key = key.strip()
    modifiers, plus, last = key.rpartition("+")
    if key.endswith("+") and key != "+":
        modifiers, last = key[:-2], "+"
    names = [name for name in modifiers.split("+") if name]
    if len(last) == 1:
        last = _character_to_key(last)
    if not last or any(name not in _MODIFIERS for name in names):
        raise ValueError(key)
    if last not in _NAMES and key_to_character(last) is None:
        raise ValueError(key)
    return "+".join([*names, last]) if plus else last


def read_keymap(file: Path, known: Iterable[KnownAction]) -> tuple[dict[str, str], list[SettingsError]]:
    """The keymap of ``file`` as ``App.set_keymap`` takes it, and every mistake; a missing file is an empty keymap."""
    source, mistakes = _read(file)
    try:
        data = tomllib.loads(source)
    except (ValueError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        return {}, [*mistakes, _mistake(file, int(found.group(1)) if found else 0, one_line(str(error)))]
    actions = {action.id: action for action in known}
    keymap: dict[str, str] = {}
    lines = source.splitlines()
    for action_id, value in _flat(data):
        number = _line_of(lines, action_id)
        if action_id not in actions:
            mistakes.append(_mistake(file, number, f"there is no action '{one_line(action_id, 60)}'"))
            continue
        try:
            keymap[action_id] = ",".join(_keys(value))
        except ValueError as error:
            mistakes.append(_mistake(file, number, f"{action_id}: {one_line(str(error), 40)!r} is not a key"))
    for first, second, key in conflicts(actions.values(), keymap):
        changed = first if first in keymap else second
        words = f"{show_key(key)} is the key of both '{first}' and '{second}'"
        mistakes.append(_mistake(file, _line_of(lines, changed), words))
    return keymap, mistakes


def conflicts(known: Iterable[KnownAction], keymap: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Pairs of actions of one owner, or of an owner and the shell, that the keymap gives the same key: (id, id, key)."""
    holders: dict[tuple[str, str], str] = {}
    found: list[tuple[str, str, str]] = []
    actions = sorted(known, key=lambda action: action.owner != "LedgerApp")
    for action in actions:
        for key in keymap[action.id].split(",") if action.id in keymap else action.default_keys:
            for owner in (action.owner,) if action.modal else dict.fromkeys((action.owner, "LedgerApp")):
                other = holders.get((owner, key))
                if key and other and other != action.id and (action.id in keymap or other in keymap):
                    found.append((other, action.id, key))
                    break
            else:
                holders[action.owner, key] = action.id
    return found


def write_keys(file: Path, action_id: str, keys: Sequence[str] | None) -> None:
    """Give an action its keys in the file, None takes the entry out; comments stay. Raises SettingsError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    source, mistakes = _read(file)
    if mistakes:
        raise mistakes[0]
    try:
        document: Any = tomlkit.parse(source)
        table, *rest = _place_of(document, action_id)
        name = rest[0]
        if keys is None:
            table.pop(name, None)
        else:
            table[name] = ",".join(normal_key(key) for key in keys)
        _replace(file, tomlkit.dumps(document))
    except (TOMLKitError, ValueError, OSError) as error:
        raise SettingsError(
            one_line(str(error)), file=str(file), title="The keymap was not written", remedy=REMEDY
        ) from error


def _place_of(document: Any, action_id: str) -> tuple[Any, str]:
    """The table that holds the action now, and its key there; else the document itself and the quoted id."""
    first, _, last = action_id.partition(".")
    if isinstance(document.get(first), dict) and last in document[first]:
        return document[first], last
    return document, action_id


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".keymap-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(file: Path) -> tuple[str, list[SettingsError]]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise OSError(f"it is larger than {MAX_FILE_BYTES // 1024} kB")
        return raw.decode("utf-8-sig"), []
    except FileNotFoundError:
        return "", []
    except (OSError, UnicodeDecodeError) as error:
        return "", [_mistake(file, 0, one_line(str(error)))]


def _flat(table: Mapping[str, Any], head: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{head}{key}.")
        else:
            yield head + key, value


def _keys(value: Any) -> list[str]:
    given = value if isinstance(value, list) else [value]
    keys: list[str] = []
    for item in given:
        if not isinstance(item, str):
            raise ValueError(str(item))
        keys += [normal_key(part) for part in (item.split(",") if item != "," else [item])]
    return keys


def _line_of(lines: Sequence[str], action_id: str) -> int:
    """1-based line where the action stands, as a whole id or under its table's header; 0 when unknown."""
    table = ""
    for number, text in enumerate(lines, 1):
        header = re.match(r"\s*\[([^\]]+)\]", text)
        if header:
            table = header[1].strip() + "."
        key = text.partition("=")[0].replace('"', "").replace("'", "").strip()
        if action_id in (key, table + key):
            return number
    return 0


def _mistake(file: Path, line: int, cause: str) -> SettingsError:
    where = f"{file.name}{f', line {line}' if line else ''}"
    return SettingsError(f"{where}: {cause}", file=str(file), line=line, title="A key was left as it is", remedy=REMEDY)
