"""Themes are data: each can be read, is checked on its own, and stays readable without colours."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_tui.domain.values import SpanRecord
from ledger_tui.errors import SettingsError
from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths, shipped_themes
from ledger_tui.ui.app import LedgerApp
from ledger_tui.ui.themes import DEFAULT_THEME, load_themes, read_theme
from ledger_tui.ui.widgets.row_view import RowView
from textual.color import Color
from textual.theme import Theme

from tests.ui.conftest import Workstation, settle, until

SHIPPED = sorted(shipped_themes().glob("*.toml"))
COLORED = [file for file in SHIPPED if not read_theme(file).ansi]
OWN = '[colors]\nprimary = "#88f"\nforeground = "#fff"\nbackground = "#000"\nsurface = "#111"\npanel = "#222"\n'


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two colours."""

    def luminance(color: Color) -> float:
        parts = [value / 255 for value in (color.r, color.g, color.b)]
        r, g, b = (value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_at_least_six_themes_are_shipped_and_all_are_well() -> None:
    """The project ships themes, the default among them, and none has a mistake."""
    themes, mistakes = load_themes(Paths(Path("/nowhere"), Path("/nowhere")))
    assert len(themes) >= 6 and DEFAULT_THEME in themes and not mistakes


@pytest.mark.parametrize("file", COLORED, ids=lambda file: file.stem)
def test_every_text_colour_can_be_read(file: Path) -> None:
    """Text, quiet text and colours with a meaning have a contrast of 4.5 on every background they stand on."""
    theme = read_theme(file)
    shown = {"foreground": theme.foreground, "muted": theme.variables["text-muted"]}
    shown |= {name: getattr(theme, name) for name in ("primary", "secondary", "accent", "success", "warning", "error")}
    weak = [
        (name, ground, round(contrast(str(color), str(getattr(theme, ground))), 2))
        for name, color in shown.items()
        for ground in ("background", "surface")
        if contrast(str(color), str(getattr(theme, ground))) < 4.5
    ]
    assert not weak
    cursor = theme.variables["block-cursor-background"]
    assert contrast(theme.variables["block-cursor-foreground"], cursor) >= 4.5


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("name = 3\n", "'name'", 1),
        ('name = "x"\n', "no [colors]", 0),
        ('name = "x"\n[colors]\nprimary = "bluish"\n', "primary = 'bluish' is not a colour", 3),
        ('name = "x"\n[colors]\nprimary = "#123"\n', "'foreground' is missing", 2),
        ('name = "x"\ndark = "yes"\n' + OWN, "'dark' has to be true or false", 2),
        ('name = "x"\nfont = "big"\n' + OWN, "'font' is not a theme's field", 2),
        ('name = "x"\n' + OWN + '[variables]\nborder = "} * { display: none; "\n', "border", 9),
        ("name = \n", "Invalid value", 1),
    ],
)
def test_a_mistake_names_the_file_and_the_line(tmp_path: Path, text: str, words: str, line: int) -> None:
    """Each mistake in a theme's file is told with its place."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_theme(file)
    assert words in caught.value.cause and "mine.toml" in caught.value.cause
    assert (caught.value.file, caught.value.line) == (str(file), line)


def test_a_broken_theme_costs_only_itself(paths: Paths) -> None:
    """Of two own themes with one mistake, the other one is there."""
    paths.themes.mkdir()
    (paths.themes / "a.toml").write_bytes(b"\xff\xfe")
    (paths.themes / "b.toml").write_text('name = "mine"\n' + OWN)
    themes, mistakes = load_themes(paths)
    assert "mine" in themes and len(mistakes) == 1


async def test_every_theme_can_be_shown(workstation: Workstation) -> None:
    """The stylesheets of the shell work with the variables of every shipped theme."""
    async with workstation("costs") as pilot:
        app = pilot.app
        assert isinstance(app, LedgerApp)
        for name in app.shown_themes:
            app.choose_theme(name)
            await settle(pilot)
            assert app.theme == name


async def test_a_changed_file_is_seen_at_once(workstation: Workstation, paths: Paths) -> None:
    """A theme file that is saved while the workstation runs repaints it; one that breaks is told and falls back."""
    paths.themes.mkdir()
    mine = paths.themes / "mine.toml"
    mine.write_text('name = "mine"\n' + OWN)
    paths.settings.write_text('theme = "mine"\n')
    async with workstation("costs") as pilot:
        app = pilot.app
        assert isinstance(app, LedgerApp) and app.theme == "mine"
        mine.write_text('name = "mine"\n' + OWN.replace("#88f", "#ff8800"))
        await until(lambda: app.current_theme.primary == "#ff8800", pilot, "the new colour")
        mine.write_text("name = \n")
        await until(lambda: app.theme == DEFAULT_THEME, pilot, "the fall back")
        await until(lambda: any("mine.toml" in note.message for note in app._notifications), pilot, "the toast")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
async def test_no_color_stays_readable(file: Path, ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR no cell of any theme has text of its background's colour, and no hue is left."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = LedgerApp(ledger, theme=read_theme(file).name, place="settings")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.theme == read_theme(file).name
        for strip in app.screen._compositor.render_strips(app.size):
            for text, style, _ in strip:
                if not text.strip() or style is None:
                    continue
                assert not (
                    style.color and style.bgcolor and style.color == style.bgcolor and not style.color.is_default
                ), text
                for color in (style.color, style.bgcolor):
                    if color is not None and color.triplet is not None:
                        assert len(set(color.triplet)) == 1, text


def test_user_theme_object_is_complete(paths: Paths) -> None:
    """A theme of five colours gets every variable that the stylesheets use."""
    paths.themes.mkdir()
    (paths.themes / "b.toml").write_text('name = "mine"\n' + OWN)
    theme: Theme = load_themes(paths)[0]["mine"]
    assert {"role-user", "kind-llm", "border-blurred", "text-muted", "block-cursor-background"} <= set(theme.variables)


async def test_the_row_of_the_cursor_can_be_read_in_sixteen_colours(
    workstation: Workstation, ledger: PromptLedger
) -> None:
    """In the terminal's own colours no text has the colour of the cursor's row, with focus and without."""
    ledger.prepare()
    ledger.traces.record(
        [
            SpanRecord(
                trace_id="t", span_id="s", name="call", kind="tool", status="succeeded", started_us=1, duration_us=1
            )
        ]
    )
    async with workstation("traces", (120, 36)) as pilot:
        pilot.app.choose_theme("terminal")
        rows = pilot.app.screen.query_one("#list", RowView)
        for widget in (rows, None):
            pilot.app.screen.set_focus(widget)
            await pilot.pause()
            segments = list(rows.render_line(1))
            assert segments and all(part.style and part.style.color != part.style.bgcolor for part in segments)
