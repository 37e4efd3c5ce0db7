"""Themes are data: small TOML files, read one by one, so that one mistake costs one theme and never the workstation."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from ledger_tui.domain.text import one_line
from ledger_tui.errors import SettingsError
from ledger_tui.paths import Paths, shipped_themes

DEFAULT_THEME = "ledger-dark"
MAX_THEME_BYTES = 64 * 1024

REQUIRED_COLORS = ("primary", "foreground", "background", "surface", "panel")
"""Colours that a theme has to name."""
COLORS = (*REQUIRED_COLORS, "secondary", "accent", "success", "warning", "error", "boost")
"""All colours that a theme may name under ``[colors]``."""

DERIVED_VARIABLES = {
    "role-system": "accent",
    "role-developer": "accent",
    "role-user": "primary",
    "role-assistant": "success",
    "kind-llm": "primary",
    "kind-tool": "warning",
    "kind-retrieval": "success",
    "kind-agent": "accent",
    "kind-guardrail": "error",
    "kind-other": "foreground",
}
"""Variables of our own that a theme may set under ``[variables]``, and the colour each one takes when it does not."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}\Z")
_VARIABLE = re.compile(r"[a-z][a-z0-9-]{0,59}\Z")


def load_themes(paths: Paths) -> tuple[dict[str, Theme], list[SettingsError]]:
    """Shipped themes, then the user's own (which may replace a shipped one), and every mistake found."""
    themes: dict[str, Theme] = {}
    mistakes: list[SettingsError] = []
    for file in _files((shipped_themes(), paths.themes)):
        try:
            theme = read_theme(file)
        except SettingsError as error:
            mistakes.append(error)
        else:
            themes[theme.name] = theme
    if DEFAULT_THEME not in themes:
        themes[DEFAULT_THEME] = fallback_theme()
    return themes, mistakes


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        try:
            yield from sorted(file for file in folder.iterdir() if file.suffix == ".toml" and file.is_file())
        except OSError:
            continue


def read_theme(file: Path) -> Theme:
    """The theme of one file; raises SettingsError that names the file and, where known, the line."""
    where = str(file)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file.name} cannot be read: {error.strerror}", file=where) from error
    if len(raw) > MAX_THEME_BYTES:
        raise SettingsError(f"{file.name} is larger than {MAX_THEME_BYTES // 1024} kB", file=where)
    try:
        text = raw.decode("utf-8")
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else 0
        raise SettingsError(f"{file.name}: {one_line(str(error))}", file=where, line=line) from error
    return theme_of(data, where, text)


def theme_of(data: Mapping[str, Any], where: str, text: str = "") -> Theme:
    """A Theme from a decoded file; ``text`` is its source, for line numbers. Raises SettingsError."""

    def refuse(cause: str, key: str = "") -> SettingsError:
        line = next((n for n, row in enumerate(text.splitlines(), 1) if key and row.strip().startswith(key)), 0)
        return SettingsError(
            f"{Path(where).name}{f', line {line}' if line else ''}: {cause}",
            file=where,
            line=line,
            title="A theme was left out",
            remedy="Correct the file; it is read again as soon as it is saved.",
        )

    name = data.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise refuse("'name' has to be lower-case letters, digits and '-'", "name")
    for key, kind in (("dark", bool), ("ansi", bool)):
        if not isinstance(data.get(key, False), kind):
            raise refuse(f"'{key}' has to be true or false", key)
    unknown = set(data) - {"name", "dark", "ansi", "colors", "variables"}
    if unknown:
        raise refuse(f"'{one_line(min(unknown), 40)}' is not a theme's field", min(unknown))
    colors = _colors(data.get("colors"), refuse)
    variables = _variables(data.get("variables", {}), refuse)
    derived = {variable: colors.get(color, colors["primary"]) for variable, color in DERIVED_VARIABLES.items()}
    return Theme(
        name=name, dark=data.get("dark", True), ansi=data.get("ansi", False), variables=derived | variables, **colors
    )


def _colors(given: Any, refuse: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise refuse("it has no [colors]")
    for key, value in given.items():
        if key not in COLORS:
            raise refuse(f"'{one_line(key, 40)}' is not a colour's name", key)
        try:
            Color.parse(value if isinstance(value, str) else "?")
        except ColorParseError:
            raise refuse(f"{key} = {one_line(str(value), 40)!r} is not a colour", key) from None
    for key in REQUIRED_COLORS:
        if key not in given:
            raise refuse(f"the colour '{key}' is missing", "[colors]")
    return dict(given)


def _variables(given: Any, refuse: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise refuse("'variables' has to be a table", "variables")
    for key, value in given.items():
        if not _VARIABLE.match(key) or not isinstance(value, str) or not re.fullmatch(r"[#\w %().,-]{1,60}", value):
            raise refuse(f"the variable {one_line(key, 40)} = {one_line(str(value), 40)!r} cannot be used", key)
    return dict(given)


def fallback_theme() -> Theme:
    """The default theme when its file is missing or broken."""
    colors = {
        "primary": "#7aa2d6",
        "foreground": "#d7dae0",
        "background": "#14171c",
        "surface": "#1a1e25",
        "panel": "#232833",
    }
    return theme_of({"name": DEFAULT_THEME, "dark": True, "colors": colors}, "the built-in theme")
