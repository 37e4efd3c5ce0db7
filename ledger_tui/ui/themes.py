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
    "kind-guardrail": "secondary",
    "kind-other": "foreground",
}
"""Variables of our own that a theme may set under ``[variables]``, and the colour each one takes when it does not."""

ANSI_VARIABLES = {
    "text-muted": "ansi_bright_black",
    "text-disabled": "ansi_bright_black",
    "border": "ansi_blue",
    "border-blurred": "ansi_bright_black",
    "footer-key-foreground": "ansi_blue",
    "block-cursor-background": "ansi_blue",
    "block-cursor-foreground": "ansi_bright_white",
    "block-cursor-text-style": "bold",
    "block-cursor-blurred-background": "ansi_bright_black",
    "primary-muted": "ansi_bright_black",
    "block-cursor-blurred-foreground": "ansi_bright_white",
    "input-cursor-background": "ansi_white",
    "input-cursor-foreground": "ansi_black",
    "input-cursor-text-style": "none",
    "input-selection-background": "ansi_blue",
    "input-selection-foreground": "ansi_bright_white",
    "screen-selection-background": "ansi_blue",
    "screen-selection-foreground": "ansi_bright_white",
    "button-color-foreground": "ansi_bright_white",
    "ansi-background": "ansi_bright_black",
    "ansi-foreground": "ansi_default",
    "scrollbar": "ansi_bright_black",
    "scrollbar-hover": "ansi_blue",
    "scrollbar-active": "ansi_blue",
    "scrollbar-background": "ansi_default",
    "scrollbar-background-hover": "ansi_default",
    "scrollbar-background-active": "ansi_default",
    "scrollbar-corner-color": "ansi_default",
}
"""What a theme of the terminal's own 16 colours takes for shades that cannot be blended."""

_MEANINGS = ("primary", "secondary", "accent", "success", "warning", "error")
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


def _left_out(cause: str, where: str, line: int = 0) -> SettingsError:
    place = f"{Path(where).name}{f', line {line}' if line else ''}"
    return SettingsError(
        f"{place}: {cause}",
        file=where,
        line=line,
        title="A theme was left out",
        remedy="Correct the file; it is read again as soon as it is saved.",
    )


def read_theme(file: Path) -> Theme:
    """The theme of one file; raises SettingsError that names the file and, where known, the line."""
    where = str(file)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise _left_out(f"it cannot be read: {error.strerror}", where) from error
    if len(raw) > MAX_THEME_BYTES:
        raise _left_out(f"it is larger than {MAX_THEME_BYTES // 1024} kB", where)
    try:
        text = raw.decode("utf-8")
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        raise _left_out(one_line(str(error)), where, int(found.group(1)) if found else 0) from error
    return theme_of(data, where, text)


def theme_of(data: Mapping[str, Any], where: str, text: str = "") -> Theme:
    """A Theme from a decoded file; ``text`` is its source, for line numbers. Raises SettingsError."""

    def refuse(cause: str, key: str = "") -> SettingsError:
        line = next((n for n, row in enumerate(text.splitlines(), 1) if key and row.strip().startswith(key)), 0)
        return _left_out(cause, where, line)

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
    derived |= ANSI_VARIABLES if data.get("ansi") else _shades(colors)
    looks: dict[str, Any] = {"dark": data.get("dark", True), "ansi": data.get("ansi", False), **colors}
    return Theme(name=name, variables=derived | variables, **looks)


def _shades(colors: Mapping[str, str]) -> dict[str, str]:
    """Quiet text, borders, cursors and scrollbars that fit the colours; a theme may name any of them itself."""
    foreground, background = Color.parse(colors["foreground"]), Color.parse(colors["background"])
    primary, panel = Color.parse(colors["primary"]), Color.parse(colors["panel"])
    track = background.hex
    return {
        "text": foreground.hex,
        "text-muted": background.blend(foreground, 0.74).hex,
        "text-disabled": background.blend(foreground, 0.45).hex,
        **{f"text-{name}": colors.get(name, colors["primary"]) for name in _MEANINGS},
        "border": primary.hex,
        "border-blurred": background.blend(foreground, 0.22).hex,
        "footer-background": colors["surface"],
        "footer-key-foreground": primary.hex,
        "block-cursor-background": background.blend(primary, 0.3).hex,
        "block-cursor-foreground": foreground.hex,
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": panel.hex,
        "block-cursor-blurred-foreground": foreground.hex,
        "block-cursor-blurred-text-style": "none",
        "input-selection-background": background.blend(primary, 0.42).hex,
        "button-color-foreground": background.hex,
        "scrollbar": background.blend(foreground, 0.24).hex,
        "scrollbar-hover": background.blend(foreground, 0.34).hex,
        "scrollbar-active": primary.hex,
        "scrollbar-background": track,
        "scrollbar-background-hover": track,
        "scrollbar-background-active": track,
        "scrollbar-corner-color": track,
    }


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
