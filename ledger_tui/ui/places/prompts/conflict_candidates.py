"""What a label or a field could be: the candidates, and the one under the cursor beside what counts meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.domain import clock, measure
from ledger_tui.domain.deciding import HEADS, Candidate, Contested
from ledger_tui.domain.diff import ContentDiff, TextDiff, diff_contents, diff_text
from ledger_tui.domain.merge_text import document
from ledger_tui.domain.text import one_line
from ledger_tui.ui.places.prompts.conflict_words import candidate_lines
from ledger_tui.ui.safe import content, line
from ledger_tui.ui.widgets.diff_view import DiffView
from ledger_tui.ui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from ledger_tui.domain.values import VersionRow
    from ledger_tui.ledger import PromptLedger

WORDS = "These were set at once. enter takes the one under the cursor, for everybody; u takes that back."


@dataclass(frozen=True, slots=True)
class About:
    """A candidate in full."""

    rid: str
    words: str
    """Who wrote it, when and why; then what is shown below."""
    text: str
    """What it says."""
    diff: ContentDiff | TextDiff | None
    """What it changes against what counts meanwhile; None for that one itself, and where there is nothing to compare."""


def look_at(ledger: PromptLedger, contested: Contested, one: Candidate) -> About:
    """For a thread: a candidate in full. Raises LedgerError."""
    holder = contested.holder
    if not _is_version(contested, one):
        text = contested.words(one)
        diff = None if one.holds or _is_version(contested, holder) else diff_text(contested.words(holder), text)
        return About(one.rid, "", text, diff)
    rows = {row.id: row for row in ledger.registry.versions(contested.prompt or "")}
    mine = ledger.registry.content(one.value)
    words = _version_words(rows.get(one.value))
    if one.holds or not _is_version(contested, holder) or holder.value == one.value:
        return About(one.rid, words, document(mine), None)
    there = f"v{holder.number or '?'}, which counts meanwhile"
    return About(
        one.rid,
        f"{words}\nAgainst {there}:",
        document(mine),
        diff_contents(ledger.registry.content(holder.value), mine),
    )


def _is_version(contested: Contested, one: Candidate) -> bool:
    """Whether a candidate names a version."""
    return isinstance(one.value, str) and (contested.kind in (HEADS, "label") or one.is_edit)


def _version_words(row: VersionRow | None) -> str:
    if row is None:
        return ""
    said = (
        f"{row.name} by {one_line(row.author, 30) or 'somebody'}, {measure.age(row.created_us, clock.seen_from_us())}"
    )
    return f"{said}: {one_line(row.message, 120)}" if row.message else said


class CandidateList(OptionList):
    """What a label or a field could be."""

    BINDINGS = [Binding("enter", "select", "Take", id="conflicts.take", tooltip="Let this count, for everybody")]


class CandidatesPane(Vertical):
    """The candidates of one thing, and the one under the cursor in full below."""

    def compose(self) -> ComposeResult:
        """What they are, the list, one of them."""
        yield Static(WORDS, id="candidates-words", markup=False)
        yield CandidateList(id="candidates", compact=True)
        yield Static("", id="candidate-about", markup=False)
        yield DiffView(id="candidate-diff")
        yield TextPane(id="candidate-text", kind="plain")

    @property
    def rows(self) -> CandidateList:
        """The list."""
        return self.query_one(CandidateList)

    def show(self, contested: Contested, width: int) -> None:
        """Show these candidates, the one that counts meanwhile under the cursor."""
        self.border_title = line(f"{contested.prompt or contested.kind}  {contested.subject}", 100)
        muted = "" if self.app.current_theme.ansi else "$text-muted"
        self.rows.clear_options()
        self.rows.add_options([Option(candidate_lines(contested, one, width, muted)) for one in contested.candidates])
        self.rows.highlighted = next((at for at, one in enumerate(contested.candidates) if one.holds), 0)

    def show_about(self, about: About) -> None:
        """Show one of them in full."""
        diff, text = self.query_one(DiffView), self.query_one(TextPane)
        self.query_one("#candidate-about", Static).update(content(about.words) if about.words else Content(""))
        diff.display, text.display = about.diff is not None, about.diff is None
        if about.diff is not None:
            diff.show_diff(about.diff)
        else:
            text.show(about.text, "plain")
