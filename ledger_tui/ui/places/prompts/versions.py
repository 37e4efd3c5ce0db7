"""The right side: the versions of the prompt with what they cost and failed, and the facts of its history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.domain import clock, money
from ledger_tui.domain.call_stats import CallStats
from ledger_tui.domain.measure import age, count, duration, percent
from ledger_tui.domain.text import one_line
from ledger_tui.domain.values import ACTIVE, JournalRow, VersionRow
from ledger_tui.ui.safe import line
from ledger_tui.ui.widgets.tab_line import TabLine

Wish = Literal["show", "restore", "label", "unlabel"]


def _age(at_us: int) -> str:
    return age(at_us, clock.seen_from_us())


class VersionList(OptionList):
    """The versions, two lines each; keys act on the one under the cursor."""

    HELP = """
### Versions
`●` is the active version: what the name alone means. `Ψ` marks versions that two people wrote at once (`C` decides); a number
with a star (`v6*`) can still move once, as the shared server has not given it yet. `•` marks a version that came from a colleague
since the prompt was opened last.

`enter` shows a version in the editor, `space` or a click on `◇` marks it, `c` compares the two that are marked (or this one with
the one it was written on). `v` makes it active again, `l` puts a label on it, `x` takes one off. `u` takes the last of such
changes back.
"""
    WRITES: ClassVar[frozenset[str]] = frozenset({"wish"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="versions.mark", tooltip="Mark this version for a comparison (or click ◇)"),
        Binding("c", "compare", "Compare", id="versions.compare", tooltip="Compare the two marked versions"),
        Binding("v", "wish('restore')", "Make active", id="versions.restore", tooltip="Make this version active again"),
        Binding("l", "wish('label')", "Label", id="versions.label", tooltip="Put a label on this version"),
        Binding("x", "wish('unlabel')", "Unlabel", show=False, id="versions.unlabel", tooltip="Take a label off"),
    ]

    def on_click(self, event: events.Click) -> None:
        """A click on the column of marks marks; elsewhere it shows the version."""
        at = event.style.meta.get("option")
        if at is not None and event.x < 2:
            event.prevent_default()
            self.highlighted = at
            self.action_mark()

    def action_mark(self) -> None:
        """Mark the version under the cursor."""
        if isinstance(pane := self.parent, Versions):
            pane.mark()

    def action_compare(self) -> None:
        """Compare."""
        if isinstance(pane := self.parent, Versions):
            pane.compare()

    def action_wish(self, wish: Wish) -> None:
        """Ask for something to be done with the version under the cursor."""
        if isinstance(pane := self.parent, Versions):
            pane.wish(wish)


class Versions(Vertical):
    """Shows versions and history; posts what a person wants."""

    DEFAULT_CSS = """
    Versions {
        OptionList { height: 1fr; border: none; padding: 0; background: transparent; scrollbar-size-vertical: 1; }
        #history { display: none; }
        &.-history #history { display: block; }
        &.-history #version-list { display: none; }
        &.-history .toolbar { display: none; }
        &.-history #marked { display: none; }
        #marked { height: auto; color: $text-muted; }
        #drift { height: auto; max-height: 4; color: $warning; display: none; }
        #drift.-any { display: block; }
    }
    """

    @dataclass
    class Wanted(Message):
        """A person wants to do something with a version."""

        version: VersionRow
        wish: Wish

    @dataclass
    class CompareWanted(Message):
        """A person wants to compare two versions."""

        old: VersionRow
        new: VersionRow

    @dataclass
    class DriftWanted(Message):
        """A person wants to see where the prompt's code and the ledger differ."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._versions: Sequence[VersionRow] = ()
        self._shown = ""
        self._marked: list[str] = []
        self._heads: Collection[str] = ()
        self._figures: Mapping[int, CallStats] = {}
        self._news: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        """Tabs, the two lists, buttons."""
        yield TabLine("Versions", "History", id="versions-tabs")
        yield Static("", id="drift", markup=False)
        yield VersionList(id="version-list", compact=True)
        yield OptionList(id="history", compact=True)
        yield Static("", id="marked", markup=False)
        with Horizontal(classes="toolbar"):
            yield Button("Compare", compact=True, name="compare", tooltip="Compare two versions (c)")
            yield Button("Make active", compact=True, name="restore", tooltip="Make this version active again (v)")
            yield Button("Label", compact=True, name="label", tooltip="Put a label on this version (l)")

    @property
    def current(self) -> VersionRow | None:
        """The version under the cursor."""
        at = self.query_one(VersionList).highlighted
        return self._versions[at] if at is not None and at < len(self._versions) else None

    def show(self, versions: Sequence[VersionRow], shown: str, heads: Collection[str] = ()) -> None:
        """Show versions, newest first; ``shown`` is the id of the one in the editor, ``heads`` of those to decide."""
        self._heads = heads
        known = {version.id for version in versions}
        same = any(version.id in known for version in self._versions)
        count = len(self._versions)
        self._versions, self._shown = versions, shown
        self._marked = [mark for mark in self._marked if mark in known]
        rows = self.query_one(VersionList)
        before = rows.highlighted
        rows.clear_options()
        rows.add_options([Option(self._words(version)) for version in versions])
        at = next((at for at, version in enumerate(versions) if version.id == shown), 0)
        keep = same and before is not None and len(versions) == count
        rows.highlighted = (before if keep else at) if versions else None
        self._tell_marked()

    def show_figures(self, figures: Mapping[int, CallStats]) -> None:
        """Show how the calls of each version went, by number."""
        if figures != self._figures:
            self._figures = figures
            self._write_again()

    def show_news(self, versions: Collection[str]) -> None:
        """Mark these versions, by id: they came from a colleague."""
        news = frozenset(versions)
        if news != self._news:
            self._news = news
            self._write_again()

    def show_drift(self, words: str) -> None:
        """Say in words where code and ledger differ, empty when they do not."""
        shown = self.query_one("#drift", Static)
        shown.update(line(f"≠ {words} (w shows)", 300) if words else "")
        shown.set_class(bool(words), "-any")

    @on(events.Click, "#drift")
    def _drift_clicked(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.DriftWanted())

    def show_history(self, rows: Sequence[JournalRow]) -> None:
        """Show the facts, newest first."""
        numbers = {version.id: version.number for version in self._versions}
        shown = self.query_one("#history", OptionList)
        shown.clear_options()
        shown.add_options([Option(_fact(row, numbers)) for row in rows])

    def _words(self, version: VersionRow) -> Content:
        marked = version.id in self._marked
        # The 16 colours of a terminal have no grey that can be read on the cursor's row too.
        muted = "" if self.app.current_theme.ansi else "$text-muted"
        fork = "Ψ " if version.id in self._heads else ""
        number, since = version.name, f" {_age(version.created_us)} "
        parts: list[Content | str | tuple[str, str]] = [
            ("◆ " if marked else "◇ ", "$primary" if marked else muted),
            ("● " if ACTIVE in version.labels else "  ", "$primary"),
            (fork, "$warning"),
            (number, "bold underline" if version.id == self._shown else "bold"),
            (" •" if version.id in self._news else "", "$accent"),
            (since, muted),
        ]
        width = max(20, self.query_one(VersionList).scrollable_content_region.width)
        used = 4 + len(fork) + len(number) + len(since) + 2 * (version.id in self._news)
        for label in (one_line(label, width - 6) for label in version.labels if label != ACTIVE):
            if used + 1 + cell_len(label) > width:
                parts.append("\n    ")
                used = 4
            parts.append((f" {label}", "$accent"))
            used += 1 + cell_len(label)
        message = one_line(version.message, 60) or ("first version" if version.number == 1 else "no message")
        parts.append(("\n    ", ""))
        parts.append(line(message, 60))
        facts = [one_line(version.author, 30), version.short_hash]
        if version.base_number and version.base_number != version.number - 1:
            facts.append(f"↳ v{version.base_number}")
        if version.run_count:
            facts.append(f"{version.run_count:,} runs")
            if version.error_count:
                facts.append(f"✗ {version.error_count:,}")
            facts.append(money.show(version.cost_nusd, version.unpriced_count))
        parts.append((f"\n    {' · '.join(facts)}", muted))
        figures = self._figures.get(version.number)
        if figures is not None and figures.calls:
            told = [f"{percent(figures.success_rate)} ok", f"p95 {duration(figures.p95_us)}"]
            told.append(f"{count(figures.total_tokens)} tok")
            parts.append((f"\n    {' · '.join(told)}", muted))
        return Content.assemble(*parts)

    def mark(self) -> None:
        """Mark the version under the cursor, or take its mark off; two can be marked."""
        version = self.current
        if version is None:
            return
        if version.id in self._marked:
            self._marked.remove(version.id)
        else:
            self._marked = [*self._marked[-1:], version.id]
        self._write_again()
        self._tell_marked()

    def _write_again(self) -> None:
        rows = self.query_one(VersionList)
        for at, row in enumerate(self._versions[: rows.option_count]):
            rows.replace_option_prompt_at_index(at, self._words(row))

    def on_resize(self) -> None:
        """Labels break anew where the room ends."""
        self._write_again()

    def _tell_marked(self) -> None:
        """Say how to compare, and what is marked."""
        names = [f"v{version.number}" for version in reversed(self._versions) if version.id in self._marked]
        words = "◇ marks (space), c compares"
        if len(names) == 1:
            words = f"◆ {names[0]}: mark one more, then c"
        elif names:
            words = f"◆ {names[0]} and {names[1]}: c compares"
        self.query_one("#marked", Static).update(words if len(self._versions) > 1 else "")

    def compare(self) -> None:
        """Ask for the comparison of the marked versions, else of this one with its mark or its base."""
        by_id = {version.id: version for version in self._versions}
        chosen = [by_id[mark] for mark in self._marked]
        current = self.current
        if len(chosen) < 2 and current is not None and current not in chosen:
            chosen.append(current)
        if len(chosen) == 1:
            older = [v for v in self._versions if v.number < chosen[0].number]
            chosen += [v for v in older if v.number == chosen[0].base_number] or older[:1]
        if len(chosen) == 2:
            old, new = sorted(chosen, key=lambda version: version.number)
            self.post_message(self.CompareWanted(old, new))

    def wish(self, wish: Wish) -> None:
        """Ask for something to be done with the version under the cursor."""
        if self.current is not None:
            self.post_message(self.Wanted(self.current, wish))

    @on(OptionList.OptionSelected, "#version-list")
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.wish("show")

    @on(TabLine.Chosen)
    def _tab(self, event: TabLine.Chosen) -> None:
        event.stop()
        self.set_class(event.index == 1, "-history")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.name == "compare":
            self.compare()
        elif event.button.name == "restore":
            self.wish("restore")
        else:
            self.wish("label")


def _fact(row: JournalRow, numbers: dict[str, int]) -> Content:
    value = row.value
    if row.kind == "label":
        what = f"{row.field} → v{numbers.get(str(value), '?')}" if value else f"{row.field} taken off"
    elif row.kind == "version":
        what = f"saved v{numbers.get(row.field) or numbers.get(str(value)) or '?'}"
    else:
        what = f"{row.field or row.kind}: {one_line(str(value), 80)}"
    undone = "↶ " if row.undoes else ""
    words = Content.assemble((f"{_age(row.at_us):>5}  ", "$text-muted"), line(f"{undone}{what}", 120))
    return Content.assemble(words, (f"\n       {one_line(row.actor, 40)}", "$text-muted"))
