"""The themes with a live preview: the workstation shows each one as the cursor reaches it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.safe import content

SAMPLE = (
    ("✓ succeeded", "$success"),
    ("✗ failed", "$error"),
    ("⚠ unpriced", "$warning"),
    ("● active, focus, links", "$primary"),
    ("labels, system role", "$accent"),
    ("quiet words", "$text-muted"),
)


class ThemeList(Section):
    """Moving shows a theme, enter keeps it; leaving without enter brings the kept one back."""

    HELP = """
    ## Themes
    Moving through the list shows each theme; `enter` keeps it. Your own themes are TOML files in the themes folder
    (see *About*): copy one of the shipped ones and change its colours. A file with a mistake is told and left out.
    """

    def compose(self) -> ComposeResult:
        """The list and a sample of every colour with a meaning."""
        with Horizontal(id="theme-panes"):
            with Vertical(classes="pane", id="theme-pane") as pane:
                pane.border_title = "Themes"
                pane.border_subtitle = "enter keep"
                yield OptionList(id="themes", compact=True)
            with Vertical(classes="pane", id="sample-pane") as pane:
                pane.border_title = "Sample"
                lines = [Content.styled(words, style) for words, style in SAMPLE]
                yield Static(
                    Content("\n").join([Content("Plain text, and what has a meaning:\n"), *lines]), id="sample"
                )
                yield Static("", id="theme-folder", classes="muted", markup=False)

    def read(self) -> None:
        """Fill the list; the cursor stands on the theme that counts."""
        rows = self.query_one(OptionList)
        kept = self.app.theme
        names = list(self.app.shown_themes)
        options = []
        for name in names:
            theme = self.app.shown_themes[name]
            kind = "terminal" if theme.ansi else "dark" if theme.dark else "light"
            options.append(Option(Content(f"{'●' if name == kept else ' '} {name:<20} {kind}"), id=name))
        rows.set_options(options)
        rows.highlighted = names.index(kept) if kept in names else 0
        self.query_one("#theme-folder", Static).update(content(f"\nYour own: {self.app.ledger.paths.themes}"))

    @on(OptionList.OptionHighlighted)
    def _preview(self, event: OptionList.OptionHighlighted) -> None:
        if self.query_one(OptionList).has_focus:
            self.app.choose_theme(event.option.id or "")

    @on(OptionList.OptionSelected)
    def _keep(self, event: OptionList.OptionSelected) -> None:
        self.app.choose_theme(event.option.id or "")
        self.app.save_setting("theme", event.option.id or "")

    def on_descendant_blur(self) -> None:
        """Leaving the list without enter brings the kept theme back."""
        self.app.choose_theme(self.app.kept_theme)
